"""What has happened to the cards of one holding."""

from datetime import date, datetime
from enum import StrEnum

from libs.kernel import event, value
from libs.kernel.foureyes import FourEyes, Hand, ProposalId
from libs.kernel.why import FactUsed
from services.ids import ApplicationId, BatchId, CardId, HoldingId, PersonId
from services.issuance.domain.applying import Way
from services.issuance.domain.collecting import By


class Kind(StrEnum):
    """Why a card is made."""

    FIRST = "first"
    REISSUE = "reissue"
    REPLACEMENT = "replacement"


@value
class FunctionGrant:
    """Whether the holder meets the conditions of a function, and why."""

    function: str
    granted: bool
    because: str


class Standing(StrEnum):
    """How a function of a card stands."""

    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"
    ENABLED = "enabled"
    SUSPENDED = "suspended"


@value
class FunctionState:
    """A function of a card, how it stands, and why."""

    function: str
    standing: Standing
    because: str


@event
class VerdictNoted:
    """Identity has said what the holder is entitled to."""

    holding_id: HoldingId
    person_id: PersonId
    programme: str
    granted: bool
    because: str
    functions: tuple[FunctionGrant, ...]
    at: datetime
    facts: tuple[str, ...] = ()
    may_apply: bool = True
    ground: str = ""
    """The entry of the bylaws that decided, as `Ground.ref`; it stands in the `edition`."""
    edition: str = ""
    missing: tuple[str, ...] = ()
    used: tuple[FactUsed, ...] = ()
    """What departments had said, as far as it was looked at."""


@event
class CardOrdered:
    """A card is wanted: for an application, or in place of `old_card_id`; with `eyes`, in spite of the verdict."""

    holding_id: HoldingId
    person_id: PersonId
    programme: str
    kind: Kind
    application_id: ApplicationId | None
    old_card_id: CardId | None
    outlet: str
    approved: bool
    at: datetime
    unit: str = ""
    way: Way = Way.COUNTER
    proposal_id: ProposalId = ProposalId("")
    eyes: FourEyes | None = None


@event
class IssueProposed:
    """A clerk has said why a card should be made although the verdict says no."""

    holding_id: HoldingId
    application_id: ApplicationId
    outlet: str
    unit: str
    way: Way
    reason: str
    proposal_id: ProposalId
    by: Hand
    until: datetime
    at: datetime


@event
class ReissueJoined:
    """The card on its way in place of a worn one is now awaited in place of a lost one."""

    holding_id: HoldingId
    old_card_id: CardId
    at: datetime


@event
class CardApproved:
    """The verdict that an order was waiting for has come."""

    holding_id: HoldingId
    person_id: PersonId
    programme: str
    kind: Kind
    application_id: ApplicationId | None
    outlet: str
    at: datetime


@event
class CardDeclined:
    """No card will be made on this order, or none be given that was made (`recalled`)."""

    holding_id: HoldingId
    person_id: PersonId
    kind: Kind
    application_id: ApplicationId | None
    old_card_id: CardId | None
    reason: str
    at: datetime
    recalled: bool = False


@event
class CardReserved:
    """The card has its number and its seat in a batch; from here the order cannot be withdrawn.

    `valid_to` is printed on it where it depends on who the holder is, `valid_by` the rule: `age`, or a fact.
    """

    holding_id: HoldingId
    application_id: ApplicationId | None
    card_id: CardId
    card_number: str
    batch_id: BatchId
    seat: int
    at: datetime
    valid_to: datetime | None = None
    valid_by: str = ""


@event
class SeatDeclined:
    """A batch offered a seat for which there was nothing to make."""

    holding_id: HoldingId
    batch_id: BatchId
    seat: int
    at: datetime


@event
class CardProduced:
    """The card came back good; `ident` is the chip's identification code."""

    holding_id: HoldingId
    application_id: ApplicationId | None
    card_id: CardId
    ident: str
    at: datetime


@event
class CardSpoiled:
    """The card came back spoiled: its number is retired, and the order waits for the next batch."""

    holding_id: HoldingId
    application_id: ApplicationId | None
    card_id: CardId
    reason: str
    at: datetime


@event
class CardArrived:
    """The card lies at its outlet."""

    holding_id: HoldingId
    person_id: PersonId
    application_id: ApplicationId | None
    card_id: CardId
    outlet: str
    kept_until: datetime
    at: datetime
    remind_at: tuple[datetime, ...] = ()
    destroy_at: datetime | None = None


@event
class CollectionReminded:
    """The card still lies at its outlet; its holder is told so again."""

    holding_id: HoldingId
    person_id: PersonId
    application_id: ApplicationId | None
    card_id: CardId
    outlet: str
    kept_until: datetime
    at: datetime


@event
class CardSentOn:
    """The card goes to another outlet."""

    holding_id: HoldingId
    person_id: PersonId
    application_id: ApplicationId | None
    card_id: CardId
    outlet: str
    kept_until: datetime
    at: datetime


@event
class CardMailed:
    """The card is in the post."""

    holding_id: HoldingId
    person_id: PersonId
    application_id: ApplicationId | None
    card_id: CardId
    tracking: str
    at: datetime


@event
class FingerprintMismatched:
    """The finger was not the holder's: the card stays where it is, and somebody must find out why."""

    holding_id: HoldingId
    card_id: CardId
    outlet: str
    at: datetime


@event
class CaseClosed:
    """Somebody has found out; the card may be handed over again."""

    holding_id: HoldingId
    card_id: CardId
    finding: str
    at: datetime


@event
class CardUnclaimed:
    """Nobody came in time; if the city says so, the plastic is destroyed at `destroy_at`."""

    holding_id: HoldingId
    person_id: PersonId
    application_id: ApplicationId | None
    card_id: CardId
    at: datetime
    batch_id: BatchId = BatchId("")
    seat: int = 0
    destroy_at: datetime | None = None


@event
class CardDestroyed:
    """A card that nobody fetched is no more."""

    holding_id: HoldingId
    card_id: CardId
    batch_id: BatchId
    seat: int
    at: datetime


@event
class CardHandedOver:
    """The card is in a hand; `document` is what was shown, `agent_document` what the agent showed, if one came."""

    holding_id: HoldingId
    person_id: PersonId
    application_id: ApplicationId | None
    card_id: CardId
    batch_id: BatchId
    seat: int
    outlet: str
    document: str
    agent_document: str
    at: datetime
    taker: By = By.HOLDER
    unit: str = ""
    fingerprint: str = ""


@event
class FunctionOpened:
    """A function was opened on the card, at an outlet, at the bank, or by the holder."""

    holding_id: HoldingId
    card_id: CardId
    function: str
    place: str
    at: datetime


@event
class FunctionsTurned:
    """The functions of the card that counts stand otherwise than before; all of them are listed."""

    holding_id: HoldingId
    card_id: CardId
    functions: tuple[FunctionState, ...]
    at: datetime


@value
class OlderUntil:
    """An older card that goes on beside the new one until this moment, and counts no more from then on."""

    scheme: str
    until: datetime


@event
class CardActivated:
    """The first card of the holding works; cards of before go on beside it for a while.

    If it needs endorsing, its holder is reminded at `remind_at`.
    """

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime
    older: tuple[OlderUntil, ...] = ()
    remind_at: tuple[datetime, ...] = ()


@event
class CardReplaced:
    """The new card works and the old one has ended for ever: one fact, so there is no instant between the two."""

    holding_id: HoldingId
    person_id: PersonId
    old_card_id: CardId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime
    remind_at: tuple[datetime, ...] = ()


@event
class CardCancelled:
    """The card has ended without a successor."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    reason: str
    at: datetime


@event
class PlasticRecalled:
    """A card that was made, or is being made, for nobody: it must not reach a hand."""

    holding_id: HoldingId
    card_id: CardId
    batch_id: BatchId
    seat: int
    at: datetime


@event
class CardExpired:
    """The card has reached the end of its validity; it still counts, so that a new one can take its place.

    One that is `endorsable` rests until it is endorsed; until `grace_until` the years of residence go on.
    """

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    at: datetime
    endorsable: bool = False
    grace_until: datetime | None = None


@event
class EndorsementReminded:
    """The holder is told that the card's year will be full at `valid_to`, and that it can be endorsed now."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    valid_to: datetime
    at: datetime


@event
class CardEndorsed:
    """The card is valid for another year; the years of residence count from `since`."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    programme: str
    outlet: str
    since: date
    valid_to: datetime
    at: datetime
    remind_at: tuple[datetime, ...] = ()


@event
class EndorsementTakenBack:
    """The card is valid until `valid_to`, as before it was endorsed: it had been reported lost by then."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    valid_to: datetime
    endorsed_at: datetime
    reported_at: datetime
    at: datetime


@event
class HoldingPassedOn:
    """What is held here is `person_id`'s from now on, whose own holding is `lead`; or the entry's own again (None)."""

    holding_id: HoldingId
    person_id: PersonId
    programme: str
    lead: HoldingId | None
    before: HoldingId | None
    holds: bool
    at: datetime


@event
class HoldingJoined:
    """The same person has a card, or one on its way, in another holding; or it `gives_way` to what there is here."""

    holding_id: HoldingId
    other: HoldingId
    gives_way: bool
    at: datetime


@event
class HoldingLeft:
    """The other holding has nothing any more, or is somebody else's again."""

    holding_id: HoldingId
    other: HoldingId
    at: datetime


@event
class HoldingEmptied:
    """There is no card here any more, and none on its way."""

    holding_id: HoldingId
    lead: HoldingId
    at: datetime


Event = (
    VerdictNoted
    | CardOrdered
    | IssueProposed
    | ReissueJoined
    | CardApproved
    | CardDeclined
    | CardReserved
    | SeatDeclined
    | CardProduced
    | CardSpoiled
    | CardArrived
    | CollectionReminded
    | CardSentOn
    | CardMailed
    | FingerprintMismatched
    | CaseClosed
    | CardUnclaimed
    | CardDestroyed
    | CardHandedOver
    | FunctionOpened
    | FunctionsTurned
    | CardActivated
    | CardReplaced
    | CardCancelled
    | PlasticRecalled
    | CardExpired
    | EndorsementReminded
    | CardEndorsed
    | EndorsementTakenBack
    | HoldingPassedOn
    | HoldingJoined
    | HoldingLeft
    | HoldingEmptied
)
