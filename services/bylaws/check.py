"""`citycard bylaws check`: everything that is wrong with a pack, each fault with its file, its line and what to do.

First what can be seen without knowing what a value means, then every service reads the pack as it would when the house
starts, and at last whatever nobody has read: a key that no service asks for is a key that was mistyped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from libs.kernel import Refused
from libs.kernel.calendar import SHANGHAI, Year
from libs.runtime.citypack import CityPack, CityPacks, load_pack, read_calendar
from libs.runtime.packfile import Finding, PackUnfit, line_of, nearest, read_yaml
from services.identity.adapters.bylaws import DataSharing, MassIssues
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.programmes import Programmes
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.loss.adapters.bylaws import LossBylaws
from services.notice.adapters.texts import PackTexts
from services.office.adapters.organisations import Establishments
from services.wallet.adapters.bylaws import WalletBylaws
from services.wallet.adapters.fares import FareBylaws
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws

READERS: Sequence[Callable[[CityPacks], Any]] = (
    DataSharing, MassIssues, Eligibility, Programmes, IssuanceBylaws, LossBylaws, PackTexts, Establishments,
    WalletBylaws, FareBylaws, ReconciliationBylaws,
)  # fmt: skip
"""Everybody who reads a pack when the house starts."""

FILES = ("programme", "issuance", "loss", "wallet", "fares")
ENTRY = ("from", "to", "recorded", "basis", "value")
Texts = dict[str, str]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OutletData(_Data):
    name: Texts
    kind: Literal["hall", "community", "bank", "police"]
    address: str = ""


class DepartmentData(_Data):
    title: Texts
    facts: list[str]


class CityData(_Data):
    """What stands in `city.yaml`."""

    code: str = Field(pattern=r"^[0-9]{6}$")
    title: Texts
    when_calendar_is_unknown: Literal["guess", "refuse"]
    languages: list[str] = Field(min_length=1)
    outlets: dict[str, OutletData]
    departments: dict[str, DepartmentData]
    recorded: date | None = None
    programmes: list[str] = []
    sources: dict[str, str] = {}
    words: dict[str, dict[str, Texts]] = {}


@dataclass
class Report:
    """What was found, and the cities that could be read."""

    findings: list[Finding] = field(default_factory=list)
    packs: list[CityPack] = field(default_factory=list)


def check(place: Path) -> Report:
    """Check one city (the folder with its `city.yaml`), or all under a folder with `cities/` and `calendars/`."""
    report = Report()
    cities, deploy = _cities(place, report)
    years, words = _common(deploy, report)
    for city in cities:
        faults = sorted(_faults_of_files(city))
        if not faults and years is not None:
            faults = sorted(set(_faults(city, years, words, report)))
        report.findings += faults
    return report


def read_by_everybody(packs: CityPacks) -> None:
    """Let every service read what a city has decided, on every day on which something begins. Raises PackUnfit."""
    for reader in READERS:
        for finding in _read(reader, packs):
            raise PackUnfit(finding.words, [finding])


def _cities(place: Path, report: Report) -> tuple[Sequence[Path], Path]:
    if (place / "city.yaml").exists():
        return [place], place.resolve().parents[1]
    cities = sorted(path.parent for path in (place / "cities").glob("*/city.yaml"))
    if not cities:
        words = "there is no city here; name a folder with a city.yaml, or one with cities/ and calendars/"
        report.findings.append(Finding(place, 0, words))
    return cities, place


def _common(deploy: Path, report: Report) -> tuple[Mapping[int, Year] | None, Mapping[str, Any]]:
    calendar, words = deploy / "calendars" / "cn.yaml", deploy / "words.yaml"
    try:
        return read_calendar(calendar), read_yaml(words) if words.exists() else {}
    except PackUnfit as unfit:
        report.findings += unfit.findings
    except (KeyError, TypeError, ValueError) as error:
        report.findings.append(Finding(calendar, 0, f"is no calendar: {error}"))
    return None, {}


def _faults_of_files(city: Path) -> Iterator[Finding]:
    for path in sorted(city.rglob("*.yaml")):
        try:
            found = read_yaml(path)
        except PackUnfit as unfit:
            yield from unfit.findings
            continue
        if not isinstance(found, dict):
            yield Finding(path, 0, "is empty; a file of a pack says something, or is not there")
        elif path.name == "city.yaml" and path.parent == city:
            yield from _faults_of_city(path, found)
        elif path.name != "notices.yaml":
            yield from _faults_of_leaves(path, found, [])


def _faults_of_city(path: Path, found: Any) -> Iterator[Finding]:
    try:
        CityData.model_validate(found)
    except ValidationError as error:
        for fault in error.errors():
            where = list(fault["loc"])
            match fault["type"]:
                case "extra_forbidden":
                    kinds: dict[Any, type[BaseModel]] = {"outlets": OutletData, "departments": DepartmentData}
                    kind = kinds.get(where[0], CityData) if len(where) > 1 else CityData
                    words = f"the key `{where[-1]}` is unknown here{nearest(str(where[-1]), list(kind.model_fields))}"
                case "missing":
                    words = f"`{'.'.join(map(str, where))}` is missing"
                case _:
                    words = f"`{'.'.join(map(str, where))}`: {fault['msg']}"
            yield Finding(path, line_of(path, where), words)


def _faults_of_leaves(path: Path, found: Any, steps: Sequence[str | int]) -> Iterator[Finding]:
    """What is wrong with the dated entries of a file, whatever their values mean."""
    if isinstance(found, dict):
        for name, child in found.items():
            yield from _faults_of_leaves(path, child, [*steps, name])
    elif isinstance(found, list) and any(
        isinstance(one, dict) and one.keys() & {"from", "basis", "value"} for one in found
    ):
        yield from _faults_of_entries(path, found, steps)


def _faults_of_entries(path: Path, entries: Sequence[Any], steps: Sequence[str | int]) -> Iterator[Finding]:
    def at(nth: int, words: str, *more: str | int) -> Finding:
        return Finding(path, line_of(path, [*steps, nth, *more]), f"{'.'.join(map(str, steps))}: {words}")

    spans: list[tuple[date, date, date | None, int]] = []
    for nth, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield at(nth, "this is no entry; each has `from`, `basis` and `value`")
            continue
        for name in entry.keys() - set(ENTRY):
            yield at(nth, f"the key `{name}` is unknown here{nearest(str(name), ENTRY)}", str(name))
        for name in ("from", "basis", "value"):
            if name not in entry or (name == "basis" and not str(entry[name] or "").strip()):
                yield at(nth, f"this entry has no `{name}`; every value needs a date, a legal basis and itself")
        for name in ("from", "to", "recorded"):
            if not isinstance(entry.get(name, date.min), date) or isinstance(entry.get(name), datetime):
                yield at(nth, f"`{name}` must be a day such as 2026-09-01", name)
        yield from (at(nth, words, "value", *where) for where, words in _negative(entry.get("value")))
        begins, ends = entry.get("from"), entry.get("to")
        if type(begins) is date and (ends is None or type(ends) is date):
            if ends is not None and ends < begins:
                yield at(nth, "this entry ends before it begins; compare `from` and `to`", "to")
            spans.append((begins, entry.get("recorded") or date.min, ends, nth))
    spans.sort(key=lambda span: span[:2])
    for (begins, recorded, ends, first), (later, recorded_later, _, second) in pairwise(spans):
        if (begins, recorded) == (later, recorded_later):
            words = (
                f"two values hold from {begins}; give one of them another `from`, or a correction its own `recorded`"
            )
            yield at(second, words)
        elif ends is not None and recorded == recorded_later and later <= ends:
            yield at(second, f"this value holds from {later}, but the one before it holds until {ends}; they overlap")
        elif ends is not None and later > ends + timedelta(days=1):
            yield at(first, f"nothing holds between {ends} and {later}; let one of them begin or end elsewhere", "to")


def _negative(found: Any, steps: Sequence[str | int] = ()) -> Iterator[tuple[Sequence[str | int], str]]:
    if isinstance(found, dict):
        for name, child in found.items():
            yield from _negative(child, [*steps, name])
    elif isinstance(found, list):
        for nth, child in enumerate(found):
            yield from _negative(child, [*steps, nth])
    elif isinstance(found, int) and found < 0:
        yield (
            steps,
            f"{'.'.join(map(str, steps)) or 'the value'} is {found}; a window, a fee or a count is never negative",
        )


def load_city(folder: Path) -> CityPack:
    """One city, with the calendar and the words of the folder in which it stands. Raises PackUnfit."""
    report = Report()
    cities, deploy = _cities(folder, report)
    years, words = _common(deploy if (deploy / "calendars").exists() else Path("deploy"), report)
    if report.findings or years is None:
        raise PackUnfit("; ".join(map(str, report.findings)), report.findings)
    return load_pack(cities[0], years, words, "")


def _faults(city: Path, years: Mapping[int, Year], words: Mapping[str, Any], report: Report) -> Iterator[Finding]:
    try:
        pack = load_pack(city, years, words, "")
        report.packs.append(pack)
    except PackUnfit as unfit:
        yield from unfit.findings
        return
    yield from _faults_of_words(pack)
    yield from _faults_of_names(pack)
    alone, unread = CityPacks([pack]), False
    for reader in READERS:
        found = list(_read(reader, alone))
        unread = unread or bool(found)
        yield from found
    if not unread:  # Whoever stopped at a fault has not come to the keys behind it.
        yield from _unknown_keys(pack)


def _read(reader: Callable[[CityPacks], Any], packs: CityPacks) -> Iterator[Finding]:
    """What a service says of a pack when it reads it, and the first thing that it cannot work by."""
    try:
        read = reader(packs)
    except PackUnfit as unfit:
        yield from unfit.findings or [Finding(_folder(packs), 0, str(unfit))]
        return
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Finding(_folder(packs), 0, f"cannot be read as {reader.__name__}: {_line(error)}")
        return
    if not isinstance(read, IssuanceBylaws | LossBylaws | WalletBylaws | FareBylaws):
        return
    for pack in packs:
        for programme in pack.programmes:
            for day in sorted({day for day, file in _begins(pack) if file.startswith(f"{programme}/")}):
                try:
                    read.at(pack.code, programme, datetime.combine(day, time(12), SHANGHAI))
                except (PackUnfit, Refused, KeyError):
                    continue  # It does not hold on this day yet, or there is nothing of the kind here.
                except (ValueError, TypeError) as error:
                    yield Finding(pack.folder / programme, 0, f"{reader.__name__}, as of {day}: {_line(error)}")
                    return


def _begins(pack: CityPack) -> Iterator[tuple[date, str]]:
    for file, found in pack.files.items():
        for entries in leaves(found):
            yield from ((entry["from"], file) for entry in entries[1])


def leaves(found: Any, steps: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Sequence[Any]]]:
    """The dated values of a file, each with the way to it."""
    if isinstance(found, dict):
        for name, child in found.items():
            yield from leaves(child, (*steps, str(name)))
    elif isinstance(found, list) and found and all(isinstance(one, dict) and "value" in one for one in found):
        yield steps, found


def _unknown_keys(pack: CityPack) -> Iterator[Finding]:
    for file, found in pack.files.items():
        if "/" not in file:
            continue
        known = sorted(path.partition(".")[2] for path in pack.asked if path.partition(".")[0] == file)
        if not known and (name := file.rpartition("/")[2]) not in FILES:
            words = f"no service reads a file of this name{nearest(name, FILES)}"
            yield Finding(pack.folder / f"{file}.yaml", 0, words)
        for steps, _ in leaves(found):
            if known and (inside := ".".join(steps)) not in known:
                path = pack.folder / f"{file}.yaml"
                yield Finding(path, line_of(path, steps), f"the key `{inside}` is unknown here{nearest(inside, known)}")


def _faults_of_words(pack: CityPack) -> Iterator[Finding]:
    """Every text in every language of the city, and a name for everything that people read about."""
    languages: Sequence[str] = pack.files["city"]["languages"]
    for file, found in pack.files.items():
        path = pack.folder / f"{file}.yaml"
        for steps in _untranslated(found, languages, []):
            yield Finding(
                path, line_of(path, steps), f"{'.'.join(map(str, steps))}: a text in {_all(languages)} is needed"
            )
    city = pack.folder / "city.yaml"
    for department, about in pack.files["city"]["departments"].items():
        for nth, fact in enumerate(about["facts"]):
            if pack.named("fact", str(fact)).zh == fact:
                line = line_of(city, ["departments", department, "facts", nth])
                yield Finding(city, line, f"the fact `{fact}` has no name in {_all(languages)}; add it to `words`")


def _untranslated(found: Any, languages: Sequence[str], steps: list[str | int]) -> Iterator[list[str | int]]:
    if isinstance(found, dict):
        if found.keys() & {"zh", "en"} and not set(languages) <= found.keys():
            yield steps
        for name, child in found.items():
            yield from _untranslated(child, languages, [*steps, name])
    elif isinstance(found, list):
        for nth, child in enumerate(found):
            yield from _untranslated(child, languages, [*steps, nth])


PLACES = ("written_report_at", "reissue_at", "cancel_at")


def _faults_of_names(pack: CityPack) -> Iterator[Finding]:
    """Functions that no card of the programme bears, facts that nobody states, outlets of a kind that there is not."""
    kinds = {*pack.outlet_kinds.values(), "hotline", "online"}
    for file, found in pack.files.items():
        programme, _, name = file.partition("/")
        if not name:
            continue
        path, borne = pack.folder / f"{file}.yaml", _borne(pack, programme)
        for steps, entries in leaves(found):
            for nth, entry in enumerate(entries):
                for where, function in _found_under("function", entry["value"]):
                    if borne and function not in borne:
                        line = line_of(path, [*steps, nth, "value", *where])
                        hint = nearest(str(function), sorted(borne))
                        yield Finding(path, line, f"no card of this programme bears the function `{function}`{hint}")
                for where, facts in _found_under("facts", entry["value"]):
                    for fact in facts if isinstance(facts, list) else ():
                        if fact not in pack.facts:
                            line = line_of(path, [*steps, nth, "value", *where])
                            hint = nearest(str(fact), sorted(pack.facts))
                            yield Finding(path, line, f"no department of this city states the fact `{fact}`{hint}")
                for where, task in _found_under("task", entry["value"]):
                    tasks = _tasks(pack)
                    if task not in tasks:
                        line = line_of(path, [*steps, nth, "value", *where])
                        hint = nearest(str(task), sorted(tasks))
                        yield Finding(path, line, f"no organisation of this city has the task `{task}`{hint}")
                listed = entry["value"] if steps[-1] in PLACES and name == "loss" else []
                for kind in listed if isinstance(listed, list) else ():
                    if isinstance(kind, str) and kind not in kinds:
                        line = line_of(path, [*steps, nth, "value"])
                        yield Finding(path, line, f"no outlet of this city is a `{kind}`{nearest(kind, sorted(kinds))}")


def _tasks(pack: CityPack) -> set[str]:
    found = pack.files.get("organisations", {}).get("establishment", [])
    return {task for entry in found for level in entry["value"]["levels"].values() for task in level.get("tasks", ())}


def _borne(pack: CityPack, programme: str) -> set[str]:
    found = pack.files.get(f"{programme}/programme", {}).get("catalogue", [])
    return {line["function"] for entry in found for line in entry["value"]}


def _found_under(
    key: str, found: Any, steps: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(found, dict):
        for name, child in found.items():
            if name == key and not isinstance(child, dict):
                yield (*steps, name), child
            yield from _found_under(key, child, (*steps, name))
    elif isinstance(found, list):
        for nth, child in enumerate(found):
            yield from _found_under(key, child, (*steps, nth))


def _folder(packs: CityPacks) -> Path:
    return next(iter(packs)).folder


def _all(languages: Sequence[str]) -> str:
    return " and ".join(languages)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
