"""What clearing must know of cards: the number on the chip, whether its wallet is open, whether it is lost or ended."""

from collections.abc import Iterator

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text

from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.readmodel import Change, Drop, Put
from services.issuance.contracts import CardCancelled, CardReplaced, CardReserved
from services.loss.contracts import CardStopped, CardWoken
from services.wallet.contracts import PurseOpened

_tables = MetaData()

TAP_CHIP = Table(
    "tap_chip",
    _tables,
    Column("number", BigInteger, primary_key=True),
    Column("card_id", Text),
    Column("holding_id", Text),
)
TAP_OPENED = Table("tap_opened", _tables, Column("holding_id", Text, primary_key=True))
TAP_STOP = Table(
    "tap_stop", _tables, Column("card_id", Text, primary_key=True), Column("from_at", DateTime(timezone=True))
)

TAP_ENDED = Table(
    "tap_ended", _tables, Column("card_id", Text, primary_key=True), Column("at", DateTime(timezone=True))
)

PURSE_FUNCTION = "epurse"
LEARNS_FROM = (CardReserved, CardStopped, CardWoken, CardReplaced, CardCancelled)


def project(told: Contract, _message: Message) -> Iterator[Change]:
    """What to write down of a message."""
    match told:
        case CardReserved():
            chip = {"number": int(told.card_number), "card_id": told.card_id, "holding_id": told.holding_id}
            yield Put(TAP_CHIP, chip)
        case PurseOpened():
            yield Put(TAP_OPENED, {"holding_id": told.holding_id})
        case CardStopped():
            for stopped in told.functions:
                if stopped.function == PURSE_FUNCTION:  # Cash, in most cities: no report covers it.
                    yield Put(TAP_STOP, {"card_id": told.card_id, "from_at": stopped.from_at})
        case CardWoken():
            yield Drop(TAP_STOP, {"card_id": told.card_id})
        case CardReplaced():
            yield Put(TAP_ENDED, {"card_id": told.old_card_id, "at": told.at})  # It stays on the hotlist for good.
        case CardCancelled():
            yield Put(TAP_ENDED, {"card_id": told.card_id, "at": told.at})
