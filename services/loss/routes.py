"""The counter and the telephone of the loss desk."""

from datetime import datetime
from typing import Annotated, Any, Literal, assert_never

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from libs.eventsourcing.desk import Ask
from libs.eventsourcing.desk import Desk as CommandDesk
from libs.kernel import CalendarUnknown, ProposalId
from libs.kernel.clocks import Clock
from libs.kernel.foureyes import HandUnnamed, ProposalLapsed, ProposalOvertaken, ProposalUnknown, SameHand
from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.bodies import Body, Text, When
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.why import WhyView
from services.ids import CardId, IdMistyped, holding_of
from services.loss.adapters.answers import FunctionNotNamed, NotStopped
from services.loss.adapters.bylaws import LossBylaws
from services.loss.adapters.why import About, NotDecided, why
from services.loss.domain.bylaw import LossBylaw
from services.loss.domain.commands import (
    ApproveProposal,
    CancelCard,
    DeclineProposal,
    LiftLoss,
    NoteCapture,
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
    CardNotShown,
    CardUnknown,
    ChangeFirst,
    DocumentNotAccepted,
    InPersonOnly,
    LiftElsewhere,
    NothingToReport,
    NotReportable,
    NotReported,
    NotSigned,
    ProofNotAccepted,
    ProofOfKinNeeded,
    ReasonNotKnown,
    ReportedLost,
    TooManyCalls,
    TooManyReissues,
    WrongPlace,
)
from services.loss.domain.events import CancellationProposed, LiftProposed
from services.loss.domain.liability import SENTENCES, Rule, who_bears
from services.loss.domain.state import Desk, Ended, Hold, InUse, Lost, Proposal, Resting, Superseded, Unknown

Card = Annotated[str, Path(description="The card, for example `330900-4K7MZQ0V5T8WX2N3.1`.")]
Document = Literal[
    "id_card", "household_book", "residence_permit", "temporary_residence_permit", "passport", "social_security_card"
]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Functions = Annotated[list[Word], Field(max_length=40)]


class PreReportBody(Body):
    """A call to the hotline."""

    verified_by: Literal["service_password", "knowledge"]
    """How the caller showed who she is."""
    lost_at: When | None = None
    """When the card was lost, as the caller says."""
    functions: Functions = []
    """The functions to be stopped; without them, all that a call can stop in this city."""


class CounterBody(Body):
    """A signature at a counter."""

    document: Document
    """The valid document that the holder showed."""


class ReportBody(CounterBody):
    """A written report."""

    lost_at: When | None = None
    """When the card was lost, as the holder says."""
    functions: Functions = []
    """The functions to be stopped; without them, all that a written report stops in this city."""


class LiftBody(CounterBody):
    """A card that was found."""

    card_shown: bool = False
    """Whether the card itself lies on the counter; some cities ask for it."""
    by_agent: bool = False
    """Whether somebody else came in the holder's place."""
    functions: Functions = []
    """The functions that shall work again; without them, all."""


class CaptureBody(Body):
    """A terminal has captured a card."""

    function: Word


class ProposalBody(Body):
    """A proposal, looked at by another person."""

    proposal_id: Annotated[str, Field(min_length=1, max_length=80)]


class ReplacementBody(CounterBody):
    """A request for a new card in place of one that still works."""

    reason: Word
    """One of the city's reasons, for example `stained`, `incomplete`, `illegible`, `unreadable`, `data_changed`."""
    change_reference: Annotated[str, Field(max_length=80)] = ""
    """The reference of the office at which changed data are registered first, where the city names one."""


class CancellationBody(CounterBody):
    """A card given back for good."""

    reason: Word
    """One of the city's reasons, for example `death`, `moved_away`, `own_request`."""
    relation: Annotated[str, Field(max_length=40)] = ""
    """What a relative who gives the card back is to the holder, for example `child`; empty for the holder."""
    relation_proof: Annotated[str, Field(max_length=40)] = ""
    """What shows it, for example `household_book`."""
    open_affairs: list[Text] = []
    """Affairs that hang on the card and are still open; the card can be cancelled only when there are none."""


class StoppedView(BaseModel):
    """A function that refuses the card, by the clock of its own."""

    function: str
    from_at: datetime
    reported: Literal["by_telephone", "in_writing"]
    lapses_at: datetime | None = None
    """When it works again by itself, or takes the card with it."""
    ends_card: bool = False


class ProposalView(BaseModel):
    """What one person has proposed and another must approve."""

    proposal_id: str
    act: Literal["lift", "cancel"]
    until: datetime
    """When it lapses unless somebody approves."""


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
    functions: list[StoppedView] = []
    """Each function that is stopped, or will be."""
    proposals: list[ProposalView] = []
    """What waits for a second person."""
    advice: str
    """What the holder should do next."""


class LiabilityView(BaseModel):
    """Who bears a loss through a function at an instant."""

    card_id: str
    function: str
    at: datetime
    stopped: bool
    borne_by: Literal["holder", "issuer", "bank", "insurer"]
    rule: str
    """The rule: `ended`, `after_effect`, `not_in_effect_yet`, `ran_out`, `not_reportable` or `before_effect`."""
    because: str
    because_zh: str
    since: datetime | None = None
    """The recorded instant from which the rule counts."""
    cap_fen: int | None = None
    """Up to how much it is borne for each card, in fen, if not by the holder."""
    edition: str = ""
    """The edition of the city's bylaws that was read."""


AT_A_COUNTER = (IdMistyped, CardUnknown, CardEnded, WrongPlace, DocumentNotAccepted)
"""What every act at a counter can be refused with."""

WAITS: dict[int | str, dict[str, Any]] = {
    202: {"model": LossView, "description": "Proposed; it happens when another person approves."}
}


def router(desk: CommandDesk[Desk], bylaws: LossBylaws, city: Clock) -> APIRouter:
    routes = APIRouter(tags=["loss"])

    @routes.post(
        "/v1/cards/{card_id}/pre-reports",
        status_code=201,
        responses=refusals(
            IdMistyped, CardUnknown, CardEnded, TooManyCalls, CalendarUnknown, ProofNotAccepted, NotReportable,
            NothingToReport,
        ),
        dependencies=[allowed("loss:pre-report")],
    )  # fmt: skip
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
                verified_by=said.verified_by,
                under=bylaws.at(city_of(holding), now.programme, at),
                lost_at=said.lost_at,
                functions=tuple(said.functions),
            )

        return await decide(card_id, ask, call, reason=said.verified_by)

    @routes.post(
        "/v1/cards/{card_id}/written-reports",
        status_code=201,
        responses=refusals(*AT_A_COUNTER, NotReportable, NothingToReport),
        dependencies=[allowed("loss:report")],
    )
    async def report_loss_in_writing(card_id: Card, said: ReportBody, call: Call) -> LossView:
        """Take a signature at a counter; it takes effect at once, and lasts unless the city sets it a term."""
        given = {"lost_at": said.lost_at, "functions": tuple(said.functions)}
        return await decide(card_id, at_the_counter(ReportLoss, card_id, said, call, **given), call)

    @routes.post(
        "/v1/cards/{card_id}/captures",
        status_code=201,
        responses=refusals(IdMistyped, CardUnknown),
        dependencies=[allowed("loss:capture")],
    )
    async def a_terminal_has_captured_a_card(card_id: Card, said: CaptureBody, call: Call) -> LossView:
        """Where a function stops only when a terminal has seen the card, it stops now."""
        holding = holding_of(card_id)

        def ask(_now: Desk, at: datetime) -> NoteCapture:
            return NoteCapture(holding_id=holding, card_id=CardId(card_id), function=said.function, at=at)

        return await decide(card_id, ask, call)

    @routes.post(
        "/v1/cards/{card_id}/lifts",
        status_code=201,
        responses=WAITS
        | refusals(
            *AT_A_COUNTER, AlreadyReissued, CannotBeLifted, LiftElsewhere, CardNotShown, InPersonOnly, HandUnnamed
        ),
        dependencies=[allowed("loss:lift")],
    )
    async def lift_a_report(card_id: Card, said: LiftBody, call: Call, response: Response) -> LossView:
        """The card was found, and no new one has been asked for (Zhoushan FAQ 4): everything works as before.

        A call is lifted at once. What was signed for is only proposed (202): another person must approve it.
        """
        given = {"card_shown": said.card_shown, "by_agent": said.by_agent, "functions": tuple(said.functions)}
        ask = at_the_counter(LiftLoss, card_id, said, call, **given, **signed_by(call))
        return await decide(card_id, ask, call, waits=response, proposing=LiftProposed)

    @routes.post(
        "/v1/cards/{card_id}/reissues",
        status_code=201,
        responses=refusals(*AT_A_COUNTER, NotReported, NotSigned, TooManyReissues),
        dependencies=[allowed("loss:reissue")],
    )
    async def apply_for_a_new_card(card_id: Card, said: CounterBody, call: Call) -> LossView:
        """Apply for a new card in place of a lost one; from now on the report cannot be lifted."""
        return await decide(card_id, at_the_counter(OrderReissue, card_id, said, call), call)

    @routes.post(
        "/v1/cards/{card_id}/replacements",
        status_code=201,
        responses=refusals(*AT_A_COUNTER, ReportedLost, ReasonNotKnown, ChangeFirst),
        dependencies=[allowed("loss:replace")],
    )
    async def exchange_a_worn_card(card_id: Card, said: ReplacementBody, call: Call) -> LossView:
        """Apply for a new card in place of a worn or outdated one, which works until the new one does."""
        given = {"reason": said.reason, "change_reference": said.change_reference}
        ask = at_the_counter(OrderReplacement, card_id, said, call, **given)
        return await decide(card_id, ask, call, reason=said.reason)

    @routes.post(
        "/v1/cards/{card_id}/cancellations",
        status_code=201,
        responses=WAITS | refusals(*AT_A_COUNTER, AffairsOpen, ReasonNotKnown, ProofOfKinNeeded, HandUnnamed),
        dependencies=[allowed("loss:cancel")],
    )
    async def cancel_a_card(card_id: Card, said: CancellationBody, call: Call, response: Response) -> LossView:
        """Propose to end a card for good, on death, on moving away, or because its holder wants to.

        It ends when another person approves; until then it stands as it stood.
        """
        given = {
            "reason": said.reason,
            "open_affairs": tuple(said.open_affairs),
            "relation": said.relation,
            "relation_proof": said.relation_proof,
        }
        ask = at_the_counter(CancelCard, card_id, said, call, **given, **signed_by(call))
        return await decide(card_id, ask, call, reason=said.reason, waits=response, proposing=CancellationProposed)

    @routes.post(
        "/v1/cards/{card_id}/approvals",
        status_code=201,
        responses=refusals(IdMistyped, ProposalUnknown, ProposalLapsed, ProposalOvertaken, SameHand, HandUnnamed),
        dependencies=[allowed("loss:approve")],
    )
    async def approve_what_was_proposed(card_id: Card, said: ProposalBody, call: Call) -> LossView:
        """Let happen what another person has proposed; whoever proposed it is refused, in whatever role."""
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> ApproveProposal:
            return ApproveProposal(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                by=call.hand,
                proposal_id=ProposalId(said.proposal_id),
                under=bylaws.at(city_of(holding), now.programme, at),
            )

        return await decide(card_id, ask, call)

    @routes.post(
        "/v1/cards/{card_id}/objections",
        status_code=201,
        responses=refusals(IdMistyped, ProposalUnknown, ProposalOvertaken, HandUnnamed),
        dependencies=[allowed("loss:approve")],
    )
    async def object_to_what_was_proposed(card_id: Card, said: ProposalBody, call: Call) -> LossView:
        """Say no to what another person has proposed, or take back what you proposed yourself."""
        holding, proposal = holding_of(card_id), ProposalId(said.proposal_id)

        def ask(_now: Desk, at: datetime) -> DeclineProposal:
            return DeclineProposal(
                holding_id=holding, card_id=CardId(card_id), at=at, by=call.hand, proposal_id=proposal
            )

        return await decide(card_id, ask, call)

    def at_the_counter(act: type[Any], card_id: str, said: CounterBody, call: Call, **given: Any) -> Ask[Desk]:
        """What every act at a counter is asked with: where, on which document and under which rules; and `given`."""
        holding = holding_of(card_id)

        def ask(now: Desk, at: datetime) -> Any:
            return act(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                place=bylaws.place(city_of(holding), call.caller.outlet),
                document=said.document,
                under=bylaws.at(city_of(holding), now.programme, at),
                **given,
            )

        return ask

    def signed_by(call: Call) -> dict[str, Any]:
        return {"by": call.hand, "proposal_id": call.proposal_id}

    async def decide(
        card_id: str,
        ask: Ask[Desk],
        call: Call,
        reason: str = "",
        waits: Response | None = None,
        proposing: type[Proposal] | None = None,
    ) -> LossView:
        """The answer; 202 where what was asked for now waits for a second person."""
        holding = holding_of(card_id)
        receipt = await call.handle(desk, holding, ask, city=city_of(holding), reason=reason)
        if waits is not None and any(isinstance(one, proposing or ()) for one in receipt.state.proposals.waiting):
            waits.status_code = 202
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
        """Who bears a loss (Zhoushan FAQ 3): the holder before a report takes effect, and whom the city names after.

        It follows from the recorded instants and from the rules that held at that instant, and never changes again.
        """
        holding = holding_of(card_id)
        standing = await call.see(desk, holding, city=city_of(holding))
        when = at or city.now()
        under = bylaws.if_any(city_of(holding), standing.state.programme, when)
        return liability(CardId(card_id), function, when, standing.state, under)

    @routes.get(
        "/v1/cards/{card_id}/why",
        responses=refusals(IdMistyped, CardUnknown, NotStopped, NotDecided, FunctionNotNamed),
        dependencies=[allowed("loss:look")],
    )
    async def why_is_a_card_as_it_is(
        card_id: Card,
        call: Call,
        function: Annotated[
            str, Query(max_length=40, description="The function in question; any, if none is named.")
        ] = "",
        about: Annotated[
            About,
            Query(
                description="What is asked about: why a function is stopped (`block`), until when (`deadline`), why it "
                "works again (`release`), why there is a new card (`new_card`) and what was charged (`fee`), why the "
                "card has ended (`ending`), who bears a loss (`liability`)."
            ),
        ] = "block",
        at: Annotated[When | None, Query(description="As things stood at this past instant; now, if none is.")] = None,
    ) -> WhyView:
        """What was decided last, by which rules as they were then, in Chinese and English; the same for everybody."""
        holding = holding_of(card_id)
        standing = await call.see(desk, holding, city=city_of(holding))
        if not standing.state.heard_of(CardId(card_id)):
            raise CardUnknown(card_id=card_id)
        story = [fact for fact, _ in await desk.story(holding)]
        now = max(city.now(), standing.last_at or city.now())  # Nobody's clock is behind what has happened.
        answer = why(about, CardId(card_id), story, min(at or now, now), bylaws, function)
        return WhyView.of(answer, bylaws.names(city_of(holding)))

    return routes


def liability(card_id: CardId, function: str, at: datetime, desk: Desk, under: LossBylaw | None) -> LiabilityView:
    """Who bears a loss through this function at this instant. Raises CardUnknown."""
    if not desk.heard_of(card_id):
        raise CardUnknown(card_id=card_id)
    answer = who_bears(card_id, function, at, desk, under)
    in_chinese, in_english = SENTENCES[answer.rule]
    return LiabilityView(
        card_id=card_id,
        function=function,
        at=at,
        stopped=answer.rule in (Rule.ENDED, Rule.AFTER_EFFECT),
        borne_by=answer.bearer.value,
        rule=answer.rule,
        because=in_english,
        because_zh=in_chinese,
        since=answer.since,
        cap_fen=answer.cap_fen,
        edition=under.grounds.edition if under else "",
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
    about = {
        "functions": [_stopped(hold) for hold in desk.holds],
        "proposals": [_proposed(one) for one in desk.proposals.waiting],
        "pre_reports": len(desk.calls),
    }
    match desk.card:
        case Unknown():
            raise CardUnknown(card_id=card_id)
        case InUse():
            advice = "The card can be used where its holder meets the conditions."
            told = LossView(card_id=card_id, status="in_use", advice=advice, **about)
        case Resting() as resting:
            told = LossView(
                card_id=card_id,
                status="pre_reported",
                stopped_at=resting.since,
                lapses_at=resting.lapses_at,
                provisional=resting.next.provisional,
                advice="Sign a written report at a partner bank before the report lapses."
                + (
                    " The card will then be cancelled."
                    if resting.next.ends_card
                    else " Otherwise the card works again."
                ),
                **about,
            )
        case Lost() as lost:
            told = LossView(
                card_id=card_id,
                status="reported",
                stopped_at=lost.since,
                lapses_at=lost.lapses_at,
                advice="Apply for a new card, or lift the report if the card is found.",
                **about,
            )
        case Superseded() as superseded:
            told = LossView(
                card_id=card_id,
                status="superseded",
                stopped_at=superseded.since,
                advice="A new card is on its way; this one can never be used again.",
                **about,
            )
        case Ended() as ended:
            told = LossView(
                card_id=card_id, status="ended", stopped_at=ended.at, advice=f"The card has ended: {ended.reason}."
            )
        case other:
            assert_never(other)
    if told.proposals:
        told.advice = f"Another person must approve what was proposed, or object to it. {told.advice}"
    return told


def _stopped(hold: Hold) -> StoppedView:
    return StoppedView(
        function=hold.function,
        from_at=hold.from_,
        reported="in_writing" if hold.signed else "by_telephone",
        lapses_at=hold.lapses_at,
        ends_card=hold.ends_card,
    )


def _proposed(proposal: Proposal) -> ProposalView:
    act: Literal["lift", "cancel"] = "cancel" if isinstance(proposal, CancellationProposed) else "lift"
    return ProposalView(proposal_id=proposal.proposal_id, act=act, until=proposal.until)
