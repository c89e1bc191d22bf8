"""What issuance tells the city: the life of a card, from the application to its end."""

from datetime import date, datetime

from pydantic import BaseModel

from libs.messaging.contract import Contract
from services.ids import ApplicationId, BatchId, CardId, HoldingId, PersonId


class ApplicationSubmitted(Contract, type="issuance.ApplicationSubmitted.v1"):
    """Somebody has asked for a card."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    programme: str
    outlet: str
    receipt_hash: str
    """SHA-256 of the receipt number, in hex; whoever holds the receipt can find the application, nobody else."""
    at: datetime
    channel: str = ""
    """`hall`, `community`, `bank`, `unit`, `police` or `online`; empty before channels were told apart."""
    unit: str = ""
    """The code of the unit through which the applicant came, if she came through one."""


class UnitApplied(Contract, type="issuance.UnitApplied.v1"):
    """A unit's delegate has brought a list: so many rows became applications, and so many did not."""

    submission_id: str
    unit: str
    """The unit's code, which is public."""
    programme: str
    outlet: str
    taken: int
    refused: int
    at: datetime


class DeliveryChosen(Contract, type="issuance.DeliveryChosen.v1"):
    """The applicant wants the card to reach her in another way: `counter`, `agent` or `mail`."""

    application_id: ApplicationId
    holding_id: HoldingId
    way: str
    at: datetime


class SupplementAsked(Contract, type="issuance.SupplementAsked.v1"):
    """Something is missing; the application waits for the applicant."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    reason: str
    until: datetime
    at: datetime
    portrait: list[str] = []
    """What a clerk has found wrong with the portrait, by the codes of the questions."""


class ApplicationSupplemented(Contract, type="issuance.ApplicationSupplemented.v1"):
    """What was missing has come."""

    application_id: ApplicationId
    holding_id: HoldingId
    at: datetime


class ApplicationAccepted(Contract, type="issuance.ApplicationAccepted.v1"):
    """A clerk has verified the person and taken the application in."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    promised_by: datetime
    at: datetime
    provisional: bool = False
    """Whether that hour lies in a year whose working days are not published yet."""
    fee_fen: int = 0
    fee_approval: str = ""
    """The reference of the price department's approval; there is no fee without one."""


class ReviewAsked(Contract, type="issuance.ReviewAsked.v1"):
    """An accepted application waits for another authority, which should answer by `review_by`."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    authority: str
    review_by: datetime
    at: datetime


class ReviewPassed(Contract, type="issuance.ReviewPassed.v1"):
    """The other authority agrees."""

    application_id: ApplicationId
    holding_id: HoldingId
    at: datetime


class ReviewOverdue(Contract, type="issuance.ReviewOverdue.v1"):
    """The other authority has let its hour pass; the application still waits."""

    application_id: ApplicationId
    holding_id: HoldingId
    authority: str
    at: datetime


class ApplicationRejected(Contract, type="issuance.ApplicationRejected.v1"):
    """A clerk has turned the application down."""

    application_id: ApplicationId
    holding_id: HoldingId
    person_id: PersonId
    reason: str
    at: datetime


class ApplicationWithdrawn(Contract, type="issuance.ApplicationWithdrawn.v1"):
    """The applicant no longer wants the card, or did not answer in time."""

    application_id: ApplicationId
    holding_id: HoldingId
    reason: str
    at: datetime


class CardWaiting(Contract, type="issuance.CardWaiting.v1"):
    """An accepted application waits until the departments' facts allow a verdict."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    at: datetime


class CardApproved(Contract, type="issuance.CardApproved.v1"):
    """A card is to be made."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    programme: str
    outlet: str
    kind: str
    """`first`, `reissue` in place of a lost card, or `replacement` of one that still works."""
    at: datetime


class NewCardDeclined(Contract, type="issuance.NewCardDeclined.v1"):
    """No card will be made."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    kind: str = "first"
    """What was declined: the `first` card, a `reissue` in place of a lost one, or a `replacement` of a worn one."""
    old_card_id: CardId | None = None
    """The card that was to be replaced, if any."""
    reason: str
    at: datetime


class CardReserved(Contract, type="issuance.CardReserved.v1"):
    """A card has its number and its seat in a production batch."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    card_id: CardId
    card_number: str
    batch_id: BatchId
    at: datetime
    valid_to: datetime | None = None
    """The end of its validity that is printed on it; none where that counts from the hand-over."""
    valid_by: str = ""
    """By which rule that is so: `years`, `age`, or the fact with which it ends."""


class CardProduced(Contract, type="issuance.CardProduced.v1"):
    """A card came back good from production."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    card_id: CardId
    at: datetime


class CardSpoiled(Contract, type="issuance.CardSpoiled.v1"):
    """A card was spoiled in production; its number is retired and it is made again."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    card_id: CardId
    reason: str
    at: datetime


class CardArrived(Contract, type="issuance.CardArrived.v1"):
    """A card lies ready at its outlet."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    outlet: str
    kept_until: datetime
    at: datetime


class CollectionReminded(Contract, type="issuance.CollectionReminded.v1"):
    """A card still lies at its outlet; its holder should be told again."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    outlet: str
    kept_until: datetime
    at: datetime


class CardSentOn(Contract, type="issuance.CardSentOn.v1"):
    """A card goes to another outlet, and is collected there."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    outlet: str
    kept_until: datetime
    at: datetime


class CardMailed(Contract, type="issuance.CardMailed.v1"):
    """A card is in the post."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    tracking: str
    at: datetime


class CaseOpened(Contract, type="issuance.CaseOpened.v1"):
    """A card is not handed over until somebody has found out why: the `fingerprint` was not its holder's."""

    holding_id: HoldingId
    card_id: CardId
    kind: str
    outlet: str
    at: datetime


class CaseClosed(Contract, type="issuance.CaseClosed.v1"):
    """Somebody has found out; the card may be handed over again."""

    holding_id: HoldingId
    card_id: CardId
    finding: str
    at: datetime


class CardDestroyed(Contract, type="issuance.CardDestroyed.v1"):
    """A card that nobody fetched is no more."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime


class CardUnclaimed(Contract, type="issuance.CardUnclaimed.v1"):
    """Nobody came for a card in time."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    at: datetime


class CardHandedOver(Contract, type="issuance.CardHandedOver.v1"):
    """A card is in its holder's hand."""

    application_id: ApplicationId | None = None
    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    outlet: str
    at: datetime
    taker: str = ""
    """`holder`, `agent`, `guardian`, `unit` or `mail`; empty before these were told apart."""


class FunctionOpened(Contract, type="issuance.FunctionOpened.v1"):
    """A function was opened on a card: by the `holder`, at an `outlet`, at the `bank` or with its `wallet`."""

    holding_id: HoldingId
    card_id: CardId
    function: str
    place: str
    at: datetime


class FunctionStanding(BaseModel):
    """How a function of a card stands."""

    function: str
    standing: str
    """`unavailable` (the holder may not have it), `available` (to be opened), `enabled`, or `suspended`."""
    because: str


class FunctionsTurned(Contract, type="issuance.FunctionsTurned.v1"):
    """The functions of the card that counts stand otherwise than before; all of them are listed.

    What a loss report stops is told by the loss desk, and holds whatever stands here.
    """

    holding_id: HoldingId
    card_id: CardId
    functions: list[FunctionStanding]
    at: datetime


class OlderUntil(BaseModel):
    """A card of before, taken beside the new one until this moment and not from then on (R81, R82)."""

    scheme: str
    until: datetime


class CardActivated(Contract, type="issuance.CardActivated.v1"):
    """The first card of a holding works."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime
    older: list[OlderUntil] = []


class CardReplaced(Contract, type="issuance.CardReplaced.v1"):
    """One fact, one instant: the new card works and the old one has ended for ever."""

    holding_id: HoldingId
    person_id: PersonId
    old_card_id: CardId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime


class CardCancelled(Contract, type="issuance.CardCancelled.v1"):
    """A card has ended without a successor."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    reason: str
    at: datetime


class CardExpired(Contract, type="issuance.CardExpired.v1"):
    """A card has reached the end of its validity."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    at: datetime
    endorsable: bool = False
    """Whether it rests, and is valid again when it is endorsed."""
    grace_until: datetime | None = None
    """Until when a late endorsement keeps the years of residence; None where any does."""


class EndorsementReminded(Contract, type="issuance.EndorsementReminded.v1"):
    """A card's year will soon be full; it can be endorsed now."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    valid_to: datetime
    at: datetime


class CardEndorsed(Contract, type="issuance.CardEndorsed.v1"):
    """A card that holds from year to year is valid for another one; whatever shows it elsewhere follows it (R137)."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    programme: str
    since: date
    """From which day the years of residence count."""
    valid_to: datetime
    at: datetime


class EndorsementTakenBack(Contract, type="issuance.EndorsementTakenBack.v1"):
    """A card is valid until `valid_to`, as before it was endorsed: it had been reported lost by then."""

    holding_id: HoldingId
    person_id: PersonId
    card_id: CardId
    valid_to: datetime
    at: datetime


class HoldingPassedOn(Contract, type="issuance.HoldingPassedOn.v1"):
    """What is held here is another entry's from now on: two entries were merged, or a merge was taken back."""

    holding_id: HoldingId
    person_id: PersonId
    """Whose it is now."""
    programme: str
    lead: HoldingId | None
    """The holding of the entry that remains; none where the entry stands for itself again."""
    at: datetime


class BatchOpened(Contract, type="issuance.BatchOpened.v1"):
    """Cards go into production together."""

    batch_id: BatchId
    programme: str
    outlet: str
    seats: int
    at: datetime


class BatchReturned(Contract, type="issuance.BatchReturned.v1"):
    """A return file was read: so many cards came back good, and so many spoiled."""

    batch_id: BatchId
    good: int
    spoiled: int
    at: datetime


class BatchReceived(Contract, type="issuance.BatchReceived.v1"):
    """The good cards of a batch were counted into an outlet."""

    batch_id: BatchId
    outlet: str
    count: int
    at: datetime


TELLS = (
    UnitApplied, ApplicationSubmitted, DeliveryChosen, SupplementAsked, ApplicationSupplemented, ApplicationAccepted,
    ReviewAsked, ReviewPassed, ReviewOverdue, ApplicationRejected, ApplicationWithdrawn, CardWaiting, CardApproved,
    NewCardDeclined, CardReserved, CardProduced, CardSpoiled, CardArrived, CollectionReminded, CardSentOn, CardMailed,
    CaseOpened, CaseClosed, CardUnclaimed, CardDestroyed, CardHandedOver, FunctionOpened, FunctionsTurned,
    CardActivated, CardReplaced, CardCancelled, CardExpired, EndorsementReminded, CardEndorsed,
    EndorsementTakenBack, HoldingPassedOn,
    BatchOpened, BatchReturned, BatchReceived,
)  # fmt: skip
