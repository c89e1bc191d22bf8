"""A city in which only notice lives; its neighbours are voices on the log."""

import json
import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import Append, Outcome, shard_of
from libs.kernel.ids import derived
from libs.messaging.bus import topic_of
from libs.messaging.contract import Contract
from libs.messaging.memory import MemoryBus
from libs.messaging.message import Message
from libs.messaging.notebook import MemoryNotebook
from libs.messaging.readmodel import MemoryRows
from libs.runtime.citypack import load_packs
from libs.runtime.citytime import CityTime
from libs.runtime.house import Household
from libs.runtime.platform import Platform
from libs.runtime.settings import Settings
from libs.telemetry import Telemetry
from libs.vault.masterkey import FileMasterKey
from libs.vault.memory import MemoryVault
from services.identity.contracts import ContactGiven
from services.ids import ApplicationId, HoldingId, PersonId, application_id, card_id, holding_id, person_id
from services.issuance.contracts import ApplicationSubmitted, CardArrived
from services.loss.contracts import CardStopped
from services.notice.adapters.sms import MemorySms
from services.notice.domain.naming import NoticeId
from services.notice.domain.state import Notice
from services.notice.ports import CannotTell, Sent, Sms, TurnedDown
from services.notice.wiring import build

MORNING = datetime(2026, 10, 8, 1, 0, tzinfo=UTC)
LI: PersonId = person_id("330900", derived("Li"))
HOLDING: HoldingId = holding_id(LI, "citizen-card")
CARD = card_id(HOLDING, 1)
APPLICATION: ApplicationId = application_id(HOLDING, derived("first"))
NUMBER = "+8613812345678"

applied = ApplicationSubmitted(
    application_id=APPLICATION, holding_id=HOLDING, person_id=LI, programme="citizen-card", outlet="zs-hall",
    receipt_hash="0" * 64, at=MORNING - timedelta(days=30),
)  # fmt: skip
arrived = CardArrived(
    holding_id=HOLDING, person_id=LI, card_id=CARD, outlet="zs-dinghai",
    kept_until=datetime(2026, 10, 10, 16, tzinfo=UTC), at=MORNING,
)  # fmt: skip
stopped = CardStopped(
    holding_id=HOLDING, card_id=CARD, at=MORNING, kind="pre_report", functions=[],
    until=datetime(2026, 10, 15, 16, tzinfo=UTC),
)  # fmt: skip


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = MORNING

    def now(self) -> datetime:
        return self.moment


class Death(BaseException):
    """The process dies."""


class Fate:
    """Lets the process die at its `at`-th breath; never, if that is None."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.breaths = at, 0

    def breathe(self) -> None:
        if self.breaths == self.at:
            self.at = None
            raise Death
        self.breaths += 1


class MortalStore(MemoryStore):
    """A store whose process may die before or after anything is written."""

    def __init__(self, clock: Clock, fate: Fate) -> None:
        super().__init__(clock)
        self.fate = fate

    async def append(self, wanted: Append) -> Outcome:
        self.fate.breathe()
        outcome = await super().append(wanted)
        self.fate.breathe()
        return outcome

    async def settle(self, due_id: Any) -> None:
        self.fate.breathe()
        await super().settle(due_id)
        self.fate.breathe()


class Provider:
    """A provider that does not know a message by its id when it comes twice: every call rings a telephone."""

    def __init__(self, fate: Fate | None = None) -> None:
        self.fate = fate or Fate()
        self.rung: list[tuple[NoticeId, str, str]] = []
        self.answer: Sent | TurnedDown | Exception = Sent()
        self.amnesia = False

    async def send(self, notice_id: NoticeId, to: str, text: str) -> Sent | TurnedDown:
        self.fate.breathe()
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Sent):
            self.rung.append((notice_id, to, text))
        self.fate.breathe()
        return self.answer

    async def look_up(self, notice_id: NoticeId) -> Sent | TurnedDown | CannotTell | None:
        self.fate.breathe()
        if self.amnesia:
            return CannotTell()
        return Sent() if any(known == notice_id for known, _, _ in self.rung) else None


class City:
    """Notice at work, step by step; `reborn` is the same city after its process has died."""

    def __init__(self, folder: Path, sms: Sms | None = None, fate: Fate | None = None, **settings: Any) -> None:
        self.clock, self.sms, self.bus, self.rows = Clock(), sms or MemorySms(), MemoryBus(), MemoryRows()
        self.store = MortalStore(self.clock, fate or Fate())
        self.vault = MemoryVault(
            FileMasterKey(folder / "master.key", randomness=secrets.token_bytes), secrets.token_bytes, self.clock
        )
        self.seconds = 0.0
        self._said: Counter[tuple[str, int]] = Counter()
        notebook = MemoryNotebook(self.rows)
        self.platform = Platform(
            settings=Settings(home=folder, _env_file=None, **settings),
            machine=self.clock,
            monotonic=lambda: self.seconds,
            randomness=secrets.token_bytes,
            city=CityTime(self.clock),
            telemetry=Telemetry(secrets.token_bytes),
            packs=load_packs(Path(__file__).parents[3] / "deploy"),
            vault=self.vault,
            bus=self.bus,
            fingerprint_key=b"k" * 32,
            store=lambda _: self.store,
            rows=lambda _: self.rows,
            notebook=lambda _: notebook,
        )
        self.reborn()

    def reborn(self) -> None:
        self.service = build(self.platform, self.sms)
        self.home = Household(self.platform, self.service)

    def forget_what_was_read(self) -> None:
        """Readers begin anew at the beginning of the log; what commands came to is still known."""
        notebook = MemoryNotebook(self.rows)
        object.__setattr__(self.platform, "notebook", lambda _: notebook)
        self.reborn()

    async def say(self, told: Contract, key: str = HOLDING) -> None:
        """A neighbour tells the city."""
        service = told.type_name().partition(".")[0]
        shard = shard_of(key)
        self._said[service, shard] += 1
        message = Message(
            id=f"{service}/{shard}/{self._said[service, shard]}",
            source=f"/services/{service}",
            type=told.type_name(),
            subject=key,
            version=1,
            time=MORNING,
            key=key,
            data=told.model_dump_json(),
        )
        await self.bus.publish(topic_of(service), [message])

    async def say_who_li_is(self, language: str = "zh", mobile: str = NUMBER) -> None:
        sealed = await self.vault.seal(LI, "mobile", mobile)
        await self.say(applied)
        await self.say(ContactGiven(person_id=LI, mobile=sealed.box, language=language, at=MORNING), key=LI)

    async def read(self) -> None:
        for reader in self.home.readers:
            while await reader.step():
                pass

    async def settle(self) -> None:
        """Read and work until nothing is left to do at this hour."""
        await self.read()
        while await self.home.timer.step():
            pass
        await self.read()

    async def pass_(self, time: timedelta) -> None:
        """Let the hours strike one after another."""
        end = self.clock.moment + time
        await self.settle()
        while (hour := await self.store.next_due()) is not None and hour <= end:
            self.clock.moment = max(self.clock.moment, hour)
            await self.settle()
        self.clock.moment = end

    async def notice(self, notice_id: str) -> Notice:
        state: Notice = (await self.service.desks["notice"].standing(notice_id)).state
        return state

    async def told(self) -> list[dict[str, Any]]:
        """What notice has told the city."""
        return [{"type": row.type, **json.loads(row.data)} for row in await self.store.outbox({}, 1000)]

    async def facts(self) -> list[str]:
        """All that is written down in the event store."""
        rows = [row for shard in range(64) for row in await self.store.log(shard, 0, 1000)]
        return [row.data + row.meta for row in rows]
