"""Planted bugs: each takes one guard away, at run time and in this process only, and the simulation must notice.

A checker that finds nothing proves nothing until it has found these.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager as Manager
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

from libs.eventsourcing.desk import Desk
from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import Append, Outcome
from libs.kernel import Outage
from libs.ledger.entry import Entry
from libs.ledger.memory import MemoryLedger
from libs.messaging.bus import Letter, topic_of
from libs.messaging.message import Message
from libs.messaging.notebook import Overtaken
from libs.messaging.reader import BATCH_MAX, Reader
from libs.messaging.relay import Relay
from libs.runtime.lease import MemoryLeases
from libs.runtime.service import Timer
from services.issuance.domain.holding import decider as holding
from services.issuance.domain.holding import events as cards
from services.issuance.domain.holding.state import Holding
from services.loss.domain import decider as loss
from services.loss.domain.events import LossLapsed, LossLifted
from services.loss.domain.state import Resting, Superseded
from services.notice.courier import Courier
from services.notice.domain.commands import BeginSending
from services.notice.domain.events import Letter as Note
from services.simulation.city import City, Plant, Run, simulate
from services.wallet.domain.purse import decider as purse
from services.wallet.domain.purse import state as purses

SEEDS_MAX = 60


@dataclass(frozen=True)
class Bug:
    """A guard that is taken away; `seeds_max` bounds the hunt."""

    name: str
    plant: Plant


def _patched(target: Any, name: str, with_: Any) -> Plant:
    return lambda _city: patch.object(target, name, with_)


# --- the store ---

_append, _find = MemoryStore.append, MemoryStore.find


async def _append_without_version_check(self: MemoryStore, wanted: Append) -> Outcome:
    await asyncio.sleep(0)
    return await _append_at_once(self, replace(wanted, expected=len(self._streams[wanted.stream])))


async def _append_at_once(self: MemoryStore, wanted: Append) -> Outcome:
    """The real one, with nobody let in between the look at the version and the append."""
    step = _append(self, wanted)
    step.send(None)
    try:
        step.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("an append in memory waits once")


async def _append_without_command_ids(self: MemoryStore, wanted: Append) -> Outcome:
    await asyncio.sleep(0)
    self._commands.pop(wanted.command_id, None)
    return await _append_at_once(self, wanted)


async def _find_nothing(_self: MemoryStore, _command_id: Any) -> None:
    await asyncio.sleep(0)


@contextmanager
def _without_command_ids(_city: City) -> Any:
    with (
        patch.object(MemoryStore, "append", _append_without_command_ids),
        patch.object(MemoryStore, "find", _find_nothing),
    ):
        yield


# --- the desk ---


async def _handle_from_stale_cache(self: Desk[Any], key: str, ask: Any, order: Any) -> Any:
    """A cached state may say no."""
    stream = self.aggregate.stream(key)
    if (known := self._cache.get(stream)) is not None and not order.remember_refusal:
        await self._decide(stream, key, known, ask, order)
    return await _handle(self, key, ask, order)


_handle = Desk.handle


# --- relay, reader, timer ---


async def _relay_marks_first(self: Relay) -> int:
    if self._marks is None:
        self._marks = await self._store.marks()
    rows = await self._store.outbox(self._marks, 1_000)
    if not rows:
        return 0
    reached = {row.shard: row.sequence for row in rows}
    moved = {shard: (self._marks.get(shard, 0), sequence) for shard, sequence in reached.items()}
    self._marks = {**self._marks, **reached} if await self._store.mark(moved) else None
    await self._bus.publish(topic_of(self._service), [Message.of(self._service, row) for row in rows])
    return len(rows)


_sorted = Reader._sorted


def _sorted_without_seen(self: Reader, letters: Sequence[Letter], memory: Any, here: Any) -> Any:
    """What comes twice is handled twice."""
    batch = _sorted(self, letters, memory, here)
    known = {id(letter) for work in batch.work.values() for letter in work} | {id(letter) for letter in batch.held}
    for letter in letters:
        if letter.message is not None and id(letter) not in known:
            service, shard, sequence = letter.message.place
            if sequence <= batch.seen.get((service, shard), memory.seen.get((service, shard), 0)):
                batch.work.setdefault(letter.message.key, []).append(letter)
    return batch


def _sorted_without_gaps(self: Reader, letters: Sequence[Letter], memory: Any, here: Any) -> Any:
    """What comes early is handled at once."""
    batch = type(_sorted(self, [], memory, here))()
    for letter in letters:
        assert letter.message is not None
        batch.positions[letter.slot] = (here[letter.slot], letter.offset + 1)
        service, shard, sequence = letter.message.place
        origin = (service, shard)
        if sequence > batch.seen.get(origin, memory.seen.get(origin, 0)):
            batch.work.setdefault(letter.message.key, []).append(letter)
            batch.seen[origin] = sequence
    return batch


async def _step_position_first(self: Reader) -> int:
    """The position moves, and then the reactions are given."""
    slots = await self._feed.slots()
    if self._memory is None or slots != self._slots:
        self._slots = slots
        self._memory = await self._notebook.load(self.name)
    memory = self._memory
    here = {slot: memory.positions.get(slot, 0) for slot in slots}
    letters = await self._feed.fetch(here, BATCH_MAX)
    if not letters:
        return 0
    batch = self._sorted(letters, memory, here)
    async with self._notebook.page(self.name) as page:
        await page.move(batch.positions, batch.seen)
        await self._write(page, batch)
        await page.hold(batch.held)
    self._remember(memory, batch)
    await asyncio.gather(*(self._handle(key, work, memory, batch) for key, work in batch.work.items()))
    return len(letters)


async def _keep_what_was_sorted(self: Reader) -> int:
    """After an error that is no outage, the reader goes on with what it had sorted for a page that was undone."""
    async with self._turn:
        try:
            return await self._step()
        except (Outage, Overtaken):
            self._memory = None
            raise


async def _everybody_holds(self: MemoryLeases, _what: str, _for_s: float) -> bool:
    await asyncio.sleep(0)
    return True


async def _settle_first(self: Timer, due: Any) -> bool:
    await self._store.settle(due.id)
    return await _settle(self, due)


_settle = Timer._settle


# --- the loss desk ---

_lapse, _lift = loss.lapse, loss.lift


def _lapse_at_the_timers_moment(city: City) -> Manager[Any]:
    def lapse(asked: Any, desk: Any) -> Any:
        return [replace(one, at=city.city.now()) if isinstance(one, LossLapsed) else one for one in _lapse(asked, desk)]

    return patch.object(loss, "lapse", lapse)


def _lapse_without_hour(asked: Any, desk: Any) -> Any:
    """Any hour that strikes wakes the card, whichever report it was set for."""
    match desk.card:
        case Resting(card_id=card_id) if card_id == asked.card_id:
            return [LossLapsed(holding_id=asked.holding_id, card_id=card_id, at=asked.lapses_at)]
    return []


def _lift_after_reissue(asked: Any, desk: Any) -> Any:
    match desk.card:
        case Superseded(card_id=card_id) if card_id == asked.card_id:
            outlet = asked.place.outlet
            return [LossLifted(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, outlet=outlet)]
    return _lift(asked, desk)


# --- the holding ---

_claim, _hand_over = holding.claim, holding.hand_over


def _claim_without_check(asked: Any, state: Holding) -> Any:
    """Whoever applies gets a card, whether or not she has one."""
    return _claim(asked, replace(state, lives=()))


def _two_facts(asked: Any, state: Holding) -> Any:
    """The new card works, and then the old one ends."""
    facts: list[Any] = []
    for fact in _hand_over(asked, state):
        if not isinstance(fact, cards.CardReplaced):
            facts.append(fact)
            continue
        names = ("holding_id", "person_id", "card_id", "programme", "valid_to", "at")
        facts.append(cards.CardActivated(**{name: getattr(fact, name) for name in names}))
        facts.append(
            cards.CardCancelled(
                holding_id=fact.holding_id, person_id=fact.person_id, card_id=fact.old_card_id, reason="replaced",
                at=fact.at,
            )
        )  # fmt: skip
    return facts


# --- the courier ---


async def _find_out_blindly(self: Courier, sending: Any, due: Any) -> None:
    """Nobody asks the provider what became of the first attempt."""
    await self._send(sending, due)


async def _send_before_recording(self: Courier, errand: Any, due: Any) -> None:
    contact = await self._contacts.of(errand.holding_id)
    if contact is None:
        await _set_out(self, errand, due)
        return
    language, text = self._texts.write(errand, contact.language, contact.programme)
    letter = Note(person_id=contact.person_id, to=contact.mobile, language=language, text=text)
    to = await self._contacts.number(letter)
    outcome = await self._sms.send(errand.notice_id, to or "", text)
    await self._record(
        errand.notice_id,
        due,
        lambda at: BeginSending(notice_id=errand.notice_id, letter=letter, run=due.id, at=at),
    )
    await self._close(errand.notice_id, outcome, due)


_set_out = Courier._set_out


# --- money ---


def _judge_references_alone(self: MemoryLedger, entries: Sequence[Entry], _at: Any) -> Any:
    """Whoever asks for money gets it, whether it is there or not."""
    return _judge(
        self, [replace(one, postings=tuple(replace(leg, guard=None) for leg in one.postings)) for one in entries], _at
    )


_judge = MemoryLedger._judge

BUGS = (
    Bug("the store does not check the version", _patched(MemoryStore, "append", _append_without_version_check)),
    Bug("command ids are forgotten", _without_command_ids),
    Bug("the desk says no from a stale cache", _patched(Desk, "handle", _handle_from_stale_cache)),
    Bug("the relay marks before it sends", _patched(Relay, "step", _relay_marks_first)),
    Bug("the reader forgets what it has seen", _patched(Reader, "_sorted", _sorted_without_seen)),
    Bug("the reader handles early letters at once", _patched(Reader, "_sorted", _sorted_without_gaps)),
    Bug("the position moves before reactions settle", _patched(Reader, "_step", _step_position_first)),
    Bug("the reader trusts what an undone page sorted", _patched(Reader, "step", _keep_what_was_sorted)),
    Bug("the timer strikes off before it acts", _patched(Timer, "_settle", _settle_first)),
    Bug("two processes may hold one lease", _patched(MemoryLeases, "take", _everybody_holds)),
    Bug("a report lapses at the timer's moment", _lapse_at_the_timers_moment),
    Bug("an earlier report's timer wakes the card", _patched(loss, "lapse", _lapse_without_hour)),
    Bug("a report is lifted after the reissue", _patched(loss, "lift", _lift_after_reissue)),
    Bug("a written report forgets what the call stopped", _patched(loss, "_standing_stops", lambda _desk: {})),
    Bug("a second application gets a second card", _patched(holding, "claim", _claim_without_check)),
    Bug("a replacement is two facts", _patched(holding, "hand_over", _two_facts)),
    Bug("the courier repeats blindly", _patched(Courier, "_find_out", _find_out_blindly)),
    Bug("the courier sends before it records", _patched(Courier, "_set_out", _send_before_recording)),
    Bug("the books look at references alone", _patched(MemoryLedger, "_judge", _judge_references_alone)),
    Bug("money stays stopped after its report", _patched(purse, "release", lambda _asked, _purse: [])),
    Bug(
        "an expired load is found on a chip that never had it", _patched(purses, "_not_disproved", lambda lost, _: lost)
    ),
)

POSTGRES = "tests/libs/eventsourcing/test_store_postgres.py"
ELSEWHERE = (
    ("the store appends without the shard's lock", POSTGRES, "test_without_the_locks_two_writers_of_a_shard_collide"),
    ("positions come from a sequence", POSTGRES, "test_the_proof_above_would_notice_a_skipped_commit"),
)


@dataclass(frozen=True)
class Caught:
    """Which seed caught a bug, how, and after how many steps in all; `run` is None for a survivor."""

    bug: Bug
    run: Run | None
    steps: int
    seconds: float


def hunt_one(bug: Bug, seeds: Sequence[int] = range(1, SEEDS_MAX + 1)) -> Caught:
    """Seed after seed, until one notices."""
    steps, began = 0, perf_counter()
    for seed in seeds:
        run = simulate(seed, bug.plant)
        steps += run.steps
        if run.violation:
            return Caught(bug, run, steps, perf_counter() - began)
    return Caught(bug, None, steps, perf_counter() - began)


def hunt(say: Callable[[str], None]) -> int:
    """Plant every bug and print what caught it; 1 if one survives."""
    say(f"{'planted bug':<48} {'caught by':<20} {'steps':>9} {'s':>6}  as")
    survivors = 0
    for bug in BUGS:
        caught = hunt_one(bug)
        by = f"simulation, seed {caught.run.seed}" if caught.run else "NOTHING"
        why = caught.run.violation[:110] if caught.run else f"{SEEDS_MAX} seeds went by"
        survivors += caught.run is None
        say(f"{bug.name:<48} {by:<20} {caught.steps:>9,} {caught.seconds:>6.1f}  {why}")
    for name, file, test in ELSEWHERE:
        began = perf_counter()
        passed = _passes(file, test)
        survivors += not passed
        by = "PostgreSQL test" if passed else "NOTHING"
        say(f"{name:<48} {by:<20} {'–':>9} {perf_counter() - began:>6.1f}  {test}")
    say(f"{len(BUGS) + len(ELSEWHERE)} planted, {survivors} survived")
    return 1 if survivors else 0


def _passes(file: str, test: str) -> bool:
    """Whether the test that plants this bug in PostgreSQL itself, and catches it there, passes."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{file}::{test}"]
    return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0
