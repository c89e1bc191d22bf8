"""What a city lets its departments say, and whom it gives a card without being asked."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from libs.kernel import Forbidden, Unfit
from libs.kernel.calendar import shanghai_day
from libs.kernel.why import Cited
from libs.runtime.citypack import UNSAID, CityPack, CityPacks, Dated
from services.identity.domain.bylaw import MassIssue

_AGREED = "feeds.agreements"


class CityNotServed(Forbidden):
    """Nobody is registered here for your city; ask for a token that names one of: {cities}."""


class DataSharing:
    """Which city is served here, and which department may state which facts there."""

    def __init__(self, packs: CityPacks) -> None:
        self._facts = {
            pack.code: {
                department: frozenset(map(str, about["facts"]))
                for department, about in pack.files["city"]["departments"].items()
            }
            for pack in packs
        }
        self._outlets = {pack.code: frozenset(pack.outlets) for pack in packs}
        self._packs = packs
        self._agreed = {pack.code: pack.dated(_AGREED, Any) for pack in packs if pack.has(_AGREED)}

    def served(self, city: str) -> str:
        """The city, if it is served here. Raises CityNotServed."""
        if city not in self._facts:
            raise CityNotServed(cities=", ".join(sorted(self._facts)))
        return city

    def facts_of(self, city: str, department: str) -> frozenset[str]:
        """The facts that this department may state in this city."""
        return self._facts[city].get(department, frozenset())

    def by(self, city: str, department: str, moment: datetime) -> Cited:
        """What the city cites to a department that says more than was agreed on."""
        return _cited(self._packs[city], _AGREED, self._agreed.get(city), moment, department)

    def one_card_each(self, city: str, programme: str, moment: datetime) -> Cited:
        """What the city cites where somebody would have two cards of one programme (R12)."""
        pack, path = self._packs[city], f"{programme}/issuance.applying.cards_per_person"
        return _cited(pack, path, pack.dated(path, Any) if pack.has(path) else None, moment)

    def outlets(self, city: str) -> frozenset[str]:
        """Where cards of this city are handed out."""
        return self._outlets[city]


class NoMassIssue(Unfit):
    """Under this programme nobody gets a card without applying; programmes of this city that allow it: {programmes}."""


class MassIssueData(BaseModel):
    """The `mass_issue` of a programme: who gets a card without applying (R41)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    insured_by_one_of: list[str] = Field(min_length=1)
    accurate_record: bool
    second_generation_id: bool


class MassIssues:
    """All cities' conditions of issue without application, checked when they are read."""

    def __init__(self, packs: CityPacks) -> None:
        self._dated = {
            (pack.code, programme): pack.dated(f"{programme}/programme.mass_issue", MassIssueData)
            for pack in packs
            for programme in pack.programmes
            if "mass_issue" in pack.files.get(f"{programme}/programme", {})
        }
        self._packs = packs

    def at(self, city: str, programme: str, moment: datetime) -> MassIssue:
        """The conditions of a programme at this moment. Raises NoMassIssue."""
        if (city, programme) not in self._dated:
            programmes = ", ".join(name for code, name in self._dated if code == city) or "none"
            unsaid = _cited(self._packs[city], f"{programme}/programme.mass_issue", None, moment)
            raise NoMassIssue(unsaid, programmes=programmes)
        data: MassIssueData = self._dated[city, programme].at(moment)
        return MassIssue(
            insured_by_one_of=frozenset(data.insured_by_one_of),
            accurate_record=data.accurate_record,
            second_generation_id=data.second_generation_id,
        )


def _cited(pack: CityPack, path: str, dated: Dated[Any] | None, moment: datetime, row: str = "") -> Cited:
    """The entry that holds; where the city has said nothing, that nothing was agreed on or allowed is the rule."""
    article = f"{UNSAID}{path}@{pack.first_edition}/{pack.first_edition}"
    if dated is not None and shanghai_day(moment) >= dated.begins_on:
        article = dated.ground(dated.entry_at(moment), row).ref
    return Cited(city=pack.code, edition=pack.hash, articles=(article,))
