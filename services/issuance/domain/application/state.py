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
    Commitment,
    Event,
    LegacyCard,
    ReviewAsked,
    ReviewOverdue,
    ReviewPassed,
    ReviewQuestioned,
    ReviewRefused,
    SupplementAsked,
    WayChosen,
)
from services.issuance.domain.applying import Channel, Way
from services.issuance.domain.papers import Shown


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
    channel: Channel = Channel.HALL
    papers: tuple[Shown, ...] = ()
    flags: tuple[str, ...] = ()
    unit: str = ""
    commitment: Commitment | None = None
    legacy: LegacyCard | None = None
    way: Way = Way.COUNTER
    taken: str = ""


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
    portrait: tuple[str, ...] = ()


@state
class Reviewing:
    """It was taken in and waits for another authority; `asked` is what that authority wants to know, until when."""

    paper: Paper
    promised_by: datetime
    provisional: bool
    authority: str
    review_by: datetime
    overdue: bool = False
    asked: str = ""
    asked_until: datetime | None = None


@state
class Accepted:
    """It was taken in; from here on the holding decides."""

    paper: Paper
    promised_by: datetime
    provisional: bool
    fee_fen: int = 0
    fee_approval: str = ""


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


Application: TypeAlias = Absent | Submitted | SupplementNeeded | Reviewing | Accepted | Rejected | Withdrawn


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
                channel=fact.channel,
                papers=fact.papers,
                flags=fact.flags,
                unit=fact.unit,
                commitment=fact.commitment,
                legacy=fact.legacy,
                way=fact.way,
                taken=fact.taken,
            )
        )
    assert not isinstance(application, Absent), "the first fact of a request is that it was made"
    paper = application.paper
    match fact:
        case SupplementAsked():
            return SupplementNeeded(paper=paper, reason=fact.reason, until=fact.until, portrait=fact.portrait)
        case ApplicationSupplemented():
            documents = tuple(dict.fromkeys((*paper.documents, *fact.documents)))
            papers = tuple(dict.fromkeys((*paper.papers, *fact.papers)))
            more = replace(paper, documents=documents, papers=papers, portrait=fact.portrait or paper.portrait)
            if isinstance(application, Reviewing):
                return replace(application, paper=more, asked="", asked_until=None)
            return Submitted(paper=more)
        case WayChosen():
            assert isinstance(application, Submitted | SupplementNeeded)
            return replace(application, paper=replace(paper, way=fact.way))
        case ApplicationAccepted():
            return Accepted(
                paper=paper,
                promised_by=fact.promised_by,
                provisional=fact.provisional,
                fee_fen=fact.fee_fen,
                fee_approval=fact.fee_approval,
            )
        case ReviewAsked():
            assert isinstance(application, Accepted)
            return Reviewing(
                paper=paper,
                promised_by=application.promised_by,
                provisional=application.provisional,
                authority=fact.authority,
                review_by=fact.review_by,
            )
        case ReviewQuestioned():
            assert isinstance(application, Reviewing)
            return replace(application, asked=fact.reason, asked_until=fact.until)
        case ReviewOverdue():
            assert isinstance(application, Reviewing)
            return replace(application, overdue=True)
        case ReviewPassed():
            assert isinstance(application, Reviewing)
            return Accepted(paper=paper, promised_by=application.promised_by, provisional=application.provisional)
        case ReviewRefused():
            return Rejected(paper=paper, reason=fact.reason)
        case ApplicationRejected():
            return Rejected(paper=paper, reason=fact.reason)
        case ApplicationWithdrawn():
            return Withdrawn(paper=paper, reason=fact.reason)
        case _:
            assert_never(fact)
