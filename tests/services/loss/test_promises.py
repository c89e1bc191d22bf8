"""What the regulations promise about losses, each promise by its number."""

from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from libs.runtime.citypack import CityPack, CityPacks, PackUnfit
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.bylaw import Bearer, BeyondLimit, Clock, Covered, Fee, Liability, OnLapse, Term, Unit, Window
from services.loss.domain.decider import (
    AffairsOpen,
    CardEnded,
    ChangeFirst,
    ProofOfKinNeeded,
    ReasonNotKnown,
    TooManyCalls,
    TooManyReissues,
    WrongPlace,
    loss_desk,
)
from services.loss.domain.events import ReissueOrdered
from services.loss.domain.liability import SENTENCES, Rule, who_bears
from services.loss.routes import view
from tests.services.loss.desk_drawer import (
    AUTUMN,
    BANK,
    BYLAWS,
    CARD,
    DAY,
    EVENING,
    HALL,
    HOUR,
    MORNING,
    NEXT_CARD,
    NIGHT,
    NOON,
    OURS,
    SECOND,
    ZHOUSHAN,
    a_call,
    after,
    apply_anew,
    called,
    cancel,
    cancelled,
    exchange,
    given,
    issued,
    lapsed,
    lifted,
    reissue,
    shanghai,
    sign,
    signed,
    succeeded,
    to_be_cancelled,
    under,
    worn,
)
from tests.services.loss.test_bylaws import PACKS, amended

# --- replacement ---


@pytest.mark.requirement("R44", "R45", "R89")
@pytest.mark.parametrize("reason", ["stained", "incomplete", "illegible", "unreadable", "data_changed"])
def test_a_card_is_exchanged_at_the_bank_for_a_reason_that_is_written_down(reason: str) -> None:
    given(issued).when(replace(exchange, reason=reason)).then(replace(worn, reason=reason))
    given(issued).when(replace(exchange, reason=reason, place=HALL)).refused(WrongPlace)


@pytest.mark.requirement("R44")
def test_what_is_no_reason_in_this_city_is_none() -> None:
    given(issued).when(replace(exchange, reason="boredom")).refused(ReasonNotKnown)


@pytest.mark.requirement("R108")
def test_a_changed_passport_is_registered_at_its_bureau_first() -> None:
    bureau = replace(OURS, changes_first_at={"data_changed": "foreign experts bureau"})
    asked = replace(exchange, reason="data_changed", under=bureau)
    given(issued).when(asked).refused(ChangeFirst)
    given(issued).when(replace(asked, change_reference="FEB-2026-17")).then(
        replace(worn, reason="data_changed", change_reference="FEB-2026-17")
    )


@pytest.mark.requirement("R108")
def test_hangzhou_sends_foreign_talents_with_a_new_passport_to_the_experts_first() -> None:
    talents = BYLAWS.at("330100", "foreign-talent-card", NOON)
    assert talents.changes_first_at == {"data_changed": "Foreign Experts Bureau"}
    assert "data_changed" in talents.replacement_reasons
    assert not BYLAWS.at("330100", "citizen-card", NOON).changes_first_at


@pytest.mark.requirement("R109", "R62")
def test_when_the_new_card_works_the_old_one_has_ended_in_the_same_instant() -> None:
    desk = after(issued, signed, reissue, succeeded)
    assert not desk.ended(CARD, AUTUMN - SECOND)
    assert desk.stopped(CARD, "medical", AUTUMN - SECOND)
    assert desk.ended(CARD, AUTUMN)
    assert not desk.stopped(NEXT_CARD, "medical", AUTUMN)


@pytest.mark.requirement("R79", "R80")
def test_there_is_no_fee_without_an_approval() -> None:
    with pytest.raises(ValueError, match="approval"):
        Fee(fen=3500, approval=" ")
    priced = replace(OURS, fees={"replacement": Fee(fen=2000, approval="Zhejiang price 2013-7")})
    given(issued).when(exchange).then(worn)
    given(issued).when(replace(exchange, under=priced)).then(
        replace(worn, fee_fen=2000, fee_approval="Zhejiang price 2013-7")
    )

    def unapproved(loss: Any) -> None:
        fee = {"act": "reissue", "fen": 2000, "approval": ""}
        loss["fees"] = [{"from": date(2012, 3, 10), "basis": "nothing", "value": [fee]}]

    with pytest.raises(PackUnfit, match="fees"):
        amended(unapproved)


def test_one_reissue_too_many_is_warned_of_or_refused_as_the_city_says() -> None:
    three = tuple(replace(reissue, at=NOON) for _ in range(3))
    desk = replace(after(issued, signed), reissues=tuple(one.at for one in three))
    asked = replace(apply_anew, at=EVENING, under=replace(OURS, reissues_max_in_30_days=3))
    [ordered] = loss_desk.decide(asked, desk)
    assert isinstance(ordered, ReissueOrdered)
    assert ordered.warned
    stern = replace(OURS, reissues_max_in_30_days=3, beyond_limit=BeyondLimit.REFUSE)
    with pytest.raises(TooManyReissues):
        loss_desk.decide(replace(asked, under=stern), desk)
    assert loss_desk.decide(replace(asked, at=NOON + 30 * DAY, under=stern), desk)


# --- reporting ---


@pytest.mark.requirement("R48", "R53")
def test_when_it_was_lost_and_when_it_was_reported_are_both_kept() -> None:
    lost_at = NIGHT - DAY
    given(issued).when(replace(a_call, lost_at=lost_at)).then(replace(called, lost_at=lost_at))
    given(issued).when(replace(sign, lost_at=lost_at)).then(replace(signed, lost_at=lost_at))


@pytest.mark.requirement("R47")
def test_a_signature_takes_effect_at_once_and_does_not_lapse() -> None:
    desk = after(issued, signed)
    assert desk.stopped(CARD, "medical", MORNING)
    assert desk.stopped(CARD, "medical", shanghai(9, 29, 9, year=2036))


@pytest.mark.requirement("R51")
def test_calls_are_counted_and_seen_and_the_fourth_within_thirty_days_must_sign() -> None:
    past: list[Any] = [issued]
    for nth in range(3):
        at = NIGHT + nth * DAY
        past += [replace(called, at=at, lapses_at=at + SECOND), replace(lapsed, at=at + SECOND)]
    assert view(CARD, after(*past)).pre_reports == 3
    given(*past).when(replace(a_call, at=NIGHT + 4 * DAY)).refused(TooManyCalls)
    again = loss_desk.decide(replace(a_call, at=NIGHT + 31 * DAY), after(*past))
    assert len(again) == 1, "a month later it is possible again"


@pytest.mark.requirement("R51")
def test_a_second_call_moves_no_hour() -> None:
    given(issued, called).when(replace(a_call, at=NIGHT + DAY)).then()
    assert view(CARD, after(issued, called)).lapses_at == HOUR


@pytest.mark.requirement("R110")
def test_a_foreign_talent_s_card_is_reported_and_replaced_like_any_other() -> None:
    hangzhou = LossBylaws(PACKS).at("330100", "foreign-talent-card", NIGHT)
    passport = {"document": "passport", "under": hangzhou}
    assert loss_desk.decide(replace(a_call, under=hangzhou), after(issued))
    assert loss_desk.decide(replace(sign, **passport), after(issued))  # type: ignore[arg-type]
    assert loss_desk.decide(replace(apply_anew, **passport), after(issued, signed))  # type: ignore[arg-type]


# --- cancellation ---


@pytest.mark.requirement("R64", "R65", "R66")
@pytest.mark.parametrize("reason", ["death", "moved_away"])
def test_a_close_relative_with_proof_may_give_a_card_back_at_the_bank(reason: str) -> None:
    by_child = replace(cancel, reason=reason, relation="child", relation_proof="household_book")
    given(issued).when(by_child).then(
        replace(to_be_cancelled, reason=reason, relation="child", relation_proof="household_book")
    )
    for relation, proof in (("neighbour", "household_book"), ("child", ""), ("child", "a letter")):
        given(issued).when(replace(by_child, relation=relation, relation_proof=proof)).refused(ProofOfKinNeeded)
    given(issued).when(replace(by_child, place=HALL)).refused(WrongPlace)


@pytest.mark.requirement("R67")
def test_open_affairs_are_named() -> None:
    affairs = ("medical settlement", "bicycle deposit")
    with pytest.raises(AffairsOpen, match="medical settlement, bicycle deposit"):
        loss_desk.decide(replace(cancel, open_affairs=affairs), after(issued))


@pytest.mark.requirement("R68")
def test_what_was_cancelled_never_works_again() -> None:
    desk = after(issued, cancelled)
    assert desk.ended(CARD, NOON)
    given(issued, cancelled).when(replace(sign, at=AUTUMN)).refused(CardEnded)


# --- who bears it ---

OWN_BANK = Clock(
    covers=(Covered(function="bank_debit"),),
    term=Term(window=Window(count=5, unit=Unit.DAYS), then=OnLapse.WAKE, warn_hours_before=24),
)
SHARED = replace(OURS, liable={"medical": Liability(bearer=Bearer.INSURER, cap_fen=50_000)})


@pytest.mark.requirement("R54", "R55", "R56")
@pytest.mark.parametrize(
    ("past", "at", "function", "rule", "bearer"),
    [
        ((issued,), NIGHT, "medical", Rule.BEFORE_EFFECT, Bearer.HOLDER),
        ((issued, called), NIGHT - SECOND, "medical", Rule.BEFORE_EFFECT, Bearer.HOLDER),
        ((issued, called), NIGHT, "medical", Rule.AFTER_EFFECT, Bearer.INSURER),
        ((issued, called), NIGHT, "identity_query", Rule.AFTER_EFFECT, Bearer.ISSUER),
        ((issued, called, lapsed), HOUR, "medical", Rule.RAN_OUT, Bearer.HOLDER),
        ((issued, called), HOUR, "medical", Rule.RAN_OUT, Bearer.HOLDER),
        ((issued, called, lifted), EVENING, "medical", Rule.BEFORE_EFFECT, Bearer.HOLDER),
        ((issued, called), NIGHT, "epurse", Rule.NOT_REPORTABLE, Bearer.HOLDER),
        ((issued, cancelled), NOON, "identity_query", Rule.ENDED, Bearer.ISSUER),
    ],
)
def test_who_bears_it_and_by_which_rule(past: Any, at: Any, function: str, rule: Rule, bearer: Bearer) -> None:
    answer = who_bears(CARD, function, at, after(*past), SHARED)
    assert (answer.rule, answer.bearer) == (rule, bearer)
    assert (answer.cap_fen == 50_000) == (bearer is Bearer.INSURER)


@pytest.mark.requirement("R54")
def test_a_function_that_stops_later_is_the_holder_s_until_it_does() -> None:
    four_days = Covered(function="epurse", after=Window(count=4, unit=Unit.DAYS))
    changzhou = replace(OURS, written_report_covers=(*OURS.written_report_covers, four_days))
    facts = loss_desk.decide(replace(sign, under=changzhou), after(issued))
    desk = after(issued, *facts)
    takes_effect = shanghai(10, 3, 24)
    before, then = (who_bears(CARD, "epurse", at, desk, changzhou) for at in (takes_effect - SECOND, takes_effect))
    assert (before.rule, before.bearer, before.since) == (Rule.NOT_IN_EFFECT_YET, Bearer.HOLDER, takes_effect)
    assert (then.rule, then.bearer) == (Rule.AFTER_EFFECT, Bearer.ISSUER)


@pytest.mark.requirement("R54", "R55", "R56")
def test_every_rule_is_said_in_both_languages() -> None:
    assert set(SENTENCES) == set(Rule)
    for chinese, english in SENTENCES.values():
        assert chinese.endswith("。")
        assert english.endswith(".")


# --- what was decided stays decided ---


def test_a_new_bylaw_judges_new_reports_and_moves_no_hour_that_was_set() -> None:
    def shorten(loss: Any) -> None:
        value = {"count": 1, "unit": "days"}
        loss["pre_report_window"].append({"from": date(2026, 9, 29), "basis": "city order 99", "value": value})

    later = amended(shorten).at(ZHOUSHAN, "citizen-card", MORNING)
    assert later.pre_report_ends(MORNING).at < HOUR
    given(issued, called).when(replace(a_call, at=MORNING, under=later)).then()
    given(issued, called).when(replace(sign, at=HOUR - SECOND, under=later)).then(
        replace(signed, at=HOUR - SECOND, stops=called.stops, grounds=later.grounds)
    )
    assert after(issued, called).stopped(CARD, "medical", HOUR - SECOND)


def test_a_decision_names_the_edition_and_the_entries_by_which_it_was_made() -> None:
    [fact] = loss_desk.decide(replace(a_call, under=under()), after(issued))
    grounds: Any = fact.grounds  # type: ignore[union-attr]
    assert grounds.edition == PACKS[ZHOUSHAN].hash
    assert any(ref.startswith("citizen-card/loss.pre_report_window@2012-03-10/") for ref in grounds.articles)


# --- bad data ---


@pytest.mark.parametrize(
    ("leaf", "value", "says"),
    [
        ("written_report_window", {"count": 5, "unit": "days"}, "none of"),
        ("own_clocks", [{"covers": [], "window": {"count": 5, "unit": "days"}, "then": "wake"}], "own_clocks"),
        (
            "own_clocks",
            [
                {
                    "covers": [{"function": "medical"}],
                    "window": {"count": 5, "unit": "days"},
                    "then": "wake",
                    "warn_hours_before": 24,
                }
            ],
            "medical runs by two clocks",
        ),
        ("reissues", {"max_in_30_days": 0, "beyond": "warn"}, "reissues"),
        ("liability", [{"function": "medical", "borne_by": "nobody"}], "liability"),
    ],
)
def test_a_rule_that_cannot_stand_is_not_served(leaf: str, value: Any, says: str) -> None:
    def spoil(loss: Any) -> None:
        loss[leaf] = [{"from": date(2012, 3, 10), "basis": "a slip of the pen", "value": value}]

    with pytest.raises(PackUnfit, match=says):
        amended(spoil)


def test_a_city_may_let_a_side_of_the_card_run_by_a_clock_of_its_own() -> None:
    packs: list[CityPack] = []
    for pack in PACKS:
        files: Any = deepcopy(dict(pack.files))
        packs.append(replace(pack, files=files))
    assert LossBylaws(CityPacks(packs)).at(ZHOUSHAN, "", NIGHT).own_clocks == ()
    both = replace(OURS, pre_report_covers=OURS.pre_report_covers[:-1], own_clocks=(OWN_BANK,))
    facts = loss_desk.decide(replace(a_call, under=both), after(issued))
    assert [len(fact.stops) for fact in facts] == [4, 1]  # type: ignore[union-attr]
    assert after(issued, *facts).calls == (NIGHT,), "one call, however many clocks it sets"
    assert BANK.kind == "bank"
