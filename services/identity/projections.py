"""What identity remembers: departments' deliveries, how good a feed is, who has a card, who may be there twice."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text

from libs.kernel.ids import city_of
from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.readmodel import Change, Put, Row, Rows
from services.identity.contracts import (
    DuplicateFound,
    DuplicateSettled,
    RecordsAnnounced,
    RecordSettled,
    RecordsTaken,
)
from services.ids import CaseId, HoldingId
from services.issuance.contracts import (
    CardActivated,
    CardApproved,
    CardCancelled,
    CardReplaced,
    CardUnclaimed,
    CardWaiting,
    NewCardDeclined,
)

metadata = MetaData()
LAST = 30
"""A feed is judged by this many of its last deliveries."""

delivery = Table(
    "delivery",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("city", Text),
    Column("department", Text),
    Column("name", Text),
    Column("at", DateTime(timezone=True)),
    Column("received", Integer, default=0),
    Column("faulty", Integer, default=0),
    Column("waiting", Integer, default=0),
    Column("announced", Integer),
    Column("highest", Integer, default=0),
)

# Which holdings have a card, and which one on its way; two persons who both have cannot be merged.
held = Table(
    "held",
    metadata,
    Column("holding_id", Text, primary_key=True),
    Column("card_id", Text),
    Column("coming", Boolean),
)

HEARS = (
    CardWaiting, CardApproved, CardActivated, CardReplaced, CardCancelled, CardUnclaimed, NewCardDeclined,
)  # fmt: skip
REMEMBERS = (RecordsTaken, RecordsAnnounced, RecordSettled, DuplicateFound, DuplicateSettled, *HEARS)


# Whom the register may know otherwise; `ruling` is empty while the case waits for a clerk.
suspect = Table(
    "suspect",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("city", Text),
    Column("roll_id", Text),
    Column("why", Text),
    Column("since", DateTime(timezone=True)),
    Column("ruling", Text, default=""),
)


def project(told: Contract, _message: Message) -> Iterator[Change]:
    """The changes that one message makes."""
    match told:
        case RecordsTaken():
            named = told.model_dump(include={"delivery_id", "city", "department", "name"})
            count = {"received": told.received, "faulty": told.faulty, "waiting": told.waiting, "at": told.at}
            yield Put(delivery, named | count | {"highest": told.highest})
        case RecordsAnnounced():
            named = told.model_dump(include={"delivery_id", "city", "department", "name", "announced"})
            yield Put(delivery, named | {"at": told.at})
        case RecordSettled():
            yield Put(delivery, {"delivery_id": told.delivery_id, "waiting": told.waiting})
        case CardWaiting() | CardApproved():
            yield Put(held, {"holding_id": told.holding_id, "coming": True})
        case CardActivated() | CardReplaced():
            yield Put(held, {"holding_id": told.holding_id, "card_id": told.card_id, "coming": False})
        case CardCancelled():
            yield Put(held, {"holding_id": told.holding_id, "card_id": "", "coming": False})
        case CardUnclaimed() | NewCardDeclined():
            yield Put(held, {"holding_id": told.holding_id, "coming": False})
        case DuplicateFound():
            found = {"city": city_of(told.case_id), "roll_id": told.roll_id, "why": told.why, "since": told.at}
            yield Put(suspect, {"case_id": told.case_id} | found)
        case DuplicateSettled():
            yield Put(suspect, {"case_id": told.case_id, "ruling": told.ruling})


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a feed is (Hangzhou measures, Article 5: promptly, accurately, completely), by its last deliveries.

    `expected` is how many records were announced, or lie before one that came; `uncounted` of `deliveries` are those of
    which nobody has said how many records they have.
    """

    last_at: datetime | None
    received: int
    faulty: int
    expected: int
    deliveries: int
    uncounted: int

    @property
    def fault_share(self) -> float:
        return self.faulty / self.received if self.received else 0.0

    @property
    def completeness(self) -> float:
        """How much has come of what is known to exist; what nobody has counted or numbered counts as whole."""
        return self.received / self.expected if self.expected else 1.0

    @property
    def uncounted_share(self) -> float:
        return self.uncounted / self.deliveries if self.deliveries else 0.0


class IdentityQuestions:
    """What the read models of identity answer."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def deliveries(self, city: str, department: str, limit: int = LAST) -> list[Row]:
        """The last deliveries of a department, the newest first."""
        found = await self._rows.many(
            delivery, order_by="at", descending=True, limit=limit, city=city, department=department
        )
        return list(found)

    async def card_of(self, holdings: Iterable[HoldingId]) -> str:
        """The card that one of these holdings has, or the holding that has one on its way; empty if none has."""
        for holding in holdings:
            row = await self._rows.one(held, holding_id=holding)
            if row is not None and (row["card_id"] or row["coming"]):
                return str(row["card_id"] or holding)
        return ""

    async def suspects(self, city: str, ruling: str, most: int) -> list[CaseId]:
        """Cases of all rolls of a city that were settled in this way, or wait for a clerk (""); the oldest first."""
        found = await self._rows.many(suspect, order_by="since", limit=most, city=city, ruling=ruling)
        return [CaseId(one["case_id"]) for one in found]

    async def quality(self, city: str, department: str, counted_by: datetime) -> Quality:
        """How good a feed is; a delivery that had its last record before `counted_by` should have been counted."""
        last = await self.deliveries(city, department)
        received = [one["received"] or 0 for one in last]
        return Quality(
            last_at=last[0]["at"] if last else None,
            received=sum(received),
            faulty=sum(one["faulty"] or 0 for one in last),
            expected=sum(
                max(one["announced"] or 0, one["highest"] or 0, came) for one, came in zip(last, received, strict=True)
            ),
            deliveries=len(last),
            uncounted=sum(one["announced"] is None and one["at"] < counted_by for one in last),
        )
