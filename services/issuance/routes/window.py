"""The public window: whoever holds a receipt may ask."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request

from libs.kernel import Missing
from libs.web.access import allowed
from libs.web.call import Call, CallContext
from libs.web.limits import TooManyGuesses
from libs.web.problems import refusals
from libs.web.tokens import NOBODY
from services.issuance.adapters.bylaws import ProgrammeUnknown
from services.issuance.domain.application.counter import ProgrammeNotOpen
from services.issuance.routes.hands import Hands
from services.issuance.views import ADVICE, NOT_THERE_YET, LetterView, OverdueEntry, OverdueView, ProgressView


class ReceiptUnknown(Missing):
    """No application has this receipt number; check it for a slip of the pen."""


class NoLetter(Missing):
    """This programme has no commitment letter in this language; nothing needs to be signed."""


def window(routes: APIRouter, hands: Hands) -> None:
    """Open the public window."""

    @routes.get(
        "/v1/progress/{receipt}",
        responses=refusals(ReceiptUnknown, TooManyGuesses),
        dependencies=[allowed("issuance:enquire")],
    )
    async def how_far_is_my_card(
        receipt: Annotated[str, Path(max_length=40, description="The receipt number, for example `7QK2-9XWM-4T0R`.")],
        call: Call,
        request: Request,
    ) -> ProgressView:
        """Ask with the receipt number: on the web, through the hotline or at an outlet, everybody is told the same.

        A wrong number is told nothing, and whoever names one after the other has to wait.
        """
        who = _who(call, request)
        hands.guesses.admit(who)
        row = await hands.questions.progress_of(receipt.strip().upper())
        if row is None:
            hands.guesses.was_wrong(who)
            raise ReceiptUnknown
        promised_by, status = row["promised_by"], row["status"]
        return ProgressView(
            status=status,
            since=row["since"],
            promised_by=promised_by,
            overdue=promised_by is not None and status in NOT_THERE_YET and hands.city.now() >= promised_by,
            outlet=row["outlet"],
            advice=ADVICE[status],
        )

    @routes.get(
        "/v1/commitment-letters/{programme}",
        responses=refusals(ProgrammeUnknown, ProgrammeNotOpen, NoLetter),
        dependencies=[allowed("issuance:read-letter")],
    )
    async def what_an_applicant_promises(
        programme: Annotated[str, Path(max_length=60)],
        call: Call,
        city: Annotated[str, Query(pattern="^[0-9]{6}$", description="The city's area code.")],
        language: Literal["zh", "en"] = "zh",
    ) -> LetterView:
        """The commitment letter that holds today; send its hash with the application that it was signed for."""
        under = hands.bylaws.at(city, programme, hands.city.now())
        letter = next((one for one in under.applying.letters if one.language == language), None)
        if letter is None:
            raise NoLetter
        return LetterView(programme=programme, language=letter.language, text=letter.text, sha256=letter.sha256)

    @routes.get(
        "/v1/overdue-applications",
        dependencies=[allowed("issuance:see-overdue")],
    )
    async def which_promises_were_not_kept(
        call: Call,
        most: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> OverdueView:
        """Applications whose promise, or whose review, has run out, the oldest first; a clerk sees her own outlet's."""
        now = hands.city.now()
        rows = await hands.questions.longest_promised(call.caller.city, call.caller.outlet, most)
        return OverdueView(
            applications=[
                OverdueEntry(
                    application_id=row["application_id"],
                    programme=row["programme"],
                    outlet=row["outlet"],
                    status=row["status"],
                    waits_for=row["waits_for"],
                    due_by=row["due_by"],
                    promised_by=row["promised_by"],
                )
                for row in rows
                if row["due_by"] is not None and row["due_by"] <= now
            ]
        )


def _who(call: CallContext, request: Request) -> str:
    """Who asks, as far as guesses are counted: somebody with a token, or an address."""
    if call.caller != NOBODY:
        return f"{call.caller.role}:{call.caller.id}"
    return request.client.host if request.client else ""
