"""The card: into the hand, to work, and what it can be used for."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.bodies import When
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import CardId, IdMistyped, PersonId, holding_id, holding_of, known
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding import decider as cards
from services.issuance.domain.holding.commands import Activate, HandOver
from services.issuance.domain.holding.state import Holding, InHand, Life
from services.issuance.domain.usability import usability
from services.issuance.routes.bodies import CardPath, HandOverBody, NothingToAdd
from services.issuance.routes.hands import Hands
from services.issuance.views import CardView, HoldingsView, HoldingView, TimelineView, card_view


def card(routes: APIRouter, hands: Hands) -> None:
    """Open the card desk."""
    bylaws, questions, city, holdings = hands.bylaws, hands.questions, hands.city, hands.desks["holding"]

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
