"""Rolls of persons who never lived, with planted faults and a manifest of what must become of each row.

`python -m services.simulation.rolls --rows 1000000 --seed 1 --out roll.csv` writes `roll.csv` and `roll.manifest.csv`:
line, outcome, field, code of every row that must bring no new card. All other rows must bring one. The same seed makes
the same files, to the byte.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random

from libs.kernel.checkdigits import mod_11_2
from services.identity.adapters.roll_files import HEADING

FAULT_SHARE = 0.03
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许邓冯韩曹"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂文辉玲华建国红小海波宁云"
_OUTLETS = ("zs-hall", "zs-dinghai", "zs-icbc-dinghai", "zs-icbc-putuo")
_SCHEMES = ("insured_employee", "insured_resident", "insured_rural")
_PREFIXES = ("130", "135", "138", "139", "150", "158", "159", "186", "188")
_FIRST_BIRTH, _DAYS = date(1930, 1, 1), 33_000
_DISTRICTS = ("330902", "330903", "330921", "330922")
_FULL_WIDTH = {ord(str(n)): chr(0xFF10 + n) for n in range(10)}


@dataclass(frozen=True, slots=True)
class Expected:
    """What must become of a row."""

    line: int
    outcome: str
    field: str
    code: str

    def row(self) -> str:
        return f"{self.line},{self.outcome},{self.field},{self.code}\n"


@dataclass
class Person:
    """A row as it would be without a fault; the `nth` person (from 0) has a number like nobody else."""

    nth: int
    columns: dict[str, str]


@dataclass
class Generator:
    """Makes rows one after another; `born_by` keeps everybody's birth in the past, wherever the clock stands."""

    seed: int
    share: float = FAULT_SHARE
    first: int = 0
    expected: list[Expected] = field(default_factory=list)

    def lines(self, rows: int) -> Iterator[str]:
        """All lines of the file, and by the way what is expected of each."""
        random = Random(self.seed)
        yield HEADING + "\n"
        before: list[Person] = []
        for nth in range(rows):
            line, person = nth + 2, self._person(self.first + nth, random)
            if random.random() < self.share:
                outcome, column, code, spoil = random.choice(_FAULTS)
                text = spoil(person, before, random)
                if text is not None:
                    self.expected.append(Expected(line, outcome, column, code))
                    yield text
                    continue
            elif random.random() < 0.02:
                person.columns["number"] = random.choice(_ODD_BUT_RIGHT)(person.columns["number"])
            yield _text(person.columns)
            if len(before) < 5_000:
                before.append(person)
            else:
                before[random.randrange(5_000)] = person

    def _person(self, nth: int, random: Random) -> Person:
        # Birth and sequence come from the count, so that no number comes twice; where, from chance.
        birth = _FIRST_BIRTH + timedelta(days=nth % _DAYS)
        body = f"{_DISTRICTS[(nth // _DAYS) // 999 % 4]}{birth:%Y%m%d}{(nth // _DAYS) % 999 + 1:03d}"
        number = body + mod_11_2(body)
        name = random.choice(_SURNAMES) + "".join(random.choices(_GIVEN, k=random.choice((1, 2, 2))))
        valid_from = date(2015, 1, 1) + timedelta(days=random.randrange(3_000))
        return Person(
            nth,
            {
                "kind": "id_card", "number": number, "name": name, "birth": "",
                "mobile": f"{random.choice(_PREFIXES)}{random.randrange(10**8):08d}",
                "facts": random.choice(_SCHEMES), "valid_from": valid_from.isoformat(), "reference": f"HR-{nth}",
                "accurate": "yes", "outlet": random.choice(_OUTLETS),
            },
        )  # fmt: skip


def _text(columns: dict[str, str]) -> str:
    return ",".join(columns.values()) + "\n"


Spoil = Callable[[Person, list[Person], Random], str | None]


def _with(**changes: str) -> Spoil:
    return lambda person, _before, _random: _text(person.columns | changes)


def _slip(person: Person, _before: list[Person], _random: Random) -> str:
    number = person.columns["number"]
    return _text(person.columns | {"number": number[:-1] + ("0" if number[-1] != "0" else "1")})


def _birth(written: str) -> Spoil:
    def spoil(person: Person, _before: list[Person], _random: Random) -> str:
        body = person.columns["number"][:6] + written + person.columns["number"][14:17]
        return _text(person.columns | {"number": body + mod_11_2(body)})

    return spoil


def _again(**changes: str) -> Spoil:
    def spoil(_person: Person, before: list[Person], random: Random) -> str | None:
        if not before:
            return None
        return _text(random.choice(before).columns | changes)

    return spoil


def _old_form_again(_person: Person, before: list[Person], random: Random) -> str | None:
    """Somebody who stands on the roll before, with the fifteen digits of the first identity cards."""
    born_before_2000 = [one for one in before if len(n := one.columns["number"]) == 18 and n[6:8] == "19"]
    if not born_before_2000:
        return None
    columns = random.choice(born_before_2000).columns
    number = columns["number"]
    return _text(columns | {"number": number[:6] + number[8:17]})


def _old_form(person: Person, _before: list[Person], _random: Random) -> str | None:
    number = person.columns["number"]
    return _text(person.columns | {"number": number[:6] + number[8:17]}) if number[6:8] == "19" else None


def _torn(person: Person, _before: list[Person], _random: Random) -> str:
    return ",".join(list(person.columns.values())[:6]) + "\n"


def _nul(person: Person, _before: list[Person], _random: Random) -> str:
    return _text(person.columns | {"name": person.columns["name"] + "\0"})


_FAULTS: tuple[tuple[str, str, str, Spoil], ...] = (
    ("rejected", "number", "check-character-wrong", _slip),
    ("rejected", "number", "birth-date-unreal", _birth("19800230")),
    ("rejected", "number", "birth-date-ahead", _birth("20990101")),
    ("rejected", "number", "number-misshapen", _with(number="33090219800")),
    ("rejected", "kind", "kind-unknown", _with(kind="library_card")),
    ("rejected", "name", "name-missing", _with(name=" ")),
    ("rejected", "name", "too-long", _with(name="长" * 10_000)),
    ("rejected", "mobile", "mobile-unfit", _with(mobile="12345678901")),
    ("rejected", "valid_from", "day-unreal", _with(valid_from="2024-02-30")),
    ("rejected", "valid_from", "day-ahead", _with(valid_from="2099-01-01")),
    ("rejected", "facts", "fact-unknown", _with(facts="hukou")),
    ("rejected", "accurate", "accurate-unclear", _with(accurate="maybe")),
    ("rejected", "outlet", "outlet-unknown", _with(outlet="zs-nowhere")),
    ("rejected", "birth", "birth-date-mismatch", _with(birth="1911-01-01")),
    ("rejected", "row", "columns", _torn),
    ("rejected", "row", "nul", _nul),
    ("rejected", "row", "twice-in-roll", _again()),
    ("left_out", "facts", "not-insured", _with(facts="pension_insured")),
    ("left_out", "facts", "not-insured", _with(facts="")),
    ("left_out", "accurate", "record-not-accurate", _with(accurate="no")),
    ("left_out", "number", "no-second-generation-id", _old_form),
    ("case", "number", "old-and-new-form", _old_form_again),
    ("case", "name", "other-name", _again(name="某某某")),
)
_ODD_BUT_RIGHT: tuple[Callable[[str], str], ...] = (
    lambda number: number.lower(),
    lambda number: number.translate(_FULL_WIDTH),
    lambda number: f"{number[:6]} {number[6:14]} {number[14:]}",
)


def manifest_of(roll: Path) -> Path:
    return roll.with_suffix(".manifest.csv")


def write(roll: Path, rows: int, seed: int, share: float = FAULT_SHARE, first: int = 0) -> Counter[str]:
    """Write a roll and its manifest; returns how many rows must come to what."""
    generator = Generator(seed, share, first)
    with roll.open("w", encoding="utf-8", newline="") as file:
        file.writelines(generator.lines(rows))
    with manifest_of(roll).open("w", encoding="utf-8") as file:
        file.write("line,outcome,field,code\n")
        file.writelines(one.row() for one in generator.expected)
    came_to = Counter(one.outcome for one in generator.expected)
    came_to["ordered"] = rows - len(generator.expected)
    return came_to


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m services.simulation.rolls", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="begin with another person, so that rolls do not overlap")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    sys.stdout.write(json.dumps(write(asked.out, asked.rows, asked.seed, first=asked.first)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
