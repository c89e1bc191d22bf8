"""What notice tells the city: that somebody was told."""

from datetime import datetime

from libs.messaging.contract import Contract
from services.ids import HoldingId, PersonId


class NoticeSent(Contract, type="notice.NoticeSent.v1"):
    """The holder was told of a step."""

    notice_id: str
    person_id: PersonId
    holding_id: HoldingId
    step: str
    """What was told, for example `card-arrived`."""
    language: str
    at: datetime


class NoticeFailed(Contract, type="notice.NoticeFailed.v1"):
    """The holder could not be told of a step; a person should."""

    notice_id: str
    person_id: PersonId
    holding_id: HoldingId
    step: str
    reason: str
    at: datetime


TELLS = (NoticeSent, NoticeFailed)
