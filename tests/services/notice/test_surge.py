"""A thousand cards arrive at once: messages may be late, and operators see how late; none is lost, none comes twice."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from libs.kernel import Outage, OutcomeUnknown
from libs.kernel.ids import derived
from services.identity.contracts import ContactGiven
from services.ids import card_id, holding_id, person_id
from services.issuance.contracts import ApplicationSubmitted, CardArrived
from services.notice.domain.naming import NoticeId
from services.notice.domain.state import Told
from services.notice.ports import Sent, TurnedDown
from tests.services.notice.town import APPLICATION, MORNING, City, Provider, applied, arrived

HOLDERS = 200
BREAKS_EVERY = 7
"""The line breaks on every seventh letter, just when the provider has taken it."""


class Congested(Provider):
    """A provider that is away at first, and then loses its answer now and then."""

    away = True

    async def send(self, notice_id: NoticeId, to: str, text: str) -> Sent | TurnedDown:
        if self.away:
            raise Outage("no carrier")
        answer = await super().send(notice_id, to, text)
        if len(self.rung) % BREAKS_EVERY == 0:
            raise OutcomeUnknown("the line broke")
        return answer


def delay_s(city: City) -> float:
    delay: float | None = city.platform.telemetry.registry.get_sample_value("citycard_notice_delay_seconds")
    assert delay is not None
    return delay


async def look(city: City) -> float:
    for chore in city.service.chores:
        await chore()
    return delay_s(city)


async def many_cards_arrive(city: City) -> None:
    """Everything is said twice, as the log may."""
    for nth in range(HOLDERS):
        person = person_id("330900", derived("holder", nth))
        holding = holding_id(person, "citizen-card")
        sealed = await city.vault.seal(person, "mobile", f"+86138{nth:08}")
        own = {"holding_id": holding, "person_id": person}
        for told, key in (
            (ContactGiven(person_id=person, mobile=sealed.box, language="zh", at=MORNING), person),
            (applied.model_copy(update=own | {"application_id": APPLICATION}), holding),
            (arrived.model_copy(update=own | {"card_id": card_id(holding, 1)}), holding),
        ):
            assert isinstance(told, ContactGiven | ApplicationSubmitted | CardArrived)
            for _ in range(2):
                await city.say(told, key=key)


@pytest.mark.requirement("R30", "R31")
async def test_in_a_surge_a_message_may_be_late_but_is_neither_lost_nor_sent_twice(
    found: Callable[..., City],
) -> None:
    city = found(provider := Congested())
    await many_cards_arrive(city)
    await city.read()
    assert await look(city) == 0

    with pytest.raises(Outage):
        await city.settle()
    city.clock.moment += timedelta(minutes=40)
    assert await look(city) == 40 * 60
    assert provider.rung == []

    provider.away = False
    for _ in range(HOLDERS):
        try:
            await city.settle()
            break
        except OutcomeUnknown:
            continue
    assert await look(city) == 0
    telephones = Counter(to for _, to, _ in provider.rung)
    assert telephones == {f"+86138{nth:08}": 1 for nth in range(HOLDERS)}
    assert all("您的市民卡已到定海社区服务点" in text for _, _, text in provider.rung)
    for notice_id, _, _ in provider.rung:
        assert isinstance(await city.notice(notice_id), Told)


async def test_a_notice_that_waits_for_its_holder_is_not_late(city: City) -> None:
    await city.say(arrived)
    await city.settle()
    assert await look(city) == 0
