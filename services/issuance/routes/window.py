"""The public window: whoever holds a receipt may ask."""

from typing import Annotated

from fastapi import APIRouter, Path

from libs.kernel import Missing
from libs.web.access import allowed
from libs.web.problems import refusals
from services.issuance.routes.hands import Hands
from services.issuance.views import ADVICE, ProgressView


class ReceiptUnknown(Missing):
    """No application has this receipt number; check it for a slip of the pen."""


def window(routes: APIRouter, hands: Hands) -> None:
    """Open the public window."""

    @routes.get(
        "/v1/progress/{receipt}",
        responses=refusals(ReceiptUnknown),
        dependencies=[allowed("issuance:enquire")],
    )
    async def how_far_is_my_card(
        receipt: Annotated[str, Path(max_length=40, description="The receipt number, for example `7QK2-9XWM-4T0R`.")],
    ) -> ProgressView:
        """Ask with the receipt number; a wrong one is told nothing."""
        row = await hands.questions.progress_of(receipt.strip().upper())
        if row is None:
            raise ReceiptUnknown
        return ProgressView(
            status=row["status"],
            since=row["since"],
            promised_by=row["promised_by"],
            outlet=row["outlet"],
            advice=ADVICE[row["status"]],
        )
