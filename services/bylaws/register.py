"""Whom a change of bylaws is tried on: the register of a city, or a file of invented people."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from libs.eventsourcing.desk import codec_of
from libs.eventsourcing.store import SHARDS
from libs.kernel import Unfit
from libs.runtime.platform import Platform
from services.identity.adapters.people import People
from services.identity.domain.decider import DataErased, person_desk
from services.identity.domain.events import Statement
from services.identity.domain.particulars import age
from services.identity.domain.state import Known, Person
from services.identity.wiring import PERSON

PAGE = 5_000
STATED_AT = datetime(2000, 1, 1, tzinfo=UTC)


class FactsUnreadable(Unfit):
    """{where}: {wrong}. Write facts as `hukou`, `hukou=2010-05-01` or `work_permit=2026-01-01..2026-12-31`."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """As much of a person as a table can look at."""

    id: str
    holding: Sequence[Statement]
    birth: date | None
    age: int


def statement(written: Any, where: str = "--facts") -> Statement:
    """A fact as somebody writes it down to try something. Raises FactsUnreadable."""
    if isinstance(written, dict):
        written = f"{written.get('fact')}={written.get('from', '')}..{written.get('to') or ''}"
    fact, _, span = str(written).partition("=")
    begins, _, ends = span.partition("..")
    try:
        return Statement(
            fact=fact,
            department="(as you say)",
            valid_from=date.fromisoformat(begins) if begins else date(2000, 1, 1),
            valid_to=date.fromisoformat(ends) if ends else None,
            ended=False,
            reference="",
            stated_at=STATED_AT,
        )
    except ValueError as error:
        raise FactsUnreadable(where=where, wrong=f"{written}: {error}") from error


def people_in(path: Path, on: date) -> Iterator[Somebody]:
    """One person a line, as JSON: `{"id": "…", "birth": "1990-01-01", "facts": ["hukou"]}`. Raises FactsUnreadable."""
    with path.open(encoding="utf-8") as lines:
        for nth, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}:{nth}"
            try:
                said = json.loads(line)
                birth = date.fromisoformat(said["birth"]) if said.get("birth") else None
                holding = [statement(one, where) for one in said.get("facts", [])]
                years = age(birth, on) if birth else int(said.get("age", 30))
                yield Somebody(str(said.get("id", nth)), holding, birth, years)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise FactsUnreadable(where=where, wrong=str(error)) from error


async def register(platform: Platform, city: str, at: datetime, with_age: bool) -> AsyncIterator[Somebody]:
    """Everybody of a city, as the facts in the store tell; ages are opened only where a table looks at them."""
    store, people, codec = platform.store("identity"), People(platform.vault), codec_of([PERSON])
    for shard in range(SHARDS):
        after, known = 0, dict[str, Person]()
        while rows := await store.log(shard, after, PAGE):
            after = rows[-1].position
            for row in rows:
                if row.stream.startswith(f"person-{city}-"):
                    standing = known.get(row.stream, person_desk.initial)
                    known[row.stream] = person_desk.evolve(standing, codec.read(row.name, row.data))
        for person in known.values():
            if not isinstance(person, Known):
                continue
            birth = None
            if with_age:
                try:
                    birth = await people.birth(person)
                except DataErased:
                    continue
            years = age(birth, at.date()) if birth else 30
            yield Somebody(person.person_id, person.holding(at), birth, years)
