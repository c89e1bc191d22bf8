"""Whose duty has ended: no door of the city takes a token that was issued for it before."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet

from libs.kernel.ids import written
from libs.kernel.outages import Outage
from libs.messaging.bus import topic_of
from libs.messaging.memory import MemoryBus
from libs.runtime.cli import build_services
from libs.runtime.house import House
from libs.runtime.platform import Platform
from libs.runtime.withdrawals import Ear
from libs.testing.bus_contract import message
from libs.testing.clocks import NOON, StandingClock
from libs.testing.town import Town, memory_platform, town_settings, within_earshot, work_off
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, TokenNeeded, Tokens, issue
from libs.web.withdrawn import LIFE_MAX_S, SKEW_S, DutyEnded, Withdrawal, Withdrawn, staff_of
from services.office.contracts import Dismissed
from services.office.wiring import build as build_office
from tests.platform import CENTRE, ZHOUSHAN

KEY = ECKey.generate_key("P-256", {"kid": "ours"})
LIN = Caller("lin-1", "clerk", ZHOUSHAN, outlet="zs-dinghai")
LIN_S_ID = staff_of(ZHOUSHAN, LIN.id)
NO_MORE_AT_DINGHAI = Withdrawal(LIN_S_ID, "clerk", "zs-dinghai", NOON)
A_MOMENT, SKEW = timedelta(seconds=1), timedelta(seconds=SKEW_S)


class Door:
    """A door with a clock of its own, and those who come to it."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.withdrawn = Withdrawn(self.clock)
        self._tokens = Tokens(KeySet([KEY]), self.clock, ISSUER_DEVELOPMENT, self.withdrawn, [ZHOUSHAN, "320200"])

    def token(self, who: Caller = LIN, lives_s: int = 28_800) -> str:
        return issue(KEY, self.clock, who, ISSUER_DEVELOPMENT, lives_s)

    def lets_in(self, token: str) -> bool:
        try:
            self._tokens.caller(f"Bearer {token}")
        except DutyEnded:
            return False
        return True


@pytest.fixture
def door() -> Door:
    return Door()


# --- what a door holds against a token ---


@pytest.mark.requirement("R163")
def test_a_token_that_was_issued_before_a_duty_ended_is_refused_also_when_it_was_seen_before(door: Door) -> None:
    seen, unseen = door.token(), door.token()
    assert door.lets_in(seen)
    door.withdrawn.note(NO_MORE_AT_DINGHAI)
    assert not door.lets_in(seen)
    assert not door.lets_in(unseen)


def test_whoever_has_the_duty_again_takes_a_new_token(door: Door) -> None:
    door.withdrawn.note(NO_MORE_AT_DINGHAI)
    door.clock.move(SKEW)
    assert not door.lets_in(door.token()), "the issuer's clock may be ahead of ours"
    door.clock.move(A_MOMENT)
    assert door.lets_in(door.token())


@pytest.mark.parametrize(
    ("who", "in_"),
    [
        (replace(LIN, outlet="zs-hall"), True),
        (replace(LIN, role="hotline"), True),
        (replace(LIN, id="wang-1"), True),
        (replace(LIN, city="320200"), True),
        (replace(LIN, role="citizen", outlet="", person="P"), True),
        (replace(LIN, outlet=""), False),
        (replace(LIN, city=""), False),
        (replace(LIN, city="", outlet=""), False),
    ],
    ids=["elsewhere", "another duty", "somebody else", "another city", "as a citizen", "anywhere", "any", "any at all"],
)
def test_only_the_duty_that_ended_is_refused(door: Door, who: Caller, in_: bool) -> None:
    token = door.token(who)
    door.withdrawn.note(NO_MORE_AT_DINGHAI)
    assert door.lets_in(token) is in_


def test_where_nobody_wrote_down_which_duty_it_was_it_may_be_any(door: Door) -> None:
    token = door.token(replace(LIN, outlet="zs-hall"))
    door.withdrawn.note(replace(NO_MORE_AT_DINGHAI, duty="", organisation=""))
    assert not door.lets_in(token)


def test_the_refusal_says_since_when_and_what_to_do(door: Door) -> None:
    door.withdrawn.note(NO_MORE_AT_DINGHAI)
    with pytest.raises(DutyEnded, match=r"2026-10-08T04:00:00\+00:00\. Sign in again .* after 2026-10-08T04:01:00"):
        Tokens(KeySet([KEY]), door.clock, ISSUER_DEVELOPMENT, door.withdrawn).caller(f"Bearer {door.token()}")


moments = st.integers(-LIFE_MAX_S, 0).map(lambda s: NOON + timedelta(seconds=s))
withdrawals = st.builds(
    Withdrawal, st.sampled_from("AB"), st.sampled_from(["", "clerk"]), st.sampled_from(["", "hall"]), moments
)


def refused(withdrawn: Withdrawn, issued_at: datetime) -> list[str]:
    found = []
    for who in "AB":
        for outlet in ("", "hall", "bank"):
            try:
                withdrawn.check([who], "clerk", outlet, issued_at.timestamp())
            except DutyEnded as refusal:
                found.append(f"{who} {outlet} {refusal.status}")
    return found


@given(st.lists(withdrawals), st.randoms(use_true_random=False), moments)
def test_heard_twice_or_in_any_order_it_comes_to_the_same(heard: list[Withdrawal], chance: Any, issued: Any) -> None:
    once, anyhow = Withdrawn(StandingClock()), Withdrawn(StandingClock())
    for one in heard:
        once.note(one)
    shuffled = [*heard, *heard[::2]]
    chance.shuffle(shuffled)
    for one in shuffled:
        anyhow.note(one)
    assert refused(anyhow, issued) == refused(once, issued)


def test_what_no_token_can_be_older_than_is_forgotten(door: Door) -> None:
    oldest = door.token(lives_s=LIFE_MAX_S)
    door.withdrawn.note(NO_MORE_AT_DINGHAI)
    door.clock.move(timedelta(seconds=LIFE_MAX_S + SKEW_S - 1))
    door.withdrawn.note(Withdrawal("somebody", "clerk", "zs-hall", door.clock.now()))
    assert not door.lets_in(oldest), "it has not quite run out"
    assert door.withdrawn.remembered == 2

    door.clock.move(SKEW + A_MOMENT)
    door.withdrawn.note(NO_MORE_AT_DINGHAI)
    assert door.withdrawn.remembered == 1
    with pytest.raises(TokenNeeded, match="expired"):
        door.lets_in(oldest)


def test_a_token_that_holds_for_more_than_a_day_is_refused_at_once(door: Door) -> None:
    with pytest.raises(TokenNeeded, match="more than a day"):
        door.lets_in(door.token(lives_s=LIFE_MAX_S + 1))


# --- how every process hears of it ---


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return memory_platform(town_settings(tmp_path))


@pytest.fixture
async def processes(platform: Platform) -> AsyncIterator[tuple[Town, Town]]:
    """The office and the loss desk, each in a process of its own; the test takes their steps."""
    services = build_services(platform, ["office", "loss"])
    async with AsyncExitStack() as stack:
        office, loss = [
            await stack.enter_async_context(within_earshot(House(platform, services, [name])))
            for name in ("office", "loss")
        ]
        yield office, loss


async def appointed(office: Town, **until: str) -> tuple[str, str]:
    duty = {"login": LIN.id, "duty": "clerk", "organisation": "zs-dinghai"} | until
    told = await office.post(CENTRE, "/v1/appointments", duty)
    return told["staff_id"], told["appointments"][-1]["appointment_id"]


async def dismiss(office: Town, staff: str, appointment: str) -> None:
    said = {"appointment_id": appointment, "reason": "moved"}
    await office.post(CENTRE, f"/v1/staff/{staff}/dismissals", said)


async def all_hear(*towns: Town) -> None:
    for town in towns:
        await work_off(town.house)
    for town in towns:
        for ear in town.house.ears:
            await ear.step()


async def answered(town: Town, who: Caller = LIN) -> str:
    """How the loss desk's door answers somebody who asks after a card that there is not."""
    answer = await town.call(who, "GET", f"/v1/cards/{written(ZHOUSHAN, UUID(int=1))}.1/loss")
    return str(answer.json()["code"])


@pytest.mark.requirement("R163")
async def test_every_process_refuses_whoever_was_dismissed_and_so_does_one_that_starts_later(
    processes: tuple[Town, Town], platform: Platform
) -> None:
    office, loss = processes
    staff, appointment = await appointed(office)
    await all_hear(office, loss)
    before = await answered(loss)
    assert before != "duty-ended"

    await dismiss(office, staff, appointment)
    await all_hear(office, loss)
    assert await answered(loss) == "duty-ended"
    assert await answered(loss, replace(LIN, outlet="zs-hall")) == before

    async with within_earshot(House(platform, build_services(platform, ["office", "loss"]), ["loss"])) as started:
        await started.house.catch_up()
        assert await answered(started) == "duty-ended"


async def test_a_duty_that_was_given_for_a_time_ends_for_the_doors_too(processes: tuple[Town, Town]) -> None:
    office, loss = processes
    city = office.house.platform.city
    until = city.now() + timedelta(days=30)
    await appointed(office, until=until.isoformat())
    city.reach(until - timedelta(milliseconds=1))
    await all_hear(office, loss)
    assert await answered(loss) != "duty-ended"

    city.reach(until)
    await all_hear(office, loss)
    assert await answered(loss) == "duty-ended"


async def test_whoever_is_dismissed_comes_through_no_door_of_the_city_any_more(town: Town) -> None:
    """Over sockets and the embedded log, as a city runs it."""
    wang = Caller("wang-7", "clerk", ZHOUSHAN, outlet="zs-dinghai")
    told = await town.post(CENTRE, "/v1/appointments", {"login": wang.id, "duty": "clerk", "organisation": wang.outlet})
    await town.get(wang, "/v1/organisations", city=ZHOUSHAN)
    await dismiss(town, told["staff_id"], told["appointments"][-1]["appointment_id"])
    await town.drain()

    refusal = await town.get(wang, "/v1/organisations", expect=401, city=ZHOUSHAN)
    assert refusal["code"] == "duty-ended"
    assert "Sign in again" in refusal["detail"]


# --- whatever the log does ---


def letters(*places: int) -> Sequence[Any]:
    """Dismissals at these places of the office's outbox, each of somebody else."""
    return [
        message(
            3, nth, service="office", key=f"{ZHOUSHAN}-S{nth}", type=Dismissed.type_name(),
            data=Dismissed(staff_id=f"S{nth}", appointment_id="A", at=NOON, struck_at=NOON).model_dump_json(),
        )
        for nth in places
    ]  # fmt: skip


@pytest.fixture
def ear(platform: Platform) -> Ear:
    return Ear(platform, build_office(platform), Withdrawn(platform.machine))


async def test_letters_come_twice_and_in_any_order(platform: Platform, ear: Ear) -> None:
    await platform.bus.publish(topic_of("office"), letters(3, 2, 3, 1, 2))
    await ear.catch_up()
    assert ear._withdrawn.remembered == 3


async def test_a_log_that_is_filled_anew_is_read_anew(platform: Platform, ear: Ear) -> None:
    await platform.bus.publish(topic_of("office"), letters(1, 2, 3))
    await ear.catch_up()
    await platform.bus.forget(topic_of("office"))
    await ear.look()
    await platform.bus.publish(topic_of("office"), letters(1, 2, 3, 4))
    await ear.step()
    assert ear._withdrawn.remembered == 4


async def test_a_letter_that_was_passed_over_is_found_by_reading_anew(platform: Platform, ear: Ear) -> None:
    """While it read, the log was emptied and filled in another order: what it misses lies below its place."""
    await platform.bus.publish(topic_of("office"), letters(1))
    await ear.catch_up()
    await platform.bus.forget(topic_of("office"))
    await platform.bus.publish(topic_of("office"), letters(2, 1, 3))
    await ear.step()
    assert ear._withdrawn.remembered == 1, "the third waits for the second"
    await ear.look()
    await ear.look()
    await ear.step()
    assert ear._withdrawn.remembered == 3


class LogAway(MemoryBus):
    async def ends(self, topics: Sequence[str]) -> Any:
        raise Outage("the log is away")


async def test_the_doors_open_though_the_log_is_away_and_an_operator_sees_it(platform: Platform) -> None:
    away = replace(platform, bus=LogAway())
    house = House(away, [build_office(away)])
    await house.catch_up()
    house.start()
    assert any("whose duties have ended" in worry for worry in house.worries(-1.0))
    await house.stop()
