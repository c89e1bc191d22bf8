"""What can be asked of a request for a card."""

from datetime import datetime

from libs.kernel import command
from services.ids import ApplicationId, HoldingId, PersonId
from services.issuance.domain.application.events import Agent
from services.issuance.domain.bylaw import IssuanceBylaw


@command
class SubmitApplication:
    """A request with documents and a portrait (a reference into the vault)."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    programme: str
    outlet: str
    documents: tuple[str, ...]
    portrait: str
    agent: Agent | None
    receipt: str
    at: datetime
    under: IssuanceBylaw


@command
class AskSupplement:
    """Something is missing."""

    application_id: ApplicationId
    reason: str
    at: datetime
    under: IssuanceBylaw


@command
class SupplementApplication:
    """What was missing."""

    application_id: ApplicationId
    documents: tuple[str, ...]
    portrait: str
    at: datetime


@command
class AcceptApplication:
    """The clerk has verified person and papers."""

    application_id: ApplicationId
    at: datetime
    under: IssuanceBylaw


@command
class RejectApplication:
    """The clerk turns the request down."""

    application_id: ApplicationId
    reason: str
    at: datetime


@command
class WithdrawApplication:
    """The applicant no longer wants the card."""

    application_id: ApplicationId
    reason: str
    at: datetime


@command
class WithdrawUnanswered:
    """The hour has passed by which the applicant was to answer."""

    application_id: ApplicationId
    until: datetime


Command = (
    SubmitApplication
    | AskSupplement
    | SupplementApplication
    | AcceptApplication
    | RejectApplication
    | WithdrawApplication
    | WithdrawUnanswered
)
