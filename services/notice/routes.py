"""Where people see what holders were told, and decide what no machine can know."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from libs.eventsourcing.desk import Desk
from libs.kernel.ids import city_of
from libs.messaging.readmodel import Row, Rows
from libs.web.access import allowed
from libs.web.bodies import Body
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import IdMistyped, known
from services.notice.domain.commands import ResolveDoubt
from services.notice.domain.decider import NothingInDoubt, NoticeUnknown
from services.notice.domain.naming import NoticeId, holding_of_notice
from services.notice.domain.state import Notice
from services.notice.ports import Contacts
from services.notice.projections import NOTICE
from services.notice.views import NoticeView, page, view

LISTED_MAX = 100

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
}


class DecisionBody(Body):
    """What a person decides about a notice of which nobody knows whether it was sent."""

    send_again: bool
    """Whether to send it, at the risk of saying it twice; otherwise it counts as failed."""


def router(desk: Desk[Notice], rows: Rows, contacts: Contacts, with_page: bool) -> APIRouter:
    """The doors; the page is for a developer's own machine, where it needs no token."""
    routes = APIRouter(tags=["notice"])

    @routes.get("/v1/notices", responses=refusals(IdMistyped), dependencies=[allowed("notice:look")])
    async def what_a_holder_was_told(
        call: Call,
        holding_id: Annotated[str, Query(description="The holding, for example `330900-4K7MZQ0V5T8WX2N3`.")],
    ) -> list[NoticeView]:
        """The last 100 notices of a holding, newest first, with their numbers masked."""
        call.allow(city=city_of(known(holding_id)))
        found = await rows.many(NOTICE, order_by="at", limit=LISTED_MAX, descending=True, holding_id=holding_id)
        return await shown(found)

    @routes.post(
        "/v1/notices/{notice_id}/decisions",
        status_code=201,
        responses=refusals(IdMistyped, NoticeUnknown, NothingInDoubt),
        dependencies=[allowed("notice:decide")],
    )
    async def decide_about_a_notice_in_doubt(
        notice_id: Annotated[str, Path(description="The notice, for example `330900-4K7MZQ0V5T8WX2N3.N0123456789AB`.")],
        said: DecisionBody,
        call: Call,
    ) -> NoticeView:
        """Send it again, or let it be; only for a notice whose status is `uncertain`."""
        city, named = city_of(holding_of_notice(notice_id)), NoticeId(notice_id)

        def ask(_notice: Notice, at: datetime) -> ResolveDoubt:
            return ResolveDoubt(notice_id=named, send_again=said.send_again, at=at)

        receipt = await call.handle(desk, named, ask, city=city)
        return await view(named, receipt.state, contacts)

    if with_page:

        @routes.get(
            "/notices",
            response_class=HTMLResponse,
            include_in_schema=False,
            dependencies=[allowed("notice:watch")],
        )
        async def the_telephone_of_the_demo() -> HTMLResponse:
            """The last 100 notices of everybody."""
            found = await rows.many(NOTICE, order_by="at", limit=LISTED_MAX, descending=True)
            return HTMLResponse(page(await shown(found)), headers=PAGE_HEADERS)

    async def shown(found: Sequence[Row]) -> list[NoticeView]:
        ids = [NoticeId(row["notice_id"]) for row in found]
        return [await view(one, (await desk.standing(one)).state, contacts) for one in ids]

    return routes
