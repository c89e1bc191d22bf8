"""A city's rules on loss, from its pack to the domain."""

from dataclasses import replace
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.kernel.calendar import shanghai_day
from libs.runtime.citypack import CityPacks
from services.loss.domain.bylaw import Covered, LiftAt, LossBylaw, OnLapse, Unit, Window
from services.loss.domain.commands import Place


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowData(_Data):
    count: int
    unit: Literal["working_days", "days", "hours"]


class CoveredData(_Data):
    function: str
    after_hours: int = Field(default=0, ge=0)


class LapseData(_Data):
    then: Literal["wake", "cancel"]
    warn_hours_before: int = Field(ge=0)


class LiftData(_Data):
    where: Literal["any_outlet", "accepting_outlet", "nowhere"]
    kinds: list[str]


class LossBylaws:
    """All cities' rules on loss, checked when they are read."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._of_the_day: dict[tuple[str, str, date], LossBylaw] = {}
        self._dated = {
            (pack.code, programme): {
                name: pack.dated(f"{programme}/loss.{name}", kind)
                for name, kind in {
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
                }.items()
            }
            for pack in packs
            for programme in pack.programmes
        }

    def at(self, city: str, programme: str, moment: datetime) -> LossBylaw:
        """The rules of a programme that hold at this moment; of the city's first one, while it is not known which."""
        programme = programme or self._packs[city].programmes[0]
        day = (city, programme, shanghai_day(moment))
        if day not in self._of_the_day:
            self._of_the_day[day] = self._read(city, programme, moment)
        return self._of_the_day[day]

    def _read(self, city: str, programme: str, moment: datetime) -> LossBylaw:
        dated = {name: values.at(moment) for name, values in self._dated[city, programme].items()}
        window, lapse, lift = dated["pre_report_window"], dated["on_lapse"], dated["lift"]
        return LossBylaw(
            window=Window(count=window.count, unit=Unit(window.unit)),
            calendar=replace(self._packs[city].calendar, guess_unknown_years=True),  # No call waits for a calendar.
            on_lapse=OnLapse(lapse.then),
            warn_hours_before=lapse.warn_hours_before,
            pre_reports_max=dated["pre_reports_max_in_30_days"],
            pre_report_covers=_covered(dated["pre_report_covers"]),
            written_report_covers=_covered(dated["written_report_covers"]),
            written_report_at=frozenset(dated["written_report_at"]),
            lift_at=LiftAt(lift.where),
            lift_kinds=frozenset(lift.kinds),
            reissue_at=frozenset(dated["reissue_at"]),
            cancel_at=frozenset(dated["cancel_at"]),
            documents=frozenset(dated["documents"]),
        )

    def place(self, city: str, outlet: str) -> Place:
        """Where an act takes place; whoever is at no outlet of the city is on the telephone."""
        kind = self._packs[city].outlet_kinds.get(outlet, "hotline")
        return Place(outlet=outlet, kind=kind)


def _covered(data: list[CoveredData]) -> tuple[Covered, ...]:
    return tuple(Covered(function=one.function, after_hours=one.after_hours) for one in data)
