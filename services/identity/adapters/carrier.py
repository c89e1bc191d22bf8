"""Carries a roll out: a page of rows is judged, registered, sealed and stored together, each row once (R41, R42)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from libs.eventsourcing.desk import Desk, Order
from libs.kernel import Refused
from libs.kernel.calendar import shanghai_day
from libs.kernel.clocks import Clock, to_the_millisecond
from libs.kernel.ids import city_of, derived, derived_in_line
from libs.runtime.service import Desks
from services.identity.adapters.bylaws import DataSharing, MassIssues
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.merges import entry_now
from services.identity.adapters.pairs import Pairs
from services.identity.adapters.people import People, comparable
from services.identity.adapters.roll_files import Fault, Page, Reading, Row, quoted
from services.identity.domain.bylaw import MassIssue
from services.identity.domain.commands import AdmitFromRoll
from services.identity.domain.decider import DataErased
from services.identity.domain.duplicate.commands import ReportDuplicate
from services.identity.domain.duplicate.events import Why
from services.identity.domain.events import Statement, Verdict
from services.identity.domain.particulars import age
from services.identity.domain.roll.commands import NotePage
from services.identity.domain.roll.decider import left_out
from services.identity.domain.roll.events import Outcome, RowVerdict
from services.identity.domain.roll.state import Roll
from services.identity.domain.state import Known, Merged, Person
from services.ids import PersonId, RollId, case_id, person_on_roll

_CHANNEL = "roll"


@dataclass(frozen=True, slots=True)
class Errand:
    """Which part of which roll is carried out, on whose word, and what the city had decided when it began."""

    roll_id: RollId
    part: int
    programme: str
    department: str
    encoding: str
    actor: str
    bylaws: str = ""

    @property
    def city(self) -> str:
        return city_of(self.roll_id)

    @property
    def part_id(self) -> UUID:
        """The line in which the rows of this part stand, one after another."""
        return derived("roll part", self.roll_id, self.part)


@dataclass
class _Sheet:
    """A page in work."""

    errand: Errand
    at: datetime
    reading: Reading
    under: MassIssue
    verdicts: dict[int, RowVerdict] = field(default_factory=dict)

    def say(self, line: int, outcome: Outcome, field_: str = "", code: str = "") -> None:
        self.verdicts[line] = RowVerdict(line=line, outcome=outcome, field=field_, code=code)


class Carrier:
    """Judges and admits the rows of rolls. Whatever it does is named by roll, part and line, so it may do it again."""

    def __init__(
        self,
        desks: Desks,
        people: People,
        sharing: DataSharing,
        mass_issues: MassIssues,
        eligibility: Eligibility,
        city: Clock,
    ) -> None:
        self._desks, self._people, self._sharing = desks, people, sharing
        self._mass_issues, self._eligibility, self._city = mass_issues, eligibility, city
        self._persons: Desk[Person] = desks["person"]
        self._pairs = Pairs(people, desks["person"], desks["duplicate"])
        self._rolls: Desk[Roll] = desks["roll"]
        self._judged: dict[tuple[Any, ...], tuple[Verdict, ...]] = {}
        self._judged_on: date | None = None

    async def carry_out(self, errand: Errand, page: Page) -> Sequence[RowVerdict]:
        """Judge the rows of a page and note that it is done; returns what became of each row, in order.

        Done again after a crash, it comes to the same and nothing happens twice. Raises Outage.
        """
        verdicts = await self._judge(errand, page)
        listed = tuple(one for one in verdicts if one.outcome is not Outcome.ORDERED)

        def ask(_now: Roll, at: datetime) -> NotePage:
            return NotePage(
                roll_id=errand.roll_id,
                part=errand.part,
                page=page.number,
                first_line=page.first_line,
                last_line=page.last_line,
                digest=page.digest,
                ordered=len(verdicts) - len(listed),
                verdicts=listed,
                at=at,
            )

        order = self._order(errand, derived("roll page", errand.roll_id, errand.part, page.number))
        await self._rolls.handle(errand.roll_id, ask, order)
        return verdicts

    async def _judge(self, errand: Errand, page: Page) -> Sequence[RowVerdict]:
        at = to_the_millisecond(self._city.now())
        reading = Reading(
            on=shanghai_day(at),
            encoding=errand.encoding,
            facts=self._sharing.facts_of(errand.city, errand.department),
            outlets=self._sharing.outlets(errand.city),
        )
        sheet = _Sheet(errand, at, reading, self._mass_issues.at(errand.city, errand.programme, at))
        rows, old_forms = self._without_the_left_out(sheet, self._sound_rows(sheet, page))
        while rows:  # Who stands twice on a page comes a second time, when the first has been registered.
            turn = {row.document.match_key: row for row in reversed(rows)}
            await self._admit(sheet, list(reversed(turn.values())))
            rows = [row for row in rows if row.line not in sheet.verdicts]
        await self._look_for_old_forms(sheet, old_forms)
        return [sheet.verdicts[line] for line in range(page.first_line, page.last_line + 1)]

    @staticmethod
    def _sound_rows(sheet: _Sheet, page: Page) -> list[Row]:
        rows = []
        for line, raw in enumerate(page.lines, page.first_line):
            try:
                rows.append(sheet.reading.row(line, raw))
            except Fault as fault:
                sheet.say(line, Outcome.REJECTED, fault.field, fault.code)
        return rows

    def _without_the_left_out(self, sheet: _Sheet, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        """Who meets the conditions, and who fails by the document alone."""
        admitted, old_forms = [], []
        for row in rows:
            second_generation = row.document.kind.value == "id_card" and not row.old_form
            field_, code = left_out(frozenset(row.facts), row.accurate, second_generation, sheet.under)
            if code == "no-second-generation-id":
                old_forms.append(row)
            if code:
                sheet.say(row.line, Outcome.LEFT_OUT, field_, code)
            elif not self._grants(sheet, row):
                sheet.say(row.line, Outcome.LEFT_OUT, "facts", "not-entitled")
            else:
                admitted.append(row)
        return admitted, old_forms

    async def _look_for_old_forms(self, sheet: _Sheet, rows: Sequence[Row]) -> None:
        """A document that brings no card by itself may still be that of somebody whom the register knows."""
        if not rows:
            return
        holders = await self._people.find_many(sheet.errand.city, [row.document for row in rows])
        known = [(row, holder) for row, holder in zip(rows, holders, strict=True) if holder is not None]
        await self._compare(sheet, known)

    def _grants(self, sheet: _Sheet, row: Row) -> bool:
        return any(v.granted for v in self._judge_row(sheet, row)[0] if v.programme == sheet.errand.programme)

    def _verdicts(self, sheet: _Sheet, row: Row) -> tuple[Verdict, ...]:
        """What the city's tables say of somebody of whom nothing else is known, with her own dates."""
        judged, is_own = self._judge_row(sheet, row)
        if is_own:
            return judged
        return tuple(
            [
                replace(v, used=tuple([replace(u, valid_from=row.valid_from, stated_at=sheet.at) for u in v.used]))
                for v in judged
            ]
        )

    def _judge_row(self, sheet: _Sheet, row: Row) -> tuple[tuple[Verdict, ...], bool]:
        """The verdicts, asked for once for each tuple of facts, and whether they are of this row alone."""
        if self._judged_on != sheet.reading.on:
            self._judged, self._judged_on = {}, sheet.reading.on
        errand, birth = sheet.errand, row.opened.birth
        years = age(birth, sheet.reading.on)
        about = (errand.city, errand.department, row.facts, years)
        if (judged := self._judged.get(about)) is None:
            said = self._said(sheet, row)
            judged = self._eligibility.verdicts(errand.city, said, years, sheet.at, birth)
            turn = any(verdict.holds_until for verdict in judged)  # Then days or birthdays count, and nobody is alike.
            if turn or self._eligibility.counts_days(errand.city, sheet.at):
                return judged, True
            self._judged[about] = judged
        return judged, False

    @staticmethod
    def _said(sheet: _Sheet, row: Row) -> tuple[Statement, ...]:
        return tuple(
            Statement(
                fact=fact,
                department=sheet.errand.department,
                valid_from=row.valid_from,
                valid_to=None,
                ended=False,
                reference=row.reference,
                stated_at=sheet.at,
            )
            for fact in row.facts
        )

    async def _admit(self, sheet: _Sheet, rows: Sequence[Row]) -> None:
        """Rows with different documents: whoever is new is registered, whoever is known is compared."""
        errand = sheet.errand
        part = errand.part_id
        newcomers = [person_on_roll(errand.city, part, row.line) for row in rows]
        holders = await self._people.claim_many(
            errand.city, [(row.document, person) for row, person in zip(rows, newcomers, strict=True)]
        )
        new, known = [], []
        for row, newcomer, holder in zip(rows, newcomers, holders, strict=True):
            if not holder:
                sheet.say(row.line, Outcome.LEFT_OUT, "number", "erased")
            elif holder == newcomer:
                new.append((row, newcomer))
            else:
                known.append((row, holder))
        await self._compare(sheet, known)
        closed = await self._people.close_many([(person, row.opened) for row, person in new])
        wishes: list[tuple[Row, AdmitFromRoll]] = []
        for (row, person), particulars in zip(new, closed, strict=True):
            if particulars is None:
                sheet.say(row.line, Outcome.LEFT_OUT, "number", "erased")
                continue
            command = AdmitFromRoll(
                person_id=person,
                at=sheet.at,
                statements=self._said(sheet, row),
                roll_id=errand.roll_id,
                part=errand.part,
                line=row.line,
                programme=errand.programme,
                outlet=row.outlet,
                document=row.document.kind,
                particulars=particulars,
                reachable=bool(row.opened.mobile),
                verdicts=self._verdicts(sheet, row),
            )
            wishes.append((row, command))
        await self._hand_in(sheet, wishes, Outcome.ORDERED)
        for row, command in wishes:
            await self._pairs.look(row.document, row.opened, command.person_id, errand.actor, _CHANNEL)

    async def _compare(self, sheet: _Sheet, known: Sequence[tuple[Row, PersonId]]) -> None:
        """Whom the register knows by the same document: the same in every way, or a case for a clerk."""
        if not known:
            return
        errand = sheet.errand
        standings = await self._persons.standings([person for _, person in known])
        states = [one.state.was if isinstance(one.state, Merged) else one.state for one in standings]
        stands = {
            one.state.person_id: await entry_now(self._persons, one.state.into)
            for one in standings
            if isinstance(one.state, Merged)
        }
        living = [person for person in states if isinstance(person, Known)]
        told = await self._people.who_many(living)
        who: Mapping[str, tuple[str, str] | None] = {
            person.person_id: one for person, one in zip(living, told, strict=True)
        }
        wishes: list[tuple[Row, AdmitFromRoll]] = []
        for (row, holder), person in zip(known, states, strict=True):
            opened = who.get(holder)
            if not isinstance(person, Known) or opened is None:
                sheet.say(row.line, Outcome.LEFT_OUT, "number", "erased")
                continue
            name, number = opened
            if number != row.document.number or row.old_form:
                await self._report(sheet, row, person, Why.OLD_AND_NEW_FORM)
            elif comparable(name) != comparable(row.opened.name):
                await self._report(sheet, row, person, Why.OTHER_NAME)
            elif person.row and person.row.roll_id == errand.roll_id and (
                (person.row.part, person.row.line) != (errand.part, row.line)
            ):  # fmt: skip
                sheet.say(row.line, Outcome.REJECTED, "row", "twice-in-roll")
            else:
                command = AdmitFromRoll(
                    person_id=stands.get(holder, holder),
                    at=sheet.at,
                    statements=self._said(sheet, row),
                    roll_id=errand.roll_id,
                    part=errand.part,
                    line=row.line,
                    programme=errand.programme,
                    outlet=row.outlet,
                )
                wishes.append((row, command))
        await self._hand_in(sheet, wishes, Outcome.NOTED)

    async def _report(self, sheet: _Sheet, row: Row, person: Known, why: Why) -> None:
        errand = sheet.errand
        said = await self._people.close_row(person.person_id, quoted([row.document.number, row.opened.name]))
        if said is None:
            sheet.say(row.line, Outcome.LEFT_OUT, "number", "erased")
            return
        case = case_id(errand.roll_id, errand.part, row.line)
        report = ReportDuplicate(
            case_id=case,
            person_id=person.person_id,
            roll_id=errand.roll_id,
            part=errand.part,
            line=row.line,
            why=why,
            said=said,
            statements=self._said(sheet, row),
            programme=errand.programme,
            outlet=row.outlet,
            at=sheet.at,
        )
        await self._desks.handle(report, self._order(errand, derived("roll case", case)))
        field_ = "number" if why is Why.OLD_AND_NEW_FORM else "name"
        sheet.say(row.line, Outcome.CASE, field_, why.value.replace("_", "-"))

    async def _hand_in(self, sheet: _Sheet, wishes: Sequence[tuple[Row, AdmitFromRoll]], outcome: Outcome) -> None:
        """All together; whoever is not plain sailing has a turn of their own."""
        if not wishes:
            return
        errand = sheet.errand
        part = errand.part_id
        orders = [
            (command, self._order(errand, derived_in_line(part, row.line, "roll row"))) for row, command in wishes
        ]
        done = await self._desks.handle_many(orders)
        for (row, _), (command, order), is_done in zip(wishes, orders, done, strict=True):
            try:
                if not is_done:
                    await self._desks.handle(command, order)
            except DataErased:
                sheet.say(row.line, Outcome.LEFT_OUT, "number", "erased")
            except Refused:
                sheet.say(row.line, Outcome.LEFT_OUT, "row", "refused")
            else:
                sheet.say(row.line, outcome)

    @staticmethod
    def _order(errand: Errand, command_id: UUID) -> Order:
        return Order(
            command_id=command_id,
            actor=errand.actor,
            channel=_CHANNEL,
            city=errand.city,
            bylaws=errand.bylaws,
            correlation=errand.roll_id,
        )
