"""Two pairs of eyes: a toy safe that one person wants to open and another must let them open."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Decider, FourEyes, Hand, ProposalId, Proposals, TwoPeople, command, event, state
from libs.kernel.foureyes import (
    NOBODY,
    HandUnnamed,
    ProposalLapsed,
    ProposalOvertaken,
    ProposalUnknown,
    SameHand,
    named,
)
from libs.testing.conversation import given
from libs.testing.twopeople import ONE, OTHER, Conversation, acts_done, by_one_hand

NOON = datetime(2026, 9, 28, 4, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, SECOND = ProposalId("first"), ProposalId("second")


@event
class OpeningProposed:
    proposal_id: ProposalId
    by: Hand
    until: datetime


@event
class SafeOpened:
    proposal_id: ProposalId
    eyes: FourEyes


@event
class LockChanged:
    pass


@command
class ProposeOpening:
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class Approve:
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class ChangeLock:
    pass


@state
class Safe:
    opened: int = 0
    proposals: Proposals[OpeningProposed] = Proposals()


Fact = OpeningProposed | SafeOpened | LockChanged


def decide(asked: ProposeOpening | Approve | ChangeLock, safe: Safe) -> Sequence[Fact]:
    match asked:
        case ProposeOpening():
            named(asked.by)
            if safe.proposals.known(asked.proposal_id) or safe.proposals.open(OpeningProposed, asked.at):
                return []
            return [OpeningProposed(proposal_id=asked.proposal_id, by=asked.by, until=asked.at + DAY)]
        case Approve():
            approved = safe.proposals.approved(asked.proposal_id, asked.by, asked.at)
            return [] if approved is None else [SafeOpened(proposal_id=approved[0].proposal_id, eyes=approved[1])]
        case ChangeLock():
            return [LockChanged()]


def evolve(safe: Safe, fact: Fact) -> Safe:
    match fact:
        case OpeningProposed():
            return replace(safe, proposals=safe.proposals.with_new(fact))
        case SafeOpened():
            return replace(safe, opened=safe.opened + 1, proposals=safe.proposals.when_done(fact.proposal_id))
        case LockChanged():
            return replace(safe, proposals=safe.proposals.when_changed())


safe = Decider(Safe(), decide, evolve)

propose = ProposeOpening(proposal_id=FIRST, by=ONE, at=NOON)
approve = Approve(proposal_id=FIRST, by=OTHER, at=NOON)
proposed = OpeningProposed(proposal_id=FIRST, by=ONE, until=NOON + DAY)
opened = SafeOpened(proposal_id=FIRST, eyes=FourEyes(proposed_by=ONE, approved_by=OTHER))


def test_one_proposes_and_another_approves() -> None:
    given(safe).when(propose).then(proposed)
    given(safe, proposed).when(approve).then(opened)


def test_the_same_person_is_refused() -> None:
    given(safe, proposed).when(replace(approve, by=ONE)).refused(SameHand)


def test_nobody_proposes_nothing_and_approves_nothing() -> None:
    given(safe).when(replace(propose, by=NOBODY)).refused(HandUnnamed)
    given(safe, proposed).when(replace(approve, by=NOBODY)).refused(HandUnnamed)


def test_what_was_not_proposed_is_not_approved() -> None:
    given(safe).when(approve).refused(ProposalUnknown)
    given(safe, proposed).when(replace(approve, proposal_id=SECOND)).refused(ProposalUnknown)


def test_a_proposal_stands_until_its_hour_and_no_longer() -> None:
    last = timedelta(milliseconds=1)
    given(safe, proposed).when(replace(approve, at=NOON + DAY - last)).then(opened)
    given(safe, proposed).when(replace(approve, at=NOON + DAY)).refused(ProposalLapsed)


def test_a_lapsed_proposal_makes_room_for_a_new_one_and_never_comes_back() -> None:
    anew = replace(proposed, proposal_id=SECOND, until=NOON + 2 * DAY)
    given(safe, proposed).when(replace(propose, proposal_id=SECOND, at=NOON + DAY)).then(anew)
    given(safe, proposed, anew).when(replace(approve, at=NOON + DAY)).refused(ProposalOvertaken)


def test_what_has_changed_since_must_be_looked_at_again() -> None:
    given(safe, proposed, LockChanged()).when(approve).refused(ProposalOvertaken)


def test_said_twice_is_done_once() -> None:
    given(safe, proposed).when(propose).then()
    given(safe, proposed).when(replace(propose, proposal_id=SECOND, by=OTHER)).then()
    given(safe, proposed, opened).when(approve).then()
    given(safe, proposed, opened).when(propose).then()


def test_whoever_looked_and_said_no_has_said_no() -> None:
    dropped = Proposals[OpeningProposed]().with_new(proposed).without(FIRST)
    with pytest.raises(ProposalOvertaken):
        dropped.approved(FIRST, OTHER, NOON)
    assert dropped.open(OpeningProposed, NOON) is None


def test_an_objection_ends_what_waits_and_comes_too_late_for_what_has_happened() -> None:
    nothing = Proposals[OpeningProposed]()
    waiting = nothing.with_new(proposed)
    assert waiting.objected(FIRST, OTHER) == waiting.objected(FIRST, ONE) == proposed
    assert waiting.without(FIRST).objected(FIRST, OTHER) is None
    with pytest.raises(ProposalOvertaken):
        waiting.when_done(FIRST).objected(FIRST, OTHER)
    with pytest.raises(ProposalUnknown):
        nothing.objected(FIRST, OTHER)
    with pytest.raises(HandUnnamed):
        waiting.objected(FIRST, NOBODY)


def test_only_the_kinds_that_are_named_are_overtaken() -> None:
    standing = Proposals[OpeningProposed]().with_new(proposed)
    assert standing.when_changed(OpeningProposed).open(OpeningProposed, NOON) is None
    assert Proposals[OpeningProposed]().when_changed() == Proposals[OpeningProposed]()


@pytest.mark.parametrize(("one", "other"), [(ONE, ONE), (ONE, NOBODY), (NOBODY, ONE), (NOBODY, NOBODY)])
def test_four_eyes_are_not_to_be_had_from_one_person(one: Hand, other: Hand) -> None:
    with pytest.raises(ValueError, match="two people"):
        FourEyes(proposed_by=one, approved_by=other)


DECLARED = TwoPeople(act="open the safe", decider=safe, facts=(SafeOpened,))
CONVERSATION = Conversation(
    act="open the safe",
    given=(),
    said=(propose, approve),
    also=(ChangeLock(), replace(propose, proposal_id=SECOND), replace(approve, proposal_id=SECOND)),
)


@for_all(by_one_hand(CONVERSATION, ONE))
def test_one_person_alone_never_opens_it(said: list[object]) -> None:
    assert not list(acts_done(DECLARED, CONVERSATION, said))


@for_all(st.just(CONVERSATION.said))
def test_two_people_open_it(said: Sequence[object]) -> None:
    assert [fact for _, fact in acts_done(DECLARED, CONVERSATION, said)] == [opened]


def test_a_safe_that_forgets_to_ask_twice_is_found_out() -> None:
    """The search itself can fail: it finds the decider that takes the first word for the second."""

    def careless(asked: ProposeOpening | Approve | ChangeLock, standing: Safe) -> Sequence[Fact]:
        if isinstance(asked, Approve):
            return [SafeOpened(proposal_id=asked.proposal_id, eyes=FourEyes(proposed_by=ONE, approved_by=OTHER))]
        return decide(asked, standing)

    found = TwoPeople(act="open the safe", decider=Decider(Safe(), careless, evolve), facts=(SafeOpened,))
    assert list(acts_done(found, CONVERSATION, [replace(approve, by=ONE)]))
