"""The counter: a request is taken in, completed, decided or taken back."""

import base64
from datetime import datetime
from typing import Any

from fastapi import APIRouter

from libs.kernel import CalendarUnknown, Unfit
from libs.kernel.ids import city_of, derived
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import ApplicationId, IdMistyped, application_id, holding_of_application
from services.issuance.adapters.bylaws import standard
from services.issuance.domain.application import decider as paper
from services.issuance.domain.application.commands import (
    AcceptApplication,
    AnswerReview,
    AskSupplement,
    ChooseWay,
    RejectApplication,
    SupplementApplication,
    WithdrawApplication,
)
from services.issuance.domain.application.counter import DocumentsMissing, MinorNeedsGuardian, WayNotOffered
from services.issuance.domain.application.state import (
    Absent,
    Accepted,
    Application,
    Reviewing,
    Submitted,
    SupplementNeeded,
)
from services.issuance.domain.applying import Channel, Way
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding import decider as cards
from services.issuance.domain.holding.commands import WithdrawOrder
from services.issuance.domain.holding.state import Holding
from services.issuance.domain.papers import PapersMissing
from services.issuance.routes.bodies import (
    ApplicationBody,
    ApplicationPath,
    DeliveryBody,
    NothingToAdd,
    PoliceApplicationBody,
    ReasonBody,
    ReviewBody,
    SupplementBody,
    SupplementRequestBody,
)
from services.issuance.routes.hands import PORTRAITS, Hands, NoPortrait, PersonErased
from services.issuance.routes.taking_in import TAKING_IN, Request, shown, take_in, whom
from services.issuance.views import ApplicationView, PortraitView, QuestionView


class ReasonMissing(Unfit):
    """Say why: the applicant is told."""


def counter(routes: APIRouter, hands: Hands) -> None:
    """Open the counter."""
    bylaws, applications, holdings = hands.bylaws, hands.desks["application"], hands.desks["holding"]

    @routes.post(
        "/v1/applications",
        status_code=201,
        responses=refusals(*TAKING_IN),
        dependencies=[allowed("issuance:apply")],
    )
    async def apply_for_a_card(said: ApplicationBody, call: Call) -> ApplicationView:
        """Take in a request at the counter, or online from a citizen for herself; keep the receipt number."""
        person, holding = whom(said)
        here, online = city_of(person), call.channel == "online"
        call.allow(city=here, person=person)
        outlet = said.collect_at or "" if online else call.caller.outlet
        channel = bylaws.channel_of(here, outlet)
        asked = Request(
            said=said,
            person=person,
            holding=holding,
            application=application_id(holding, call.command_id),
            outlet=outlet,
            channel=Channel.ONLINE if online else channel,
            secret=call.secret,
        )
        return await take_in(hands, call, asked)

    @routes.post(
        "/v1/police-applications",
        status_code=201,
        responses=refusals(*TAKING_IN),
        dependencies=[allowed("issuance:apply-police")],
    )
    async def apply_with_the_id_card(said: PoliceApplicationBody, call: Call) -> ApplicationView:
        """Take in a request that the police pass on: sent again under whatever key, their number makes it one."""
        person, holding = whom(said)
        here = city_of(person)
        call.allow(city=here)
        bylaws.outlet(here, said.collect_at)
        number = derived("police", call.caller.department, said.reference)
        asked = Request(
            said=said,
            person=person,
            holding=holding,
            application=application_id(holding, number),
            outlet=said.collect_at,
            channel=Channel.POLICE,
            secret=call.secret,
        )
        return await take_in(hands, call, asked)

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

    @routes.get(
        "/v1/applications/{application_id}/portrait",
        responses=refusals(IdMistyped, paper.ApplicationUnknown, NoPortrait, PersonErased),
        dependencies=[allowed("issuance:judge-portrait")],
    )
    async def what_a_clerk_judges_of_a_portrait(application_id: ApplicationPath, call: Call) -> PortraitView:
        """The picture, and the questions that no machine answers. If one is answered with no, ask for another one
        (`…/supplement-requests`, with the codes); whoever accepts the application has answered all with yes."""
        holding = holding_of_application(application_id)
        standing = await call.see(applications, application_id, city=city_of(holding))
        if isinstance(standing.state, Absent):
            raise paper.ApplicationUnknown
        if not standing.state.paper.portrait:
            raise NoPortrait
        call.headers["Cache-Control"] = "no-store"
        jpeg = await hands.portrait_of(standing.state.paper)
        under = of_paper(application_id, standing.state, hands.city.now())
        return PortraitView(
            jpeg=base64.b64encode(jpeg).decode(),
            questions=[
                QuestionView(code=one.code, zh=one.said.zh, en=one.said.en) for one in standard(under).questions
            ],
        )

    @routes.post(
        "/v1/applications/{application_id}/acceptances",
        status_code=201,
        responses=refusals(
            IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided, paper.SupplementPending, CalendarUnknown,
            MinorNeedsGuardian, PapersMissing, DocumentsMissing,
        ),
        dependencies=[allowed("issuance:decide")],
    )  # fmt: skip
    async def accept_an_application(
        application_id: ApplicationPath, _said: NothingToAdd, call: Call
    ) -> ApplicationView:
        """The clerk has seen the person and the papers; the promise runs from here, and the age counts today."""

        async def ask(now: Application, at: datetime) -> AcceptApplication:
            under = of_paper(application_id, now, at)
            assert not isinstance(now, Absent)
            turns_on_age = isinstance(now, Submitted) and under.applying.needs_age(
                now.paper.agent is not None, bool(now.paper.portrait)
            )
            age = await hands.age_of(now.paper.person_id, at) if turns_on_age else None
            return AcceptApplication(application_id=ApplicationId(application_id), at=at, under=under, age=age)

        return await decide_paper(application_id, ask, call)

    @routes.post(
        "/v1/applications/{application_id}/deliveries",
        status_code=201,
        responses=refusals(
            IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided, paper.DeliveryFrozen, WayNotOffered
        ),
        dependencies=[allowed("issuance:supplement")],
    )
    async def choose_how_the_card_comes(
        application_id: ApplicationPath, said: DeliveryBody, call: Call
    ) -> ApplicationView:
        """The holder comes, an agent comes, or the post; settled when the application is accepted."""

        def ask(now: Application, at: datetime) -> ChooseWay:
            return ChooseWay(
                application_id=ApplicationId(application_id),
                way=Way(said.way),
                at=at,
                under=of_paper(application_id, now, at),
            )

        return await decide_paper(application_id, ask, call)

    @routes.post(
        "/v1/applications/{application_id}/reviews",
        status_code=201,
        responses=refusals(IdMistyped, paper.ApplicationUnknown, paper.NotUnderReview, ReasonMissing),
        dependencies=[allowed("issuance:review")],
    )
    async def answer_a_review(application_id: ApplicationPath, said: ReviewBody, call: Call) -> ApplicationView:
        """The authority where the applicant is registered agrees, does not, or asks for more."""
        if said.verdict != "approve" and not said.reason:
            raise ReasonMissing

        def ask(now: Application, at: datetime) -> AnswerReview:
            return AnswerReview(
                application_id=ApplicationId(application_id),
                verdict=said.verdict,
                reason=said.reason,
                at=at,
                under=of_paper(application_id, now, at),
            )

        return await decide_paper(application_id, ask, call, said.reason)

    @routes.post(
        "/v1/applications/{application_id}/supplement-requests",
        status_code=201,
        responses=refusals(IdMistyped, paper.ApplicationUnknown, paper.AlreadyDecided),
        dependencies=[allowed("issuance:decide")],
    )
    async def ask_for_what_is_missing(
        application_id: ApplicationPath, said: SupplementRequestBody, call: Call
    ) -> ApplicationView:
        """Something is missing, or the portrait will not do; the applicant is told, and has some days to bring it."""

        def ask(now: Application, at: datetime) -> AskSupplement:
            return AskSupplement(
                application_id=ApplicationId(application_id),
                reason=said.reason,
                at=at,
                under=of_paper(application_id, now, at),
                portrait=tuple(dict.fromkeys(said.portrait)),
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
        person, under = standing.state.paper.person_id, of_paper(application_id, standing.state, hands.city.now())

        def supplement(portrait: str, at: datetime) -> SupplementApplication:
            return SupplementApplication(
                application_id=ApplicationId(application_id),
                documents=tuple(said.documents),
                portrait=portrait,
                at=at,
                papers=shown(said.papers),
            )

        portrait = ""
        if said.portrait is not None and isinstance(standing.state, SupplementNeeded | Reviewing):
            portrait = await hands.keep_portrait(person, said.portrait, under)
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
