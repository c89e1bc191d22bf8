"""Whoever asks why a function is stopped is told: which report, under which rules, until when."""

from dataclasses import replace

import pytest

from libs.kernel.why import Decision, Why
from libs.testing.town import Town
from services.loss.adapters.why import NotStopped, why_stopped
from services.loss.domain.decider import loss_desk
from services.loss.domain.events import Event
from tests.platform import AUDITOR, CLERK, HOTLINE, a_card_in_use
from tests.services.loss.desk_drawer import (
    BYLAWS,
    CARD,
    NEXT_CARD,
    called,
    called_sternly,
    issued,
    lapsed,
    signed,
    under,
)

GROUNDS = under().grounds
by_telephone = replace(called, grounds=GROUNDS)
in_writing = replace(signed, grounds=GROUNDS)


def why(*facts: Event, function: str = "medical") -> Why:
    return why_stopped(CARD, function, loss_desk.fold(facts), facts, BYLAWS)


def leaves(of: Why) -> set[str]:
    return {ground.rule.rpartition(".")[2] for ground in of.grounds}


def test_a_call_is_explained_by_what_it_covers_how_long_it_lasts_and_what_comes_then() -> None:
    told = why(issued, by_telephone)
    assert (told.decision, told.at) == (Decision.BLOCK, called.at)
    assert leaves(told) == {"pre_report_covers", "pre_report_window", "on_lapse"}
    assert {ground.edition for ground in told.grounds} == {GROUNDS.edition}
    assert "电话挂失" in told.said.zh
    assert "自动恢复" in told.said.zh
    assert "works again by itself" in told.said.en


def test_a_signature_takes_the_place_of_the_call_in_the_answer_too() -> None:
    told = why(issued, by_telephone, in_writing)
    assert leaves(told) == {"written_report_covers"}
    assert told.at == signed.at
    assert "until the report is lifted" in told.said.en


def test_a_report_that_will_take_the_card_with_it_says_so() -> None:
    assert "注销" in why(issued, called_sternly).said.zh


def test_what_is_not_stopped_is_not_explained() -> None:
    for facts in ((issued,), (issued, by_telephone, replace(lapsed, functions=()))):
        with pytest.raises(NotStopped, match="it has stopped: nothing"):
            why(*facts)
    with pytest.raises(NotStopped, match="transit"):
        why(issued, by_telephone, function="transit")
    with pytest.raises(NotStopped):
        why_stopped(NEXT_CARD, "medical", loss_desk.fold(()), (), BYLAWS)


def test_an_entry_that_somebody_has_taken_out_is_not_passed_off_as_another() -> None:
    gone = replace(GROUNDS, articles=("citizen-card/loss.on_lapse@2001-01-01/2001-01-01",))
    (ground,) = why(issued, replace(called, grounds=gone)).grounds
    assert "taken out" in ground.basis.en
    assert ground.ref == gone.articles[0]


async def test_over_http_clerk_and_auditor_read_the_same_text(town: Town) -> None:
    _, card = await a_card_in_use(town)
    await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    path = f"/v1/cards/{card}/why"
    told = await town.get(CLERK, path, function="medical")
    assert told == await town.get(AUDITOR, path, function="medical")
    assert told["decision"] == "block"
    assert {ground["rule"] for ground in told["grounds"]} >= {"citizen-card/loss.pre_report_window"}
    assert all(ground["edition"] for ground in told["grounds"])
    assert told["text"]["zh"].startswith("停用：")
    not_stopped = await town.get(CLERK, path, function="transit", expect=404)
    assert not_stopped["code"] == "not-stopped"
