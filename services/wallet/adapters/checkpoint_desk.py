"""Who signs the journal: the house, again and again, and the operator, with two commands; and where the key is."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from libs.kernel.clocks import Clock
from libs.runtime.citytime import MachineClock
from libs.runtime.engines import pool_to
from libs.runtime.settings import Settings
from libs.telemetry import log_for
from services.wallet.adapters.checkpoints import Checkpoints, OtherKey, waiting_since

SCHEMA = "wallet"
LOOK_S = 5.0

log = log_for("wallet")


def signing_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that the operator names, or the one in `<home>/keys/journal.ed25519`, made at the first signature.

    Keep it where the database's administrator cannot reach it, or a checkpoint proves nothing about them. Raises
    OSError, and ValueError for a file that is no such key.
    """
    path = settings.journal_key or settings.home / "keys" / "journal.ed25519"
    if settings.journal_key is None and not path.exists():
        _make(path)
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def _make(path: Path) -> None:
    """A new key, whole or not at all; who is second takes the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="journal-") as draft:  # Nobody else can read these.
        draft.write(Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
        draft.flush()
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft.name)


class Signing:
    """A chore: every so often all rows of the journal that are new are covered by a signed checkpoint.

    Each process of the wallet does it, and one at a time: a checkpoint that is younger than the interval is left alone,
    so several sign no more often than one. `show(seconds)` hears how long the oldest row has waited.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        settings: Settings,
        machine: Clock,
        monotonic: Callable[[], float],
        show: Callable[[float], None],
        schema: str = SCHEMA,
    ) -> None:
        self._schema = schema
        self._pool, self._settings, self._machine = pool, settings, machine
        self._monotonic, self._show = monotonic, show
        self._look_at = float("-inf")
        self._signer: Checkpoints | None = None
        self._said = ""

    async def look(self) -> None:
        """Sign if it is time to, and say how old the oldest row without a signature is."""
        if self._monotonic() < self._look_at:
            return
        self._look_at = self._monotonic() + min(LOOK_S, self._settings.checkpoint_every_s or LOOK_S)
        every_s = self._settings.checkpoint_every_s
        since = await waiting_since(self._pool, self._schema)
        if since is not None and every_s and (signer := self._with_a_key()) is not None:
            try:
                await signer.sign(not_before_s=every_s)
            except OtherKey as other:
                self._complain(str(OtherKey.__doc__), other)
            since = await waiting_since(self._pool, self._schema)
        self._show(0.0 if since is None else max(0.0, (self._machine.now() - since).total_seconds()))

    def _with_a_key(self) -> Checkpoints | None:
        if self._signer is None:
            if self._settings.journal_key is None and not self._settings.on_loopback:
                self._complain("away from loopback the house signs only with a key that it is given")
                return None
            try:
                key = signing_key(self._settings)
            except (OSError, ValueError) as error:
                self._complain("the key cannot be read", error)
                return None
            self._signer = Checkpoints(self._pool, self._schema, key, self._machine)
        return self._signer

    def _complain(self, why: str, error: Exception | None = None) -> None:
        """Once, not at every turn."""
        if why != self._said:
            log.error("the journal is not signed", why=why, error=str(error or ""))
        self._said = why


async def sign(settings: Settings, dsn: str, every_s: float, say: Callable[[str], None]) -> None:
    """Cover all rows now, and again every so many seconds if that is wanted."""
    async with pool_to(dsn) as pool:
        signer = Checkpoints(pool, SCHEMA, signing_key(settings), MachineClock())
        say(f"public key {signer.public_key}")
        while True:
            say(f"checkpoint {await signer.sign()}")
            if not every_s:
                return
            await asyncio.sleep(every_s)


async def export(settings: Settings, dsn: str, out: Path, say: Callable[[str], None]) -> None:
    """Write the journal and its checkpoints to a file, a line each."""
    async with pool_to(dsn) as pool:
        signer, lines = Checkpoints(pool, SCHEMA, signing_key(settings), MachineClock()), 0
        with out.open("w", encoding="utf-8") as file:
            async for line in signer.export():
                file.write(line + "\n")
                lines += 1
    say(f"{out}: {lines} lines")
