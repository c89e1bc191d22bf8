"""A clerk takes a request in, asks for what is missing, or turns it down; after that the holding decides."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Missing, Unfit
from services.issuance.domain.application.commands import (
    AcceptApplication,
    AskSupplement,
    Command,
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
    SupplementAsked,
)
from services.issuance.domain.application.state import (
    Absent,
    Accepted,
    Application,
    Rejected,
    Submitted,
    SupplementNeeded,
    Withdrawn,
    evolve,
)
from services.issuance.domain.holding.commands import ClaimCard


class ApplicationUnknown(Missing):
    """There is no such application; check the number on the receipt."""


class DocumentsMissing(Unfit):
    """None of these documents is accepted here; bring one of: {documents}."""


class GuardianNeeded(Unfit):
    """An agent must show her own document and say how she is related to the applicant."""


class AlreadyDecided(Clash):
    """This application was {word} already; make a new one if a card is still wanted."""


class SupplementPending(Clash):
    """This application waits for the applicant ({reason}); take in what is missing first."""


def decide(command: Command, application: Application) -> Sequence[Event]:
    match command:
        case SubmitApplication():
            return submit(command, application)
        case AskSupplement():
            return ask_supplement(command, application)
        case SupplementApplication():
            return supplement(command, application)
        case AcceptApplication():
            return accept(command, application)
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
    if not asked.under.documents & set(asked.documents):
        raise DocumentsMissing(documents=", ".join(sorted(asked.under.documents)))
    if asked.agent is not None and not (asked.agent.relation and asked.agent.document):
        raise GuardianNeeded
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
                )
            ]
        case decided:
            raise AlreadyDecided(word=_word(decided))


def supplement(asked: SupplementApplication, application: Application) -> Sequence[Event]:
    match application:
        case Absent():
            raise ApplicationUnknown
        case SupplementNeeded():
            return [
                ApplicationSupplemented(
                    application_id=asked.application_id,
                    documents=asked.documents,
                    portrait=asked.portrait,
                    at=asked.at,
                )
            ]
        case Submitted():
            return []
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
            due = asked.under.promised_by(asked.at)
            return [
                ApplicationAccepted(
                    application_id=asked.application_id,
                    holding_id=paper.holding_id,
                    person_id=paper.person_id,
                    programme=paper.programme,
                    outlet=paper.outlet,
                    promised_by=due.at,
                    provisional=due.provisional,
                    at=asked.at,
                )
            ]
        case Rejected() | Withdrawn():
            raise AlreadyDecided(word=_word(application))
        case _:
            assert_never(application)


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
        case Accepted() | Withdrawn():
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
        case Submitted() | SupplementNeeded():
            return [ApplicationWithdrawn(application_id=asked.application_id, reason=asked.reason, at=asked.at)]
        case Accepted() | Rejected():
            raise AlreadyDecided(word=_word(application))
        case _:
            assert_never(application)


def withdraw_unanswered(asked: WithdrawUnanswered, application: Application) -> Sequence[Event]:
    match application:
        case SupplementNeeded(until=until) if until == asked.until:
            return [ApplicationWithdrawn(application_id=asked.application_id, reason="no answer in time", at=until)]
    return []


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case SupplementAsked():
            yield Due(fact.until, WithdrawUnanswered(application_id=fact.application_id, until=fact.until))
        case ApplicationAccepted():
            claim = ClaimCard(
                holding_id=fact.holding_id,
                application_id=fact.application_id,
                person_id=fact.person_id,
                programme=fact.programme,
                outlet=fact.outlet,
                at=fact.at,
            )
            yield Due(fact.at, claim)


applications: Decider[Command, Application, Event] = Decider(Absent(), decide, evolve, due)


def _word(application: Submitted | SupplementNeeded | Accepted | Rejected | Withdrawn) -> str:
    return type(application).__name__.lower()
