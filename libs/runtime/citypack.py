"""A city's bylaws: data with a legal basis and a date from which they hold, never code.

A leaf of a pack is a list of dated entries; the one that holds at a moment is the last whose `from` is not later:

    pre_report_window:
      - from: 2012-03-10
        basis: Zhoushan citizen-card FAQ (3), within five working days
        value: {count: 5, unit: working_days}

When a value holds (`from`) and when the city wrote it down (the pack's hash, kept with every decision) are two things.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from libs.kernel.calendar import SHANGHAI, Calendar, Year

T = TypeVar("T")


class PackUnfit(Exception):
    """A city pack that cannot be used; the text says which file and what is wrong with it."""


class Entry(BaseModel, Generic[T]):
    """One value and the day from which it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: date = Field(alias="from")
    basis: str = Field(min_length=1)
    value: T


class Dated(Sequence[Entry[T]]):
    """A value that changes over the years."""

    def __init__(self, entries: Sequence[Entry[T]]) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.from_)

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def at(self, moment: datetime) -> T:
        """The value that holds at this moment. Raises PackUnfit before the first."""
        return self.entry_at(moment).value

    def entry_at(self, moment: datetime) -> Entry[T]:
        """The value with its legal basis."""
        day = moment.astimezone(SHANGHAI).date()
        holding = [entry for entry in self._entries if entry.from_ <= day]
        if not holding:
            raise PackUnfit(f"no value holds on {day}: the first begins on {self._entries[0].from_}")
        return holding[-1]


@dataclass(frozen=True)
class CityPack:
    """All files of one city. `code` is its area code (GB/T 2260); `hash` names this very edition."""

    name: str
    code: str
    title: Mapping[str, str]
    hash: str
    folder: Path
    files: Mapping[str, Any]
    calendar: Calendar

    def dated(self, path: str, kind: Any) -> "Dated[Any]":
        """The dated value at a path such as `citizen-card/loss.pre_report_window`. Raises PackUnfit."""
        file, _, inside = path.partition(".")
        found: Any = self.files.get(file)
        for step in inside.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if found is None:
            raise PackUnfit(f"{self.name}: {file}.yaml has no {inside}")
        try:
            return Dated(TypeAdapter(list[Entry[kind]]).validate_python(found))
        except ValueError as error:
            raise PackUnfit(f"{self.name}: {file}.yaml, {inside}: {error}") from error

    @property
    def outlets(self) -> Mapping[str, Mapping[str, Any]]:
        """The city's outlets by id, each with its `name`, `kind` (hall, community, bank) and address."""
        found: Mapping[str, Mapping[str, Any]] = self.files["city"]["outlets"]
        return found

    @property
    def outlet_kinds(self) -> Mapping[str, str]:
        return {outlet: str(about["kind"]) for outlet, about in self.outlets.items()}

    @property
    def programmes(self) -> Sequence[str]:
        """The programmes under which this city issues cards."""
        return sorted({path.partition("/")[0] for path in self.files if "/" in path})


class CityPacks:
    """The cities that this house serves."""

    def __init__(self, packs: Sequence[CityPack]) -> None:
        self._packs = {pack.code: pack for pack in packs}

    def __iter__(self) -> Iterator[CityPack]:
        return iter(self._packs.values())

    def __contains__(self, code: object) -> bool:
        return code in self._packs

    def __getitem__(self, code: str) -> CityPack:
        return self._packs[code]

    def hash_of(self, code: str) -> str:
        """The edition in force for a city; empty for one that this house does not serve."""
        return self._packs[code].hash if code in self._packs else ""


def load_packs(folder: Path) -> CityPacks:
    """Read every city under `<folder>/cities` with the calendars beside them. Raises PackUnfit."""
    calendars = _read(folder / "calendars" / "cn.yaml")["years"]
    years = {
        int(year): Year(days_off=frozenset(data["days_off"]), days_worked=frozenset(data["days_worked"]))
        for year, data in calendars.items()
    }
    cities = sorted(path.parent for path in (folder / "cities").glob("*/city.yaml"))
    return CityPacks([_load(city, years) for city in cities])


def _load(folder: Path, years: Mapping[int, Year]) -> CityPack:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    files = {str(path.relative_to(folder).with_suffix("")): _read(path) for path in paths if path.suffix == ".yaml"}
    city = files["city"]
    return CityPack(
        name=folder.name,
        code=str(city["code"]),
        title=city["title"],
        hash=digest.hexdigest()[:16],
        folder=folder,
        files=files,
        calendar=Calendar(years=years, guess_unknown_years=city["when_calendar_is_unknown"] == "guess"),
    )


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise PackUnfit(f"{path.name} is not YAML: {error}") from error
