"""What a city's tables say of a person under each programme, since when and until when, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from libs.kernel.calendar import morning_of, shanghai_day
from libs.kernel.why import Decision, FactUsed, Ground, Said, Why
from libs.runtime.citypack import CityPack, CityPacks, Dated, Entry
from libs.runtime.packfile import nearest
from services.identity.adapters.tables import ANSWERS_KEPT_MAX, Circumstances, Hit, Table, said_of
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


@dataclass(frozen=True, slots=True)
class Text:
    """The eligibility text and the functions of a programme on one day, and the entry that put the text in force."""

    entry: Entry[str]
    table: Table
    opened: Table


@dataclass(frozen=True, slots=True)
class Bare:
    """A verdict without its sources, the facts of the row that decided, and all that were looked at."""

    verdict: Verdict
    deciding: Sequence[str] = ()
    looked_at: frozenset[str] = frozenset()


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
        self._programmes = {pack.code: tuple(pack.programmes) for pack in packs}
        self._begins = {
            key: sorted({entry.from_ for values in dated for entry in values}) for key, dated in self._dated.items()
        }
        self._texts: dict[tuple[str, str, date], Text | None] = {}
        self._known: dict[tuple[Any, ...], Bare] = {}

    def verdicts(
        self, city: str, holding: Sequence[Statement], age: int, at: datetime, birth: date | None = None
    ) -> tuple[Verdict, ...]:
        """What these statements entitle a person of this age to, under each programme of the city at this moment.

        With `birth`, a verdict also knows the birthdays on which it will change.
        """
        now = Circumstances.of(holding, age, shanghai_day(at), birth)
        return tuple(self.verdict(city, name, now, at, holding) for name in self._programmes[city])

    def verdict(
        self, city: str, programme: str, now: Circumstances, at: datetime, holding: Sequence[Statement] = ()
    ) -> Verdict:
        """The verdict under one programme; `holding` are the statements that it may cite."""
        bare = self._bare(city, programme, now)
        used = tuple(
            FactUsed(
                fact=said.fact,
                department=said.department,
                valid_from=said.valid_from,
                stated_at=said.stated_at,
                valid_to=said.valid_to,
            )
            for said in sorted(holding, key=lambda one: (one.fact, one.department))
            if said.fact in bare.looked_at
        )
        cited = {one.fact for one in used}
        return replace(
            bare.verdict,
            facts_used=tuple(_sourced(fact, used) for fact in bare.deciding if fact in cited),
            used=used,
            holds_until=self._holds_until(city, programme, bare.verdict, now),
        )

    def bare(self, city: str, programme: str, now: Circumstances) -> Verdict:
        """The verdict without its sources: the same for all whom the tables cannot tell apart, and asked once."""
        return self._bare(city, programme, now).verdict

    def programmes(self, city: str) -> Sequence[str]:
        """The programmes of a city, the principal one first."""
        return self._programmes[city]

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

    def _bare(self, city: str, programme: str, now: Circumstances) -> Bare:
        """A verdict without its sources: the same for all whom the tables cannot tell apart."""
        pack, eligibility = self._packs[city], self._dated[city, programme][0]
        text = self._text(city, programme, now.day)
        if text is None:
            return Bare(self._not_open(pack, programme, eligibility))
        key = (city, programme, text.entry.from_, text.table.told_apart(now), text.opened.told_apart(now))
        if (known := self._known.get(key)) is None:
            if len(self._known) >= ANSWERS_KEPT_MAX:
                self._known.clear()
            known = self._known[key] = self._asked(pack, programme, text, now)
        return known

    def _asked(self, pack: CityPack, programme: str, text: Text, now: Circumstances) -> Bare:
        decided = text.table.ask(now)[0]
        row = EligibilityRow.model_validate(decided.row)
        functions = _first_of_each(text.opened.ask(now))
        verdict = Verdict(
            programme=programme,
            granted=row.granted,
            may_apply=row.granted if row.may_apply is None else row.may_apply,
            rule=row.rule,
            article=row.article,
            basis=row.basis.en,
            facts_used=(),
            missing=tuple(row.missing),
            functions=functions,
            bylaws=pack.hash,
            text=Path(text.entry.value).stem,
            ground=self._dated[pack.code, programme][0].ground(text.entry, row.rule).ref,
        )
        opening = (fact for one in functions for fact in text.opened.conditions(one.rule))
        return Bare(verdict, decided.looks_at, frozenset([*decided.looks_at, *opening]))

    def _text(self, city: str, programme: str, day: date) -> Text | None:
        """What holds on this day; None before the programme opens."""
        key = (city, programme, day)
        if key not in self._texts:
            eligibility, functions = self._dated[city, programme]
            noon = morning_of(day)
            self._texts[key] = (
                None
                if day < max(eligibility.begins_on, functions.begins_on)
                else Text(
                    eligibility.entry_at(noon),
                    self._table(city, programme, eligibility.at(noon)),
                    self._table(city, programme, functions.at(noon)),
                )
            )
        return self._texts[key]

    def _holds_until(self, city: str, programme: str, bare: Verdict, now: Circumstances) -> datetime | None:
        """The first moment at which time alone changes this verdict: a limit of days, a birthday, another text."""
        days = {day for day in self._begins[city, programme] if day > now.day}
        if (text := self._text(city, programme, now.day)) is not None:
            days.update(day for table in (text.table, text.opened) for day in table.turns(now) if day > now.day)
        for day in sorted(days):
            later = self.bare(city, programme, now.on(day))
            if replace(later, ground=bare.ground) != bare:
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
            if name == "functions":
                _answers_of_every_function(pack, programme, table)
        return dated


def _answers_of_every_function(pack: CityPack, programme: str, table: Table) -> None:
    """Whoever asks for a function that the card bears is answered, whoever she is. Raises PackUnfit."""
    borne = {one["function"] for entry in pack.files[f"{programme}/programme"]["catalogue"] for one in entry["value"]}
    rows = [(nth, row, str(said["function"])) for nth, (row, said) in enumerate(table.outputs.items())]
    named = {function: nth for nth, _, function in rows}
    for nth, _, function in rows:
        if function not in borne:
            words = f"no card of this programme bears the function `{function}`{nearest(function, sorted(borne))}"
            raise table.unfit(["rules", nth], words)
    if unsaid := sorted(borne - named.keys()):
        words = f"nothing is said of the function `{unsaid[0]}`, which every card bears; add a row without conditions"
        raise table.unfit(["rules"], words)
    answered = {function for _, row, function in rows if table.fits_everybody(row)}
    for function, nth in named.items():
        if function not in answered:
            words = (
                f"the last row of the function `{function}` must fit everybody, so that nobody is left without an "
                "answer; add one without conditions"
            )
            raise table.unfit(["rules", nth], words)


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
