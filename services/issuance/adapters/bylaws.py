"""A city's rules on issuing cards, from its pack to the domain."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.kernel import Unfit
from libs.kernel.calendar import shanghai_day
from libs.kernel.why import Cited, Ground, Names
from libs.runtime.citypack import UNSAID, CityPack, CityPacks, Dated, PackUnfit
from services.issuance.adapters.rules import OPTIONAL, rules_of
from services.issuance.domain.application.counter import ProgrammeNotOpen
from services.issuance.domain.applying import Channel
from services.issuance.domain.bylaw import (
    Activation,
    CatalogueEntry,
    IssuanceBylaw,
    Opens,
    Promise,
    PromiseUnit,
)
from services.issuance.domain.endorsement import Endorsing, Later
from services.issuance.domain.portrait import ID_CARD, SOCIAL_CARD, Standard
from services.issuance.domain.validity import AgeBand

_ENDORSEMENT = "programme.endorsement"
_TABLES = ("eligibility", "functions")


class ProgrammeUnknown(Unfit):
    """This city has no such programme; it has: {programmes}."""


class OutletUnknown(Unfit):
    """This city has no such outlet; it has: {outlets}."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PromiseData(_Data):
    count: int
    unit: Literal["months", "working_days", "days"]
    roll_to_working_day: bool = False


class CatalogueData(_Data):
    function: str
    opens: Literal["with_the_card", "by_the_holder", "at_an_outlet", "at_the_bank", "with_the_wallet"]
    reopens: bool = False


class AgeBandData(_Data):
    under: int | None = None
    years: int


class EndorsementData(BaseModel):
    """For how long, from when and how late a card is endorsed, whose task it is, and when its holder is reminded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    valid_years: int = Field(ge=1, le=10)
    window_months: int = Field(ge=1, le=12)
    late_days: int = Field(ge=0, le=366)
    later: Literal["restart", "continuous"]
    task: str
    remind_days: list[Annotated[int, Field(ge=1, le=366)]] = []
    remind_hour: int = Field(default=9, ge=0, le=23)


class IssuanceBylaws:
    """All cities' rules on issuing, checked when they are read."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._rules = rules_of(packs)
        self._of_the_day: dict[tuple[str, str, date], IssuanceBylaw] = {}
        self._numbers = {
            (pack.code, programme): str(pack.files[f"{programme}/programme"]["number"])
            for pack in packs
            for programme in pack.programmes
        }
        self._dated = {
            (pack.code, programme): {
                path.rpartition(".")[2]: pack.dated(f"{programme}/programme.{path}", kind)
                for path, kind in {
                    "issuance.promise": PromiseData,
                    "issuance.activation": Literal["at_hand_over", "by_the_holder"],
                    "issuance.validity_years": int,
                    "issuance.kept_days": int,
                    "issuance.supplement_days": int,
                    "issuance.documents": list[str],
                    "issuance.collection_documents": list[str],
                    "issuance.agent_may_collect": bool,
                    "issuance.portrait": Literal["id_card", "social_card"],
                    "catalogue": list[CatalogueData],
                }.items()
            }
            | {
                path.rpartition(".")[2]: pack.dated(f"{programme}/programme.{path}", kind)
                for path, kind in {
                    "validity_by_age": list[AgeBandData],
                    "issuance.validity_ends_with": str,
                    "endorsement": EndorsementData,
                }.items()
                if pack.has(f"{programme}/programme.{path}")
            }
            for pack in packs
            for programme in pack.programmes
        }
        self._citable = {
            (city, programme): (
                *self._read_elsewhere(packs[city], programme),
                *own.values(),
                *self._rules[city, programme].dated,
            )
            for (city, programme), own in self._dated.items()
        }

    @staticmethod
    def _read_elsewhere(pack: CityPack, programme: str) -> Iterator[Dated[Any]]:
        """What others read, and a card is refused by: who is entitled to what, and whose task an endorsement is."""
        places = ("organisations.establishment", *(f"{programme}/programme.{table}" for table in _TABLES))
        return (pack.dated(path, Any) for path in places if pack.has(path))

    def at(self, city: str, programme: str, moment: datetime) -> IssuanceBylaw:
        """The rules of a programme that hold at this moment. Raises ProgrammeUnknown, or ProgrammeNotOpen."""
        if (city, programme) not in self._dated:
            raise ProgrammeUnknown(programmes=", ".join(self.programmes(city)))
        latest = max(self._dated[city, programme].values(), key=lambda values: values.begins_on)
        if shanghai_day(moment) < latest.begins_on:
            entry = Cited(city=city, edition=self.edition(city), articles=(latest.ground(latest[0]).ref,))
            raise ProgrammeNotOpen(entry, opens_on=latest.begins_on)
        day = (city, programme, shanghai_day(moment))
        if day not in self._of_the_day:
            self._of_the_day[day] = self._read(city, programme, moment)
        return self._of_the_day[day]

    def _read(self, city: str, programme: str, moment: datetime) -> IssuanceBylaw:
        dated = {name: values.at(moment) for name, values in self._dated[city, programme].items()}
        promise = dated["promise"]
        articles = self._articles(city, programme, moment)
        return IssuanceBylaw(
            city=city,
            edition=self.edition(city),
            articles=articles,
            number=self._numbers[city, programme],
            promise=Promise(
                count=promise.count,
                unit=PromiseUnit(promise.unit),
                roll_to_working_day=promise.roll_to_working_day,
            ),
            calendar=self._packs[city].calendar,
            activation=Activation(dated["activation"]),
            validity_years=dated["validity_years"],
            kept_days=dated["kept_days"],
            supplement_days=dated["supplement_days"],
            documents=frozenset(dated["documents"]),
            collection_documents=frozenset(dated["collection_documents"]),
            agent_may_collect=dated["agent_may_collect"],
            portrait=dated["portrait"],
            catalogue=tuple(
                CatalogueEntry(function=one.function, opens=Opens(one.opens), reopens=one.reopens)
                for one in dated["catalogue"]
            ),
            by_age=tuple(AgeBand(under=one.under, years=one.years) for one in dated.get("validity_by_age") or ()),
            ends_with=dated.get("validity_ends_with") or "",
            endorsing=self._endorsing(city, dated.get("endorsement"), moment, articles[_ENDORSEMENT]),
            **self._rules[city, programme].at(moment),
        )

    def _articles(self, city: str, programme: str, moment: datetime) -> dict[str, str]:
        """The entry behind each value on this day, or the platform's default where the city says nothing."""
        found = {rule: self._default(city, f"{programme}/{rule}") for rule in (*OPTIONAL, _ENDORSEMENT)}
        for dated in self._citable[city, programme]:
            with suppress(PackUnfit):  # It does not hold yet, or no longer.
                found[dated.rule.rpartition("/")[2]] = dated.ground(dated.entry_at(moment)).ref
        return found

    def _endorsing(self, city: str, data: EndorsementData | None, moment: datetime, article: str) -> Endorsing | None:
        """The rule, and the organisations whose task it is, or whom those have entrusted with it."""
        if data is None:
            return None
        told = self._packs[city].dated("organisations.establishment", dict[str, Any]).at(moment)
        levels = {name for name, level in told["levels"].items() if data.task in level.get("tasks", ())}
        own = {name for name, one in told["organisations"].items() if one["level"] in levels}
        entrusted = {deed["to"] for deed in told.get("entrusted", ()) if deed["task"] == data.task}
        return Endorsing(
            valid_years=data.valid_years,
            window_months=data.window_months,
            late_days=data.late_days,
            later=Later(data.later),
            by=frozenset(own | entrusted),
            remind_days=tuple(data.remind_days),
            remind_hour=data.remind_hour,
            said_by=Cited(city=city, edition=self.edition(city), articles=(article,)),
        )

    def edition(self, city: str) -> str:
        """The edition of a city's bylaws that is in force."""
        return self._packs[city].hash

    def names(self, city: str) -> Names:
        """What the city calls its facts and departments."""
        return self._packs.names_of(city)

    def cited(self, city: str, ref: str, edition: str) -> Ground:
        """The dated entry that a fact names."""
        return self._packs[city].cited(ref, edition)

    def ground(self, city: str, path: str, moment: datetime, edition: str) -> tuple[Ground, Any] | None:
        """The entry that held at this moment and its value; None where the city's bylaws say nothing of it."""
        if not self._packs[city].has(path):
            return None
        dated = self._packs[city].dated(path, Any)
        with suppress(PackUnfit):
            entry = dated.entry_at(moment)
            return replace(dated.ground(entry), edition=edition), entry.value
        return None

    def basis(self, city: str, path: str, moment: datetime, edition: str) -> Ground:
        """The entry that held at this moment; the platform's default, where the city's bylaws say nothing of it."""
        found = self.ground(city, path, moment, edition)
        return found[0] if found else self.cited(city, self._default(city, path), edition)

    def _default(self, city: str, path: str) -> str:
        own = self._dated[city, path.partition("/")[0]].values()
        return f"{UNSAID}{path}@{min(values.begins_on for values in own)}/{self._packs[city].first_edition}"

    def channel_of(self, city: str, outlet: str) -> Channel:
        """The way to a card that an outlet is: its kind. Raises OutletUnknown."""
        self.outlet(city, outlet)
        return Channel(self._packs[city].outlet_kinds[outlet])

    def outlets_of(self, city: str, kinds: Collection[Channel]) -> list[str]:
        """The outlets of a city that are of these kinds."""
        return sorted(outlet for outlet, kind in self._packs[city].outlet_kinds.items() if kind in kinds)

    def programmes(self, city: str) -> list[str]:
        return [programme for code, programme in self._dated if code == city]

    def series(self, city: str, programme: str) -> str:
        """The series from which the card numbers of a programme come, for example `330900-01`."""
        if (city, programme) not in self._numbers:
            raise ProgrammeUnknown(programmes=", ".join(self.programmes(city)))
        return f"{city}-{self._numbers[city, programme]}"

    def outlet(self, city: str, outlet: str) -> str:
        """The outlet, if it is one of the city's. Raises OutletUnknown."""
        outlets = self._packs[city].outlets if city in self._packs else {}
        if outlet not in outlets:
            raise OutletUnknown(outlets=", ".join(sorted(outlets)) or "none")
        return outlet


def standard(under: IssuanceBylaw) -> Standard:
    """The portrait standard that the city has chosen."""
    chosen = ID_CARD if under.portrait == "id_card" else SOCIAL_CARD
    return replace(chosen, chosen_by=under.by("programme.issuance.portrait"))
