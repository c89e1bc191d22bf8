"""What can be asked of a request for a card."""

from datetime import datetime

from libs.kernel import command
from services.ids import ApplicationId, HoldingId, PersonId
from services.issuance.domain.application.events import Agent, Commitment, LegacyCard
from services.issuance.domain.applying import Channel, Way
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.papers import Shown


@command
class SubmitApplication:
    """A request with documents and a portrait (a reference into the vault).

    `age` in years on the day of `at`, None if nobody knows; `facts` are those on which identity's last verdict rests;
    `has_legacy` is the applicant's answer to whether she has the older card that the programme asks for. `under` is
    looked up when the request comes from a unit's list.
    """

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
    under: IssuanceBylaw | None
    channel: Channel = Channel.HALL
    papers: tuple[Shown, ...] = ()
    circumstances: tuple[str, ...] = ()
    age: int | None = None
    facts: frozenset[str] = frozenset()
    unit: str = ""
    commitment: Commitment | None = None
    has_legacy: bool = False
    legacy: LegacyCard | None = None
    way: Way = Way.COUNTER
    taken: str = ""
    temporary: bool = False


@command
class ChooseWay:
    """The applicant wants the card to reach her in another way."""

    application_id: ApplicationId
    way: Way
    at: datetime
    under: IssuanceBylaw


@command
class AskSupplement:
    """Something is missing, or the clerk has answered these questions about the portrait with no."""

    application_id: ApplicationId
    reason: str
    at: datetime
    under: IssuanceBylaw
    portrait: tuple[str, ...] = ()


@command
class SupplementApplication:
    """What was missing."""

    application_id: ApplicationId
    documents: tuple[str, ...]
    portrait: str
    at: datetime
    papers: tuple[Shown, ...] = ()


@command
class AcceptApplication:
    """The clerk has verified person and papers; `age` in years on the day of acceptance, None if nobody knows."""

    application_id: ApplicationId
    at: datetime
    under: IssuanceBylaw
    age: int | None = None


@command
class AnswerReview:
    """The other authority says `approve`, `reject` or `ask`."""

    application_id: ApplicationId
    verdict: str
    reason: str
    at: datetime
    under: IssuanceBylaw


@command
class NoteReviewOverdue:
    """The hour has passed by which the authority should have answered."""

    application_id: ApplicationId
    review_by: datetime


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
    | ChooseWay
    | AcceptApplication
    | AnswerReview
    | NoteReviewOverdue
    | RejectApplication
    | WithdrawApplication
    | WithdrawUnanswered
)
