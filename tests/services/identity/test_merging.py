"""Two entries of the register are found to be one person: proposed by one, approved by another, and taken back so."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Due, Refused
from libs.kernel.foureyes import FourEyes, ProposalId, ProposalLapsed, ProposalOvertaken, SameHand
from libs.kernel.ids import derived
from libs.testing.conversation import given
from libs.testing.twopeople import ONE, OTHER
from services.identity.domain.commands import (
    ApproveProposal,
    Command,
    DeclineProposal,
    ErasePerson,
    JudgeEntitlements,
    ProposeMerge,
    ProposeParting,
    Release,
    StayAsYouWere,
    TakeIn,
)
from services.identity.domain.decider import DataErased, PersonUnknown, due, person_desk
from services.identity.domain.events import (
    EntitlementJudged,
    MergeFailed,
    MergeProposed,
    NobodyTakenIn,
    PartingProposed,
    PersonErased,
    PersonMerged,
    PersonParted,
    PersonReleased,
    PersonTakenIn,
    ProposalDeclined,
    TakenIn,
)
from services.identity.domain.merging import PROPOSALS_STAND_FOR, MergedAway, NotMerged, SurvivorUnfit, TwoCards
from services.identity.domain.state import Known, Merged, Person
from services.identity.publishing import tell
from services.ids import holding_id, person_id
from tests.services.identity.test_decider import (
    LI,
    NOON,
    TOMORROW_0H,
    a_fact,
    a_judgement,
    a_look,
    a_registration,
    an_erasure,
    granted,
    judged,
    lives_here,
    registered,
    stated,
)

XU = person_id("330900", derived("Li, once more"))
MERGING, PARTING = ProposalId("merging"), ProposalId("parting")
LATER = NOON + timedelta(hours=2)
SEEN = FourEyes(proposed_by=ONE, approved_by=OTHER)

propose = ProposeMerge(
    person_id=LI, into=XU, reason="registered_twice", reference="F-1", proposal_id=MERGING, by=ONE, at=NOON,
    into_stands=True,
)  # fmt: skip
approve = ApproveProposal(person_id=LI, proposal_id=MERGING, by=OTHER, at=LATER, into_stands=True)
propose_parting = ProposeParting(
    person_id=LI, reason="two_persons", reference="F-2", proposal_id=PARTING, by=ONE, at=LATER, into_stands=True
)
approve_parting = replace(approve, proposal_id=PARTING)
decline = DeclineProposal(person_id=LI, proposal_id=MERGING, by=OTHER, at=LATER)

proposed = MergeProposed(
    person_id=LI, into=XU, reason="registered_twice", reference="F-1", proposal_id=MERGING, by=ONE,
    until=NOON + PROPOSALS_STAND_FOR, at=NOON,
)  # fmt: skip
brings = TakenIn(entries=(LI,), statements=(lives_here.statement,))
merged = PersonMerged(person_id=LI, into=XU, brings=brings, proposal_id=MERGING, eyes=SEEN, at=LATER)
parting_proposed = PartingProposed(
    person_id=LI, reason="two_persons", reference="F-2", proposal_id=PARTING, by=ONE,
    until=LATER + PROPOSALS_STAND_FOR, at=LATER,
)  # fmt: skip
parted = PersonParted(person_id=LI, into=XU, proposal_id=PARTING, eyes=SEEN, at=LATER)
BEFORE = (registered, lives_here, judged)
MERGED = (*BEFORE, proposed, merged)

take_in = TakeIn(person_id=XU, merged=LI, brings=brings, eyes=SEEN, at=LATER, verdicts=(granted,))
xu = replace(registered, person_id=XU)
taken_in = PersonTakenIn(person_id=XU, brings=brings, programmes=("citizen-card",), eyes=SEEN, at=LATER)
judged_for_both = EntitlementJudged(person_id=XU, at=LATER, verdict=granted, also=(LI,))
release = Release(person_id=XU, parted=LI, at=LATER, verdicts=(granted,))


@pytest.mark.requirement("R169")
def test_one_proposes_and_another_merges() -> None:
    given(person_desk, *BEFORE).when(propose).then(proposed)
    given(person_desk, *BEFORE, proposed).when(approve).then(merged)


@pytest.mark.requirement("R169")
def test_whoever_proposed_it_cannot_approve_it() -> None:
    given(person_desk, *BEFORE, proposed).when(replace(approve, by=ONE)).refused(SameHand)


def test_said_twice_it_is_done_once() -> None:
    given(person_desk, *BEFORE, proposed).when(propose).then()
    given(person_desk, *MERGED).when(approve).then()
    given(person_desk, *MERGED).when(propose).then()


def test_a_proposal_lapses_and_can_be_declined_by_either() -> None:
    given(person_desk, *BEFORE, proposed).when(replace(approve, at=proposed.until)).refused(ProposalLapsed)
    no = ProposalDeclined(person_id=LI, proposal_id=MERGING, by=OTHER, at=LATER)
    given(person_desk, *BEFORE, proposed).when(decline).then(no)
    given(person_desk, *BEFORE, proposed, no).when(approve).refused(ProposalOvertaken)


def test_two_cards_of_one_product_stand_against_a_merge_and_both_are_named() -> None:
    cards = (f"{holding_id(LI, 'citizen-card')}.1", f"{holding_id(XU, 'citizen-card')}.1")
    given(person_desk, *BEFORE).when(replace(propose, clash=cards)).refused(TwoCards)
    with pytest.raises(TwoCards, match=f"{cards[0]} and {cards[1]}"):
        person_desk.decide(replace(approve, clash=cards), person_desk.fold([*BEFORE, proposed]))


def test_whoever_is_to_remain_must_be_there() -> None:
    given(person_desk, *BEFORE).when(replace(propose, into_stands=False)).refused(SurvivorUnfit)
    given(person_desk, *BEFORE, proposed).when(replace(approve, into_stands=False)).refused(SurvivorUnfit)
    given(person_desk).when(propose).refused(PersonUnknown)


def test_whoever_asks_for_the_merged_entry_is_told_where_it_went() -> None:
    for command in (a_fact, a_look, an_erasure, replace(propose, into=person_id("330900", derived("a third")))):
        given(person_desk, *MERGED).when(command).refused(MergedAway)
    with pytest.raises(MergedAway, match=XU):
        person_desk.decide(a_fact, person_desk.fold(MERGED))


def test_her_old_document_still_leads_to_her_and_nothing_is_judged_there_any_more() -> None:
    given(person_desk, *MERGED).when(a_registration).then()
    given(person_desk, *MERGED).when(a_judgement).then()


def test_the_city_itself_tells_the_entry_that_remains() -> None:
    assert list(due(merged)) == [Due(LATER, replace(take_in, verdicts=()))]
    given(person_desk, xu).when(take_in).then(taken_in, judged_for_both)
    given(person_desk, xu, taken_in, judged_for_both).when(take_in).then()


def test_what_was_said_of_the_merged_entry_counts_for_the_one_that_remains() -> None:
    person = person_desk.fold([xu, taken_in])
    assert isinstance(person, Known)
    assert person.holding(LATER) == (lives_here.statement,)
    assert person.also == (LI,)


def test_of_two_words_of_one_department_the_later_counts() -> None:
    ended = replace(stated(ended=True, stated_at=LATER), person_id=XU)
    person = person_desk.fold([xu, ended, taken_in])
    assert isinstance(person, Known)
    assert person.said == (ended.statement,)
    assert person.holding(LATER) == ()


def test_hours_at_which_her_facts_turn_are_kept() -> None:
    soon = replace(brings, statements=(stated(valid_to=NOON.date()).statement,))
    assert list(due(replace(taken_in, brings=soon))) == [
        Due(TOMORROW_0H, JudgeEntitlements(person_id=XU, at=TOMORROW_0H))
    ]


def test_if_nobody_is_there_to_take_her_in_she_stays_as_she_was() -> None:
    erased = replace(registered, person_id=XU), PersonErased(person_id=XU, at=NOON, reason="own_request")
    nobody = NobodyTakenIn(person_id=XU, merged=LI, at=LATER)
    given(person_desk, *erased).when(take_in).then(nobody)
    assert list(due(nobody)) == [Due(LATER, StayAsYouWere(person_id=LI, into=XU, at=LATER))]
    failed = MergeFailed(person_id=LI, into=XU, at=LATER)
    given(person_desk, *MERGED).when(StayAsYouWere(person_id=LI, into=XU, at=LATER)).then(failed)
    assert isinstance(person_desk.fold([*MERGED, failed]), Known)


def test_two_merges_in_opposite_directions_in_one_moment_leave_both_as_they_were() -> None:
    gone = person_desk.fold([xu, replace(merged, person_id=XU, into=LI, brings=TakenIn(entries=(XU,), statements=()))])
    assert isinstance(gone, Merged)
    assert person_desk.decide(take_in, gone) == [NobodyTakenIn(person_id=XU, merged=LI, at=LATER)]


@pytest.mark.requirement("R169")
def test_a_merge_is_taken_back_by_two_and_all_stands_as_it_stood() -> None:
    given(person_desk, *BEFORE).when(propose_parting).refused(NotMerged)
    given(person_desk, *MERGED).when(propose_parting).then(parting_proposed)
    given(person_desk, *MERGED, parting_proposed).when(replace(approve_parting, by=ONE)).refused(SameHand)
    given(person_desk, *MERGED, parting_proposed).when(approve_parting).then(parted)
    person = person_desk.fold([*MERGED, parting_proposed, parted])
    assert isinstance(person, Known)
    assert person.statements == (lives_here.statement,)
    assert list(due(parted)) == [
        Due(LATER, Release(person_id=XU, parted=LI, at=LATER)),
        Due(LATER, JudgeEntitlements(person_id=LI, at=LATER)),
    ]


def test_what_she_had_brought_counts_no_more_and_verdicts_are_told_anew() -> None:
    released = PersonReleased(person_id=XU, entries=(LI,), programmes=("citizen-card",), at=LATER)
    given(person_desk, xu, taken_in, judged_for_both).when(release).then(released, replace(judged_for_both, also=()))
    person = person_desk.fold([xu, taken_in, released])
    assert isinstance(person, Known)
    assert person.said == ()
    given(person_desk, xu, taken_in, released).when(release).then()


def test_whoever_erases_the_person_erases_every_entry() -> None:
    erased = PersonErased(person_id=XU, at=NOON, reason="own_request", also=(LI,))
    given(person_desk, xu, taken_in).when(replace(an_erasure, person_id=XU)).then(erased)
    gone = ErasePerson(person_id=LI, at=NOON, reason="own_request", with_=XU)
    assert gone in [one.command for one in due(erased)]
    given(person_desk, *MERGED).when(gone).then(PersonErased(person_id=LI, at=NOON, reason="own_request"))
    given(person_desk, registered, PersonErased(person_id=LI, at=NOON, reason="death")).when(propose).refused(
        DataErased
    )


def test_the_city_is_told_by_the_entry_that_remains() -> None:
    assert tell(merged) is None
    told = tell(taken_in)
    assert told is not None
    assert told.model_dump(mode="json") == {
        "person_id": XU, "merged": [LI], "programmes": ["citizen-card"], "at": "2026-10-08T06:00:00Z",
    }  # fmt: skip
    verdict = tell(judged_for_both)
    assert verdict is not None
    assert verdict.model_dump()["also"] == [holding_id(LI, "citizen-card")]


commands: st.SearchStrategy[Command] = st.sampled_from(
    [
        a_registration,
        a_fact,
        a_judgement,
        propose,
        replace(propose, by=OTHER, proposal_id=ProposalId("another")),
        approve,
        replace(approve, by=ONE),
        decline,
        propose_parting,
        approve_parting,
        replace(take_in, person_id=LI, merged=XU, brings=TakenIn(entries=(XU,), statements=())),
        replace(release, person_id=LI, parted=XU),
        StayAsYouWere(person_id=LI, into=XU, at=LATER),
        an_erasure,
        replace(an_erasure, with_=XU),
    ]
)


def obey(person: Person, command: Command) -> Person:
    try:
        return person_desk.fold(person_desk.decide(command, person), person)
    except Refused:
        return person


@for_all(st.lists(commands, max_size=12), commands)
def test_any_command_may_be_said_twice(past: Sequence[Command], command: Command) -> None:
    person = reduce(obey, past, person_desk.initial)
    assert obey(obey(person, command), command) == obey(person, command)
