"""A city's decision tables, and what they say of a person: run by zen, with a trace, in the caller's own thread."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import zen
from pydantic import BaseModel, ConfigDict

from libs.runtime.citypack import CityPack, CityPacks, Dated, PackUnfit
from services.identity.domain.events import FunctionVerdict, Statement, Verdict

Row = Mapping[str, Any]


class EligibilityRow(BaseModel):
    """What a row of `eligibility.json` says; the first that fits decides."""

    model_config = ConfigDict(extra="forbid", strict=True)

    granted: bool
    rule: str
    article: str
    basis: str
    missing: list[str]


class FunctionRow(BaseModel):
    """What a row of `functions.json` says; of the rows that fit, the first of each function decides."""

    model_config = ConfigDict(extra="forbid", strict=True)

    function: str
    granted: bool
    because: str
    article: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that fits, and the facts that it looks at."""

    row: Row
    looks_at: Sequence[str]


class Table:
    """One decision table in its file. A column looks at `age` or at `facts.<a fact that a department may state>`."""

    def __init__(self, path: Path, facts: frozenset[str]) -> None:
        self._facts = facts
        try:
            text = path.read_text(encoding="utf-8")
            (node,) = (node for node in json.loads(text)["nodes"] if node["type"] == "decisionTableNode")
            self._decision = zen.ZenEngine().create_decision(text)
            self._decision.validate()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise PackUnfit(f"{path} is no decision table: {str(error).partition(chr(10))[0]}") from error
        self._id, self._columns, self._rows = node["id"], node["content"]["inputs"], node["content"]["rules"]
        known = {"age", *(f"facts.{fact}" for fact in facts)}
        if any(self._rows[-1].get(column["id"]) for column in self._columns):
            raise PackUnfit(f"{path}: the last row must fit everybody, so that nobody is left without an answer")
        if strange := sorted({column["field"] for column in self._columns} - known):
            raise PackUnfit(f"{path} looks at {strange[0]}, which no department of this city states")

    def ask(self, held: frozenset[str], age: int) -> Iterator[Hit]:
        """The rows that fit somebody of whom these facts hold, in the order of the table."""
        context = {"facts": {fact: fact in held for fact in self._facts}, "age": age}
        answer = self._decision.evaluate(context, {"trace": True})
        said: Any = answer["result"]
        traced: Any = answer["trace"][self._id]["traceData"]
        # With hit policy `first` zen answers with one row, with `collect` with a list of them.
        for row, trace in zip(said, traced, strict=True) if isinstance(traced, list) else [(said, traced)]:
            cells = self._rows[trace["index"]]
            fields = [column["field"] for column in self._columns if cells.get(column["id"])]
            yield Hit(row, [field.removeprefix("facts.") for field in fields])


class Eligibility:
    """All tables of all cities, read and checked when the house starts."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._tables: dict[Path, Table] = {}
        self._dated = {
            (pack.code, programme): (
                self._read(pack, programme, "eligibility"),
                self._read(pack, programme, "functions"),
            )
            for pack in packs
            for programme in pack.programmes
        }

    def verdicts(self, city: str, holding: Sequence[Statement], age: int, at: datetime) -> tuple[Verdict, ...]:
        """What these statements entitle a person of this age to, under each programme of the city at this moment."""
        return tuple(self._judge(self._packs[city], name, holding, age, at) for name in self._packs[city].programmes)

    def _judge(self, pack: CityPack, programme: str, holding: Sequence[Statement], age: int, at: datetime) -> Verdict:
        eligibility, functions = (
            self._tables[pack.folder / programme / dated.at(at)] for dated in self._dated[pack.code, programme]
        )
        held = frozenset(said.fact for said in holding)
        decided = next(eligibility.ask(held, age))
        row = EligibilityRow.model_validate(decided.row)
        return Verdict(
            programme=programme,
            granted=row.granted,
            rule=row.rule,
            article=row.article,
            basis=row.basis,
            facts_used=tuple(_sourced(fact, holding) for fact in decided.looks_at if fact in held),
            missing=tuple(row.missing),
            functions=_first_of_each(FunctionRow.model_validate(hit.row) for hit in functions.ask(held, age)),
            bylaws=pack.hash,
        )

    def _read(self, pack: CityPack, programme: str, name: str) -> Dated[str]:
        dated = pack.dated(f"{programme}/programme.{name}", str)
        facts = frozenset(fact for about in pack.files["city"]["departments"].values() for fact in about["facts"])
        for entry in dated:
            path = pack.folder / programme / entry.value
            self._tables[path] = Table(path, facts)
        return dated


def _sourced(fact: str, holding: Sequence[Statement]) -> str:
    """A fact with those who state it, for example `hukou (police)`."""
    return f"{fact} ({', '.join(sorted(said.department for said in holding if said.fact == fact))})"


def _first_of_each(rows: Iterator[FunctionRow]) -> tuple[FunctionVerdict, ...]:
    verdicts: dict[str, FunctionVerdict] = {}
    for row in rows:
        said = FunctionVerdict(function=row.function, granted=row.granted, because=row.because, article=row.article)
        verdicts.setdefault(row.function, said)
    return tuple(verdicts.values())
