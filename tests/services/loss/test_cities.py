"""How fourteen places treat a lost card, each from its data alone: one story a place, and all stories by a model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import chinese_calendar  # type: ignore[import-untyped]
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from libs.kernel import ProposalId, Refused
from libs.kernel.calendar import SHANGHAI
from libs.testing.twopeople import OTHER
from services.loss.domain import decider
from services.loss.domain.bylaw import LossBylaw
from services.loss.domain.commands import Command, LapseLoss, LiftLoss, NoteCapture
from services.loss.domain.decider import (
    CannotBeLifted,
    CardNotShown,
    LiftElsewhere,
    NothingToReport,
    NotReportable,
    ProofNotAccepted,
    loss_desk,
)
from services.loss.domain.events import (
    CardCancelled,
    Event,
    LossLifted,
    LossPreReported,
    LossReported,
    ReissueOrdered,
)
from services.loss.domain.state import Desk
from services.loss.routes import view
from tests.services.loss.desk_drawer import (
    BANK,
    CARD,
    NIGHT,
    OTHER_BANK,
    a_call,
    apply_anew,
    approve_lift,
    issued,
    lift,
    shanghai,
    sign,
)
from tests.services.loss.places import ROWS, Rules, bylaw_of, rules_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FUNCTIONS = ("social_security", "medical", "rural_medical", "identity_query", "bank_debit", "epurse", "online_account")


# --- a story a place ---


def went(place: str, *commands: Command) -> tuple[Desk, list[Event]]:
    """What came of these commands in this place, one after another. Raises Refused."""
    desk, facts = loss_desk.fold([issued]), list[Event]()
    for asked in commands:
        under: dict[str, Any] = {"under": bylaw_of(place)} if hasattr(asked, "under") else {}
        news = loss_desk.decide(replace(asked, **under), desk)
        desk = loss_desk.fold(news, desk)
        facts += news
    return desk, facts


def stopped(desk: Desk, at: datetime) -> set[str]:
    return {function for function in FUNCTIONS if desk.stopped(CARD, function, at)}


NEXT = shanghai(9, 29, 10)
lift_now = replace(lift, at=NEXT, card_shown=True)
sign_now = replace(sign, at=NIGHT + HOUR)


@pytest.mark.requirement("R49", "R50")
@pytest.mark.parametrize(
    ("place", "hour"),
    [
        ("zhoushan", shanghai(10, 10, 24)),
        ("nanjing", shanghai(10, 8, 24)),
        ("wuxi", shanghai(10, 5, 24)),
        ("suzhou-social-card", shanghai(10, 5, 24)),
        ("suzhou-citizen-card", shanghai(10, 13, 24)),
        ("changzhou", shanghai(10, 13, 24)),
        ("jiangyin", NIGHT + timedelta(hours=72)),
        ("pinghu", shanghai(10, 3, 24)),
        ("shaoxing", shanghai(10, 8, 24)),
        ("yongkang", shanghai(10, 8, 24)),
    ],
)
def test_a_call_stops_at_once_and_releases_at_the_hour_of_its_place(place: str, hour: datetime) -> None:
    desk, _ = went(place, replace(a_call, verified_by="service_password"))
    assert desk.stopped(CARD, "social_security", NIGHT)
    assert desk.stopped(CARD, "social_security", hour - timedelta(milliseconds=1))
    assert not desk.stopped(CARD, "social_security", hour)


@pytest.mark.requirement("R52")
def test_in_yongkang_each_side_releases_alone() -> None:
    desk, facts = went("yongkang", a_call)
    assert [fact.lapses_at for fact in facts if isinstance(fact, LossPreReported)] == [
        shanghai(10, 8, 24),
        shanghai(10, 3, 24),
    ]
    assert stopped(desk, shanghai(10, 3, 24)) == {"social_security", "medical"}
    [woke] = loss_desk.decide(
        LapseLoss(holding_id=issued.holding_id, card_id=CARD, lapses_at=shanghai(10, 3, 24)), desk
    )
    assert getattr(woke, "functions", None) == ("bank_debit",)
    assert view(CARD, loss_desk.fold([woke], desk)).status == "pre_reported"


@pytest.mark.requirement("R52")
def test_a_report_may_concern_some_functions_only() -> None:
    desk, _ = went("yongkang", replace(a_call, functions=("bank_debit",)))
    assert stopped(desk, NIGHT) == {"bank_debit"}
    desk, _ = went("wuxi", a_call, replace(sign_now, functions=("bank_debit",)))
    assert stopped(desk, shanghai(10, 5, 24)) == {"bank_debit"}, "what was only called about wakes by its own clock"
    with pytest.raises(NothingToReport):
        went("zhoushan", replace(a_call, functions=("epurse",)))


@pytest.mark.requirement("R52")
def test_in_wuxi_one_written_report_is_shared_by_both_sides() -> None:
    desk, _ = went("wuxi", a_call, sign_now)
    assert stopped(desk, NIGHT + HOUR) == {"social_security", "medical", "bank_debit"}


@pytest.mark.requirement("R57")
def test_in_wuxi_a_call_is_lifted_at_any_outlet_of_the_bank_and_a_signature_where_it_was_given() -> None:
    elsewhere = replace(lift_now, place=OTHER_BANK)
    assert isinstance(went("wuxi", a_call, elsewhere)[1][-1], LossLifted)
    with pytest.raises(LiftElsewhere):
        went("wuxi", sign_now, elsewhere)
    with pytest.raises(CardNotShown):
        went("wuxi", sign_now, replace(lift_now, card_shown=False))


@pytest.mark.requirement("R52", "R59")
def test_in_nanjing_the_purse_stops_when_it_is_captured_or_after_a_year_and_cools_after_the_lift() -> None:
    desk, _ = went("nanjing", sign_now)
    assert stopped(desk, NEXT) == {"social_security", "medical"}
    assert "epurse" in stopped(desk, shanghai(9, 29, 24, year=2027))
    capture = NoteCapture(holding_id=issued.holding_id, card_id=CARD, function="epurse", at=NEXT)
    found = (replace(lift_now, at=NEXT + HOUR), replace(approve_lift, at=NEXT + HOUR))
    desk, facts = went("nanjing", sign_now, capture, capture, *found)
    assert isinstance(facts[-1], LossLifted)
    assert stopped(desk, NEXT + HOUR) == {"epurse"}, "it is used again seven working days later"
    assert stopped(desk, shanghai(10, 14, 12)) == {"epurse"}
    assert not stopped(desk, shanghai(10, 14, 24))


@pytest.mark.requirement("R52")
def test_in_changzhou_the_purse_follows_about_four_days_later() -> None:
    desk, _ = went("changzhou", sign_now)
    assert "epurse" not in stopped(desk, shanghai(10, 2, 12))
    assert "epurse" in stopped(desk, shanghai(10, 3, 24))


@pytest.mark.requirement("R49")
def test_in_jiangyin_a_caller_knows_her_service_password() -> None:
    with pytest.raises(ProofNotAccepted):
        went("jiangyin", a_call)


@pytest.mark.requirement("R80")
def test_a_fee_is_charged_where_a_price_was_approved_and_nowhere_else() -> None:
    facts = went("jiangyin", sign_now, replace(apply_anew, at=NEXT))[1]
    charged = {type(fact): (fact.fee_fen, bool(fact.fee_approval)) for fact in facts
               if isinstance(fact, LossReported | ReissueOrdered)}  # fmt: skip
    assert charged == {LossReported: (1000, True), ReissueOrdered: (3500, True)}
    free = went("zhoushan", sign_now, replace(apply_anew, at=NEXT))[1]
    assert [getattr(fact, "fee_fen", 0) for fact in free] == [0, 0]


def test_in_shaoguan_a_written_report_runs_out_after_fifteen_days_and_the_card_is_cancelled() -> None:
    hour = shanghai(10, 14, 24)  # Signed on 29 September.
    desk, facts = went("shaoguan", replace(sign, at=NEXT))
    assert isinstance(facts[0], LossReported)
    assert (facts[0].lapses_at, facts[0].ends_card) == (hour, True)
    clock = LapseLoss(holding_id=issued.holding_id, card_id=CARD, lapses_at=hour)
    [ended] = loss_desk.decide(clock, desk)
    assert isinstance(ended, CardCancelled)
    assert (ended.at, ended.eyes) == (hour, None)
    assert stopped(desk, hour), "it does not wake for an instant before it ends"
    ordered, _ = went("shaoguan", replace(sign, at=NEXT), replace(apply_anew, at=NEXT))
    assert not loss_desk.decide(clock, ordered), "whoever has ordered a new card is not cancelled for it"


@pytest.mark.requirement("R57")
def test_in_changchun_a_signature_cannot_be_lifted_and_a_call_can() -> None:
    assert isinstance(went("changchun", a_call, lift_now)[1][-1], LossLifted)
    with pytest.raises(CannotBeLifted):
        went("changchun", sign_now, lift_now)


def test_in_nanning_a_card_without_a_name_cannot_be_reported() -> None:
    for report in (a_call, sign_now):
        with pytest.raises(NotReportable):
            went("nanning", report)


@pytest.mark.requirement("R58")
@pytest.mark.parametrize("place", [place for place in ROWS if place != "nanning"])
def test_in_every_place_a_new_card_once_applied_for_is_the_end_of_the_old_one(place: str) -> None:
    desk, _ = went(place, sign_now, replace(apply_anew, at=NEXT))
    assert view(CARD, desk).status == "superseded"
    with pytest.raises(Refused, match="new card was applied for"):
        loss_desk.decide(replace(lift_now, under=bylaw_of(place)), desk)


# --- all stories, by a second and much smaller statement of the rules ---


def at_24(day: date) -> datetime:
    return datetime.combine(day + DAY, time.min, SHANGHAI).astimezone(UTC)


def over(window: Mapping[str, Any], start: datetime) -> datetime:
    """When a window is over, by counting days on one's fingers."""
    if window["unit"] == "hours":
        return start + timedelta(hours=window["count"])
    day, left = start.astimezone(SHANGHAI).date(), window["count"]
    if window["unit"] == "years":
        return at_24(day.replace(year=day.year + left))
    while left:
        day += DAY
        left -= window["unit"] == "days" or chinese_calendar.is_workday(day)
    return at_24(day)


@dataclass
class Model:
    """A card as a table of functions: from when each is stopped, by what, and until when."""

    rules: Rules
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    ordered: bool = False
    ended: bool = False
    cools: dict[str, datetime] = field(default_factory=dict)
    calls: list[datetime] = field(default_factory=list)

    def strike(self, now: datetime) -> None:
        for function, hold in sorted(self.held.items(), key=lambda item: item[1]["until"] or at_24(date(9000, 1, 1))):
            if hold["until"] and hold["until"] <= now and not self.ordered and not self.ended:
                if hold["ends"]:
                    self.ended = True
                else:
                    del self.held[function]

    def call(self, now: datetime) -> None:
        recent = [one for one in self.calls if now - one < 30 * DAY]
        clocks = [
            (self.rules["pre_report_covers"], self.rules["pre_report_window"], self.rules["on_lapse"]["then"]),
            *((one["covers"], one["window"], one["then"]) for one in self.rules.get("own_clocks", ())),
        ]
        fresh = [(c, w, t) for covers, w, t in clocks for c in covers if c["function"] not in self.held]
        if self.ended or self.ordered or not fresh or len(recent) >= self.rules["pre_reports_max_in_30_days"]:
            return
        self.calls.append(now)
        for covered, window, then in fresh:
            self.hold(covered, now, signed=False, until=over(window, now), ends=then == "cancel")

    def sign(self, now: datetime, only: str = "") -> None:
        if self.ended or self.ordered or (only and only not in _functions(self.rules["written_report_covers"])):
            return
        term, before = self.rules.get("written_report_term"), dict(self.held)
        until = over(term["window"], now) if term else None
        covers = {one["function"]: one for one in self.rules["written_report_covers"]}
        wanted = {only} if only else {*covers, *before}
        for function in [one for one in wanted if not before.get(one, {}).get("signed")]:
            since = before.get(function, {}).get("from")
            covered = covers.get(function, {"function": function, "after_hours": 10**6})
            self.hold(covered, now, signed=True, until=until, ends=term is not None and term["then"] == "cancel")
            if since:
                self.held[function]["from"] = min(since, self.held[function]["from"])

    def hold(self, covered: Mapping[str, Any], now: datetime, **how: Any) -> None:
        from_ = over(covered["after"], now) if "after" in covered else now + covered.get("after_hours", 0) * HOUR
        if now < self.cools.get(covered["function"], now):
            from_ = now  # What has not cooled yet stays stopped.
        self.held[covered["function"]] = {"from": from_, **how}

    def lift(self, now: datetime, outlet_is_the_same: bool) -> None:
        signed = any(hold["signed"] for hold in self.held.values())
        where = self.rules["lift"]["where"]
        if self.ended or self.ordered or (signed and where == "nowhere"):
            return
        if signed and where == "accepting_outlet" and not outlet_is_the_same:
            return
        for cooling in self.rules.get("cooling_after_lift", ()):
            if cooling["function"] in self.held and self.held[cooling["function"]]["from"] <= now:
                self.cools[cooling["function"]] = over(cooling["lasts"], now)
        self.held.clear()

    def capture(self, now: datetime) -> None:
        catches = {one["function"] for one in self.rules["written_report_covers"] if one.get("or_captured")}
        for function in catches & self.held.keys():
            if not self.ended:
                self.held[function]["from"] = min(now, self.held[function]["from"])

    def order(self) -> None:
        if not self.ended and any(hold["signed"] for hold in self.held.values()):
            self.ordered = True

    def stopped(self, now: datetime) -> set[str]:
        held = {function for function, hold in self.held.items() if hold["from"] <= now}
        return held | {function for function, until in self.cools.items() if now < until}

    @property
    def status(self) -> str:
        if self.ended:
            return "ended"
        if self.ordered:
            return "superseded"
        if not self.held:
            return "in_use"
        return "reported" if any(hold["signed"] for hold in self.held.values()) else "pre_reported"


def _functions(covers: Sequence[Mapping[str, Any]]) -> set[str]:
    return {one["function"] for one in covers}


WORDS = ("call", "sign", "sign for the bank", "capture", "lift here", "lift there", "order", "timers", "wait")
stories = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 24 * 6)), min_size=1, max_size=14)


def asked(word: str, now: datetime, under: LossBylaw, nth: int) -> Sequence[Command]:
    """What is said at the desk; a lift is asked for, and approved at once by another person."""
    proposal = ProposalId(f"{nth}")
    place = OTHER_BANK if word == "lift there" else BANK
    lifting: LiftLoss = replace(lift, at=now, under=under, place=place, card_shown=True, proposal_id=proposal)
    words: dict[str, list[Command]] = {
        "call": [replace(a_call, at=now, under=under, verified_by="service_password")],
        "sign": [replace(sign, at=now, under=under)],
        "sign for the bank": [replace(sign, at=now, under=under, functions=("bank_debit",))],
        "capture": [NoteCapture(holding_id=issued.holding_id, card_id=CARD, function="epurse", at=now)],
        "lift here": [lifting, replace(approve_lift, at=now, under=under, by=OTHER, proposal_id=proposal)],
        "lift there": [lifting, replace(approve_lift, at=now, under=under, by=OTHER, proposal_id=proposal)],
        "order": [replace(apply_anew, at=now, under=under)],
    }
    return words.get(word, [])


def timers(facts: Sequence[Event], now: datetime) -> Iterator[Command]:
    for fact in facts:
        yield from (due.command for due in loss_desk.due(fact) if due.at <= now)


@pytest.mark.requirement("R47", "R49", "R50", "R52", "R57", "R58", "R59")
@pytest.mark.parametrize("place", [place for place in ROWS if place != "nanning"])
@settings(max_examples=60, deadline=None)
@for_all(stories)
def test_whatever_is_asked_in_whatever_order_the_desk_and_the_model_agree(
    place: str, story: list[tuple[str, int]]
) -> None:
    agree(place, story)


def agree(place: str, story: list[tuple[str, int]]) -> None:
    """The same story at the desk and in the model: at each step the same functions are stopped."""
    under, model, now = bylaw_of(place), Model(rules_of(place)), NIGHT
    facts: list[Event] = [issued]
    desk = loss_desk.fold(facts)
    for nth, (word, hours) in enumerate(story):
        now += hours * HOUR
        model.strike(now)
        match word:
            case "call":
                model.call(now)
            case "sign":
                model.sign(now)
            case "sign for the bank":
                model.sign(now, only="bank_debit")
            case "capture":
                model.capture(now)
            case "lift here" | "lift there":
                model.lift(now, outlet_is_the_same=word == "lift here")
            case "order":
                model.order()
        commands = list(timers(facts, now)) if word == "timers" else asked(word, now, under, nth)
        for command in commands:
            try:
                news = loss_desk.decide(command, desk)
            except Refused:
                continue
            desk, facts = loss_desk.fold(news, desk), [*facts, *news]
        if not model.ended:
            assert stopped(desk, now) == model.stopped(now), (word, now)
        assert desk.ended(CARD, now) <= model.ended
        if word not in ("wait", "timers"):
            known = loss_desk.fold(decider.struck_by(now, desk), desk)
            assert view(CARD, known).status == model.status, (word, now)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_unless_all", lambda _some, _every: ()),
        ("_standing_stops", lambda _desk: {}),
        ("_signed_for_good", lambda _asked, _desk: []),
        ("_cooling", lambda *_: ()),
        ("struck_by", lambda _at, _desk: []),
    ],
)
def test_the_model_would_notice(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these plants a bug in the desk, which at least one place must bring to light."""
    monkeypatch.setattr(decider, name, wrong)
    dice = Random(1)
    told = [[(dice.choice(WORDS), dice.randint(0, 24 * 6)) for _ in range(dice.randint(1, 14))] for _ in range(150)]
    assert any(disagree(place, story) for place in ("yongkang", "nanjing", "nanjing-a-card", "wuxi") for story in told)


def disagree(place: str, story: list[tuple[str, int]]) -> bool:
    try:
        agree(place, story)
    except AssertionError:
        return True
    return False


def test_the_table_is_complete() -> None:
    assert len(ROWS) == 14
