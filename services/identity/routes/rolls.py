"""The desk for rolls: a list comes in parts, the city carries it out, and a clerk compares what is doubtful."""

import csv
import io
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field, StringConstraints

from libs.kernel.clocks import Clock
from libs.kernel.ids import city_of
from libs.runtime.service import Desks
from libs.vault.port import Vault
from libs.web.access import allowed
from libs.web.bodies import Body, Text
from libs.web.call import Call
from libs.web.problems import refusals
from services.identity.adapters.bylaws import CityNotServed, DataSharing, MassIssues, NoMassIssue
from services.identity.adapters.kept_parts import keeper
from services.identity.adapters.people import People
from services.identity.adapters.roll_files import REMEDIES, RollUnreadable, look_through, quoted
from services.identity.domain.decider import DataErased
from services.identity.domain.documents import mask
from services.identity.domain.duplicate.commands import SettleDuplicate
from services.identity.domain.duplicate.decider import CaseSettled, CaseUnknown
from services.identity.domain.duplicate.events import DuplicateFound, Ruling
from services.identity.domain.duplicate.state import Duplicate, NoCase, Settled
from services.identity.domain.particulars import mask_name
from services.identity.domain.roll.commands import OpenRoll, ReceivePart
from services.identity.domain.roll.decider import PartChanged, PartsOutOfOrder, RollIsAnother, RollUnknown, receive
from services.identity.domain.roll.events import Outcome
from services.identity.domain.roll.state import Roll
from services.identity.domain.state import Known, Merged
from services.identity.projections import IdentityQuestions
from services.ids import CaseId, IdMistyped, RollId, case_id, known, roll_id

CASES_MAX = 100
Found = Literal["open", "same_person", "another_person"]
TEXT_CHARS_MAX = 900_000  # Some ten thousand rows; a body ends at two million bytes.

RollPath = Annotated[str, Path(description="The roll, for example `330900-4K7MZQ0V5T8WX2N3`.")]
CasePath = Annotated[str, Path(description="The case, for example `330900-4K7MZQ0V5T8WX2N3`.")]


class RollBody(Body):
    """A list of persons who are to get a card without applying."""

    programme: Text
    department: Text
    """Whose list it is, and who states its facts."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,59}$")]
    """The same name is the same roll."""


class PartBody(Body):
    """A part of the roll: a file of its own, with its heading."""

    part: Annotated[int, Field(ge=1, le=1_000)]
    text: Annotated[str, StringConstraints(max_length=TEXT_CHARS_MAX)]
    """CSV, see docs/roll.md."""


class RulingBody(Body):
    """What a clerk finds who has compared the two."""

    ruling: Literal["same_person", "another_person"]


class PartView(BaseModel):
    """How far a part is; the first line is the heading."""

    part: int
    last_line: int
    carried_to: int


class RollView(BaseModel):
    """How far a roll is, and what became of its rows."""

    roll_id: str
    name: str
    programme: str
    department: str
    parts: list[PartView]
    finished: bool
    ordered: int
    noted: int
    left_out: int
    rejected: int
    cases: int


class DuplicateView(BaseModel):
    """A row of a roll, or another entry, beside the person whom the register knows, masked."""

    case_id: str
    roll_id: str
    part: int
    line: int
    why: str
    since: datetime
    person_id: str
    other_person_id: str = ""
    """The other entry, where both are in the register; if the two are one person, propose to merge it."""
    ruling: str = ""
    """Empty while the case is open."""
    row_number: str = ""
    row_name: str = ""
    number: str = ""
    name: str = ""
    erased: bool = False


class DuplicatesView(BaseModel):
    """Cases, the oldest first."""

    cases: list[DuplicateView]


def rolls(
    routes: APIRouter,
    desks: Desks,
    people: People,
    sharing: DataSharing,
    mass_issues: MassIssues,
    vault: Vault,
    questions: IdentityQuestions,
    city: Clock,
) -> None:
    """Open the desk for rolls."""
    lists, cases, persons = desks["roll"], desks["duplicate"], desks["person"]

    @routes.post(
        "/v1/rolls",
        status_code=201,
        responses=refusals(CityNotServed, NoMassIssue, RollIsAnother),
        dependencies=[allowed("identity:import-roll")],
    )
    async def open_a_roll(said: RollBody, call: Call) -> RollView:
        """Open a roll; its parts come next."""
        here = sharing.served(call.caller.city)
        roll = roll_id(here, said.name)

        def ask(_now: Roll, at: datetime) -> OpenRoll:
            mass_issues.at(here, said.programme, at)
            return OpenRoll(roll_id=roll, programme=said.programme, department=said.department, name=said.name, at=at)

        return view(roll, (await call.handle(lists, roll, ask, city=here)).state)

    @routes.post(
        "/v1/rolls/{roll_id}/parts",
        status_code=201,
        responses=refusals(IdMistyped, RollUnknown, PartChanged, PartsOutOfOrder, RollUnreadable),
        dependencies=[allowed("identity:import-roll")],
    )
    async def send_a_part(roll_id: RollPath, said: PartBody, call: Call) -> RollView:
        """Send a part; it is looked through at once, kept sealed, and carried out by the city itself."""
        roll, content = RollId(known(roll_id)), said.text.encode()
        survey = look_through(io.BytesIO(content))

        def ask(reference: str, at: datetime) -> ReceivePart:
            return ReceivePart(
                roll_id=roll,
                part=said.part,
                digest=survey.digest,
                size_bytes=survey.size_bytes,
                last_line=survey.last_line,
                reference=reference,
                at=at,
            )

        standing = await call.see(lists, roll, city=city_of(roll))
        if not receive(ask("", city.now()), standing.state):
            return view(roll, standing.state)  # It has come before, and may be forgotten by now.
        reference = await vault.keep(keeper(roll, said.part), "roll", content)
        receipt = await call.handle(lists, roll, lambda _now, at: ask(reference, at), city=city_of(roll))
        return view(roll, receipt.state)

    @routes.get(
        "/v1/rolls/{roll_id}",
        responses=refusals(IdMistyped, RollUnknown),
        dependencies=[allowed("identity:see-roll")],
    )
    async def how_far_a_roll_is(roll_id: RollPath, call: Call) -> RollView:
        """What became of its rows so far."""
        return view(roll_id, await standing_of(roll_id, call))

    @routes.get(
        "/v1/rolls/{roll_id}/verdicts",
        response_class=PlainTextResponse,
        responses=refusals(IdMistyped, RollUnknown),
        dependencies=[allowed("identity:see-roll")],
    )
    async def what_became_of_each_row(roll_id: RollPath, call: Call) -> PlainTextResponse:
        """Part, line and outcome of each row that was judged so far, as CSV; nothing in it says who."""
        roll = await standing_of(roll_id, call)
        lines = [quoted(["part", "line", "outcome", "field", "code"])]
        lines += [
            f"{part},{v.line},{v.outcome.value},{v.field},{v.code}\n"
            for part, about in roll.parts.items()
            for page in about.pages
            for v in page.of_each_row
        ]
        return PlainTextResponse("".join(lines), media_type="text/csv")

    @routes.get(
        "/v1/rolls/{roll_id}/rejects",
        response_class=PlainTextResponse,
        responses=refusals(IdMistyped, RollUnknown),
        dependencies=[allowed("identity:see-roll")],
    )
    async def whom_a_roll_brought_no_card(roll_id: RollPath, call: Call) -> PlainTextResponse:
        """Part, line, reason and what to do of each row that brought no card, as CSV; nothing in it says who."""
        roll = await standing_of(roll_id, call)
        listed = (Outcome.LEFT_OUT, Outcome.REJECTED, Outcome.CASE)
        lines = [quoted(["part", "line", "outcome", "field", "code", "what_to_do"])]
        lines += [
            quoted([str(part), str(v.line), v.outcome.value, v.field, v.code, REMEDIES.get(v.code, "")])
            for part, about in roll.parts.items()
            for v in about.verdicts
            if v.outcome in listed
        ]
        return PlainTextResponse("".join(lines), media_type="text/csv")

    @routes.get(
        "/v1/rolls/{roll_id}/duplicates",
        responses=refusals(IdMistyped, RollUnknown),
        dependencies=[allowed("identity:settle-duplicate")],
    )
    async def which_rows_of_a_roll_are_doubtful(roll_id: RollPath, call: Call) -> DuplicatesView:
        """The cases of a roll, open and settled."""
        roll = await standing_of(roll_id, call)
        doubtful = [
            case_id(RollId(roll_id), part, verdict.line)
            for part, about in roll.parts.items()
            for verdict in about.verdicts
            if verdict.outcome is Outcome.CASE
        ]
        return DuplicatesView(cases=[await compared((await cases.standing(case)).state) for case in doubtful])

    @routes.get("/v1/duplicates", dependencies=[allowed("identity:settle-duplicate")])
    async def who_may_stand_in_the_register_twice(
        call: Call, ruling: Found = "open", most: Annotated[int, Query(ge=1, le=CASES_MAX)] = CASES_MAX
    ) -> DuplicatesView:
        """What waits for a clerk in the whole city, whichever roll has shown it; or what was ruled in one way."""
        here = sharing.served(call.caller.city)
        found = await questions.suspects(here, "" if ruling == "open" else ruling, most)
        return DuplicatesView(cases=[await compared((await cases.standing(case)).state) for case in found])

    @routes.get(
        "/v1/duplicates/{case_id}",
        responses=refusals(IdMistyped, CaseUnknown),
        dependencies=[allowed("identity:settle-duplicate")],
    )
    async def what_a_row_says_beside_the_register(case_id: CasePath, call: Call) -> DuplicateView:
        """A row and the person whom the register knows by its document, masked."""
        standing = await call.see(cases, known(case_id), city=city_of(case_id))
        return await compared(standing.state)

    @routes.post(
        "/v1/duplicates/{case_id}/rulings",
        status_code=201,
        responses=refusals(IdMistyped, CaseUnknown, CaseSettled),
        dependencies=[allowed("identity:settle-duplicate")],
    )
    async def settle_a_case(case_id: CasePath, said: RulingBody, call: Call) -> DuplicateView:
        """Say whether the two are one; of one and the same person the row is carried out after all.

        Two entries are merged by two people; see `other_person_id`.
        """
        case = CaseId(known(case_id))

        def ask(_now: Duplicate, at: datetime) -> SettleDuplicate:
            return SettleDuplicate(case_id=case, ruling=Ruling(said.ruling), at=at)

        return await compared((await call.handle(cases, case, ask, city=city_of(case))).state)

    async def standing_of(roll_id: str, call: Call) -> Roll:
        roll: Roll = (await call.see(lists, known(roll_id), city=city_of(roll_id))).state
        if not roll.opened:
            raise RollUnknown
        return roll

    async def entry(person: str) -> Known | None:
        """An entry as it was told of, also if it was merged since; None for the erased."""
        state = (await persons.standing(person)).state
        if isinstance(state, Merged):
            return state.was
        return state if isinstance(state, Known) else None

    async def beside(found: DuplicateFound) -> tuple[str, str]:
        """Number and name of the row, or of the other entry. Raises DataErased."""
        if found.said is not None:
            ((number, name),) = csv.reader([await people.open_row(found.person_id, found.said)])
            return number, name
        other = await entry(str(found.other_person_id))
        if other is None:
            raise DataErased
        opened = await people.open(other)
        return opened.number, opened.name

    async def compared(case: Duplicate) -> DuplicateView:
        if isinstance(case, NoCase):
            raise CaseUnknown
        found: DuplicateFound = case.found
        bare = DuplicateView(
            case_id=found.case_id,
            roll_id=found.roll_id,
            part=found.part,
            line=found.line,
            why=found.why.value,
            since=found.at,
            person_id=found.person_id,
            other_person_id=found.other_person_id or "",
            ruling=case.ruling.value if isinstance(case, Settled) else "",
        )
        person = await entry(found.person_id)
        if person is None:
            return bare.model_copy(update={"erased": True})
        try:
            row_number, row_name = await beside(found)
            opened = await people.open(person)
        except DataErased:
            return bare.model_copy(update={"erased": True})
        return bare.model_copy(
            update={
                "row_number": mask(row_number),
                "row_name": mask_name(row_name),
                "number": mask(opened.number),
                "name": mask_name(opened.name),
            }
        )


def view(roll_id: str, roll: Roll) -> RollView:
    """A roll as its desk sees it."""
    return RollView(
        roll_id=roll_id,
        name=roll.name,
        programme=roll.programme,
        department=roll.department,
        parts=[
            PartView(part=nth, last_line=part.last_line, carried_to=part.carried_to) for nth, part in roll.parts.items()
        ],
        finished=roll.finished,
        ordered=roll.count(Outcome.ORDERED),
        noted=roll.count(Outcome.NOTED),
        left_out=roll.count(Outcome.LEFT_OUT),
        rejected=roll.count(Outcome.REJECTED),
        cases=roll.count(Outcome.CASE),
    )
