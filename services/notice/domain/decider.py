"""A step heard twice is told once; what may have been told is never told again unless a person says so."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Missing
from services.ids import PersonId
from services.notice.domain.commands import (
    AwaitHolder,
    BeginSending,
    CarryOut,
    Command,
    RecordDoubt,
    RecordFailure,
    RecordSent,
    ResolveDoubt,
    TellHolder,
)
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
from services.notice.domain.naming import NoticeId
from services.notice.domain.state import (
    Errand,
    Failed,
    Notice,
    Sending,
    Told,
    Uncertain,
    Unheard,
    WaitingForHolder,
    Wanted,
    evolve,
)

HOLDER_AWAITED_FOR = timedelta(days=1)
FIRST_LOOK_AFTER = timedelta(seconds=1)

HOLDER_UNKNOWN = "holder-unknown"
GIVEN_UP = "given-up"


class NoticeUnknown(Missing):
    """There is no notice {notice_id}; take its number from the list of the holding's notices."""


class NothingInDoubt(Clash):
    """What became of notice {notice_id} is not in doubt, so there is nothing to decide; look at how it stands."""


def decide(command: Command, notice: Notice) -> Sequence[Event]:
    match command:
        case TellHolder():
            return tell_holder(command, notice)
        case AwaitHolder():
            return await_holder(command, notice)
        case BeginSending():
            return begin_sending(command, notice)
        case RecordSent():
            return record_sent(command, notice)
        case RecordFailure():
            return record_failure(command, notice)
        case RecordDoubt():
            return record_doubt(command, notice)
        case ResolveDoubt():
            return resolve_doubt(command, notice)
        case _:
            assert_never(command)


def tell_holder(asked: TellHolder, notice: Notice) -> Sequence[Event]:
    """Heard twice, told once."""
    if not isinstance(notice, Unheard):
        return []
    return [
        NoticeWanted(
            notice_id=asked.notice_id,
            holding_id=asked.holding_id,
            step=asked.step,
            details=asked.details,
            at=asked.at,
        )
    ]


def await_holder(asked: AwaitHolder, notice: Notice) -> Sequence[Event]:
    """Two services speak at once, and the step may be heard before its holder is: look again, ever later, for a day."""
    match notice:
        case Wanted():
            since, looked = asked.at, 0
        case WaitingForHolder(again_at=again_at) if asked.at < again_at:
            return []
        case WaitingForHolder(errand=errand, since=since, looked=looked):
            if asked.at - since >= HOLDER_AWAITED_FOR:
                return [_failed(errand, None, HOLDER_UNKNOWN, asked.at)]
        case _:
            return []
    again_at = min(asked.at + FIRST_LOOK_AFTER * 2**looked, since + HOLDER_AWAITED_FOR)
    return [HolderAwaited(notice_id=asked.notice_id, at=asked.at, again_at=again_at)]


def begin_sending(asked: BeginSending, notice: Notice) -> Sequence[Event]:
    """Said before it is done, so that whoever comes after a crash knows that it may have been."""
    if not isinstance(notice, Wanted | WaitingForHolder):
        return []
    return [SendingBegun(notice_id=asked.notice_id, letter=asked.letter, run=asked.run, at=asked.at)]


def record_sent(asked: RecordSent, notice: Notice) -> Sequence[Event]:
    """The provider answers for it from here."""
    if not isinstance(notice, Sending):
        return []
    return [
        NoticeSent(
            notice_id=asked.notice_id,
            holding_id=notice.errand.holding_id,
            person_id=notice.letter.person_id,
            step=notice.errand.step,
            language=notice.letter.language,
            at=asked.at,
        )
    ]


def record_failure(asked: RecordFailure, notice: Notice) -> Sequence[Event]:
    """It did not go out, and trying again would not help."""
    if not isinstance(notice, Sending):
        return []
    return [_failed(notice.errand, notice.letter.person_id, asked.reason, asked.at)]


def record_doubt(asked: RecordDoubt, notice: Notice) -> Sequence[Event]:
    """It may have gone out; nobody but a person takes the risk of saying it twice, or never."""
    return [NoticeDoubted(notice_id=asked.notice_id, at=asked.at)] if isinstance(notice, Sending) else []


def resolve_doubt(asked: ResolveDoubt, notice: Notice) -> Sequence[Event]:
    """A person decides what no machine can know."""
    match notice:
        case Unheard():
            raise NoticeUnknown(notice_id=asked.notice_id)
        case Uncertain() if asked.send_again:
            return [RepeatOrdered(notice_id=asked.notice_id, at=asked.at)]
        case Uncertain(errand=errand, letter=letter):
            return [_failed(errand, letter.person_id, GIVEN_UP, asked.at)]
        case Wanted() | WaitingForHolder() | Sending() | Told() | Failed():
            raise NothingInDoubt(notice_id=asked.notice_id)
        case _:
            assert_never(notice)


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case NoticeWanted() | RepeatOrdered():
            yield _carry_out(fact.notice_id, fact.at)
        case HolderAwaited():
            yield _carry_out(fact.notice_id, fact.again_at)


notices: Decider[Command, Notice, Event] = Decider(Unheard(), decide, evolve, due)


def _carry_out(notice_id: NoticeId, at: datetime) -> Due:
    return Due(at, CarryOut(notice_id=notice_id))


def _failed(errand: Errand, person_id: PersonId | None, reason: str, at: datetime) -> NoticeFailed:
    return NoticeFailed(
        notice_id=errand.notice_id,
        holding_id=errand.holding_id,
        person_id=person_id,
        step=errand.step,
        reason=reason,
        at=at,
    )
