"""Each notice arrives exactly once, wherever the courier stumbles."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from libs.eventsourcing.desk import Order
from libs.kernel import Outage, OutcomeUnknown
from libs.kernel.ids import derived
from services.identity.contracts import PersonErased
from services.ids import card_id, holding_id
from services.notice.adapters.sms import MemorySms
from services.notice.domain.commands import CarryOut, ResolveDoubt
from services.notice.domain.state import Failed, Sending, Told, Uncertain, WaitingForHolder, Wanted
from services.notice.ports import Sent, TurnedDown
from services.notice.reactions import when_a_card_arrives_call_its_holder, when_a_card_stops_tell_its_holder
from tests.services.notice.town import LI, MORNING, NUMBER, City, Death, Fate, Provider, applied, arrived, stopped

ARRIVAL = next(when_a_card_arrives_call_its_holder(arrived)).notice_id
STOP = next(when_a_card_stops_tell_its_holder(stopped)).notice_id
Found = Callable[..., City]


def outcomes(city: City, outcome: str) -> float:
    return city.platform.telemetry.registry.get_sample_value("citycard_notices_total", {"outcome": outcome}) or 0


@pytest.mark.requirement("R30")
async def test_a_card_that_arrives_rings_its_holders_telephone(city: City) -> None:
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    await city.settle()
    text = "【舟山市民卡】您的市民卡已到定海社区服务点，请携带有效身份证件于10月10日24:00前领取。"
    assert isinstance(city.sms, MemorySms)
    assert city.sms.sent == {ARRIVAL: (NUMBER, text)}
    [told] = await city.told()
    assert (told["type"], told["notice_id"], told["person_id"], told["language"]) == (
        "notice.NoticeSent.v1", ARRIVAL, LI, "zh",
    )  # fmt: skip
    assert outcomes(city, "sent") == 1


async def test_she_is_told_in_her_language(city: City) -> None:
    await city.say_who_li_is("en")
    await city.read()
    await city.say(stopped)
    await city.settle()
    assert isinstance(city.sms, MemorySms)
    [(_, text)] = city.sms.sent.values()
    assert "reported lost by telephone at 09:00 on 8 October and is stopped until 24:00 on 15 October" in text


@pytest.mark.requirement("R111")
async def test_the_holder_of_a_passport_is_told_in_her_language_what_her_card_is_called(city: City) -> None:
    holding = holding_id(LI, "foreign-talent-card")
    await city.say_who_li_is("en")
    await city.say(applied.model_copy(update={"holding_id": holding, "programme": "foreign-talent-card"}))
    await city.read()
    await city.say(arrived.model_copy(update={"holding_id": holding, "card_id": card_id(holding, 1)}))
    await city.settle()
    assert isinstance(city.sms, MemorySms)
    [(_, text)] = city.sms.sent.values()
    assert "Your foreign talent card is ready at" in text
    assert [told["language"] for told in await city.told()] == ["en"]


async def test_a_language_that_the_city_does_not_speak_becomes_its_first(city: City) -> None:
    await city.say_who_li_is("eo")
    await city.read()
    await city.say(arrived)
    await city.settle()
    assert (await city.told())[0]["language"] == "zh"


async def test_a_notice_that_comes_before_its_holder_waits_and_can_be_seen_waiting(city: City) -> None:
    await city.say(stopped)
    await city.settle()
    assert isinstance(await city.notice(STOP), WaitingForHolder)
    assert outcomes(city, "waiting") == 1
    await city.say_who_li_is()
    await city.pass_(timedelta(seconds=2))
    assert isinstance(await city.notice(STOP), Told)


async def test_a_holder_who_is_known_but_cannot_be_reached_is_waited_for_a_day(city: City) -> None:
    await city.say(applied)
    await city.read()
    await city.say(stopped)
    await city.pass_(timedelta(hours=23))
    assert isinstance(await city.notice(STOP), WaitingForHolder)
    await city.pass_(timedelta(hours=2))
    notice = await city.notice(STOP)
    assert isinstance(notice, Failed)
    assert (notice.reason, notice.at) == ("holder-unknown", MORNING + timedelta(days=1))
    assert await city.told() == []
    assert await city.store.next_due() is None


async def test_a_number_that_cannot_be_dialled_has_failed(city: City) -> None:
    await city.say_who_li_is(mobile="12345")
    await city.read()
    await city.say(arrived)
    await city.settle()
    [told] = await city.told()
    assert (told["type"], told["reason"]) == ("notice.NoticeFailed.v1", "number-invalid")
    assert outcomes(city, "failed") == 1


async def test_a_provider_that_is_away_is_asked_again(found: Found) -> None:
    provider = Provider()
    city = found(provider)
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    provider.answer = Outage("no carrier")
    for _ in range(10):
        with pytest.raises(Outage):
            await city.settle()
    assert isinstance(await city.notice(ARRIVAL), Sending)
    provider.answer = Sent()
    await city.settle()
    assert isinstance(await city.notice(ARRIVAL), Told)
    assert len(provider.rung) == 1


async def test_an_answer_that_got_lost_is_asked_for_and_not_sent_for(found: Found) -> None:
    class Breaking(Provider):
        async def send(self, *letter: str) -> Sent | TurnedDown:
            await super().send(*letter)  # type: ignore[arg-type]
            raise OutcomeUnknown("the line broke")

    city = found(provider := Breaking())
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    with pytest.raises(OutcomeUnknown):
        await city.settle()
    await city.settle()
    assert isinstance(await city.notice(ARRIVAL), Told)
    assert len(provider.rung) == 1


async def in_doubt(found: Found) -> tuple[City, Provider]:
    """The process died when the letter had left, and the provider does not remember."""
    provider = Provider()
    city = found(provider)
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    await city.read()
    provider.fate.at = provider.fate.breaths + 1
    with pytest.raises(Death):
        await city.home.timer.step()
    provider.amnesia = True
    city.reborn()
    await city.settle()
    return city, provider


async def test_what_nobody_can_tell_is_left_to_a_person(found: Found) -> None:
    city, provider = await in_doubt(found)
    await city.pass_(timedelta(days=30))
    assert isinstance(await city.notice(ARRIVAL), Uncertain)
    assert outcomes(city, "uncertain") == 1
    assert len(provider.rung) == 1
    assert await city.told() == []


async def test_a_person_may_have_it_sent_again(found: Found) -> None:
    city, provider = await in_doubt(found)
    order = Order(command_id=derived("a clerk decides"), actor="clerk:1", channel="counter")
    await city.service.desks.handle(ResolveDoubt(notice_id=ARRIVAL, send_again=True, at=MORNING), order)
    assert isinstance(await city.notice(ARRIVAL), Wanted)
    await city.settle()
    assert isinstance(await city.notice(ARRIVAL), Told)
    assert len(provider.rung) == 2


async def test_a_person_erased_while_her_letter_leaves_is_not_written_to(found: Found) -> None:
    city = found(provider := Provider())
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    provider.answer = Outage("no carrier")
    with pytest.raises(Outage):
        await city.settle()
    await city.vault.erase(LI)
    provider.answer = Sent()
    await city.settle()
    notice = await city.notice(ARRIVAL)
    assert isinstance(notice, Failed)
    assert (notice.reason, provider.rung) == ("holder-erased", [])


async def test_two_runs_at_once_ring_once(found: Found) -> None:
    city = found(provider := Provider())
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    await city.read()
    [due] = await city.store.due(MORNING, 10)
    carry_out = city.service.performers[CarryOut]
    await asyncio.gather(*(carry_out(CarryOut(notice_id=ARRIVAL), due) for _ in range(5)))
    assert len(provider.rung) == 1


DEATHS = 10
"""Before and after each of five acts: the notice is wanted, begun, sent, recorded, and struck off the list."""


@pytest.mark.parametrize("second", range(DEATHS))
@pytest.mark.parametrize("first", range(DEATHS))
async def test_wherever_the_process_dies_twice_she_is_told_once(found: Found, first: int, second: int) -> None:
    fate = Fate()
    city = found(provider := Provider(fate), fate)
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    fate.at = fate.breaths + first
    with pytest.raises(Death):
        await city.settle()
    city.reborn()
    fate.at = fate.breaths + second
    with contextlib.suppress(Death):
        await city.settle()
    fate.at = None
    city.reborn()
    await city.settle()
    assert len(provider.rung) == 1
    assert [told["type"] for told in await city.told()] == ["notice.NoticeSent.v1"]
    assert isinstance(await city.notice(ARRIVAL), Told)
    assert await city.store.next_due() is None


async def test_there_are_no_more_places_to_die(found: Found) -> None:
    fate = Fate()
    city = found(Provider(fate), fate)
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    alive = fate.breaths
    await city.settle()
    assert fate.breaths - alive == DEATHS


async def test_reading_everything_again_tells_nobody_anything(found: Found) -> None:
    city = found(provider := Provider())
    await city.say_who_li_is()
    await city.read()
    for told in (arrived, stopped):
        await city.say(told)
    await city.settle()
    assert len(provider.rung) == 2
    facts = await city.facts()
    for _ in range(2):
        city.forget_what_was_read()
        await city.pass_(timedelta(days=2))
    assert len(provider.rung) == 2
    assert await city.facts() == facts


async def test_a_step_told_twice_under_two_message_ids_is_told_once(found: Found) -> None:
    city = found(provider := Provider())
    await city.say_who_li_is()
    await city.read()
    for _ in range(2):
        await city.say(arrived)
    await city.settle()
    assert len(provider.rung) == 1


async def test_nothing_that_is_written_down_or_told_names_her(city: City) -> None:
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    await city.settle()
    written = "".join(await city.facts()) + str(await city.told()) + str(city.rows.tables)
    assert NUMBER[-8:] not in written


async def test_an_erased_person_can_no_longer_be_reached(city: City) -> None:
    await city.say_who_li_is()
    await city.say(PersonErased(person_id=LI, at=MORNING), key=LI)
    await city.read()
    assert city.rows.tables["contact"] == {}
    await city.say(stopped)
    await city.settle()
    assert isinstance(await city.notice(STOP), WaitingForHolder)
