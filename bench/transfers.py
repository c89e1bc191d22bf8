"""Transfers of money, durable: beside pgledger, a public ledger in SQL, and beside what PostgreSQL itself can commit.

pgledger is no part of this project and is not kept here: clone its repository (`pgr0ss/pgledger` on GitHub) and say
where it is with `PGLEDGER=<folder>`.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import asyncpg

from bench.figures import Findings, Ratios, Round, Row, in_turns
from bench.ground import Ground
from libs.eventsourcing.store import Append, Appended
from libs.kernel.ids import derived
from libs.ledger.entry import Booking, Entry, Guard, Ledger, Post, Posted, Posting, Standing

AT = datetime(2026, 9, 1, 9, 30, tzinfo=UTC)
CALLERS, PAYERS, BATCH = 64, 10_000, 64
RICH_FEN = 10**12
HOT, SPREAD = "one merchant takes it all", "ten thousand payees"
WANTED = {HOT: 20.0, SPREAD: 5.0}
FILES = ("vendor/scoville-pgsql-ulid/ulid-to-uuid.sql", "vendor/scoville-pgsql-ulid/uuid-to-ulid.sql", "pgledger.sql")

Pick = Callable[[Random], tuple[int, int]]
"""Who pays whom, by number; the hot merchant is number 0 of the payees."""


def hot(dice: Random) -> tuple[int, int]:
    return dice.randrange(PAYERS), 0


def spread(dice: Random) -> tuple[int, int]:
    return dice.randrange(PAYERS), dice.randrange(PAYERS)


async def per_s(transfer: Callable[[Random], Awaitable[None]], seconds: float, callers: int = CALLERS) -> float:
    """Transfers a second that this many callers get acknowledged, each asking anew as soon as it is answered."""
    until, began = time.perf_counter() + seconds, time.perf_counter()

    async def caller(nth: int) -> int:
        dice, done = Random(nth), 0
        while time.perf_counter() < until:
            await transfer(dice)
            done += 1
        return done

    done = sum(await asyncio.gather(*map(caller, range(callers))))
    return done / (time.perf_counter() - began)


async def beside_pgledger(ground: Ground) -> Findings:
    """64 callers, hot and spread, in turns: ours, pgledger, bare commits, and batches of bare rows."""
    seconds, rounds = ground.either(4, 1), ground.either(3, 1)
    found = Findings()
    async with AsyncExitStack() as stack:
        dsn, bare = await ground.database("transfers"), await ground.database("bare")
        ledger = (await stack.enter_async_context(ground.platform(dsn))).ledger("wallet")
        await _open(ledger)
        await _looked_over(dsn)  # As the peer is: whoever has books for a day has statistics of them.
        async with connections(bare) as pool:
            await pool.execute("create table moved (id bigint primary key, payer bigint, payee bigint, fen bigint)")
        peer = await _pgledger(ground)
        numbers = count(1)
        for what, pick in ((HOT, hot), (SPREAD, spread)):
            turns: dict[str, Round] = {
                "ours": partial(per_s, partial(_ours, ledger, pick, numbers), seconds),
                "commits": partial(from_64, bare, partial(_commit, numbers), seconds),
                "batches": partial(from_64, bare, partial(_batch, numbers), seconds, 8),
            }
            if peer is not None:
                turns["pgledger"] = partial(from_64, peer.dsn, partial(peer.transfer, pick), seconds)
            paired = await in_turns(rounds, turns)
            limits = f"bare rows: one a commit {paired.of('commits'):,.0f}/s, {BATCH} a commit " \
                     f"{paired.of('batches') * BATCH:,.0f}/s"  # fmt: skip
            ratio: Ratios | str = "–"
            beside, met = f"pgledger: not here, see `bench/transfers.py`; {limits}", None
            if peer is not None:
                ratio = paired.ratio("ours", "pgledger")
                beside, met = f"pgledger: {paired.of('pgledger'):,.0f}/s; {limits}", ratio.median >= WANTED[what]
            name = f"durable transfers/s, {CALLERS} callers, {what}"
            ours = f"{paired.of('ours'):,.0f}/s"
            found.rows.append(Row(name, ours, beside, str(ratio), f"≥ {WANTED[what]:g}×", met))
    for name in ("transfers", "bare", "pgledger"):
        await ground.drop(name)
    return found


# --- ours ---


def _payer(nth: int) -> str:
    return f"online:{nth:06d}"


async def _open(ledger: Ledger) -> None:
    """Payers with accounts that are checked at every transfer, and with more money than they can spend."""
    for first in range(0, PAYERS, 500):
        some = range(first, min(first + 500, PAYERS))
        await asyncio.gather(*(_opened(ledger, nth) for nth in some))


async def _looked_over(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


async def _opened(ledger: Ledger, nth: int) -> None:
    account = _payer(nth)
    paid_in = (Posting("channel:hall", -RICH_FEN), Posting(account, RICH_FEN, guard=Guard(least_fen=None)))
    booking = Booking(standings=(Standing(account, "card"),))
    opened = await ledger.append(
        Append(
            command_id=derived(account), stream=f"purse-{nth}", routing_key=account, expected=0, effective_at=AT,
            meta="{}", fingerprint=b"\0" * 32, facts=[], messages=[], booking=booking,
        )
    )  # fmt: skip
    assert isinstance(opened, Appended)
    assert await ledger.post(Post(account, AT, Entry(f"rich/{nth}", "top-up", paid_in))) == Posted()


async def _ours(ledger: Ledger, pick: Pick, numbers: "count[int]", dice: Random) -> None:
    """A payment with every guard: funds beside holds, in use, present card, and a reference that happens once."""
    payer, payee = pick(dice)
    guard = Guard(least_fen=0, in_use=True, bearer="card")
    legs = (Posting(_payer(payer), -1, guard=guard), Posting(f"merchant:{payee:06d}", 1))
    assert await ledger.post(Post(_payer(payer), AT, Entry(f"t/{next(numbers)}", "payment", legs))) == Posted()


# --- the peer, and the limits ---


@dataclass(frozen=True, slots=True)
class Peer:
    """pgledger in a database of its own, with accounts; they may go below zero, so it checks less than ours."""

    dsn: str
    payers: list[str]
    payees: list[str]

    async def transfer(self, pick: Pick, pool: asyncpg.Pool, dice: Random) -> None:
        payer, payee = pick(dice)
        await pool.fetchval(
            "select id from pgledger_create_transfer($1, $2, 1)", self.payers[payer], self.payees[payee]
        )


async def _pgledger(ground: Ground) -> Peer | None:
    """The peer; None if it is not here."""
    where = os.environ.get("PGLEDGER", "")
    if not where or not await asyncio.to_thread((Path(where) / "pgledger.sql").exists):
        return None
    dsn = await ground.database("pgledger")
    make = (
        "select a.id from generate_series(1, $1::int) n "
        "cross join lateral pgledger_create_account($2 || n, 'CNY', true, true) a order by n"
    )
    async with connections(dsn) as pool:
        for file in FILES:
            await pool.execute(await asyncio.to_thread((Path(where) / file).read_text))
        payers, payees = [[row[0] for row in await pool.fetch(make, PAYERS, name)] for name in ("payer-", "payee-")]
        await pool.execute("vacuum analyze")
    return Peer(dsn, payers, payees)


def connections(dsn: str) -> asyncpg.Pool:
    return asyncpg.create_pool(dsn, min_size=CALLERS, max_size=CALLERS)


async def from_64(
    dsn: str, transfer: Callable[[asyncpg.Pool, Random], Awaitable[None]], seconds: float, callers: int = CALLERS
) -> float:
    """The same from 64 connections, which are open before the clock starts and closed afterwards."""
    async with connections(dsn) as pool:
        return await per_s(partial(transfer, pool), seconds, callers)


async def _commit(numbers: "count[int]", pool: asyncpg.Pool, dice: Random) -> None:
    payer, payee = spread(dice)
    await pool.execute("insert into moved values ($1, $2, $3, 1)", next(numbers), payer, payee)


async def _batch(numbers: "count[int]", pool: asyncpg.Pool, dice: Random) -> None:
    ids = [next(numbers) for _ in range(BATCH)]
    await pool.execute("insert into moved select n, $2, $3, 1 from unnest($1::bigint[]) n", ids, *spread(dice))
