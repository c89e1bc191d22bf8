"""`citycard bylaws …`: what is asked on the command line, and what is printed."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from datetime import time as hour
from pathlib import Path

from libs.kernel import Refused
from libs.kernel.calendar import SHANGHAI, shanghai_day
from libs.kernel.why import told
from libs.runtime.citypack import CityPack, CityPacks, load_packs
from libs.runtime.citytime import MachineClock
from libs.runtime.engines import open_platform, visited
from libs.runtime.packfile import PackUnfit, nearest, read_yaml
from libs.runtime.settings import Settings, refuse_unsafe
from services.bylaws.check import check, load_city
from services.bylaws.diff import Comparison, rewritten
from services.bylaws.register import people_in, register, statement
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.tables import Circumstances
from services.identity.domain.events import Statement
from services.identity.domain.particulars import age


def run(asked: Namespace) -> int:
    """Do what was asked; returns the exit status: 0 all is well, 1 something is wrong with a pack."""
    try:
        match asked.act:
            case "check":
                return check_pack(asked.pack)
            case "explain":
                lines = explain(asked)
            case _:
                lines = diff(asked)
        for line in lines:
            print(line)
    except PackUnfit as unfit:
        for finding in unfit.findings or [unfit]:
            print(finding, file=sys.stderr)
        return 1
    except (Refused, OSError) as refused:
        print(f"citycard: {refused}", file=sys.stderr)
        return 2
    return 0


def check_pack(place: Path) -> int:
    report = check(place)
    for finding in report.findings:
        print(finding, file=sys.stderr)
    if report.findings:
        print(f"{len(report.findings)} faults; the house would not start with this", file=sys.stderr)
        return 1
    for pack in report.packs:
        print(f"{pack.name} ({pack.code}), edition {pack.hash}: {', '.join(pack.programmes)}")
    return 0


def explain(asked: Namespace) -> Iterator[str]:
    """Every row that was looked at, what it wanted and what was found; then the explanation that a citizen reads."""
    packs = load_packs(asked.data)
    pack, programme = _programme(packs, asked.programme)
    at = _noon(asked.on)
    birth, said = _person(asked)
    holding = [replace(one, stated_at=at, department=_department(pack, one.fact)) for one in said]
    day = shanghai_day(at)
    strange = sorted({said.fact for said in holding} - pack.facts)
    if strange:
        hint = nearest(strange[0], sorted(pack.facts))
        yield f"note: no department of {pack.title['en']} states `{strange[0]}`{hint}"
    now = Circumstances.of(holding, age(birth, day) if birth else asked.age, day, birth).on(day)
    eligibility = Eligibility(CityPacks([pack]))
    verdict = eligibility.verdict(pack.code, programme, now, at, holding)
    yield f"{pack.name}/{programme}, edition {pack.hash}, as of {day}; text: {verdict.text or 'none yet'}"
    if at >= eligibility.opens_at(pack.code, programme):
        table, _ = eligibility.tables(pack.code, programme, at)
        decided = False
        for row, fits, cells in table.look_at_rows(now):
            mark = "→" if fits and not decided else "✓" if fits else "✗"
            decided = decided or fits
            wanted = "; ".join(f"{name} {cell} (found {str(found).lower()})" for name, cell, found in cells)
            yield f"  {mark} {row}: {wanted or 'everybody'}"
    if verdict.granted and not verdict.may_apply:
        yield "a card that is held stays, but none can be applied for now"
    if verdict.holds_until:
        yield f"until {verdict.holds_until.astimezone(SHANGHAI):%Y-%m-%d %H:%M}, if nobody says anything new"
    yield ""
    yield told(eligibility.why(pack.code, verdict, at), pack)[asked.language]
    for one in verdict.functions:
        why = eligibility.why_function(pack.code, verdict, one, at)
        missing = f"; missing: {', '.join(why.missing)}" if why.missing else ""
        name = pack.named("function", one.function)[asked.language]
        yield f"  {'✓' if one.granted else '✗'} {name}: {why.said[asked.language]}{missing}"


def diff(asked: Namespace) -> Iterator[str]:
    """The register, or a file of people, judged by both editions."""
    old, new = load_city(asked.old), load_city(asked.new)
    at = _noon(asked.on)
    yield f"{old.name}: edition {old.hash} → {new.hash}, as of {shanghai_day(at)}"
    yield from (f"history: {line}" for line in rewritten(old, new))
    began, comparison = MachineClock().now(), Comparison(old, new, at)
    if asked.persons:
        for somebody in people_in(asked.persons, shanghai_day(at)):
            comparison.add(somebody)
    else:
        asyncio.run(_ask_the_register(comparison, old, at))
    yield from comparison.found.told(asked.ids)
    took = MachineClock().now() - began
    yield f"judged by both editions in {took.total_seconds():.1f} s"


async def _ask_the_register(comparison: Comparison, pack: CityPack, at: datetime) -> None:
    settings = Settings()
    refuse_unsafe(settings)
    services = ["identity"]
    async with (
        visited(settings) as (dsn, _),
        open_platform(settings.model_copy(update={"database_url": dsn}), services) as platform,
    ):
        async for somebody in register(platform, pack.code, at, comparison.looks_at_age):
            comparison.add(somebody)


def _programme(packs: CityPacks, asked: str) -> tuple[CityPack, str]:
    """A programme by its name, or as `<city>/<programme>`. Raises PackUnfit."""
    known: dict[str, tuple[CityPack, str]] = {}
    for pack in packs:
        for programme in pack.programmes:
            name = str(pack.files[f"{programme}/programme"].get("name", programme))
            known[name] = known[f"{pack.name}/{programme}"] = pack, programme
    if asked not in known:
        raise PackUnfit(f"there is no programme {asked}{nearest(asked, sorted(known))}; there are: {', '.join(known)}")
    return known[asked]


def _person(asked: Namespace) -> tuple[date | None, Sequence[Statement]]:
    birth, written = None, [(one, "--facts") for one in asked.facts]
    if asked.person:
        said = read_yaml(asked.person)
        if not isinstance(said, dict):
            raise PackUnfit(f"{asked.person}: write `birth: 1990-01-01` and `facts: [hukou]`")
        birth = said.get("birth")
        written += [(one, str(asked.person)) for one in said.get("facts") or []]
    return birth, [statement(one, where) for one, where in written]


def _department(pack: CityPack, fact: str) -> str:
    """Whose it would be to state this."""
    departments = pack.files["city"]["departments"]
    return next((one for one, about in departments.items() if fact in about["facts"]), "nobody")


def _noon(on: str) -> datetime:
    try:
        day = date.fromisoformat(on) if on else shanghai_day(MachineClock().now())
    except ValueError:
        raise PackUnfit(f"{on} is no day; write it as 2026-09-01") from None
    return datetime.combine(day, hour(12), SHANGHAI)
