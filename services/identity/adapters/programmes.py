"""What a city publishes of its programmes beside who is eligible: services, scenes, checklists, plans."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from libs.kernel.calendar import shanghai_day
from libs.kernel.why import Said
from libs.runtime.citypack import CityPack, CityPacks, Dated, Entry


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanData(_Data):
    """The plan that a region has to show before it issues cards."""

    application_design: dict[str, str]
    cost: dict[str, str]
    information_collection: dict[str, str]
    issuance: dict[str, str]


class ConditionData(_Data):
    """What must be true of a region before it issues cards, and whether it is."""

    condition: str
    met: bool


PUBLISHED: Mapping[str, Any] = {
    "services_offered": list[str],
    "scenes": list[str],
    "security_rules": dict[str, str],
    "plan": PlanData,
    "checklist": list[ConditionData],
}

NAMED: Mapping[str, str] = {"services_offered": "service", "scenes": "scene", "checklist": "condition"}
"""Whose entries are read by people, and so have names."""


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
        entry = self.entry(city, programme, name, moment)
        return None if entry is None else entry.value

    def entry(self, city: str, programme: str, name: str, moment: datetime) -> Entry[Any] | None:
        """A published value with its basis and its day; None if the city says nothing about it, or not yet."""
        dated = self._dated[city, programme].get(name)
        return None if dated is None or dated.begins_on > shanghai_day(moment) else dated.entry_at(moment)

    def named(self, city: str, kind: str, of: str) -> Said:
        """What the city calls a `service`, a `scene` or a `condition`."""
        return self._packs[city].named(kind, of)

    def title(self, city: str, programme: str) -> tuple[str, Mapping[str, str]]:
        """The programme's name among the programmes of the country, and its title in each language."""
        about = self._packs[city].files[f"{programme}/programme"]
        return str(about.get("name", programme)), about["title"]

    def opens_on(self, city: str, programme: str) -> date:
        """The first day on which somebody can be eligible."""
        return self._packs[city].dated(f"{programme}/programme.eligibility", str).begins_on


def _published(pack: CityPack, programme: str) -> Mapping[str, Dated[Any]]:
    file = f"{programme}/programme"
    found = {name: pack.dated(f"{file}.{name}", kind) for name, kind in PUBLISHED.items() if pack.has(f"{file}.{name}")}
    for name, kind in NAMED.items():
        for nth, entry in enumerate(found.get(name, ())):
            for mth, one in enumerate(entry.value):
                of = one.condition if isinstance(one, ConditionData) else one
                if pack.named(kind, of).zh == of:
                    words = f"the {kind} `{of}` has no name in zh and en; add it to `words` in city.yaml"
                    raise pack.unfit(file, [name, nth, "value", mth], words)
    _ready_before_it_opens(pack, file, found)
    return found


def _ready_before_it_opens(pack: CityPack, file: str, found: Mapping[str, Dated[Any]]) -> None:
    """A programme with conditions has a plan, and meets them all on its first day. Raises PackUnfit."""
    if "checklist" not in found:
        return
    opens = pack.dated(f"{file}.eligibility", str).begins_on
    for name in ("plan", "checklist"):
        if name not in found or found[name].begins_on > opens:
            words = f"the programme opens on {opens} and has no {name} by then; write one, or open later"
            raise pack.unfit(file, [name] if name in found else ["eligibility"], words)
    nth, entry = max((at, one) for at, one in enumerate(found["checklist"]) if one.from_ <= opens)
    for mth, one in enumerate(entry.value):
        if not one.met:
            words = f"the programme opens on {opens}, but {one.condition} is not met by then; meet it, or open later"
            raise pack.unfit(file, ["checklist", nth, "value", mth], words)
