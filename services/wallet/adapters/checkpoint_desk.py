"""The operator's side of checkpoints: the signing key, and the two commands that use it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from libs.runtime.citytime import MachineClock
from libs.runtime.engines import pool_to
from libs.runtime.settings import Settings
from services.wallet.adapters.checkpoints import Checkpoints

SCHEMA = "wallet"


def signing_key(home: Path) -> Ed25519PrivateKey:
    """The key in `<home>/keys/journal.ed25519`, made at the first signature. Keep it where the database's administrator
    cannot reach it, or a checkpoint proves nothing about them."""
    path = home / "keys" / "journal.ed25519"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        fresh = Ed25519PrivateKey.generate()
        path.write_bytes(fresh.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


async def sign(settings: Settings, dsn: str, every_s: float, say: Callable[[str], None]) -> None:
    """Cover all rows now, and again every so many seconds if that is wanted."""
    async with pool_to(dsn) as pool:
        signer = Checkpoints(pool, SCHEMA, signing_key(settings.home), MachineClock())
        say(f"public key {signer.public_key}")
        while True:
            say(f"checkpoint {await signer.sign()}")
            if not every_s:
                return
            await asyncio.sleep(every_s)


async def export(settings: Settings, dsn: str, out: Path, say: Callable[[str], None]) -> None:
    """Write the journal and its checkpoints to a file, a line each."""
    async with pool_to(dsn) as pool:
        signer, lines = Checkpoints(pool, SCHEMA, signing_key(settings.home), MachineClock()), 0
        with out.open("w", encoding="utf-8") as file:
            async for line in signer.export():
                file.write(line + "\n")
                lines += 1
    say(f"{out}: {lines} lines")
