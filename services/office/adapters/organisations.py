"""How a city is organised, from its pack to the domain, and what the public is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from libs.kernel import Missing
from libs.kernel.calendar import shanghai_day
from libs.kernel.why import Cited
from libs.runtime.citypack import CityPack, CityPacks, Dated, PackUnfit
from services.office.domain.establishment import Entrustment, Establishment, Level, Organisation

EARTH_RADIUS_KM = 6371.0


class CityUnknown(Missing):
    """No city with the area code {city} is served here; these are: {cities}."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LevelData(_Data):
    duties: list[str] = []
    tasks: list[str] = []


class OrganisationData(_Data):
    level: str
    parent: str = ""
    title: Mapping[str, str]
    address: str = ""
    hours: str = ""
    place: tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=180)]] | None = None
    """Latitude and longitude in degrees."""


class EntrustmentData(_Data):
    by: str
    to: str
    task: str


class EstablishmentData(_Data):
    """`seats` are the organisations for which those act whose token names none, by role."""

    levels: Mapping[str, LevelData]
    organisations: Mapping[str, OrganisationData]
    seats: Mapping[str, str] = {}
    entrusted: list[EntrustmentData] = []
    apart: list[tuple[str, str]] = []


class Establishments:
    """All cities' organisations, checked when they are read. A city that says nothing of them has none."""

    def __init__(self, packs: CityPacks) -> None:
        self._dated = {pack.code: _read(pack) for pack in packs}
        self._of_the_day: dict[tuple[str, date], Establishment] = {}

    def served(self, city: str) -> str:
        """The city, if it is served here. Raises CityUnknown."""
        if city not in self._dated:
            raise CityUnknown(city=city, cities=", ".join(sorted(self._dated)))
        return city

    def data_at(self, city: str, moment: datetime) -> EstablishmentData:
        """As the city has written it. Raises CityUnknown."""
        dated = self._dated[self.served(city)]
        return dated.at(moment) if dated is not None else EstablishmentData(levels={}, organisations={})

    def at(self, city: str, moment: datetime) -> Establishment:
        """As the domain reads it. Raises CityUnknown."""
        day = (city, shanghai_day(moment))
        if day not in self._of_the_day:
            self._of_the_day[day] = replace(
                _establishment(self.data_at(city, moment)), said_by=self._said_by(city, moment)
            )
        return self._of_the_day[day]

    def _said_by(self, city: str, moment: datetime) -> Cited | None:
        dated = self._dated[city]
        if dated is None:
            return None
        ground = dated.ground(dated.entry_at(moment))
        return Cited(city=city, edition=ground.edition, articles=(ground.ref,))

    def reach(self, city: str, role: str, organisation: str, moment: datetime) -> str:
        """The organisation for which a caller acts: the one that the token names, or the seat of the role."""
        return organisation or self.data_at(city, moment).seats.get(role, "")


def outlets(data: EstablishmentData, under: Establishment, task: str) -> Sequence[str]:
    """The organisations that people can visit (they have an address) and that do this task, or any if it is empty."""
    return [
        name
        for name, about in data.organisations.items()
        if about.address and (not task or task in under.tasks_of(name))
    ]


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Along the surface of the earth, between two places in degrees of latitude and longitude."""
    (lat, lon), (lat2, lon2) = map(radians, one), map(radians, other)
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lon2 - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(half))


def _read(pack: CityPack) -> Dated[EstablishmentData] | None:
    if "organisations" not in pack.files:
        return None
    dated: Dated[EstablishmentData] = pack.dated("organisations.establishment", EstablishmentData)
    for entry in dated:
        try:
            _establishment(entry.value)
            _agrees_with_outlets(entry.value, pack.outlets)
        except (ValueError, Missing) as error:
            raise PackUnfit(f"{pack.name}: organisations.yaml, from {entry.from_}: {error}") from error
    return dated


def _agrees_with_outlets(data: EstablishmentData, known: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ValueError: an outlet where cards are handed over is an organisation of the same kind."""
    for outlet, about in known.items():
        told = data.organisations.get(outlet)
        if told is None or told.level != about["kind"]:
            raise ValueError(f"outlet {outlet} of city.yaml must be an organisation of level {about['kind']}")


def _establishment(data: EstablishmentData) -> Establishment:
    return Establishment(
        organisations={
            name: Organisation(id=name, level=about.level, parent=about.parent)
            for name, about in data.organisations.items()
        },
        levels={
            name: Level(duties=frozenset(about.duties), tasks=frozenset(about.tasks))
            for name, about in data.levels.items()
        },
        entrusted=tuple(Entrustment(by=deed.by, to=deed.to, task=deed.task) for deed in data.entrusted),
        apart=tuple(frozenset(pair) for pair in data.apart),
    )
