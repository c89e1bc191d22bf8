"""What the house gives to a service: clocks, randomness, store, bus, read models, vault and bylaws."""

from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg

from libs.eventsourcing.store import Store
from libs.kernel.clocks import Clock
from libs.ledger.entry import Ledger
from libs.messaging.bus import Bus
from libs.messaging.notebook import Notebook
from libs.messaging.readmodel import Rows
from libs.runtime.citypack import CityPacks
from libs.runtime.citytime import CityTime
from libs.runtime.lease import Leases
from libs.runtime.room import Room
from libs.runtime.settings import Settings
from libs.telemetry import Telemetry
from libs.vault.port import Vault


def _no_books_here(service: str) -> Ledger:
    raise LookupError(f"this platform keeps no books, and {service} asks for some")


@dataclass(frozen=True)
class Platform:
    """The world as services see it: given, never taken. `store`, `rows` and `notebook` are asked by service name;
    a service that keeps books asks for its `ledger` instead of its `store`. `database` is for work by the set, of which
    there is none where everything is in memory."""

    settings: Settings
    machine: Clock
    monotonic: Callable[[], float]
    randomness: Callable[[int], bytes]
    city: CityTime
    telemetry: Telemetry
    packs: CityPacks
    vault: Vault
    bus: Bus
    fingerprint_key: bytes
    store: Callable[[str], Store]
    rows: Callable[[str], Rows]
    notebook: Callable[[str], Notebook]
    ledger: Callable[[str], Ledger] = _no_books_here
    leases: Leases | None = None
    room: Room = field(default_factory=Room)
    database: asyncpg.Pool | None = None
