"""The books: what happened on an account, page by page, for its holder, its merchant and the auditor."""

import csv
import io
import re
from typing import Annotated

from fastapi import APIRouter, Query, Response

from libs.kernel import Missing, Unfit
from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.call import Call, CallContext
from libs.web.problems import refusals
from services.ids import CardId, HoldingId, IdMistyped, holding_of
from services.wallet.domain import chart
from services.wallet.domain.purse.decider import CardUnknown
from services.wallet.routes.bodies import CardPath
from services.wallet.routes.hands import Hands
from services.wallet.views import StatementLine, StatementView, statement_line

PAGE_MAX = 500
Page = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many lines at most.")]
After = Annotated[str, Query(max_length=40, description="`next` of the page before; empty for the first page.")]


class CursorUnreadable(Unfit):
    """This is no place in a statement; use `next` of the page before, or leave it out to begin."""


class NoSuchMerchant(Missing):
    """The city has no agreement with merchant {merchant}; it has: {merchants}."""


def books(routes: APIRouter, hands: Hands) -> None:
    """Open the books."""

    async def page(account: str, after: str, limit: int) -> StatementView:
        lines = await hands.ledger.statement(account, _place(after), limit)
        balance = (await hands.ledger.balances([account]))[account]
        return StatementView(
            account=account,
            balance_fen=balance.balance_fen,
            held_fen=balance.held_fen,
            lines=[statement_line(line, account) for line in lines],
            next=f"{lines[-1].shard}-{lines[-1].position}" if len(lines) == limit else "",
        )

    async def look_at(card_id: str, call: CallContext) -> HoldingId:
        """The holding, if this caller may see its money. Raises CardUnknown for one of which nobody has told us."""
        holding = holding_of(card_id)
        standing = await call.see(hands.desks["purse"], holding, city=city_of(holding))
        if not standing.state.heard_of(CardId(card_id)):
            raise CardUnknown(card_id=card_id)
        return holding

    @routes.get(
        "/v1/cards/{card_id}/statement",
        responses=refusals(IdMistyped, CardUnknown, CursorUnreadable),
        dependencies=[allowed("wallet:look")],
    )
    async def what_happened_on_an_account(
        card_id: CardPath, call: Call, carrier: Annotated[str, Query(pattern="^(account|chip)$")] = "account",
        after: After = "", limit: Page = 100,
    ) -> StatementView:  # fmt: skip
        """Every movement of the online account, or of the chip's shadow, oldest first."""
        holding = await look_at(card_id, call)
        account = chart.online(holding) if carrier == "account" else chart.purse(CardId(card_id))
        return await page(account, after, limit)

    @routes.get(
        "/v1/cards/{card_id}/statement.csv",
        responses=refusals(IdMistyped, CardUnknown, CursorUnreadable),
        dependencies=[allowed("wallet:look")],
    )
    async def what_happened_on_an_account_as_a_file(
        card_id: CardPath, call: Call, carrier: Annotated[str, Query(pattern="^(account|chip)$")] = "account",
        after: After = "", limit: Page = 500,
    ) -> Response:  # fmt: skip
        """The same as CSV; the address of the next page stands in the `Link` header."""
        holding = await look_at(card_id, call)
        account = chart.online(holding) if carrier == "account" else chart.purse(CardId(card_id))
        return _csv(await page(account, after, limit))

    @routes.get(
        "/v1/cities/{city}/merchants/{merchant}/statement",
        responses=refusals(NoSuchMerchant, CursorUnreadable),
        dependencies=[allowed("wallet:look-at-merchant")],
    )
    async def what_a_merchant_has_earned(
        city: str, merchant: str, call: Call, after: After = "", limit: Page = 100
    ) -> StatementView:
        """Every sale and refund of a merchant: in the order of time for each payer, shard by shard for all of them."""
        call.allow(city=city, outlet=merchant)
        return await page(_merchant(merchant, city), after, limit)

    @routes.get(
        "/v1/cities/{city}/merchants/{merchant}/statement.csv",
        responses=refusals(NoSuchMerchant, CursorUnreadable),
        dependencies=[allowed("wallet:look-at-merchant")],
    )
    async def what_a_merchant_has_earned_as_a_file(
        city: str, merchant: str, call: Call, after: After = "", limit: Page = 500
    ) -> Response:
        """The same as CSV; the address of the next page stands in the `Link` header."""
        call.allow(city=city, outlet=merchant)
        return _csv(await page(_merchant(merchant, city), after, limit))

    def _merchant(name: str, city: str) -> str:
        if not hands.bylaws.is_merchant(city, name):
            raise NoSuchMerchant(merchant=name[:40], merchants=", ".join(hands.bylaws.merchants(city)))
        return chart.merchant(city, name)


def _place(cursor: str) -> tuple[int, int]:
    if not cursor:
        return -1, 0
    found = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,18})", cursor)
    if found is None:
        raise CursorUnreadable
    return int(found[1]), int(found[2])


def _csv(page: StatementView) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(StatementLine.model_fields)
    for line in page.lines:
        told = line.model_dump(mode="json")
        writer.writerow([*list(told.values())[:-1], " ".join(told["others"])])
    chip = "carrier=chip&" if page.account.startswith(f"{chart.Kind.PURSE}:") else ""
    headers = {"Link": f'<?{chip}after={page.next}>; rel="next"'} if page.next else {}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
