"""What the house gives to a service: clocks, randomness, store, bus, read models, vault and bylaws."""

from collections.abc import Callable
from dataclasses import dataclass

from libs.eventsourcing.store import Store
from libs.kernel.clocks import Clock
from libs.messaging.bus import Bus
from libs.messaging.notebook import Notebook
from libs.messaging.readmodel import Rows
from libs.runtime.citypack import CityPacks
from libs.runtime.citytime import CityTime
from libs.runtime.settings import Settings
from libs.telemetry import Telemetry
from libs.vault.port import Vault


@dataclass(frozen=True)
class Platform:
    """The world as services see it: given, never taken. `store`, `rows` and `notebook` are asked by service name."""

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
