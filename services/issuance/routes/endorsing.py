"""A card goes on for another year; and whoever asks is told when, where and whether."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter

from libs.kernel import Refused
from libs.kernel.calendar import shanghai_day
from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.why import WhyView
from services.ids import CardId, IdMistyped, holding_of
from services.issuance.adapters.why import why_endorsed
from services.issuance.domain.endorsement import (
    EndorsedElsewhere,
    NoLongerEntitled,
    NotEndorsed,
    ReportedLost,
    TooEarly,
)
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.commands import EndorseCard
from services.issuance.domain.holding.endorsing import endorse, permit_of
from services.issuance.domain.holding.state import Holding
from services.issuance.routes.bodies import CardPath, NothingToAdd
from services.issuance.routes.desk import CardDesk
from services.issuance.routes.hands import Hands
from services.issuance.views import CardView, EndorsementView


def endorsing(routes: APIRouter, hands: Hands) -> None:
    """Open the desk at which cards are endorsed."""
    bylaws, questions, city, holdings = hands.bylaws, hands.questions, hands.city, hands.desks["holding"]
    desk = CardDesk(hands)

    async def counter(card_id: CardId, outlet: str) -> Callable[[Holding, datetime], EndorseCard]:
        """What is asked of the holding when the holder stands at this outlet."""
        stops = await questions.stops_of(card_id)

        def ask(now: Holding, at: datetime) -> EndorseCard:
            return EndorseCard(
                holding_id=holding_of(card_id),
                card_id=card_id,
                outlet=outlet,
                reported_lost=any(one.covers(one.function, at) for one in stops),
                at=at,
                under=desk.under(card_id, now, at),
            )

        return ask

    @routes.post(
        "/v1/cards/{card_id}/endorsements",
        status_code=201,
        responses=refusals(
            IdMistyped, CardUnknown, NotEndorsed, TooEarly, EndorsedElsewhere, NoLongerEntitled, ReportedLost
        ),
        dependencies=[allowed("issuance:endorse")],
    )
    async def endorse_a_card(card_id: CardPath, _said: NothingToAdd, call: Call) -> CardView:
        """For another year, within the month before this one is full; the clerk has the card before her."""
        ask = await counter(CardId(card_id), call.caller.outlet)
        receipt = await call.handle(holdings, holding_of(card_id), ask, city=city_of(card_id))
        return await desk.view(card_id, receipt.state, city.now())

    @routes.get(
        "/v1/cards/{card_id}/endorsement",
        responses=refusals(IdMistyped, CardUnknown, NotEndorsed),
        dependencies=[allowed("issuance:see-card")],
    )
    async def when_a_card_can_be_endorsed(card_id: CardPath, call: Call) -> EndorsementView:
        """From when to when, where, whether now, and by which article; whoever asks is told what the counter would."""
        holding, now = holding_of(card_id), city.now()
        standing = (await call.see(holdings, holding, city=city_of(holding))).state
        life, under = standing.current, desk.under(card_id, standing, now)
        rule = under.endorsing
        if life is None or life.card_id != card_id:
            raise CardUnknown(card_id=card_id)
        if rule is None:
            raise NotEndorsed(under.by("programme.endorsement"))
        permit, places = permit_of(life), sorted(rule.by)
        because = ""
        try:
            endorse((await counter(life.card_id, places[0] if places else ""))(standing, now), standing)
        except Refused as no:
            because = str(no)
        return EndorsementView(
            card_id=card_id,
            window=rule.window(permit, shanghai_day(now)).value,
            since=permit.since,
            opens_on=rule.opens_on(permit),
            valid_to=life.valid_to,
            grace_until=rule.grace_until(permit.ends_on),
            places=places,
            possible=not because,
            because=because,
            why=WhyView.of(
                why_endorsed(city_of(holding), standing, rule.opens_on(permit), now, bylaws),
                bylaws.names(city_of(holding)),
            ),
        )
