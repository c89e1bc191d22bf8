"""Base data that are wrong: an outlet asks, with the document that shows it, and the centre alone changes them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel import Due, Sealed
from libs.kernel.foureyes import NOBODY, HandUnnamed, SameHand
from libs.testing.conversation import given
from libs.testing.twopeople import ONE, OTHER
from services.identity.domain.commands import (
    AcceptCorrection,
    JudgeEntitlements,
    RefuseCorrection,
    RequestCorrection,
)
from services.identity.domain.correcting import CorrectionUnknown
from services.identity.domain.decider import PersonUnknown, due, person_desk
from services.identity.domain.documents import Kind
from services.identity.domain.events import ContactGiven, CorrectionRefused, CorrectionRequested, PersonCorrected
from services.identity.domain.state import Known
from services.identity.publishing import tell
from tests.services.identity.test_decider import CLOSED, LI, NOON, judged, lives_here, registered

LATER = NOON + timedelta(hours=2)
RIGHT = replace(CLOSED, name=Sealed(box="v1.k.right"), birth=Sealed(box="v1.k.day"))

request = RequestCorrection(
    person_id=LI, correction_id="C-1", document=Kind.ID_CARD, particulars=RIGHT, changes=("name", "birth"),
    proof="household_book", reference="H-7", outlet="zs-dinghai", by=ONE, at=NOON,
)  # fmt: skip
accept = AcceptCorrection(person_id=LI, correction_id="C-1", by=OTHER, at=LATER)
refuse = RefuseCorrection(person_id=LI, correction_id="C-1", reason="proof_insufficient", by=OTHER, at=LATER)
requested = CorrectionRequested(
    person_id=LI, correction_id="C-1", document=Kind.ID_CARD, particulars=RIGHT, changes=("name", "birth"),
    proof="household_book", reference="H-7", outlet="zs-dinghai", by=ONE, at=NOON,
)  # fmt: skip
corrected = PersonCorrected(
    person_id=LI, correction_id="C-1", document=Kind.ID_CARD, particulars=RIGHT, changes=("name", "birth"), at=LATER
)
refused = CorrectionRefused(person_id=LI, correction_id="C-1", reason="proof_insufficient", at=LATER)


@pytest.mark.requirement("R35")
def test_an_outlet_asks_and_nothing_changes_until_the_centre_has_looked() -> None:
    given(person_desk, registered).when(request).then(requested)
    person = person_desk.fold([registered, requested])
    assert isinstance(person, Known)
    assert person.particulars == CLOSED


@pytest.mark.requirement("R35")
def test_the_centre_accepts_and_what_follows_is_judged_anew() -> None:
    given(person_desk, registered, lives_here, judged, requested).when(accept).then(corrected)
    person = person_desk.fold([registered, lives_here, judged, requested, corrected])
    assert isinstance(person, Known)
    assert (person.particulars, person.corrections) == (RIGHT, ())
    assert list(due(corrected)) == [Due(LATER, JudgeEntitlements(person_id=LI, at=LATER))]
    assert person.turned_at(LATER) == LATER


@pytest.mark.requirement("R35")
def test_the_centre_refuses_with_a_reason() -> None:
    given(person_desk, registered, requested).when(refuse).then(refused)
    given(person_desk, registered, requested, refused).when(accept).then()


def test_whoever_asked_does_not_decide_and_nobody_does_without_a_name() -> None:
    given(person_desk, registered, requested).when(replace(accept, by=ONE)).refused(SameHand)
    given(person_desk, registered, requested).when(replace(refuse, by=ONE)).refused(SameHand)
    given(person_desk, registered).when(replace(request, by=NOBODY)).refused(HandUnnamed)


def test_said_twice_it_is_done_once_and_what_was_never_asked_is_unknown() -> None:
    given(person_desk, registered, requested).when(request).then()
    given(person_desk, registered, requested, corrected).when(request).then()
    given(person_desk, registered, requested, corrected).when(accept).then()
    given(person_desk, registered).when(accept).refused(CorrectionUnknown)
    given(person_desk).when(request).refused(PersonUnknown)


def test_what_is_right_already_needs_no_correction() -> None:
    given(person_desk, registered).when(replace(request, changes=())).then()


def test_where_messages_go_stays_as_it_is_meanwhile() -> None:
    moved = ContactGiven(person_id=LI, at=NOON, mobile=Sealed(box="v1.k.new"), language="zh")
    facts = person_desk.decide(accept, person_desk.fold([registered, requested, moved]))
    assert facts == [replace(corrected, particulars=replace(RIGHT, mobile=moved.mobile))]


def test_that_data_were_corrected_is_told_and_never_which_they_are() -> None:
    assert tell(requested) is None
    assert tell(refused) is None
    told = tell(corrected)
    assert told is not None
    assert told.model_dump(mode="json") == {
        "person_id": LI, "changes": ["name", "birth"], "birth": "v1.k.day", "at": "2026-10-08T06:00:00Z",
    }  # fmt: skip
