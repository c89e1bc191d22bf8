"""The city gives itself its own commands when their hour has come."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from fastapi import APIRouter

from libs.eventsourcing.desk import Aggregate
from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import DueCommand, NewDue
from libs.kernel import Clash, Decider, Outage, command, event, state
from libs.kernel.ids import derived
from libs.runtime.service import Desks, Service, Timer
from libs.testing.clocks import NOON, StandingClock
from libs.testing.store_contract import asked, named


@command
class Remind:
    """Remind somebody; `how` says how it goes."""

    who: str
    how: str


@command
class SendWord:
    """Carried out by a performer."""

    who: str
    how: str


@event
class Reminded:
    who: str
    at: datetime


@state
class Reminders:
    count: int = 0


class NotHome(Clash):
    """Nobody is at home."""


def decide(wanted: Remind | SendWord, _state: Reminders) -> Sequence[Reminded]:
    match wanted.how:
        case "bug":
            raise ZeroDivisionError("nobody thought of this")
        case "refused":
            raise NotHome
    return [Reminded(who=wanted.who, at=NOON)]


def evolve(reminders: Reminders, _fact: Reminded) -> Reminders:
    return replace(reminders, count=reminders.count + 1)


REMINDERS = Aggregate(
    category="reminder",
    decider=Decider(Reminders(), decide, evolve),
    commands=Remind | SendWord,
    facts=Reminded,
    key=lambda wanted: str(wanted.who),
    tell=lambda _: None,
)


class Courier:
    """Carries word into the world outside."""

    def __init__(self) -> None:
        self.carried: list[tuple[str, DueCommand]] = []
        self.faults: list[Exception] = []

    async def __call__(self, wanted: SendWord, due: DueCommand) -> None:
        if self.faults:
            raise self.faults.pop()
        self.carried.append((wanted.who, due))


@dataclass
class Town:
    """One service, its clocks and its timer."""

    city: StandingClock = field(default_factory=StandingClock)
    monotonic_s: float = 0.0
    courier: Courier = field(default_factory=Courier)

    def __post_init__(self) -> None:
        self.store = MemoryStore(StandingClock())
        self.desks = Desks([REMINDERS], self.store, self.city)
        self.service = Service(
            name="toy", desks=self.desks, router=APIRouter(), access="", tells=(), performers={SendWord: self.courier}
        )
        self.timer = self.another_timer()

    def another_timer(self) -> Timer:
        return Timer(self.service, self.city, lambda: self.monotonic_s)

    async def remember(self, who: str, at: datetime = NOON, how: str = "well", kind: type = Remind) -> None:
        """Something happened that sets the clock for this."""
        name, data = self.desks.codec.write(kind(who=who, how=how))
        due = NewDue(named(f"due {who}"), at, name, data)
        await self.store.append(asked(f"cause {who}", f"reminder-{who}", facts=0, dues=[due], trace=f"trace {who}"))

    async def reminded(self) -> list[str]:
        """Who was reminded, in order."""
        facts = [fact for shard in range(64) for fact in await self.store.log(shard, 0, 100)]
        return [fact.stream.removeprefix("reminder-") for fact in facts]


@pytest.fixture
def town() -> Town:
    return Town()


async def test_a_command_is_given_at_its_hour_and_not_before(town: Town) -> None:
    await town.remember("li", NOON + timedelta(hours=1))
    assert await town.timer.step() == 0
    town.city.move(timedelta(minutes=59, seconds=59))
    assert await town.timer.step() == 0
    town.city.move(timedelta(seconds=1))
    assert await town.timer.step() == 1
    assert await town.timer.step() == 0
    assert await town.reminded() == ["li"]


async def test_commands_of_one_stream_are_given_in_the_order_of_their_hours(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    handle = town.desks.handle

    async def note(wanted: Remind, given: object) -> object:
        order.append(wanted.who)
        return await handle(wanted, given)  # type: ignore[arg-type]

    monkeypatch.setattr(town.desks, "handle", note)
    for hour, who in ((3, "c"), (1, "a"), (2, "b")):
        await town.remember(who, NOON + timedelta(hours=hour))
    town.city.move(timedelta(hours=4))
    assert await town.timer.step() == 3
    assert order == ["a", "b", "c"]


async def test_the_city_signs_for_what_it_does(town: Town) -> None:
    await town.remember("li")
    await town.timer.step()
    [fact] = await town.store.read("reminder-li")
    assert '"actor": "city"' in fact.meta
    assert '"channel": "timer"' in fact.meta
    assert '"reason": "remind"' in fact.meta
    assert f'"causation": "due:{named("due li")}"' in fact.meta
    assert '"trace": "trace li"' in fact.meta


async def test_two_timers_that_hold_the_same_command_do_it_once(town: Town) -> None:
    await town.remember("li")
    due = await town.store.due(NOON, 10)
    other = town.another_timer()
    await town.timer.step()
    assert await other._settle(due[0])
    assert await town.reminded() == ["li"]


async def test_a_refusal_is_an_answer_and_settles_the_command(town: Town) -> None:
    await town.remember("li", how="refused")
    assert await town.timer.step() == 1
    assert await town.store.next_due() is None
    done = await town.store.find(named("due li"))
    assert done
    assert done.refusal == "not-home"


async def test_a_failing_command_is_tried_ever_more_rarely_and_others_do_not_wait(town: Town) -> None:
    await town.remember("bug", how="bug")
    await town.remember("li", NOON + timedelta(seconds=1))
    town.city.move(timedelta(hours=1))
    assert await town.timer.step() == 1
    assert await town.reminded() == ["li"]
    for attempt, pause_s in enumerate((0.1, 0.4, 1.6, 6.4, 25.6), 1):
        [due] = await town.store.due(town.city.now(), 10)
        assert (due.attempts, due.error) == (attempt, "ZeroDivisionError: nobody thought of this")
        town.monotonic_s += pause_s * 0.99
        await town.timer.step()
        assert (await town.store.due(town.city.now(), 10))[0].attempts == attempt
        town.monotonic_s += pause_s * 0.02
        await town.timer.step()
    assert await town.store.due(town.city.now(), 10) == []
    [parked] = await town.store.parked()
    assert parked.attempts == Timer.ATTEMPTS_MAX == 6


@pytest.mark.parametrize(
    "restarts", [pytest.param(False, id="the same timer goes on"), pytest.param(True, id="another one")]
)
async def test_a_parked_command_is_given_again_at_its_redrive(town: Town, restarts: bool) -> None:
    await town.remember("li", how="well", kind=SendWord)
    town.courier.faults = [ValueError("turned away")] * 6
    await _parked(town)
    assert await town.timer.step() == 0
    assert await town.store.redrive() == 1
    timer = town.another_timer() if restarts else town.timer
    assert await timer.step() == 1
    assert [who for who, _ in town.courier.carried] == ["li"]
    assert await town.store.parked() == []


async def _parked(town: Town) -> None:
    while not await town.store.parked():
        await town.timer.step()
        town.monotonic_s += 30


async def test_an_outage_counts_as_no_attempt(town: Town) -> None:
    await town.remember("li", kind=SendWord)
    town.courier.faults = [Outage("away")]
    with pytest.raises(Outage):
        await town.timer.step()
    [due] = await town.store.due(NOON, 10)
    assert due.attempts == 0
    assert await town.timer.step() == 1


async def test_what_reaches_into_the_world_goes_to_its_performer_and_not_to_the_desk(town: Town) -> None:
    await town.remember("li", kind=SendWord)
    assert await town.timer.step() == 1
    [(who, due)] = town.courier.carried
    assert (who, due.id, due.stream, due.trace) == ("li", named("due li"), "reminder-li", "trace li")
    assert await town.reminded() == []
    assert await town.store.next_due() is None


async def test_a_command_that_nobody_can_read_is_parked_like_any_other_failure(town: Town) -> None:
    due = NewDue(derived("alien"), NOON, "alien", "{}")
    await town.store.append(asked("alien", "reminder-x", facts=0, dues=[due]))
    await _parked(town)
    [parked] = await town.store.parked()
    assert parked.error == "UnknownName: alien"
