"""Signs, at intervals, what the journal holds (docs/journal-checkpoints.md); the verifier shares only that page.

A checkpoint covers every shard by the root of a Merkle tree over its rows (RFC 6962), and names the checkpoint before
it. The right edges of the trees are kept, so a new checkpoint costs only the rows that are new.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.eventsourcing.postgres import lock_class
from libs.kernel.clocks import Clock

FORMAT = "citycard journal checkpoint v1"
FIRST = "0" * 64
ROWS_AT_ONCE = 1_000
"""As many as are hashed without keeping whoever pays in the same process waiting."""
CHECKPOINT_LOCK = 1001

DDL = """
create table {schema}.checkpoint (
    number    integer primary key,
    text      text    not null,
    signature bytea   not null
);
-- The right edge of each shard's tree: the roots of its full subtrees, largest first. A cache; it can be made anew.
create table {schema}.checkpoint_edge (
    shard smallint primary key,
    size  bigint  not null,
    peaks bytea[] not null
);
"""

_ROWS = """
select shard, position, reference, kind, encode(digest, 'hex'),
       to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), accounts, amounts_fen, held_fen
from {schema}.entry where shard = $1 and position > $2 order by position limit $3
"""


_WAITING = """
with covered as (
    select m.shard, coalesce(e.size, 0) as size
    from (select distinct shard from {schema}.fold_mark) m left join {schema}.checkpoint_edge e on e.shard = m.shard
)
select min(r.recorded_at) from covered c join {schema}.entry r on r.shard = c.shard and r.position = c.size + 1
"""


class OtherKey(Exception):
    """The last checkpoint was signed with another key; a journal that two keys have signed proves nothing."""


async def waiting_since(pool: asyncpg.Pool, schema: str) -> datetime | None:
    """When the oldest row was written that no checkpoint covers; None if all are covered."""
    since: datetime | None = await pool.fetchval(_WAITING.replace("{schema}", schema))
    return since


class Checkpoints:
    """Makes and exports the checkpoints of one service's journal."""

    def __init__(self, pool: asyncpg.Pool, schema: str, key: Ed25519PrivateKey, machine: Clock) -> None:
        self._pool, self._schema, self._key, self._machine = pool, schema, key, machine

    @property
    def public_key(self) -> str:
        """What the auditor needs, in hex."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    async def sign(self, not_before_s: float = 0) -> int:
        """Cover all rows that are there; returns the number of the newest checkpoint, which is an old one if no row
        has been added since, or if it is younger than so many seconds. Raises OtherKey."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"select pg_advisory_xact_lock({lock_class(self._schema)}, {CHECKPOINT_LOCK})")
            last = await connection.fetchrow(
                f"select number, text, signature from {self._schema}.checkpoint order by number desc limit 1"
            )
            if last is not None:
                self._check(last["text"], last["signature"])
                if self._machine.now() < _signed_at(last["text"]) + timedelta(seconds=not_before_s):
                    return int(last["number"])
            edges = {
                shard: (size, list(peaks))
                for shard, size, peaks in await connection.fetch(
                    f"select shard, size, peaks from {self._schema}.checkpoint_edge"
                )
            }
            shards = await connection.fetch(f"select distinct shard from {self._schema}.fold_mark order by shard")
            grown = False
            for (shard,) in shards:
                size, peaks = edges.get(shard, (0, []))
                async for leaf in self._leaves(connection, shard, size):
                    _grow(peaks, size, leaf)
                    size, grown = size + 1, True
                if size:
                    edges[shard] = size, peaks
            if last is not None and not grown:
                return int(last["number"])
            number = 1 if last is None else int(last["number"]) + 1
            before = FIRST if last is None else hashlib.sha256(last["text"].encode()).hexdigest()
            text = self._text(
                number, before, sorted((shard, size, _root(peaks)) for shard, (size, peaks) in edges.items())
            )
            await connection.execute(
                f"insert into {self._schema}.checkpoint values ($1, $2, $3)",
                number,
                text,
                self._key.sign(text.encode()),
            )
            await connection.executemany(
                f"insert into {self._schema}.checkpoint_edge values ($1, $2, $3) "
                f"on conflict (shard) do update set size = excluded.size, peaks = excluded.peaks",
                [(shard, size, peaks) for shard, (size, peaks) in edges.items()],
            )
            return number

    def _check(self, text: str, signature: bytes) -> None:
        try:
            self._key.public_key().verify(signature, text.encode())
        except InvalidSignature:
            raise OtherKey from None

    def _text(self, number: int, before: str, trees: Sequence[tuple[int, int, str]]) -> str:
        at: datetime = self._machine.now()
        lines = [FORMAT, str(number), at.isoformat(timespec="milliseconds"), before]
        return "\n".join([*lines, *(f"{shard} {size} {root}" for shard, size, root in trees)]) + "\n"

    async def _leaves(self, connection: Any, shard: int, after: int) -> AsyncIterator[bytes]:
        while rows := await connection.fetch(_ROWS.replace("{schema}", self._schema), shard, after, ROWS_AT_ONCE):
            for row in rows:
                yield hashlib.sha256(b"\0" + line_of(row).encode()).digest()
            after += len(rows)

    async def export(self) -> AsyncIterator[str]:
        """The journal and its checkpoints, a line each, as `citycard audit verify FILE` reads them."""
        shards = await self._pool.fetch(f"select distinct shard from {self._schema}.fold_mark order by shard")
        for (shard,) in shards:
            after = 0
            while rows := await self._pool.fetch(_ROWS.replace("{schema}", self._schema), shard, after, ROWS_AT_ONCE):
                for row in rows:
                    yield line_of(row)
                after += len(rows)
        for text, signature in await self._pool.fetch(
            f"select text, signature from {self._schema}.checkpoint order by number"
        ):
            yield json.dumps({"text": text, "signature": base64.b64encode(signature).decode()})


def _signed_at(text: str) -> datetime:
    return datetime.fromisoformat(text.split("\n")[2])


def line_of(row: Iterable[Any]) -> str:
    """A row of the journal as it is hashed and exported."""
    return json.dumps(list(row), separators=(",", ":"), ensure_ascii=True)


def _grow(peaks: list[bytes], size: int, leaf: bytes) -> None:
    """Add a leaf at the right edge: as many full subtrees close as the size has ones at its end."""
    node = leaf
    while size & 1:
        node = hashlib.sha256(b"\1" + peaks.pop() + node).digest()
        size >>= 1
    peaks.append(node)


def _root(peaks: Sequence[bytes]) -> str:
    node = peaks[-1]
    for left in reversed(peaks[:-1]):
        node = hashlib.sha256(b"\1" + left + node).digest()
    return node.hex()
