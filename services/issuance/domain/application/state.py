"""How a request can stand."""

from dataclasses import replace
from datetime import datetime
from typing import TypeAlias, assert_never

from libs.kernel import state
from services.ids import HoldingId, PersonId
from services.issuance.domain.application.events import (
    Agent,
    ApplicationAccepted,
    ApplicationRejected,
    ApplicationSubmitted,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    Event,
    SupplementAsked,
)


@state
class Absent:
    """Nobody has asked."""


@state
class Paper:
    """What was handed in."""

    holding_id: HoldingId
    person_id: PersonId
    programme: str
    outlet: str
    documents: tuple[str, ...]
    portrait: str
    agent: Agent | None
    receipt: str
    submitted_at: datetime


@state
class Submitted:
    """It waits for a clerk."""

    paper: Paper


@state
class SupplementNeeded:
    """It waits for the applicant."""

    paper: Paper
    reason: str
    until: datetime


@state
class Accepted:
    """It was taken in; from here on the holding decides."""

    paper: Paper
    promised_by: datetime
    provisional: bool


@state
class Rejected:
    """It was turned down."""

    paper: Paper
    reason: str


@state
class Withdrawn:
    """It was taken back."""

    paper: Paper
    reason: str


Application: TypeAlias = Absent | Submitted | SupplementNeeded | Accepted | Rejected | Withdrawn


def evolve(application: Application, fact: Event) -> Application:
    if isinstance(fact, ApplicationSubmitted):
        return Submitted(
            paper=Paper(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                programme=fact.programme,
                outlet=fact.outlet,
                documents=fact.documents,
                portrait=fact.portrait,
                agent=fact.agent,
                receipt=fact.receipt,
                submitted_at=fact.at,
            )
        )
    assert not isinstance(application, Absent), "the first fact of a request is that it was made"
    paper = application.paper
    match fact:
        case SupplementAsked():
            return SupplementNeeded(paper=paper, reason=fact.reason, until=fact.until)
        case ApplicationSupplemented():
            more = tuple(dict.fromkeys((*paper.documents, *fact.documents)))
            return Submitted(paper=replace(paper, documents=more, portrait=fact.portrait or paper.portrait))
        case ApplicationAccepted():
            return Accepted(paper=paper, promised_by=fact.promised_by, provisional=fact.provisional)
        case ApplicationRejected():
            return Rejected(paper=paper, reason=fact.reason)
        case ApplicationWithdrawn():
            return Withdrawn(paper=paper, reason=fact.reason)
        case _:
            assert_never(fact)
