"""A city's bylaws: data with a legal basis and a date from which they hold, never code.

A leaf of a pack is a list of dated entries; the one that holds at a moment is the last whose `from` is not later:

    pre_report_window:
      - from: 2012-03-10
        recorded: 2026-09-01
        basis: Zhoushan citizen-card FAQ (3), within five working days
        value: {count: 5, unit: working_days}

When a value holds (`from`, and `to` where it ends without a successor) and when the city wrote it down (`recorded`) are
two things. A mistake is put right by another entry with the same `from` and a later `recorded`; the old one stays, for
it is what the city went by until then. An entry without `recorded` stood in the first edition (that of city.yaml).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from libs.kernel.calendar import Calendar, Year, shanghai_day
from libs.kernel.why import Ground, Nameless, Names, Said
from libs.runtime.packfile import Finding, PackUnfit, line_of, read_yaml

__all__ = ["Applied", "CityPack", "CityPacks", "Dated", "Entry", "PackUnfit", "Section", "load_packs"]

T = TypeVar("T")
FIRST_EDITION = date(2012, 3, 10)

UNSAID = "default/"
"""The rule of a value that no city has to give begins with this where a city has not given it."""
_OF_THE_PLATFORM = Said(
    zh="平台默认值，本市规定未另作规定", en="default of this platform; the city's bylaws say nothing else"
)
_TAKEN_OUT = Said(zh="该条目已被删去", en="an entry that somebody has taken out of the city's bylaws")


class Entry(BaseModel, Generic[T]):
    """One value, the legal text behind it, the days on which it holds, and the day on which it was written down."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True)

    from_: date = Field(alias="from")
    to: date | None = None
    recorded: date | None = None
    basis: str = Field(min_length=1)
    value: T


class Dated(Sequence[Entry[T]]):
    """A value that changes over the years, and of which the city comes to know better."""

    def __init__(
        self, entries: Sequence[Entry[T]], *, rule: str = "", edition: str = "", first_edition: date = FIRST_EDITION,
        said: Callable[[str], Said] = lambda text: Said(zh=text, en=text),
    ) -> None:  # fmt: skip
        self.rule, self._edition, self._first_edition, self._said = rule, edition, first_edition, said
        self._entries = sorted(entries, key=lambda entry: (entry.from_, self.recorded_on(entry)))

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def begins_on(self) -> date:
        """The first day on which there is a value at all."""
        return self._entries[0].from_

    def recorded_on(self, entry: Entry[T]) -> date:
        """The day on which the city wrote this down."""
        return entry.recorded or self._first_edition

    def at(self, moment: datetime, known_at: datetime | None = None) -> T:
        """The value that holds at this moment, as the city knew it at `known_at`. Raises PackUnfit if none does."""
        return self.entry_at(moment, known_at).value

    def entry_at(self, moment: datetime, known_at: datetime | None = None) -> Entry[T]:
        """The value with its legal basis. Raises PackUnfit if none holds, or none was known then."""
        day = shanghai_day(moment)
        known = shanghai_day(known_at) if known_at is not None else date.max
        there = [entry for entry in self._entries if entry.from_ <= day and self.recorded_on(entry) <= known]
        if not there:
            raise PackUnfit(f"no value holds on {day}: the first begins on {self.begins_on}")
        if there[-1].to is not None and there[-1].to < day:
            raise PackUnfit(f"no value holds on {day}: the last one ended with {there[-1].to}")
        return there[-1]

    def ground(self, entry: Entry[T], row: str = "") -> Ground:
        """What a decision under this entry cites; `row` is the row of a table."""
        return Ground(
            rule=f"{self.rule}#{row}" if row else self.rule,
            basis=self._said(entry.basis),
            valid_from=entry.from_,
            recorded_on=self.recorded_on(entry),
            edition=self._edition,
        )


@dataclass(frozen=True)
class Applied:
    """The values of a section as they hold at one moment, and what a decision under each of them cites."""

    values: Mapping[str, Any]
    grounds: Mapping[str, Ground]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True)
class Section:
    """Some dated values that are read together, for example all rules on loss of one programme."""

    dated: Mapping[str, Dated[Any]]

    def at(self, moment: datetime, known_at: datetime | None = None) -> Applied:
        """Raises PackUnfit if one of them has no value at this moment."""
        entries = {name: dated.entry_at(moment, known_at) for name, dated in self.dated.items()}
        return Applied(
            values={name: entry.value for name, entry in entries.items()},
            grounds={name: self.dated[name].ground(entry) for name, entry in entries.items()},
        )

    @property
    def begins_on(self) -> date:
        """The first day on which all of it holds."""
        return max(dated.begins_on for dated in self.dated.values())


@dataclass(frozen=True)
class CityPack:
    """All files of one city. `code` is its area code (GB/T 2260); `hash` names this very edition, calendar and all."""

    name: str
    code: str
    title: Mapping[str, str]
    hash: str
    folder: Path
    files: Mapping[str, Any]
    calendar: Calendar
    words: Mapping[str, Any] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set, compare=False)

    def dated(self, path: str, kind: Any, born: Callable[[Any], Any] | None = None) -> "Dated[Any]":
        """The dated value at a path such as `citizen-card/loss.pre_report_window`. Raises PackUnfit.

        `born` makes the domain's own value of what the file says; a ValueError of it is a fault of the file.
        """
        file, _, inside = path.partition(".")
        self.asked.add(path)
        steps = inside.split(".")
        found, there = self.files.get(file), dict[str, Any]()
        for step in steps:
            there = found if isinstance(found, dict) else {}
            found = there.get(step)
        if found is None:
            words = f"{file}.yaml has no {inside}; add it, with `from`, `basis` and `value`"
            if meant := get_close_matches(steps[-1], [*map(str, there)], 1, cutoff=0.8):
                words = (
                    f"{file}.yaml has no {inside}, but `{meant[0]}`, which nobody reads; did you mean `{steps[-1]}`?"
                )
            raise self.unfit(file, [*steps[:-1], *meant], words)
        try:
            entries: list[Entry[Any]] = TypeAdapter(list[Entry[kind]]).validate_python(found)
        except ValidationError as error:
            first = error.errors()[0]
            raise self.unfit(file, [*steps, *first["loc"]], f"{file}.yaml, {inside}: {_in_words(first)}") from error
        if not entries:
            raise self.unfit(file, steps, f"{file}.yaml, {inside}: there is no entry; add one, or take the key out")
        for nth, entry in enumerate(entries):
            try:
                entries[nth] = entry if born is None else entry.model_copy(update={"value": born(entry.value)})
            except ValueError as error:
                raise self.unfit(file, [*steps, nth, "value"], f"{file}.yaml, {inside}: {error}") from error
        return Dated(
            entries, rule=path, edition=self.hash, first_edition=self.first_edition, said=self.in_both_languages
        )

    def cited(self, ref: str, edition: str) -> Ground:
        """The ground that a fact names by `Ground.ref`, with the edition that stands in its record.

        A city adds to its history and never rewrites it; where somebody did, the answer says so.
        """
        path, _, row = ref.rpartition("@")[0].partition("#")
        if path.startswith(UNSAID):
            return Ground.named(ref, _OF_THE_PLATFORM, edition)
        dated = self.dated(path, Any) if self.has(path) else Dated[Any]([])
        grounds = (dated.ground(entry, row) for entry in dated)
        if (found := next((one for one in grounds if one.ref == ref), None)) is not None:
            return replace(found, edition=edition)
        return Ground.named(ref, _TAKEN_OUT, edition)

    def ground(self, path: str, moment: datetime, edition: str = "", row: str = "") -> Ground | None:
        """What a decision of this moment cites at this path; None where the city's bylaws said nothing of it then.

        `edition` is the one that stands in the record of the decision; without it, it is this one.
        """
        if not self.has(path):
            return None
        dated = self.dated(path, Any)
        try:
            return replace(dated.ground(dated.entry_at(moment), row), edition=edition or self.hash)
        except PackUnfit:
            return None

    def section(self, kinds: Mapping[str, tuple[str, Any]]) -> Section:
        """Dated values that are read together: name → path and kind. Raises PackUnfit."""
        return Section({name: self.dated(path, kind) for name, (path, kind) in kinds.items()})

    def has(self, path: str) -> bool:
        """Whether the pack says anything at this path."""
        file, _, inside = path.partition(".")
        found: Any = self.files.get(file)
        for step in inside.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return found is not None

    def unfit(self, file: str, steps: Sequence[str | int], words: str) -> PackUnfit:
        """A fault at this place of the pack."""
        path = self.folder / f"{file}.yaml"
        return PackUnfit(f"{self.name}: {words}", [Finding(path, line_of(path, steps), words)])

    @property
    def first_edition(self) -> date:
        """The day on which the first edition was written down."""
        found: date = self.files.get("city", {}).get("recorded", FIRST_EDITION)
        return found

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
        """The programmes under which this city issues cards, the principal one first (`programmes` in city.yaml)."""
        there = sorted({path.partition("/")[0] for path in self.files if "/" in path})
        listed: Sequence[str] = self.files.get("city", {}).get("programmes", [])
        return sorted(there, key=lambda one: listed.index(one) if one in listed else len(listed))

    @property
    def facts(self) -> frozenset[str]:
        """The facts that some department of the city may state."""
        return frozenset(str(fact) for about in self.files["city"]["departments"].values() for fact in about["facts"])

    def in_both_languages(self, text: str) -> Said:
        """A legal basis: cited by its English title, in Chinese by the title that `sources` in city.yaml gives."""
        chinese = text
        sources: Mapping[str, str] = self.files.get("city", {}).get("sources", {})
        for english in sorted(sources, key=len, reverse=True):
            chinese = chinese.replace(english, sources[english])
        return Said(zh=chinese, en=text)

    def named(self, kind: str, of: str) -> Said:
        """What the city calls a `fact`, `function`, `document`, `department`, `outlet` or `organisation`; else its id.

        A `refusal` is called by its sentence; only the Chinese one stands there, with the details of the refusal.
        """
        if kind == "department":
            found = self.files["city"]["departments"].get(of, {}).get("title", {})
        elif kind == "outlet":
            found = self.outlets.get(of, {}).get("name", {})
        elif kind == "organisation":
            entries = reversed(self.files.get("organisations", {}).get("establishment", []))
            titles = (entry["value"]["organisations"].get(of, {}).get("title") for entry in entries)
            found = next(filter(None, titles), {})
        else:
            found = self.files["city"].get("words", {}).get(kind, {}).get(of) or self.words.get(kind, {}).get(of, {})
        return Said(zh=str(found.get("zh", of)), en=str(found.get("en", of)))


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

    def names_of(self, code: str) -> Names:
        """What a city calls its facts, departments, functions and documents."""
        return self._packs[code] if code in self._packs else Nameless()


def load_packs(folder: Path) -> CityPacks:
    """Read every city under `<folder>/cities`, with the calendar and the words beside them. Raises PackUnfit."""
    calendars, words = folder / "calendars" / "cn.yaml", folder / "words.yaml"
    years = read_calendar(calendars)
    common = hashlib.sha256(calendars.read_bytes()).hexdigest()
    shared = read_yaml(words) if words.exists() else {}
    cities = sorted(path.parent for path in (folder / "cities").glob("*/city.yaml"))
    return CityPacks([load_pack(city, years, shared, common) for city in cities])


def read_calendar(path: Path) -> Mapping[int, Year]:
    """The published years. Raises PackUnfit."""
    found: Any = read_yaml(path)
    years: dict[int, Year] = {}
    for number, data in found["years"].items():
        year = Year(days_off=frozenset(data["days_off"]), days_worked=frozenset(data["days_worked"]))
        try:
            Calendar(years={int(number): year})
        except (ValueError, AttributeError, TypeError) as error:
            finding = Finding(path, line_of(path, ["years", str(number)]), str(error))
            raise PackUnfit(str(finding), [finding]) from error
        years[int(number)] = year
    return years


def load_pack(folder: Path, years: Mapping[int, Year], words: Mapping[str, Any], common: str = "") -> CityPack:
    """Read one city. Raises PackUnfit."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha256(common.encode())
    for path in paths:
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    files = {str(path.relative_to(folder).with_suffix("")): read_yaml(path) for path in paths if path.suffix == ".yaml"}
    city = files["city"]
    return CityPack(
        name=folder.name,
        code=str(city["code"]),
        title=city["title"],
        hash=digest.hexdigest()[:16],
        folder=folder,
        files=files,
        calendar=Calendar(years=years, guess_unknown_years=city["when_calendar_is_unknown"] == "guess"),
        words=words,
    )


def _in_words(fault: Any) -> str:
    """What pydantic found, for somebody who edits a file by hand."""
    where = ".".join(str(part) for part in fault["loc"][1:])
    match fault["type"]:
        case "missing" if fault["loc"][-1] in ("basis", "from", "value"):
            return f"this entry has no `{fault['loc'][-1]}`; every value needs a date, a legal basis and itself"
        case "missing":
            return f"`{where}` is missing"
        case "extra_forbidden":
            return f"`{where}` is unknown here"
        case _:
            return f"{where}: {fault['msg']}" if where else str(fault["msg"])
