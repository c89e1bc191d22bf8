"""What every event store must pass; a subclass gives the fixture `store`, empty and of its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid5

import pytest

from libs.eventsourcing.store import (
    SHARDS,
    Append,
    Appended,
    Conflict,
    NewDue,
    NewFact,
    NewMessage,
    Outcome,
    Replayed,
    Store,
    shard_of,
)
from libs.eventsourcing.wholesale import append_many, read_many
from libs.testing.clocks import NOON

_SPACE = UUID("6e2b6d0a-2f5c-4a3e-9d53-0f6d5d8b7c11")

WRITTEN_AT = NOON + timedelta(seconds=7)
"""What the machine clock of the store under test says."""


def named(name: object) -> UUID:
    """An id by name: the same name, the same id."""
    return uuid5(_SPACE, str(name))


def key_in(shard: int, nth: int = 0) -> str:
    """The nth routing key (from 0) that falls into this shard."""
    fitting = (key for n in count() if shard_of(key := f"key{n}") == shard)
    for _ in range(nth):
        next(fitting)
    return next(fitting)


def asked(command: object, stream: str = "card-1", expected: int = 0, facts: int = 1, **other: Any) -> Append:
    """A command that leaves this many facts; it is routed by its stream unless told otherwise."""
    told = [NewFact("noted", f'{{"by":"{command}","nth":{nth}}}') for nth in range(facts)]
    parts: dict[str, Any] = {"routing_key": stream, "effective_at": NOON} | other
    return Append(command_id=named(command), stream=stream, expected=expected, facts=told, **parts)


def published(nth: int = 0, data: str = "{}", type_: str = "toy.Noted.v1") -> NewMessage:
    return NewMessage(nth, type_, data)


def due(name: object, at: datetime = NOON, data: str = "{}") -> NewDue:
    return NewDue(named(f"due {name}"), at, "remind", data)


async def stored(store: Store) -> tuple[int, int, int]:
    """How many facts, outbox rows and due commands there are."""
    facts = [await store.log(shard, 0, 10_000) for shard in range(SHARDS)]
    dues = await store.due(NOON + timedelta(days=10_000), 10_000)
    return sum(map(len, facts)), len(await store.outbox({}, 10_000)), len(dues)


class StoreContract:
    """Facts, outbox, due commands, command ids and marks, as `Store` promises them."""

    # -- appending and reading

    async def test_what_was_stored_is_read_back_whole(self, store: Store) -> None:
        wanted = asked("a", facts=2, routing_key=key_in(5), meta='{"actor":"李"}')
        assert await store.append(wanted) == Appended(2)
        first, second = await store.read("card-1")
        assert (first.stream, first.version, first.shard, first.position) == ("card-1", 1, 5, 1)
        assert (second.version, second.position) == (2, 2)
        assert [(fact.name, fact.data) for fact in (first, second)] == [(f.name, f.data) for f in wanted.facts]
        assert (second.meta, second.effective_at, second.recorded_at) == ('{"actor":"李"}', NOON, WRITTEN_AT)
        assert [*await store.log(5, 0, 10)] == [first, second]

    async def test_a_read_after_a_version_gives_what_came_later(self, store: Store) -> None:
        await store.append(asked("a", facts=3))
        assert [fact.version for fact in await store.read("card-1", after=1)] == [2, 3]
        assert not await store.read("card-1", after=3)
        assert not await store.read("card-2")

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_a_command_decided_on_another_version_is_a_conflict_and_leaves_nothing(
        self, store: Store, expected: int
    ) -> None:
        await store.append(asked("a", facts=2))
        wanted = asked("late", expected=expected, messages=[published()], dues=[due("late")])
        assert await store.append(wanted) == Conflict(2)
        assert await stored(store) == (2, 0, 0)
        assert await store.find(wanted.command_id) is None
        assert await store.append(replace(wanted, expected=2)) == Appended(3)

    async def test_facts_messages_dues_and_command_id_are_stored_together(self, store: Store) -> None:
        wanted = asked("a", facts=2, messages=[published(0), published(1)], dues=[due("a")], fingerprint=b"f")
        await store.append(wanted)
        assert await stored(store) == (2, 2, 1)
        assert await store.find(wanted.command_id) == Replayed(2, "card-1", b"f", "")

    async def test_a_command_that_changes_nothing_is_remembered(self, store: Store) -> None:
        await store.append(asked("a", facts=2))
        nothing = asked("b", expected=2, facts=0, fingerprint=b"f")
        assert await store.append(nothing) == Appended(2)
        assert await store.append(replace(nothing, facts=[NewFact("noted", "{}")])) == Replayed(2, "card-1", b"f")
        assert await stored(store) == (2, 0, 0)

    async def test_a_command_that_changes_nothing_conflicts_like_any_other(self, store: Store) -> None:
        await store.append(asked("a", facts=2))
        assert await store.append(asked("b", expected=1, facts=0)) == Conflict(2)

    async def test_a_remembered_refusal_is_the_answer_for_ever(self, store: Store) -> None:
        refused = asked("a", facts=0, refusal="card-unknown", fingerprint=b"f")
        assert await store.append(refused) == Appended(0)
        answer = Replayed(0, "card-1", b"f", "card-unknown")
        assert await store.append(asked("a", expected=7)) == answer
        assert await store.find(refused.command_id) == answer

    # -- the same command again

    async def test_a_command_said_twice_is_done_once_and_answered_the_same(self, store: Store) -> None:
        first = asked("a", facts=2, fingerprint=b"f", messages=[published()], dues=[due("a")])
        await store.append(first)
        await store.append(asked("b", expected=2))
        again = [first, replace(first, expected=3), replace(first, fingerprint=b"other"), asked("a", facts=9)]
        assert [await store.append(one) for one in again] == [Replayed(2, "card-1", b"f")] * 4
        assert await stored(store) == (3, 1, 1)

    @pytest.mark.parametrize("shards", [(0, 0), (0, 2), (0, 1)], ids=["same shard", "same lane", "other lane"])
    async def test_a_command_id_is_one_for_all_streams(self, store: Store, shards: tuple[int, int]) -> None:
        here, there = (asked("a", f"card-{nth}", routing_key=key_in(shards[nth], nth)) for nth in (0, 1))
        outcomes = [await store.append(replace(here, fingerprint=b"f")), await store.append(there)]
        assert outcomes == [Appended(1), Replayed(1, "card-0", b"f")]
        assert await stored(store) == (1, 0, 0)

    @pytest.mark.parametrize("shards", [(0, 0), (0, 2), (0, 1)], ids=["same shard", "same lane", "other lane"])
    async def test_a_command_id_used_for_two_streams_in_one_instant_is_done_once(
        self, store: Store, shards: tuple[int, int]
    ) -> None:
        for turn in range(10):
            wanted = [
                asked(turn, f"card-{turn}-{nth}", routing_key=key_in(shards[nth], nth), fingerprint=bytes([nth]))
                for nth in (0, 1)
            ]
            outcomes = await asyncio.gather(*map(store.append, wanted))
            winner = outcomes.index(Appended(1))
            assert outcomes[1 - winner] == Replayed(1, f"card-{turn}-{winner}", bytes([winner]))
            assert not await store.read(f"card-{turn}-{1 - winner}")

    # -- many at once

    async def test_two_commands_on_one_stream_in_one_instant_have_one_winner(self, store: Store) -> None:
        for turn in range(10):
            stream = f"card-{turn}"
            both = [store.append(asked(f"{turn} {who}", stream)) for who in ("left", "right")]
            assert sorted(await asyncio.gather(*both), key=repr) == [Appended(1), Conflict(1)]
            assert len(await store.read(stream)) == 1

    async def test_many_callers_are_all_answered_and_leave_no_gap(self, store: Store) -> None:
        """Three shards, a conflict and an empty command here and there."""

        def wanted(nth: int) -> Append:
            key = key_in(nth % 3)
            about = asked(nth, f"card-{nth}", routing_key=key, messages=[published(1), published(2)], facts=3)
            if nth % 8 == 3:
                return replace(about, expected=4)
            return replace(about, facts=[], messages=[]) if nth % 8 == 5 else about

        outcomes = await asyncio.gather(*(store.append(wanted(nth)) for nth in range(64)))

        def answer(nth: int) -> Outcome:
            return Conflict(0) if nth % 8 == 3 else Appended(0 if nth % 8 == 5 else 3)

        assert outcomes == [answer(nth) for nth in range(64)]
        rows = await store.outbox({}, 10_000)
        for shard in (0, 1, 2):
            facts = await store.log(shard, 0, 1000)
            assert [fact.position for fact in facts] == [*range(1, len(facts) + 1)]
            sequences = [row.sequence for row in rows if row.shard == shard]
            assert sequences == [*range(1, len(sequences) + 1)]
        assert await stored(store) == (48 * 3, 48 * 2, 0)

    # -- the log and the outbox

    async def test_a_shard_is_read_page_by_page(self, store: Store) -> None:
        await store.append(asked("a", "card-1", facts=3, routing_key=key_in(9)))
        await store.append(asked("b", "card-2", facts=2, routing_key=key_in(9)))
        await store.append(asked("c", "card-3", facts=1, routing_key=key_in(10)))
        assert [(fact.stream, fact.position) for fact in await store.log(9, 2, 2)] == [("card-1", 3), ("card-2", 4)]
        assert [fact.position for fact in await store.log(9, 4, 2)] == [5]
        assert not await store.log(9, 5, 2)

    async def test_an_outbox_row_says_all_that_a_message_needs(self, store: Store) -> None:
        key = key_in(63)
        await store.append(asked("a", facts=1, routing_key=key))
        messages = [published(1, '{"n":1}')]
        await store.append(asked("b", expected=1, facts=2, routing_key=key, messages=messages, meta='{"actor":"x"}'))
        [row] = await store.outbox({}, 10)
        assert (row.shard, row.sequence, row.stream, row.version) == (63, 1, "card-1", 3)
        assert (row.type, row.key, row.data) == ("toy.Noted.v1", key, '{"n":1}')
        assert (row.effective_at, row.meta) == (NOON, '{"actor":"x"}')

    async def test_the_outbox_is_read_from_each_shards_own_place(self, store: Store) -> None:
        for shard in (3, 4):
            four = [published(nth) for nth in range(4)]
            await store.append(asked(shard, f"card-{shard}", facts=4, routing_key=key_in(shard), messages=four))
        places = [(row.shard, row.sequence) for row in await store.outbox({3: 2}, 10)]
        assert [place for place in places if place[0] == 3] == [(3, 3), (3, 4)]
        assert [place for place in places if place[0] == 4] == [(4, 1), (4, 2), (4, 3), (4, 4)]
        assert len(await store.outbox({3: 2}, 5)) == 5

    async def test_of_types_that_nobody_asks_for_the_outbox_gives_the_last_row_of_a_shard(self, store: Store) -> None:
        told = [published(nth, type_=kind) for nth, kind in enumerate(("Noted", "Heard", "Noted", "Noted"))]
        for shard in (3, 4):
            await store.append(
                asked(shard, f"card-{shard}", facts=4, routing_key=key_in(shard), messages=told[: shard - 1])
            )
        rows = await store.outbox({}, 10, frozenset({"Heard"}))
        assert [(row.shard, row.sequence, row.type) for row in rows] == [
            (3, 2, "Heard"), (4, 2, "Heard"), (4, 3, "Noted")
        ]  # fmt: skip
        assert [row.data for row in rows] == [told[1].data, told[1].data, ""]
        assert not await store.outbox({3: 2, 4: 3}, 10, frozenset({"Heard"}))

    async def test_the_ends_name_the_last_row_of_every_shard(self, store: Store) -> None:
        await store.append(asked("a", facts=2, routing_key=key_in(7), messages=[published(0), published(1)]))
        assert await store.ends() == {shard: 2 if shard == 7 else 0 for shard in range(SHARDS)}

    # -- due commands

    async def test_of_each_shard_it_is_known_since_when_its_first_row_lies_there(self, store: Store) -> None:
        for nth in range(2):
            wanted = asked(nth, "card-1", expected=nth * 2, facts=2, routing_key=key_in(3), messages=[published(1)])
            await store.append(wanted)
        assert await store.heads({3: 0, 5: 0}) == {3: WRITTEN_AT}
        assert await store.heads({3: 1}) == {3: WRITTEN_AT}
        assert await store.heads({3: 2}) == {}

    async def test_due_commands_come_earliest_first_and_not_before_their_hour(self, store: Store) -> None:
        hours = {name: NOON + timedelta(hours=hour) for name, hour in (("c", 3), ("a", 1), ("b", 2))}
        for name, at in hours.items():
            await store.append(asked(name, f"card-{name}", facts=0, dues=[due(name, at)], trace=f"trace {name}"))
        assert await store.next_due() == hours["a"]
        assert not await store.due(hours["a"] - timedelta(milliseconds=1), 10)
        assert [one.id for one in await store.due(hours["b"], 10)] == [due("a").id, due("b").id]
        [first] = await store.due(hours["c"], 1)
        assert (first.id, first.at, first.name, first.data) == (due("a").id, hours["a"], "remind", "{}")
        assert (first.stream, first.trace, first.attempts, first.error) == ("card-a", "trace a", 0, "")

    async def test_a_settled_due_command_is_gone(self, store: Store) -> None:
        await self._remember(store, "a", "b")
        await store.settle(due("a").id)
        await store.settle(due("a").id)
        assert [one.id for one in await store.due(NOON, 10)] == [due("b").id]

    async def test_a_postponed_due_command_counts_its_failures(self, store: Store) -> None:
        await self._remember(store, "a")
        for error in ("first", "second"):
            await store.postpone(due("a").id, error, park=False)
        [one] = await store.due(NOON, 10)
        assert (one.attempts, one.error) == (2, "second")

    async def test_a_parked_due_command_waits_for_its_redrive(self, store: Store) -> None:
        await self._remember(store, "a", "b")
        for name in ("b", "a"):
            await store.postpone(due(name).id, f"{name} failed", park=True)
        assert not await store.due(NOON, 10)
        assert await store.next_due() is None
        assert [one.error for one in await store.parked()] == ["a failed", "b failed"]
        assert await store.redrive() == 2
        assert [one.attempts for one in await store.due(NOON + timedelta(days=1), 10)] == [0, 0]
        assert (await store.parked(), await store.redrive()) == ([], 0)

    async def test_a_due_command_may_be_settled_while_it_is_parked_and_fail_once_it_is_settled(
        self, store: Store
    ) -> None:
        """Two timers may hold the same due command: what the slower one says comes late and does no harm."""
        await self._remember(store, "a")
        await store.postpone(due("a").id, "failed", park=True)
        await store.settle(due("a").id)
        await store.postpone(due("a").id, "failed again", park=True)
        assert (await store.parked(), await store.redrive(), await store.next_due()) == ([], 0, None)

    @staticmethod
    async def _remember(store: Store, *names: str) -> None:
        for hour, name in enumerate(names):
            at = NOON - timedelta(hours=len(names) - hour)
            await store.append(asked(name, f"card-{name}", facts=0, dues=[due(name, at)]))

    # -- marks and bells

    async def test_marks_move_from_where_they_were_seen_or_not_at_all(self, store: Store) -> None:
        assert await store.marks() == dict.fromkeys(range(SHARDS), 0)
        assert await store.mark({1: (0, 5), 2: (0, 6)})
        assert not await store.mark({1: (0, 7), 3: (0, 7)})
        assert not await store.mark({3: (0, 7), 2: (5, 7)})
        assert await store.mark({2: (6, 8)})
        assert await store.marks() == dict.fromkeys(range(SHARDS), 0) | {1: 5, 2: 8}

    async def test_of_two_relays_that_move_the_same_marks_one_is_overtaken(self, store: Store) -> None:
        moved: Sequence[bool] = await asyncio.gather(store.mark({1: (0, 5), 2: (0, 5)}), store.mark({2: (0, 4)}))
        assert sorted(moved) == [False, True]
        assert (await store.marks())[1] == (5 if moved[0] else 0)

    async def test_an_append_wakes_whoever_waits_and_a_command_that_was_not_done_wakes_nobody(
        self, store: Store
    ) -> None:
        rung: list[str] = []
        store.on_append(lambda: rung.append("relay"))
        store.on_append(lambda: rung.append("timer"))
        await store.append(asked("a"))
        assert rung == ["relay", "timer"]
        await store.append(asked("a"))
        await store.append(asked("b", expected=5))
        assert rung == ["relay", "timer"]
        await store.redrive()
        assert rung == ["relay", "timer"] * 2

    # -- many at once

    async def test_many_at_once_are_each_judged_alone(self, store: Store) -> None:
        await store.append(asked("before", "card-1"))
        await store.append(asked("other", "card-2"))
        batch = [
            asked("before", "card-1"),
            asked("late", "card-2", expected=0),
            asked("next", "card-1b", facts=2, messages=[published(1)], dues=[due("next")]),
            asked("none", "card-3", facts=0, refusal="card-unknown"),
        ]
        outcomes = await append_many(store, batch)
        assert outcomes == [Replayed(1, "card-1"), Conflict(1), Appended(2), Appended(0)]
        assert [fact.version for fact in await store.read("card-1b")] == [1, 2]
        assert (await store.find(named("none"))) == Replayed(0, "card-3", refusal="card-unknown")
        assert [one.id for one in await store.due(NOON, 10)] == [due("next").id]

    async def test_many_at_once_leave_no_gap_in_any_shard_beside_single_ones(self, store: Store) -> None:
        together = [asked(f"t{n}", f"card-t{n}", facts=2, messages=[published(0), published(1)]) for n in range(200)]
        alone = [asked(f"a{n}", f"card-a{n}", messages=[published()]) for n in range(100)]
        halves = together[:100], together[100:]
        await asyncio.gather(*(append_many(store, half) for half in halves), *(store.append(one) for one in alone))
        facts = [await store.log(shard, 0, 1_000) for shard in range(SHARDS)]
        assert sum(map(len, facts)) == 500
        assert all([fact.position for fact in log] == list(range(1, len(log) + 1)) for log in facts)
        rows = await store.outbox({}, 1_000)
        for shard in range(SHARDS):
            mine = [row for row in rows if row.shard == shard]
            assert [row.sequence for row in mine] == list(range(1, len(mine) + 1))
            assert {row.version for row in mine} <= {1, 2}

    async def test_many_at_once_said_twice_are_done_once(self, store: Store) -> None:
        batch = [asked(f"c{n}", f"card-{n}") for n in range(50)]
        twice = await asyncio.gather(append_many(store, batch), append_many(store, batch))
        assert sorted(type(outcome).__name__ for outcomes in twice for outcome in outcomes) == (
            ["Appended"] * 50 + ["Replayed"] * 50
        )
        assert [len(facts) for facts in await read_many(store, [one.stream for one in batch])] == [1] * 50
