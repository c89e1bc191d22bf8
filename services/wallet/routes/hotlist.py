"""The hotlist (黑名单): which purses terminals do not take any more, and which terminal has heard of it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.wallet.adapters.tap_cases import HotlistVersionUnknown, ReceiptAhead, TerminalNotKnown
from services.wallet.adapters.tap_files import TERMINAL_MAX
from services.wallet.routes.bodies import HotlistReceiptBody
from services.wallet.routes.hands import Hands
from services.wallet.routes.taps import NotClearedHere, TapCounter

HOTLIST_PAGE = 10_000


class ListedView(BaseModel):
    """A card: the 19-digit number on its chip, and from when its purse is not to be taken; null takes it off."""

    card: str
    from_at: datetime | None


class HotlistView(BaseModel):
    """What has changed. A terminal that has taken all of it holds `version`, and asks since that one next time."""

    version: int
    newest: int
    more: bool
    """Whether there is another page: ask again since `version`."""
    cards: list[ListedView]


class ReceiptView(BaseModel):
    """That a terminal holds a version was written down."""

    terminal: int
    version: int
    received_at: datetime


def hotlist(routes: APIRouter, hands: Hands, counter: TapCounter) -> None:
    """Hand the hotlist out, and take receipts."""

    @routes.get(
        "/v1/cities/{city}/hotlist",
        responses=refusals(NotClearedHere),
        dependencies=[allowed("wallet:fetch-hotlist")],
    )
    async def which_purses_are_not_taken(
        city: str,
        call: Call,
        since: Annotated[int, Query(ge=0, lt=2**62, description="The version that is held; 0 for all of it.")] = 0,
        limit: Annotated[int, Query(ge=1, le=HOTLIST_PAGE, description="How many cards at most.")] = HOTLIST_PAGE,
    ) -> HotlistView:
        """What has changed on the list since a version: card numbers and moments, and nothing about people (INV-14)."""
        call.allow(city=city)
        found = await counter.cases_kept.hotlist(city, since, limit)
        return HotlistView(
            version=found.version,
            newest=found.newest,
            more=found.more,
            cards=[ListedView(card=str(one.card), from_at=one.from_at) for one in found.cards],
        )

    @routes.post(
        "/v1/terminals/{terminal}/hotlist-receipts",
        status_code=201,
        responses=refusals(TerminalNotKnown, HotlistVersionUnknown, ReceiptAhead, NotClearedHere),
        dependencies=[allowed("wallet:receive-hotlist")],
    )
    async def a_terminal_has_the_hotlist(
        terminal: Annotated[int, Path(ge=0, le=TERMINAL_MAX)], said: HotlistReceiptBody, call: Call
    ) -> ReceiptView:
        """Say since when a terminal has had which version; the city's rule on who bears a tap depends on it.

        Said twice, it is written down once. Taps that were cleared before it came are judged by it when the card centre
        has them judged again.
        """
        city = call.caller.city
        await counter.cases_kept.keep_receipt(city, call.caller.outlet, terminal, said.version, said.received_at)
        return ReceiptView(terminal=terminal, version=said.version, received_at=said.received_at)
