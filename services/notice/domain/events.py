"""What has happened to notices; nothing here says who the holder is, save in a closed envelope."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from libs.kernel import Sealed, event, value
from services.ids import HoldingId, PersonId
from services.notice.domain.naming import NoticeId


class Step(StrEnum):
    """What a holder is told of."""

    SUPPLEMENT_ASKED = "supplement-asked"
    APPLICATION_REJECTED = "application-rejected"
    NEW_CARD_DECLINED = "new-card-declined"
    REVIEW_OVERDUE = "review-overdue"
    CARD_ARRIVED = "card-arrived"
    COLLECTION_REMINDED = "collection-reminded"
    CARD_SENT_ON = "card-sent-on"
    CARD_MAILED = "card-mailed"
    CARD_UNCLAIMED = "card-unclaimed"
    CARD_REPLACED = "card-replaced"
    CARD_EXPIRED = "card-expired"
    ENDORSEMENT_NEAR = "endorsement-near"
    ENDORSEMENT_MISSED = "endorsement-missed"
    CARD_ENDORSED = "card-endorsed"
    ENDORSEMENT_TAKEN_BACK = "endorsement-taken-back"
    CARD_CANCELLED = "card-cancelled"
    CARD_RESTS = "card-rests"
    CARD_STOPPED = "card-stopped"
    LAPSE_NEAR = "lapse-near"
    REPORT_LAPSED = "report-lapsed"
    REPORT_LIFTED = "report-lifted"


@value
class Details:
    """What a text about a step names: an outlet by its id, an hour by which something ends, a reason, a parcel."""

    outlet: str = ""
    until: datetime | None = None
    reason: str = ""
    tracking: str = ""


@value
class Letter:
    """To whom a notice goes, and in which words. `to` is the mobile number in its envelope."""

    person_id: PersonId
    to: Sealed
    language: str
    text: str


@event
class NoticeWanted:
    """A step was taken; its holder is to be told."""

    notice_id: NoticeId
    holding_id: HoldingId
    step: Step
    details: Details
    at: datetime


@event
class HolderAwaited:
    """It is not known yet whom to tell; we look again at `again_at`."""

    notice_id: NoticeId
    at: datetime
    again_at: datetime


@event
class SendingBegun:
    """The letter is about to leave; from here on nobody may suppose that it has not. `run` names the errand."""

    notice_id: NoticeId
    letter: Letter
    run: UUID
    at: datetime


@event
class NoticeSent:
    """The holder was told."""

    notice_id: NoticeId
    holding_id: HoldingId
    person_id: PersonId
    step: Step
    language: str
    at: datetime


@event
class NoticeFailed:
    """The holder was not told, and will not be by us; nobody is named where nobody was known."""

    notice_id: NoticeId
    holding_id: HoldingId
    person_id: PersonId | None
    step: Step
    reason: str
    at: datetime


@event
class NoticeDoubted:
    """Nobody can say whether the holder was told; a person decides."""

    notice_id: NoticeId
    at: datetime


@event
class RepeatOrdered:
    """A person has decided that the holder be told, be it for the second time."""

    notice_id: NoticeId
    at: datetime


Event = NoticeWanted | HolderAwaited | SendingBegun | NoticeSent | NoticeFailed | NoticeDoubted | RepeatOrdered
