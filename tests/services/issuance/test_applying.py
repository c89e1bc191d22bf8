"""How a card is applied for, as each programme's own data have it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from libs.kernel import Due, Refused, Sealed
from libs.testing.conversation import given as given_at
from services.issuance.domain.application.commands import AcceptApplication, SubmitApplication
from services.issuance.domain.application.counter import (
    AGE_UNKNOWN,
    AgentNotTaken,
    ApplyThroughYourUnit,
    ChannelClosed,
    CommitmentMissing,
    CommitmentOutdated,
    DocumentsMissing,
    LegacyCardMissing,
    MinorNeedsGuardian,
    PortraitFromElsewhere,
    PortraitMissing,
    ProgrammeNotOpen,
    TemporaryCardUnavailable,
    WayNotOffered,
)
from services.issuance.domain.application.decider import DeliveryFrozen, NotUnderReview, applications
from services.issuance.domain.application.events import Agent, ApplicationSubmitted, Commitment, LegacyCard
from services.issuance.domain.application.state import Accepted, Rejected, Reviewing, Withdrawn
from services.issuance.domain.applying import Applying, Channel, Fee, Letter, PortraitRule, Review, ScalePhase, Way
from services.issuance.domain.bylaw import IssuanceBylaw, Promise, PromiseUnit
from services.issuance.domain.papers import NO_PHOTO, Needed, PapersMissing, Shown, Whose
from tests.services.issuance.card_drawer import (
    ASKED,
    BYLAWS,
    DRAWN,
    LATER,
    OURS,
    PROMISED,
    SECOND,
    TAKEN_IN,
    accept,
    accepted,
    answer_review,
    choose_way,
    claim,
    no_answer,
    review_late,
    review_overdue,
    review_passed,
    review_questioned,
    review_refused,
    shanghai,
    submit,
    submitted,
    supplement,
    withdraw,
    withdrawn,
)

HANGZHOU, WUXI = "330100", "320200"


def under(rules: Applying, **more: Any) -> IssuanceBylaw:
    return replace(OURS, applying=rules, **more)


def asked(rules: Applying, **said: Any) -> SubmitApplication:
    return replace(submit, under=under(rules), **said)


def refusal_of(command: SubmitApplication | AcceptApplication, *past: Any) -> str:
    with pytest.raises(Refused) as refused:
        applications.decide(command, applications.fold(past))
    return str(refused.value)


def taken(command: SubmitApplication) -> ApplicationSubmitted:
    (fact,) = applications.decide(command, applications.initial)
    assert isinstance(fact, ApplicationSubmitted)
    return fact


# --- the programme and the channel ---


@pytest.mark.requirement("R98", "R114")
def test_before_its_first_day_a_programme_names_that_day() -> None:
    rules = Applying(opens_on=date(2026, 9, 2))
    last = shanghai(9, 1, 24) - timedelta(milliseconds=1)
    assert "2026-09-02" in refusal_of(asked(rules, at=last))
    given_at(applications).when(asked(rules, at=last)).refused(ProgrammeNotOpen)
    assert taken(asked(rules, at=shanghai(9, 1, 24))).at == shanghai(9, 1, 24)


@pytest.mark.requirement("R98")
def test_hangzhou_tells_foreign_talents_that_their_card_begins_on_20_august_2018() -> None:
    with pytest.raises(ProgrammeNotOpen, match="2018-08-20"):
        BYLAWS.at(HANGZHOU, "foreign-talent-card", shanghai(8, 19, 23, year=2018))
    assert BYLAWS.at(HANGZHOU, "foreign-talent-card", shanghai(8, 20, 0, year=2018)).applying.open_on(
        shanghai(8, 20, 0, year=2018)
    )


@pytest.mark.requirement("R22", "R28")
def test_a_channel_that_a_programme_does_not_have_is_refused_with_those_that_it_has() -> None:
    rules = BYLAWS.at(HANGZHOU, "citizen-card", ASKED).applying
    assert {Channel.HALL, Channel.COMMUNITY, Channel.ONLINE, Channel.POLICE, Channel.UNIT} <= rules.channels
    halls = Applying(channels=frozenset({Channel.HALL, Channel.COMMUNITY}))
    assert taken(asked(halls, channel=Channel.COMMUNITY)).channel is Channel.COMMUNITY
    assert "community, hall" in refusal_of(asked(halls, channel=Channel.ONLINE))
    given_at(applications).when(asked(halls, channel=Channel.ONLINE)).refused(ChannelClosed)


@pytest.mark.requirement("R21", "R22")
def test_while_cards_come_to_scale_who_is_insured_through_a_unit_applies_through_it() -> None:
    phase = ScalePhase(begins=date(2026, 1, 1), ends=date(2026, 9, 30), facts=frozenset({"insured_employee"}))
    rules, employee = Applying(scale_phase=phase), frozenset({"insured_employee"})
    assert "2026-09-30" in refusal_of(asked(rules, facts=employee))
    given_at(applications).when(asked(rules, facts=employee)).refused(ApplyThroughYourUnit)
    assert taken(asked(rules, facts=employee, channel=Channel.UNIT))
    assert taken(asked(rules, facts=frozenset({"hukou"})))
    assert taken(asked(rules, facts=employee, at=shanghai(9, 30, 24)))
    with pytest.raises(ValueError, match="ends on or after"):
        ScalePhase(begins=date(2026, 2, 1), ends=date(2026, 1, 1), facts=frozenset({"hukou"}))


@pytest.mark.requirement("R116")
def test_temporary_cards_are_not_to_be_had_this_way() -> None:
    given_at(applications).when(asked(Applying(), temporary=True)).refused(TemporaryCardUnavailable)
    assert taken(asked(Applying(temporary_cards=True), temporary=True))
    assert not BYLAWS.at(WUXI, "resident-id", ASKED).applying.temporary_cards


@pytest.mark.requirement("R29")
def test_online_has_a_promise_of_its_own_and_both_are_counted_once_and_shown() -> None:
    hangzhou = BYLAWS.at(HANGZHOU, "citizen-card", ASKED)
    for channel, due in ((Channel.HALL, shanghai(10, 16, 24)), (Channel.ONLINE, shanghai(10, 1, 24))):
        paper = replace(submitted, channel=channel)
        given_at(applications, paper).when(replace(accept, under=hangzhou)).then(replace(accepted, promised_by=due))
        now = applications.fold([paper, replace(accepted, promised_by=due)])
        assert isinstance(now, Accepted)
        assert now.promised_by == due


@pytest.mark.requirement("R87")
def test_zhoushan_promises_the_card_a_month_on_and_past_the_holidays() -> None:
    given_at(applications, submitted).when(accept).then(replace(accepted, promised_by=PROMISED))


@pytest.mark.requirement("R124")
def test_wuxi_promises_a_first_id_card_in_20_working_days() -> None:
    resident_id = BYLAWS.at(WUXI, "resident-id", ASKED)
    # The vector: 20 working days from Monday 22 November 2021 is Monday 20 December 2021.
    assert resident_id.promised_by(shanghai(11, 22, 10, year=2021)).at == shanghai(12, 20, 24, year=2021)


def test_a_channel_without_a_promise_has_the_programme_s() -> None:
    month = Promise(count=1, unit=PromiseUnit.MONTHS, roll_to_working_day=True)
    bylaw = replace(OURS, promises=((Channel.ONLINE, Promise(count=30, unit=PromiseUnit.DAYS)),))
    assert bylaw.promised_by(TAKEN_IN, Channel.BANK) == month.falls_due(TAKEN_IN, OURS.calendar)


# --- the papers ---


@pytest.mark.requirement("R23", "R40")
def test_one_of_the_valid_documents_is_enough() -> None:
    hangzhou = BYLAWS.at(HANGZHOU, "citizen-card", ASKED)
    for document in ("id_card", "household_book", "household_certificate"):
        assert document in hangzhou.documents
        command = replace(submit, under=hangzhou, documents=(document,), age=40)
        assert taken(command).documents == (document,)
    for document in ("id_card", "household_book", "residence_permit", "temporary_residence_permit"):
        assert taken(replace(submit, documents=(document,)))
    given_at(applications).when(replace(submit, documents=("work_permit",))).refused(DocumentsMissing)


WUXI_ID = BYLAWS.at(WUXI, "resident-id", ASKED)
OF_AGE: dict[str, Any] = {
    "under": WUXI_ID, "channel": Channel.POLICE, "documents": ("household_book",), "age": 16,
    "commitment": Commitment(
        language="zh", sha256=next(one.sha256 for one in WUXI_ID.applying.letters if one.language == "zh"),
        signed_by="applicant",
    ),
}  # fmt: skip
PROOF = Shown(kind="employment_proof")
CHILD: dict[str, Any] = OF_AGE | {
    "age": 15, "agent": Agent(relation="guardian", document="id_card"),
    "papers": (Shown(kind="household_book", whose=Whose.GUARDIAN), Shown(kind="study_proof")),
}  # fmt: skip


@pytest.mark.requirement("R117")
def test_from_16_on_a_household_book_and_one_proof_are_needed() -> None:
    for proof in ("employment_proof", "study_proof", "residence_proof"):
        assert taken(replace(submit, **OF_AGE, papers=(Shown(kind=proof),))).flags == ()
    missing = refusal_of(replace(submit, **OF_AGE))
    assert "employment proof or study proof or residence proof" in missing
    copied_only = (replace(PROOF, original=False, copy=True),)
    given_at(applications).when(replace(submit, **OF_AGE, papers=copied_only)).refused(PapersMissing)


@pytest.mark.requirement("R118")
def test_under_16_a_guardian_comes_with_documents_of_her_own() -> None:
    assert taken(replace(submit, **CHILD)).agent == Agent(relation="guardian", document="id_card")
    given_at(applications).when(replace(submit, **CHILD | {"agent": None})).refused(MinorNeedsGuardian)
    missing = refusal_of(replace(submit, **CHILD | {"papers": ()}))
    assert "the guardian's household book" in missing
    assert "study proof or residence proof" in missing
    unregistered = CHILD | {"circumstances": ("relation_not_registered",)}
    assert "birth certificate or guardianship proof" in refusal_of(replace(submit, **unregistered))
    born = (*CHILD["papers"], Shown(kind="birth_certificate"))
    assert taken(replace(submit, **unregistered | {"papers": born}))


@pytest.mark.requirement("R119")
def test_the_age_counts_on_the_day_of_acceptance() -> None:
    child = taken(replace(submit, **CHILD))
    given_at(applications, child).when(replace(accept, under=WUXI_ID, age=15)).then(
        *applications.decide(replace(accept, under=WUXI_ID, age=15), applications.fold([child]))
    )
    work = taken(replace(submit, **OF_AGE, papers=(PROOF,)))
    given_at(applications, work).when(replace(accept, under=WUXI_ID, age=15)).refused(MinorNeedsGuardian)


@pytest.mark.requirement("R120")
def test_a_proof_without_a_photograph_is_taken_and_the_reviewer_is_told() -> None:
    faceless = replace(PROOF, photo=False)
    assert taken(replace(submit, **OF_AGE, papers=(faceless,))).flags == (NO_PHOTO,)
    assert taken(replace(submit, **OF_AGE, papers=(faceless, PROOF))).flags == ()


def test_of_somebody_whose_age_nobody_knows_the_reviewer_is_told() -> None:
    flags = taken(replace(submit, **OF_AGE | {"age": None}, papers=(PROOF,))).flags
    assert flags == (AGE_UNKNOWN,)


def test_a_list_that_names_no_paper_is_no_list() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Needed(any_of=(), rule="issuance.applying.papers")


@pytest.mark.requirement("R103")
def test_for_a_foreign_talent_an_agent_brings_a_document_and_a_recent_portrait() -> None:
    talents = BYLAWS.at(HANGZHOU, "foreign-talent-card", ASKED)
    papers: dict[str, Any] = {
        "under": talents, "documents": ("passport",), "papers": (Shown(kind="work_permit"),), "age": 30,
    }  # fmt: skip
    agent = Agent(relation="employer", document="id_card")
    assert taken(replace(submit, **papers, agent=agent, taken="brought")).agent == agent
    no_id = replace(submit, **papers, agent=replace(agent, document="household_book"), taken="brought")
    given_at(applications).when(no_id).refused(PapersMissing)
    given_at(applications).when(replace(submit, **papers, agent=agent, taken="on_site")).refused(PortraitFromElsewhere)


@pytest.mark.requirement("R102")
def test_the_portrait_of_a_foreign_talent_who_comes_herself_is_taken_on_site() -> None:
    talents = BYLAWS.at(HANGZHOU, "foreign-talent-card", ASKED)
    command = replace(
        submit, under=talents, documents=("passport",), papers=(Shown(kind="work_permit"),), age=30, taken="on_site"
    )
    assert taken(command).taken == "on_site"
    given_at(applications).when(replace(command, taken="brought")).refused(PortraitFromElsewhere)


def test_where_only_the_applicant_may_come_an_agent_is_refused_and_a_guardian_is_not() -> None:
    rules = Applying(agents=False)
    given_at(applications).when(asked(rules, agent=Agent(relation="spouse", document="id_card"))).refused(AgentNotTaken)
    assert taken(asked(rules, agent=Agent(relation="parent", document="id_card")))


@pytest.mark.requirement("R92")
def test_a_portrait_is_needed_from_the_age_that_the_programme_says_or_is_on_file() -> None:
    rules = Applying(portrait=PortraitRule(from_age=7, on_file_with=frozenset({"id_card"})))
    child = asked(rules, portrait="", documents=("household_book",), age=6)
    assert taken(child).portrait == ""
    given_at(applications).when(replace(child, age=7)).refused(PortraitMissing)
    assert taken(replace(child, age=7, documents=("id_card",)))


@pytest.mark.requirement("R24", "R25")
def test_who_has_a_west_lake_card_presents_it_and_its_number_is_kept_sealed() -> None:
    hangzhou = replace(submit, under=BYLAWS.at(HANGZHOU, "citizen-card", ASKED), age=40)
    given_at(applications).when(replace(hangzhou, has_legacy=True)).refused(LegacyCardMissing)
    card = LegacyCard(scheme="west_lake", number=Sealed(box="v1.k.number"))
    assert taken(replace(hangzhou, has_legacy=True, legacy=card)).legacy == card
    assert taken(hangzhou).legacy is None


@pytest.mark.requirement("R122")
def test_the_commitment_letter_is_signed_before_anything_is_taken_in_and_bound_to_its_words() -> None:
    letters = (Letter(language="zh", text="…", sha256="a" * 64), Letter(language="en", text="…", sha256="b" * 64))
    rules = Applying(letters=letters)
    given_at(applications).when(asked(rules)).refused(CommitmentMissing)
    for signed in (("zh", "b" * 64), ("en", "c" * 64)):
        outdated = Commitment(language=signed[0], sha256=signed[1], signed_by="guardian")
        given_at(applications).when(asked(rules, commitment=outdated)).refused(CommitmentOutdated)
    today = Commitment(language="en", sha256="b" * 64, signed_by="guardian")
    assert taken(asked(rules, commitment=today)).commitment == today


# --- the fee ---


@pytest.mark.requirement("R79", "R123")
@pytest.mark.parametrize(
    ("city", "programme"),
    [(HANGZHOU, "citizen-card"), (HANGZHOU, "foreign-talent-card"), (WUXI, "resident-id"), ("330900", "citizen-card")],
)
def test_the_first_card_is_free(city: str, programme: str) -> None:
    assert BYLAWS.at(city, programme, ASKED).fee_of("first").fen == 0


@pytest.mark.requirement("R80")
def test_a_fee_exists_only_with_the_approval_of_the_price_department() -> None:
    with pytest.raises(ValueError, match="price department"):
        Fee(fen=1500)
    with pytest.raises(ValueError, match="between 0 and"):
        Fee(fen=-1, approval="price 2012-7")
    priced = replace(OURS, fees=(("first", Fee(fen=1500, approval="price 2012-7")),))
    given_at(applications, submitted).when(replace(accept, under=priced)).then(
        replace(accepted, fee_fen=1500, fee_approval="price 2012-7")
    )
    assert OURS.fee_of("reissue") == Fee(fen=0)


# --- the other authority ---

REVIEWED = under(Applying(review=Review(authority="police", count=20, working_days=True)))
REVIEW_BY = REVIEWED.calendar.end_of_working_day(20, TAKEN_IN).at
in_review = replace(accepted, awaits_review=True)


def to_review() -> tuple[Any, ...]:
    return tuple(applications.decide(replace(accept, under=REVIEWED), applications.fold([submitted])))


@pytest.mark.requirement("R113", "R121")
def test_an_accepted_case_waits_for_the_home_authority_with_a_clock_of_its_own_and_says_so() -> None:
    past = (submitted, *to_review())
    waits = applications.fold(past)
    assert isinstance(waits, Reviewing)
    assert (waits.authority, waits.review_by, waits.promised_by) == ("police", REVIEW_BY, PROMISED)
    assert [type(due.command).__name__ for fact in past for due in applications.due(fact)] == ["NoteReviewOverdue"]


@pytest.mark.requirement("R121")
def test_a_case_that_the_authority_agrees_to_claims_its_card_then_and_not_before() -> None:
    past = (submitted, *to_review())
    given_at(applications, *past).when(answer_review).then(review_passed)
    assert list(applications.due(review_passed)) == [Due(DRAWN, replace(claim, at=DRAWN))]
    given_at(applications, *past, review_passed).when(answer_review).then()


@pytest.mark.requirement("R121")
def test_a_case_that_the_authority_does_not_agree_to_is_rejected_with_its_reason() -> None:
    past = (submitted, *to_review())
    no = replace(answer_review, verdict="reject", reason="not registered here")
    given_at(applications, *past).when(no).then(review_refused)
    assert isinstance(applications.fold([*past, review_refused]), Rejected)
    given_at(applications, *past, review_refused).when(no).then()
    given_at(applications, *past, review_refused).when(answer_review).refused(NotUnderReview)
    given_at(applications, submitted).when(answer_review).refused(NotUnderReview)


@pytest.mark.requirement("R121")
def test_a_question_of_the_authority_goes_to_the_applicant_and_the_case_goes_back_to_review() -> None:
    past = (submitted, *to_review())
    question = replace(answer_review, verdict="ask", reason="birth", at=TAKEN_IN)
    given_at(applications, *past).when(question).then(review_questioned)
    given_at(applications, *past, review_questioned).when(question).then()
    (answer,) = applications.decide(supplement, applications.fold([*past, review_questioned]))
    again = applications.fold([*past, review_questioned, answer])
    assert isinstance(again, Reviewing)
    assert (again.asked, again.paper.documents) == ("", ("id_card", "household_book"))
    unanswered = replace(withdrawn, reason="no answer in time", at=no_answer.until)
    given_at(applications, *past, review_questioned).when(no_answer).then(unanswered)
    given_at(applications, *past).when(no_answer).then()


@pytest.mark.requirement("R121", "R124")
def test_an_authority_that_lets_its_hour_pass_is_seen_and_the_case_still_waits() -> None:
    past = (submitted, *to_review())
    late = replace(review_late, review_by=REVIEW_BY)
    given_at(applications, *past).when(late).then(replace(review_overdue, at=REVIEW_BY))
    now = applications.fold([*past, replace(review_overdue, at=REVIEW_BY)])
    assert isinstance(now, Reviewing)
    assert now.overdue
    given_at(applications, *past, review_passed).when(late).then()
    given_at(applications, *past).when(replace(late, review_by=LATER)).then()


def test_an_applicant_may_take_back_what_another_authority_looks_at() -> None:
    past = (submitted, *to_review())
    given_at(applications, *past).when(withdraw).then(withdrawn)
    assert isinstance(applications.fold([*past, withdrawn]), Withdrawn)


# --- how the card comes ---


@pytest.mark.requirement("R126")
def test_by_agent_or_by_mail_is_arranged_when_applying_and_settled_by_acceptance() -> None:
    posted = under(Applying(ways=frozenset(Way), way_frozen=True))
    by_mail = replace(choose_way, under=posted)
    assert taken(asked(posted.applying, way=Way.MAIL)).way is Way.MAIL
    (chosen,) = applications.decide(by_mail, applications.fold([submitted]))
    given_at(applications, submitted, chosen).when(by_mail).then()
    given_at(applications, submitted, accepted).when(by_mail).refused(DeliveryFrozen)
    given_at(applications, submitted, *to_review()).when(by_mail).refused(DeliveryFrozen)
    given_at(applications, submitted, accepted).when(replace(by_mail, way=Way.COUNTER)).then()


def test_a_way_that_a_programme_does_not_have_is_not_chosen() -> None:
    given_at(applications, submitted).when(choose_way).refused(WayNotOffered)
    given_at(applications).when(replace(submit, way=Way.MAIL)).refused(WayNotOffered)


@pytest.mark.parametrize("count", [0, 366])
def test_a_review_has_limits(count: int) -> None:
    with pytest.raises(ValueError, match="a review takes"):
        Review(authority="police", count=count, working_days=False)


def test_a_review_in_calendar_days_ends_with_its_last() -> None:
    days = Review(authority="police", count=20, working_days=False)
    due: datetime = days.answered_by(TAKEN_IN, OURS.calendar).at
    assert due == shanghai(9, 21, 24)
    assert due - SECOND < shanghai(9, 21, 24)
