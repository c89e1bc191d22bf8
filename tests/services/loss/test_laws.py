"""What nobody thought of: laws that hold whatever is asked, in whatever order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Refused
from libs.kernel.clocks import to_the_millisecond
from libs.testing.twopeople import ONE, OTHER
from services.loss.domain.commands import Command, LapseLoss
from services.loss.domain.decider import loss_desk
from services.loss.domain.events import Event
from services.loss.domain.state import Desk, Ended, InUse, Resting
from services.loss.publishing import tell
from tests.services.loss.desk_drawer import (
    CARD,
    COVERED,
    HALL,
    HOTLINE,
    NEXT_CARD,
    NIGHT,
    OTHER_BANK,
    OURS,
    STERN,
    THIRD_CARD,
    WUXI,
    a_call,
    after_all,
    announce,
    apply_anew,
    approve_cancellation,
    approve_lift,
    cancel,
    decline,
    enter_card,
    exchange,
    lift,
    note_endorsement,
    obey,
    object_to_lift,
    shanghai,
    sign,
    succeed,
    the_clock,
    under,
)

CARDS = (CARD, NEXT_CARD, THIRD_CARD)
moments = st.integers(0, 40 * 24 * 4).map(lambda quarters: NIGHT + timedelta(minutes=15 * quarters))
hours = st.sampled_from([shanghai(10, 10, 24), shanghai(10, 5, 24), shanghai(10, 15, 24)])
bylaws = st.sampled_from([OURS, STERN, under(WUXI)])


def some(command: Command, **other: Any) -> st.SearchStrategy[Command]:
    """This command at some moment, about some card."""
    return st.builds(replace, st.just(command), **{"card_id": st.sampled_from(CARDS), "at": moments} | other)


places = st.sampled_from([sign.place, OTHER_BANK, HALL, HOTLINE])
hands = st.sampled_from([ONE, OTHER])
counter = {"place": places, "under": bylaws, "document": st.sampled_from(["id_card", "passport"])}
commands: st.SearchStrategy[Command] = st.one_of(
    some(enter_card, under=bylaws),
    some(a_call, under=bylaws),
    some(a_call, under=bylaws, card_id=st.just(CARD)),
    some(sign, **counter),
    some(lift, **counter),
    some(apply_anew, **counter),
    some(exchange, **counter),
    some(cancel, **counter),
    some(approve_lift, by=hands),
    some(approve_cancellation, by=hands),
    some(object_to_lift, by=hands),
    some(note_endorsement),
    some(decline, kind=st.sampled_from(["reissue", "replacement", "first"])),
    st.sampled_from([(CARD, NEXT_CARD), (NEXT_CARD, THIRD_CARD)]).flatmap(
        lambda pair: some(succeed, old_card_id=st.just(pair[0]), card_id=st.just(pair[1]), under=bylaws)
    ),
    some(announce, lapses_at=hours),
    st.builds(replace, st.just(the_clock), card_id=st.sampled_from(CARDS), lapses_at=hours),
)
lives = st.lists(commands, max_size=12).map(lambda asked: [enter_card, *asked])


def obeyed(desk: Desk, command: Command) -> tuple[Desk, Sequence[Event]]:
    try:
        facts = loss_desk.decide(command, desk)
    except Refused:
        return desk, []
    return loss_desk.fold(facts, desk), facts


@for_all(st.lists(commands), commands)
def test_any_command_may_be_said_twice(past: list[Command], command: Command) -> None:
    once = obey(after_all(*past), command)
    assert obeyed(once, command) == (once, [])


@for_all(st.lists(commands))
def test_facts_fold_to_where_the_desk_stands_and_can_all_be_told(past: list[Command]) -> None:
    desk, facts = loss_desk.initial, list[Event]()
    for command in past:
        desk, news = obeyed(desk, command)
        facts += news
    assert loss_desk.fold(facts) == desk
    for fact in facts:
        tell(fact)
        assert all(due.at.tzinfo is not None for due in loss_desk.due(fact))


def in_order(past: list[Command]) -> list[Command]:
    """The same commands as the shell would have them: no moment before the one that came first."""
    latest, ordered = NIGHT, list[Command]()
    for command in past:
        if isinstance(command, LapseLoss):
            continue
        latest = max(latest, command.at)
        ordered.append(replace(command, at=latest))
    return ordered


@for_all(lives, st.lists(moments, min_size=1), st.data())
def test_a_function_is_stopped_or_not_whether_or_not_the_timer_has_run(
    past: list[Command], seen_at: list[datetime], data: st.DataObject
) -> None:
    """Two desks hear the same; the timers of one are never late, those of the other never run."""
    punctual = late = loss_desk.initial
    pending: list[LapseLoss] = []
    for command in in_order(past):
        at = getattr(command, "at", NIGHT)
        for timer in [timer for timer in pending if timer.lapses_at <= at]:
            punctual = obey(punctual, timer)
        punctual, news = obeyed(punctual, command)
        pending += [due.command for fact in news for due in loss_desk.due(fact) if isinstance(due.command, LapseLoss)]
        late = obey(late, command)
    now = max((getattr(command, "at", NIGHT) for command in past), default=NIGHT)
    edges = [edge for stretch in (*punctual.history, *late.history) if (edge := stretch.until)]
    function = data.draw(st.sampled_from((*COVERED, "epurse")))
    for moment in (*seen_at, *edges, now):
        for card in CARDS:
            assert punctual.stopped(card, function, moment) == late.stopped(card, function, moment)


@for_all(st.lists(commands), commands)
def test_a_card_that_has_ended_never_comes_back(past: list[Command], command: Command) -> None:
    before = after_all(*past)
    desk = obey(before, command)
    for ending in before.endings:
        assert desk.ended(ending.card_id, ending.at)
        assert isinstance(desk.card, Ended) or getattr(desk.card, "card_id", None) != ending.card_id


@for_all(lives)
def test_a_resting_card_is_stopped_from_the_call_to_its_hour(past: list[Command]) -> None:
    """Function by function, for what a second call added may rest longer than what the first one stopped."""
    desk = after_all(*in_order(past))
    if isinstance(desk.card, Resting):
        a_moment = timedelta(milliseconds=1)
        for hold in desk.card.holds:
            for moment in (hold.from_, (hold.lapses_at or hold.from_) - a_moment):
                assert desk.stopped(desk.card.card_id, hold.function, to_the_millisecond(moment))


@for_all(lives)
def test_a_card_in_use_is_not_stopped_from_its_last_report_on(past: list[Command]) -> None:
    ordered = in_order(past)
    desk = after_all(*ordered)
    if isinstance(desk.card, InUse):
        now = max(getattr(command, "at", NIGHT) for command in ordered)
        assert not any(desk.stopped(desk.card.card_id, function, now) for function in COVERED)
