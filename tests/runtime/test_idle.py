"""A house with nothing to do keeps little: few connections, and none that remembers the laying of the tables."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from libs.messaging.memory import out_of_step
from libs.runtime.cli import SERVICES
from libs.runtime.engines import engine_to, hang_up, pool_to

PERIODS = st.floats(0.001, 3_600)


@given(PERIODS, st.text())
def test_nobody_waits_longer_than_the_period_nor_much_shorter(period_s: float, who: str) -> None:
    assert 0.79 * period_s < out_of_step(period_s, who) <= period_s


def test_no_two_services_look_about_in_step() -> None:
    assert len({out_of_step(0.1, service) for service in SERVICES}) == len(SERVICES)


async def test_the_connections_that_laid_the_tables_are_closed_before_the_work_begins(dsn: str) -> None:
    engine = engine_to(dsn)
    try:
        async with pool_to(dsn) as pool:

            async def callers() -> set[int]:
                async with engine.connect() as rows:
                    derived = await rows.scalar(text("select pg_backend_pid()"))
                return {derived, await pool.fetchval("select pg_backend_pid()")}

            before = await callers()

            await hang_up(pool, engine)

            assert before.isdisjoint(await callers())
    finally:
        await engine.dispose()
