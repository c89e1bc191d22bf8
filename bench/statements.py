"""A page of a statement, when the books are small and when they are large."""

import time
from contextlib import AsyncExitStack
from functools import partial
from random import Random

import asyncpg

from bench.figures import Findings, Round, Row, in_turns, percentile
from bench.ground import Ground
from libs.ledger.entry import Ledger

PAGE, LINES = 100, 200  # Each holder has so many lines; a page begins in their middle.


async def in_small_and_large_books(ground: Ground) -> Findings:
    """The same page of a holder's statement with ten thousand and with ten million postings in the books."""
    pages, rounds = ground.either(1_000, 100), ground.either(5, 1)
    small, large = 10_000, ground.either(10_000_000, 200_000)
    async with AsyncExitStack() as stack:
        turns: dict[str, Round] = {}
        for name, postings in (("few", small), ("many", large)):
            dsn = await ground.database(name)
            ledger = (await stack.enter_async_context(ground.platform(dsn))).ledger("wallet")
            await fill(dsn, postings)
            turns[name] = partial(page_ms, ledger, postings // LINES, pages)
        paired = await in_turns(rounds, turns)
    for name in ("few", "many"):
        await ground.drop(name)
    ratio = paired.ratio("many", "few")
    what = f"a page of {PAGE} lines of a statement (median of {pages:,}), {large:,} journal rows"
    beside = f"with {small:,}: {paired.of('few'):.2f} ms"
    return Findings([Row(what, f"{paired.of('many'):.2f} ms", beside, str(ratio), "≤ 1.2×", ratio.median <= 1.2)])


async def page_ms(ledger: Ledger, holders: int, pages: int) -> float:
    """The median time of one page, in milliseconds; holders and places are drawn anew for each."""
    dice, took = Random(1), []
    for _ in range(pages):
        holder = dice.randrange(holders)
        after = (holder % 64, holder // 64 * LINES + dice.randrange(LINES - PAGE))
        began = time.perf_counter()
        lines = await ledger.statement(_account(holder), after, PAGE)
        took.append((time.perf_counter() - began) * 1e3)
        assert len(lines) == PAGE
    return percentile(took, 0.5)


def _account(holder: int) -> str:
    return f"online:{holder:08d}"


async def fill(dsn: str, postings: int) -> None:
    """Books that have long been in use: every entry has a leg of a holder and one of a merchant, shard by shard.

    Indexes are made when all rows lie there.
    """
    connection = await asyncpg.connect(dsn)
    holders = postings // LINES
    legs = (
        "select h, h % 64 as shard, h / 64 * $2::bigint + n as position "
        "from generate_series(0, $1::bigint - 1) h, generate_series(1, $2::bigint) n"
    )
    try:
        await connection.execute(WITHOUT_INDEXES)
        await connection.execute(
            "insert into wallet.entry select shard, position, 't/' || h || '/' || position, 'payment', '\\x00', now(), "
            "now(), array['online:' || lpad(h::text, 8, '0'), 'merchant:330900/zs-bus'], array[-1, 1], array[0, 0] "
            f"from ({legs}) l", holders, LINES)  # fmt: skip
        await connection.execute(
            "insert into wallet.posting select 'online:' || lpad(h::text, 8, '0'), shard, position, 1, -1, 0, now(), "
            "'t/' || h || '/' || position, 'payment', array['merchant:330900/zs-bus'] "
            f"from ({legs}) l", holders, LINES)  # fmt: skip
        await connection.execute(INDEXES)
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


WITHOUT_INDEXES = """
alter table wallet.entry drop constraint entry_pkey, drop constraint entry_reference;
alter table wallet.posting drop constraint posting_pkey
"""
INDEXES = """
set maintenance_work_mem = '1GB';
alter table wallet.entry add primary key (shard, position), add constraint entry_reference unique (reference);
alter table wallet.posting add primary key (account, shard, position, leg)
    include (amount_fen, held_fen, at, reference, kind, others)
"""
