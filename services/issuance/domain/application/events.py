"""What has happened to requests for a card."""

from datetime import datetime

from libs.kernel import Sealed, event, value
from services.ids import ApplicationId, HoldingId, PersonId
from services.issuance.domain.applying import Channel, Way
from services.issuance.domain.papers import Shown


@value
class Agent:
    """Somebody who acts for the applicant; `person_id` if she is known here."""

    relation: str
    document: str


@value
class Commitment:
    """A signature under a commitment letter; `sha256` (hex) names the words that were read."""

    language: str
    sha256: str
    signed_by: str


@value
class LegacyCard:
    """An older card that was presented; its number is closed under the holder's key (field `legacy_card`)."""

    scheme: str
    number: Sealed


@event
class ApplicationSubmitted:
    """A request with documents and a portrait lies at an outlet; `flags` is what its reviewer should look at."""

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
    channel: Channel = Channel.HALL
    papers: tuple[Shown, ...] = ()
    flags: tuple[str, ...] = ()
    unit: str = ""
    commitment: Commitment | None = None
    legacy: LegacyCard | None = None
    way: Way = Way.COUNTER
    taken: str = ""


@event
class WayChosen:
    """The applicant wants the card to reach her in another way; only before the request is accepted."""

    application_id: ApplicationId
    way: Way
    at: datetime


@event
class SupplementAsked:
    """Something is missing; without an answer the request is withdrawn at `until`.

    `portrait` are the questions about the portrait that the clerk has answered with no.
    """

    application_id: ApplicationId
    person_id: PersonId
    reason: str
    until: datetime
    at: datetime
    portrait: tuple[str, ...] = ()


@event
class ApplicationSupplemented:
    """What was missing has come; `portrait` is empty if it stays as it was."""

    application_id: ApplicationId
    documents: tuple[str, ...]
    portrait: str
    at: datetime
    papers: tuple[Shown, ...] = ()


@event
class ApplicationAccepted:
    """A clerk has seen the person and the papers; the promise runs from here.

    `awaits_review`: another authority is asked before a card is claimed.
    """

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    programme: str
    outlet: str
    promised_by: datetime
    provisional: bool
    at: datetime
    awaits_review: bool = False
    unit: str = ""
    way: Way = Way.COUNTER
    fee_fen: int = 0
    fee_approval: str = ""


@event
class ReviewAsked:
    """Another authority is to say whether the card may be made; it should have answered by `review_by`."""

    application_id: ApplicationId
    person_id: PersonId
    authority: str
    review_by: datetime
    provisional: bool
    at: datetime


@event
class ReviewQuestioned:
    """The authority asks for more; without an answer the request is withdrawn at `until`."""

    application_id: ApplicationId
    person_id: PersonId
    reason: str
    until: datetime
    at: datetime


@event
class ReviewPassed:
    """The authority agrees: the card may be made."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    programme: str
    outlet: str
    unit: str
    way: Way
    at: datetime


@event
class ReviewRefused:
    """The authority does not agree."""

    application_id: ApplicationId
    person_id: PersonId
    reason: str
    at: datetime


@event
class ReviewOverdue:
    """The authority has let its hour pass; the case still waits for it."""

    application_id: ApplicationId
    authority: str
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
    | WayChosen
    | SupplementAsked
    | ApplicationSupplemented
    | ApplicationAccepted
    | ReviewAsked
    | ReviewQuestioned
    | ReviewPassed
    | ReviewRefused
    | ReviewOverdue
    | ApplicationRejected
    | ApplicationWithdrawn
)
