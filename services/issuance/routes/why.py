"""Whoever asks why is told by which rule: of a deadline, a fee, a refusal."""

from typing import Annotated

from fastapi import APIRouter, Query

from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.why import WhyView
from services.ids import IdMistyped, holding_of_application
from services.issuance.adapters.why import About, NotDecided
from services.issuance.adapters.why import why as explain
from services.issuance.domain.application.decider import ApplicationUnknown
from services.issuance.domain.application.state import Absent
from services.issuance.routes.bodies import ApplicationPath
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
