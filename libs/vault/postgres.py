"""The vault on PostgreSQL: wrapped keys, blind indexes and encrypted documents, erased in one transaction."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import asyncpg

from libs.eventsourcing.postgres import FULL, LOST, Connection
from libs.kernel import Outage, Sealed
from libs.kernel.clocks import Clock
from libs.vault.crypto import (
    KEY_BYTES,
    NONCE_BYTES,
    Key,
    Randomness,
    blind,
    drawn_ahead,
    file_away,
    reference,
    seal,
    take_out,
    unseal,
)
from libs.vault.masterkey import MasterKey
from libs.vault.port import Erased, Tampered
from libs.vault.wholesale import Fields

KEY_LIFE = timedelta(seconds=60)  # How long an erasure may go unnoticed by the memory of another process.
KEYS_MAX = 10_000


def ddl(schema: str) -> str:
    """The tables of the vault."""
    return files("libs.vault").joinpath("schema.sql").read_text().replace("{schema}", schema)


class PostgresVault:
    """`Vault` in a schema of its own.

    Who writes for a person holds that person's row `for share`, and who erases it updates it first: each waits for the
    other, so nothing is ever written behind an erasure.
    """

    def __init__(
        self, pool: asyncpg.Pool, schema: str = "vault", *, master: MasterKey, randomness: Randomness, clock: Clock
    ) -> None:
        self._pool, self._schema = pool, schema
        self._master, self._randomness, self._clock = master, randomness, clock
        self._keys = KeyCache(clock)
        self._alive = f"select person from {schema}.data_key where person = $1 and wrapped is not null for share"

    async def seal(self, person: str, field: str, text: str) -> Sealed:
        return seal(await self._key(person), self._randomness, person, field, text)

    async def open(self, person: str, field: str, sealed: Sealed) -> str:
        return unseal(await self._existing_key(person), person, field, sealed)

    async def claim(self, kind: str, text: str, person: str) -> str:
        digest = blind(await self._master.index_key(kind), text)
        await self._key(person)  # Whoever holds something has a row that an erasure can find.
        while True:
            rows = await self._ask(
                f"with alive as ({self._alive}), made as (insert into {self._schema}.claim (kind, digest, person) "
                f"select $2, $3, person from alive on conflict do nothing returning person) "
                f"select made.person from alive left join made on true",
                person, kind, digest,
            )  # fmt: skip
            if not rows:
                raise self._erased(person)
            if rows[0][0] is not None:
                return person
            if (holder := await self._holder(kind, digest)) is not None:
                return holder
            # The holder was erased between the two questions: ask again.

    async def claim_many(self, kind: str, wanted: Sequence[tuple[str, str]]) -> Sequence[str]:
        index_key = await self._master.index_key(kind)
        digests = [blind(index_key, text) for text, _ in wanted]
        holders = await self._holders(kind, digests)
        claimants: dict[bytes, str] = {}  # The first of those who claim the same text in one breath.
        for digest, (_, person) in zip(digests, wanted, strict=True):
            if digest not in holders:
                claimants.setdefault(digest, person)
        if claimants:
            keys = await self._keys_of(list(claimants.values()))
            living = {digest: person for digest, person in claimants.items() if keys[person] is not None}
            made = await self._ask(
                f"with alive as (select person from {self._schema}.data_key where person = any($3::text[]) "
                f"and wrapped is not null for share) "
                f"insert into {self._schema}.claim (kind, digest, person) select $1, w.digest, w.person "
                f"from unnest($2::bytea[], $3::text[]) as w(digest, person) join alive using (person) "
                f"on conflict do nothing returning digest, person",
                kind, list(living), list(living.values()),
            )  # fmt: skip
            holders |= dict(made)
            lost = [digest for digest in claimants if digest not in holders]
            holders |= await self._holders(kind, lost) if lost else {}
        return [holders.get(digest, "") for digest in digests]

    async def seal_many(self, wanted: Sequence[tuple[str, Fields]]) -> Sequence[Mapping[str, Sealed] | None]:
        keys = await self._keys_of([person for person, _ in wanted])
        randomness = drawn_ahead(self._randomness, NONCE_BYTES * sum(len(fields) for _, fields in wanted))
        return [
            None
            if (key := keys[person]) is None
            else {field: seal(key, randomness, person, field, text) for field, text in fields.items()}
            for person, fields in wanted
        ]

    async def find_many(self, kind: str, texts: Sequence[str]) -> Sequence[str | None]:
        index_key = await self._master.index_key(kind)
        digests = [blind(index_key, text) for text in texts]
        holders = await self._holders(kind, digests)
        return [holders.get(digest) for digest in digests]

    async def open_many(self, wanted: Sequence[tuple[str, Mapping[str, Sealed]]]) -> Sequence[Fields | None]:
        now = self._clock.now()
        unknown = [person for person, _ in wanted if self._keys.held(person, now) is None]
        rows = await self._ask(
            f"select person, wrapped from {self._schema}.data_key where person = any($1::text[])", unknown
        )
        stored: dict[str, str | None] = dict(rows)
        opened: list[Fields | None] = []
        for person, fields in wanted:
            key = self._keys.held(person, now)
            if key is None:
                if person not in stored:
                    raise Tampered("nothing was ever closed for this person")
                if (wrapped := stored[person]) is None:
                    opened.append(None)
                    continue
                key = Key(await self._master.unwrap(person, wrapped))
            opened.append({field: unseal(key, person, field, sealed) for field, sealed in fields.items()})
        return opened

    async def _holders(self, kind: str, digests: Sequence[bytes]) -> dict[bytes, str]:
        return dict(
            await self._ask(
                f"select w.digest, c.person from unnest($2::bytea[]) as w(digest) cross join lateral "
                f"(select person from {self._schema}.claim c where c.kind = $1 and c.digest = w.digest limit 1) c",
                kind, digests,
            )
        )  # fmt: skip

    async def _keys_of(self, persons: Sequence[str]) -> dict[str, Key | None]:
        """The keys of these persons, made where there is none; None for the erased."""
        asked_at, drops = self._clock.now(), self._keys.drops
        keys: dict[str, Key | None] = {person: self._keys.held(person, asked_at) for person in persons}
        unknown = [person for person, key in keys.items() if key is None]
        if not unknown:
            return keys
        randomness = drawn_ahead(self._randomness, KEY_BYTES * len(unknown))
        fresh = {person: randomness(KEY_BYTES) for person in unknown}
        made = await self._ask(
            f"insert into {self._schema}.data_key (person, wrapped, created_at) select person, wrapped, $3 "
            f"from unnest($1::text[], $2::text[]) as n(person, wrapped) on conflict do nothing returning person",
            unknown, [await self._master.wrap(person, fresh[person]) for person in unknown], asked_at,
        )  # fmt: skip
        for (person,) in made:
            keys[person] = Key(fresh.pop(person))
        if fresh:  # Somebody has made theirs before, or a tombstone stands there: what is stored counts.
            for person, wrapped in await self._ask(
                f"select person, wrapped from {self._schema}.data_key where person = any($1::text[])", list(fresh)
            ):
                keys[person] = None if wrapped is None else Key(await self._master.unwrap(person, wrapped))
        if drops == self._keys.drops:  # Otherwise somebody was erased meanwhile; it may be one of these.
            self._keys.hold({person: key for person in unknown if (key := keys[person]) is not None}, asked_at)
        return keys

    async def find(self, kind: str, text: str) -> str | None:
        return await self._holder(kind, blind(await self._master.index_key(kind), text))

    async def keep(self, person: str, name: str, content: bytes) -> str:
        key = await self._key(person)
        kept_as = reference(key, name, content)
        alive = await self._ask(
            f"with alive as ({self._alive}), kept as (insert into {self._schema}.document (person, reference, content) "
            f"select person, $2, $3 from alive on conflict do nothing) select from alive",
            person, kept_as, file_away(key, self._randomness, person, kept_as, content),
        )  # fmt: skip
        if not alive:
            raise self._erased(person)
        return kept_as

    async def fetch(self, person: str, reference: str) -> bytes:
        key = await self._existing_key(person)
        rows = await self._ask(
            f"select content from {self._schema}.document where person = $1 and reference = $2", person, reference
        )
        if not rows:
            self._keys.drop(person)
            await self._existing_key(person)  # Erased elsewhere?
            raise Tampered("no document is kept under this reference")
        return take_out(key, person, reference, rows[0][0])

    async def erase(self, person: str) -> None:
        try:
            # Read committed: the deletions must see what was written while the first statement waited for its writers.
            async with self._connection() as connection, connection.transaction(isolation="read_committed"):
                await connection.execute(
                    f"insert into {self._schema}.data_key as k (person, created_at, erased_at) values ($1, $2, $2) "
                    f"on conflict (person) do update set wrapped = null, erased_at = $2 where k.wrapped is not null",
                    person, self._clock.now(),
                )  # fmt: skip
                await connection.execute(f"delete from {self._schema}.claim where person = $1", person)
                await connection.execute(f"delete from {self._schema}.document where person = $1", person)
        finally:
            self._keys.drop(person)

    async def _key(self, person: str) -> Key:
        return await self._keys.get(person, self._load_or_make)

    async def _existing_key(self, person: str) -> Key:
        return await self._keys.get(person, self._load)

    async def _load(self, person: str) -> Key:
        return await self._unwrapped(person, await self._key_rows(person))

    async def _load_or_make(self, person: str) -> Key:
        if not (rows := await self._key_rows(person)):
            await self._ask(
                f"insert into {self._schema}.data_key (person, wrapped, created_at) values ($1, $2, $3) "
                f"on conflict do nothing",  # Somebody else may have made it, or a tombstone: what is stored counts.
                person, await self._master.wrap(person, self._randomness(KEY_BYTES)), self._clock.now(),
            )  # fmt: skip
            rows = await self._key_rows(person)
        return await self._unwrapped(person, rows)

    async def _key_rows(self, person: str) -> list[Any]:
        return await self._ask(f"select wrapped from {self._schema}.data_key where person = $1", person)

    async def _unwrapped(self, person: str, rows: list[Any]) -> Key:
        if not rows:
            raise Tampered("nothing was ever closed for this person")
        if rows[0][0] is None:
            raise Erased
        return Key(await self._master.unwrap(person, rows[0][0]))

    async def _holder(self, kind: str, digest: bytes) -> str | None:
        rows = await self._ask(f"select person from {self._schema}.claim where kind = $1 and digest = $2", kind, digest)
        return rows[0][0] if rows else None

    def _erased(self, person: str) -> Erased:
        self._keys.drop(person)
        return Erased()

    async def _ask(self, sql: str, *arguments: object) -> list[Any]:
        async with self._connection() as connection:
            return list(await connection.fetch(sql, *arguments))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.acquire(timeout=5) as connection:
                yield connection
        except (*LOST, *FULL) as away:
            raise Outage(f"the vault does not answer: {away}") from away


class KeyCache:
    """Data keys in memory, each for a minute from the moment at which it was asked for."""

    def __init__(self, machine: Clock, keys_max: int = KEYS_MAX) -> None:
        self._machine, self._keys_max = machine, keys_max
        self._held: OrderedDict[str, tuple[Key, datetime]] = OrderedDict()  # The oldest first.
        self.drops = 0

    async def get(self, person: str, load: Callable[[str], Awaitable[Key]]) -> Key:
        """The key as it is held, or as it is loaded now."""
        asked_at, drops = self._machine.now(), self.drops
        while self._held and not _fresh(next(iter(self._held.values())), asked_at):
            self._forget_the_oldest()
        if (held := self._held.get(person)) and _fresh(held, asked_at):
            return held[0]
        key = await load(person)
        if drops == self.drops:  # Otherwise somebody was erased meanwhile; it may be this one.
            self._held.pop(person, None)
            self._held[person] = key, asked_at
        if len(self._held) > self._keys_max:
            self._forget_the_oldest()
        return key

    def held(self, person: str, now: datetime) -> Key | None:
        """The key, if it is in memory and fresh."""
        held = self._held.get(person)
        return held[0] if held and _fresh(held, now) else None

    def hold(self, keys: Mapping[str, Key], asked_at: datetime) -> None:
        """Keep keys that were asked for at this moment."""
        for person, key in keys.items():
            self._held.pop(person, None)
            self._held[person] = key, asked_at
        while len(self._held) > self._keys_max:
            self._forget_the_oldest()

    def drop(self, person: str) -> None:
        """Forget this key now, also if it is just being loaded."""
        self._held.pop(person, None)
        self.drops += 1

    def _forget_the_oldest(self) -> None:
        self._held.popitem(last=False)


def _fresh(held: tuple[Key, datetime], now: datetime) -> bool:
    return held[1] <= now < held[1] + KEY_LIFE
