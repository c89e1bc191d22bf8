"""Whoever asks why is told by which rule: of a deadline, a fee, a refusal, the end of a card."""

from typing import Annotated

from fastapi import APIRouter, Query

from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.why import WhyView
from services.ids import CardId, IdMistyped, holding_of, holding_of_application
from services.issuance.adapters.why import About
from services.issuance.adapters.why import why as explain
from services.issuance.adapters.why_card import AboutCard, NotDecided, why_card
from services.issuance.domain.application.decider import ApplicationUnknown
from services.issuance.domain.application.state import Absent
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.routes.bodies import ApplicationPath, CardPath
from services.issuance.routes.hands import Hands


def why(routes: APIRouter, hands: Hands) -> None:
    """Open this window."""
    applications, holdings, bylaws = hands.desks["application"], hands.desks["holding"], hands.bylaws

    @routes.get(
        "/v1/applications/{application_id}/why",
        responses=refusals(IdMistyped, ApplicationUnknown, NotDecided),
        dependencies=[allowed("issuance:ask-why")],
    )
    async def why_was_an_application_decided_so(
        application_id: ApplicationPath,
        call: Call,
        about: Annotated[About, Query(description="What is asked about.")] = "deadline",
    ) -> WhyView:
        """By which rule of the bylaws of that day, and what is missing; in Chinese and English, the same for all."""
        holding = holding_of_application(application_id)
        standing = await call.see(applications, application_id, city=city_of(holding))
        if isinstance(standing.state, Absent):
            raise ApplicationUnknown
        papers, cards = await applications.story(application_id), await holdings.story(holding)
        return WhyView.of(explain(about, application_id, papers, cards, bylaws), bylaws.names(city_of(holding)))

    @routes.get(
        "/v1/cards/{card_id}/issue/why",
        responses=refusals(IdMistyped, CardUnknown, NotDecided),
        dependencies=[allowed("issuance:see-card")],
    )
    async def why_was_a_card_issued_so(
        card_id: CardPath,
        call: Call,
        about: Annotated[AboutCard, Query(description="What is asked about.")] = "validity",
    ) -> WhyView:
        """The same, asked with the card: one that came in place of another, or to a whole roll, has no application.

        `refusal` is why no new card was made in its place, `end` why it ended without one.
        """
        holding = holding_of(card_id)
        if not (await call.see(holdings, holding, city=city_of(holding))).version:
            raise CardUnknown(card_id=card_id)
        told = why_card(about, CardId(card_id), await holdings.story(holding), bylaws)
        return WhyView.of(told, bylaws.names(city_of(holding)))
