"""Durable appends: many callers beside a library, beside the limit, and beside ourselves with a full store."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from bench.figures import Findings, Round, Row, in_turns
from bench.ground import Ground, helper
from libs.eventsourcing.postgres import arguments_of
from libs.eventsourcing.store import Append, Appended, NewFact, NewMessage, Store

AT = datetime(2026, 9, 1, 9, 30, tzinfo=UTC)
FACT, MESSAGE = '{"said": "' + "x" * 560 + '"}', '{"said": "' + "x" * 280 + '"}'
META = '{"actor": "hotline:hotline-1", "channel": "telephone", "reason": "knowledge", "city": "330900"}'
LIBRARY_THREADS = 64
BATCH = 64


def call(number: UUID) -> Append:
    """What one command leaves behind: a fact in a stream of its own, an outbox row, a command id."""
    stream = f"loss-{number.hex}"
    return Append(
        command_id=number,
        stream=stream,
        routing_key=stream,
        expected=0,
        effective_at=AT,
        meta=META,
        fingerprint=b"\0" * 32,
        facts=[NewFact("call-kept", FACT)],
        messages=[NewMessage(0, "loss.CallKept.v1", MESSAGE)],
    )


async def appended_per_s(store: Store, callers: int, seconds: float) -> float:
    """How many appends a second this many callers get acknowledged, each asking anew as soon as it is answered."""
    until = time.perf_counter() + seconds

    async def caller() -> int:
        done = 0
        while time.perf_counter() < until:
            assert isinstance(await store.append(call(uuid4())), Appended)
            done += 1
        return done

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(caller() for _ in range(callers))))
    return done / (time.perf_counter() - began)


async def function_per_s(connection: asyncpg.Connection, batches: int) -> float:
    """The same through the append function alone: full batches, made beforehand, from one connection."""
    waiting = [arguments_of([call(uuid4()) for _ in range(BATCH)], AT) for _ in range(batches)]
    holes = ", ".join(f"${n}" for n in range(1, len(waiting[0]) + 1))
    asked = await connection.prepare(f"select * from loss.append_all({holes})")
    began = time.perf_counter()
    for arguments in waiting:
        rows = await asked.fetch(*arguments)
        assert all(row["outcome"] == "appended" for row in rows)
    return batches * BATCH / (time.perf_counter() - began)


async def beside_the_library(ground: Ground) -> Findings:
    """64 and 1,024 callers beside `eventsourcing` on the same server, and beside the function that we call."""
    seconds, rounds, batches = ground.either(5, 2), ground.either(7, 2), ground.either(400, 60)
    dsn, library_dsn = await ground.database("appends"), await ground.database("library")
    async with AsyncExitStack() as stack:
        store = (await stack.enter_async_context(ground.platform(dsn))).store("loss")
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        turns: dict[str, Round] = {
            "64": lambda: appended_per_s(store, 64, seconds),
            "function": lambda: function_per_s(connection, batches),
            "1024": lambda: appended_per_s(store, 1_024, seconds),
        }
        if ground.peer.exists():
            script = str(Path(__file__).parent / "peers" / "library.py")
            library = await stack.enter_async_context(
                helper(script, library_dsn, str(LIBRARY_THREADS), python=ground.peer)
            )

            async def library_per_s() -> float:
                return float((await library.ask(seconds=seconds))["per_s"])

            turns["library"] = library_per_s
        paired = await in_turns(rounds, turns)
    await ground.drop("appends")
    await ground.drop("library")

    found = Findings()
    for callers, wanted in (("64", 5), ("1024", 12)):
        ours = f"{paired.of(callers):,.0f}/s"
        what = f"durable appends with outbox row and command id, {int(callers):,} callers"
        if "library" in turns:
            ratio = paired.ratio(callers, "library")
            beside = f"`eventsourcing` 9.5, {LIBRARY_THREADS} threads: {paired.of('library'):,.0f}/s"
            found.rows.append(Row(what, ours, beside, str(ratio), f"≥ {wanted}×", ratio.median >= wanted))
        else:
            found.rows.append(Row(what, ours, "`eventsourcing`: no .venv-bench here", wanted=f"≥ {wanted}×"))
        ratio = paired.ratio(callers, "function")
        beside = f"append function, batches of {BATCH}: {paired.of('function'):,.0f}/s"
        found.rows.append(Row(what, ours, beside, str(ratio), "≥ 0.5×", ratio.median >= 0.5))
    return found


async def in_a_full_store(ground: Ground) -> Findings:
    """64 callers with a small store and with a large one, each in a database of its own."""
    seconds, rounds = ground.either(5, 2), ground.either(7, 2)
    small, large = 10_000, ground.either(5_000_000, 200_000)
    log_bytes: dict[str, list[float]] = {"small": [], "large": []}
    async with AsyncExitStack() as stack:
        onlooker = await asyncpg.connect(ground.dsn)
        stack.push_async_callback(onlooker.close)

        async def appended_and_logged(name: str, store: Store) -> float:
            before = await onlooker.fetchval("select pg_current_wal_insert_lsn() - '0/0'")
            per_s = await appended_per_s(store, 64, seconds)
            after = await onlooker.fetchval("select pg_current_wal_insert_lsn() - '0/0'")
            log_bytes[name].append(float(after - before) / (per_s * seconds))
            return per_s

        turns: dict[str, Round] = {}
        for name, events in (("small", small), ("large", large)):
            dsn = await ground.database(name)
            store = (await stack.enter_async_context(ground.platform(dsn))).store("loss")
            await fill(dsn, events)
            turns[name] = partial(appended_and_logged, name, store)
        paired = await in_turns(rounds, turns)
    await ground.drop("small")
    await ground.drop("large")
    ratio = paired.ratio("large", "small")
    what = f"the same, 64 callers, with {large:,} events in the store"
    beside = f"with {small:,} events: {paired.of('small'):,.0f}/s"
    row = Row(what, f"{paired.of('large'):,.0f}/s", beside, str(ratio), "≥ 0.9×", ratio.median >= 0.9)
    kb = {name: [one / 1e3 for one in each] for name, each in log_bytes.items()}
    note = (
        f"Write-ahead log of an append, round by round: {_listed(kb['small'])} kB with {small:,} events, "
        f"{_listed(kb['large'])} kB with {large:,}. A command's id and a stream's name are made by chance, so each "
        "append touches pages of their indexes anywhere; after a checkpoint a page is logged whole when it is first "
        "touched, and among so many events nearly every touch is a first one."
    )
    return Findings([row], [note])


def _listed(figures: Sequence[float]) -> str:
    return ", ".join(f"{one:.1f}" for one in figures)


async def fill(dsn: str, events: int) -> None:
    """A store that has long been in use: facts, outbox rows and command ids over all shards.

    Keys are told apart afterwards, over all rows at once: row by row, the random ones would cost a page each.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("set maintenance_work_mem = '512MB'; set synchronous_commit = off")
        keys = await connection.fetch(
            "select conrelid::regclass::text as of, conname as name, pg_get_constraintdef(oid) as says "
            "from pg_constraint where contype in ('p', 'u') "
            "and conrelid in ('loss.fact'::regclass, 'loss.outbox'::regclass, 'loss.command'::regclass)"
        )
        for key in keys:
            await connection.execute(f'alter table {key["of"]} drop constraint "{key["name"]}"')
        numbered = "from generate_series(0, $1::bigint - 1) n"
        await connection.execute(
            "insert into loss.fact select n % 64, n / 64 + 1, 'loss-' || md5(n::text), 1, 'call-kept', "
            f"$2, $3, now(), now() {numbered}", events, FACT[:250], META)  # fmt: skip
        await connection.execute(
            "insert into loss.outbox select n % 64, n / 64 + 1, 'loss-' || md5(n::text), 1, 'loss.CallKept.v1', "
            f"'loss-' || md5(n::text), $2, now(), $3 {numbered}", events, MESSAGE[:200], META)  # fmt: skip
        await connection.execute(
            "insert into loss.command select md5(n::text)::uuid, 'loss-' || md5(n::text), 1, '\\x00', '', now() "
            f"{numbered}", events)  # fmt: skip
        for key in keys:
            await connection.execute(f'alter table {key["of"]} add constraint "{key["name"]}" {key["says"]}')
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
