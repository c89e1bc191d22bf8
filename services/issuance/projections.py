"""What issuance remembers: who is next in production, how far an application is, what happened to a card."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text

from libs.kernel.ids import city_of
from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.readmodel import Add, Cap, Change, Drop, Put, Row, Rows
from services.identity.contracts import PersonCorrected, PersonErased, PersonRegistered
from services.ids import ApplicationId, CardId, HoldingId, PersonId
from services.issuance.contracts import (
    ApplicationAccepted,
    ApplicationRejected,
    ApplicationSubmitted,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    CardApproved,
    CardArrived,
    CardCancelled,
    CardHandedOver,
    CardMailed,
    CardProduced,
    CardReserved,
    CardSentOn,
    CardSpoiled,
    CardUnclaimed,
    CardWaiting,
    NewCardDeclined,
    ReviewAsked,
    ReviewPassed,
    SupplementAsked,
)
from services.issuance.domain.usability import Stop
from services.issuance.publishing import receipt_hash
from services.loss.contracts import CardStopped, CardWoken

metadata = MetaData()

# Cards that are wanted, and whether they wait for a production batch; one that is spoiled waits again.
queue = Table(
    "queue",
    metadata,
    Column("holding_id", Text, primary_key=True),
    Column("application_id", Text),
    Column("programme", Text),
    Column("outlet", Text),
    Column("since", DateTime(timezone=True)),
    Column("waiting", Boolean),
)

# How far each application is, found by the hash of its receipt number.
progress = Table(
    "progress",
    metadata,
    Column("application_id", Text, primary_key=True),
    Column("receipt_hash", Text, index=True),
    Column("status", Text),
    Column("since", DateTime(timezone=True)),
    Column("promised_by", DateTime(timezone=True)),
    Column("outlet", Text),
    Column("reason", Text),
)

# What the loss desk has said about each function of a card; a report's rows bear its number.
stop = Table(
    "stop",
    metadata,
    Column("card_id", Text, primary_key=True),
    Column("function", Text, primary_key=True),
    Column("report", Integer, primary_key=True),
    Column("from_at", DateTime(timezone=True)),
    Column("until", DateTime(timezone=True)),
)

# Applications that nobody has answered yet, or whose card is still on its way; and by when it was promised.
open_application = Table(
    "open_application",
    metadata,
    Column("application_id", Text, primary_key=True),
    Column("city", Text),
    Column("holding_id", Text, index=True),
    Column("programme", Text),
    Column("outlet", Text),
    Column("status", Text),
    Column("waits_for", Text),
    Column("promised_by", DateTime(timezone=True)),
    Column("due_by", DateTime(timezone=True)),
)

# When each person was born, in an envelope; empty of those whose birthday was never told.
person = Table(
    "person",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("birth", Text),
)

# Everything that was told about a holding, by anybody.
timeline = Table(
    "timeline",
    metadata,
    Column("id", Text, primary_key=True),
    Column("holding_id", Text, index=True),
    Column("at", DateTime(timezone=True)),
    Column("order", Text),
    Column("service", Text),
    Column("what", Text),
    Column("channel", Text),
    Column("actor", Text),
    Column("details", Text),
)


def project(told: Contract, message: Message) -> Iterator[Change]:
    """The changes that one message makes."""
    yield from _timeline(told, message)
    yield from _progress(told)
    yield from _open_applications(told)
    match told:
        case PersonRegistered() | PersonCorrected():
            yield Put(person, {"person_id": told.person_id, "birth": told.birth})
        case PersonErased():
            yield Put(person, {"person_id": told.person_id, "birth": ""})
        case CardApproved():
            yield Put(
                queue,
                {
                    "holding_id": told.holding_id,
                    "application_id": told.application_id,
                    "programme": told.programme,
                    "outlet": told.outlet,
                    "since": told.at,
                    "waiting": True,
                },
            )
        case CardReserved():
            yield Put(queue, {"holding_id": told.holding_id, "waiting": False})
        case CardSpoiled():
            yield Put(queue, {"holding_id": told.holding_id, "waiting": True})
        case NewCardDeclined():  # An application that came second leaves the first one's card in the queue.
            yield Drop(queue, {"holding_id": told.holding_id, "application_id": told.application_id})
        case CardHandedOver() | CardUnclaimed() | CardCancelled():
            yield Drop(queue, {"holding_id": told.holding_id})
        case CardStopped():
            card = {"card_id": told.card_id}
            for one in told.functions:  # What was said of them before is replaced.
                yield Cap(stop, card | {"function": one.function}, "until", told.at)
            for one in told.functions:
                row = card | {"function": one.function, "report": message.version}
                yield Put(stop, row | {"from_at": one.from_at, "until": told.until})
        case CardWoken():
            woken = [{"function": function} for function in told.functions] or [{}]
            for those in woken:
                yield Cap(stop, {"card_id": told.card_id} | those, "until", told.at)
            for cools in told.cooling:
                row = {"card_id": told.card_id, "function": cools.function}
                yield Put(stop, row | {"report": message.version, "from_at": told.at, "until": cools.from_at})


def _progress(told: Contract) -> Iterator[Change]:
    """What the public enquiry answers; a reissue has no application and no row."""
    application = vars(told).get("application_id")
    if application is None:
        return
    row: dict[str, object] = {"application_id": application}
    match told:
        case ApplicationSubmitted():
            row |= {"status": "submitted", "receipt_hash": told.receipt_hash, "outlet": told.outlet, "reason": ""}
        case SupplementAsked():
            row |= {"status": "supplement_needed", "reason": told.reason}
        case ApplicationSupplemented():
            row |= {"status": "submitted", "reason": ""}
        case ApplicationAccepted():
            row |= {"status": "accepted", "promised_by": told.promised_by}
        case ReviewAsked():
            row |= {"status": "reviewing"}
        case ReviewPassed():
            row |= {"status": "accepted"}
        case ApplicationRejected():
            row |= {"status": "rejected", "reason": told.reason}
        case ApplicationWithdrawn():
            row |= {"status": "withdrawn", "reason": told.reason}
        case CardWaiting():
            row |= {"status": "waiting_for_eligibility"}
        case CardApproved():
            row |= {"status": "approved"}
        case NewCardDeclined():
            row |= {"status": "declined", "reason": told.reason}
        case CardReserved():
            row |= {"status": "in_production"}
        case CardSpoiled():
            row |= {"status": "being_made_again"}
        case CardProduced():
            row |= {"status": "produced"}
        case CardArrived():
            row |= {"status": "ready_for_collection", "outlet": told.outlet}
        case CardSentOn():
            row |= {"status": "ready_for_collection", "outlet": told.outlet}
        case CardMailed():
            row |= {"status": "mailed"}
        case CardUnclaimed():
            row |= {"status": "unclaimed"}
        case CardHandedOver():
            row |= {"status": "collected"}
        case _:
            return
    yield Put(progress, row | {"since": told.at})


_OVER = (ApplicationRejected, ApplicationWithdrawn, NewCardDeclined, CardUnclaimed, CardHandedOver)


def _open_applications(told: Contract) -> Iterator[Change]:
    """What somebody still waits for, and until when she should have to."""
    application = vars(told).get("application_id")
    if application is None:
        return
    row: dict[str, object] = {"application_id": application}
    match told:
        case ApplicationSubmitted():
            row |= {
                "city": city_of(told.holding_id),
                "holding_id": told.holding_id,
                "programme": told.programme,
                "outlet": told.outlet,
                "status": "submitted",
                "waits_for": "",
            }
        case SupplementAsked():
            row |= {"status": "supplement_needed", "waits_for": "applicant"}
        case ApplicationSupplemented():
            row |= {"status": "submitted", "waits_for": ""}
        case ApplicationAccepted():
            row |= {"status": "accepted", "promised_by": told.promised_by, "due_by": told.promised_by}
        case ReviewAsked():
            row |= {"status": "reviewing", "waits_for": told.authority, "due_by": told.review_by}
        case ReviewPassed():
            row |= {"status": "accepted", "waits_for": ""}
        case CardWaiting():
            row |= {"status": "waiting_for_eligibility", "waits_for": "identity"}
        case CardApproved():
            row |= {"status": "approved", "waits_for": ""}
        case CardArrived():  # The promise is kept; whoever does not come is no concern of the promise.
            yield Drop(open_application, row)
            return
        case _ if isinstance(told, _OVER):
            yield Drop(open_application, row)
            return
        case _:
            return
    yield Put(open_application, row)


def _timeline(told: Contract, message: Message) -> Iterator[Change]:
    holding = vars(told).get("holding_id")
    if holding is None:
        return
    who, (service, shard, sequence) = message.told_by(), message.place
    at = getattr(told, "at", message.time)
    yield Add(
        timeline,
        {
            "id": message.id,
            "holding_id": holding,
            "at": at,
            "order": f"{_sortable(at)}/{service}/{shard:02}/{sequence:012}",
            "service": service,
            "what": type(told).__name__,
            "channel": who.get("channel", ""),
            "actor": who.get("actor", ""),
            "details": message.data,
        },
    )


def _sortable(at: datetime) -> str:
    """A moment to the microsecond, in digits; `strftime` says the same at half as much again, for every event."""
    return f"{at.year:04}{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02}{at.microsecond:06}"


class IssuanceQuestions:
    """What can be asked of these read models."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def next_in_production(self, programme: str, outlet: str, most: int) -> Sequence[HoldingId]:
        """Who has waited longest for a card at this outlet."""
        rows = await self._rows.many(queue, "since", most, programme=programme, outlet=outlet, waiting=True)
        return [HoldingId(row["holding_id"]) for row in rows]

    async def progress_of(self, receipt: str) -> Row | None:
        """How far the application with this receipt number is; None for a number that was never given out."""
        return await self._rows.one(progress, receipt_hash=receipt_hash(receipt))

    async def open_applications_of(self, holding_id: HoldingId) -> Sequence[ApplicationId]:
        """Applications of this holding that nobody has answered for good, as far as was heard."""
        rows = await self._rows.many(open_application, "application_id", 20, holding_id=holding_id)
        return [ApplicationId(row["application_id"]) for row in rows]

    async def longest_promised(self, city: str, outlet: str, most: int) -> Sequence[Row]:
        """Open applications of a city, or of one outlet of it, those first whose promise runs out first."""
        if outlet:
            return await self._rows.many(open_application, "due_by", most, city=city, outlet=outlet)
        return await self._rows.many(open_application, "due_by", most, city=city)

    async def birth_of(self, person_id: PersonId) -> str | None:
        """The envelope with a person's birthday; empty if it was never told, None if the person was not."""
        row = await self._rows.one(person, person_id=person_id)
        return None if row is None else row["birth"] or ""

    async def stops_of(self, card_id: CardId) -> Sequence[Stop]:
        """Every stretch in which the loss desk has stopped a function of this card."""
        rows = await self._rows.many(stop, "from_at", 1_000, card_id=card_id)
        return [Stop(function=row["function"], from_=row["from_at"], until=row["until"]) for row in rows]

    async def timeline_of(self, holding_id: HoldingId, most: int = 1_000) -> Sequence[Row]:
        """All that was told about a holding, oldest first."""
        return await self._rows.many(timeline, "order", most, holding_id=holding_id)
