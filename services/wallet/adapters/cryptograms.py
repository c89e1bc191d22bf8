"""The card's signature on a tap: simulated keys, real SM4, at the cost that a real check would have.

The transaction authentication code is a CBC-MAC (ISO/IEC 9797-1, algorithm 1, padding 2) with SM4 over the record
without its last four bytes, cut to four bytes, under a key derived from the city's master for this card alone: the card
number and its complement, encrypted under the master. In production the master lives in a security module, which
answers the same question.
"""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from services.wallet.adapters.tap_files import RECORD

SIMULATED_MASTER = b"not a secret key"
"""Of simulated cards only: whoever reads this can sign for them."""
TAC_BYTES = 4
KEPT_MAX = 200_000
_SIGNED = RECORD.size - TAC_BYTES
_PADDING = b"\x80".ljust(-(_SIGNED + 1) % 16 + 1, b"\0")
_FROM, _TO = _SIGNED + len(_PADDING) - 16, _SIGNED + len(_PADDING) - 12
_START = CBC(bytes(16))


class SimulatedCryptograms:
    """Checks, and for the simulated cards makes, the code on a tap."""

    def __init__(self, master: bytes) -> None:
        self._derive = Cipher(SM4(master), ECB()).encryptor().update
        self._of_card: dict[bytes, Cipher[CBC]] = {}

    def genuine(self, records: bytes) -> list[bool]:
        """For each of these raw records whether its card signed it."""
        of_card, start = self._of_card, range(0, len(records), RECORD.size)
        answers = []
        for at in start:
            card, end = records[at : at + 8], at + _SIGNED
            cipher = of_card.get(card) or self._cipher(card)
            mac = cipher.encryptor().update(records[at:end] + _PADDING)
            answers.append(mac[_FROM:_TO] == records[end : end + TAC_BYTES])
        return answers

    def sign(self, record: bytes) -> bytes:
        """The record with the code that its card would have put on it."""
        bare = record[:_SIGNED]
        return bare + self._cipher(bare[:8]).encryptor().update(bare + _PADDING)[_FROM:_TO]

    def _cipher(self, card: bytes) -> Cipher[CBC]:
        if len(self._of_card) >= KEPT_MAX:
            self._of_card.clear()
        key = self._derive(card + bytes(255 - byte for byte in card))
        made = self._of_card[card] = Cipher(SM4(key), _START)
        return made
