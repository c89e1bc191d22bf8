"""How issuance shows what it knows."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Literal, assert_never

from pydantic import BaseModel

from libs.messaging.readmodel import Row
from libs.web.why import WhyView
from services.ids import CardId
from services.issuance.domain.application.state import (
    Absent,
    Accepted,
    Application,
    Rejected,
    Reviewing,
    Submitted,
    SupplementNeeded,
    Withdrawn,
)
from services.issuance.domain.batch.state import Batch, Piece
from services.issuance.domain.holding.state import (
    AtOutlet,
    Coming,
    Good,
    Holding,
    InHand,
    InWork,
    Life,
    NothingComing,
    Queued,
    Waiting,
)
from services.issuance.domain.usability import REPORTED_LOST, Usability


class QuestionView(BaseModel):
    """What a clerk is asked about a portrait."""

    code: str
    zh: str
    en: str


class PortraitView(BaseModel):
    """A portrait as it would be printed, and what no machine has judged of it."""

    jpeg: str
    """In base64."""
    questions: list[QuestionView]


class ApplicationView(BaseModel):
    """A request for a card. Its receipt number finds its progress, for anybody who holds it."""

    application_id: str
    holding_id: str
    receipt: str
    programme: str
    outlet: str
    status: Literal[
        "submitted", "supplement_needed", "reviewing", "review_questions", "accepted", "rejected", "withdrawn"
    ]
    submitted_at: datetime
    documents: list[str]
    channel: str = ""
    way: str = "counter"
    """How the card reaches its holder: `counter`, `agent` or `mail`."""
    flags: list[str] = []
    """What the reviewer should look at, for example a proof without a photograph."""
    authority: str = ""
    """The other authority for which the application waits."""
    review_by: datetime | None = None
    """By when that authority should answer."""
    review_overdue: bool = False
    fee_fen: int = 0
    promised_by: datetime | None = None
    """By when the card is ready, counted once, at acceptance."""
    provisional: bool = False
    """Whether that hour lies in a year whose working days are not published yet."""
    reason: str = ""
    portrait: list[str] = []
    """What a clerk has found wrong with the portrait; `/v1/applications/{application_id}/portrait` has the words."""

    @classmethod
    def of(cls, application_id: str, application: Application) -> "ApplicationView":
        assert not isinstance(application, Absent)
        paper = application.paper
        known: dict[str, Any] = {
            "application_id": application_id,
            "holding_id": paper.holding_id,
            "receipt": paper.receipt,
            "programme": paper.programme,
            "outlet": paper.outlet,
            "submitted_at": paper.submitted_at,
            "documents": list(paper.documents),
            "channel": paper.channel.value,
            "way": paper.way.value,
            "flags": list(paper.flags),
        }
        match application:
            case Submitted():
                return cls(status="submitted", **known)
            case SupplementNeeded():
                return cls(
                    status="supplement_needed",
                    reason=application.reason,
                    portrait=list(application.portrait),
                    **known,
                )
            case Accepted():
                return cls(
                    status="accepted",
                    promised_by=application.promised_by,
                    provisional=application.provisional,
                    fee_fen=application.fee_fen,
                    **known,
                )
            case Reviewing():
                return cls(
                    status="review_questions" if application.asked else "reviewing",
                    promised_by=application.promised_by,
                    provisional=application.provisional,
                    reason=application.asked,
                    authority=application.authority,
                    review_by=application.review_by,
                    review_overdue=application.overdue,
                    **known,
                )
            case Rejected():
                return cls(status="rejected", reason=application.reason, **known)
            case Withdrawn():
                return cls(status="withdrawn", reason=application.reason, **known)
            case _:
                assert_never(application)


class SeatView(BaseModel):
    """A piece of plastic."""

    seat: int
    card_number: str
    holding_id: str
    piece: str
    box: str = ""
    reason: str = ""


class BatchView(BaseModel):
    """A production batch; at every moment ordered = good + spoiled + in work."""

    batch_id: str
    programme: str
    outlet: str
    stage: str
    ordered: int
    good: int
    spoiled: int
    in_work: int
    seats: list[SeatView]

    @classmethod
    def of(cls, batch_id: str, batch: Batch) -> "BatchView":
        return cls(
            batch_id=batch_id,
            programme=batch.programme,
            outlet=batch.outlet,
            stage=batch.stage.value,
            ordered=batch.ordered,
            good=batch.good,
            spoiled=batch.count(Piece.SPOILED),
            in_work=batch.count(Piece.IN_WORK),
            seats=[
                SeatView(
                    seat=nth,
                    card_number=seat.card_number,
                    holding_id=seat.holding_id,
                    piece=seat.piece.value,
                    box=seat.box,
                    reason=seat.reason,
                )
                for nth, seat in enumerate(batch.seats, 1)
            ],
        )


class DrawnView(BaseModel):
    """A batch that is being put together."""

    batch_id: str
    drawn: int
    """How many cards were waiting and have been offered a seat."""


class FunctionView(BaseModel):
    """Whether a function can be used, and why or why not."""

    function: str
    usable: bool
    because: str
    standing: Literal["unavailable", "available", "enabled", "suspended", "closed"] | None = None
    """How it stands on the card that counts, whatever a loss report says; `closed` once the card has ended."""


class CardView(BaseModel):
    """A card, and what it can be used for at an instant."""

    card_id: str
    card_number: str
    holding_id: str
    programme: str
    status: Literal[
        "in_production", "on_its_way", "at_outlet", "in_the_post", "in_hand", "active", "stopped", "expired", "ended"
    ]
    """`stopped`: active, but reported lost, so that functions refuse it."""
    at: datetime
    """The instant for which `status` and `functions` hold."""
    active_from: datetime | None = None
    valid_to: datetime | None = None
    ended_at: datetime | None = None
    ending: str = ""
    chip_id: str = ""
    """The identification code of its chip, once it is made."""
    case: str = ""
    """Why it is not handed over at present, if it is not."""
    functions: list[FunctionView]
    older_cards: dict[str, datetime] = {}
    """Cards of before that go on beside this one, and until when; afterwards nobody takes them any more."""


class EndorsementView(BaseModel):
    """Whether a card can be endorsed now, and when; as the counter would answer, and no use has been made of it."""

    card_id: str
    window: Literal["too_early", "open", "in_grace", "late"]
    """`in_grace` and `late`: its year is full and it rests; endorsed late, the years of residence may begin anew."""
    since: date
    """From which day the years of residence count."""
    opens_on: date
    valid_to: datetime
    grace_until: datetime | None
    """Until when a late endorsement keeps the years; None where any does."""
    places: list[str]
    """The organisations that do it; `GET /v1/outlets` has their addresses."""
    possible: bool
    because: str
    """Why not, if it is not possible now."""
    why: WhyView


class HoldingView(BaseModel):
    """What one person holds under one programme."""

    holding_id: str
    person_id: str
    programme: str
    entitled: bool | None
    because: str
    current_card_id: str | None
    coming: str
    coming_card_id: str | None
    coming_outlet: str
    cards: list[str]

    @classmethod
    def of(cls, holding_id: str, holding: Holding) -> "HoldingView":
        verdict = holding.verdicts[-1] if holding.verdicts else None
        coming = holding.coming
        plastic = coming.plastic if isinstance(coming, InWork | Good | AtOutlet | InHand) else None
        return cls(
            holding_id=holding_id,
            person_id=holding.person_id or "",
            programme=holding.programme,
            entitled=None if verdict is None else verdict.granted,
            because="" if verdict is None else verdict.because,
            current_card_id=holding.current.card_id if holding.current else None,
            coming=coming_word(coming),
            coming_card_id=plastic.card_id if plastic else None,
            coming_outlet="" if isinstance(coming, NothingComing) else coming.order.outlet,
            cards=[life.card_id for life in holding.lives],
        )


class HoldingsView(BaseModel):
    """All that one person holds in this city."""

    holdings: list[HoldingView]


class ProgressView(BaseModel):
    """How far an application is; nothing in it says whose."""

    status: str
    since: datetime
    promised_by: datetime | None = None
    overdue: bool = False
    """Whether that hour has passed and the card is not there yet."""
    outlet: str
    advice: str


class LetterView(BaseModel):
    """A commitment letter; a signature is bound to `sha256`, and so to these very words."""

    programme: str
    language: str
    text: str
    sha256: str


class OverdueEntry(BaseModel):
    """An application that has waited longer than was promised."""

    application_id: str
    programme: str
    outlet: str
    status: str
    waits_for: str
    """Who must act: `applicant`, `identity`, an authority; empty while it is the city's own turn."""
    due_by: datetime
    promised_by: datetime | None


class OverdueView(BaseModel):
    """Promises that were not kept, the oldest first."""

    applications: list[OverdueEntry]


class TimelineEntry(BaseModel):
    """Something that happened."""

    at: datetime
    service: str
    what: str
    channel: str
    actor: str
    details: dict[str, Any]


_BESIDE = {"holding_id", "person_id", "at", "receipt_hash", "bylaws"}
"""What stands beside each entry, or is of no use to whoever reads it."""


class TimelineView(BaseModel):
    """All that happened to a holding and its cards, oldest first."""

    holding_id: str
    entries: list[TimelineEntry]

    @classmethod
    def of(cls, holding_id: str, rows: Sequence[Row]) -> "TimelineView":
        return cls(
            holding_id=holding_id,
            entries=[
                TimelineEntry(
                    at=row["at"],
                    service=row["service"],
                    what=row["what"],
                    channel=row["channel"],
                    actor=row["actor"],
                    details=_details(row["details"]),
                )
                for row in rows
            ],
        )


def _details(message: str) -> dict[str, Any]:
    """What a message says beyond what stands beside it."""
    return {name: _said(one) for name, one in json.loads(message).items() if one is not None and name not in _BESIDE}


def _said(part: Any) -> Any:
    """Without what was left open."""
    if isinstance(part, dict):
        return {name: _said(one) for name, one in part.items() if one is not None}
    return [_said(one) for one in part] if isinstance(part, list) else part


def card_view(
    holding_id: str, card_id: CardId, holding: Holding, at: datetime, functions: Sequence[Usability]
) -> CardView | None:
    """This card as it stands at this instant; None if the holding has never had it."""
    life = holding.life_of(card_id)
    stands = _standings(life, holding, at)
    shown = [
        FunctionView(function=one.function, usable=one.usable, because=one.because, standing=stands(one.function))
        for one in functions
    ]
    if life is not None and at >= life.active_from:
        ended = life.ended_at is not None and at >= life.ended_at
        return CardView(
            card_id=card_id,
            card_number=life.card_number,
            holding_id=holding_id,
            programme=holding.programme,
            status=_status(ended, life.out_of_date(at), any(one.because == REPORTED_LOST for one in functions)),
            at=at,
            active_from=life.active_from,
            valid_to=life.valid_to,
            ended_at=life.ended_at if ended else None,
            ending=life.ending if ended else "",
            chip_id=life.ident,
            functions=shown,
            older_cards={one.scheme: one.until for one in life.older if at < one.until},
        )
    coming = holding.coming
    number = life.card_number if life else ""
    word: Literal["in_production", "on_its_way", "at_outlet", "in_the_post", "in_hand"] = "in_hand"
    chip_id, case = life.ident if life else "", ""
    if life is None:
        match coming:
            case InWork(plastic=plastic) if plastic.card_id == card_id:
                word = "in_production"
            case Good(plastic=plastic) if plastic.card_id == card_id:
                word = "on_its_way"
            case AtOutlet(plastic=plastic) if plastic.card_id == card_id:
                word, case = "in_the_post" if coming.tracking else "at_outlet", coming.case
            case InHand(plastic=plastic) if plastic.card_id == card_id:
                word = "in_hand"
            case _:
                return None
        number, chip_id = plastic.card_number, plastic.ident
    return CardView(
        card_id=card_id,
        card_number=number,
        holding_id=holding_id,
        programme=holding.programme,
        status=word,
        at=at,
        chip_id=chip_id,
        case=case,
        functions=shown,
    )


FunctionWord = Literal["unavailable", "available", "enabled", "suspended", "closed"]


def _standings(life: Life | None, holding: Holding, at: datetime) -> Callable[[str], FunctionWord | None]:
    """How each function stands now; of an instant that is past nothing is said."""
    if life is None or at < life.active_from:
        return lambda _function: None
    if life.ended_at is not None:
        return lambda _function: "closed"
    known: dict[str, FunctionWord] = {one.function: one.standing.value for one in holding.functions}
    return known.get


def _status(ended: bool, expired: bool, stopped: bool) -> Literal["ended", "expired", "stopped", "active"]:
    return "ended" if ended else "expired" if expired else "stopped" if stopped else "active"


def coming_word(coming: Coming) -> str:
    """The card on its way, in a word."""
    match coming:
        case NothingComing():
            return "nothing"
        case Waiting():
            return "waiting_for_eligibility"
        case Queued():
            return "approved"
        case InWork():
            return "in_production"
        case Good():
            return "on_its_way"
        case AtOutlet():
            return "ready_for_collection"
        case InHand():
            return "to_be_activated"
        case _:
            assert_never(coming)


NOT_THERE_YET = {
    "accepted", "reviewing", "waiting_for_eligibility", "approved", "in_production", "being_made_again", "produced",
}  # fmt: skip

ADVICE = {
    "submitted": "A clerk will look at the papers.",
    "supplement_needed": "Something is missing: bring it to the outlet where you applied.",
    "accepted": "The papers are in order; the card is being approved.",
    "reviewing": "The papers are in order; the authority where you are registered looks at the case.",
    "mailed": "The card is in the post; sign for it with a valid document.",
    "waiting_for_eligibility": "We wait for a department to confirm what entitles you.",
    "approved": "The card goes into the next production batch.",
    "in_production": "The card is being made.",
    "being_made_again": "The card was spoiled in production and is being made again.",
    "produced": "The card is on its way to the outlet.",
    "ready_for_collection": "Collect the card where you applied, with a valid document.",
    "unclaimed": "The card was kept for you, and nobody came. Apply again.",
    "collected": "The card has been collected.",
    "declined": "No card will be made; ask at the outlet where you applied.",
    "rejected": "The application was turned down; ask at the outlet where you applied.",
    "withdrawn": "The application was withdrawn.",
}
