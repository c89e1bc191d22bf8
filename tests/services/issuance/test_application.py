"""A clerk takes a request in, asks for what is missing, or turns it down."""

from dataclasses import replace

import pytest

from libs.kernel import Due
from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.issuance.domain.application.commands import Command
from services.issuance.domain.application.counter import DocumentsMissing, GuardianNeeded
from services.issuance.domain.application.decider import (
    AlreadyDecided,
    ApplicationUnknown,
    SupplementPending,
    applications,
)
from services.issuance.domain.application.events import Agent, Event
from services.issuance.domain.application.state import Submitted
from tests.services.issuance.card_drawer import (
    LATER,
    TAKEN_IN,
    accept,
    accepted,
    ask_supplement,
    claim,
    no_answer,
    reject,
    rejected,
    shanghai,
    submit,
    submitted,
    supplement,
    supplement_asked,
    supplemented,
    withdraw,
    withdrawn,
)


def given(*facts: Event) -> Given:
    return given_at(applications, *facts)


def test_a_request_lies_at_the_outlet() -> None:
    given().when(submit).then(submitted)


def test_the_same_request_twice_is_one() -> None:
    for past in ((), (accepted,), (rejected,), (withdrawn,)):
        given(submitted, *past).when(submit).then()


def test_one_valid_document_is_enough_and_none_is_too_little() -> None:
    given().when(replace(submit, documents=("passport", "id_card"))).then(
        replace(submitted, documents=("passport", "id_card"))
    )
    given().when(replace(submit, documents=("passport",))).refused(DocumentsMissing)


def test_an_agent_shows_a_document_and_says_who_she_is() -> None:
    guardian = Agent(relation="guardian", document="id_card")
    given().when(replace(submit, agent=guardian)).then(replace(submitted, agent=guardian))
    for nobody in (Agent(relation="", document="id_card"), Agent(relation="guardian", document="")):
        given().when(replace(submit, agent=nobody)).refused(GuardianNeeded)


def test_an_accepted_request_has_its_promise_counted_once() -> None:
    given(submitted).when(accept).then(accepted)
    given(submitted, accepted).when(replace(accept, at=LATER)).then()


def test_an_accepted_request_claims_its_card_at_once() -> None:
    assert list(applications.due(accepted)) == [Due(TAKEN_IN, claim)]


def test_what_is_missing_is_asked_for_with_an_hour() -> None:
    given(submitted).when(ask_supplement).then(supplement_asked)
    given(submitted, supplement_asked).when(replace(ask_supplement, reason="signature")).then()
    assert list(applications.due(supplement_asked)) == [Due(shanghai(10, 1, 24), no_answer)]


def test_a_request_that_waits_for_the_applicant_is_not_accepted() -> None:
    given(submitted, supplement_asked).when(accept).refused(SupplementPending)


def test_what_was_missing_goes_to_the_papers() -> None:
    given(submitted, supplement_asked).when(supplement).then(supplemented)
    given(submitted, supplement_asked, supplemented).when(supplement).then()
    now = applications.fold([submitted, supplement_asked, supplemented])
    assert isinstance(now, Submitted)
    assert (now.paper.documents, now.paper.portrait) == (("id_card", "household_book"), "vault:2")


def test_a_supplement_without_a_portrait_keeps_the_old_one() -> None:
    now = applications.fold([submitted, supplement_asked, replace(supplemented, documents=("id_card",), portrait="")])
    assert isinstance(now, Submitted)
    assert (now.paper.documents, now.paper.portrait) == (("id_card",), "vault:1")


def test_a_request_without_an_answer_is_withdrawn_at_its_hour_however_late_the_timer() -> None:
    given(submitted, supplement_asked).when(no_answer).then(
        replace(withdrawn, reason="no answer in time", at=shanghai(10, 1, 24))
    )


def test_an_answer_in_time_stops_the_timer() -> None:
    for past in ((), (supplement_asked, supplemented), (accepted,), (supplement_asked, rejected)):
        given(submitted, *past).when(no_answer).then()
    given().when(no_answer).then()
    later = replace(supplement_asked, until=shanghai(11, 1, 24))
    given(submitted, supplement_asked, supplemented, later).when(no_answer).then()


def test_a_clerk_turns_a_request_down_once() -> None:
    for past in ((), (supplement_asked,)):
        given(submitted, *past).when(reject).then(rejected)
    given(submitted, rejected).when(replace(reject, reason="another")).then()


def test_an_applicant_takes_her_request_back_once() -> None:
    for past in ((), (supplement_asked,)):
        given(submitted, *past).when(withdraw).then(withdrawn)
    given(submitted, withdrawn).when(withdraw).then()


@pytest.mark.parametrize("command", [ask_supplement, supplement, accept, reject, withdraw])
def test_what_nobody_has_asked_for_is_not_decided(command: Command) -> None:
    given().when(command).refused(ApplicationUnknown)


@pytest.mark.parametrize(
    ("decided", "commands"),
    [
        (accepted, (ask_supplement, supplement, reject, withdraw)),
        (rejected, (ask_supplement, supplement, accept, withdraw)),
        (withdrawn, (ask_supplement, supplement, accept, reject)),
    ],
)
def test_what_is_decided_is_decided(decided: Event, commands: tuple[Command, ...]) -> None:
    for command in commands:
        given(submitted, decided).when(command).refused(AlreadyDecided)
