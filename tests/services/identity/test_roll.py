"""A roll: who stands on it gets a card without asking, row by row, each row once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel import Due, Sealed
from libs.kernel.ids import derived
from libs.testing.conversation import given
from services.identity.domain.bylaw import MassIssue
from services.identity.domain.commands import AdmitFromRoll
from services.identity.domain.decider import DataErased, PersonUnknown, due, person_desk
from services.identity.domain.documents import Kind
from services.identity.domain.duplicate.commands import ReportDuplicate, ReportPair, SettleDuplicate
from services.identity.domain.duplicate.decider import CaseSettled, CaseUnknown, duplicates
from services.identity.domain.duplicate.events import DuplicateFound, DuplicateSettled, Ruling, Why
from services.identity.domain.events import EntitlementJudged, RollRow
from services.identity.domain.roll.commands import CarryOutPage, ForgetPart, NotePage, OpenRoll, ReceivePart
from services.identity.domain.roll.decider import (
    PartChanged,
    PartsOutOfOrder,
    RollIsAnother,
    RollUnknown,
    left_out,
    rolls,
)
from services.identity.domain.roll.events import Outcome, PageCarriedOut, PartReceived, RollOpened, RowVerdict
from services.identity.domain.roll.state import Roll
from services.identity.publishing import tell, tell_of_duplicate, tell_of_roll
from services.ids import RollId, case_id, person_id, roll_id
from tests.services.identity.test_decider import CLOSED, LI, NOON, erased, granted, judged, lives_here, registered

ROLL = roll_id("330900", "insured-2026-09")
ZHOUSHAN = MassIssue(
    insured_by_one_of=frozenset({"insured_employee", "insured_resident", "insured_rural"}),
    accurate_record=True,
    second_generation_id=True,
)
ROW = RollRow(roll_id=ROLL, part=1, line=2, outlet="zs-hall")
SAID = replace(lives_here.statement, stated_at=NOON)

admit = AdmitFromRoll(
    person_id=LI,
    at=NOON,
    statements=(SAID,),
    roll_id=ROLL,
    part=1,
    line=2,
    programme="citizen-card",
    outlet="zs-hall",
    document=Kind.ID_CARD,
    particulars=CLOSED,
    reachable=True,
    verdicts=(granted,),
)
entered = replace(registered, at=NOON, judged=True)
said = replace(lives_here, judged=True)
brought = replace(judged, row=ROW)


class TestAdmission:
    """Somebody new is registered, told of and judged in one breath."""

    pytestmark = pytest.mark.requirement("R41")

    def test_who_is_new_is_registered_and_judged_at_once(self) -> None:
        facts = person_desk.decide(admit, person_desk.initial)
        assert [type(fact).__name__ for fact in facts] == [
            "PersonRegistered", "ContactGiven", "FactStated", "EntitlementJudged",
        ]  # fmt: skip
        assert (facts[0], facts[2], facts[3]) == (entered, said, brought)

    def test_nothing_is_left_for_the_clock_to_judge(self) -> None:
        assert [one for fact in person_desk.decide(admit, person_desk.initial) for one in due(fact)] == []

    def test_a_fact_that_ends_is_still_judged_when_it_does(self) -> None:
        last = NOON.date() + timedelta(days=30)
        ends = replace(admit, statements=(replace(SAID, valid_to=last),))
        hours = [one for fact in person_desk.decide(ends, person_desk.initial) for one in due(fact)]
        assert len(hours) == 1

    def test_a_row_without_a_telephone_number_gives_no_contact(self) -> None:
        facts = person_desk.decide(replace(admit, reachable=False), person_desk.initial)
        assert "ContactGiven" not in [type(fact).__name__ for fact in facts]

    def test_the_same_row_again_changes_nothing(self) -> None:
        given(person_desk, entered, said, brought).when(admit).then()

    def test_who_is_known_gets_what_is_new_and_the_card_even_if_the_verdict_is_old(self) -> None:
        known = replace(admit, document=None, particulars=None)
        given(person_desk, registered, lives_here, judged).when(known).then(brought)

    def test_who_is_not_entitled_gets_no_card(self) -> None:
        no = replace(granted, granted=False, rule="deceased")
        known = replace(admit, verdicts=(no,))
        given(person_desk, registered, lives_here, judged).when(known).then(
            EntitlementJudged(person_id=LI, at=NOON, verdict=no)
        )

    def test_nobody_is_admitted_without_particulars_or_after_an_erasure(self) -> None:
        given(person_desk).when(replace(admit, particulars=None)).refused(PersonUnknown)
        given(person_desk, registered, erased).when(admit).refused(DataErased)

    def test_the_outlet_is_told_and_not_the_row(self) -> None:
        told = tell(brought)
        assert told is not None
        assert told.model_dump()["outlet"] == "zs-hall"
        assert told.model_dump()["roll_id"] == ROLL


class TestConditions:
    """Insured in one of three schemes, an accurate record, a second-generation ID (R41); or left out and why (R42)."""

    pytestmark = pytest.mark.requirement("R41", "R42")

    @pytest.mark.parametrize("fact", ["insured_employee", "insured_resident", "insured_rural"])
    def test_each_of_the_three_schemes_is_enough(self, fact: str) -> None:
        assert left_out(frozenset({fact}), True, True, ZHOUSHAN) == ("", "")

    def test_each_condition_that_fails_is_named(self) -> None:
        insured = frozenset({"insured_rural"})
        assert left_out(frozenset({"pension_insured"}), True, True, ZHOUSHAN) == ("facts", "not-insured")
        assert left_out(insured, False, True, ZHOUSHAN) == ("accurate", "record-not-accurate")
        assert left_out(insured, True, False, ZHOUSHAN) == ("number", "no-second-generation-id")

    def test_a_city_may_ask_for_less(self) -> None:
        lenient = replace(ZHOUSHAN, accurate_record=False, second_generation_id=False)
        assert left_out(frozenset({"insured_rural"}), False, False, lenient) == ("", "")


opened = RollOpened(roll_id=ROLL, programme="citizen-card", department="hrss", name="insured-2026-09", at=NOON)
received = PartReceived(roll_id=ROLL, part=1, digest="d1", size_bytes=900, last_line=5, reference="", at=NOON)
listed = (RowVerdict(line=3, outcome=Outcome.LEFT_OUT, field="facts", code="not-insured"),)
carried = PageCarriedOut(
    roll_id=ROLL, part=1, page=1, first_line=2, last_line=4, digest="p1", ordered=2, verdicts=listed,
    is_last=False, kept=False, at=NOON,
)  # fmt: skip
open_ = OpenRoll(roll_id=ROLL, programme="citizen-card", department="hrss", name="insured-2026-09", at=NOON)
receive = ReceivePart(roll_id=ROLL, part=1, digest="d1", size_bytes=900, last_line=5, reference="", at=NOON)
note = NotePage(
    roll_id=ROLL, part=1, page=1, first_line=2, last_line=4, digest="p1", ordered=2, verdicts=listed, at=NOON
)


class TestRoll:
    def test_the_same_name_is_the_same_roll(self) -> None:
        given(rolls).when(open_).then(opened)
        given(rolls, opened).when(open_).then()
        given(rolls, opened).when(replace(open_, department="police")).refused(RollIsAnother)

    def test_a_part_that_has_come_is_never_exchanged(self) -> None:
        given(rolls, opened).when(receive).then(received)
        given(rolls, opened, received).when(receive).then()
        given(rolls, opened, received).when(replace(receive, digest="d2")).refused(PartChanged)

    def test_parts_come_in_order_and_to_an_open_roll(self) -> None:
        given(rolls).when(receive).refused(RollUnknown)
        given(rolls, opened).when(replace(receive, part=2)).refused(PartsOutOfOrder)

    def test_a_page_is_noted_once(self) -> None:
        given(rolls, opened, received).when(note).then(carried)
        given(rolls, opened, received, carried).when(note).then()
        given(rolls, opened).when(note).refused(RollUnknown)

    def test_a_page_says_what_became_of_each_of_its_rows(self) -> None:
        ordered = [RowVerdict(line=line, outcome=Outcome.ORDERED) for line in (2, 4)]
        assert carried.of_each_row == [ordered[0], *listed, ordered[1]]

    def test_a_roll_counts_what_became_of_its_rows(self) -> None:
        rest = replace(note, page=2, first_line=5, last_line=5, verdicts=(), ordered=1)
        roll = rolls.fold([opened, received, carried, *rolls.decide(rest, rolls.fold([opened, received, carried]))])
        assert isinstance(roll, Roll)
        assert (roll.count(Outcome.ORDERED), roll.count(Outcome.LEFT_OUT), roll.finished) == (3, 1, True)

    def test_the_city_carries_out_by_itself_what_it_keeps_and_then_forgets_it(self) -> None:
        kept = replace(received, reference="r1")
        assert list(rolls.due(kept)) == [Due(NOON, CarryOutPage(roll_id=ROLL, part=1, page=1))]
        assert list(rolls.due(replace(carried, kept=True))) == [Due(NOON, CarryOutPage(roll_id=ROLL, part=1, page=2))]
        last = replace(carried, kept=True, is_last=True)
        assert list(rolls.due(last)) == [Due(NOON, ForgetPart(roll_id=ROLL, part=1))]
        assert list(rolls.due(received)) == list(rolls.due(carried)) == []

    def test_counts_are_told_and_no_rows(self) -> None:
        told = tell_of_roll(carried)
        assert told is not None
        assert told.model_dump(exclude={"at", "roll_id"}) == {
            "part": 1, "last_line": 4, "ordered": 2, "noted": 0, "left_out": 1, "rejected": 0, "cases": 0,
        }  # fmt: skip
        assert tell_of_roll(received) is None


CASE = case_id(ROLL, 1, 3)
found = DuplicateFound(
    case_id=CASE, person_id=LI, roll_id=ROLL, part=1, line=3, why=Why.OLD_AND_NEW_FORM, said=Sealed(box="v1.k.row"),
    statements=(SAID,), programme="citizen-card", outlet="zs-hall", at=NOON,
)  # fmt: skip
report = ReportDuplicate(
    case_id=CASE, person_id=LI, roll_id=ROLL, part=1, line=3, why=Why.OLD_AND_NEW_FORM, said=Sealed(box="v1.k.row"),
    statements=(SAID,), programme="citizen-card", outlet="zs-hall", at=NOON,
)  # fmt: skip
OTHER = person_id("330900", derived("another entry"))
pair = ReportPair(case_id=CASE, person_id=LI, other_person_id=OTHER, why=Why.NAME_AND_BIRTH, at=NOON)
doubled = DuplicateFound(
    case_id=CASE, person_id=LI, roll_id=RollId(""), part=0, line=0, why=Why.NAME_AND_BIRTH, said=None, statements=(),
    programme="", outlet="", at=NOON, other_person_id=OTHER,
)  # fmt: skip
settle = SettleDuplicate(case_id=CASE, ruling=Ruling.SAME_PERSON, at=NOON)
settled = DuplicateSettled(
    case_id=CASE, person_id=LI, roll_id=ROLL, part=1, line=3, ruling=Ruling.SAME_PERSON, statements=(SAID,),
    programme="citizen-card", outlet="zs-hall", at=NOON,
)  # fmt: skip


class TestDuplicate:
    def test_a_case_is_found_once_and_settled_once(self) -> None:
        given(duplicates).when(report).then(found)
        given(duplicates, found).when(report).then()
        given(duplicates, found).when(settle).then(settled)
        given(duplicates, found, settled).when(settle).then()
        given(duplicates, found, settled).when(replace(settle, ruling=Ruling.ANOTHER_PERSON)).refused(CaseSettled)
        given(duplicates).when(settle).refused(CaseUnknown)

    def test_of_one_and_the_same_person_the_row_is_carried_out_after_all(self) -> None:
        [one] = duplicates.due(settled)
        assert one.command == replace(admit, document=None, particulars=None, reachable=False, line=3, verdicts=())
        assert list(duplicates.due(replace(settled, ruling=Ruling.ANOTHER_PERSON))) == []

    def test_two_entries_are_reported_once_and_of_one_person_no_row_is_carried_out(self) -> None:
        """A merge follows, and that takes two people."""
        given(duplicates).when(pair).then(doubled)
        given(duplicates, doubled).when(pair).then()
        ruled = replace(settled, roll_id=RollId(""), part=0, line=0, statements=(), programme="", outlet="",
                        other_person_id=OTHER)  # fmt: skip
        given(duplicates, doubled).when(settle).then(ruled)
        assert list(duplicates.due(ruled)) == []
        for fact in (doubled, ruled):
            assert tell_of_duplicate(fact).model_dump()["other_person_id"] == OTHER

    def test_who_it_may_be_is_told_and_not_what_the_row_says(self) -> None:
        told = tell_of_duplicate(found).model_dump_json()
        assert "v1.k.row" not in told
        assert LI in told
        assert tell_of_duplicate(settled).model_dump()["ruling"] == "same_person"
