"""Whoever asks identity why is told by which rule: a verdict, a correction, an entry, a record, a row of a roll."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from libs.kernel.foureyes import ProposalId
from libs.kernel.refusals import refusal_code
from libs.kernel.why import Decision, Why, told
from libs.testing.town import Town
from libs.testing.twopeople import OTHER
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.intake import RecordNotOpened, RecordTooLong, RecordUnreadable
from services.identity.adapters.roll_files import REMEDIES
from services.identity.adapters.why import (
    EXPLAINED,
    EXPLAINED_ELSEWHERE,
    IN_CHINESE,
    NOTHING_DECIDED,
    ROW,
    NotDecidedYet,
    RowNotJudged,
    why_aside,
    why_corrected,
    why_entry,
    why_row,
)
from services.identity.domain import events as persons
from services.identity.domain.decider import DataErased, FactNotYours, MergedAway, PersonUnknown, ValidityReversed
from services.identity.domain.delivery import events as deliveries
from services.identity.domain.delivery.decider import DeliveryUnknown, RecordNotAside
from services.identity.domain.duplicate import events as duplicates
from services.identity.domain.duplicate.decider import duplicates as case_desk
from services.identity.domain.duplicate.state import Duplicate
from services.identity.domain.roll import events as rolls
from services.identity.domain.roll.events import Outcome, RowVerdict
from services.identity.routes.people import DOCUMENT_REFUSALS
from tests.platform import AUDITOR, CENTRE, CLERK, HRSS, ZHOUSHAN, id_card
from tests.services.identity import test_correcting as correcting
from tests.services.identity import test_delivery as delivering
from tests.services.identity import test_merging as merging
from tests.services.identity import test_roll as on_a_roll
from tests.services.identity.test_decider import LI, judged, registered
from tests.services.identity.test_programmes import NOON, PACKS, said
from tests.services.identity.test_programmes import judged as verdict_of

MATRIX = (Path(__file__).parents[2] / "web" / "access_matrix.txt").read_text()
E1: Any = SimpleNamespace(edition="e1")
NO_CASE = case_desk.initial
CASE = replace(on_a_roll.found, line=7)
PAGE = rolls.PageCarriedOut(
    roll_id=on_a_roll.ROLL, part=1, page=1, first_line=2, last_line=9, digest="d", ordered=2,
    verdicts=(
        RowVerdict(line=3, outcome=Outcome.NOTED),
        RowVerdict(line=4, outcome=Outcome.LEFT_OUT, field="facts", code="not-insured"),
        RowVerdict(line=5, outcome=Outcome.LEFT_OUT, field="facts", code="not-entitled"),
        RowVerdict(line=6, outcome=Outcome.REJECTED, field="number", code="check-character-wrong"),
        RowVerdict(line=7, outcome=Outcome.CASE, field="name", code="other-name"),
        RowVerdict(line=8, outcome=Outcome.LEFT_OUT, field="accurate", code="record-not-accurate"),
    ),
    is_last=True, kept=False, at=NOON,
)  # fmt: skip
ROLL_STORY = [(on_a_roll.opened, E1), (PAGE, E1)]


def told_by(*facts: Any) -> list[Any]:
    return [(one, E1) for one in facts]


def row(line: int, case: Duplicate = NO_CASE) -> Why:
    return why_row(on_a_roll.ROLL, 1, line, ROLL_STORY, case, PACKS)


def rules(why: Why) -> list[str]:
    return [ground.rule for ground in why.grounds]


def test_every_fact_of_identity_is_explained_or_said_to_be_no_decision() -> None:
    unions = (persons.Event, deliveries.Event, rolls.Event, duplicates.Event)
    facts = {fact for union in unions for fact in get_args(union)}
    explained, elsewhere = set(EXPLAINED), set(EXPLAINED_ELSEWHERE)
    assert explained | elsewhere | NOTHING_DECIDED == facts
    assert len(explained) + len(elsewhere) + len(NOTHING_DECIDED) == len(facts), "each stands in one list only"


def test_each_address_at_which_one_may_ask_is_open() -> None:
    for address in set(EXPLAINED.values()):
        assert f"GET  {address}" in MATRIX, address


def a_verdict() -> Why:
    verdict = verdict_of("zhoushan-social-security-citizen", said("insured_employee"))
    return Eligibility(PACKS).why(ZHOUSHAN, verdict, NOON)


def entry(*facts: Any) -> Why:
    return why_entry(LI, told_by(registered, *facts), PACKS)


def corrected(*facts: Any) -> Why:
    return why_corrected(LI, "C-1", told_by(registered, *facts), PACKS)


def aside(*facts: Any) -> Why:
    return why_aside(2, told_by(delivering.three_came, *facts), PACKS)


DECLINED = persons.ProposalDeclined(
    person_id=LI, proposal_id=merging.MERGING, by=OTHER, at=merging.LATER
)  # fmt: skip
DISCARDED = replace(delivering.row_2_taken, outcome=deliveries.Settled.DISCARDED, reason="sent in error")
ANOTHER = replace(on_a_roll.settled, ruling=duplicates.Ruling.ANOTHER_PERSON)
KEEPER, AGREED = "organisations.establishment#centre", "feeds.agreements#hrss"
MASS = "citizen-card/programme.mass_issue"

ANSWERS: Mapping[type, tuple[Why, Decision, list[str]]] = {
    persons.EntitlementJudged: (a_verdict(), Decision.GRANT, ["citizen-card/programme.eligibility#insured_employee"]),
    persons.PersonCorrected: (corrected(correcting.requested, correcting.corrected), Decision.GRANT, [KEEPER]),
    persons.CorrectionRefused: (corrected(correcting.requested, correcting.refused), Decision.REFUSAL, [KEEPER]),
    persons.MergeProposed: (entry(merging.proposed), Decision.DEADLINE, [KEEPER]),
    persons.PersonMerged: (entry(merging.proposed, merging.merged), Decision.BLOCK, [KEEPER]),
    persons.MergeFailed: (
        entry(persons.MergeFailed(person_id=LI, into=merging.XU, at=merging.LATER)), Decision.REFUSAL, [KEEPER],
    ),
    persons.PartingProposed: (entry(merging.parting_proposed), Decision.DEADLINE, [KEEPER]),
    persons.PersonParted: (entry(merging.parting_proposed, merging.parted), Decision.GRANT, [KEEPER]),
    persons.ProposalDeclined: (entry(merging.proposed, DECLINED), Decision.REFUSAL, [KEEPER]),
    deliveries.RecordsTaken: (aside(), Decision.REFUSAL, [AGREED]),
    deliveries.RecordSettled: (aside(DISCARDED), Decision.REFUSAL, [AGREED]),
    rolls.PageCarriedOut: (row(4), Decision.REFUSAL, [MASS]),
    duplicates.DuplicateFound: (row(7, case_desk.fold([CASE])), Decision.BLOCK, [MASS]),
    duplicates.DuplicateSettled: (row(7, case_desk.fold([CASE, ANOTHER])), Decision.REFUSAL, [MASS]),
}  # fmt: skip


@pytest.mark.parametrize("fact", EXPLAINED, ids=lambda fact: fact.__name__)
def test_each_decision_has_a_sentence_in_both_languages_and_cites_a_rule(fact: type) -> None:
    answer, decision, grounds = ANSWERS[fact]
    text = told(answer, PACKS[ZHOUSHAN])
    assert (answer.decision, rules(answer)) == (decision, grounds)
    assert text.zh != text.en
    assert not any("\u4e00" <= char <= "\u9fff" for char in answer.said.en), "no Chinese in the English sentence"
    assert all(ground.basis.en and ground.edition for ground in answer.grounds)


@pytest.mark.requirement("R35")
def test_who_kept_the_data_as_they_were_says_why_and_whose_task_it_is() -> None:
    answer = corrected(correcting.requested, correcting.refused)
    assert answer.said.zh == "市民卡中心未更正登记信息：证明材料不足"
    assert answer.said.en == "the card centre left the data as they are: the document does not show it"
    assert {ground.edition for ground in answer.grounds} == {"e1"}, "the edition of that day, not today's"
    assert corrected(correcting.requested, correcting.corrected).said.en == (
        "corrected after a look at the household register: name, birth date"
    )
    with pytest.raises(NotDecidedYet):
        corrected(correcting.requested)
    with pytest.raises(NotDecidedYet):
        why_corrected(LI, "C-2", told_by(registered, correcting.requested, correcting.refused), PACKS)


@pytest.mark.requirement("R169")
def test_an_entry_that_gave_way_names_the_one_that_stands_and_the_record_that_showed_it() -> None:
    said_of = entry(merging.proposed, merging.merged).said
    assert merging.XU in said_of.zh
    assert "registered twice, record F-1" in said_of.en
    assert entry(merging.proposed).said.en.endswith("by 2026-11-07 12:00, or it lapses")
    again = entry(merging.proposed, merging.merged, merging.parting_proposed, merging.parted)
    assert (again.decision, "F-2" in again.said.zh) == (Decision.GRANT, True), "the last word counts"
    unknown = replace(merging.merged, proposal_id=ProposalId("of before"))
    assert "is the same person; that entry" in entry(unknown).said.en
    with pytest.raises(NotDecidedYet):
        entry(judged)


@pytest.mark.requirement("R15")
def test_a_record_that_was_put_aside_says_what_is_wrong_and_until_when_it_is_kept() -> None:
    assert aside().said.en == "put aside: Nobody is registered here; the record is kept until 2026-12-06 09:00"
    assert aside().said.zh == "未收录：此人尚未登记；原记录保存至2026-12-06 09:00"
    taken = aside(delivering.row_2_taken)
    assert (taken.decision, "registered since" in taken.said.en) == (Decision.GRANT, True)
    with pytest.raises(RecordNotAside):
        why_aside(1, told_by(delivering.three_came), PACKS)
    with pytest.raises(DeliveryUnknown):
        why_aside(2, [], PACKS)


@pytest.mark.requirement("R42")
@pytest.mark.parametrize(
    ("line", "decision", "grounds", "words"),
    [
        (2, Decision.GRANT, [MASS], "a card is ordered"),
        (3, Decision.GRANT, [MASS], "whom the register knows"),
        (4, Decision.REFUSAL, [MASS], "no fact of which this programme asks for one"),
        (5, Decision.REFUSAL, ["citizen-card/programme.eligibility"], "does not entitle"),
        (6, Decision.REFUSAL, [], "the row is faulty in number: the number has a slip in it"),
        (7, Decision.BLOCK, [MASS], "a clerk compares"),
        (8, Decision.REFUSAL, [MASS], "correct the record at its source"),
    ],
)
def test_each_row_of_a_roll_can_be_asked_why(line: int, decision: Decision, grounds: list[str], words: str) -> None:
    answer = row(line)
    assert (answer.decision, rules(answer)) == (decision, grounds)
    assert words in answer.said.en


def test_a_row_that_nobody_has_carried_out_has_no_answer_yet() -> None:
    with pytest.raises(RowNotJudged):
        row(10)


def test_of_one_and_the_same_person_the_row_is_granted_after_all() -> None:
    assert row(7, case_desk.fold([CASE, on_a_roll.settled])).decision is Decision.GRANT


def test_whatever_can_be_wrong_with_a_row_or_a_record_is_said_in_chinese_too() -> None:
    records = (
        *DOCUMENT_REFUSALS, RecordUnreadable, RecordTooLong, RecordNotOpened, PersonUnknown, DataErased, MergedAway,
        FactNotYours, ValidityReversed,
    )  # fmt: skip
    assert set(IN_CHINESE) == set(REMEDIES) | {refusal_code(refusal) for refusal in records}


async def test_over_http_whoever_may_see_it_reads_the_same_text(town: Town) -> None:
    shown = {"document": id_card(), "name": "林小舟", "mobile": "13800005678"}
    person = (await town.post(CLERK, "/v1/persons", shown))["person_id"]
    base = f"/v1/persons/{person}"
    asked = await town.post(CLERK, f"{base}/corrections", {"name": "林晓舟", "proof": "id_card", "reference": "H-7"})
    correction = f"{base}/corrections/{asked['corrections'][0]['correction_id']}"
    assert (await town.get(CLERK, f"{correction}/why", expect=404))["code"] == "not-decided-yet"
    await town.post(CENTRE, f"{correction}/refusals", {"reason": "proof_insufficient"})
    answer = await town.get(CLERK, f"{correction}/why")
    assert answer == await town.get(AUDITOR, f"{correction}/why")
    assert answer["grounds"][0]["rule"] == KEEPER
    assert answer["grounds"][0]["edition"] == PACKS[ZHOUSHAN].hash
    assert (await town.get(CLERK, f"{base}/entry/why", expect=404))["code"] == "not-decided-yet"
    nobody = {"document": id_card(), "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1"}
    came = await town.post(HRSS, "/v1/deliveries", {"name": "asked-why", "records": [nobody]})
    path = f"/v1/deliveries/{came['delivery_id']}/why"
    assert (await town.get(HRSS, path, row="1"))["grounds"][0]["rule"] == AGREED
    assert (await town.get(HRSS, path, row="2", expect=404))["code"] == "record-not-aside"
    opened = {"programme": "citizen-card", "department": "hrss", "name": "asked-why"}
    roll = (await town.post(CENTRE, "/v1/rolls", opened))["roll_id"]
    assert (await town.get(CENTRE, ROW.format(roll_id=roll), expect=404))["code"] == "row-not-judged"
