"""From a department's record to the function that it switches: embedded, at a steady rate."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import asyncpg

from bench.calls import CITY, OUTLET, PROGRAMME, cards_for
from bench.figures import Findings, Row, percentile
from bench.ground import Ground
from bench.peers.load import lines
from libs.kernel.checkdigits import mod_11_2
from libs.runtime.citytime import MachineClock
from libs.runtime.development import issuer_key
from libs.testing.lines import Line, written
from libs.testing.stage import Stage, one_process
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, issue
from services.ids import PersonId, holding_id

PER_S, CONNECTIONS, LOOK_EVERY_S, WANTED_S, PATIENCE_S = 20, 20, 0.005, 1.0, 60
CLERK = Caller("clerk-1", "clerk", CITY, outlet=OUTLET)
HRSS = Caller("hrss-1", "department", CITY, department="hrss")

NOTED = """
select a.nth - 1 from unnest($1::text[]) with ordinality as a(holding, nth) cross join lateral (
    select f.data::json ->> 'granted' as granted from issuance.fact f
    where f.stream = 'holding-' || a.holding and f.name = 'verdict-noted' order by f.version desc limit 1
) latest where latest.granted = $2
"""


async def until_a_function_is_switched(ground: Ground) -> Findings:
    """p50 and p99 from when a page of a feed was due to be sent until issuance judges the card by what it says."""
    count = ground.either(20, 3) * PER_S
    dsn = await ground.database("facts")
    async with one_process(ground.settings(dsn).home, CITYCARD_DATABASE_URL=dsn) as stage:
        people = _Desk(stage, await lines(int(stage.addresses["all"].rpartition(":")[2]), CONNECTIONS))
        documents = [_id_card(nth) for nth in range(count)]
        persons = await asyncio.gather(*map(people.register, documents))
        holdings = [str(holding_id(PersonId(person), PROGRAMME)) for person in persons]
        connection = await asyncpg.connect(dsn)
        try:
            await _noted(connection, holdings, "true")
            async with ground.platform(dsn) as platform:
                await cards_for(platform, [PersonId(person) for person in persons])
            await asyncio.sleep(3)  # The letters about so many cards are to be out of the way.
            took_s = await _changed(people, connection, documents, holdings)
        finally:
            await connection.close()
            people.close()
    await ground.drop("facts")
    p50, p99 = percentile(took_s, 0.5), percentile(took_s, 0.99)
    row = Row(
        f"changed fact in a department's feed → function of the card switched, {PER_S} pages/s, embedded",
        f"p50 / p99 {p50 * 1e3:.0f} / {p99 * 1e3:.0f} ms, the request included",
        f"seen from outside, every {LOOK_EVERY_S * 1e3:.0f} ms",
        wanted=f"p99 < {WANTED_S:.0f} s",
        met=p99 < WANTED_S,
    )
    return Findings([row])


def _id_card(nth: int) -> dict[str, str]:
    digits = f"330902{19500101 + nth // 1000 * 10000}{nth % 1000:03d}"
    return {"kind": "id_card", "number": digits + mod_11_2(digits)}


class _Desk:
    """A clerk and a department on connections of their own."""

    def __init__(self, stage: Stage, opened: Sequence[Line]) -> None:
        key, clock = issuer_key(stage.settings), MachineClock()
        self._tokens = {who: issue(key, clock, who, ISSUER_DEVELOPMENT) for who in (CLERK, HRSS)}
        self._opened = opened
        self._free: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
        for line in opened:
            self._free.put_nowait(line)

    async def say(self, who: Caller, path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        line = await self._free.get()
        status, answer = await line.ask(
            written("POST", path, self._tokens[who], key, json.dumps(body, ensure_ascii=False).encode())
        )
        self._free.put_nowait(line)
        if status not in (200, 201, 202):
            raise RuntimeError(f"{status} {answer.decode()}")
        return dict(json.loads(answer))

    async def register(self, document: dict[str, str]) -> str:
        """Somebody who is insured, and so entitled."""
        number = document["number"]
        shown = {"document": document, "name": "林小舟", "mobile": "13800005678", "language": "zh"}
        person = str((await self.say(CLERK, "/v1/persons", f"person-{number}", shown))["person_id"])
        insured = {
            "document": document, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1"
        }  # fmt: skip
        await self.say(HRSS, "/v1/facts", f"fact-{number}", insured)
        return person

    async def end(self, document: dict[str, str]) -> None:
        """Her employer has stopped paying: a page of the department's feed with this one record."""
        ended = {"document": document, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1",
                 "ended": True, "valid_to": "2026-08-31"}  # fmt: skip
        name = str(uuid5(NAMESPACE_OID, document["number"]))
        await self.say(HRSS, "/v1/deliveries", f"ended-{name}", {"name": name, "records": [ended]})

    def close(self) -> None:
        for line in self._opened:
            line.close()


async def _noted(connection: asyncpg.Connection, holdings: Sequence[str], granted: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(await connection.fetch(NOTED, holdings, granted)) < len(holdings):
            await asyncio.sleep(0.2)


async def _changed(
    people: _Desk, connection: asyncpg.Connection, documents: Sequence[dict[str, str]], holdings: Sequence[str]
) -> list[float]:
    """How long each change took, from the moment at which its page was due."""
    pending: dict[str, float] = {}
    took_s: list[float] = []
    began = time.perf_counter()

    async def sent() -> None:
        callers = []
        for nth, (document, holding) in enumerate(zip(documents, holdings, strict=True)):
            await asyncio.sleep(max(0.0, began + nth / PER_S - time.perf_counter()))
            pending[holding] = time.perf_counter()
            callers.append(asyncio.create_task(people.end(document)))
        await asyncio.gather(*callers)

    sending = asyncio.create_task(sent())
    try:
        async with asyncio.timeout(len(documents) / PER_S + PATIENCE_S):
            while len(took_s) < len(documents):
                asked_at, asked = time.perf_counter(), list(pending)
                for (nth,) in await connection.fetch(NOTED, asked, "false") if asked else ():
                    took_s.append(time.perf_counter() - pending.pop(asked[nth]))
                await asyncio.sleep(max(0.0, asked_at + LOOK_EVERY_S - time.perf_counter()))
        await sending
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
    return took_s
