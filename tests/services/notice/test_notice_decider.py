"""A step heard twice is told once; what may have been told is never told again unless a person says so."""

from dataclasses import replace
from datetime import timedelta
from functools import reduce
from uuid import UUID

from hypothesis import given as whatever
from hypothesis import strategies as st

from libs.kernel import Due, Refused, Sealed
from libs.testing.conversation import given
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
from services.notice.domain.decider import NothingInDoubt, NoticeUnknown, notices
from services.notice.domain.events import (
    Details,
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
from services.notice.domain.naming import notice_id
from services.notice.domain.state import Notice
from tests.services.notice.town import CARD, HOLDING, LI, MORNING

ID = notice_id(HOLDING, Step.CARD_ARRIVED, CARD)
LATER = MORNING + timedelta(minutes=5)
RUN = UUID(int=1)
LETTER = Letter(person_id=LI, to=Sealed(box="v1.k.x"), language="zh", text="您的市民卡已到")

tell = TellHolder(
    notice_id=ID, holding_id=HOLDING, step=Step.CARD_ARRIVED, details=Details(outlet="zs-hall"), at=MORNING
)
wanted = NoticeWanted(
    notice_id=ID, holding_id=HOLDING, step=Step.CARD_ARRIVED, details=Details(outlet="zs-hall"), at=MORNING
)
awaited = HolderAwaited(notice_id=ID, at=MORNING, again_at=MORNING + timedelta(seconds=1))
begin = BeginSending(notice_id=ID, letter=LETTER, run=RUN, at=LATER)
begun = SendingBegun(notice_id=ID, letter=LETTER, run=RUN, at=LATER)
sent = NoticeSent(notice_id=ID, holding_id=HOLDING, person_id=LI, step=Step.CARD_ARRIVED, language="zh", at=LATER)
failed = NoticeFailed(
    notice_id=ID, holding_id=HOLDING, person_id=LI, step=Step.CARD_ARRIVED, reason="number-invalid", at=LATER
)
doubted = NoticeDoubted(notice_id=ID, at=LATER)
repeated = RepeatOrdered(notice_id=ID, at=LATER)
record_sent = RecordSent(notice_id=ID, at=LATER)
record_failure = RecordFailure(notice_id=ID, reason="number-invalid", at=LATER)
record_doubt = RecordDoubt(notice_id=ID, at=LATER)
send_again = ResolveDoubt(notice_id=ID, send_again=True, at=LATER)
let_it_be = ResolveDoubt(notice_id=ID, send_again=False, at=LATER)


def test_a_step_makes_a_notice() -> None:
    given(notices).when(tell).then(wanted)


def test_a_step_heard_twice_makes_no_second_one() -> None:
    for past in ((wanted,), (wanted, begun), (wanted, begun, sent), (wanted, begun, failed)):
        given(notices, *past).when(tell).then()


def test_a_wanted_notice_is_carried_out_at_once() -> None:
    assert list(notices.due(wanted)) == [Due(MORNING, CarryOut(notice_id=ID))]


def test_a_notice_waits_for_its_holder_ever_longer() -> None:
    again = MORNING + timedelta(seconds=1)
    given(notices, wanted).when(AwaitHolder(notice_id=ID, at=MORNING)).then(awaited)
    given(notices, wanted, awaited).when(AwaitHolder(notice_id=ID, at=again)).then(
        HolderAwaited(notice_id=ID, at=again, again_at=again + timedelta(seconds=2))
    )
    assert list(notices.due(awaited)) == [Due(again, CarryOut(notice_id=ID))]


def test_a_notice_whose_holder_is_not_known_after_a_day_has_failed() -> None:
    a_day_later = MORNING + timedelta(days=1)
    given(notices, wanted, awaited).when(AwaitHolder(notice_id=ID, at=a_day_later)).then(
        replace(failed, person_id=None, reason="holder-unknown", at=a_day_later)
    )


def test_the_last_look_is_at_the_end_of_the_day() -> None:
    late = MORNING + timedelta(hours=23)
    past = [wanted, *[replace(awaited, again_at=late)] * 16]
    given(notices, *past).when(AwaitHolder(notice_id=ID, at=late)).then(
        HolderAwaited(notice_id=ID, at=late, again_at=MORNING + timedelta(days=1))
    )


def test_a_letter_leaves_once() -> None:
    given(notices, wanted).when(begin).then(begun)
    given(notices, wanted, awaited).when(begin).then(begun)
    for past in ((begun,), (begun, sent), (begun, failed), (begun, doubted)):
        given(notices, wanted, *past).when(replace(begin, run=UUID(int=2))).then()


def test_what_came_of_a_letter_is_written_down_once() -> None:
    on_its_way = given(notices, wanted, begun)
    on_its_way.when(record_sent).then(sent)
    on_its_way.when(record_failure).then(failed)
    on_its_way.when(record_doubt).then(doubted)
    for record in (record_sent, record_failure, record_doubt):
        for end in (sent, failed, doubted):
            given(notices, wanted, begun, end).when(record).then()


def test_a_doubt_is_resolved_by_a_person() -> None:
    in_doubt = given(notices, wanted, begun, doubted)
    in_doubt.when(send_again).then(repeated)
    in_doubt.when(let_it_be).then(replace(failed, reason="given-up"))
    assert list(notices.due(repeated)) == [Due(LATER, CarryOut(notice_id=ID))]
    assert not list(notices.due(doubted))
    given(notices, wanted, begun, doubted, repeated).when(begin).then(begun)


def test_where_nothing_is_in_doubt_nothing_is_decided() -> None:
    given(notices).when(send_again).refused(NoticeUnknown)
    for past in ((), (awaited,), (begun,), (begun, sent), (begun, failed), (begun, doubted, repeated)):
        given(notices, wanted, *past).when(send_again).refused(NothingInDoubt)


COMMANDS: list[Command] = [
    tell, AwaitHolder(notice_id=ID, at=MORNING), AwaitHolder(notice_id=ID, at=MORNING + timedelta(days=1)), begin,
    record_sent, record_failure, record_doubt, send_again, let_it_be,
]  # fmt: skip


def obey(notice: Notice, command: Command) -> Notice:
    try:
        return notices.fold(notices.decide(command, notice), notice)
    except Refused:
        return notice


@whatever(st.lists(st.sampled_from(COMMANDS)), st.sampled_from(COMMANDS))
def test_any_command_may_be_said_twice(past: list[Command], command: Command) -> None:
    notice = reduce(obey, past, notices.initial)
    assert obey(obey(notice, command), command) == obey(notice, command)
