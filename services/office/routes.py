"""Who does what where, who was appointed to it, and by which bylaws the city is served."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, StringConstraints

from libs.kernel import ProposalId, Unfit
from libs.kernel.clocks import Clock, to_the_millisecond
from libs.kernel.foureyes import (
    Hand,
    HandUnnamed,
    ProposalLapsed,
    ProposalOvertaken,
    ProposalUnknown,
    SameHand,
)
from libs.kernel.ids import city_of, written
from libs.runtime.service import Desks
from libs.web.access import allowed
from libs.web.bodies import Body, Text, When
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.withdrawn import staff_of
from services.ids import IdMistyped, known
from services.office.adapters.organisations import CityUnknown, Establishments, distance_km, outlets
from services.office.domain.establishment import OrganisationUnknown
from services.office.domain.staff.commands import Appoint, Dismiss
from services.office.domain.staff.decider import (
    AppointmentUnknown,
    BeyondYourReach,
    DutiesApart,
    DutyNotOfThisPlace,
    EndsBeforeItBegins,
    OwnAppointment,
)
from services.office.domain.staff.state import Appointment, Staff
from services.office.domain.statute.commands import ApproveEdition, ProposeEdition
from services.office.domain.statute.decider import AnotherProposed
from services.office.domain.statute.state import Statute

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Login = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,100}$")]
Edition = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
City = Annotated[str, Query(pattern="^[0-9]{6}$", description="Area code (GB/T 2260), for example 330900.")]


class PlaceUnreadable(Unfit):
    """A place is written as latitude and longitude in degrees, for example 30.016,122.106."""


class OrganisationView(BaseModel):
    """An authority, an agency, an outlet or a partner of the city."""

    organisation: str
    level: str
    title: dict[str, str]
    above: list[str]
    """Under whom it stands, the nearest first."""
    tasks: list[str]
    """What it does: the tasks of its level, and those with which others have entrusted it."""
    duties: list[str]
    """The duties that may be given there."""
    address: str
    hours: str
    distance_km: float | None = None
    """From the place that was asked about, where both are known."""


class AppointmentBody(Body):
    """A duty for somebody."""

    login: Login
    """Who: the opaque `sub` of their tokens; never a name."""
    duty: Code
    organisation: Code
    since: When | None = None
    """From when; left out, from now."""
    until: When | None = None
    """Until when, that instant excluded; left out while nobody knows."""


class DismissalBody(Body):
    """Why a duty ends."""

    appointment_id: Annotated[str, StringConstraints(max_length=40)]
    reason: Text


class AppointmentView(BaseModel):
    """A duty at an organisation, for a time."""

    appointment_id: str
    duty: str
    organisation: str
    since: datetime
    until: datetime | None
    holds: bool
    tasks: list[str]
    """What may be done there now."""


class StaffView(BaseModel):
    """Somebody who works for the city. An issuer of tokens puts the duties that hold into them, and no others.

    A token says when it was issued (`iat`) and holds for a day at most.
    """

    staff_id: str
    appointments: list[AppointmentView]


class EditionBody(Body):
    """An edition of the city's bylaws."""

    edition: Edition
    """As `citycard bylaws check` prints it."""


class EnactedView(BaseModel):
    """An edition that held from `at` on."""

    edition: str
    at: datetime


class ProposedView(BaseModel):
    """An edition that waits for another person."""

    proposal_id: str
    edition: str
    until: datetime


class BylawsView(BaseModel):
    """The bylaws of a city: which edition is in force, which were, and which is proposed."""

    city: str
    in_force: str | None
    enacted: list[EnactedView]
    proposed: list[ProposedView]


def router(desks: Desks, establishments: Establishments, city: Clock, machine: Clock) -> APIRouter:
    routes = APIRouter(tags=["office"])
    staff_desk, statutes = desks["staff"], desks["statute"]

    @routes.get("/v1/organisations", responses=refusals(CityUnknown), dependencies=[allowed("office:enquire")])
    async def how_is_the_city_organised(city_code: Annotated[City, Query(alias="city")]) -> list[OrganisationView]:
        """All that act for a city, from the ministry down to the outlets, with their tasks and duties."""
        return [_organisation(city_code, name) for name in establishments.data_at(city_code, city.now()).organisations]

    @routes.get(
        "/v1/outlets", responses=refusals(CityUnknown, PlaceUnreadable), dependencies=[allowed("office:enquire")]
    )
    async def where_can_this_be_done(
        city_code: Annotated[City, Query(alias="city")],
        task: Annotated[str, Query(max_length=40, description="For example `hand_over`; left out, any.")] = "",
        near: Annotated[str, Query(max_length=40, description="Latitude and longitude: `30.016,122.106`.")] = "",
    ) -> list[OrganisationView]:
        """The outlets that do a task, with address and hours; the nearest first, if a place is given."""
        at, here = city.now(), _place(near)
        data, under = establishments.data_at(city_code, at), establishments.at(city_code, at)
        found = [_organisation(city_code, name, here) for name in outlets(data, under, task)]
        return sorted(found, key=lambda one: (one.distance_km is None, one.distance_km or 0.0))

    @routes.post(
        "/v1/appointments",
        status_code=201,
        responses=refusals(
            OrganisationUnknown, BeyondYourReach, OwnAppointment, HandUnnamed, DutyNotOfThisPlace, DutiesApart,
            EndsBeforeItBegins,
        ),
        dependencies=[allowed("office:appoint")],
    )  # fmt: skip
    async def appoint(said: AppointmentBody, call: Call) -> StaffView:
        """Give somebody a duty at an organisation within your reach. Nobody appoints themselves."""
        code, login = call.caller.city, Hand(said.login)
        staff_id = staff_of(code, login)

        def ask(_staff: Staff, at: datetime) -> Appoint:
            return Appoint(
                staff_id=staff_id,
                login=login,
                appointment_id=str(call.command_id),
                duty=said.duty,
                organisation=said.organisation,
                at=at,
                since=said.since or at,
                until=said.until,
                by=call.hand,
                reach=establishments.reach(code, call.caller.role, call.caller.outlet, at),
                under=establishments.at(code, at),
            )

        receipt = await call.handle(staff_desk, staff_id, ask, city=code)
        return _staff(staff_id, receipt.state)

    @routes.post(
        "/v1/staff/{staff_id}/dismissals",
        status_code=201,
        responses=refusals(IdMistyped, AppointmentUnknown, BeyondYourReach, OwnAppointment),
        dependencies=[allowed("office:appoint")],
    )
    async def dismiss(staff_id: StaffPath, said: DismissalBody, call: Call) -> StaffView:
        """End a duty at once: no door takes a token that was issued for it before. What was done in it stands."""
        code = city_of(known(staff_id))

        def ask(staff: Staff, at: datetime) -> Dismiss:
            own = staff_of(code, call.hand) == staff_id
            return Dismiss(
                staff_id=staff_id,
                own=own,
                appointment_id=said.appointment_id,
                at=at,
                reason=said.reason,
                by=call.hand,
                reach=establishments.reach(code, call.caller.role, call.caller.outlet, at),
                under=establishments.at(code, at),
                struck_at=to_the_millisecond(machine.now()),
            )

        receipt = await call.handle(staff_desk, staff_id, ask, city=code)
        return _staff(staff_id, receipt.state)

    @routes.get("/v1/staff/{staff_id}", responses=refusals(IdMistyped), dependencies=[allowed("office:see-staff")])
    async def which_duties_has_somebody(staff_id: StaffPath, call: Call) -> StaffView:
        """All duties of somebody, past ones too. Who was never appointed has none."""
        standing = await call.see(staff_desk, known(staff_id), city=city_of(staff_id))
        return _staff(staff_id, standing.state)

    @routes.get("/v1/bylaws/editions", dependencies=[allowed("office:see-bylaws")])
    async def by_which_bylaws_are_we_served(call: Call) -> BylawsView:
        """The edition in force in your city, those before it, and the one that waits for a second person."""
        standing = await call.see(statutes, call.caller.city, city=call.caller.city)
        return _bylaws(call.caller.city, standing.state)

    @routes.post(
        "/v1/bylaws/editions",
        status_code=202,
        responses=refusals(HandUnnamed, AnotherProposed),
        dependencies=[allowed("office:enact")],
    )
    async def propose_an_edition(said: EditionBody, call: Call) -> BylawsView:
        """Propose that the city be served by this edition; it holds when another person has approved it."""
        code = call.caller.city

        def ask(_statute: Statute, at: datetime) -> ProposeEdition:
            proposal_id = ProposalId(written(code, call.command_id))
            return ProposeEdition(city=code, edition=said.edition, at=at, proposal_id=proposal_id, by=call.hand)

        receipt = await call.handle(statutes, code, ask, city=code)
        return _bylaws(code, receipt.state)

    @routes.post(
        "/v1/bylaws/editions/{proposal_id}/approvals",
        status_code=201,
        responses=refusals(IdMistyped, HandUnnamed, SameHand, ProposalUnknown, ProposalLapsed, ProposalOvertaken),
        dependencies=[allowed("office:enact")],
    )
    async def approve_an_edition(proposal_id: Annotated[str, Path(max_length=40)], call: Call) -> BylawsView:
        """Approve what somebody else has proposed. Processes may be started with that edition from now on."""
        code = city_of(known(proposal_id))

        def ask(_statute: Statute, at: datetime) -> ApproveEdition:
            return ApproveEdition(city=code, at=at, proposal_id=ProposalId(proposal_id), by=call.hand)

        receipt = await call.handle(statutes, code, ask, city=code)
        return _bylaws(code, receipt.state)

    def _organisation(code: str, name: str, here: tuple[float, float] | None = None) -> OrganisationView:
        at = city.now()
        about, under = establishments.data_at(code, at).organisations[name], establishments.at(code, at)
        return OrganisationView(
            organisation=name,
            level=about.level,
            title=dict(about.title),
            above=list(under.chain(name))[1:],
            tasks=sorted(under.tasks_of(name)),
            duties=sorted(under.level_of(name).duties),
            address=about.address,
            hours=about.hours,
            distance_km=round(distance_km(here, about.place), 2) if here and about.place else None,
        )

    def _staff(staff_id: str, staff: Staff) -> StaffView:
        return StaffView(
            staff_id=staff_id, appointments=[_appointment(city_of(staff_id), one) for one in staff.appointments]
        )

    def _appointment(code: str, one: Appointment) -> AppointmentView:
        at = city.now()
        under = establishments.at(code, at)
        holds = one.spell.holds(at)
        still_there = holds and one.organisation in under.organisations
        return AppointmentView(
            appointment_id=one.appointment_id,
            duty=one.duty,
            organisation=one.organisation,
            since=one.spell.since,
            until=one.spell.until,
            holds=holds,
            tasks=sorted(under.tasks_of(one.organisation)) if still_there else [],
        )

    return routes


StaffPath = Annotated[str, Path(description="Somebody who works for the city, for example `330900-4K7MZQ0V5T8WX2N3`.")]


def _place(near: str) -> tuple[float, float] | None:
    """Raises PlaceUnreadable."""
    if not near:
        return None
    try:
        latitude, longitude = map(float, near.split(","))
    except ValueError:
        raise PlaceUnreadable from None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise PlaceUnreadable
    return latitude, longitude


def _bylaws(code: str, statute: Statute) -> BylawsView:
    return BylawsView(
        city=code,
        in_force=statute.in_force.edition if statute.in_force else None,
        enacted=[EnactedView(edition=one.edition, at=one.at) for one in statute.enacted],
        proposed=[
            ProposedView(proposal_id=one.proposal_id, edition=one.edition, until=one.until)
            for one in statute.proposals.waiting
        ],
    )
