"""Replay: a read model built anew beside the live one, beside a bare read of the same rows."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from bench.calls import cards_in_hand
from bench.figures import Findings, Row, in_turns
from bench.ground import Ground
from libs.eventsourcing.store import SHARDS
from libs.runtime.cli import build_services, read_models_of
from libs.runtime.platform import Platform
from libs.runtime.readmodels import rebuild

SERVICE = "issuance"
BATCH = 5_000


async def beside_a_raw_read(ground: Ground) -> Findings:
    """Events a second folded by `citycard rebuild`, with our process and PostgreSQL together on one core."""
    cards, copies, rounds = ground.either(2_000, 200), ground.either(25, 10), ground.either(7, 2)
    dsn = await ground.database("replay")
    async with ground.platform(dsn) as platform:
        await cards_in_hand(platform, cards)
        events = await _multiplied(dsn, copies)
    with _on_one_core(ground):
        async with ground.platform(dsn) as platform:
            (service,) = build_services(platform, [SERVICE])

            async def folded_per_s() -> float:
                done = await rebuild(platform, service, read_models_of(SERVICE), dsn)
                assert done.events == events
                return done.events / done.seconds

            async def read_per_s() -> float:
                began = time.perf_counter()
                assert await _read(dsn) == events
                return events / (time.perf_counter() - began)

            paired = await in_turns(rounds, {"folded": folded_per_s, "read": read_per_s})
            profile = await _profiled(platform, dsn)
    await ground.drop("replay")
    ratio = paired.ratio("folded", "read")
    row = Row(
        f"replay of {events:,} events into the read models of {SERVICE}, built beside the live ones, one core",
        f"{paired.of('folded'):,.0f} events/s",
        f"raw read of the same rows: {paired.of('read'):,.0f}/s",
        str(ratio),
        "≥ 0.25×",
        ratio.median >= 0.25,
    )
    return Findings([row], [profile])


@contextmanager
def _on_one_core(ground: Ground) -> Iterator[None]:
    """Ourselves and PostgreSQL's backends to come; everybody goes where they like again afterwards."""
    everywhere, postgres = os.sched_getaffinity(0), ground.server.process
    here = {min(everywhere)}
    assert postgres is not None
    try:
        for pid in (0, postgres.pid):
            os.sched_setaffinity(pid, here)
        yield
    finally:
        for pid in (0, postgres.pid):
            os.sched_setaffinity(pid, everywhere)


async def _multiplied(dsn: str, copies: int) -> int:
    """The same lives in other cities: the outbox grows to so many times its size, and its reader has read it all."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f"""
            insert into {SERVICE}.outbox (shard, sequence, stream, version, type, key, data, effective_at, meta)
            select o.shard, o.sequence + last.sequence * copy, replace(stream, '330900-', city), version, type,
                   replace(key, '330900-', city), replace(data, '330900-', city), effective_at, meta
            from {SERVICE}.outbox o
            join (select shard, max(sequence) as sequence from {SERVICE}.outbox group by shard) last using (shard)
            cross join lateral (select n as copy, '4' || to_char(n, 'FM00000') || '-' as city
                                from generate_series(1, $1::integer - 1) n) copies
            """,
            copies,
        )
        await connection.execute(
            f"insert into {SERVICE}.reader_seen select 'own', '{SERVICE}', shard, max(sequence) "
            f"from {SERVICE}.outbox group by shard"
        )
        await connection.execute("vacuum analyze")
        return int(await connection.fetchval(f"select count(*) from {SERVICE}.outbox"))
    finally:
        await connection.close()


async def _read(dsn: str) -> int:
    """The same rows, shard by shard, and nothing done with them."""
    connection = await asyncpg.connect(dsn)
    try:
        asked = await connection.prepare(
            f"select * from {SERVICE}.outbox where shard = $1 and sequence > $2 order by sequence limit {BATCH}"
        )
        read = 0
        for shard in range(SHARDS):
            last = 0
            while rows := await asked.fetch(shard, last):
                read += len(rows)
                last = rows[-1]["sequence"]
        return read
    finally:
        await connection.close()


async def _profiled(platform: Platform, dsn: str) -> str:
    """Where the time of a rebuild goes, as Markdown."""
    from bench.peers.sampled import Sampler
    from bench.profiles import Profile

    (service,) = build_services(platform, [SERVICE])
    sampler = Sampler()
    sampler.start()
    await rebuild(platform, service, read_models_of(SERVICE), dsn)
    sampler.stop()
    await asyncio.sleep(0)
    return Profile(**sampler.seen()).markdown(f"a rebuild of {SERVICE} (our process; PostgreSQL's part is not in it)")
