"""What a city publishes of its programmes beside who is eligible: services, scenes, endorsement, checklists, plans."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.runtime.citypack import CityPack, CityPacks, Dated
from services.identity.domain.endorsement import Endorsing, Later


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EndorsementData(_Data):
    valid_years: int = Field(ge=1)
    window_months: int = Field(ge=1)
    late_days: int = Field(ge=0)
    later: Literal["restart", "continuous"]
    by: list[str]


class AgeBandData(_Data):
    under: int | None = None
    years: int = Field(ge=0)


class PlanData(_Data):
    """The plan that a region has to show before it issues cards."""

    application_design: str
    cost: str
    information_collection: str
    issuance: str


class ConditionData(_Data):
    condition: str
    met: bool


PUBLISHED: Mapping[str, Any] = {
    "services_offered": list[str],
    "scenes": list[str],
    "endorsement": EndorsementData,
    "validity_by_age": list[AgeBandData],
    "security_rules": dict[str, str],
    "process": list[str],
    "plan": PlanData,
    "checklist": list[ConditionData],
}


class Programmes:
    """The programmes of all cities, as they are published. Raises PackUnfit."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._dated: Mapping[tuple[str, str], Mapping[str, Dated[Any]]] = {
            (pack.code, programme): _published(pack, programme) for pack in packs for programme in pack.programmes
        }

    def of(self, city: str) -> Sequence[str]:
        """The programmes of a city, the principal one first."""
        return self._packs[city].programmes

    def value(self, city: str, programme: str, name: str, moment: datetime) -> Any:
        """A published value as it holds at this moment; None if the city says nothing about it, or not yet."""
        dated = self._dated[city, programme].get(name)
        if dated is None or dated.begins_on > moment.date():
            return None
        return dated.at(moment)

    def title(self, city: str, programme: str) -> tuple[str, Mapping[str, str]]:
        """The programme's name among the programmes of the country, and its title in each language."""
        about = self._packs[city].files[f"{programme}/programme"]
        return str(about.get("name", programme)), about["title"]

    def opens_on(self, city: str, programme: str) -> date:
        """The first day on which somebody can be eligible."""
        return self._packs[city].dated(f"{programme}/programme.eligibility", str).begins_on

    def endorsing(self, city: str, programme: str, moment: datetime) -> Endorsing | None:
        """How a permit of this programme is endorsed; None for a card that needs no endorsement."""
        found: EndorsementData | None = self.value(city, programme, "endorsement", moment)
        if found is None:
            return None
        return Endorsing(
            valid_years=found.valid_years,
            window_months=found.window_months,
            late_days=found.late_days,
            later=Later(found.later),
            by=frozenset(found.by),
        )


def _published(pack: CityPack, programme: str) -> Mapping[str, Dated[Any]]:
    return {
        name: pack.dated(f"{programme}/programme.{name}", kind)
        for name, kind in PUBLISHED.items()
        if pack.has(f"{programme}/programme.{name}")
    }
