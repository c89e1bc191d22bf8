"""The production desk: batches, the vendor's files, and the counting in."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import BatchId, IdMistyped, batch_id, known
from services.issuance.adapters import return_files
from services.issuance.adapters.bylaws import OutletUnknown, ProgrammeUnknown
from services.issuance.adapters.return_files import ReturnFileUnreadable
from services.issuance.domain.batch import decider as plastic
from services.issuance.domain.batch.commands import DispatchBatch, ReadReturn, ReceiveBatch, SendBatch
from services.issuance.domain.batch.state import Batch, Stage
from services.issuance.domain.series.commands import TakeNumbers
from services.issuance.domain.series.decider import BatchTooLarge, NothingToProduce, NumbersExhausted
from services.issuance.routes.bodies import BatchBody, BatchPath, CountBody, NothingToAdd, ReturnBody
from services.issuance.routes.hands import Hands
from services.issuance.views import BatchView, DrawnView


def production(routes: APIRouter, hands: Hands) -> None:
    """Open the production desk."""
    bylaws, batches, series = hands.bylaws, hands.desks["batch"], hands.desks["series"]

    @routes.post(
        "/v1/batches",
        status_code=201,
        responses=refusals(ProgrammeUnknown, OutletUnknown, NothingToProduce, NumbersExhausted, BatchTooLarge),
        dependencies=[allowed("issuance:produce")],
    )
    async def draw_a_batch(said: BatchBody, call: Call) -> DrawnView:
        """Put those who have waited longest for a card at this outlet into a production batch."""
        here = call.caller.city
        number_series = bylaws.series(here, said.programme)
        bylaws.outlet(here, said.outlet)
        batch = batch_id(here, call.command_id)
        waiting = await hands.questions.next_in_production(said.programme, said.outlet, said.most)

        def ask(_now: Any, at: datetime) -> TakeNumbers:
            return TakeNumbers(
                series=number_series,
                batch_id=batch,
                programme=said.programme,
                outlet=said.outlet,
                holdings=tuple(waiting),
                at=at,
            )

        receipt = await call.handle(series, number_series, ask, city=here, correlation=batch)
        return DrawnView(batch_id=batch, drawn=receipt.state.taken)

    @routes.get(
        "/v1/batches/{batch_id}",
        responses=refusals(IdMistyped, plastic.BatchUnknown),
        dependencies=[allowed("issuance:see-batch")],
    )
    async def how_a_batch_stands(batch_id: BatchPath, call: Call) -> BatchView:
        """Every piece of plastic, and the counts that always agree."""
        standing = await call.see(batches, known(batch_id), city=city_of(batch_id))
        return view_batch(batch_id, standing.state)

    @routes.get(
        "/v1/batches/{batch_id}/order-file",
        response_class=PlainTextResponse,
        responses=refusals(IdMistyped, plastic.BatchUnknown),
        dependencies=[allowed("issuance:see-batch")],
    )
    async def the_order_for_the_vendor(batch_id: BatchPath, call: Call) -> PlainTextResponse:
        """What the vendor is to make, as CSV."""
        standing = await call.see(batches, known(batch_id), city=city_of(batch_id))
        view_batch(batch_id, standing.state)
        return PlainTextResponse(return_files.order_file(standing.state), media_type="text/csv")

    @routes.post(
        "/v1/batches/{batch_id}/orders",
        status_code=201,
        responses=refusals(IdMistyped, plastic.BatchUnknown, plastic.StillForming, plastic.NothingOrdered),
        dependencies=[allowed("issuance:produce")],
    )
    async def order_a_batch(batch_id: BatchPath, _said: NothingToAdd, call: Call) -> BatchView:
        """Send the order to the vendor."""

        def ask(_now: Batch, at: datetime) -> SendBatch:
            return SendBatch(batch_id=BatchId(batch_id), at=at)

        return await decide_batch(batch_id, ask, call)

    @routes.post(
        "/v1/batches/{batch_id}/returns",
        status_code=201,
        responses=refusals(
            IdMistyped, plastic.BatchUnknown, plastic.NotInProduction, plastic.CountWrong, plastic.CardNotInBatch,
            plastic.CardTwice, plastic.IdentMissing, plastic.AlreadyReturned, ReturnFileUnreadable,
        ),
        dependencies=[allowed("issuance:return")],
    )  # fmt: skip
    async def read_a_return_file(batch_id: BatchPath, said: ReturnBody, call: Call) -> BatchView:
        """Read the vendor's return file, whole or not at all; spoiled cards go into the next batch."""
        rows, declared = return_files.read(said.file)

        def ask(_now: Batch, at: datetime) -> ReadReturn:
            return ReadReturn(batch_id=BatchId(batch_id), rows=rows, declared=declared, at=at)

        return await decide_batch(batch_id, ask, call)

    @routes.post(
        "/v1/batches/{batch_id}/dispatches",
        status_code=201,
        responses=refusals(IdMistyped, plastic.BatchUnknown, plastic.NotInProduction, plastic.StillInWork),
        dependencies=[allowed("issuance:produce")],
    )
    async def dispatch_a_batch(batch_id: BatchPath, _said: NothingToAdd, call: Call) -> BatchView:
        """The good cards leave for their outlet."""

        def ask(_now: Batch, at: datetime) -> DispatchBatch:
            return DispatchBatch(batch_id=BatchId(batch_id), at=at)

        return await decide_batch(batch_id, ask, call)

    @routes.post(
        "/v1/batches/{batch_id}/receipts",
        status_code=201,
        responses=refusals(
            IdMistyped, plastic.BatchUnknown, plastic.NotOnItsWay, plastic.WrongOutlet, plastic.CountDiffers
        ),
        dependencies=[allowed("issuance:receive")],
    )
    async def count_a_batch_in(batch_id: BatchPath, said: CountBody, call: Call) -> BatchView:
        """The outlet counts the cards in; their holders are told."""

        def ask(_now: Batch, at: datetime) -> ReceiveBatch:
            return ReceiveBatch(batch_id=BatchId(batch_id), outlet=call.caller.outlet, counted=said.counted, at=at)

        return await decide_batch(batch_id, ask, call)

    async def decide_batch(batch_id: str, ask: Any, call: Call) -> BatchView:
        receipt = await call.handle(batches, known(batch_id), ask, city=city_of(batch_id))
        return view_batch(batch_id, receipt.state)

    def view_batch(batch_id: str, batch: Batch) -> BatchView:
        if batch.stage is Stage.ABSENT:
            raise plastic.BatchUnknown
        return BatchView.of(batch_id, batch)
