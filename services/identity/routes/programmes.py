"""The notice board of identity: what each programme of a city offers, where it has effect, and how it was prepared."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.kernel import Missing
from libs.kernel.clocks import Clock
from libs.runtime.citypack import CityPacks
from libs.web.access import allowed
from libs.web.problems import refusals
from services.identity.adapters.programmes import PlanData, Programmes


class NoProgrammes(Missing):
    """No city with the area code {city} issues cards here; these do: {cities}."""


class NamedView(BaseModel):
    """Something that a city offers or asks for, with its name in each language."""

    code: str
    title: dict[str, str]


class ConditionView(NamedView):
    """What must be true before cards are issued."""

    met: bool


class PlanView(BaseModel):
    """The plan that a region shows before it issues cards, as this edition of it has it."""

    since: date
    recorded_on: date
    basis: str
    edition: str
    """The edition of the bylaws in which it stands."""
    application_design: dict[str, str]
    cost: dict[str, str]
    information_collection: dict[str, str]
    issuance: dict[str, str]


class ProgrammeView(BaseModel):
    """A programme under which the city issues cards."""

    programme: str
    name: str
    title: dict[str, str]
    opens_on: date
    services_offered: list[NamedView]
    scenes: list[NamedView]
    """Where the card has effect, if it does not have it everywhere."""
    plan: PlanView | None
    checklist: list[ConditionView]


def programmes_board(routes: APIRouter, programmes: Programmes, packs: CityPacks, clock: Clock) -> None:
    """Put up the notice board."""

    @routes.get("/v1/programmes", responses=refusals(NoProgrammes), dependencies=[allowed("identity:read-programmes")])
    async def which_cards_does_the_city_issue(
        city: Annotated[str, Query(pattern="^[0-9]{6}$", description="Area code (GB/T 2260), for example 330100.")],
    ) -> list[ProgrammeView]:
        """Every programme of a city as it is today, the principal one first."""
        if city not in packs:
            raise NoProgrammes(city=city, cities=", ".join(sorted(pack.code for pack in packs)))
        return [_view(city, programme) for programme in programmes.of(city)]

    def _view(city: str, programme: str) -> ProgrammeView:
        now = clock.now()
        name, title = programmes.title(city, programme)

        def listed(of: str, kind: str) -> list[NamedView]:
            found: list[str] = programmes.value(city, programme, of, now) or []
            return [NamedView(code=one, title=_named(city, kind, one)) for one in found]

        return ProgrammeView(
            programme=programme,
            name=name,
            title=dict(title),
            opens_on=programmes.opens_on(city, programme),
            services_offered=listed("services_offered", "service"),
            scenes=listed("scenes", "scene"),
            plan=_plan(city, programme),
            checklist=[
                ConditionView(code=one.condition, title=_named(city, "condition", one.condition), met=one.met)
                for one in programmes.value(city, programme, "checklist", now) or []
            ],
        )

    def _plan(city: str, programme: str) -> PlanView | None:
        entry = programmes.entry(city, programme, "plan", clock.now())
        if entry is None:
            return None
        plan: PlanData = entry.value
        return PlanView(
            since=entry.from_,
            recorded_on=entry.recorded or packs[city].first_edition,
            basis=entry.basis,
            edition=packs[city].hash,
            **plan.model_dump(),
        )

    def _named(city: str, kind: str, of: str) -> dict[str, str]:
        said = programmes.named(city, kind, of)
        return {"zh": said.zh, "en": said.en}
