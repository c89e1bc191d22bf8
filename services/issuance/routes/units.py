"""The counter for units: one list, many requests, each judged alone."""

from dataclasses import replace
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from libs.kernel import Forbidden, Refused
from libs.kernel.foureyes import (
    HandUnnamed,
    ProposalId,
    ProposalLapsed,
    ProposalOvertaken,
    ProposalUnknown,
    SameHand,
)
from libs.kernel.ids import derived, written
from libs.kernel.refusals import refusal_code
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import HoldingId, PersonId, application_id
from services.issuance.adapters.bylaws import OutletUnknown, ProgrammeUnknown
from services.issuance.adapters.why_card import ONE_CARD_EACH
from services.issuance.domain.application.commands import SubmitApplication
from services.issuance.domain.application.counter import ChannelClosed, ProgrammeNotOpen
from services.issuance.domain.applying import Channel
from services.issuance.domain.papers import PapersMissing
from services.issuance.domain.unit import code as codes
from services.issuance.domain.unit.code import UnitCodeFails, UnitCodeMisshapen
from services.issuance.domain.unit.commands import AcceptUnitCode, ApplyForPeople, ProposeUnitCode
from services.issuance.domain.unit.events import RowRefused, UnitCodeProposed
from services.issuance.domain.unit.state import Unit
from services.issuance.routes.bodies import CodeProposalBody, UnitApplicationBody, UnitPath, UnitProposalPath
from services.issuance.routes.hands import Hands
from services.issuance.routes.taking_in import AlreadyApplied, Request, shown, submission, whom


class UnitsApplyAtTheHall(Forbidden):
    """A unit does not apply for its people here; go to one of: {outlets}."""


class RowView(BaseModel):
    """What came of one row of a unit's list."""

    row: int
    person_id: str
    application_id: str = ""
    receipt: str = ""
    code: str = ""
    """Why no application was made of it, as the code of a refusal; empty if one was."""
    detail: str = ""


class UnitApplicationView(BaseModel):
    """What came of a unit's list, row by row."""

    submission_id: str
    unit: str
    taken: int
    refused: int
    rows: list[RowView]


class UnitView(BaseModel):
    """Whether a unit's code counts."""

    unit: str
    fits: bool
    """Whether its check character fits."""
    accepted: bool
    """Whether two people let it count in spite of that."""
    proposal_id: str = ""
    proposed_until: datetime | None = None


def units(routes: APIRouter, hands: Hands) -> None:
    """Open the counter for units."""
    desk, bylaws = hands.desks["unit"], hands.bylaws

    @routes.post(
        "/v1/unit-applications",
        status_code=201,
        responses=refusals(
            OutletUnknown, ProgrammeUnknown, ProgrammeNotOpen, ChannelClosed, PapersMissing, UnitCodeFails,
            UnitCodeMisshapen, UnitsApplyAtTheHall,
        ),
        dependencies=[allowed("issuance:apply-units")],
    )  # fmt: skip
    async def apply_for_a_unit_s_people(said: UnitApplicationBody, call: Call) -> UnitApplicationView:
        """Take in a unit's list: its papers are looked at once, its rows one by one; a bad row fails no other."""
        here, outlet = call.caller.city, call.caller.outlet
        call.allow(city=here)
        under = bylaws.at(here, said.programme, hands.city.now())
        if bylaws.channel_of(here, outlet) not in under.applying.units_at:
            outlets = bylaws.outlets_of(here, under.applying.units_at)
            raise UnitsApplyAtTheHall(under.by("issuance.applying.units_at"), outlets=", ".join(outlets))
        unit, fits = codes.read(said.unit)
        unit_id, submission_id = f"{here}-{unit}", written(here, derived("unit list", call.command_id))
        requests, refused = list[tuple[int, SubmitApplication]](), list[RowRefused]()
        seen = set[HoldingId]()
        known = (await desk.standing(unit_id)).state.submission(submission_id) is not None
        for row, one in enumerate(() if known else said.rows, 1):
            try:
                person, holding = whom(one)
                call.allow(city=person.partition("-")[0])
                if holding in seen:
                    raise AlreadyApplied(under.by(ONE_CARD_EACH))
                seen.add(holding)
                number = derived(call.command_id, row)
                asked = Request(
                    said=one,
                    person=person,
                    holding=holding,
                    application=application_id(holding, number),
                    outlet=outlet,
                    channel=Channel.UNIT,
                    secret=derived(call.secret.hex(), row).bytes + call.secret,
                    unit=unit,
                )
                requests.append((row, replace(await submission(hands, asked), under=None)))
            except Refused as no:
                person = PersonId(one.person_id)
                refused.append(RowRefused(row=row, person_id=person, code=refusal_code(type(no)), detail=str(no)))

        def ask(_now: Unit, at: datetime) -> ApplyForPeople:
            return ApplyForPeople(
                unit_id=unit_id,
                submission_id=submission_id,
                fits=fits,
                programme=said.programme,
                outlet=outlet,
                papers=shown(said.papers),
                requests=tuple((row, replace(request, at=at)) for row, request in requests),
                refused=tuple(refused),
                at=at,
                under=bylaws.at(here, said.programme, at),
            )

        receipt = await call.handle(desk, unit_id, ask, city=here)
        return _list_view(unit, submission_id, receipt.state)

    @routes.post(
        "/v1/units/{unit}/code-proposals",
        status_code=201,
        responses=refusals(UnitCodeMisshapen, HandUnnamed),
        dependencies=[allowed("issuance:propose-unit-code")],
    )
    async def propose_a_code_that_fails(unit: UnitPath, said: CodeProposalBody, call: Call) -> UnitView:
        """The certificate really bears a code that fails its check; another person must see that too."""
        code, fits = codes.read(unit)
        proposal = ProposalId(written(call.caller.city, derived("unit code", call.command_id)))

        def ask(_now: Unit, at: datetime) -> ProposeUnitCode:
            unit_id = f"{call.caller.city}-{code}"
            return ProposeUnitCode(unit_id=unit_id, reason=said.reason, proposal_id=proposal, by=call.hand, at=at)

        receipt = await call.handle(desk, f"{call.caller.city}-{code}", ask, city=call.caller.city, reason=said.reason)
        return _unit_view(code, fits, receipt.state)

    @routes.post(
        "/v1/units/{unit}/code-proposals/{proposal_id}/approvals",
        status_code=201,
        responses=refusals(
            UnitCodeMisshapen, HandUnnamed, ProposalUnknown, ProposalOvertaken, ProposalLapsed, SameHand
        ),
        dependencies=[allowed("issuance:approve-unit-code")],
    )
    async def approve_a_code_that_fails(unit: UnitPath, proposal_id: UnitProposalPath, call: Call) -> UnitView:
        """Another person has compared the certificate too: the code counts."""
        code, fits = codes.read(unit)

        def ask(_now: Unit, at: datetime) -> AcceptUnitCode:
            unit_id = f"{call.caller.city}-{code}"
            return AcceptUnitCode(unit_id=unit_id, proposal_id=ProposalId(proposal_id), by=call.hand, at=at)

        receipt = await call.handle(desk, f"{call.caller.city}-{code}", ask, city=call.caller.city)
        return _unit_view(code, fits, receipt.state)


def _list_view(unit: str, submission_id: str, state: Unit) -> UnitApplicationView:
    brought = state.submission(submission_id)
    assert brought is not None
    rows = [
        RowView(row=row, person_id=one.person_id, application_id=one.application_id, receipt=one.receipt)
        for row, one in brought.requests
    ]
    rows += [RowView(row=one.row, person_id=one.person_id, code=one.code, detail=one.detail) for one in brought.refused]
    return UnitApplicationView(
        submission_id=submission_id,
        unit=unit,
        taken=len(brought.requests),
        refused=len(brought.refused),
        rows=sorted(rows, key=lambda one: one.row),
    )


def _unit_view(code: str, fits: bool, state: Unit) -> UnitView:
    waiting: UnitCodeProposed | None = state.proposals.waiting[-1] if state.proposals.waiting else None
    return UnitView(
        unit=code,
        fits=fits,
        accepted=state.accepted,
        proposal_id=waiting.proposal_id if waiting else "",
        proposed_until=waiting.until if waiting else None,
    )
