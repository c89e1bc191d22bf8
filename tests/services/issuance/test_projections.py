"""What issuance remembers for questions."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest

from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.readmodel import MemoryRows
from services.issuance.contracts import CardApproved
from services.issuance.domain.application import events as paper
from services.issuance.domain.holding.events import Kind
from services.issuance.domain.usability import Stop
from services.issuance.projections import IssuanceQuestions, progress, project, queue
from services.issuance.publishing import tell_of_application, tell_of_holding
from services.issuance.views import ADVICE, TimelineView
from services.loss.contracts import CardStopped, CardWoken, StoppedFunction, WokenFunction
from tests.services.issuance.card_drawer import (
    BANK,
    CARD,
    FETCHED,
    HALL,
    HOLDING,
    LATER,
    LI,
    NEXT_CARD,
    OTHER_HOLDING,
    PAPER,
    PROMISED,
    SECOND,
    SECOND_PAPER,
    TAKEN_IN,
    accepted,
    activated,
    approved,
    arrived,
    cancelled,
    declined,
    handed_over,
    ordered,
    produced,
    reissue_ordered,
    rejected,
    reserved,
    shanghai,
    spoiled,
    submitted,
    supplement_asked,
    supplemented,
    unclaimed,
    waiting,
    withdrawn,
)


class Memory:
    """Rows, and the questions put to them."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.ask = IssuanceQuestions(self.rows)
        self.version = 0

    def hear(self, *told: Any) -> None:
        """These facts of issuance, or messages of others, one after another."""
        for one in told:
            self.version += 1
            contract = one if isinstance(one, Contract) else told_of(one)
            service = contract.type_name().partition(".")[0]
            message = Message(
                id=f"{service}/7/{self.version}", source="", type=contract.type_name(), subject="",
                version=self.version, time=TAKEN_IN, key=HOLDING, data=contract.model_dump_json(),
                meta=json.dumps({"actor": "c-1", "channel": "counter"}),
            )  # fmt: skip
            self.rows.write(list(project(contract, message)))

    async def queued(self) -> Sequence[str]:
        return await self.ask.next_in_production("citizen-card", HALL, 10)


def told_of(fact: Any) -> Contract:
    contract = tell_of_application(fact) if isinstance(fact, get_args(paper.Event)) else tell_of_holding(fact)
    assert contract is not None
    return contract


def stopped(from_: datetime, until: datetime | None, *functions: str) -> CardStopped:
    return CardStopped(
        holding_id=HOLDING, card_id=CARD, at=from_, kind="pre_report" if until else "written_report", until=until,
        functions=[StoppedFunction(function=function, from_at=from_) for function in functions],
    )  # fmt: skip


def woken(at: datetime) -> CardWoken:
    return CardWoken(holding_id=HOLDING, card_id=CARD, at=at, why="lifted")


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def test_whoever_has_waited_longest_is_next(memory: Memory) -> None:
    later = CardApproved(
        holding_id=OTHER_HOLDING, person_id=LI, programme="citizen-card", outlet=HALL, kind="first", at=LATER
    )
    memory.hear(later, ordered)
    assert await memory.queued() == [HOLDING, OTHER_HOLDING]
    assert await memory.ask.next_in_production("citizen-card", HALL, 1) == [HOLDING]
    assert await memory.ask.next_in_production("citizen-card", BANK, 10) == []
    assert await memory.ask.next_in_production("another", HALL, 10) == []


async def test_an_order_that_waits_for_its_verdict_is_not_in_the_queue(memory: Memory) -> None:
    memory.hear(waiting)
    assert await memory.queued() == []
    memory.hear(approved)
    assert await memory.queued() == [HOLDING]


async def test_a_card_in_production_is_not_offered_again_until_it_is_spoiled(memory: Memory) -> None:
    memory.hear(ordered, reserved)
    assert await memory.queued() == []
    memory.hear(spoiled)
    assert await memory.queued() == [HOLDING]
    row = await memory.rows.one(queue, holding_id=HOLDING)
    assert row is not None
    assert row["since"] == TAKEN_IN


@pytest.mark.parametrize("end", [handed_over, unclaimed, declined, cancelled])
async def test_what_is_over_leaves_the_queue(memory: Memory, end: Any) -> None:
    memory.hear(ordered, end)
    assert await memory.rows.one(queue, holding_id=HOLDING) is None


async def test_a_second_application_does_not_take_the_first_one_out_of_the_queue(memory: Memory) -> None:
    memory.hear(ordered, replace(declined, application_id=SECOND_PAPER))
    assert await memory.queued() == [HOLDING]
    memory.hear(cancelled, replace(reissue_ordered, outlet=HALL), replace(declined, application_id=SECOND_PAPER))
    assert await memory.queued() == [HOLDING]
    memory.hear(replace(declined, kind=Kind.REISSUE, application_id=None, old_card_id=CARD))
    assert await memory.queued() == []


@pytest.mark.parametrize(
    ("fact", "status"),
    [
        (submitted, "submitted"),
        (supplement_asked, "supplement_needed"),
        (supplemented, "submitted"),
        (accepted, "accepted"),
        (rejected, "rejected"),
        (withdrawn, "withdrawn"),
        (waiting, "waiting_for_eligibility"),
        (ordered, "approved"),
        (approved, "approved"),
        (declined, "declined"),
        (reserved, "in_production"),
        (spoiled, "being_made_again"),
        (produced, "produced"),
        (arrived, "ready_for_collection"),
        (unclaimed, "unclaimed"),
        (handed_over, "collected"),
    ],
)
async def test_the_public_window_says_how_far_it_is(memory: Memory, fact: Any, status: str) -> None:
    memory.hear(submitted, fact)
    row = await memory.ask.progress_of("7QK2-9XWM-4T0R")
    assert row is not None
    assert (row["status"], row["since"], row["application_id"]) == (status, fact.at, PAPER)
    assert ADVICE[status]


async def test_the_promise_stays_and_a_wrong_receipt_is_told_nothing(memory: Memory) -> None:
    memory.hear(submitted, accepted, ordered, reserved)
    row = await memory.ask.progress_of("7QK2-9XWM-4T0R")
    assert row is not None
    assert (row["promised_by"], row["outlet"]) == (PROMISED, HALL)
    assert row["receipt_hash"] == hashlib.sha256(b"7QK2-9XWM-4T0R").hexdigest()
    assert await memory.ask.progress_of("7QK2-9XWM-4T0S") is None


async def test_a_reissue_has_no_application_and_no_progress(memory: Memory) -> None:
    memory.hear(reissue_ordered)
    assert memory.rows.tables.get(progress.name) is None


async def test_every_stop_of_every_report_is_remembered(memory: Memory) -> None:
    hour = shanghai(11, 9, 24)
    memory.hear(stopped(FETCHED, hour, "medical", "transit"), stopped(LATER, None, "medical"))
    assert {(one.function, one.from_, one.until) for one in await memory.ask.stops_of(CARD)} == {
        ("medical", FETCHED, LATER),  # What was said later is said instead.
        ("transit", FETCHED, hour),
        ("medical", LATER, None),
    }
    assert await memory.ask.stops_of(NEXT_CARD) == []


async def test_a_card_that_wakes_caps_its_stops_and_leaves_the_older_ones(memory: Memory) -> None:
    early = stopped(FETCHED, FETCHED + SECOND, "medical")
    memory.hear(early, stopped(LATER, None, "medical"), woken(LATER + SECOND))
    assert await memory.ask.stops_of(CARD) == [
        Stop(function="medical", from_=FETCHED, until=FETCHED + SECOND),
        Stop(function="medical", from_=LATER, until=LATER + SECOND),
    ]
    memory.hear(stopped(LATER + 2 * SECOND, None, "medical"))
    assert [one.until for one in await memory.ask.stops_of(CARD)] == [FETCHED + SECOND, LATER + SECOND, None]


async def test_hearing_a_message_again_changes_nothing(memory: Memory) -> None:
    memory.hear(submitted, ordered, reserved, stopped(LATER, None, "medical"))
    before = json.dumps(
        {name: [*map(str, rows.values())] for name, rows in memory.rows.tables.items() if name != "timeline"}
    )
    memory.version = 0
    memory.hear(submitted, ordered, reserved, stopped(LATER, None, "medical"))
    after = json.dumps(
        {name: [*map(str, rows.values())] for name, rows in memory.rows.tables.items() if name != "timeline"}
    )
    assert before == after
    assert len(await memory.ask.timeline_of(HOLDING)) == 4


async def test_the_timeline_has_everything_that_anybody_told_oldest_first(memory: Memory) -> None:
    memory.hear(stopped(LATER, None, "medical"), activated, submitted)
    shown = TimelineView.of(HOLDING, await memory.ask.timeline_of(HOLDING))
    assert [(entry.service, entry.what) for entry in shown.entries] == [
        ("issuance", "ApplicationSubmitted"),
        ("issuance", "CardActivated"),
        ("loss", "CardStopped"),
    ]
    assert [entry.at for entry in shown.entries] == [submitted.at, FETCHED, LATER]
    assert {(entry.actor, entry.channel) for entry in shown.entries} == {("c-1", "counter")}


async def test_the_timeline_names_no_person_and_no_receipt(memory: Memory) -> None:
    memory.hear(submitted, accepted, ordered, activated)
    for entry in TimelineView.of(HOLDING, await memory.ask.timeline_of(HOLDING)).entries:
        assert not {"person_id", "holding_id", "receipt_hash"} & set(entry.details)


async def test_a_function_wakes_alone_when_a_clock_of_its_own_strikes(memory: Memory) -> None:
    memory.hear(stopped(FETCHED, None, "medical", "bank_debit"))
    memory.hear(woken(LATER).model_copy(update={"functions": ["bank_debit"]}))
    stands = {one.function: one.until for one in await memory.ask.stops_of(CARD)}
    assert stands == {"medical": None, "bank_debit": LATER}


async def test_what_cools_works_again_only_when_it_has_cooled(memory: Memory) -> None:
    memory.hear(stopped(FETCHED, None, "medical", "epurse"))
    cools = WokenFunction(function="epurse", from_at=LATER + timedelta(days=7))
    memory.hear(woken(LATER).model_copy(update={"cooling": [cools]}))
    stops = await memory.ask.stops_of(CARD)
    assert any(one.covers("epurse", LATER) for one in stops)
    assert not any(one.covers("medical", LATER) or one.covers("epurse", cools.from_at) for one in stops)
