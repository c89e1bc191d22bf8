"""Whoever asks the loss desk why is told by which report, under which rules as they were then, and until when."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest

from libs.kernel import Refused
from libs.kernel.why import Decision, Why, told
from libs.testing.town import Town
from libs.web.tokens import Caller
from services.loss.adapters.answers import FunctionNotNamed, NotStopped
from services.loss.adapters.bylaws import LossBylaws
from services.loss.adapters.why import (
    EXPLAINED,
    EXPLAINED_ELSEWHERE,
    NOTHING_DECIDED,
    About,
    NotDecided,
    why,
)
from services.loss.domain import events
from services.loss.domain.bylaw import Grounds
from services.loss.domain.events import Cooling, Event, Stop, StopHastened
from services.loss.domain.liability import SENTENCES, Rule
from tests.platform import AUDITOR, CENTRE, CLERK, HOTLINE, ICBC, PUTUO, a_card_in_use, approved
from tests.services.loss import desk_drawer as drawer
from tests.services.loss.desk_drawer import CARD, HOUR, MORNING, NEXT_CARD, NIGHT, NOON, SECOND, ZHOUSHAN, issued
from tests.services.loss.places import bylaw_of, bylaws_of

EDITION = "0123456789abcdef"
"""The edition that stands beside the facts; the city has enacted others since."""


def cited(fact: Any, place: str = "zhoushan", **otherwise: Any) -> Any:
    """The same fact with the entries of this place's bylaws by which it was decided."""
    return replace(fact, grounds=replace(bylaw_of(place).grounds, edition=EDITION), **otherwise)


by_telephone, by_telephone_sternly = cited(drawer.called), cited(drawer.called_sternly)
in_writing = cited(drawer.signed)
lifted, to_be_lifted, reissue = cited(drawer.lifted), cited(drawer.to_be_lifted), cited(drawer.reissue)
worn, cancelled, to_be_cancelled = cited(drawer.worn), cited(drawer.cancelled), cited(drawer.to_be_cancelled)
objected_to_the_end = replace(drawer.objected, proposal_id=drawer.CANCELLING)
in_nanjing = cited(
    drawer.signed, "nanjing", stops=(Stop(function="epurse", from_=MORNING + 365 * drawer.DAY, or_captured=True),)
)
captured = StopHastened(holding_id=drawer.HOLDING, card_id=CARD, function="epurse", at=NOON, signed=True)
cools = Cooling(function="epurse", until=drawer.shanghai(10, 14, 24))
lifted_in_nanjing = cited(drawer.lifted_by_two, "nanjing", at=NOON + SECOND, cooling=(cools,))


def asked(
    about: About, *facts: Event, function: str = "medical", at: datetime | None = None, by: LossBylaws = drawer.BYLAWS
) -> Why:
    """What is said of it; right after the last fact, if no other moment is named."""
    return why(about, CARD, facts, at or max(fact.at for fact in facts) + SECOND, by, function)


def leaves(of: Why) -> set[str]:
    return {ground.rule.rpartition(".")[2] for ground in of.grounds}


def test_every_fact_of_the_loss_desk_is_explained_or_said_to_be_no_decision() -> None:
    facts, elsewhere = set(get_args(events.Event)), set(EXPLAINED_ELSEWHERE)
    assert set(EXPLAINED) | elsewhere | NOTHING_DECIDED == facts
    assert len(EXPLAINED) + len(elsewhere) + len(NOTHING_DECIDED) == len(facts), "each stands in one list only"
    assert {about for every in EXPLAINED.values() for about in every} == set(get_args(About))


Story = tuple[str, str, tuple[Event, ...]]
"""The place, the function that is asked about, and what happened there."""
STORIES: dict[tuple[type, About], Story] = {
    (events.LossPreReported, "block"): ("zhoushan", "medical", (issued, by_telephone)),
    (events.LossPreReported, "deadline"): ("zhoushan", "medical", (issued, by_telephone)),
    (events.LossPreReported, "liability"): ("zhoushan", "medical", (issued, by_telephone)),
    (events.LossReported, "block"): ("zhoushan", "medical", (issued, by_telephone, in_writing)),
    (events.LossReported, "deadline"): ("shaoguan", "", (issued, cited(drawer.signed, "shaoguan", lapses_at=HOUR))),
    (events.LossReported, "fee"): ("jiangyin", "", (issued, cited(drawer.signed, "jiangyin", fee_fen=1000))),
    (events.LossReported, "liability"): ("zhoushan", "medical", (issued, in_writing)),
    (events.StopHastened, "block"): ("nanjing", "epurse", (issued, in_nanjing, captured)),
    (events.StopHastened, "liability"): ("nanjing", "epurse", (issued, in_nanjing, captured)),
    (events.LossLapsed, "release"): ("zhoushan", "medical", (issued, by_telephone, drawer.lapsed)),
    (events.LiftProposed, "release"): ("zhoushan", "medical", (issued, in_writing, to_be_lifted)),
    (events.LossLifted, "release"): ("zhoushan", "medical", (issued, by_telephone, lifted)),
    (events.LossLifted, "block"): ("nanjing", "epurse", (issued, in_nanjing, captured, lifted_in_nanjing)),
    (events.ProposalDeclined, "release"): ("zhoushan", "", (issued, in_writing, to_be_lifted, drawer.objected)),
    (events.ProposalDeclined, "ending"): ("zhoushan", "", (issued, to_be_cancelled, objected_to_the_end)),
    (events.ReissueOrdered, "new_card"): ("zhoushan", "", (issued, in_writing, reissue)),
    (events.ReissueOrdered, "fee"): ("zhoushan", "", (issued, in_writing, reissue)),
    (events.ReplacementOrdered, "new_card"): ("zhoushan", "", (issued, worn)),
    (events.ReplacementOrdered, "fee"): ("zhoushan", "", (issued, worn)),
    (events.CancellationProposed, "ending"): ("zhoushan", "", (issued, to_be_cancelled)),
    (events.CardCancelled, "ending"): ("zhoushan", "", (issued, to_be_cancelled, cancelled)),
    (events.CardCancelled, "liability"): ("zhoushan", "medical", (issued, cancelled)),
    (events.CardSucceeded, "ending"): ("zhoushan", "", (issued, in_writing, reissue, drawer.succeeded)),
    (events.CardSucceeded, "liability"): ("zhoushan", "medical", (issued, worn, drawer.succeeded)),
}


@pytest.mark.requirement("R11")
@pytest.mark.parametrize(
    ("fact", "about"),
    [(fact, about) for fact, every in EXPLAINED.items() for about in every],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_each_decision_has_a_sentence_in_both_languages_and_cites_what_stands_beside_the_fact(
    fact: type, about: About
) -> None:
    place, function, facts = STORIES[fact, about]
    assert type(facts[-1]) is fact
    answer = asked(about, *facts, function=function, by=bylaws_of(place))
    text = told(answer, bylaws_of(place).names(ZHOUSHAN))
    assert text.zh != text.en
    assert "_" not in text.zh.splitlines()[0], "every name is a name"
    basis = {ground.basis.en for ground in answer.grounds if ground.edition == EDITION}
    assert any(place in one or "default of this platform" in one for one in basis), "as it stood beside the fact"
    assert not any("taken out" in one for one in basis)
    try:
        before = asked(about, *facts, function=function, by=bylaws_of(place), at=facts[-1].at - SECOND)
    except Refused:
        return
    assert before != answer, "it is this fact that is told of"


# --- blocks ---


def test_a_call_is_explained_by_what_it_covers_how_long_it_lasts_and_what_comes_then() -> None:
    told = asked("block", issued, by_telephone)
    assert (told.decision, told.at) == (Decision.BLOCK, drawer.called.at)
    assert leaves(told) == {"pre_report_covers", "pre_report_window", "on_lapse"}
    assert {ground.edition for ground in told.grounds} == {EDITION}
    assert "电话挂失" in told.said.zh
    assert "自动恢复" in told.said.zh
    assert "works again by itself" in told.said.en


def test_a_signature_takes_the_place_of_the_call_in_the_answer_too() -> None:
    told = asked("block", issued, by_telephone, in_writing)
    assert leaves(told) == {"written_report_covers"}
    assert told.at == drawer.signed.at
    assert "until the report is lifted" in told.said.en


def test_a_report_that_will_take_the_card_with_it_says_so() -> None:
    assert "注销" in asked("block", issued, by_telephone_sternly).said.zh
    in_shaoguan = cited(drawer.signed, "shaoguan", lapses_at=HOUR, ends_card=True)
    assert "unless the report is lifted" in asked("block", issued, in_shaoguan).said.en


def test_once_a_new_card_was_applied_for_nothing_is_said_to_come_back() -> None:
    assert "for good" in asked("block", issued, in_writing, reissue).said.en


def test_without_a_function_the_report_is_named_that_stops_what_is_stopped() -> None:
    debit = cited(drawer.signed, stops=(Stop(function="bank_debit", from_=MORNING),))
    lifted_again = replace(lifted, functions=("bank_debit",))
    assert asked("block", issued, by_telephone, debit, lifted_again, function="").at == by_telephone.at


def test_a_capture_of_long_ago_is_not_told_of_a_new_report() -> None:
    again = replace(in_nanjing, at=NOON + drawer.DAY)
    once_more = asked("block", issued, in_nanjing, captured, lifted_in_nanjing, again, function="epurse")
    assert "captured" not in once_more.said.en


def test_what_is_not_stopped_is_not_explained() -> None:
    for facts in ((issued,), (issued, by_telephone, drawer.lapsed)):
        with pytest.raises(NotStopped, match="it has stopped: nothing"):
            asked("block", *facts)
    with pytest.raises(NotStopped, match="transit"):
        asked("block", issued, by_telephone, function="transit")
    with pytest.raises(NotStopped):
        why("block", NEXT_CARD, [], NIGHT, drawer.BYLAWS, "medical")


def test_a_block_that_is_over_can_be_asked_about_at_its_time() -> None:
    story = (issued, by_telephone, drawer.lapsed)
    then = asked("block", *story, at=NIGHT + SECOND)
    assert then == asked("block", issued, by_telephone), "what came later changes no answer about then"
    with pytest.raises(NotStopped):
        asked("block", *story, at=NIGHT - SECOND)
    gone = (issued, in_writing, reissue, drawer.succeeded)
    assert asked("block", *gone, at=MORNING + SECOND).at == MORNING
    with pytest.raises(NotStopped):
        asked("block", *gone)


def test_an_entry_that_somebody_has_taken_out_is_not_passed_off_as_another() -> None:
    gone = Grounds(edition=EDITION, articles=("citizen-card/loss.on_lapse@2001-01-01/2001-01-01",))
    (ground,) = asked("block", issued, replace(drawer.called, grounds=gone)).grounds
    assert "taken out" in ground.basis.en
    assert ground.ref == gone.articles[0]


# --- what works again ---


def test_a_function_that_works_again_by_itself_is_explained_by_the_report_that_ran_out() -> None:
    told = asked("release", issued, by_telephone, drawer.lapsed)
    assert (told.decision, told.at) == (Decision.DEADLINE, HOUR)
    assert leaves(told) == {"pre_report_covers", "pre_report_window", "on_lapse"}
    assert "2026-10-11 00:00:00" in told.said.zh
    assert asked("release", issued, by_telephone, at=HOUR) == told, "the hour that was set counts, not its timer"


@pytest.mark.parametrize(("place", "rule"), [("wuxi", "lift_after_call"), ("zhoushan", "lift")])
def test_a_lifted_call_cites_what_the_city_has_said_of_calls_or_else_of_lifting(place: str, rule: str) -> None:
    told = asked("release", issued, by_telephone, cited(drawer.lifted, place), by=bylaws_of(place))
    assert (told.decision, leaves(told)) == (Decision.GRANT, {rule})


def test_a_lift_that_must_cool_says_from_when_it_works() -> None:
    told = asked("release", issued, in_nanjing, captured, lifted_in_nanjing, function="epurse")
    assert leaves(told) == {"lift", "cooling_after_lift"}
    assert "2026-10-15 00:00:00" in told.said.en


def test_a_function_that_was_not_freed_is_not_said_to_work() -> None:
    debit = replace(lifted, functions=("bank_debit",))
    assert asked("release", issued, by_telephone, debit, function="bank_debit").at == debit.at
    with pytest.raises(NotDecided, match="about the release of card"):
        asked("release", issued, by_telephone, debit)


def test_a_proposal_that_was_taken_back_is_not_laid_at_another_persons_door() -> None:
    taken_back = replace(drawer.objected, by=to_be_lifted.by)
    assert "taken it back" in asked("release", issued, in_writing, to_be_lifted, taken_back).said.en
    assert "did not agree" in asked("release", issued, in_writing, to_be_lifted, drawer.objected).said.en


# --- deadlines, ends, new cards, fees ---


def test_until_when_the_holder_has_time_is_told_with_what_comes_then() -> None:
    told = asked("deadline", issued, by_telephone)
    assert told.decision is Decision.DEADLINE
    assert "届时自动恢复“就医购药结算”" in told.said.zh
    assert "the card ends" in asked("deadline", issued, by_telephone_sternly).said.en
    assert "provisional" in asked("deadline", issued, replace(by_telephone, provisional=True)).said.en


def test_there_is_no_deadline_where_none_was_set_nor_once_a_new_card_was_applied_for() -> None:
    runs_out = cited(drawer.signed, "shaoguan", lapses_at=HOUR, ends_card=True)
    for facts in ((issued,), (issued, in_writing), (issued, runs_out, reissue)):
        with pytest.raises(NotDecided):
            asked("deadline", *facts)


def test_a_card_that_ended_with_an_unsigned_report_names_the_rules_of_that_report() -> None:
    told = asked("ending", issued, by_telephone_sternly, drawer.lapsed_sternly)
    assert (told.decision, told.at) == (Decision.BLOCK, HOUR)
    assert leaves(told) == {"pre_report_covers", "pre_report_window", "on_lapse"}
    assert "电话挂失期满未书面挂失" in told.said.zh
    assert asked("ending", issued, by_telephone_sternly, drawer.lapsed_sternly, function="epurse") == told
    follower = replace(drawer.lapsed_sternly, card_id=NEXT_CARD, with_card_id=CARD, at=HOUR + SECOND)
    heir = why("ending", NEXT_CARD, [issued, by_telephone_sternly, drawer.lapsed_sternly, follower],
               HOUR + drawer.DAY, drawer.BYLAWS)  # fmt: skip
    assert (heir.grounds, "ended with it" in heir.said.en) == (told.grounds, True)


def test_a_card_is_not_said_to_have_gone_by_the_order_of_its_follower() -> None:
    heirs = replace(worn, card_id=NEXT_CARD, at=drawer.AUTUMN + SECOND, grounds=Grounds())
    assert leaves(asked("ending", issued, worn, drawer.succeeded, heirs)) == {"reissue_at"}


def test_a_relative_who_gave_the_card_back_is_one_by_the_city_s_rule() -> None:
    assert "kin" in leaves(asked("ending", issued, replace(cancelled, relation="child")))
    assert "kin" not in leaves(asked("ending", issued, cancelled))


def test_one_new_card_too_many_cites_the_limit_that_it_is_beyond() -> None:
    told = asked("new_card", issued, in_writing, cited(drawer.reissue, "suzhou-social-card", warned=True))
    assert leaves(told) == {"reissue_at", "reissues"}
    with pytest.raises(NotDecided):
        asked("new_card", issued, in_writing, reissue, drawer.declined)


@pytest.mark.requirement("R80")
def test_a_fee_names_its_approval_and_where_the_city_says_nothing_of_fees_the_card_is_free() -> None:
    dear = cited(drawer.reissue, "jiangyin", fee_fen=3500, fee_approval="JY-7")
    told = asked("fee", issued, in_writing, dear, by=bylaws_of("jiangyin"))
    assert (told.decision, leaves(told)) == (Decision.FEE, {"fees"})
    assert told.said.en == "the new card costs 35.00 yuan, approved by the price department under JY-7"
    free = asked("fee", issued, in_writing, reissue)
    assert free.said.zh == "新卡免费"
    assert free.grounds[0].rule == "default/citizen-card/loss.fees"


@pytest.mark.requirement("R54")
def test_who_bears_a_loss_is_told_in_the_sentence_of_its_rule_with_the_entries_behind_it() -> None:
    story = (issued, by_telephone, drawer.lapsed)
    told = asked("liability", *story, at=NIGHT + SECOND)
    assert (told.said.zh, told.said.en) == SENTENCES[Rule.AFTER_EFFECT]
    assert leaves(told) == {"pre_report_covers", "pre_report_window", "on_lapse", "liability"}
    ran_out = asked("liability", *story)
    assert (ran_out.said.en, ran_out.at) == (SENTENCES[Rule.RAN_OUT][1], HOUR)
    nothing_yet = asked("liability", issued, at=NIGHT)
    assert leaves(nothing_yet) == {"pre_report_covers", "written_report_covers", "liability"}
    assert asked("liability", issued, at=drawer.shanghai(1, 1, year=2001)).grounds == ()
    with pytest.raises(FunctionNotNamed):
        asked("liability", issued, function="")


# --- over HTTP ---


READERS = (HOTLINE, CLERK, ICBC, CENTRE, AUDITOR)
"""Whoever reads it out to the citizen, decides it at a counter, or hears an appeal against it."""


async def one_text(town: Town, card: str, about: str, readers: tuple[Caller, ...] = READERS, **also: str) -> Any:
    """The answer, byte for byte the same for everybody."""
    path, params = f"/v1/cards/{card}/why", {"about": about, "function": "medical", **also}
    answers = [await town.call(reader, "GET", path, params=params) for reader in readers]
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    assert len({answer.content for answer in answers}) == 1
    return answers[0].json()


async def test_citizen_clerk_and_appeal_read_the_same_from_the_block_to_the_end_of_the_card(town: Town) -> None:
    _, card = await a_card_in_use(town)
    await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    block = await one_text(town, card, "block")
    assert block["decision"] == "block"
    assert {ground["rule"] for ground in block["grounds"]} >= {"citizen-card/loss.pre_report_window"}
    assert all(ground["edition"] for ground in block["grounds"])
    assert block["text"]["zh"].startswith("停用：")
    blocked_at = datetime.fromisoformat(block["at"]) + timedelta(milliseconds=1)
    assert (await one_text(town, card, "deadline"))["text"]["en"].startswith("Deadline: ")
    not_stopped = await town.get(CLERK, f"/v1/cards/{card}/why", function="transit", expect=404)
    assert not_stopped["code"] == "not-stopped"

    await town.post(CLERK, f"/v1/cards/{card}/lifts", {"document": "id_card"})
    assert (await one_text(town, card, "release"))["text"]["zh"].startswith("准予：")
    assert await one_text(town, card, "block", at=blocked_at.isoformat()) == block, "as it was told when it held"

    gives_back = {"document": "id_card", "reason": "own_request"}
    waiting = await town.post(ICBC, f"/v1/cards/{card}/cancellations", gives_back, expect=202)
    await approved(town, PUTUO, f"/v1/cards/{card}", waiting)
    ending = await one_text(town, card, "ending")
    assert [ground["rule"] for ground in ending["grounds"]] == [
        "citizen-card/loss.cancel_at",
        "citizen-card/loss.cancel_reasons",
    ]
    liable = await one_text(town, card, "liability")
    borne = await town.get(AUDITOR, f"/v1/cards/{card}/liability", function="medical")
    assert (liable["said"]["zh"], liable["said"]["en"]) == (borne["because_zh"], borne["because"])
    ahead = await one_text(town, card, "ending", at="2036-01-01T00:00:00Z")
    assert ahead == ending, "nobody is told what has not been yet"
    undecided = await town.get(CLERK, f"/v1/cards/{card}/why", about="new_card", expect=404)
    assert undecided["code"] == "not-decided"
