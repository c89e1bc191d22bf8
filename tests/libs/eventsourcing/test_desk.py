"""The desk's laws, on a purse that cannot be overdrawn."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.eventsourcing.desk import ATTEMPTS_MAX, Aggregate, BorrowedHand, Desk, KeyReused, Order, Receipt, StaleView
from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import Append, Conflict, Outcome, Recorded
from libs.kernel import Clash, Decider, Due, Forbidden, Hand, Outage, OutcomeUnknown, command, event, state
from libs.kernel.foureyes import NOBODY
from libs.messaging.contract import Contract
from libs.testing.clocks import NOON, StandingClock
from libs.testing.store_contract import named

# -- the toy: money in, money out


@event
class PaidIn:
    fen: int
    at: datetime


@event
class PaidOut:
    fen: int
    at: datetime


@command
class PayIn:
    fen: int
    at: datetime


@command
class SignedPayIn:
    fen: int
    at: datetime
    by: Hand


@command
class PayOut:
    fen: int
    at: datetime


@command
class CloseDay:
    at: datetime


@state
class Purse:
    fen: int = 0


class TooLittle(Clash):
    """There are only {fen} fen in this purse."""


class Paid(Contract, type="toy.Paid.v1"):
    fen: int


def decide(wanted: PayIn | SignedPayIn | PayOut | CloseDay, purse: Purse) -> Sequence[PaidIn | PaidOut]:
    match wanted:
        case PayIn(fen=0) | PayOut(fen=0) | CloseDay():
            return []
        case PayIn(fen=fen, at=at) | SignedPayIn(fen=fen, at=at):
            return [PaidIn(fen=fen, at=at)]
        case PayOut(fen=fen, at=at):
            if fen > purse.fen:
                raise TooLittle(fen=purse.fen)
            return [PaidOut(fen=fen, at=at)]


def evolve(purse: Purse, fact: PaidIn | PaidOut) -> Purse:
    return Purse(fen=purse.fen + (fact.fen if isinstance(fact, PaidIn) else -fact.fen))


def closes_in_the_evening(fact: PaidIn | PaidOut) -> list[Due]:
    return [Due(fact.at + timedelta(hours=8), CloseDay(at=fact.at))]


purses = Aggregate(
    category="purse",
    decider=Decider(Purse(), decide, evolve, closes_in_the_evening),
    commands=PayIn | SignedPayIn | PayOut | CloseDay,
    facts=PaidIn | PaidOut,
    key=lambda _: "p1",
    tell=lambda fact: Paid(fen=fact.fen) if isinstance(fact, PaidOut) else None,
    routing_key=lambda key: f"route {key}",
)


class WatchedStore(MemoryStore):
    """Notes every look, and lets a test step in before an append or after it."""

    def __init__(self) -> None:
        super().__init__(StandingClock())
        self.looks = 0
        self.before: list[Callable[[], Any]] = []
        self.after: list[Exception] = []

    async def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        self.looks += 1
        return await super().read(stream, after)

    async def append(self, wanted: Append) -> Outcome:
        if self.before and (meddling := self.before.pop(0)()):
            await meddling
        outcome = await super().append(wanted)
        if self.after:
            raise self.after.pop(0)
        return outcome


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def desk(store: WatchedStore, clock: StandingClock) -> Desk[Purse]:
    return Desk(purses, store, clock)


@pytest.fixture
def neighbour(store: WatchedStore, clock: StandingClock) -> Desk[Purse]:
    """The same desk in another process."""
    return Desk(purses, store, clock)


def order(name: object, **other: Any) -> Order:
    return Order(command_id=named(name), actor="li", channel="counter", **other)


async def pay_in(desk: Desk[Purse], fen: int, name: object, **other: Any) -> Receipt[Purse]:
    return await desk.handle("p1", lambda _purse, at: PayIn(fen=fen, at=at), order(name, **other))


async def pay_out(desk: Desk[Purse], fen: int, name: object, **other: Any) -> Receipt[Purse]:
    return await desk.handle("p1", lambda _purse, at: PayOut(fen=fen, at=at), order(name, **other))


# -- what is left behind


async def test_a_command_leaves_its_facts_its_messages_and_its_due_commands(
    desk: Desk[Purse], store: WatchedStore
) -> None:
    assert await pay_in(desk, 10, "in") == Receipt(Purse(fen=10), 1)
    assert await pay_out(desk, 4, "out", reason="lunch") == Receipt(Purse(fen=6), 2)
    [_, fact] = await store.read("purse-p1")
    assert (fact.name, fact.data) == ("paid-out", '{"fen":4,"at":"2026-10-08T04:00:00Z"}')
    assert fact.meta == '{"actor": "li", "channel": "counter", "reason": "lunch"}'
    [sent] = await store.outbox({}, 10)
    assert (sent.type, sent.data, sent.key, sent.version) == ("toy.Paid.v1", '{"fen":4}', "route p1", 2)
    dues = await store.due(NOON + timedelta(hours=8), 10)
    assert [(due.name, due.stream) for due in dues] == [("close-day", "purse-p1")] * 2


async def test_how_a_purse_stands_is_known_everywhere(desk: Desk[Purse], neighbour: Desk[Purse]) -> None:
    assert (await desk.standing("p1")).version == 0
    await pay_in(neighbour, 10, "in")
    standing = await desk.standing("p1")
    assert (standing.state, standing.version, standing.last_at) == (Purse(fen=10), 1, NOON)


# -- by whose hand


async def test_nobody_acts_by_another_s_hand(desk: Desk[Purse], store: WatchedStore) -> None:
    async def sign(by: str, name: str, **other: Any) -> Receipt[Purse]:
        return await desk.handle("p1", lambda _purse, at: SignedPayIn(fen=1, at=at, by=Hand(by)), order(name, **other))

    assert (await sign("li", "own", hand=Hand("li"))).state == Purse(fen=1)
    for name, hand in (("another's", Hand("wang")), ("nobody's", NOBODY)):
        with pytest.raises(BorrowedHand):
            await sign("li", name, hand=hand)
    assert len(await store.read("purse-p1")) == 1


# -- a cached state may only say yes


async def test_a_yes_from_memory_costs_no_look(desk: Desk[Purse], store: WatchedStore) -> None:
    await pay_in(desk, 10, "in")
    store.looks = 0
    await pay_out(desk, 4, "out")
    assert store.looks == 0


async def test_a_no_is_said_only_after_a_fresh_look(desk: Desk[Purse], neighbour: Desk[Purse]) -> None:
    await pay_in(desk, 10, "in")
    await pay_in(neighbour, 90, "more")
    assert await pay_out(desk, 100, "out") == Receipt(Purse(fen=0), 3)
    with pytest.raises(TooLittle, match="only 0 fen"):
        await pay_out(desk, 1, "out again")


async def test_nothing_is_called_done_already_without_a_fresh_look(desk: Desk[Purse], neighbour: Desk[Purse]) -> None:
    await pay_in(desk, 10, "in")

    def empty(purse: Purse, at: datetime) -> PayOut:
        return PayOut(fen=purse.fen, at=at)

    await desk.handle("p1", empty, order("empty"))
    await pay_in(neighbour, 5, "more")
    assert await desk.handle("p1", empty, order("empty again")) == Receipt(Purse(fen=0), 4)


async def test_a_caller_is_turned_away_only_after_a_fresh_look(desk: Desk[Purse], neighbour: Desk[Purse]) -> None:
    def only_the_rich(purse: Purse) -> None:
        if purse.fen < 50:
            raise Forbidden

    await pay_in(desk, 10, "in")
    with pytest.raises(Forbidden):
        await pay_out(desk, 1, "out", guard=only_the_rich)
    await pay_in(neighbour, 90, "more")
    assert await pay_out(desk, 1, "out", guard=only_the_rich) == Receipt(Purse(fen=99), 3)


async def test_after_a_conflict_the_question_is_asked_anew(
    desk: Desk[Purse], neighbour: Desk[Purse], store: WatchedStore
) -> None:
    asked: list[int] = []

    async def half(purse: Purse, at: datetime) -> PayOut:
        await asyncio.sleep(0)
        asked.append(purse.fen)
        return PayOut(fen=purse.fen // 2, at=at)

    await pay_in(desk, 10, "in")
    store.before = [lambda: pay_in(neighbour, 90, "more")]
    assert await desk.handle("p1", half, order("half")) == Receipt(Purse(fen=50), 3)
    assert asked == [10, 100]


async def test_a_command_that_no_longer_fits_after_a_conflict_is_refused(
    desk: Desk[Purse], neighbour: Desk[Purse], store: WatchedStore
) -> None:
    await pay_in(desk, 10, "in")
    store.before = [lambda: pay_out(neighbour, 10, "theirs")]
    with pytest.raises(TooLittle):
        await pay_out(desk, 10, "ours")
    assert len(await store.read("purse-p1")) == 2


async def test_conflicts_without_end_are_an_outage(
    desk: Desk[Purse], store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Append] = []

    async def somebody_else_was_faster(wanted: Append) -> Outcome:
        tries.append(wanted)
        return Conflict(wanted.expected + 1)

    monkeypatch.setattr(store, "append", somebody_else_was_faster)
    with pytest.raises(Outage) as outage:
        await pay_in(desk, 10, "in")
    assert outage.type is Outage
    assert len(tries) == ATTEMPTS_MAX


# -- the same command again


async def test_a_command_said_again_is_answered_from_the_state_right_after_it(
    desk: Desk[Purse], neighbour: Desk[Purse]
) -> None:
    await pay_in(desk, 10, "in")
    first = await pay_out(desk, 4, "out")
    await pay_out(desk, 6, "rest")  # Now it would be refused.
    for at in (desk, neighbour):
        assert await pay_out(at, 4, "out") == replace(first, replayed=True)
    assert (await desk.standing("p1")).version == 3


async def test_a_command_that_changed_nothing_is_answered_the_same_when_it_would_change_something(
    desk: Desk[Purse],
) -> None:
    assert await pay_in(desk, 0, "in") == Receipt(Purse(), 0)
    await pay_in(desk, 5, "more")
    assert await pay_in(desk, 99, "in") == Receipt(Purse(), 0, replayed=True)


async def test_a_command_that_a_guard_would_turn_away_by_now_is_answered_as_before(desk: Desk[Purse]) -> None:
    def only_the_poor(purse: Purse) -> None:
        if purse.fen:
            raise Forbidden

    first = await pay_in(desk, 10, "in", guard=only_the_poor)
    assert await pay_in(desk, 10, "in", guard=only_the_poor) == replace(first, replayed=True)
    with pytest.raises(Forbidden):
        await pay_in(desk, 10, "again", guard=only_the_poor)


async def test_another_request_under_the_same_key_is_refused(desk: Desk[Purse]) -> None:
    await pay_in(desk, 10, "in", fingerprint=b"ten")
    await pay_out(desk, 10, "out", fingerprint=b"ten")
    for asking in (pay_in(desk, 11, "in", fingerprint=b"eleven"), pay_out(desk, 10, "out", fingerprint=b"other")):
        with pytest.raises(KeyReused):
            await asking


async def test_a_key_used_for_another_record_is_refused(desk: Desk[Purse]) -> None:
    await pay_in(desk, 10, "in")
    with pytest.raises(KeyReused):
        await desk.handle("p2", lambda _, at: PayIn(fen=10, at=at), order("in"))
    assert (await desk.standing("p2")).version == 0


async def test_a_remembered_refusal_stays_the_answer(desk: Desk[Purse], store: WatchedStore) -> None:
    refused = await pay_out(desk, 5, "out", remember_refusal=True)
    assert refused == Receipt(Purse(), 0, refusal="too-little")
    await pay_in(desk, 10, "in")
    assert await pay_out(desk, 5, "out", remember_refusal=True) == replace(refused, replayed=True)
    assert len(await store.read("purse-p1")) == 1


async def test_a_refusal_that_nobody_remembers_may_turn_into_a_yes(desk: Desk[Purse]) -> None:
    with pytest.raises(TooLittle):
        await pay_out(desk, 5, "out")
    await pay_in(desk, 10, "in")
    assert await pay_out(desk, 5, "out") == Receipt(Purse(fen=5), 2)


# -- If-Match


async def test_who_decided_on_an_old_view_must_look_again(desk: Desk[Purse], neighbour: Desk[Purse]) -> None:
    await pay_in(desk, 10, "in", expected=0)
    await pay_in(neighbour, 10, "more", expected=1)
    with pytest.raises(StaleView, match="you saw version 1, it stands at 2"):
        await pay_out(desk, 1, "out", expected=1)
    assert (await pay_out(desk, 1, "out", expected=2)).version == 3


async def test_a_repeated_request_is_answered_though_its_view_is_old_by_now(desk: Desk[Purse]) -> None:
    first = await pay_in(desk, 10, "in", expected=0)
    await pay_in(desk, 10, "more", expected=1)
    assert await pay_in(desk, 10, "in", expected=0) == replace(first, replayed=True)


# -- time


async def test_effects_never_go_back_in_time(
    desk: Desk[Purse], neighbour: Desk[Purse], clock: StandingClock, store: WatchedStore
) -> None:
    await pay_in(desk, 10, "in")
    clock.move(timedelta(seconds=-5))
    await pay_in(neighbour, 10, "by a clock that is slow")
    clock.move(timedelta(seconds=6, microseconds=1999))
    await pay_in(desk, 10, "later")
    moments = [NOON, NOON, NOON + timedelta(seconds=1, milliseconds=1)]
    facts = await store.read("purse-p1")
    assert [fact.effective_at for fact in facts] == moments
    assert [desk._codec.read(fact.name, fact.data).at for fact in facts] == moments


# -- the store goes away


def there() -> None:
    """The store answers."""


def away() -> None:
    raise Outage("gone")


@pytest.mark.parametrize("attempts", [1, 3])
async def test_an_unknown_outcome_is_found_out_by_asking_again(
    desk: Desk[Purse], store: WatchedStore, attempts: int
) -> None:
    store.after = [OutcomeUnknown("gone") for _ in range(attempts)]
    receipt = await pay_in(desk, 10, "in")
    assert (receipt.state, receipt.version) == (Purse(fen=10), 1)
    assert len(await store.read("purse-p1")) == 1


async def test_a_withdrawal_of_the_last_fen_with_an_unknown_outcome_is_not_refused(
    desk: Desk[Purse], store: WatchedStore
) -> None:
    """Asked anew it would be refused, for it has happened."""
    await pay_in(desk, 10, "in")
    store.after = [OutcomeUnknown("gone")]
    assert await pay_out(desk, 10, "out") == Receipt(Purse(fen=0), 2, replayed=True)


async def test_an_outage_after_an_unknown_outcome_leaves_it_unknown(desk: Desk[Purse], store: WatchedStore) -> None:
    """A plain Outage would say that nothing was done."""
    store.after, store.before = [OutcomeUnknown("gone")], [there, away]
    with pytest.raises(OutcomeUnknown):
        await pay_in(desk, 10, "in")
    assert await pay_in(desk, 10, "in") == Receipt(Purse(fen=10), 1, replayed=True)


async def test_an_outcome_that_stays_unknown_is_reported_as_such(
    desk: Desk[Purse], store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.eventsourcing.desk.ATTEMPTS_MAX", 3)
    store.after = [OutcomeUnknown("gone") for _ in range(3)]
    with pytest.raises(OutcomeUnknown):
        await pay_in(desk, 10, "in")


async def test_an_outage_is_passed_on_and_nothing_has_happened(desk: Desk[Purse], store: WatchedStore) -> None:
    store.before = [away]
    with pytest.raises(Outage, match="gone"):
        await pay_in(desk, 10, "in")
    assert (await pay_in(desk, 10, "in")) == Receipt(Purse(fen=10), 1)


# -- anything at once


class Shuffled(MemoryStore):
    """A store whose calls take as long as the dice say, and whose answers are sometimes lost."""

    def __init__(self, dice: Sequence[int]) -> None:
        super().__init__(StandingClock())
        self._dice = list(dice)

    async def append(self, wanted: Append) -> Outcome:
        roll = await self._dawdle()
        outcome = await super().append(wanted)
        await self._dawdle()
        if roll == 5:
            raise OutcomeUnknown("the answer was lost")
        return outcome

    async def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        await self._dawdle()
        rows = await super().read(stream, after)
        await self._dawdle()
        return rows

    async def _dawdle(self) -> int:
        roll = self._dice.pop() if self._dice else 0
        for _ in range(roll):
            await asyncio.sleep(0)
        return roll


callers = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=12)


@settings(max_examples=150, deadline=None)
@given(callers=callers, dice=st.lists(st.integers(0, 5), max_size=60))
async def test_however_callers_interleave_each_command_is_done_exactly_once(
    callers: list[tuple[int, int]], dice: list[int]
) -> None:
    """Each caller chooses one of two processes and one of six commands; many choose the same."""
    store = Shuffled(dice)
    desks = [Desk(purses, store, StandingClock()) for _ in range(2)]
    await pay_in(desks[0], 1000, "opening")

    async def quickly(_pause_s: float) -> None:
        await asyncio.get_running_loop().create_task(_nothing())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("libs.eventsourcing.desk.asyncio", _Hasty(quickly))
        receipts = await asyncio.gather(*(pay_out(desks[who], 2**what, what) for who, what in callers))
    done = {what for _, what in callers}
    facts = [desks[0]._codec.read(row.name, row.data) for row in (await store.read("purse-p1"))[1:]]
    assert sorted(fact.fen for fact in facts) == sorted(2**what for what in done)
    for what in done:
        answers = {(r.state, r.version) for r, (_, said) in zip(receipts, callers, strict=True) if said == what}
        assert len(answers) == 1
    assert (await desks[1].standing("p1")).state == Purse(fen=1000 - sum(2**what for what in done))


async def _nothing() -> None:
    return


class _Hasty:
    """`asyncio`, but nobody sleeps."""

    def __init__(self, sleep: Callable[[float], Any]) -> None:
        self.sleep = sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


class TestMany:
    """Many at once, each judged alone."""

    async def test_many_are_decided_and_stored_as_they_would_be_one_by_one(
        self, desk: Desk[Purse], store: WatchedStore
    ) -> None:
        wishes = [(f"p{n}", lambda _now, at, n=n: PayIn(fen=n, at=at), _order(f"in {n}")) for n in range(1, 6)]
        assert await desk.handle_many(wishes) == [True] * 5
        assert [(await desk.standing(f"p{n}")).state.fen for n in range(1, 6)] == [1, 2, 3, 4, 5]
        assert len(await store.due(NOON + timedelta(days=1), 10)) == 5

    async def test_what_is_not_plain_sailing_is_left_for_its_own_turn(self, desk: Desk[Purse]) -> None:
        wishes = [
            ("p1", lambda _now, at: PayOut(fen=9, at=at), _order("too much")),
            ("p2", lambda _now, at: PayIn(fen=9, at=at), _order("first")),
            ("p2", lambda _now, at: PayIn(fen=9, at=at), _order("second of the same purse")),
            ("p3", lambda _now, at: PayIn(fen=0, at=at), _order("nothing")),
        ]
        assert await desk.handle_many(wishes) == [False, True, False, True]
        assert await desk.handle_many(wishes[1:2]) == [False], "said twice, done once"
        assert (await desk.standing("p2")).state.fen == 9

    async def test_somebody_who_was_faster_is_noticed(self, desk: Desk[Purse], store: WatchedStore) -> None:
        other = Desk(purses, store, StandingClock())

        async def meddle() -> None:
            await other.handle("p1", lambda _now, at: PayIn(fen=1, at=at), _order("meddler"))

        store.before = [meddle]
        wish = ("p1", lambda _now, at: PayIn(fen=5, at=at), _order("slow"))
        assert await desk.handle_many([wish]) == [False]
        assert (await desk.standing("p1")).state.fen == 1


def _order(name: str) -> Order:
    return Order(command_id=named(name), actor="test", channel="test")
