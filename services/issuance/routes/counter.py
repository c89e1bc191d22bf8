"""The counter: a request is taken in, completed, decided or taken back."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from libs.kernel import CalendarUnknown
from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import ApplicationId, IdMistyped, PersonId, application_id, holding_id, holding_of_application, known
from services.issuance.adapters.bylaws import OutletUnknown, ProgrammeUnknown
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
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding import decider as cards
from services.issuance.domain.holding.commands import WithdrawOrder
from services.issuance.domain.holding.state import Holding
from services.issuance.routes.bodies import (
    ApplicationBody,
    ApplicationPath,
    NothingToAdd,
    ReasonBody,
    SupplementBody,
)
from services.issuance.routes.hands import PORTRAITS, Hands, PersonErased, receipt_number
from services.issuance.views import ApplicationView


def counter(routes: APIRouter, hands: Hands) -> None:
    """Open the counter."""
    bylaws, applications, holdings = hands.bylaws, hands.desks["application"], hands.desks["holding"]

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
                receipt=receipt_number(call.secret),
                at=at,
                under=bylaws.at(here, said.programme, at),
            )

        probe = submit("", hands.city.now())
        paper.decide(probe, Absent())  # Papers that will be refused leave no portrait behind.
        portrait = await hands.keep_portrait(person, said.portrait, probe.under)
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
        person, under = standing.state.paper.person_id, of_paper(application_id, standing.state, hands.city.now())

        def supplement(portrait: str, at: datetime) -> SupplementApplication:
            return SupplementApplication(
                application_id=ApplicationId(application_id),
                documents=tuple(said.documents),
                portrait=portrait,
                at=at,
            )

        portrait = ""
        if said.portrait is not None and isinstance(standing.state, SupplementNeeded):
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
