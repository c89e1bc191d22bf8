"""A unit applies for its people: one list, each row judged alone; a code that fails its check takes two people."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from libs.kernel import Due
from libs.kernel.checkdigits import gb_11714, gb_32100
from libs.kernel.foureyes import FourEyes, Hand, ProposalId, SameHand
from libs.kernel.ids import derived, written
from libs.testing.conversation import given as given_at
from libs.testing.town import Town
from libs.web.tokens import Caller
from services.issuance.domain.application.counter import ChannelClosed, ProgrammeNotOpen
from services.issuance.domain.applying import Applying, Channel
from services.issuance.domain.papers import PapersMissing, Shown, Whose
from services.issuance.domain.unit.code import UnitCodeFails, UnitCodeMisshapen, read
from services.issuance.domain.unit.commands import AcceptUnitCode, ApplyForPeople, ProposeUnitCode
from services.issuance.domain.unit.decider import PROPOSALS_STAND_FOR, units
from services.issuance.domain.unit.events import RowRefused, UnitApplied, UnitCodeAccepted, UnitCodeProposed
from services.issuance.publishing import tell_of_unit
from tests.platform import CENTRE, CLERK, HALL, HRSS, PORTRAIT, Open, registered
from tests.services.issuance.card_drawer import ASKED, LATER, OURS, WANG, ZHOUSHAN, submit
from tests.services.issuance.card_drawer import HALL as AT_HALL

HANGZHOU, HANGZHOU_HALL = "330100", "hz-hall"
CODE, WRONG = "91350100M000100Y43", "91350203M0001QAY9B"
UNIT = f"{ZHOUSHAN}-{CODE}"
LIST = written(ZHOUSHAN, derived("a list"))
PROPOSAL = ProposalId(written(ZHOUSHAN, derived("a proposal")))
PAPERS = (
    Shown(kind="organisation_code_certificate", whose=Whose.UNIT, copy=True),
    Shown(kind="id_card", whose=Whose.DELEGATE),
)
request = replace(submit, channel=Channel.UNIT, unit=CODE, under=None)
bad_row = RowRefused(row=2, person_id=WANG, code="already-holds", detail="…")
bring = ApplyForPeople(
    unit_id=UNIT, submission_id=LIST, fits=True, programme="citizen-card", outlet=AT_HALL, papers=PAPERS,
    requests=((1, request),), refused=(bad_row,), at=ASKED, under=OURS,
)  # fmt: skip
brought = UnitApplied(
    unit_id=UNIT, submission_id=LIST, programme="citizen-card", outlet=AT_HALL, requests=((1, request),),
    refused=(bad_row,), at=ASKED,
)  # fmt: skip
propose = ProposeUnitCode(
    unit_id=UNIT, reason="so on the certificate", proposal_id=PROPOSAL, by=Hand("clerk-1"), at=ASKED
)
proposed = UnitCodeProposed(
    unit_id=UNIT, reason="so on the certificate", proposal_id=PROPOSAL, by=Hand("clerk-1"),
    until=ASKED + PROPOSALS_STAND_FOR, at=ASKED,
)  # fmt: skip
approve = AcceptUnitCode(unit_id=UNIT, proposal_id=PROPOSAL, by=Hand("centre-1"), at=LATER - timedelta(days=40))
seen_by_two = UnitCodeAccepted(
    unit_id=UNIT, proposal_id=PROPOSAL, eyes=FourEyes(proposed_by=Hand("clerk-1"), approved_by=Hand("centre-1")),
    at=approve.at,
)  # fmt: skip


@pytest.mark.parametrize("code", [CODE, "91110000600037341L", "91330100MA200022X0", "600037341"])
def test_a_code_that_keeps_its_check_is_known_however_it_is_typed(code: str) -> None:
    full_width = "".join(chr(ord(char) + 0xFEE0) for char in code)
    for typed in (code, code.lower(), f" {code[:4]} {code[4:]} ", full_width):
        assert read(typed) == (code, True)


def test_a_code_that_was_really_given_out_and_fails_its_check_is_told_apart() -> None:
    assert read(WRONG) == (WRONG, False)
    assert (gb_32100(WRONG[:-1]), gb_11714("60003734")) == ("9", "1")


@pytest.mark.parametrize("code", ["", "12345678", "9135O100M000100Y43", "x" * 10_000, "统一社会信用代码"])
def test_what_can_be_no_unit_s_code_is_refused(code: str) -> None:
    with pytest.raises(UnitCodeMisshapen):
        read(code)


@pytest.mark.requirement("R19")
def test_a_bad_row_fails_no_other_and_each_good_one_is_a_request_of_its_own() -> None:
    given_at(units).when(bring).then(brought)
    given_at(units, brought).when(replace(bring, requests=())).then()
    assert list(units.due(brought)) == [Due(ASKED, request)]


@pytest.mark.requirement("R20")
def test_a_delegate_brings_the_unit_s_certificate_with_a_copy_and_an_id_card_of_her_own() -> None:
    uncopied = (replace(PAPERS[0], copy=False), PAPERS[1])
    for papers in ((), PAPERS[:1], PAPERS[1:], uncopied):
        given_at(units).when(replace(bring, papers=papers)).refused(PapersMissing)
    with pytest.raises(PapersMissing, match=r"the unit's .* with a copy; the delegate's id card"):
        units.decide(replace(bring, papers=()), units.initial)
    credit = (replace(PAPERS[0], kind="credit_code_certificate"), PAPERS[1])
    given_at(units).when(replace(bring, papers=credit)).then(brought)


def test_a_programme_that_is_not_open_or_not_for_units_takes_no_list() -> None:
    closed = replace(OURS, applying=Applying(opens_on=LATER.date()))
    given_at(units).when(replace(bring, under=closed)).refused(ProgrammeNotOpen)
    alone = replace(OURS, applying=Applying(channels=frozenset({Channel.HALL})))
    given_at(units).when(replace(bring, under=alone)).refused(ChannelClosed)


@pytest.mark.requirement("R169")
def test_a_code_that_fails_its_check_counts_when_two_people_have_seen_the_certificate() -> None:
    given_at(units).when(replace(bring, fits=False)).refused(UnitCodeFails)
    given_at(units).when(propose).then(proposed)
    given_at(units, proposed).when(propose).then()
    given_at(units, proposed).when(replace(bring, fits=False)).refused(UnitCodeFails)
    given_at(units, proposed).when(replace(approve, by=Hand("clerk-1"))).refused(SameHand)
    given_at(units, proposed).when(approve).then(seen_by_two)
    given_at(units, proposed, seen_by_two).when(approve).then()
    given_at(units, proposed, seen_by_two).when(replace(propose, proposal_id=ProposalId("another"))).then()
    given_at(units, proposed, seen_by_two).when(replace(bring, fits=False)).then(brought)


def test_the_city_is_told_how_many_rows_were_taken_and_no_names() -> None:
    told = tell_of_unit(brought)
    assert told is not None
    assert told.model_dump(exclude={"at"}) == {
        "submission_id": LIST, "unit": CODE, "programme": "citizen-card", "outlet": AT_HALL, "taken": 1, "refused": 1,
    }  # fmt: skip
    assert tell_of_unit(proposed) is None
    assert tell_of_unit(seen_by_two) is None


# --- over HTTP ---


@pytest.fixture(scope="module")
async def a_town(open_town: Open) -> AsyncIterator[Town]:
    async with open_town() as opened:
        yield opened


CERTIFICATES: list[dict[str, Any]] = [
    {"kind": "credit_code_certificate", "whose": "unit", "copied": True},
    {"kind": "id_card", "whose": "delegate"},
]


def row(person: str, **other: Any) -> dict[str, Any]:
    return {
        "person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT,
    } | other  # fmt: skip


@pytest.mark.requirement("R19", "R20", "R12")
async def test_a_list_of_a_unit_over_http_row_by_row(a_town: Town) -> None:
    one, other = [await registered(a_town, CLERK, HRSS) for _ in range(2)]
    await a_town.drain()
    rows = [row(one), row(other, documents=["passport"]), row(one), row(other)]
    said = {"unit": CODE.lower(), "programme": "citizen-card", "papers": CERTIFICATES, "rows": rows}
    told = await a_town.post(HALL, "/v1/unit-applications", said, key="list-1")
    codes = [entry["code"] for entry in told["rows"]]
    assert codes == ["", "documents-missing", "already-applied", "already-applied"]
    assert (told["taken"], told["refused"]) == (1, 3)
    await a_town.drain()
    taken = next(entry for entry in told["rows"] if not entry["code"])
    paper = await a_town.get(HALL, f"/v1/applications/{taken['application_id']}")
    assert (paper["status"], paper["channel"], paper["receipt"]) == ("submitted", "unit", taken["receipt"])
    assert await a_town.post(HALL, "/v1/unit-applications", said, key="list-1") == told
    elsewhere = await a_town.post(CLERK, "/v1/unit-applications", said, expect=403)
    assert elsewhere["code"] == "units-apply-at-the-hall"
    without = await a_town.post(HALL, "/v1/unit-applications", said | {"papers": []}, expect=422)
    assert "the delegate's id card" in without["detail"]


@pytest.mark.requirement("R169")
async def test_a_code_that_fails_is_let_through_by_two_people_over_http(a_town: Town) -> None:
    person = await registered(a_town, CLERK, HRSS)
    await a_town.drain()
    said = {"unit": WRONG, "programme": "citizen-card", "papers": CERTIFICATES, "rows": [row(person)]}
    assert (await a_town.post(HALL, "/v1/unit-applications", said, expect=422))["code"] == "unit-code-fails"
    path = f"/v1/units/{WRONG}/code-proposals"
    proposal = (await a_town.post(HALL, path, {"reason": "so on the certificate"}))["proposal_id"]
    assert (await a_town.post(HALL, f"{path}/{proposal}/approvals", expect=403))["code"] == "same-hand"
    assert (await a_town.post(CENTRE, f"{path}/{proposal}/approvals"))["accepted"]
    assert (await a_town.post(HALL, "/v1/unit-applications", said))["taken"] == 1


# --- the other channels ---


@pytest.mark.requirement("R26", "R27")
async def test_what_the_police_pass_on_is_one_application_however_often_it_is_sent(a_town: Town) -> None:
    clerk = Caller("clerk-h", "clerk", HANGZHOU, outlet=HANGZHOU_HALL)
    hrss = Caller("hrss-h", "department", HANGZHOU, department="hrss")
    person = await registered(a_town, clerk, hrss)
    await a_town.drain()
    police = replace(hrss, id="police-h", department="police")
    said = row(person, reference="ID-2026-0001", collect_at=HANGZHOU_HALL)
    first = await a_town.post(police, "/v1/police-applications", said)
    assert first["channel"] == "police"
    for key in ("resent-1", "resent-2"):
        again = await a_town.post(police, "/v1/police-applications", said, key=key)
        assert (again["application_id"], again["receipt"]) == (first["application_id"], first["receipt"])
    await a_town.drain()
    other = await a_town.post(police, "/v1/police-applications", said | {"reference": "ID-2026-0002"}, expect=409)
    assert other["code"] == "already-applied"
    await a_town.post(hrss, "/v1/police-applications", said, expect=403)


@pytest.mark.requirement("R12")
async def test_a_second_open_application_is_refused_and_one_for_a_card_that_is_held_too(a_town: Town) -> None:
    person = await registered(a_town, CLERK, HRSS)
    await a_town.drain()
    first = (await a_town.post(HALL, "/v1/applications", row(person)))["application_id"]
    await a_town.drain()
    assert (await a_town.post(CLERK, "/v1/applications", row(person), expect=409))["code"] == "already-applied"
    await a_town.post(HALL, f"/v1/applications/{first}/acceptances")
    await a_town.drain()
    assert (await a_town.post(CLERK, "/v1/applications", row(person), expect=409))["code"] == "already-holds"


@pytest.mark.requirement("R124")
async def test_a_promise_that_was_not_kept_is_seen(open_town: Open) -> None:
    async with open_town() as town:
        person = await registered(town, CLERK, HRSS)
        await town.drain()
        paper = (await town.post(HALL, "/v1/applications", row(person)))["application_id"]
        promised = (await town.post(HALL, f"/v1/applications/{paper}/acceptances"))["promised_by"]
        await town.drain()
        assert (await town.get(HALL, "/v1/overdue-applications"))["applications"] == []
        await town.advance(promised)
        for who in (HALL, CENTRE):
            (late,) = (await town.get(who, "/v1/overdue-applications"))["applications"]
            assert (late["application_id"], late["due_by"]) == (paper, promised)
        assert (await town.get(CLERK, "/v1/overdue-applications"))["applications"] == []
