"""The collection counter: into a hand, into the post, to another outlet."""

from datetime import datetime

from fastapi import APIRouter

from libs.kernel.writing import normalised
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import CardId, IdMistyped, holding_of
from services.issuance.adapters.bylaws import OutletUnknown
from services.issuance.domain.application.state import Absent
from services.issuance.domain.collecting import By
from services.issuance.domain.holding import collection as collecting
from services.issuance.domain.holding.commands import CloseCase, HandOver, MailCard, SendOn
from services.issuance.domain.holding.state import AtOutlet, Holding
from services.issuance.domain.papers import PapersMissing
from services.issuance.routes.bodies import CardPath, FindingBody, HandOverBody, MailingBody, TransferBody
from services.issuance.routes.desk import CardDesk
from services.issuance.routes.hands import Hands
from services.issuance.routes.taking_in import shown
from services.issuance.views import CardView

NOT_HERE = (
    IdMistyped, collecting.CardUnknown, collecting.NotReadyYet, collecting.CardElsewhere, collecting.AlreadyHandedOver,
)  # fmt: skip


def collection(routes: APIRouter, hands: Hands) -> None:
    """Open the collection counter."""
    desk = CardDesk(hands)

    @routes.post(
        "/v1/cards/{card_id}/hand-overs",
        status_code=201,
        responses=refusals(
            *NOT_HERE, collecting.DocumentNotAccepted, collecting.AgentNotAllowed, collecting.NoticeNotShown,
            collecting.ReceiptNeeded, collecting.ReceiptWrong, collecting.FingerprintNeeded,
            collecting.FingerprintMismatch, collecting.CaseOpen, collecting.ArrangedOtherwise,
            collecting.NotThisUnitsCard, collecting.UnitNotAllowed, collecting.NotInThePost, PapersMissing,
        ),
        dependencies=[allowed("issuance:hand-over")],
    )  # fmt: skip
    async def hand_a_card_over(card_id: CardPath, said: HandOverBody, call: Call) -> CardView:
        """Put the card into a hand that may have it; where the city says so, that activates it."""

        async def ask(now: Holding, at: datetime) -> HandOver:
            return HandOver(
                holding_id=holding_of(card_id),
                card_id=CardId(card_id),
                outlet=call.caller.outlet,
                document=said.document,
                agent_document=said.agent_document or "",
                at=at,
                under=desk.under(card_id, now, at),
                taker=By(said.taker),
                papers=shown(said.papers),
                unit=normalised(said.unit or ""),
                notice=said.notice_shown,
                receipt=await _receipt(now, said.receipt),
                fingerprint=await _finger(now, said.fingerprint),
            )

        view, state = await desk.decide(card_id, ask, call)
        if isinstance(state.coming, AtOutlet) and state.coming.case:
            under = desk.under(card_id, state, hands.city.now())
            raise collecting.FingerprintMismatch(under.by(collecting.SHOWN), card_id=card_id)
        return view

    async def _receipt(now: Holding, shown_number: str | None) -> str:
        """Whether the receipt that was shown is that of this card's application."""
        application = now.coming.order.application_id if isinstance(now.coming, AtOutlet) else None
        if not shown_number or application is None:
            return ""
        paper = (await hands.desks["application"].standing(application)).state
        right = not isinstance(paper, Absent) and paper.paper.receipt == shown_number.strip().upper()
        return "right" if right else "wrong"

    async def _finger(now: Holding, reading: str | None) -> str:
        return await hands.fingerprints.verdict(now.person_id or "", reading) if reading else ""

    @routes.post(
        "/v1/cards/{card_id}/mailings",
        status_code=201,
        responses=refusals(*NOT_HERE, collecting.NotByMail),
        dependencies=[allowed("issuance:hand-over")],
    )
    async def put_a_card_into_the_post(card_id: CardPath, said: MailingBody, call: Call) -> CardView:
        """Only what was arranged on application goes into the post; its hand-over is signed for by the holder."""

        def ask(now: Holding, at: datetime) -> MailCard:
            return MailCard(
                holding_id=holding_of(card_id),
                card_id=CardId(card_id),
                outlet=call.caller.outlet,
                tracking=said.tracking,
                at=at,
                under=desk.under(card_id, now, at),
            )

        view, _ = await desk.decide(card_id, ask, call)
        return view

    @routes.post(
        "/v1/cards/{card_id}/transfers",
        status_code=201,
        responses=refusals(*NOT_HERE, OutletUnknown, collecting.CollectedWhereAppliedFor),
        dependencies=[allowed("issuance:hand-over")],
    )
    async def send_a_card_on(card_id: CardPath, said: TransferBody, call: Call) -> CardView:
        """The holder wants to collect the card elsewhere; where the city allows that, it is sent on."""

        def ask(now: Holding, at: datetime) -> SendOn:
            return SendOn(
                holding_id=holding_of(card_id),
                card_id=CardId(card_id),
                outlet=call.caller.outlet,
                to=hands.bylaws.outlet(call.caller.city, said.outlet),
                at=at,
                under=desk.under(card_id, now, at),
            )

        view, _ = await desk.decide(card_id, ask, call)
        return view

    @routes.post(
        "/v1/cards/{card_id}/case-closures",
        status_code=201,
        responses=refusals(IdMistyped, collecting.CardUnknown),
        dependencies=[allowed("issuance:close-case")],
    )
    async def close_a_case(card_id: CardPath, said: FindingBody, call: Call) -> CardView:
        """The centre has found out why a fingerprint did not match; the card may be handed over again."""

        def ask(_now: Holding, at: datetime) -> CloseCase:
            return CloseCase(holding_id=holding_of(card_id), card_id=CardId(card_id), finding=said.finding, at=at)

        view, _ = await desk.decide(card_id, ask, call, said.finding)
        return view
