"""Which facts about notices the city is told, and in which words."""

from libs.messaging.contract import Contract
from services.notice import contracts as told
from services.notice.domain.events import (
    Event,
    HolderAwaited,
    NoticeDoubted,
    NoticeFailed,
    NoticeSent,
    NoticeWanted,
    RepeatOrdered,
    SendingBegun,
)


def tell(fact: Event) -> Contract | None:
    match fact:
        case NoticeSent():
            return told.NoticeSent(
                notice_id=fact.notice_id,
                person_id=fact.person_id,
                holding_id=fact.holding_id,
                step=fact.step,
                language=fact.language,
                at=fact.at,
            )
        case NoticeFailed(person_id=None):
            return None  # There is nobody to name; the list of notices shows it.
        case NoticeFailed(person_id=str() as person_id):
            return told.NoticeFailed(
                notice_id=fact.notice_id,
                person_id=person_id,
                holding_id=fact.holding_id,
                step=fact.step,
                reason=fact.reason,
                at=fact.at,
            )
        case NoticeWanted() | HolderAwaited() | SendingBegun() | NoticeDoubted() | RepeatOrdered():
            return None  # Our own affair until something has come of it.
    raise AssertionError(fact)
