"""The card: into the hand, to work, and what it can be used for."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.bodies import When
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import CardId, IdMistyped, PersonId, holding_id, holding_of, known
from services.issuance.domain.functions import Place
from services.issuance.domain.holding import decider as cards
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.commands import Activate, OpenFunction
from services.issuance.domain.holding.state import Holding
from services.issuance.routes.bodies import CardPath, NothingToAdd, OpeningBody
from services.issuance.routes.desk import CardDesk
from services.issuance.routes.hands import Hands
from services.issuance.views import CardView, HoldingsView, HoldingView, TimelineView

PLACES = {"citizen": Place.HOLDER, "bank": Place.BANK}


def card(routes: APIRouter, hands: Hands) -> None:
    """Open the card desk."""
    bylaws, questions, city, holdings = hands.bylaws, hands.questions, hands.city, hands.desks["holding"]
    desk = CardDesk(hands)

    @routes.post(
        "/v1/cards/{card_id}/activations",
        status_code=201,
        responses=refusals(IdMistyped, CardUnknown, cards.CardEnded, cards.NotInHand),
        dependencies=[allowed("issuance:activate")],
    )
    async def activate_a_card(card_id: CardPath, _said: NothingToAdd, call: Call) -> CardView:
        """The holder activates the card in her hand; a card that it replaces ends in the same instant."""

        def ask(now: Holding, at: datetime) -> Activate:
            return Activate(
                holding_id=holding_of(card_id), card_id=CardId(card_id), at=at, under=desk.under(card_id, now, at)
            )

        view, _ = await desk.decide(card_id, ask, call)
        return view

    @routes.post(
        "/v1/cards/{card_id}/function-openings",
        status_code=201,
        responses=refusals(
            IdMistyped, CardUnknown, cards.CardEnded, cards.CardNotActive, cards.FunctionUnknown,
            cards.FunctionOpenedElsewhere, cards.FunctionNotGranted,
        ),
        dependencies=[allowed("issuance:open-function")],
    )  # fmt: skip
    async def open_a_function(card_id: CardPath, said: OpeningBody, call: Call) -> CardView:
        """Open one function on the card that counts: at an outlet, at the bank, or by its holder, as the city says."""
        holding = holding_of(card_id)

        def ask(now: Holding, at: datetime) -> OpenFunction:
            return OpenFunction(
                holding_id=holding,
                card_id=CardId(card_id),
                function=said.function,
                place=PLACES.get(call.caller.role, Place.OUTLET),
                at=at,
                under=desk.under(card_id, now, at),
            )

        receipt = await call.handle(holdings, holding, ask, city=city_of(holding))
        return await desk.view(card_id, receipt.state, city.now())

    @routes.get(
        "/v1/cards/{card_id}",
        responses=refusals(IdMistyped, CardUnknown),
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
        return await desk.view(card_id, standing.state, at or city.now())

    @routes.get(
        "/v1/cards/{card_id}/timeline",
        responses=refusals(IdMistyped, CardUnknown),
        dependencies=[allowed("issuance:see-card")],
    )
    async def what_happened_to_a_card(card_id: CardPath, call: Call) -> TimelineView:
        """All that any service has told of the card's holding, oldest first."""
        holding = holding_of(card_id)
        standing = await call.see(holdings, holding, city=city_of(holding))
        if not standing.version:
            raise CardUnknown(card_id=card_id)
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
            beside = [(merged, await holdings.standing(merged)) for merged in standing.state.beside]
            found += [HoldingView.of(merged, one.state) for merged, one in beside]
        return HoldingsView(holdings=found)
