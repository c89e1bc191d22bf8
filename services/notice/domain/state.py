"""How a notice can stand."""

from datetime import datetime
from typing import TypeAlias, assert_never
from uuid import UUID

from libs.kernel import state, value
from services.ids import HoldingId
from services.notice.domain.events import (
    Details,
    Event,
    HolderAwaited,
    Letter,
    NoticeDoubted,
    NoticeFailed,
    NoticeSent,
    NoticeWanted,
    RepeatOrdered,
    SendingBegun,
    Step,
)
from services.notice.domain.naming import NoticeId


@value
class Errand:
    """What is to be told; `at` is when the step was taken."""

    notice_id: NoticeId
    holding_id: HoldingId
    step: Step
    details: Details
    at: datetime


@state
class Unheard:
    """No step of this name has come to our ears."""


@state
class Wanted:
    """The holder is to be told."""

    errand: Errand


@state
class WaitingForHolder:
    """It is not known yet whom to tell, or how to reach her."""

    errand: Errand
    since: datetime
    again_at: datetime
    looked: int


@state
class Sending:
    """The letter has left, or was about to when the courier was last seen."""

    errand: Errand
    letter: Letter
    run: UUID
    since: datetime


@state
class Told:
    """The holder was told."""

    errand: Errand
    letter: Letter
    at: datetime


@state
class Failed:
    """The holder was not told; a person should do it."""

    errand: Errand
    letter: Letter | None
    reason: str
    at: datetime


@state
class Uncertain:
    """Nobody can say whether the holder was told."""

    errand: Errand
    letter: Letter
    since: datetime


Notice: TypeAlias = Unheard | Wanted | WaitingForHolder | Sending | Told | Failed | Uncertain


def evolve(notice: Notice, fact: Event) -> Notice:
    if isinstance(fact, NoticeWanted):
        return Wanted(
            errand=Errand(
                notice_id=fact.notice_id,
                holding_id=fact.holding_id,
                step=fact.step,
                details=fact.details,
                at=fact.at,
            )
        )
    assert not isinstance(notice, Unheard)
    errand = notice.errand
    match fact:
        case HolderAwaited():
            since, looked = (notice.since, notice.looked) if isinstance(notice, WaitingForHolder) else (fact.at, 0)
            return WaitingForHolder(errand=errand, since=since, again_at=fact.again_at, looked=looked + 1)
        case SendingBegun():
            return Sending(errand=errand, letter=fact.letter, run=fact.run, since=fact.at)
        case NoticeSent():
            assert isinstance(notice, Sending)
            return Told(errand=errand, letter=notice.letter, at=fact.at)
        case NoticeFailed():
            letter = notice.letter if isinstance(notice, Sending | Uncertain) else None
            return Failed(errand=errand, letter=letter, reason=fact.reason, at=fact.at)
        case NoticeDoubted():
            assert isinstance(notice, Sending)
            return Uncertain(errand=errand, letter=notice.letter, since=fact.at)
        case RepeatOrdered():
            return Wanted(errand=errand)
        case _:
            assert_never(fact)
