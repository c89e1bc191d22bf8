"""The counter and the telephone of the loss desk."""

from datetime import datetime
from typing import Annotated, Literal, assert_never

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from libs.eventsourcing.desk import Ask
from libs.eventsourcing.desk import Desk as CommandDesk
from libs.kernel import CalendarUnknown
from libs.kernel.clocks import Clock
from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.bodies import Body, Text, When
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import CardId, IdMistyped, holding_of
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.commands import (
    CancelCard,
    LiftLoss,
    OrderReissue,
    OrderReplacement,
    PreReportLoss,
    ReportLoss,
)
from services.loss.domain.decider import (
    AffairsOpen,
    AlreadyReissued,
    CannotBeLifted,
    CardEnded,
    CardUnknown,
    DocumentNotAccepted,
    LiftElsewhere,
    NotReported,
    NotSigned,
    ReportedLost,
    TooManyCalls,
    WrongPlace,
)
from services.loss.domain.state import Desk, Ended, InUse, Lost, Resting, Superseded, Unknown

Card = Annotated[str, Path(description="The card, for example `330900-4K7MZQ0V5T8WX2N3.1`.")]
Document = Literal[
    "id_card", "household_book", "residence_permit", "temporary_residence_permit", "passport", "social_security_card"
]


class PreReportBody(Body):
    """A call to the hotline."""

    verified_by: Literal["service_password", "knowledge"]
    """How the caller showed who she is."""
    lost_at: When | None = None
    """When the card was lost, as the caller says."""


class CounterBody(Body):
    """A signature at a counter."""

    document: Document
    """The valid document that the holder showed."""


class ReportBody(CounterBody):
    """A written report."""

    lost_at: When | None = None
    """When the card was lost, as the holder says."""


class ReplacementBody(CounterBody):
    """A request for a new card in place of one that still works."""

    reason: Literal["stained", "incomplete", "illegible", "unreadable", "data_changed", "expired"]


class CancellationBody(CounterBody):
    """A card given back for good."""

    reason: Literal["death", "moved_away", "own_request"]
    open_affairs: list[Text] = []
    """Affairs that hang on the card and are still open; the card can be cancelled only when there are none."""


class StoppedView(BaseModel):
    """A function that refuses the card."""

    function: str
    from_at: datetime


class LossView(BaseModel):
    """How a card stands at the loss desk."""

    card_id: str
    status: Literal["in_use", "call_kept", "pre_reported", "reported", "superseded", "ended"]
    stopped_at: datetime | None = None
    """When the report took effect, UTC, to the millisecond."""
    lapses_at: datetime | None = None
    """When the card wakes by itself unless the loss is signed for."""
    provisional: bool = False
    """Whether that hour lies in a year whose working days are not published yet."""
    pre_reports: int = 0
    """How often the present card was reported by telephone."""
    advice: str
    """What the holder should do next."""


class LiabilityView(BaseModel):
    """Who bears a loss through a function at an instant."""

    card_id: str
    function: str
    at: datetime
    stopped: bool
    borne_by: Literal["holder", "issuer"]
    because: str


def router(desk: CommandDesk[Desk], bylaws: LossBylaws, city: Clock) -> APIRouter:
    routes = APIRouter(tags=["loss"])

    @routes.post(
        "/v1/cards/{card_id}/pre-reports",
        status_code=201,
        responses=refusals(IdMistyped, CardEnded, TooManyCalls, CalendarUnknown),
        dependencies=[allowed("loss:pre-report")],
    )
    async def pre_report_loss_by_telephone(card_id: Card, said: PreReportBody, call: Call) -> LossView:
        """Take a call on the hotline, day or night.

        The answer tells when the card stopped and when it will wake unless the loss is signed for (Zhoushan FAQ 3: the
        written report must follow). A second call changes nothing. A call about a card that is not known here yet is
        kept, and acts when the card comes.
        """
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> PreReportLoss:
            return PreReportLoss(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                under=bylaws.at(city_of(holding), now.programme, at),
                lost_at=said.lost_at,
            )

        return await decide(card_id, ask, call, reason=said.verified_by)

    @routes.post(
        "/v1/cards/{card_id}/written-reports",
        status_code=201,
        responses=refusals(IdMistyped, CardUnknown, CardEnded, WrongPlace, DocumentNotAccepted),
        dependencies=[allowed("loss:report")],
    )
    async def report_loss_in_writing(card_id: Card, said: ReportBody, call: Call) -> LossView:
        """Take a signature at a counter; it takes effect at once and does not lapse."""
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> ReportLoss:
            return ReportLoss(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                place=bylaws.place(city_of(holding), call.caller.outlet),
                document=said.document,
                lost_at=said.lost_at,
                under=bylaws.at(city_of(holding), now.programme, at),
            )

        return await decide(card_id, ask, call)

    @routes.post(
        "/v1/cards/{card_id}/lifts",
        status_code=201,
        responses=refusals(
            IdMistyped, CardUnknown, CardEnded, AlreadyReissued, CannotBeLifted, LiftElsewhere, WrongPlace,
            DocumentNotAccepted,
        ),
        dependencies=[allowed("loss:lift")],
    )  # fmt: skip
    async def lift_a_report(card_id: Card, said: CounterBody, call: Call) -> LossView:
        """The card was found, and no new one has been asked for (Zhoushan FAQ 4): everything works as before."""
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> LiftLoss:
            return LiftLoss(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                place=bylaws.place(city_of(holding), call.caller.outlet),
                document=said.document,
                under=bylaws.at(city_of(holding), now.programme, at),
            )

        return await decide(card_id, ask, call)

    @routes.post(
        "/v1/cards/{card_id}/reissues",
        status_code=201,
        responses=refusals(IdMistyped, CardUnknown, CardEnded, NotReported, NotSigned, WrongPlace, DocumentNotAccepted),
        dependencies=[allowed("loss:reissue")],
    )
    async def apply_for_a_new_card(card_id: Card, said: CounterBody, call: Call) -> LossView:
        """Apply for a new card in place of a lost one; from now on the report cannot be lifted."""
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> OrderReissue:
            return OrderReissue(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                place=bylaws.place(city_of(holding), call.caller.outlet),
                document=said.document,
                under=bylaws.at(city_of(holding), now.programme, at),
            )

        return await decide(card_id, ask, call)

    @routes.post(
        "/v1/cards/{card_id}/replacements",
        status_code=201,
        responses=refusals(IdMistyped, CardUnknown, CardEnded, ReportedLost, WrongPlace, DocumentNotAccepted),
        dependencies=[allowed("loss:replace")],
    )
    async def exchange_a_worn_card(card_id: Card, said: ReplacementBody, call: Call) -> LossView:
        """Apply for a new card in place of a worn or outdated one, which works until the new one does."""
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> OrderReplacement:
            return OrderReplacement(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                place=bylaws.place(city_of(holding), call.caller.outlet),
                document=said.document,
                reason=said.reason,
                under=bylaws.at(city_of(holding), now.programme, at),
            )

        return await decide(card_id, ask, call, reason=said.reason)

    @routes.post(
        "/v1/cards/{card_id}/cancellations",
        status_code=201,
        responses=refusals(IdMistyped, CardUnknown, CardEnded, AffairsOpen, WrongPlace, DocumentNotAccepted),
        dependencies=[allowed("loss:cancel")],
    )
    async def cancel_a_card(card_id: Card, said: CancellationBody, call: Call) -> LossView:
        """End a card for good, on death, on moving away, or because its holder wants to."""
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> CancelCard:
            return CancelCard(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                place=bylaws.place(city_of(holding), call.caller.outlet),
                document=said.document,
                reason=said.reason,
                open_affairs=tuple(said.open_affairs),
                under=bylaws.at(city_of(holding), now.programme, at),
            )

        return await decide(card_id, ask, call, reason=said.reason)

    async def decide(card_id: str, ask: Ask[Desk], call: Call, reason: str = "") -> LossView:
        holding = holding_of(card_id)
        receipt = await call.handle(desk, holding, ask, city=city_of(holding), reason=reason)
        return view(CardId(card_id), receipt.state)

    @routes.get(
        "/v1/cards/{card_id}/loss",
        responses=refusals(IdMistyped, CardUnknown),
        dependencies=[allowed("loss:look")],
    )
    async def how_a_card_stands_at_the_loss_desk(card_id: Card, call: Call) -> LossView:
        """How a card stands here, now."""
        holding = holding_of(card_id)
        standing = await call.see(desk, holding, city=city_of(holding))
        return view(CardId(card_id), standing.state)

    @routes.get(
        "/v1/cards/{card_id}/liability",
        responses=refusals(IdMistyped, CardUnknown),
        dependencies=[allowed("loss:look")],
    )
    async def who_bears_a_loss(
        card_id: Card,
        call: Call,
        function: Annotated[str, Query(max_length=40, description="The function that was misused.")],
        at: Annotated[When | None, Query(description="The instant of the misuse; now, if none is given.")] = None,
    ) -> LiabilityView:
        """Who bears a loss (Zhoushan FAQ 3): the holder before the report takes effect, the issuer after."""
        holding = holding_of(card_id)
        standing = await call.see(desk, holding, city=city_of(holding))
        return liability(CardId(card_id), function, at or city.now(), standing.state)

    return routes


def liability(card_id: CardId, function: str, at: datetime, desk: Desk) -> LiabilityView:
    """Who bears a loss through this function at this instant. Raises CardUnknown."""
    if not desk.heard_of(card_id):
        raise CardUnknown(card_id=card_id)
    if desk.ended(card_id, at):
        because = "the card had ended for good"
    elif desk.stopped(card_id, function, at):
        because = "a report had taken effect for this function"
    else:
        because = ""
    return LiabilityView(
        card_id=card_id,
        function=function,
        at=at,
        stopped=bool(because),
        borne_by="issuer" if because else "holder",
        because=because or "no report had taken effect",
    )


def view(card_id: CardId, desk: Desk) -> LossView:
    """How this card stands, in words that a clerk can read out. Raises CardUnknown."""
    if (kept := desk.kept_call(card_id)) is not None:
        return LossView(
            card_id=card_id,
            status="call_kept",
            stopped_at=kept.at,
            advice="This card is not known here yet. The call is kept and stops the card as soon as it is; "
            "check the number with the caller.",
        )
    if not desk.heard_of(card_id):
        raise CardUnknown(card_id=card_id)
    if desk.succeeded(card_id):
        return LossView(card_id=card_id, status="ended", advice="A newer card has taken this one's place.")
    match desk.card:
        case Unknown():
            raise CardUnknown(card_id=card_id)
        case InUse():
            return LossView(
                card_id=card_id,
                status="in_use",
                pre_reports=len(desk.calls),
                advice="The card can be used where its holder meets the conditions.",
            )
        case Resting() as resting:
            return LossView(
                card_id=card_id,
                status="pre_reported",
                stopped_at=resting.since,
                lapses_at=resting.lapses_at,
                provisional=resting.provisional,
                pre_reports=len(desk.calls),
                advice="Sign a written report at a partner bank before the report lapses."
                + (" The card will then be cancelled." if resting.ends_card else " Otherwise the card works again."),
            )
        case Lost() as lost:
            return LossView(
                card_id=card_id,
                status="reported",
                stopped_at=lost.since,
                pre_reports=len(desk.calls),
                advice="Apply for a new card, or lift the report if the card is found.",
            )
        case Superseded() as superseded:
            return LossView(
                card_id=card_id,
                status="superseded",
                stopped_at=superseded.since,
                pre_reports=len(desk.calls),
                advice="A new card is on its way; this one can never be used again.",
            )
        case Ended() as ended:
            return LossView(
                card_id=card_id, status="ended", stopped_at=ended.at, advice=f"The card has ended: {ended.reason}."
            )
        case other:
            assert_never(other)
