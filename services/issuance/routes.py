"""The counter, the production desk and the public window of issuance."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import Field, StringConstraints

from libs.kernel import CalendarUnknown, Missing
from libs.kernel.clocks import Clock
from libs.kernel.ids import city_of
from libs.runtime.service import Desks
from libs.vault.port import Erased, Vault
from libs.web.access import allowed
from libs.web.bodies import Body, Text, When
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import (
    ApplicationId,
    BatchId,
    CardId,
    IdMistyped,
    PersonId,
    application_id,
    batch_id,
    holding_id,
    holding_of,
    holding_of_application,
    known,
)
from services.issuance.adapters import portraits, return_files
from services.issuance.adapters.bylaws import IssuanceBylaws, OutletUnknown, ProgrammeUnknown, standard
from services.issuance.adapters.return_files import ReturnFileUnreadable
from services.issuance.domain.application import decider as paper
from services.issuance.domain.application.commands import (
    AcceptApplication,
    AskSupplement,
    RejectApplication,
    SubmitApplication,
    SupplementApplication,
    WithdrawApplication,
)
from services.issuance.domain.application.events import Agent
from services.issuance.domain.application.state import Absent, Accepted, Application, SupplementNeeded
from services.issuance.domain.batch import decider as plastic
from services.issuance.domain.batch.commands import DispatchBatch, ReadReturn, ReceiveBatch, SendBatch
from services.issuance.domain.batch.state import Batch, Stage
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding import decider as cards
from services.issuance.domain.holding.commands import Activate, HandOver, WithdrawOrder
from services.issuance.domain.holding.state import Holding, InHand, Life
from services.issuance.domain.portrait import (
    PortraitNotAlone,
    PortraitNotColour,
    PortraitNotOnWhite,
    PortraitTooHeavy,
    PortraitTooLight,
    PortraitUnreadable,
    PortraitWrongSize,
)
from services.issuance.domain.series.commands import TakeNumbers
from services.issuance.domain.series.decider import BatchTooLarge, NothingToProduce, NumbersExhausted
from services.issuance.domain.usability import usability
from services.issuance.projections import IssuanceQuestions
from services.issuance.views import (
    ADVICE,
    ApplicationView,
    BatchView,
    CardView,
    DrawnView,
    HoldingsView,
    HoldingView,
    ProgressView,
    TimelineView,
    card_view,
)

PORTRAITS = (
    PortraitUnreadable,
    PortraitNotAlone,
    PortraitTooHeavy,
    PortraitTooLight,
    PortraitWrongSize,
    PortraitNotColour,
    PortraitNotOnWhite,
)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Document = Literal[
    "id_card", "household_book", "residence_permit", "temporary_residence_permit", "passport", "social_security_card"
]


class ReceiptUnknown(Missing):
    """No application has this receipt number; check it for a slip of the pen."""


class PersonErased(Missing):
    """This person's data were erased; register the person anew."""


class AgentBody(Body):
    """Somebody who applies for another."""

    relation: Literal["guardian", "parent", "child", "spouse", "relative", "employer", "other"]
    """How the agent is related to the applicant; names are on the papers, not here."""
    document: Document
    """The agent's own document."""


class ApplicationBody(Body):
    """A request for a card."""

    person_id: Annotated[str, StringConstraints(max_length=30)]
    programme: Text
    documents: Annotated[list[Document], Field(min_length=1, max_length=6)]
    """The valid documents that were shown."""
    portrait: Annotated[str, StringConstraints(max_length=200_000)]
    """The portrait: a JPEG in base64."""
    agent: AgentBody | None = None


class ReasonBody(Body):
    """Why."""

    reason: Text


class SupplementBody(Body):
    """What was missing."""

    documents: Annotated[list[Document], Field(max_length=6)] = []
    portrait: Annotated[str, StringConstraints(max_length=200_000)] | None = None


class NothingToAdd(Body):
    """An act that needs no more words."""


class BatchBody(Body):
    """Which waiting cards go into production together."""

    programme: Text
    outlet: Text
    """The outlet to which the cards go."""
    most: Annotated[int, Field(ge=1, le=500)] = 500


class ReturnBody(Body):
    """The vendor's return file."""

    file: Annotated[str, StringConstraints(max_length=1_000_000)]
    """CSV: card_number,card_ident,atr,box,failed_step,reason; the last line is total,<count>."""


class CountBody(Body):
    """What the outlet has counted."""

    counted: Annotated[int, Field(ge=0, le=10_000)]


class HandOverBody(Body):
    """Who stands at the counter."""

    document: Document
    """The holder's document, original."""
    agent_document: Document | None = None
    """The agent's own document, if an agent came."""


CardPath = Annotated[str, Path(description="The card, for example `330900-4K7MZQ0V5T8WX2N3.1`.")]
ApplicationPath = Annotated[str, Path(description="The application, for example `330900-4K7MZQ0V5T8WX2N3.A1B2C3D4E`.")]
BatchPath = Annotated[str, Path(description="The batch, for example `330900-9WQ0V5T8X2N37M4K`.")]


def router(desks: Desks, bylaws: IssuanceBylaws, vault: Vault, questions: IssuanceQuestions, city: Clock) -> APIRouter:
    routes = APIRouter(tags=["issuance"])
    applications, batches, holdings, series = (
        desks["application"],
        desks["batch"],
        desks["holding"],
        desks["series"],
    )

    # --- the paper ---

    @routes.post(
        "/v1/applications",
        status_code=201,
        responses=refusals(
            IdMistyped, ProgrammeUnknown, OutletUnknown, PersonErased, paper.DocumentsMissing, paper.GuardianNeeded,
            *PORTRAITS,
        ),
        dependencies=[allowed("issuance:apply")],
    )  # fmt: skip
    async def apply_for_a_card(said: ApplicationBody, call: Call) -> ApplicationView:
        """Take in a request at the counter, with documents and a portrait; keep the receipt number."""
        person = PersonId(known(said.person_id))
        here = city_of(person)
        call.allow(city=here)
        bylaws.outlet(here, call.caller.outlet)
        holding = holding_id(person, said.programme)
        application = application_id(holding, call.command_id)

        def submit(portrait: str, at: datetime) -> SubmitApplication:
            return SubmitApplication(
                application_id=application,
                holding_id=holding,
                person_id=person,
                programme=said.programme,
                outlet=call.caller.outlet,
                documents=tuple(said.documents),
                portrait=portrait,
                agent=Agent(relation=said.agent.relation, document=said.agent.document) if said.agent else None,
                receipt=_receipt(call.secret),
                at=at,
                under=bylaws.at(here, said.programme, at),
            )

        probe = submit("", city.now())
        paper.decide(probe, Absent())  # Papers that will be refused leave no portrait behind.
        portrait = await keep_portrait(person, said.portrait, probe.under)
        receipt = await call.handle(
            applications, application, lambda _now, at: submit(portrait, at), city=here, correlation=holding
        )
        return ApplicationView.of(application, receipt.state)

    @routes.get(
        "/v1/applications/{application_id}",
        responses=refusals(IdMistyped, paper.ApplicationUnknown),
        dependencies=[allowed("issuance:see-application")],
    )
    async def how_an_application_stands(application_id: ApplicationPath, call: Call) -> ApplicationView:
        """The papers, as they stand now."""
        holding = holding_of_application(application_id)
        standing = await call.see(applications, application_id, city=city_of(holding))
        if isinstance(standing.state, Absent):
            raise paper.ApplicationUnknown
        return ApplicationView.of(application_id, standing.state)

    @routes.post(
        "/v1/applications/{application_id}/acceptances",
        status_code=201,
        responses=refusals(
            IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided, paper.SupplementPending, CalendarUnknown
        ),
        dependencies=[allowed("issuance:decide")],
    )
    async def accept_an_application(
        application_id: ApplicationPath, _said: NothingToAdd, call: Call
    ) -> ApplicationView:
        """The clerk has seen the person and the papers; the promise runs from here."""

        def ask(now: Application, at: datetime) -> AcceptApplication:
            return AcceptApplication(
                application_id=ApplicationId(application_id), at=at, under=of_paper(application_id, now, at)
            )

        return await decide_paper(application_id, ask, call)

    @routes.post(
        "/v1/applications/{application_id}/supplement-requests",
        status_code=201,
        responses=refusals(IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided),
        dependencies=[allowed("issuance:decide")],
    )
    async def ask_for_what_is_missing(application_id: ApplicationPath, said: ReasonBody, call: Call) -> ApplicationView:
        """Something is missing; the applicant is told, and has some days to bring it."""

        def ask(now: Application, at: datetime) -> AskSupplement:
            return AskSupplement(
                application_id=ApplicationId(application_id),
                reason=said.reason,
                at=at,
                under=of_paper(application_id, now, at),
            )

        return await decide_paper(application_id, ask, call, said.reason)

    @routes.post(
        "/v1/applications/{application_id}/supplements",
        status_code=201,
        responses=refusals(IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided, PersonErased, *PORTRAITS),
        dependencies=[allowed("issuance:supplement")],
    )
    async def bring_what_was_missing(
        application_id: ApplicationPath, said: SupplementBody, call: Call
    ) -> ApplicationView:
        """What was missing has come; the application waits for a clerk again."""
        standing = await call.see(applications, application_id, city=city_of(holding_of_application(application_id)))
        if isinstance(standing.state, Absent):
            raise paper.ApplicationUnknown
        person, under = standing.state.paper.person_id, of_paper(application_id, standing.state, city.now())

        def supplement(portrait: str, at: datetime) -> SupplementApplication:
            return SupplementApplication(
                application_id=ApplicationId(application_id),
                documents=tuple(said.documents),
                portrait=portrait,
                at=at,
            )

        portrait = ""
        if said.portrait is not None and isinstance(standing.state, SupplementNeeded):
            portrait = await keep_portrait(person, said.portrait, under)
        return await decide_paper(application_id, lambda _now, at: supplement(portrait, at), call)

    @routes.post(
        "/v1/applications/{application_id}/rejections",
        status_code=201,
        responses=refusals(IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided),
        dependencies=[allowed("issuance:decide")],
    )
    async def reject_an_application(application_id: ApplicationPath, said: ReasonBody, call: Call) -> ApplicationView:
        """The clerk turns the application down; the applicant is told."""

        def ask(_now: Application, at: datetime) -> RejectApplication:
            return RejectApplication(application_id=ApplicationId(application_id), reason=said.reason, at=at)

        return await decide_paper(application_id, ask, call, said.reason)

    @routes.post(
        "/v1/applications/{application_id}/withdrawals",
        status_code=201,
        responses=refusals(
            IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided, cards.TooLateToWithdraw, cards.NothingOrdered
        ),
        dependencies=[allowed("issuance:withdraw")],
    )
    async def withdraw_an_application(application_id: ApplicationPath, said: ReasonBody, call: Call) -> ApplicationView:
        """The applicant no longer wants the card; possible until it goes into production."""
        holding = holding_of_application(application_id)
        standing = await call.see(applications, application_id, city=city_of(holding))
        if isinstance(standing.state, Accepted):

            def ask_holding(_now: Holding, at: datetime) -> WithdrawOrder:
                return WithdrawOrder(
                    holding_id=holding, application_id=ApplicationId(application_id), reason=said.reason, at=at
                )

            await call.handle(holdings, holding, ask_holding, city=city_of(holding), reason=said.reason)
            return ApplicationView.of(application_id, standing.state)

        def ask(_now: Application, at: datetime) -> WithdrawApplication:
            return WithdrawApplication(application_id=ApplicationId(application_id), reason=said.reason, at=at)

        return await decide_paper(application_id, ask, call, said.reason)

    async def decide_paper(application_id: str, ask: Any, call: Call, reason: str = "") -> ApplicationView:
        holding = holding_of_application(application_id)
        receipt = await call.handle(
            applications, application_id, ask, city=city_of(holding), reason=reason, correlation=holding
        )
        return ApplicationView.of(application_id, receipt.state)

    def of_paper(application_id: str, application: Application, at: datetime) -> IssuanceBylaw:
        if isinstance(application, Absent):
            raise paper.ApplicationUnknown
        return bylaws.at(city_of(application_id), application.paper.programme, at)

    async def keep_portrait(person: PersonId, encoded: str, under: IssuanceBylaw) -> str:
        try:
            image = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise PortraitUnreadable from error
        portrait = portraits.examine(image, standard(under))
        try:
            return await vault.keep(person, "portrait", portrait.jpeg)
        except Erased as erased:
            raise PersonErased from erased

    # --- production ---

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
        waiting = await questions.next_in_production(said.programme, said.outlet, said.most)

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

    # --- the card ---

    @routes.post(
        "/v1/cards/{card_id}/hand-overs",
        status_code=201,
        responses=refusals(
            IdMistyped, cards.CardUnknown, cards.NotReadyYet, cards.CardElsewhere, cards.AlreadyHandedOver,
            cards.DocumentNotAccepted, cards.AgentNotAllowed,
        ),
        dependencies=[allowed("issuance:hand-over")],
    )  # fmt: skip
    async def hand_a_card_over(card_id: CardPath, said: HandOverBody, call: Call) -> CardView:
        """Put the card into its holder's hand; where the city says so, that activates it."""

        def ask(now: Holding, at: datetime) -> HandOver:
            return HandOver(
                holding_id=holding_of(card_id),
                card_id=CardId(card_id),
                outlet=call.caller.outlet,
                document=said.document,
                agent_document=said.agent_document or "",
                at=at,
                under=of_card(card_id, now, at),
            )

        return await decide_card(card_id, ask, call)

    @routes.post(
        "/v1/cards/{card_id}/activations",
        status_code=201,
        responses=refusals(IdMistyped, cards.CardUnknown, cards.CardEnded, cards.NotInHand),
        dependencies=[allowed("issuance:activate")],
    )
    async def activate_a_card(card_id: CardPath, _said: NothingToAdd, call: Call) -> CardView:
        """The holder activates the card in her hand; a card that it replaces ends in the same instant."""

        def ask(now: Holding, at: datetime) -> Activate:
            return Activate(
                holding_id=holding_of(card_id), card_id=CardId(card_id), at=at, under=of_card(card_id, now, at)
            )

        return await decide_card(card_id, ask, call)

    async def decide_card(card_id: str, ask: Any, call: Call) -> CardView:
        holding = holding_of(card_id)
        receipt = await call.handle(holdings, holding, ask, city=city_of(holding))
        return await view_card(card_id, receipt.state, since(card_id, receipt.state))

    def since(card_id: str, holding: Holding) -> datetime:
        """Since when the card works, or lies in its holder's hand."""
        match holding.life_of(CardId(card_id)), holding.coming:
            case Life(active_from=at), _:
                return at
            case _, InHand(since=at):
                return at
        return city.now()

    def of_card(card_id: str, holding: Holding, at: datetime) -> IssuanceBylaw:
        if not holding.programme:
            raise cards.CardUnknown(card_id=card_id)
        return bylaws.at(city_of(card_id), holding.programme, at)

    @routes.get(
        "/v1/cards/{card_id}",
        responses=refusals(IdMistyped, cards.CardUnknown),
        dependencies=[allowed("issuance:see-card")],
    )
    async def what_a_card_can_be_used_for(
        card_id: CardPath,
        call: Call,
        at: Annotated[When | None, Query(description="An instant; now, if none is given.")] = None,
    ) -> CardView:
        """A card, and for each of its functions whether it can be used at an instant, and why or why not."""
        holding = holding_of(card_id)
        standing = await call.see(holdings, holding, city=city_of(holding))
        return await view_card(card_id, standing.state, at or city.now())

    async def view_card(card_id: str, holding: Holding, at: datetime) -> CardView:
        stops = await questions.stops_of(CardId(card_id))
        life = holding.life_of(CardId(card_id))  # It bears what the bylaws gave it when it began to work, or later.
        catalogue = of_card(card_id, holding, max(at, life.active_from) if life else city.now()).catalogue
        functions = usability(CardId(card_id), at, holding, stops, catalogue)
        view = card_view(holding_of(card_id), CardId(card_id), holding, at, functions)
        if view is None:
            raise cards.CardUnknown(card_id=card_id)
        return view

    @routes.get(
        "/v1/cards/{card_id}/timeline",
        responses=refusals(IdMistyped, cards.CardUnknown),
        dependencies=[allowed("issuance:see-card")],
    )
    async def what_happened_to_a_card(card_id: CardPath, call: Call) -> TimelineView:
        """All that any service has told of the card's holding, oldest first."""
        holding = holding_of(card_id)
        standing = await call.see(holdings, holding, city=city_of(holding))
        if not standing.version:
            raise cards.CardUnknown(card_id=card_id)
        return TimelineView.of(holding, await questions.timeline_of(holding))

    @routes.get(
        "/v1/holdings",
        responses=refusals(IdMistyped),
        dependencies=[allowed("issuance:see-card")],
    )
    async def what_a_person_holds(
        call: Call, person_id: Annotated[str, Query(max_length=30, description="The person.")]
    ) -> HoldingsView:
        """What a person holds under each programme of the city, and which card is current."""
        person = PersonId(known(person_id))
        call.allow(city=city_of(person), person=person)
        found = []
        for programme in bylaws.programmes(city_of(person)):
            holding = holding_id(person, programme)
            standing = await holdings.standing(holding)
            if standing.version:
                found.append(HoldingView.of(holding, standing.state))
        return HoldingsView(holdings=found)

    # --- the public window ---

    @routes.get(
        "/v1/progress/{receipt}",
        responses=refusals(ReceiptUnknown),
        dependencies=[allowed("issuance:enquire")],
    )
    async def how_far_is_my_card(
        receipt: Annotated[str, Path(max_length=40, description="The receipt number, for example `7QK2-9XWM-4T0R`.")],
    ) -> ProgressView:
        """Ask with the receipt number; a wrong one is told nothing."""
        row = await questions.progress_of(receipt.strip().upper())
        if row is None:
            raise ReceiptUnknown
        return ProgressView(
            status=row["status"],
            since=row["since"],
            promised_by=row["promised_by"],
            outlet=row["outlet"],
            advice=ADVICE[row["status"]],
        )

    return routes


def _receipt(secret: bytes) -> str:
    """A receipt number of 60 bits that nobody can guess and that a repeated request makes again."""
    number = int.from_bytes(secret[:8], "big") >> 4
    body = "".join(_CROCKFORD[number >> shift & 31] for shift in range(55, -1, -5))
    return f"{body[:4]}-{body[4:8]}-{body[8:]}"
