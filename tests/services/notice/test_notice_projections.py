"""Who holds what, how she is reached, and which notices there are – in memory and in PostgreSQL alike."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

from libs.kernel import Sealed
from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.readmodel import Change, PostgresRows, write
from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.runtime.migrations import upgrade
from services.identity.contracts import ContactGiven, PersonErased
from services.issuance.contracts import CardActivated, CardApproved
from services.notice.adapters.contacts import KnownContacts
from services.notice.ports import Contact
from services.notice.projections import CONTACT, HOLDER, NOTICE, projection
from services.notice.reactions import WHENEVER
from tests.services.notice.town import CARD, HOLDING, LI, MORNING, City, applied, arrived, stopped

project = projection(WHENEVER)
given = ContactGiven(person_id=LI, mobile="v1.k.first", language="zh", at=MORNING)
given_anew = ContactGiven(person_id=LI, mobile="v1.k.second", language="en", at=MORNING + timedelta(days=1))
erased = PersonErased(person_id=LI, at=MORNING + timedelta(days=2))
approved = CardApproved(
    holding_id=HOLDING, person_id=LI, programme="citizen-card", outlet="zs-hall", kind="first", at=MORNING
)
activated = CardActivated(
    holding_id=HOLDING, person_id=LI, card_id=CARD, programme="citizen-card", valid_to=MORNING, at=MORNING
)


def changes(*told: Contract) -> list[Change]:
    message = Message("issuance/1/1", "", "", "", 1, MORNING, HOLDING, "")
    return [change for one in told for change in project(one, message)]


async def test_whoever_applies_or_holds_a_card_is_known_as_its_holder(city: City) -> None:
    for told in (applied, approved, activated):
        city.rows.write(changes(told))
        assert await city.rows.one(HOLDER, holding_id=HOLDING) == {
            "holding_id": HOLDING, "person_id": LI, "programme": "citizen-card",
        }  # fmt: skip


async def test_the_latest_contact_holds_until_its_person_is_erased(city: City) -> None:
    contacts = KnownContacts(city.rows, city.vault)
    city.rows.write(changes(applied))
    assert await contacts.of(HOLDING) is None
    city.rows.write(changes(given, given_anew))
    assert await contacts.of(HOLDING) == Contact(
        person_id=LI, mobile=Sealed(box="v1.k.second"), language="en", programme="citizen-card"
    )
    city.rows.write(changes(erased))
    assert await contacts.of(HOLDING) is None


async def test_every_step_that_is_told_is_listed_once(city: City) -> None:
    city.rows.write(changes(arrived, stopped, arrived, applied))
    listed = await city.rows.many(NOTICE, order_by="at", holding_id=HOLDING)
    assert sorted(row["notice_id"] for row in listed) == sorted(
        command.notice_id for told in (arrived, stopped) for command in WHENEVER[type(told)](told)
    )


async def test_the_migrations_make_the_tables_that_the_projections_fill() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        async with EmbeddedPostgres(Path(folder) / "pg") as dsn:
            engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
            await upgrade(engine, ["notice"])
            await upgrade(engine, ["notice"])
            translated = engine.execution_options(schema_translate_map={None: "notice"})
            async with translated.begin() as connection:
                await write(connection, changes(applied, given, given_anew, arrived, stopped, arrived))
            rows = PostgresRows(engine, "notice")
            assert (await rows.one(CONTACT, person_id=LI) or {})["mobile_box"] == "v1.k.second"
            newest, *rest = await rows.many(NOTICE, order_by="at", descending=True, holding_id=HOLDING)
            assert newest["at"] == datetime(2026, 10, 8, 1, tzinfo=UTC)
            assert len(rest) == 1
            await engine.dispose()
