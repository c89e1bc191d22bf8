"""Of several processes one reaches into the world outside at a time, and a dead one is waited for, not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from libs.eventsourcing.store import DueCommand
from libs.kernel import OutcomeUnknown
from libs.runtime import service
from libs.runtime.lease import DDL, LEASE_S, WORK_MAX_S, Leases, MemoryLeases, PostgresLeases
from libs.runtime.service import Timer
from tests.libs.runtime.test_timer import SendWord, Town

Process = Callable[[str], Leases]
Pass = Callable[[float], Awaitable[None]]


@pytest.fixture(params=["memory", "postgres"])
async def shared(request: pytest.FixtureRequest, pool: asyncpg.Pool) -> tuple[Process, Pass]:
    """Processes that share leases, and a way to let machine time pass."""
    if request.param == "memory":
        now, held = [0.0], dict[str, tuple[str, float]]()

        async def pass_(seconds: float) -> None:
            now[0] += seconds

        return lambda name: MemoryLeases(lambda: now[0], name, held), pass_
    await pool.execute("create schema if not exists platform")
    await pool.execute(DDL)
    await pool.execute("truncate platform.lease")

    async def age(seconds: float) -> None:
        await pool.execute("update platform.lease set until = until - make_interval(secs => $1)", seconds)

    return lambda name: PostgresLeases(pool, name), age


async def test_one_holds_it_until_it_is_given_back(shared: tuple[Process, Pass]) -> None:
    process, _ = shared
    a, b = process("a"), process("b")
    assert await a.take("letter", 60)
    assert not await b.take("letter", 60)
    assert await b.take("another letter", 60)
    assert await a.take("letter", 60), "it is its own already"
    await b.give_back("letter")
    assert not await b.take("letter", 60), "nobody gives back what is another's"
    await a.give_back("letter")
    assert await b.take("letter", 60)


async def test_the_lease_of_a_dead_process_runs_out(shared: tuple[Process, Pass]) -> None:
    process, pass_ = shared
    dead, heir = process("dead"), process("heir")
    assert await dead.take("letter", 60)
    await pass_(59)
    assert not await heir.take("letter", 60)
    await pass_(2)
    assert await heir.take("letter", 60)
    assert not await dead.take("letter", 60)


async def test_of_many_that_reach_at_once_one_gets_it(shared: tuple[Process, Pass]) -> None:
    process, _ = shared
    got = await asyncio.gather(*(process(f"process {nth}").take("letter", 60) for nth in range(20)))
    assert got.count(True) == 1


class SlowCourier:
    """Stands at a door for a while; notes how many stand there together."""

    def __init__(self) -> None:
        self.open, self.there, self.most, self.visits = asyncio.Event(), 0, 0, 0

    async def __call__(self, _wanted: SendWord, _due: DueCommand) -> None:
        self.visits += 1
        self.there += 1
        self.most = max(self.most, self.there)
        try:
            await self.open.wait()
        finally:
            self.there -= 1


async def two_timers(shared: tuple[Process, Pass]) -> tuple[Town, SlowCourier, Timer, Timer]:
    town, courier = Town(), SlowCourier()
    town.courier = courier  # type: ignore[assignment]
    town.__post_init__()
    process, _ = shared
    timers = [Timer(town.service, town.city, lambda: town.monotonic_s, process(name)) for name in ("one", "two")]
    await town.remember("li", kind=SendWord)
    return town, courier, *timers  # type: ignore[return-value]


async def test_two_processes_never_carry_one_command_at_the_same_instant(shared: tuple[Process, Pass]) -> None:
    town, courier, one, two = await two_timers(shared)
    first = asyncio.create_task(one.step())
    while not courier.there:
        await asyncio.sleep(0.001)
    assert await two.step() == 0
    assert await town.store.next_due() is not None, "who did not get it does not strike it off either"
    courier.open.set()
    assert await first == 1
    town.monotonic_s += 2
    assert await two.step() == 0
    assert (courier.visits, courier.most) == (1, 1)


async def test_when_its_holder_dies_another_carries_it_after_the_lease(shared: tuple[Process, Pass]) -> None:
    town, courier, one, two = await two_timers(shared)
    assert await one._leases.take(f"{town.service.name}/{(await town.store.due(town.city.now(), 1))[0].id}", LEASE_S)
    courier.open.set()
    assert await two.step() == 0
    await shared[1](LEASE_S + 1)
    town.monotonic_s += LEASE_S + 1
    assert await two.step() == 1
    assert courier.visits == 1


async def test_nobody_works_on_until_the_lease_has_run_out(
    shared: tuple[Process, Pass], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WORK_MAX_S < LEASE_S
    monkeypatch.setattr(service, "WORK_MAX_S", 0.5)
    town, courier, one, two = await two_timers(shared)
    with pytest.raises(OutcomeUnknown, match="longer than"):
        await one.step()
    assert courier.there == 0, "it was called back from the door"
    courier.open.set()
    assert await two.step() == 1, "and gave its lease back"
    assert await town.store.next_due() is None
