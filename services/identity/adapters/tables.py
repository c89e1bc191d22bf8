"""A city's decision tables: run by zen with a trace, once for all circumstances that they cannot tell apart."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import zen

from libs.kernel.calendar import years_after
from libs.kernel.why import Said
from libs.runtime.packfile import Finding, PackUnfit, line_of, nearest
from services.identity.domain.events import Statement

ENDLESS = 99_999
ANSWERS_KEPT_MAX = 10_000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that a table can look at on one day.

    A column's `field` is `age` (full years), `facts.<fact>` (whether it holds), `held_days.<fact>` (days since its
    first day; -1 if it does not hold) or `left_days.<fact>` (days until its last; 99,999 if nobody knows an end).
    """

    facts: Mapping[str, tuple[date, date | None]]
    age: int
    day: date
    birth: date | None = None

    @classmethod
    def of(cls, holding: Sequence[Statement], age: int, day: date, birth: date | None = None) -> "Circumstances":
        """What these statements come to; what several departments state holds from the first to the last of them."""
        facts: dict[str, tuple[date, date | None]] = {}
        for said in holding:
            begins, ends = facts.get(said.fact, (said.valid_from, said.valid_to))
            last = None if ends is None or said.valid_to is None else max(ends, said.valid_to)
            facts[said.fact] = min(begins, said.valid_from), last
        return cls(facts, age, day, birth)

    def on(self, day: date) -> "Circumstances":
        """The same on a later day, if nobody says anything new."""
        left = {fact: (begins, ends) for fact, (begins, ends) in self.facts.items() if ends is None or ends >= day}
        age = self.age if self.birth is None else day.year - self.birth.year
        if self.birth is not None and years_after(self.birth, age) > day:
            age -= 1
        return Circumstances(left, age, day, self.birth)

    def look(self, field: str) -> bool | int:
        """What stands in this field."""
        kind, _, fact = field.partition(".")
        if kind == "age":
            return self.age
        if kind == "facts":
            return fact in self.facts
        if fact not in self.facts:
            return -1
        begins, ends = self.facts[fact]
        if kind == "held_days":
            return (self.day - begins).days
        return ENDLESS if ends is None else (ends - self.day).days


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that fits, its stable id, and the facts that it looks at."""

    row: Row
    id: str
    looks_at: Sequence[str]


class Table:
    """One decision table in its file. Raises PackUnfit where it could leave somebody without an answer."""

    def __init__(self, path: Path, facts: frozenset[str]) -> None:
        self.path = path
        try:
            self._text = text = path.read_text(encoding="utf-8")
            nodes = json.loads(text)["nodes"]
            (self._node,) = (nth for nth, node in enumerate(nodes) if node["type"] == "decisionTableNode")
            node = nodes[self._node]
            self._decision = zen.ZenEngine().create_decision(text)
            self._decision.validate()
            self._id, self._columns, self._rows = node["id"], node["content"]["inputs"], node["content"]["rules"]
        except json.JSONDecodeError as error:
            raise PackUnfit(f"{path} is no decision table: {error}", [
                Finding(path, error.lineno, f"is no JSON: {error.msg}")]) from error  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            words = f"is no decision table: {str(error).partition(chr(10))[0]}"
            raise PackUnfit(f"{path} {words}", [Finding(path, 0, words)]) from error
        self.fields = [str(column["field"]) for column in self._columns]
        self._check(facts)
        self.outputs = self._outputs()
        self._thresholds = {field: self._numbers(field) for field in self.fields if not field.startswith("facts.")}
        self._answers: dict[tuple[Any, ...], tuple[Hit, ...]] = {}

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows as they stand in the file."""
        rows: Sequence[Mapping[str, Any]] = self._rows
        return rows

    def ask(self, now: Circumstances) -> Sequence[Hit]:
        """The rows that fit, in the order of the table."""
        key = self.told_apart(now)
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= ANSWERS_KEPT_MAX:
                self._answers.clear()
            answer = self._answers[key] = tuple(self._asked(now))
        return answer

    def told_apart(self, now: Circumstances) -> tuple[Any, ...]:
        """The same for all whom this table cannot tell apart: a number counts by what it is compared with."""
        found = [(now.look(field), self._thresholds.get(field)) for field in self.fields]
        return tuple(
            value if limits is None else (bisect_left(limits, value), bisect_right(limits, value))
            for value, limits in found
        )

    def turns(self, now: Circumstances) -> Iterator[date]:
        """The later days on which the mere passing of time can change the answer."""
        for field, limits in self._thresholds.items():
            kind, _, fact = field.partition(".")
            begins, ends = now.facts.get(fact, (None, None))
            for limit in limits:
                for step in (limit, limit + 1):
                    if kind == "age" and now.birth is not None and step < 200:
                        yield years_after(now.birth, step)
                    elif kind == "held_days" and begins is not None:
                        yield begins + timedelta(days=step)
                    elif kind == "left_days" and ends is not None:
                        yield ends - timedelta(days=step - 1)

    def words(self, row_id: str, output: str) -> Said | None:
        """What the row with this id says under an output, whoever it is for; None if there is no such row."""
        said = self.outputs.get(row_id, {}).get(output)
        return None if said is None else said_of(said)

    def conditions(self, row_id: str) -> Sequence[str]:
        """The facts that the row with this id looks at."""
        row: Mapping[str, Any] = next((row for row in self._rows if row["_id"] == row_id), {})
        return _facts_of([column["field"] for column in self._columns if row.get(column["id"])])

    def fits_everybody(self, row_id: str) -> bool:
        """Whether the row with this id has no condition at all."""
        row: Mapping[str, Any] = next((row for row in self._rows if row["_id"] == row_id), {})
        return not any(row.get(column["id"]) for column in self._columns)

    def lacking(self, row_id: str) -> tuple[str, ...]:
        """For a row that closes a function: the facts that would open it."""
        function = self.outputs.get(row_id, {}).get("function")
        opens = [id_ for id_, said in self.outputs.items() if said.get("function") == function and said["granted"]]
        return tuple(dict.fromkeys(fact for id_ in opens for fact in self.conditions(id_)))

    def look_at_rows(self, now: Circumstances) -> Iterator[tuple[str, bool, Sequence[tuple[str, str, bool | int]]]]:
        """Each row: its id, whether it fits, and each of its conditions with what was found there."""
        fits = {hit.id for hit in self._asked(now, every=True)}
        for row in self._rows:
            cells = [
                (column["field"], str(cell), now.look(column["field"]))
                for column in self._columns if (cell := row.get(column["id"]))
            ]  # fmt: skip
            yield str(row["_id"]), str(row["_id"]) in fits, cells

    def unfit(self, steps: Sequence[str | int], words: str) -> PackUnfit:
        """A fault in this table."""
        line = line_of(self.path, ["nodes", self._node, "content", *steps])
        return PackUnfit(f"{self.path}: {words}", [Finding(self.path, line, words)])

    def _asked(self, now: Circumstances, every: bool = False) -> Iterator[Hit]:
        context: dict[str, Any] = {}
        for field in self.fields:
            kind, _, fact = field.partition(".")
            if fact:
                context.setdefault(kind, {})[fact] = now.look(field)
            else:
                context[kind] = now.look(field)
        decision = self._every if every else self._decision
        answer = decision.evaluate(context, {"trace": True})
        traced: Any = answer["trace"][self._id]["traceData"]
        said: Any = answer["trace"][self._id]["output"]
        # With hit policy `first` zen answers with one row, with `collect` with a list of them.
        for row, trace in zip(said, traced, strict=True) if isinstance(traced, list) else [(said, traced)]:
            cells = self._rows[trace["index"]]
            fields = [column["field"] for column in self._columns if cells.get(column["id"])]
            yield Hit(row, str(cells["_id"]), _facts_of(fields))

    @cached_property
    def _every(self) -> Any:
        """The same table, answering with every row that fits."""
        return self._changed(self._rows)

    def _changed(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        document = json.loads(self._text)
        content = document["nodes"][self._node]["content"]
        content["hitPolicy"], content["rules"] = "collect", rows
        return zen.ZenEngine().create_decision(json.dumps(document))

    def _said_by(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Row]:
        """What these rows say, whoever they are for."""
        conditions = {column["id"] for column in self._columns}
        bare = [{name: cell for name, cell in row.items() if name not in conditions} for row in rows]
        answer = self._changed(bare).evaluate({}, {"trace": True})
        said: Sequence[Row] = answer["trace"][self._id]["output"]
        return said

    def _outputs(self) -> Mapping[str, Row]:
        try:
            return {str(row["_id"]): said for row, said in zip(self._rows, self._said_by(self._rows), strict=True)}
        except (RuntimeError, ValueError):
            for nth, row in enumerate(self._rows):
                try:
                    if len(self._said_by([row])) == 1:
                        continue
                    words = "says nothing"
                except RuntimeError as error:
                    words = str(error).partition("\n")[0]
                raise self.unfit(["rules", nth], f"the row `{row['_id']}` cannot be read: {words}") from None
            raise

    def _check(self, facts: frozenset[str]) -> None:
        if not self._rows or any(self._rows[-1].get(column["id"]) for column in self._columns):
            raise self.unfit(
                ["rules", len(self._rows) - 1],
                "the last row must fit everybody, so that nobody is left without an answer; add one without conditions",
            )
        for nth, field in enumerate(self.fields):
            kind, _, fact = field.partition(".")
            if field != "age" and (kind not in ("facts", "held_days", "left_days") or fact not in facts):
                raise self.unfit(
                    ["inputs", nth],
                    f"looks at {field}, which no department of this city states{nearest(fact or field, sorted(facts))}",
                )
        seen: dict[str, int] = {}
        for nth, row in enumerate(self._rows):
            if not row.get("_id"):
                raise self.unfit(["rules", nth], "this row has no `_id`, by which a decision could cite it")
            if row["_id"] in seen:
                raise self.unfit(
                    ["rules", nth], f"the row `{row['_id']}` stands here twice; each needs an id of its own"
                )
            seen[row["_id"]] = nth

    def _numbers(self, field: str) -> list[int]:
        ids = [column["id"] for column in self._columns if column["field"] == field]
        cells = [str(row.get(name) or "") for row in self._rows for name in ids]
        return sorted({int(number) for cell in cells for number in re.findall(r"-?\d+", cell)})


def _facts_of(fields: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys(fact for field in fields if (fact := field.partition(".")[2])))


def said_of(words: Any) -> Said:
    """A text of a table: in both languages, or one for both."""
    if isinstance(words, str):
        return Said(zh=words, en=words)
    return Said(zh=str(words["zh"]), en=str(words["en"]))
