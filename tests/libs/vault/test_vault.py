"""What is sealed opens for its person and its field only, until that person is erased; then nothing does, anywhere."""

import asyncio
import os
import secrets
import stat
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import Outage, Sealed
from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.vault.crypto import KEY_BYTES, Key, blind, reference, seal, unseal
from libs.vault.masterkey import FileMasterKey, MasterKeyUnfit
from libs.vault.memory import MemoryVault
from libs.vault.port import Erased, Tampered, Vault
from libs.vault.postgres import KeyCache, PostgresVault, ddl
from libs.vault.wholesale import claim_many, seal_many

LI, WANG = "330900-person-li", "330900-person-wang"
ID_NUMBER = "11010519491231002X"
PORTRAIT = b"\xff\xd8 a face \xff\xd9" * 3000

names = st.text(max_size=12)


class MachineClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def pass_(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
async def dsn() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        async with EmbeddedPostgres(Path(folder) / "pg") as dsn:
            yield dsn


@pytest.fixture(scope="module")
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=8) as pool:
        yield pool


schema_numbers = count(1)


@pytest.fixture
async def schema(pool: asyncpg.Pool) -> str:
    schema = f"vault_{next(schema_numbers)}"
    await pool.execute(f"create schema {schema}; {ddl(schema)}")
    return schema


@pytest.fixture
def clock() -> MachineClock:
    return MachineClock()


@pytest.fixture
def master(tmp_path: Path) -> FileMasterKey:
    return FileMasterKey(tmp_path / "master.key", randomness=secrets.token_bytes)


@pytest.fixture
def process(pool: asyncpg.Pool, schema: str, master: FileMasterKey, clock: MachineClock) -> Callable[[], PostgresVault]:
    """Another process on the same database."""
    return lambda: PostgresVault(pool, schema, master=master, randomness=secrets.token_bytes, clock=clock)


@pytest.fixture(params=["memory", "postgres"])
def vault(
    request: pytest.FixtureRequest, process: Callable[[], PostgresVault], master: FileMasterKey, clock: MachineClock
) -> Vault:
    return MemoryVault(master, secrets.token_bytes, clock) if request.param == "memory" else process()


class TestVault:
    """The contract, for every implementation."""

    async def test_what_was_sealed_opens(self, vault: Vault) -> None:
        for text in ("李小龙", "", "13800138000", "x" * 5000):
            assert await vault.open(LI, "name", await vault.seal(LI, "name", text)) == text

    async def test_an_envelope_has_the_agreed_form_and_never_looks_the_same_twice(self, vault: Vault) -> None:
        first, second = await vault.seal(LI, "name", "李"), await vault.seal(LI, "name", "李")
        assert first != second
        version, key, body = first.box.split(".")
        assert (version, key) == ("v1", second.box.split(".")[1])
        assert body.isascii()

    async def test_an_envelope_opens_for_nobody_else_and_in_no_other_field(self, vault: Vault) -> None:
        sealed = await vault.seal(LI, "name", "李")
        await vault.seal(WANG, "name", "王")
        for person, field in ((WANG, "name"), (LI, "phone"), ("a stranger", "name")):
            with pytest.raises(Tampered):
                await vault.open(person, field, sealed)

    async def test_a_first_key_is_made_once_however_many_ask(self, vault: Vault) -> None:
        sealed = await asyncio.gather(*(vault.seal(LI, "name", str(n)) for n in range(30)))
        assert [await vault.open(LI, "name", one) for one in sealed] == [str(n) for n in range(30)]

    async def test_a_text_belongs_to_its_first_claimant(self, vault: Vault) -> None:
        assert await vault.find("id-number", ID_NUMBER) is None
        assert await vault.claim("id-number", ID_NUMBER, LI) == LI
        assert await vault.claim("id-number", ID_NUMBER, WANG) == LI
        assert await vault.claim("id-number", ID_NUMBER, LI) == LI
        assert await vault.find("id-number", ID_NUMBER) == LI

    async def test_kinds_of_texts_are_kept_apart(self, vault: Vault) -> None:
        await vault.claim("phone", "13800138000", LI)
        assert await vault.find("fax", "13800138000") is None
        assert await vault.claim("fax", "13800138000", WANG) == WANG

    async def test_of_many_claimants_at_once_exactly_one_wins(self, vault: Vault) -> None:
        answers = await asyncio.gather(*(vault.claim("id-number", ID_NUMBER, f"p-{n}") for n in range(20)))
        assert len(set(answers)) == 1

    async def test_many_texts_belong_to_their_first_claimants(self, vault: Vault) -> None:
        await vault.claim("id-number", ID_NUMBER, LI)
        wanted = [(ID_NUMBER, WANG), ("second", WANG), ("third", "p-3"), ("third", "p-4")]
        assert await claim_many(vault, "id-number", wanted) == [LI, WANG, "p-3", "p-3"]
        assert await claim_many(vault, "id-number", wanted) == [LI, WANG, "p-3", "p-3"]
        assert await vault.find("id-number", "third") == "p-3"

    async def test_many_persons_are_sealed_each_with_her_own_key(self, vault: Vault) -> None:
        before = await vault.seal(LI, "name", "李")
        closed = await seal_many(vault, [(LI, {"name": "李", "phone": "1"}), (WANG, {"name": "王"})])
        assert closed[0] is not None
        assert closed[1] is not None
        assert await vault.open(LI, "phone", closed[0]["phone"]) == "1"
        assert await vault.open(WANG, "name", closed[1]["name"]) == "王"
        assert closed[0]["name"].box.split(".")[1] == before.box.split(".")[1]

    async def test_among_many_the_erased_get_no_key_and_claim_nothing(self, vault: Vault) -> None:
        await vault.erase(LI)
        assert await claim_many(vault, "id-number", [("a", LI), ("b", WANG)]) == ["", WANG]
        closed = await seal_many(vault, [(LI, {"name": "李"}), (WANG, {"name": "王"})])
        assert closed[0] is None
        assert closed[1] is not None
        assert await vault.find("id-number", "a") is None

    async def test_of_many_crowds_of_claimants_exactly_one_of_each_text_wins(self, vault: Vault) -> None:
        crowds = [[(f"t-{n}", f"p-{crowd}-{n}") for n in range(20)] for crowd in range(5)]
        answers = await asyncio.gather(*(claim_many(vault, "id-number", crowd) for crowd in crowds))
        assert all(len(set(holders)) == 1 for holders in zip(*answers, strict=True))

    async def test_a_document_comes_back_as_it_was(self, vault: Vault) -> None:
        kept = await vault.keep(LI, "portrait", PORTRAIT)
        assert await vault.fetch(LI, kept) == PORTRAIT
        assert await vault.fetch(LI, await vault.keep(LI, "empty", b"")) == b""

    async def test_the_same_document_has_the_same_reference_and_any_other_another(self, vault: Vault) -> None:
        same = {await vault.keep(LI, "portrait", PORTRAIT) for _ in range(3)}
        others = {
            await vault.keep(LI, "portrait", PORTRAIT[1:]),
            await vault.keep(LI, "evidence", PORTRAIT),
            await vault.keep(WANG, "portrait", PORTRAIT),
        }
        assert (len(same), len(others), same & others) == (1, 3, set())

    async def test_a_document_is_kept_from_everybody_else(self, vault: Vault) -> None:
        kept = await vault.keep(LI, "portrait", PORTRAIT)
        await vault.keep(WANG, "portrait", b"another face")
        with pytest.raises(Tampered):
            await vault.fetch(WANG, kept)
        with pytest.raises(Tampered):
            await vault.fetch(LI, "no such reference")

    async def test_an_erased_person_is_gone_for_good(self, vault: Vault) -> None:
        sealed, kept = await vault.seal(LI, "name", "李"), await vault.keep(LI, "portrait", PORTRAIT)
        await vault.claim("id-number", ID_NUMBER, LI)
        for _ in range(2):
            await vault.erase(LI)
            assert await vault.find("id-number", ID_NUMBER) is None
            for attempt in everything_about_li(vault, sealed, kept).values():
                with pytest.raises(Erased):
                    await attempt()

    async def test_an_erasure_touches_nobody_else(self, vault: Vault) -> None:
        sealed, kept = await vault.seal(WANG, "name", "王"), await vault.keep(WANG, "portrait", PORTRAIT)
        await vault.claim("phone", "13800138000", WANG)
        await vault.seal(LI, "name", "李")
        await vault.erase(LI)
        assert await vault.open(WANG, "name", sealed) == "王"
        assert await vault.fetch(WANG, kept) == PORTRAIT
        assert await vault.find("phone", "13800138000") == WANG

    async def test_what_the_erased_claimed_is_free_again(self, vault: Vault) -> None:
        await vault.claim("id-number", ID_NUMBER, LI)
        await vault.erase(LI)
        assert await vault.claim("id-number", ID_NUMBER, WANG) == WANG
        with pytest.raises(Erased):
            await vault.claim("id-number", ID_NUMBER, LI)

    async def test_who_is_erased_before_the_first_word_never_gets_a_key(self, vault: Vault) -> None:
        await vault.erase(LI)
        for attempt in everything_about_li(vault, Sealed(box="v1.none.none"), "no such reference").values():
            with pytest.raises(Erased):
                await attempt()


def everything_about_li(vault: Vault, sealed: Sealed, kept: str) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "open": lambda: vault.open(LI, "name", sealed),
        "seal": lambda: vault.seal(LI, "name", "李"),
        "claim": lambda: vault.claim("id-number", "another number", LI),
        "fetch": lambda: vault.fetch(LI, kept),
        "keep": lambda: vault.keep(LI, "portrait", PORTRAIT),
    }


class TestOnPostgres:
    async def test_another_process_opens_what_this_one_sealed(self, process: Callable[[], PostgresVault]) -> None:
        here, there = process(), process()
        sealed, kept = await here.seal(LI, "name", "李"), await here.keep(LI, "portrait", PORTRAIT)
        assert await there.open(LI, "name", sealed) == "李"
        assert await there.fetch(LI, kept) == PORTRAIT
        assert await there.keep(LI, "portrait", PORTRAIT) == kept

    async def test_processes_that_make_a_first_key_at_once_agree(self, process: Callable[[], PostgresVault]) -> None:
        processes = [process() for _ in range(8)]
        sealed = await asyncio.gather(*(one.seal(LI, "name", "李") for one in processes))
        assert {await processes[0].open(LI, "name", one) for one in sealed} == {"李"}

    async def test_a_minute_after_an_erasure_no_process_can_read(
        self, process: Callable[[], PostgresVault], clock: MachineClock
    ) -> None:
        here, there = process(), process()
        sealed = await here.seal(LI, "name", "李")
        clock.pass_(30)
        assert await there.open(LI, "name", sealed) == "李"
        await here.erase(LI)
        with pytest.raises(Erased):
            await here.open(LI, "name", sealed)
        clock.pass_(59.9)
        assert await there.open(LI, "name", sealed) == "李"  # From memory, for a last time:
        clock.pass_(0.1)  # looking at a key does not keep it.
        for attempt in everything_about_li(there, sealed, "").values():
            with pytest.raises(Erased):
                await attempt()

    @pytest.mark.parametrize("act", ["claim", "fetch", "keep"])
    async def test_what_touches_the_store_sees_an_erasure_at_once(
        self, process: Callable[[], PostgresVault], act: str
    ) -> None:
        here, there = process(), process()
        sealed, kept = await there.seal(LI, "name", "李"), await there.keep(LI, "portrait", PORTRAIT)
        await here.erase(LI)
        assert await there.open(LI, "name", sealed) == "李"  # Still in memory.
        with pytest.raises(Erased):
            await everything_about_li(there, sealed, kept)[act]()
        with pytest.raises(Erased):
            await there.open(LI, "name", sealed)

    async def test_nothing_is_written_behind_an_erasure(
        self, process: Callable[[], PostgresVault], pool: asyncpg.Pool, schema: str
    ) -> None:
        halfway = asyncio.Event()

        async def busily(vault: PostgresVault, name: str) -> None:
            for n in range(200):
                await vault.claim("phone", f"{name}-{n}", LI)
                await vault.keep(LI, f"{name}-{n}", b"evidence")
                if n == 10:
                    halfway.set()

        writers = [asyncio.create_task(busily(process(), f"w-{n}")) for n in range(4)]
        await halfway.wait()
        await process().erase(LI)
        assert {type(end) for end in await asyncio.gather(*writers, return_exceptions=True)} == {Erased}
        assert await self.rows(pool, schema) == (0, 0)

    async def test_a_contested_claim_survives_the_erasure_of_its_holders(
        self, process: Callable[[], PostgresVault]
    ) -> None:
        async def win_and_go(person: str) -> str | None:
            vault = process()
            try:
                holder = await vault.claim("id-number", ID_NUMBER, person)
            except Erased:
                return None
            await vault.erase(holder)
            return holder

        ends = await asyncio.gather(*(win_and_go(f"p-{n}") for n in range(12)))
        assert any(ends)
        assert await process().find("id-number", ID_NUMBER) is None

    async def test_an_erasure_deletes_the_rows_and_overwrites_the_key(
        self, process: Callable[[], PostgresVault], pool: asyncpg.Pool, schema: str, clock: MachineClock
    ) -> None:
        vault = process()
        await vault.keep(LI, "portrait", PORTRAIT)
        await vault.claim("id-number", ID_NUMBER, LI)
        assert await self.rows(pool, schema) == (1, 1)
        erased_at = clock.now()
        await vault.erase(LI)
        clock.pass_(1)
        await vault.erase(LI)
        assert await self.rows(pool, schema) == (0, 0)
        [tombstone] = await pool.fetch(f"select person, wrapped, erased_at from {schema}.data_key")
        assert tuple(tombstone) == (LI, None, erased_at)

    async def test_nothing_stands_in_clear(
        self, process: Callable[[], PostgresVault], pool: asyncpg.Pool, schema: str
    ) -> None:
        vault, canary = process(), b"canary-7f3a"
        await vault.seal(LI, "name", canary.decode())
        await vault.keep(LI, canary.decode(), canary)
        await vault.claim("id-number", canary.decode(), LI)
        for table in ("data_key", "claim", "document"):
            dump = str(await pool.fetch(f"select t::text from {schema}.{table} t"))
            for form in (canary.decode(), canary.hex(), urlsafe_b64encode(canary)[:12].decode()):
                assert form not in dump

    async def test_a_key_row_that_was_moved_to_another_person_is_noticed(
        self, process: Callable[[], PostgresVault], pool: asyncpg.Pool, schema: str
    ) -> None:
        sealed = await process().seal(LI, "name", "李")
        await process().seal(WANG, "name", "王")
        await pool.execute(
            f"update {schema}.data_key set wrapped = (select wrapped from {schema}.data_key where person = $1)", WANG
        )
        with pytest.raises(Tampered):
            await process().open(LI, "name", sealed)

    async def test_a_document_that_was_changed_is_noticed(
        self, process: Callable[[], PostgresVault], pool: asyncpg.Pool, schema: str
    ) -> None:
        kept = await process().keep(LI, "portrait", PORTRAIT)
        await pool.execute(f"update {schema}.document set content = set_byte(content, 500, 7)")
        await pool.execute(f"update {schema}.document set content = set_byte(content, 501, 7)")
        with pytest.raises(Tampered):
            await process().fetch(LI, kept)

    async def test_a_database_that_is_away_is_an_outage(self, dsn: str, schema: str, master: FileMasterKey) -> None:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
            pass  # And gone again.
        vault = PostgresVault(pool, schema, master=master, randomness=secrets.token_bytes, clock=MachineClock())
        attempts = everything_about_li(vault, Sealed(box=""), "") | {"erase": lambda: vault.erase(LI)}
        for attempt in attempts.values():
            with pytest.raises(Outage):
                await attempt()

    async def rows(self, pool: asyncpg.Pool, schema: str) -> tuple[int, int]:
        claims, documents = [await pool.fetchval(f"select count(*) from {schema}.{t}") for t in ("claim", "document")]
        return claims, documents


class TestKeysInMemory:
    async def test_a_key_that_was_being_loaded_while_it_was_erased_is_not_kept(self) -> None:
        cache, loads = KeyCache(MachineClock()), 0

        async def load(_person: str) -> Key:
            nonlocal loads
            loads += 1
            if loads == 1:
                cache.drop(LI)
            return Key(bytes(KEY_BYTES))

        for _ in range(3):
            await cache.get(LI, load)
        assert loads == 2

    async def test_only_so_many_are_kept_and_the_oldest_goes_first(self) -> None:
        cache, loaded = KeyCache(MachineClock(), keys_max=2), ""

        async def load(person: str) -> Key:
            nonlocal loaded
            loaded += person
            return Key(bytes(KEY_BYTES))

        for person in "abbcba":
            await cache.get(person, load)
        assert loaded == "abca"


class TestCrypto:
    KEY = Key(bytes(range(KEY_BYTES)))

    @given(names, names, st.text())
    def test_every_text_comes_back(self, person: str, field: str, text: str) -> None:
        assert unseal(self.KEY, person, field, seal(self.KEY, secrets.token_bytes, person, field, text)) == text

    @given(st.text(max_size=40), st.data())
    def test_any_flipped_bit_is_noticed(self, text: str, data: st.DataObject) -> None:
        box = bytearray(seal(self.KEY, secrets.token_bytes, LI, "name", text).box.encode())
        bit = data.draw(st.integers(0, 8 * len(box) - 1))
        box[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Tampered):
            unseal(self.KEY, LI, "name", Sealed(box=box.decode("latin-1")))

    @given(st.text(max_size=60))
    def test_whatever_is_no_envelope_is_noticed(self, box: str) -> None:
        for text in (box, f"v1.{self.KEY.id}.{box}"):
            with pytest.raises(Tampered):
                unseal(self.KEY, LI, "name", Sealed(box=text))

    @given(names, names, names, names)
    def test_an_envelope_cannot_be_moved(self, person: str, field: str, to_person: str, to_field: str) -> None:
        sealed = seal(self.KEY, secrets.token_bytes, person, field, "李")
        if (person, field) != (to_person, to_field):
            with pytest.raises(Tampered):
                unseal(self.KEY, to_person, to_field, sealed)

    @given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).filter(lambda secret: secret != bytes(range(KEY_BYTES))))
    def test_no_other_key_opens_finds_or_recognises(self, secret: bytes) -> None:
        other = Key(secret)
        with pytest.raises(Tampered):
            unseal(other, LI, "name", seal(self.KEY, secrets.token_bytes, LI, "name", "李"))
        assert reference(other, "portrait", PORTRAIT) != reference(self.KEY, "portrait", PORTRAIT)
        assert blind(other.derive("x"), ID_NUMBER) != blind(self.KEY.derive("x"), ID_NUMBER)

    def test_words_do_not_run_into_one_another(self) -> None:
        sealed = seal(self.KEY, secrets.token_bytes, "ab", "c", "李")
        with pytest.raises(Tampered):
            unseal(self.KEY, "a", "bc", sealed)

    def test_the_form_is_pinned_for_ever(self) -> None:
        """What was written years ago must open: these bytes may never need to change."""
        sealed = seal(self.KEY, bytes, LI, "name", "李小龙")
        assert sealed.box == "v1.a972e59deff6.AAAAAAAAAAAAAAAA3h-njhC2ZiU7x1T19iXRIf-Kd1y9a_1j2A"
        assert reference(self.KEY, "portrait", b"face") == "L7mDpwo6Fsau1GEI8EKlULwfWsXZanZtOkHss232vxI"


class TestMasterKeyFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "new" / "master.key"

    def key(self, path: Path) -> FileMasterKey:
        return FileMasterKey(path, randomness=secrets.token_bytes)

    def test_it_is_for_developers(self, path: Path) -> None:
        assert self.key(path).development_only

    def test_it_is_made_on_first_use_for_its_owner_alone(self, path: Path) -> None:
        self.key(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.listdir(path.parent) == ["master.key"]

    async def test_it_is_the_same_the_next_time(self, path: Path) -> None:
        wrapped = await self.key(path).wrap(LI, b"k" * KEY_BYTES)
        assert await self.key(path).unwrap(LI, wrapped) == b"k" * KEY_BYTES
        assert await self.key(path).index_key("phone") == await self.key(path).index_key("phone")

    async def test_processes_that_start_at_once_share_one_key(self, path: Path) -> None:
        keys = await asyncio.gather(*(asyncio.to_thread(self.key, path) for _ in range(16)))
        assert len({await key.index_key("phone") for key in keys}) == 1
        assert os.listdir(path.parent) == ["master.key"]

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
    def test_a_file_that_others_may_touch_is_refused(self, path: Path, mode: int) -> None:
        self.key(path)
        path.chmod(mode)
        with pytest.raises(MasterKeyUnfit, match=f"has mode {mode:04o}.*chmod 600"):
            self.key(path)
        path.chmod(0o600)
        self.key(path)

    @pytest.mark.parametrize("content", ["", "AAAA\n", "A" * 43, "not base64 at all!\n" * 2, "A" * 43 + "\nAAAA\n"])
    def test_a_damaged_file_is_refused(self, path: Path, content: str) -> None:
        path.parent.mkdir()
        path.touch(0o600)
        path.write_text(content)
        with pytest.raises(MasterKeyUnfit, match="Restore it"):
            self.key(path)

    async def test_a_wrapped_key_opens_for_its_person_only(self, path: Path) -> None:
        master = self.key(path)
        wrapped = await master.wrap(LI, b"k" * KEY_BYTES)
        with pytest.raises(Tampered):
            await master.unwrap(WANG, wrapped)

    async def test_kinds_have_different_index_keys(self, path: Path) -> None:
        master = self.key(path)
        assert await master.index_key("phone") != await master.index_key("id-number")

    async def test_after_a_rotation_new_wraps_use_the_new_version_and_old_ones_still_open(self, path: Path) -> None:
        master, elsewhere = self.key(path), self.key(path)
        old, index_key = await master.wrap(LI, b"o" * KEY_BYTES), await master.index_key("phone")
        master.rotate()
        new = await master.wrap(LI, b"n" * KEY_BYTES)
        assert old.split(".")[1] != new.split(".")[1]
        for one in (master, elsewhere, self.key(path)):
            assert await one.unwrap(LI, old) == b"o" * KEY_BYTES
            assert await one.unwrap(LI, new) == b"n" * KEY_BYTES
            assert await one.index_key("phone") == index_key

    async def test_a_version_that_is_not_at_hand_is_an_outage_and_no_accusation(self, path: Path) -> None:
        wrapped = await self.key(path).wrap(LI, b"k" * KEY_BYTES)
        path.unlink()
        with pytest.raises(Outage, match="restore the file"):
            await self.key(path).unwrap(LI, wrapped)
