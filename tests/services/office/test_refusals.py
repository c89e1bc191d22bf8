"""Whoever is refused by how a city is organised is told by which entry; each other refusal has a reason for none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from libs.kernel import Refused
from libs.kernel.why import Decision, why_not
from libs.runtime.citypack import load_packs
from libs.testing.refusals import raised_bare, refusals_of
from libs.testing.town import Town
from libs.web.tokens import Caller
from services.office import routes
from services.office.adapters import organisations
from services.office.domain import establishment
from services.office.domain.staff import decider as staff
from services.office.domain.staff.decider import staff_desk
from services.office.domain.statute import decider as statute
from tests.platform import ZHOUSHAN
from tests.services.office.office_drawer import MONDAY, a_clerk_in_the_east, clerk_in_the_east

PACKS = load_packs(Path(__file__).parents[3] / "deploy")
REAL = organisations.Establishments(PACKS).at(ZHOUSHAN, MONDAY)
APPOINT = replace(a_clerk_in_the_east, organisation="zs-dinghai", reach="zs-centre", under=REAL)
CLERK_THERE = replace(clerk_in_the_east, organisation="zs-dinghai")
EAST = Caller("east-1", "centre", ZHOUSHAN, outlet="zs-district-dinghai")

BY_BYLAW: Mapping[type[Refused], tuple[Any, ...]] = {
    staff.BeyondYourReach: (replace(APPOINT, reach="zs-district-putuo"),),
    staff.DutyNotOfThisPlace: (replace(APPOINT, duty="centre"),),
    staff.DutiesApart: (
        replace(APPOINT, duty="operator", organisation="zs-information", reach="zhoushan"), CLERK_THERE,
    ),
}  # fmt: skip
"""Each refusal by which a bylaw says no, and how one comes by it: what is asked, after which facts."""

NOT_THERE = "there is no such thing"
NOT_BY_BYLAW: Mapping[type[Refused], str] = {
    establishment.OrganisationUnknown: NOT_THERE,
    organisations.CityUnknown: NOT_THERE,
    staff.AppointmentUnknown: NOT_THERE,
    staff.OwnAppointment: "nobody rules on themselves, in whatever city",
    staff.EndsBeforeItBegins: "no appointment ends before it begins",
    routes.PlaceUnreadable: "what was sent cannot be read",
    statute.AnotherProposed: "as things stand, one edition waits already",
}
"""Each other refusal, and why no bylaw stands behind it."""


def test_of_every_refusal_somebody_has_said_whether_a_bylaw_says_no() -> None:
    assert BY_BYLAW.keys() | NOT_BY_BYLAW.keys() == refusals_of("services.office")
    assert not BY_BYLAW.keys() & NOT_BY_BYLAW.keys()


def test_wherever_a_bylaw_says_no_it_is_named() -> None:
    assert raised_bare("services.office", set(BY_BYLAW)) == []


@pytest.mark.requirement("R11")
@pytest.mark.parametrize("refusal", BY_BYLAW, ids=lambda refusal: refusal.__name__)
def test_a_refusal_cites_how_the_city_is_organised_in_chinese_and_english(refusal: type[Refused]) -> None:
    asked, *facts = BY_BYLAW[refusal]
    with pytest.raises(Refused) as refused:
        staff_desk.decide(asked, staff_desk.fold(facts))
    assert refused.type is refusal
    told = why_not(refused.value, PACKS.names_of(ZHOUSHAN))
    assert told is not None
    assert (told.decision, [ground.rule for ground in told.grounds]) == (
        Decision.REFUSAL, ["organisations.establishment"],
    )  # fmt: skip
    assert told.grounds[0].basis.en.startswith("Zhoushan provisional measures")
    assert told.grounds[0].edition == PACKS[ZHOUSHAN].hash
    assert told.said.en == str(refused.value)
    assert told.said.zh != told.said.en


@pytest.mark.requirement("R18")
async def test_over_http_a_district_is_told_by_which_entry_its_reach_ends(town: Town) -> None:
    wanted = {"login": "lin-9", "duty": "clerk", "organisation": "zs-hall"}
    no = await town.post(EAST, "/v1/appointments", wanted, expect=403)
    assert no["code"] == "beyond-your-reach"
    [ground] = no["why"]["grounds"]
    assert (ground["rule"], ground["valid_from"]) == ("organisations.establishment", "2012-03-10")
    assert no["why"]["text"]["zh"].startswith("不予：舟山市民卡服务厅不在定海区的管辖之内")
