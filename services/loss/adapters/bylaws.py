"""A city's rules on loss, from its pack to the domain."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.kernel.calendar import SHANGHAI, shanghai_day
from libs.kernel.why import Ground, Names
from libs.runtime.citypack import UNSAID, CityPack, CityPacks, Dated, PackUnfit
from libs.runtime.packfile import nearest
from services.loss.domain.bylaw import (
    Bearer,
    BeyondLimit,
    Clock,
    Covered,
    ElectronicForm,
    Fee,
    Grounds,
    Liability,
    LiftAt,
    LiftRule,
    LossBylaw,
    OnLapse,
    Term,
    Unit,
    Window,
)
from services.loss.domain.commands import Place


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowData(_Data):
    count: int
    unit: Literal["working_days", "days", "hours", "years"]

    def value(self) -> Window:
        return Window(count=self.count, unit=Unit(self.unit))


class CoveredData(_Data):
    function: str
    after_hours: int = Field(default=0, ge=0)
    after: WindowData | None = None
    or_captured: bool = False

    def value(self) -> Covered:
        return Covered(
            function=self.function,
            after_hours=self.after_hours,
            after=None if self.after is None else self.after.value(),
            or_captured=self.or_captured,
        )


class LapseData(_Data):
    then: Literal["wake", "cancel"]
    warn_hours_before: int = Field(ge=0)


class TermData(LapseData):
    window: WindowData

    def value(self) -> Term:
        return Term(window=self.window.value(), then=OnLapse(self.then), warn_hours_before=self.warn_hours_before)


class ClockData(TermData):
    covers: list[CoveredData] = Field(min_length=1)

    def clock(self) -> Clock:
        return Clock(covers=_covered(self.covers), term=self.value())


class LiftData(_Data):
    where: Literal["any_outlet", "accepting_outlet", "nowhere"]
    kinds: list[str]
    card_needed: bool = False
    by_agent: bool = False

    def value(self) -> LiftRule:
        return LiftRule(
            where=LiftAt(self.where),
            kinds=frozenset(self.kinds),
            card_needed=self.card_needed,
            by_agent=self.by_agent,
            rule="lift_after_call",
        )


class CoolingData(_Data):
    function: str
    lasts: WindowData


class ReissuesData(_Data):
    max_in_30_days: int = Field(ge=1)
    beyond: Literal["warn", "refuse"]


class FirstAtData(_Data):
    reason: str
    office: str


class KinData(_Data):
    relations: list[str]
    proofs: list[str] = Field(min_length=1)


class FeeData(_Data):
    act: Literal["written_report", "reissue", "replacement"]
    fen: int = Field(gt=0)
    approval: str = Field(min_length=1, description="The price department's approval; without one there is no fee.")


class LiabilityData(_Data):
    function: str
    borne_by: Literal["holder", "issuer", "bank", "insurer"]
    cap_fen: int | None = Field(default=None, gt=0)


NEEDED: Mapping[str, Any] = {
    "pre_report_window": WindowData,
    "on_lapse": LapseData,
    "pre_reports_max_in_30_days": int,
    "pre_report_covers": list[CoveredData],
    "written_report_covers": list[CoveredData],
    "written_report_at": list[str],
    "lift": LiftData,
    "reissue_at": list[str],
    "cancel_at": list[str],
    "documents": list[str],
}
"""What every programme's `loss.yaml` says."""

IF_SAID: Mapping[str, tuple[Any, Any]] = {
    "own_clocks": (list[ClockData], []),
    "written_report_term": (TermData | None, None),
    "lift_after_call": (LiftData | None, None),
    "cooling_after_lift": (list[CoolingData], []),
    "reportable": (bool, True),
    "caller_proofs": (list[str], ["knowledge", "service_password"]),
    "reissues": (ReissuesData | None, None),
    "replacement_reasons": (
        list[str],
        ["data_changed", "expired", "illegible", "incomplete", "stained", "unreadable"],
    ),
    "changes_first_at": (list[FirstAtData], []),
    "cancel_reasons": (list[str], ["death", "moved_away", "own_request"]),
    "kin": (
        KinData,
        KinData(
            relations=["spouse", "parent", "child", "sibling", "guardian"],
            proofs=["household_book", "marriage_certificate", "birth_certificate", "notarial_deed", "court_order"],
        ),
    ),
    "fees": (list[FeeData], []),
    "liability": (list[LiabilityData], []),
    "proposals_stand": (WindowData, WindowData(count=24, unit="hours")),
    "electronic_form": (Literal["stops", "stays"] | None, None),
}
"""What a `loss.yaml` may say besides, and what holds where it does not: no such rule, or the house's default."""


class LossBylaws:
    """All cities' rules on loss, checked when they are read."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._of_the_day: dict[tuple[str, str, date], LossBylaw] = {}
        self._dated = {
            (pack.code, programme): self._leaves(pack, programme) for pack in packs for programme in pack.programmes
        }
        for city, programme in self._dated:
            self._check(city, programme)

    @staticmethod
    def _leaves(pack: CityPack, programme: str) -> dict[str, Dated[Any]]:
        said: Any = pack.files.get(f"{programme}/loss", {})
        if strange := sorted(set(said) - NEEDED.keys() - IF_SAID.keys()):
            known = sorted(NEEDED.keys() | IF_SAID.keys())
            words = f"the key `{strange[0]}` is unknown here{nearest(strange[0], known)}"
            file = f"{programme}/loss"
            raise pack.unfit(file, [strange[0]], f"{file}.yaml: {words}, which is none of: {', '.join(known)}")
        kinds = {**NEEDED} | {name: kind for name, (kind, _) in IF_SAID.items() if name in said}
        return {name: pack.dated(f"{programme}/loss.{name}", kind) for name, kind in kinds.items()}

    def _check(self, city: str, programme: str) -> None:
        """Every day on which a value begins gives rules that can stand together. Raises PackUnfit."""
        dated, begins = self._dated[city, programme], self._begins_on(city, programme)
        for day in sorted({entry.from_ for values in dated.values() for entry in values if entry.from_ >= begins}):
            try:
                self._read(city, programme, datetime.combine(day, time.min, SHANGHAI))
            except ValueError as error:
                raise PackUnfit(f"{self._packs[city].name}: {programme}/loss.yaml, from {day}: {error}") from error

    def _begins_on(self, city: str, programme: str) -> date:
        """The first day on which everything is said that must be."""
        return max(values.begins_on for name, values in self._dated[city, programme].items() if name in NEEDED)

    def at(self, city: str, programme: str, moment: datetime) -> LossBylaw:
        """The rules of a programme that hold at this moment; of the city's first one, while it is not known which."""
        programme = programme or self._packs[city].programmes[0]
        day = (city, programme, shanghai_day(moment))
        if day not in self._of_the_day:
            self._of_the_day[day] = self._read(city, programme, moment)
        return self._of_the_day[day]

    def if_any(self, city: str, programme: str, moment: datetime) -> LossBylaw | None:
        """The rules that held at this moment; none, before the first were made."""
        try:
            return self.at(city, programme, moment)
        except PackUnfit:
            return None

    def _read(self, city: str, programme: str, moment: datetime) -> LossBylaw:
        dated = self._dated[city, programme]
        entries = {name: dated[name].entry_at(moment) for name in NEEDED}
        for name in dated.keys() - NEEDED.keys():
            with suppress(PackUnfit):  # It does not hold yet, or no longer: no such rule, or the house's default.
                entries[name] = dated[name].entry_at(moment)
        said = {name: default for name, (_, default) in IF_SAID.items()}
        said |= {name: entry.value for name, entry in entries.items()}
        window, lapse, lift, reissues = said["pre_report_window"], said["on_lapse"], said["lift"], said["reissues"]
        written, after_call = said["written_report_term"], said["lift_after_call"]
        rules = {name: dated[name].ground(entry).ref for name, entry in entries.items()}
        defaults = {name: self._default(city, programme, name) for name in said.keys() - rules.keys()}
        return LossBylaw(
            window=window.value(),
            calendar=replace(self._packs[city].calendar, guess_unknown_years=True),  # No call waits for a calendar.
            on_lapse=OnLapse(lapse.then),
            warn_hours_before=lapse.warn_hours_before,
            pre_reports_max=said["pre_reports_max_in_30_days"],
            pre_report_covers=_covered(said["pre_report_covers"]),
            written_report_covers=_covered(said["written_report_covers"]),
            written_report_at=frozenset(said["written_report_at"]),
            lift_at=LiftAt(lift.where),
            lift_kinds=frozenset(lift.kinds),
            lift_card_needed=lift.card_needed,
            lift_by_agent=lift.by_agent,
            lift_after_call=None if after_call is None else after_call.value(),
            reissue_at=frozenset(said["reissue_at"]),
            cancel_at=frozenset(said["cancel_at"]),
            documents=frozenset(said["documents"]),
            own_clocks=tuple(clock.clock() for clock in said["own_clocks"]),
            written_term=None if written is None else written.value(),
            cooling={one.function: one.lasts.value() for one in said["cooling_after_lift"]},
            reportable=said["reportable"],
            caller_proofs=frozenset(said["caller_proofs"]),
            reissues_max_in_30_days=None if reissues is None else reissues.max_in_30_days,
            beyond_limit=BeyondLimit.WARN if reissues is None else BeyondLimit(reissues.beyond),
            replacement_reasons=frozenset(said["replacement_reasons"]),
            changes_first_at={one.reason: one.office for one in said["changes_first_at"]},
            cancel_reasons=frozenset(said["cancel_reasons"]),
            kin=frozenset(said["kin"].relations),
            kin_proofs=frozenset(said["kin"].proofs),
            fees={one.act: Fee(fen=one.fen, approval=one.approval) for one in said["fees"]},
            liable={
                one.function: Liability(bearer=Bearer(one.borne_by), cap_fen=one.cap_fen) for one in said["liability"]
            },
            proposals_stand=said["proposals_stand"].value(),
            electronic_form=ElectronicForm(said["electronic_form"] or ""),
            grounds=Grounds(edition=self._packs[city].hash, articles=tuple(sorted(rules.values()))),
            city=city,
            rules=defaults | rules,
        )

    def names(self, city: str) -> Names:
        """What the city calls its functions."""
        return self._packs.names_of(city)

    def ground(self, city: str, article: str, edition: str) -> Ground:
        """The dated entry that a fact names."""
        return self._packs[city].cited(article, edition)

    def default(self, city: str, programme: str, rule: str, edition: str) -> Ground:
        """What stands behind a decision under a rule of which the city has said nothing."""
        return self.ground(city, self._default(city, programme, rule), edition)

    def _default(self, city: str, programme: str, rule: str) -> str:
        """The platform's default has held since the city has had rules on loss."""
        since = f"{self._begins_on(city, programme)}/{self._packs[city].first_edition}"
        return f"{UNSAID}{programme}/loss.{rule}@{since}"

    def place(self, city: str, outlet: str) -> Place:
        """Where an act takes place; whoever is at no outlet of the city is on the telephone."""
        kind = self._packs[city].outlet_kinds.get(outlet, "hotline")
        return Place(outlet=outlet, kind=kind)


def _covered(data: list[CoveredData]) -> tuple[Covered, ...]:
    return tuple(one.value() for one in data)
