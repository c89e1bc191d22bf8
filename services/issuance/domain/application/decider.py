"""A clerk takes a request in, asks for what is missing, or turns it down; after that the holding decides."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Missing
from services.issuance.domain.application import counter
from services.issuance.domain.application.commands import (
    AcceptApplication,
    AnswerReview,
    AskSupplement,
    ChooseWay,
    Command,
    NoteReviewOverdue,
    RejectApplication,
    SubmitApplication,
    SupplementApplication,
    WithdrawApplication,
    WithdrawUnanswered,
)
from services.issuance.domain.application.events import (
    ApplicationAccepted,
    ApplicationRejected,
    ApplicationSubmitted,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    Event,
    ReviewAsked,
    ReviewOverdue,
    ReviewPassed,
    ReviewQuestioned,
    ReviewRefused,
    SupplementAsked,
    WayChosen,
)
from services.issuance.domain.application.state import (
    Absent,
    Accepted,
    Application,
    Paper,
    Rejected,
    Reviewing,
    Submitted,
    SupplementNeeded,
    Withdrawn,
    evolve,
)
from services.issuance.domain.holding.commands import ClaimCard


class ApplicationUnknown(Missing):
    """There is no such application; check the number on the receipt."""


class AlreadyDecided(Clash):
    """This application was {word} already; make a new one if a card is still wanted."""


class SupplementPending(Clash):
    """This application waits for the applicant ({reason}); take in what is missing first."""


class NotUnderReview(Clash):
    """This application is not with another authority; nothing is to be answered."""


class DeliveryFrozen(Clash):
    """How the card reaches its holder was settled when the application was accepted; it cannot be changed any more."""


def decide(command: Command, application: Application) -> Sequence[Event]:
    match command:
        case SubmitApplication():
            return submit(command, application)
        case AskSupplement():
            return ask_supplement(command, application)
        case SupplementApplication():
            return supplement(command, application)
        case ChooseWay():
            return choose_way(command, application)
        case AcceptApplication():
            return accept(command, application)
        case AnswerReview():
            return answer_review(command, application)
        case NoteReviewOverdue():
            return note_review_overdue(command, application)
        case RejectApplication():
            return reject(command, application)
        case WithdrawApplication():
            return withdraw(command, application)
        case WithdrawUnanswered():
            return withdraw_unanswered(command, application)
        case _:
            assert_never(command)


def submit(asked: SubmitApplication, application: Application) -> Sequence[Event]:
    if not isinstance(application, Absent):
        return []
    flags = counter.check_request(asked)
    return [
        ApplicationSubmitted(
            application_id=asked.application_id,
            holding_id=asked.holding_id,
            person_id=asked.person_id,
            programme=asked.programme,
            outlet=asked.outlet,
            documents=asked.documents,
            portrait=asked.portrait,
            agent=asked.agent,
            receipt=asked.receipt,
            at=asked.at,
            channel=asked.channel,
            papers=asked.papers,
            flags=flags,
            unit=asked.unit,
            commitment=asked.commitment,
            legacy=asked.legacy,
            way=asked.way,
            taken=asked.taken,
        )
    ]


def ask_supplement(asked: AskSupplement, application: Application) -> Sequence[Event]:
    match application:
        case Absent():
            raise ApplicationUnknown
        case SupplementNeeded():
            return []
        case Submitted():
            return [
                SupplementAsked(
                    application_id=asked.application_id,
                    person_id=application.paper.person_id,
                    reason=asked.reason,
                    until=asked.under.supplement_until(asked.at),
                    at=asked.at,
                    portrait=asked.portrait,
                )
            ]
        case decided:
            raise AlreadyDecided(word=_word(decided))


def supplement(asked: SupplementApplication, application: Application) -> Sequence[Event]:
    match application:
        case Absent():
            raise ApplicationUnknown
        case SupplementNeeded() | Reviewing() if _waits_for_applicant(application):
            return [
                ApplicationSupplemented(
                    application_id=asked.application_id,
                    documents=asked.documents,
                    portrait=asked.portrait,
                    at=asked.at,
                    papers=asked.papers,
                )
            ]
        case Submitted() | Reviewing():
            return []
        case decided:
            raise AlreadyDecided(word=_word(decided))


def choose_way(asked: ChooseWay, application: Application) -> Sequence[Event]:
    """By agent or by mail is arranged when applying; where the city freezes that, acceptance is the last moment."""
    match application:
        case Absent():
            raise ApplicationUnknown
        case Submitted(paper=paper) | SupplementNeeded(paper=paper):
            if paper.way is asked.way:
                return []
            counter.check_way(asked.way, asked.under)
            return [WayChosen(application_id=asked.application_id, way=asked.way, at=asked.at)]
        case Reviewing(paper=paper) | Accepted(paper=paper):
            if paper.way is asked.way:
                return []
            raise DeliveryFrozen(asked.under.by("issuance.applying.delivery"))
        case decided:
            raise AlreadyDecided(word=_word(decided))


def accept(asked: AcceptApplication, application: Application) -> Sequence[Event]:
    """The promise runs from here, counted once and kept (INV-11)."""
    match application:
        case Absent():
            raise ApplicationUnknown
        case Accepted():
            return []
        case SupplementNeeded(reason=reason):
            raise SupplementPending(reason=reason)
        case Submitted(paper=paper):
            counter.check_papers(paper, asked.under, asked.age)
            due, fee = asked.under.promised_by(asked.at, paper.channel), asked.under.fee_of("first")
            review = asked.under.applying.review
            accepted = ApplicationAccepted(
                application_id=asked.application_id,
                holding_id=paper.holding_id,
                person_id=paper.person_id,
                programme=paper.programme,
                outlet=paper.outlet,
                promised_by=due.at,
                provisional=due.provisional,
                at=asked.at,
                awaits_review=review is not None,
                unit=paper.unit,
                way=paper.way,
                fee_fen=fee.fen,
                fee_approval=fee.approval,
            )
            if review is None:
                return [accepted]
            answer = review.answered_by(asked.at, asked.under.calendar)
            to_review = ReviewAsked(
                application_id=asked.application_id,
                person_id=paper.person_id,
                authority=review.authority,
                review_by=answer.at,
                provisional=answer.provisional,
                at=asked.at,
            )
            return [accepted, to_review]
        case Reviewing():
            return []
        case Rejected() | Withdrawn():
            raise AlreadyDecided(word=_word(application))
        case _:
            assert_never(application)


def answer_review(asked: AnswerReview, application: Application) -> Sequence[Event]:
    """The place where the applicant is registered agrees, does not, or asks; its clock is its own."""
    match application:
        case Absent():
            raise ApplicationUnknown
        case Reviewing(paper=paper):
            match asked.verdict:
                case "approve":
                    return [_passed(asked, paper)]
                case "reject":
                    return [
                        ReviewRefused(
                            application_id=asked.application_id,
                            person_id=paper.person_id,
                            reason=asked.reason,
                            at=asked.at,
                        )
                    ]
                case _ if application.asked:
                    return []
                case _:
                    return [
                        ReviewQuestioned(
                            application_id=asked.application_id,
                            person_id=paper.person_id,
                            reason=asked.reason,
                            until=asked.under.supplement_until(asked.at),
                            at=asked.at,
                        )
                    ]
        case Accepted() if asked.verdict == "approve":
            return []
        case Rejected() if asked.verdict == "reject":
            return []
        case _:
            raise NotUnderReview


def note_review_overdue(asked: NoteReviewOverdue, application: Application) -> Sequence[Event]:
    match application:
        case Reviewing(review_by=review_by, overdue=False) if review_by == asked.review_by:
            return [
                ReviewOverdue(application_id=asked.application_id, authority=application.authority, at=asked.review_by)
            ]
    return []


def reject(asked: RejectApplication, application: Application) -> Sequence[Event]:
    match application:
        case Absent():
            raise ApplicationUnknown
        case Rejected():
            return []
        case Submitted(paper=paper) | SupplementNeeded(paper=paper):
            return [
                ApplicationRejected(
                    application_id=asked.application_id, person_id=paper.person_id, reason=asked.reason, at=asked.at
                )
            ]
        case Reviewing() | Accepted() | Withdrawn():
            raise AlreadyDecided(word=_word(application))
        case _:
            assert_never(application)


def withdraw(asked: WithdrawApplication, application: Application) -> Sequence[Event]:
    """Before it is taken in, a request is the applicant's alone; afterwards its card is withdrawn at the holding."""
    match application:
        case Absent():
            raise ApplicationUnknown
        case Withdrawn():
            return []
        case Submitted() | SupplementNeeded() | Reviewing():
            return [ApplicationWithdrawn(application_id=asked.application_id, reason=asked.reason, at=asked.at)]
        case Accepted() | Rejected():
            raise AlreadyDecided(word=_word(application))
        case _:
            assert_never(application)


def withdraw_unanswered(asked: WithdrawUnanswered, application: Application) -> Sequence[Event]:
    match application:
        case SupplementNeeded(until=until) | Reviewing(asked_until=until) if until == asked.until:
            return [ApplicationWithdrawn(application_id=asked.application_id, reason="no answer in time", at=until)]
    return []


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case SupplementAsked() | ReviewQuestioned():
            yield Due(fact.until, WithdrawUnanswered(application_id=fact.application_id, until=fact.until))
        case ReviewAsked():
            late = NoteReviewOverdue(application_id=fact.application_id, review_by=fact.review_by)
            yield Due(fact.review_by, late)
        case ApplicationAccepted(awaits_review=False) | ReviewPassed():
            claim = ClaimCard(
                holding_id=fact.holding_id,
                application_id=fact.application_id,
                person_id=fact.person_id,
                programme=fact.programme,
                outlet=fact.outlet,
                at=fact.at,
                unit=fact.unit,
                way=fact.way,
            )
            yield Due(fact.at, claim)


applications: Decider[Command, Application, Event] = Decider(Absent(), decide, evolve, due)


def _word(application: Application) -> str:
    return "accepted" if isinstance(application, Reviewing) else type(application).__name__.lower()


def _waits_for_applicant(application: Application) -> bool:
    return isinstance(application, SupplementNeeded) or (isinstance(application, Reviewing) and bool(application.asked))


def _passed(asked: AnswerReview, paper: Paper) -> ReviewPassed:
    return ReviewPassed(
        application_id=asked.application_id,
        holding_id=paper.holding_id,
        person_id=paper.person_id,
        programme=paper.programme,
        outlet=paper.outlet,
        unit=paper.unit,
        way=paper.way,
        at=asked.at,
    )
