"""What a city's tables say of a person under each programme, since when and until when, and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from libs.kernel.calendar import morning_of, shanghai_day
from libs.kernel.why import Decision, FactUsed, Ground, Said, Why
from libs.runtime.citypack import CityPack, CityPacks, Dated
from services.identity.adapters.tables import Circumstances, Hit, Table, said_of
from services.identity.domain.events import FunctionVerdict, Statement, Verdict

NOT_OPEN = "not_open"

Words = Annotated[Any, BeforeValidator(said_of)]


class EligibilityRow(BaseModel):
    """What a row of an eligibility table says; the first that fits decides.

    `granted` is whether a card may be held, `may_apply` whether it may be applied for now; a row that leaves the latter
    out says the same for both.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    granted: bool
    may_apply: bool | None = None
    rule: str
    article: str
    basis: Words
    missing: list[str]


class FunctionRow(BaseModel):
    """What a row of `functions.json` says; of the rows that fit, the first of each function decides."""

    model_config = ConfigDict(extra="forbid", strict=True)

    function: str
    granted: bool
    because: Words
    article: str


class Eligibility:
    """All tables of all cities, read and checked when the house starts."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._tables: dict[Path, Table] = {}
        self._dated = {
            (pack.code, programme): (
                self._read(pack, programme, "eligibility", EligibilityRow),
                self._read(pack, programme, "functions", FunctionRow),
            )
            for pack in packs
            for programme in pack.programmes
        }
        self._known: dict[tuple[Any, ...], Verdict] = {}

    def verdicts(
        self, city: str, holding: Sequence[Statement], age: int, at: datetime, birth: date | None = None
    ) -> tuple[Verdict, ...]:
        """What these statements entitle a person of this age to, under each programme of the city at this moment.

        With `birth`, a verdict also knows the birthdays on which it will change.
        """
        now = Circumstances.of(holding, age, shanghai_day(at), birth)
        return tuple(self.verdict(city, name, now, at, holding) for name in self._packs[city].programmes)

    def verdict(
        self, city: str, programme: str, now: Circumstances, at: datetime, holding: Sequence[Statement] = ()
    ) -> Verdict:
        """The verdict under one programme; `holding` are the statements that it may cite."""
        bare, hit = self._bare(city, programme, now, at)
        looked_at = set(hit.looks_at) if hit else set()
        if hit:
            opened = self.tables(city, programme, at)[1]
            looked_at.update(fact for one in bare.functions for fact in opened.conditions(one.rule))
        used = tuple(
            FactUsed(fact=said.fact, department=said.department, valid_from=said.valid_from, stated_at=said.stated_at)
            for said in sorted(holding, key=lambda one: (one.fact, one.department))
            if said.fact in looked_at
        )
        deciding = hit.looks_at if hit else ()
        return replace(
            bare,
            facts_used=tuple(_sourced(fact, used) for fact in deciding if any(one.fact == fact for one in used)),
            used=used,
            holds_until=self._holds_until(city, programme, bare, now),
        )

    def bare(self, city: str, programme: str, now: Circumstances, at: datetime) -> Verdict:
        """The verdict without its sources: the same for all whom the tables cannot tell apart, and asked once."""
        return self._bare(city, programme, now, at)[0]

    def opens_at(self, city: str, programme: str) -> datetime:
        """The first moment at which somebody can be eligible."""
        return morning_of(max(dated.begins_on for dated in self._dated[city, programme]))

    def why(self, city: str, verdict: Verdict, at: datetime) -> Why:
        """The explanation of a verdict, as it was given at this moment."""
        table, ground = self._cited(city, verdict, at, 0, verdict.rule, verdict.article)
        said = table.words(verdict.rule, "basis")
        return Why(
            city=city,
            decision=Decision.GRANT if verdict.granted and verdict.may_apply else Decision.REFUSAL,
            said=said or Said(zh=verdict.basis, en=verdict.basis),
            grounds=(ground,),
            facts=_of(verdict.used, table.conditions(verdict.rule)),
            missing=verdict.missing,
            at=at,
        )

    def why_function(self, city: str, verdict: Verdict, function: FunctionVerdict, at: datetime) -> Why:
        """The explanation of what a verdict says of one function."""
        table, ground = self._cited(city, verdict, at, 1, function.rule, function.article)
        said = table.words(function.rule, "because")
        return Why(
            city=city,
            decision=Decision.GRANT if function.granted else Decision.BLOCK,
            said=said or Said(zh=function.because, en=function.because),
            grounds=(ground,),
            facts=_of(verdict.used, table.conditions(function.rule)),
            missing=() if function.granted else table.lacking(function.rule),
            at=at,
        )

    def counts_days(self, city: str, at: datetime) -> bool:
        """Whether a table of this city asks for how long a fact has held, or how long it still will."""
        days = ("held_days.", "left_days.")
        open_now = (
            programme
            for programme in self._packs[city].programmes
            if shanghai_day(at) >= max(dated.begins_on for dated in self._dated[city, programme])
        )
        tables = (table for programme in open_now for table in self.tables(city, programme, at))
        return any(field.startswith(days) for table in tables for field in table.fields)

    def tables(self, city: str, programme: str, at: datetime) -> tuple[Table, Table]:
        """The two tables that decide under a programme at this moment. Raises PackUnfit before it opens."""
        eligibility, functions = self._dated[city, programme]
        return self._table(city, programme, eligibility.at(at)), self._table(city, programme, functions.at(at))

    def _bare(self, city: str, programme: str, now: Circumstances, at: datetime) -> tuple[Verdict, Hit | None]:
        """A verdict without its sources: the same for all whom the tables cannot tell apart."""
        pack, (eligibility, functions) = self._packs[city], self._dated[city, programme]
        if shanghai_day(at) < max(eligibility.begins_on, functions.begins_on):
            return self._not_open(pack, programme, eligibility), None
        entry = eligibility.entry_at(at)
        table, opened = self._table(city, programme, entry.value), self._table(city, programme, functions.at(at))
        decided = table.ask(now)[0]
        key = (table.path, entry.from_, decided.id, opened.path, opened.told_apart(now))
        if (known := self._known.get(key)) is None:
            row = EligibilityRow.model_validate(decided.row)
            known = self._known[key] = Verdict(
                programme=programme,
                granted=row.granted,
                may_apply=row.granted if row.may_apply is None else row.may_apply,
                rule=row.rule,
                article=row.article,
                basis=row.basis.en,
                facts_used=(),
                missing=tuple(row.missing),
                functions=_first_of_each(opened.ask(now)),
                bylaws=pack.hash,
                text=Path(entry.value).stem,
                ground=eligibility.ground(entry, row.rule).ref,
            )
        return known, decided

    def _holds_until(self, city: str, programme: str, bare: Verdict, now: Circumstances) -> datetime | None:
        """The first moment at which time alone changes this verdict: a limit of days, a birthday, another text."""
        days = {entry.from_ for dated in self._dated[city, programme] for entry in dated}
        if bare.rule != NOT_OPEN:
            for table in self.tables(city, programme, morning_of(now.day)):
                days.update(table.turns(now))
        for day in sorted(day for day in days if day > now.day):
            later, _ = self._bare(city, programme, now.on(day), morning_of(day))
            if replace(later, ground=bare.ground, text=bare.text) != bare or later.text != bare.text:
                return morning_of(day).astimezone(UTC)
        return None

    def _not_open(self, pack: CityPack, programme: str, eligibility: Dated[str]) -> Verdict:
        first = eligibility[0]
        return Verdict(
            programme=programme,
            granted=False,
            may_apply=False,
            rule=NOT_OPEN,
            article=first.basis,
            basis=f"this programme opens on {eligibility.begins_on}; come back then",
            facts_used=(),
            missing=(),
            functions=(),
            bylaws=pack.hash,
            ground=eligibility.ground(first, NOT_OPEN).ref,
        )

    def _cited(
        self, city: str, verdict: Verdict, at: datetime, which: int, row: str, article: str
    ) -> tuple[Table, Ground]:
        """The table and the row behind a verdict, found again by what it cites."""
        pack, dated = self._packs[city], self._dated[city, verdict.programme][which]
        entry = dated.entry_at(max(at, morning_of(dated.begins_on)))
        ground = replace(
            dated.ground(entry, row), basis=pack.in_both_languages(article), edition=verdict.bylaws or pack.hash
        )
        return self._table(city, verdict.programme, entry.value), ground

    def _table(self, city: str, programme: str, name: str) -> Table:
        return self._tables[self._packs[city].folder / programme / name]

    def _read(self, pack: CityPack, programme: str, name: str, kind: type[BaseModel]) -> Dated[str]:
        dated = pack.dated(f"{programme}/programme.{name}", str)
        for nth, entry in enumerate(dated):
            path = pack.folder / programme / entry.value
            if path in self._tables:
                continue
            if not path.exists():
                file = f"{programme}/programme"
                raise pack.unfit(file, [name, nth, "value"], f"{file}.yaml, {name}: there is no {path.name}")
            table = self._tables[path] = Table(path, pack.facts)
            for row, said in enumerate(table.outputs.values()):
                try:
                    kind.model_validate(said)
                except (ValidationError, KeyError, TypeError) as error:
                    raise table.unfit(["rules", row], f"this row cannot be read: {_short(error)}") from error
        return dated


def _of(used: Sequence[FactUsed], facts: Sequence[str]) -> tuple[FactUsed, ...]:
    return tuple(one for one in used if one.fact in facts)


def _sourced(fact: str, used: Sequence[FactUsed]) -> str:
    """A fact with those who state it, for example `hukou (police)`."""
    return f"{fact} ({', '.join(sorted(one.department for one in used if one.fact == fact))})"


def _first_of_each(hits: Sequence[Hit]) -> tuple[FunctionVerdict, ...]:
    verdicts: dict[str, FunctionVerdict] = {}
    for hit in hits:
        row = FunctionRow.model_validate(hit.row)
        said = FunctionVerdict(
            function=row.function, granted=row.granted, because=row.because.en, article=row.article, rule=hit.id
        )
        verdicts.setdefault(row.function, said)
    return tuple(verdicts.values())


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).partition("\n")[0]
