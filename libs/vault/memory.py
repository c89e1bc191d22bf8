"""The vault's twin in memory: for journeys and for simulation."""

import asyncio
from datetime import datetime

from libs.kernel import Sealed
from libs.kernel.clocks import Clock
from libs.vault.crypto import KEY_BYTES, Key, Randomness, blind, file_away, reference, seal, take_out, unseal
from libs.vault.masterkey import MasterKey
from libs.vault.port import Erased, Tampered


class MemoryVault:
    """Keeps every promise of `Vault` but durability."""

    def __init__(self, master: MasterKey, randomness: Randomness, clock: Clock) -> None:
        self._master, self._randomness, self._clock = master, randomness, clock
        self._keys: dict[str, Key] = {}
        self._erased_at: dict[str, datetime] = {}
        self._claims: dict[tuple[str, bytes], str] = {}
        self._documents: dict[tuple[str, str], bytes] = {}

    async def seal(self, person: str, field: str, text: str) -> Sealed:
        await _the_way_to_the_store()
        return seal(self._key(person), self._randomness, person, field, text)

    async def open(self, person: str, field: str, sealed: Sealed) -> str:
        await _the_way_to_the_store()
        return unseal(self._existing_key(person), person, field, sealed)

    async def claim(self, kind: str, text: str, person: str) -> str:
        digest = await self._blind(kind, text)
        self._refuse_the_erased(person)
        return self._claims.setdefault((kind, digest), person)

    async def find(self, kind: str, text: str) -> str | None:
        return self._claims.get((kind, await self._blind(kind, text)))

    async def keep(self, person: str, name: str, content: bytes) -> str:
        await _the_way_to_the_store()
        key = self._key(person)
        kept_as = reference(key, name, content)
        self._documents.setdefault((person, kept_as), file_away(key, self._randomness, person, kept_as, content))
        return kept_as

    async def fetch(self, person: str, reference: str) -> bytes:
        await _the_way_to_the_store()
        key = self._existing_key(person)
        if (closed := self._documents.get((person, reference))) is None:
            raise Tampered("no document is kept under this reference")
        return take_out(key, person, reference, closed)

    async def erase(self, person: str) -> None:
        await _the_way_to_the_store()
        self._erased_at.setdefault(person, self._clock.now())
        self._keys.pop(person, None)
        self._claims = {claim: holder for claim, holder in self._claims.items() if holder != person}
        self._documents = {place: closed for place, closed in self._documents.items() if place[0] != person}

    def _key(self, person: str) -> Key:
        self._refuse_the_erased(person)
        if person not in self._keys:
            self._keys[person] = Key(self._randomness(KEY_BYTES))
        return self._keys[person]

    def _existing_key(self, person: str) -> Key:
        self._refuse_the_erased(person)
        if person not in self._keys:
            raise Tampered("nothing was ever closed for this person")
        return self._keys[person]

    def _refuse_the_erased(self, person: str) -> None:
        if person in self._erased_at:
            raise Erased

    async def _blind(self, kind: str, text: str) -> bytes:
        await _the_way_to_the_store()
        return blind(await self._master.index_key(kind), text)


async def _the_way_to_the_store() -> None:
    """A real store takes its time: let the others in, here and nowhere after."""
    await asyncio.sleep(0)
