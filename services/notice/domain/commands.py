"""What can be asked about notices."""

from datetime import datetime
from uuid import UUID

from libs.kernel import command
from services.ids import HoldingId
from services.notice.domain.events import Details, Letter, Step
from services.notice.domain.naming import NoticeId


@command
class TellHolder:
    """A step was taken; tell its holder."""

    notice_id: NoticeId
    holding_id: HoldingId
    step: Step
    details: Details
    at: datetime


@command
class AwaitHolder:
    """Whom to tell is not known at this moment."""

    notice_id: NoticeId
    at: datetime


@command
class BeginSending:
    """The letter is written and about to leave."""

    notice_id: NoticeId
    letter: Letter
    run: UUID
    at: datetime


@command
class RecordSent:
    """The provider has taken the letter."""

    notice_id: NoticeId
    at: datetime


@command
class RecordFailure:
    """The letter cannot be sent."""

    notice_id: NoticeId
    reason: str
    at: datetime


@command
class RecordDoubt:
    """The provider cannot tell whether it took the letter."""

    notice_id: NoticeId
    at: datetime


@command
class ResolveDoubt:
    """A person has looked at a notice in doubt, and decides."""

    notice_id: NoticeId
    send_again: bool
    at: datetime


Command = TellHolder | AwaitHolder | BeginSending | RecordSent | RecordFailure | RecordDoubt | ResolveDoubt


@command
class CarryOut:
    """The letter is to be carried out of the house: work for the courier, with nothing in it to decide."""

    notice_id: NoticeId
