"""The ramp of identity: what departments deliver, what was put aside of it, and how good their feeds are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from libs.eventsourcing.desk import Desk
from libs.kernel.clocks import Clock
from libs.kernel.ids import city_of
from libs.vault.port import Erased
from libs.web.access import allowed
from libs.web.bodies import Body, Text
from libs.web.call import Call
from libs.web.problems import refusals
from services.identity.adapters.bylaws import CityNotServed
from services.identity.adapters.intake import (
    ROWS_MAX,
    Agreements,
    Batch,
    DeliveryName,
    Intake,
    RecordTooLong,
    RecordUnreadable,
    topic_of,
)
from services.identity.domain.decider import DataErased, FactNotYours, PersonUnknown, ValidityReversed
from services.identity.domain.delivery.decider import DeliveryUnknown, RecordNotAside
from services.identity.domain.delivery.events import Settled
from services.identity.domain.delivery.state import Delivery
from services.identity.projections import IdentityQuestions
from services.identity.routes.people import DOCUMENT_REFUSALS
from services.ids import IdMistyped, known

RECORDS_MAX = 1_000
DeliveryPath = Annotated[str, Path(description="The delivery, for example `330900-4K7MZQ0V5T8WX2N3`.")]


class DeliveryBody(Body):
    """Records of a delivery; one with many records comes in several requests, in any order."""

    name: DeliveryName
    """What you call this delivery, for example `2026-11-26`."""
    records: Annotated[list[Any], Field(max_length=RECORDS_MAX)]
    """Facts as in `POST /v1/facts`. Each is judged alone; a faulty one is put aside."""
    first_row: Annotated[int, Field(ge=1, le=ROWS_MAX)] = 1
    """The number of the first of these records within the delivery."""
    announced: Annotated[int, Field(ge=0, le=ROWS_MAX)] | None = None
    """How many records the delivery has in all, so that a missing one is noticed."""


class SettlementBody(Body):
    """What is to become of a record that was put aside."""

    row: Annotated[int, Field(ge=1)]
    try_again: bool
    """Whether to take it in again, now that the cause is mended; otherwise it is discarded."""
    reason: Text


class AsideView(BaseModel):
    """A record that was put aside, and what is wrong with it. What stands in it is not shown."""

    row: int
    code: str
    detail: str


class DeliveryView(BaseModel):
    """How far a delivery has come."""

    delivery_id: str
    department: str
    name: str
    received: int
    announced: int | None
    missing: int
    """How many records have not come of those that were announced, or that lie before one that came."""
    faulty: int
    aside: list[AsideView]
    """The faulty records that nobody has settled yet."""


class FeedView(BaseModel):
    """How good a department's feed is: prompt, accurate and complete, by its last 30 deliveries."""

    department: str
    topic: str
    """Where the department may put closed records, if it does not send them here."""
    last_at: datetime | None
    late: bool
    due_every_hours: int
    fault_share: float
    faults_max: float
    completeness: float
    """Which share has come of the records that were announced, or that lie before one that came."""
    uncounted: int
    """Of how many of these deliveries it was never said how many records they have, though the next one was due."""
    counted: bool
    """Whether the department has agreed to say so."""


def deliveries(
    routes: APIRouter,
    desk: Desk[Delivery],
    intake: Intake,
    agreements: Agreements,
    questions: IdentityQuestions,
    city: Clock,
) -> None:
    @routes.post(
        "/v1/deliveries",
        status_code=201,
        responses=refusals(CityNotServed),
        dependencies=[allowed("identity:deliver")],
    )
    async def deliver_records(said: DeliveryBody, call: Call) -> DeliveryView:
        """Deliver facts about many people at once, free of charge (Hangzhou measures, Article 5).

        Each record is judged alone: a faulty one is put aside with the reason and stops no other. A row that comes
        again is not counted again.
        """
        caller = call.caller
        batch = Batch(caller.city, caller.department, said.name, said.first_row, said.records, said.announced)
        order = call.order(desk, city=caller.city, correlation=batch.delivery_id)
        return view((await intake.take(batch, order)).state)

    @routes.get(
        "/v1/deliveries/{delivery_id}",
        responses=refusals(IdMistyped, DeliveryUnknown),
        dependencies=[allowed("identity:see-delivery")],
    )
    async def how_far_is_a_delivery(delivery_id: DeliveryPath, call: Call) -> DeliveryView:
        """How many records came, how many are missing, and which were put aside and why."""
        return view((await call.see(desk, known(delivery_id), city=city_of(delivery_id))).state)

    @routes.post(
        "/v1/deliveries/{delivery_id}/settlements",
        status_code=201,
        responses=refusals(
            IdMistyped, DeliveryUnknown, RecordNotAside, RecordUnreadable, RecordTooLong, *DOCUMENT_REFUSALS,
            PersonUnknown, DataErased, FactNotYours, ValidityReversed,
        ),
        dependencies=[allowed("identity:settle-record")],
    )  # fmt: skip
    async def settle_a_record(delivery_id: DeliveryPath, said: SettlementBody, call: Call) -> DeliveryView:
        """Take in a record that was put aside, now that its cause is mended, or discard it."""
        where = city_of(known(delivery_id))
        delivery = (await call.see(desk, delivery_id, city=where)).state
        order = call.order(desk, city=where, reason=said.reason, correlation=delivery_id)
        if not delivery.delivery_id:
            raise DeliveryUnknown
        if not said.try_again:
            receipt = await intake.settle(delivery, said.row, Settled.DISCARDED, said.reason, order)
            return view(receipt.state)
        try:
            return view((await intake.try_again(delivery, said.row, said.reason, order)).state)
        except Erased:
            raise DataErased from None

    @routes.get("/v1/feeds", dependencies=[allowed("identity:see-delivery")])
    async def how_good_are_the_feeds(call: Call) -> list[FeedView]:
        """Every department's feed in your city: whether it is late, how much of it is faulty, how much is missing.

        A department sees its own.
        """
        at, own = city.now(), call.caller.department
        agreed = agreements.at(call.caller.city, at)
        views = []
        for department in [name for name in agreed if not own or name == own]:
            terms = agreed[department]
            quality = await questions.quality(call.caller.city, department, terms.counted_by(at))
            age_s = (at - quality.last_at).total_seconds() if quality.last_at else float("inf")
            views.append(
                FeedView(
                    department=department,
                    topic=topic_of(department),
                    last_at=quality.last_at,
                    late=age_s > terms.due_every_hours * 3600,
                    due_every_hours=terms.due_every_hours,
                    fault_share=round(quality.fault_share, 4),
                    faults_max=terms.faults_max,
                    completeness=round(quality.completeness, 4),
                    uncounted=quality.uncounted,
                    counted=terms.counted,
                )
            )
        return views


def view(delivery: Delivery) -> DeliveryView:
    """Raises DeliveryUnknown."""
    if not delivery.delivery_id:
        raise DeliveryUnknown
    return DeliveryView(
        delivery_id=delivery.delivery_id,
        department=delivery.department,
        name=delivery.name,
        received=delivery.received,
        announced=delivery.announced,
        missing=delivery.missing,
        faulty=delivery.count.faulty,
        aside=[AsideView(row=one.row, code=one.code, detail=one.detail) for one in _in_order(delivery)],
    )


def _in_order(delivery: Delivery) -> Sequence[Any]:
    return [delivery.aside[row] for row in sorted(delivery.aside)]
