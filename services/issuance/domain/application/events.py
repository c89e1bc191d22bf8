"""What has happened to requests for a card."""

from datetime import datetime

from libs.kernel import event, value
from services.ids import ApplicationId, HoldingId, PersonId


@value
class Agent:
    """Somebody who acts for the applicant; `person_id` if she is known here."""

    relation: str
    document: str


@event
class ApplicationSubmitted:
    """A request with documents and a portrait lies at an outlet."""

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


@event
class SupplementAsked:
    """Something is missing; without an answer the request is withdrawn at `until`."""

    application_id: ApplicationId
    person_id: PersonId
    reason: str
    until: datetime
    at: datetime


@event
class ApplicationSupplemented:
    """What was missing has come; `portrait` is empty if it stays as it was."""

    application_id: ApplicationId
    documents: tuple[str, ...]
    portrait: str
    at: datetime


@event
class ApplicationAccepted:
    """A clerk has seen the person and the papers; the promise runs from here."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    programme: str
    outlet: str
    promised_by: datetime
    provisional: bool
    at: datetime


@event
class ApplicationRejected:
    """A clerk has turned the request down."""

    application_id: ApplicationId
    person_id: PersonId
    reason: str
    at: datetime


@event
class ApplicationWithdrawn:
    """Nobody wants the card any more."""

    application_id: ApplicationId
    reason: str
    at: datetime


Event = (
    ApplicationSubmitted
    | SupplementAsked
    | ApplicationSupplemented
    | ApplicationAccepted
    | ApplicationRejected
    | ApplicationWithdrawn
)
