"""Who would gain or lose which programme or function if another edition of a city's bylaws held."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from libs.kernel.calendar import shanghai_day
from libs.runtime.citypack import CityPack, CityPacks
from services.bylaws.check import leaves
from services.bylaws.register import Somebody
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.tables import Circumstances

SHOWN = 5

Rights = frozenset[tuple[str, str]]
"""Programmes (with an empty function) and functions that somebody has."""


@dataclass
class Difference:
    """What changes for whom. `gains` and `losses`: programme and function → the persons' ids."""

    persons: int = 0
    kinds: int = 0
    gains: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    losses: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def told(self, every_id: bool = False) -> Iterator[str]:
        """In lines: the numbers, and the ids of those whom it touches."""
        yield f"{self.persons:,} persons in {self.kinds:,} kinds of circumstances"
        touched = sorted(self.gains.keys() | self.losses.keys())
        if not touched:
            yield "nobody would gain or lose anything"
        for programme, function in touched:
            gained, lost = self.gains.get((programme, function), []), self.losses.get((programme, function), [])
            what = f"{programme}, function {function}" if function else programme
            yield f"{what}: {len(gained):,} would gain it, {len(lost):,} would lose it"
            for sign, ids in (("+", gained), ("-", lost)):
                yield from (f"  {sign} {one}" for one in (ids if every_id else ids[:SHOWN]))
                if not every_id and len(ids) > SHOWN:
                    yield f"  {sign} … and {len(ids) - SHOWN:,} more; --ids lists them all"


class Comparison:
    """Two editions of one city's bylaws, asked about the same people; each kind of circumstances is asked once."""

    def __init__(self, old: CityPack, new: CityPack, at: datetime) -> None:
        self._city, self._at, self._day = old.code, at, shanghai_day(at)
        self._old, self._new = Eligibility(CityPacks([old])), Eligibility(CityPacks([new]))
        self._editions = ((self._old, old), (self._new, new))
        fields = {
            field
            for eligibility, pack in self._editions
            for programme in pack.programmes
            if self._at >= eligibility.opens_at(pack.code, programme)
            for table in eligibility.tables(pack.code, programme, at)
            for field in table.fields
        }
        self.looks_at_age = "age" in fields
        self._counted = {name.partition(".")[2] for name in fields if name.startswith(("held_days", "left_days"))}
        self._known: dict[object, tuple[Rights, Rights]] = {}
        self.found = Difference()

    def add(self, somebody: Somebody) -> None:
        """Ask both editions about one person."""
        key = (
            frozenset(said.fact for said in somebody.holding),
            frozenset((s.fact, s.valid_from, s.valid_to) for s in somebody.holding if s.fact in self._counted),
            somebody.age if self.looks_at_age else None,
        )
        if key not in self._known:
            now = Circumstances.of(somebody.holding, somebody.age, self._day, somebody.birth)
            before, after = (self._rights(*edition, now) for edition in self._editions)
            self._known[key] = after - before, before - after
        self.found.persons += 1
        self.found.kinds = len(self._known)
        for found, changed in zip((self.found.gains, self.found.losses), self._known[key], strict=True):
            for right in changed:
                found.setdefault(right, []).append(somebody.id)

    def _rights(self, eligibility: Eligibility, pack: CityPack, now: Circumstances) -> Rights:
        rights: set[tuple[str, str]] = set()
        for programme in pack.programmes:
            verdict = eligibility.bare(pack.code, programme, now)
            if verdict.granted:
                rights |= {(programme, ""), *((programme, one.function) for one in verdict.functions if one.granted)}
        return frozenset(rights)


def rewritten(old: CityPack, new: CityPack) -> Iterator[str]:
    """Entries of the old edition that the new one has lost or changed: history is added to, never rewritten."""
    after = dict(_entries(new))
    for key, value in _entries(old):
        path, begins, recorded = key
        what = f"{path}, from {begins}" + (f", recorded {recorded}" if recorded else "")
        if key not in after:
            yield f"{what}: this entry is gone; past decisions cite it, so put it back"
        elif after[key] != value:
            yield f"{what}: this entry says something else now; put it back, and add one with a later `recorded`"


def _entries(pack: CityPack) -> Iterator[tuple[tuple[str, object, object], Mapping[str, object]]]:
    for file, found in pack.files.items():
        for steps, entries in leaves(found):
            for entry in entries:
                yield (f"{file}.{'.'.join(steps)}", entry["from"], entry.get("recorded")), entry
