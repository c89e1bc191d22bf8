"""What nobody thought of: laws that hold whatever is asked, in whatever order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Decider, Refused
from services.issuance.domain.application import commands as paper_commands
from services.issuance.domain.application.decider import applications
from services.issuance.domain.applying import Applying, Review, Way
from services.issuance.domain.collecting import Collecting
from services.issuance.domain.endorsement import Endorsing, Later
from services.issuance.domain.functions import Place
from services.issuance.domain.holding.commands import (
    CloseCase,
    Command,
    DestroyCard,
    EndorseCard,
    GiveWay,
    JoinHolding,
    LeaveHolding,
    MailCard,
    OpenFunction,
    PassHoldingOn,
    RemindHolder,
    RemindToEndorse,
    SendOn,
)
from services.issuance.domain.holding.decider import holdings
from services.issuance.domain.holding.events import CardReserved, Kind, SeatDeclined
from services.issuance.domain.holding.state import Holding
from services.issuance.publishing import tell_of_application, tell_of_holding
from tests.services.issuance.card_drawer import (
    BANK,
    BATCH,
    BY_THE_HOLDER,
    CARD,
    DRAWN,
    FETCHED,
    HALL,
    HOLDING,
    KEPT_UNTIL,
    LATER,
    LI,
    MADE,
    NEXT_BATCH,
    NEXT_CARD,
    OTHER_HOLDING,
    OURS,
    PAPER,
    SECOND,
    SECOND_PAPER,
    TAKEN_IN,
    VALID_TO,
    WANG,
    accept,
    activate,
    after_all,
    answer_review,
    ask_supplement,
    choose_way,
    claim,
    end_card,
    expire,
    give_up,
    hand_over,
    no_answer,
    note_arrival,
    note_produced,
    note_spoiled,
    note_verdict,
    obey,
    order_reissue,
    reject,
    replaced,
    review_late,
    shanghai,
    submit,
    supplement,
    take_seat,
    withdraw,
    withdraw_order,
)

REVIEWED = replace(OURS, applying=Applying(review=Review(authority="police", count=20, working_days=True)))
POSTED = replace(OURS, applying=Applying(ways=frozenset(Way), way_frozen=True))

STRICT = replace(
    OURS, collecting=Collecting(fingerprint=True, elsewhere=True, remind_days=(30,), destroyed_after_days=90)
)
remind_holder = RemindHolder(holding_id=HOLDING, card_id=CARD, at=LATER)
destroy_card = DestroyCard(holding_id=HOLDING, card_id=CARD, batch_id=BATCH, seat=1, at=LATER)
mail = MailCard(holding_id=HOLDING, card_id=CARD, outlet=HALL, tracking="EA123456789CN", at=FETCHED, under=STRICT)
send_on = SendOn(holding_id=HOLDING, card_id=CARD, outlet=HALL, to=BANK, at=FETCHED, under=STRICT)
close_case = CloseCase(holding_id=HOLDING, card_id=CARD, finding="injured_finger", at=FETCHED)
open_function = OpenFunction(
    holding_id=HOLDING, card_id=CARD, function="epurse", place=Place.WALLET, at=LATER, under=OURS
)
YEAR_FULL = shanghai(10, 9, 24, year=2027)
ENDORSED = replace(
    OURS,
    validity_years=1,
    endorsing=Endorsing(
        valid_years=1, window_months=1, late_days=30, later=Later.RESTART, by=frozenset({HALL}), remind_days=(7,)
    ),
)
endorse = EndorseCard(holding_id=HOLDING, card_id=CARD, outlet=HALL, reported_lost=False, at=YEAR_FULL, under=ENDORSED)
remind_to_endorse = RemindToEndorse(holding_id=HOLDING, card_id=CARD, valid_to=YEAR_FULL, at=LATER)
pass_on = PassHoldingOn(holding_id=HOLDING, person_id=WANG, programme="citizen-card", lead=OTHER_HOLDING, at=LATER)

moments = st.sampled_from([TAKEN_IN, DRAWN, MADE, FETCHED, LATER])
cards = st.sampled_from([CARD, NEXT_CARD])
papers = st.sampled_from([PAPER, SECOND_PAPER])
batches = {"batch_id": st.sampled_from([BATCH, NEXT_BATCH]), "seat": st.just(1)}
rules = st.sampled_from([OURS, BY_THE_HOLDER])


def some(command: Any, **other: Any) -> st.SearchStrategy[Any]:
    """This command at some moment."""
    return st.builds(replace, st.just(command), **{"at": moments} | other)


holding_commands: st.SearchStrategy[Command] = st.one_of(
    some(note_verdict, granted=st.booleans()),
    some(claim, application_id=papers, way=st.sampled_from(Way)),
    some(order_reissue, old_card_id=cards, kind=st.sampled_from([Kind.REISSUE, Kind.REPLACEMENT])),
    some(withdraw_order, application_id=papers),
    some(take_seat, **batches),
    some(note_produced, **batches),
    some(note_spoiled, **batches),
    some(note_arrival, outlet=st.sampled_from([HALL, BANK]), under=st.sampled_from([OURS, STRICT]), **batches),
    st.builds(replace, st.just(give_up), card_id=cards, kept_until=st.sampled_from([KEPT_UNTIL, FETCHED + SECOND])),
    some(hand_over, card_id=cards, outlet=st.sampled_from([HALL, BANK]), under=rules),
    some(hand_over, card_id=cards, under=st.just(STRICT), fingerprint=st.sampled_from(["", "match", "mismatch"])),
    some(mail, under=st.just(STRICT)),
    some(send_on, under=st.just(STRICT), to=st.sampled_from([HALL, BANK])),
    some(close_case),
    some(remind_holder, at=st.sampled_from([LATER, FETCHED])),
    some(destroy_card),
    some(open_function, card_id=cards, function=st.sampled_from(["epurse", "bank_debit", "medical", "flying"])),
    some(activate, card_id=cards, under=rules),
    some(end_card, card_id=cards),
    some(pass_on),
    some(pass_on, person_id=st.just(LI), lead=st.none()),
    some(JoinHolding(holding_id=HOLDING, other=OTHER_HOLDING, at=LATER)),
    some(LeaveHolding(holding_id=HOLDING, other=OTHER_HOLDING, at=LATER)),
    some(GiveWay(holding_id=HOLDING, at=LATER)),
    st.builds(
        replace,
        st.just(expire),
        card_id=cards,
        valid_to=st.sampled_from([VALID_TO, replaced.valid_to, YEAR_FULL]),
        under=st.just(ENDORSED),
    ),
    some(activate, card_id=cards, under=st.just(ENDORSED)),
    some(endorse, card_id=cards, at=st.sampled_from([LATER, YEAR_FULL - SECOND, YEAR_FULL + SECOND, VALID_TO])),
    some(remind_to_endorse, card_id=cards, at=st.sampled_from([LATER, YEAR_FULL - SECOND])),
)
FIRST: list[Command] = [note_verdict, claim, take_seat, note_produced, note_arrival, hand_over]
NEXT: list[Command] = [
    order_reissue,
    replace(take_seat, batch_id=NEXT_BATCH, at=LATER),
    replace(note_produced, batch_id=NEXT_BATCH, at=LATER),
    replace(note_arrival, batch_id=NEXT_BATCH, outlet=BANK, at=LATER),
    replace(hand_over, card_id=NEXT_CARD, outlet=BANK, at=LATER),
]
beginnings = st.integers(0, len(FIRST + NEXT)).map(lambda length: (FIRST + NEXT)[:length])
lives = st.tuples(beginnings, st.lists(holding_commands, max_size=10)).map(lambda parts: [*parts[0], *parts[1]])
paper_asks: st.SearchStrategy[paper_commands.Command] = st.one_of(
    *(some(command) for command in (submit, ask_supplement, supplement, accept, reject, withdraw)),
    some(accept, under=st.just(REVIEWED)),
    some(choose_way, way=st.sampled_from(Way), under=st.just(POSTED)),
    some(answer_review, verdict=st.sampled_from(["approve", "reject", "ask"])),
    st.just(no_answer),
    st.builds(replace, st.just(review_late), review_by=st.sampled_from([review_late.review_by, LATER])),
)


def obeyed(decider: Decider[Any, Any, Any], state: Any, command: Any) -> tuple[Any, Sequence[Any]]:
    try:
        facts = decider.decide(command, state)
    except Refused:
        return state, []
    return decider.fold(facts, state), facts


@for_all(lives, holding_commands)
def test_any_command_to_a_holding_may_be_said_twice(past: list[Command], command: Command) -> None:
    once = obey(holdings, after_all(holdings, past), command)
    again, facts = obeyed(holdings, once, command)
    assert again == once
    assert all(isinstance(fact, SeatDeclined) for fact in facts)  # The batch may not have heard the answer.


@for_all(st.lists(paper_asks), paper_asks)
def test_any_command_to_an_application_may_be_said_twice(past: list[Any], command: Any) -> None:
    once = obey(applications, after_all(applications, past), command)
    assert obeyed(applications, once, command) == (once, [])


@for_all(lives)
def test_facts_fold_to_where_the_holding_stands_and_can_all_be_told(past: list[Command]) -> None:
    holding, facts = holdings.initial, list[Any]()
    for command in past:
        holding, news = obeyed(holdings, holding, command)
        facts += news
    assert holdings.fold(facts) == holding
    for fact in facts:
        tell_of_holding(fact)
        assert all(due.at.tzinfo is not None for due in holdings.due(fact))
    reserved = [fact.card_id for fact in facts if isinstance(fact, CardReserved)]
    assert len(set(reserved)) == len(reserved) == holding.numbered


@for_all(st.lists(paper_asks))
def test_facts_fold_to_where_the_application_stands_and_can_all_be_told(past: list[Any]) -> None:
    application, facts = applications.initial, list[Any]()
    for command in past:
        application, news = obeyed(applications, application, command)
        facts += news
    assert applications.fold(facts) == application
    assert all(tell_of_application(fact) for fact in facts)


@for_all(lives)
def test_at_most_one_card_counts_and_what_has_ended_stays_ended(past: list[Command]) -> None:
    holding: Holding = holdings.initial
    for command in past:
        before, holding = holding, obey(holdings, holding, command)
        assert sum(life.ended_at is None for life in holding.lives) <= 1
        assert [life.card_id for life in holding.lives][: len(before.lives)] == [life.card_id for life in before.lives]
        for was, now in zip(before.lives, holding.lives, strict=False):
            assert was.ended_at is None or (was.ended_at, was.ending) == (now.ended_at, now.ending)
