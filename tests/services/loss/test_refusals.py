"""Where a rule of the city says no, it is named; where none does, somebody has said what does instead."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from libs.kernel import Refused
from libs.kernel.why import Cited, told, why_not
from libs.testing.refusals import raised_bare, refusals_of
from libs.testing.town import Town
from services.loss.adapters.answers import FunctionNotNamed, NotStopped
from services.loss.adapters.why import NotDecided
from services.loss.domain.bylaw import LossBylaw
from services.loss.domain.decider import (
    AffairsOpen,
    AlreadyReissued,
    CannotBeLifted,
    CardEnded,
    CardNotShown,
    CardUnknown,
    ChangeFirst,
    DocumentNotAccepted,
    InPersonOnly,
    LiftElsewhere,
    NothingToReport,
    NotReportable,
    NotReported,
    NotSigned,
    ProofNotAccepted,
    ProofOfKinNeeded,
    ReasonNotKnown,
    ReportedLost,
    TooManyCalls,
    TooManyReissues,
    WrongPlace,
    loss_desk,
)
from services.loss.domain.events import Event, Stop
from tests.platform import HALL, OTHER_HALL, a_card_in_use
from tests.services.loss.desk_drawer import (
    BANK,
    BYLAWS,
    DAY,
    NIGHT,
    ZHOUSHAN,
    a_call,
    apply_anew,
    called,
    cancel,
    declined,
    exchange,
    issued,
    lift,
    lifted,
    reissue,
    shanghai,
    sign,
    signed,
)
from tests.services.loss.desk_drawer import HALL as A_HALL
from tests.services.loss.desk_drawer import HOTLINE as THE_HOTLINE
from tests.services.loss.places import PACK, bylaw_of, bylaw_with


class No(NamedTuple):
    """A conversation that a rule of the city ends."""

    kind: type[Refused]
    rules: tuple[str, ...]
    under: LossBylaw
    facts: tuple[Event, ...]
    asked: Any


OURS = bylaw_of("zhoushan")
HIDDEN = {"where": "nowhere", "kinds": ["bank"]}
THERE = {"where": "accepting_outlet", "kinds": ["bank"]}
IN_PERSON = {"where": "any_outlet", "kinds": ["bank"]}
lost = (issued, signed)
by_telephone = (issued, called)
partly_signed = (
    issued,
    replace(called, stops=called.stops[:1]),
    replace(signed, outlet="zs-icbc-putuo", stops=(Stop(function="bank_debit", from_=signed.at),)),
)
often = tuple(
    fact
    for days in (9, 6, 3)
    for fact in (replace(called, at=NIGHT - days * DAY), replace(lifted, at=NIGHT - days * DAY))
)
found = replace(lift, card_shown=True)
for_her = replace(found, by_agent=True)
NOES = [
    No(ProofNotAccepted, ("caller_proofs",), bylaw_of("jiangyin"), (issued,), a_call),
    No(TooManyCalls, ("pre_reports_max_in_30_days",), OURS, (issued, *often), a_call),
    No(NotReportable, ("reportable",), bylaw_of("nanning"), (issued,), a_call),
    No(NotReportable, ("reportable",), bylaw_of("nanning"), (issued,), sign),
    No(NothingToReport, ("pre_report_covers", "written_report_covers"), OURS, (issued,),
       replace(a_call, functions=("epurse",))),
    No(NothingToReport, ("pre_report_covers", "written_report_covers"), OURS, (issued,),
       replace(sign, functions=("epurse",))),
    No(WrongPlace, ("written_report_at",), OURS, (issued,), replace(sign, place=THE_HOTLINE)),
    No(WrongPlace, ("lift",), OURS, lost, replace(lift, place=THE_HOTLINE)),
    No(WrongPlace, ("lift",), OURS, by_telephone, replace(lift, place=THE_HOTLINE)),
    No(WrongPlace, ("lift_after_call",), bylaw_of("wuxi"), by_telephone, replace(lift, place=A_HALL)),
    No(WrongPlace, ("reissue_at",), OURS, lost, replace(apply_anew, place=A_HALL)),
    No(WrongPlace, ("reissue_at",), OURS, (issued,), replace(exchange, place=A_HALL)),
    No(WrongPlace, ("cancel_at",), OURS, (issued,), replace(cancel, place=A_HALL)),
    No(DocumentNotAccepted, ("documents",), OURS, (issued,), replace(sign, document="passport")),
    No(CannotBeLifted, ("lift",), bylaw_of("changchun"), lost, lift),
    No(CannotBeLifted, ("lift_after_call",), bylaw_with("zhoushan", lift_after_call=HIDDEN), by_telephone, lift),
    No(LiftElsewhere, ("lift",), bylaw_of("wuxi"), (issued, replace(signed, outlet="zs-icbc-putuo")), found),
    No(LiftElsewhere, ("lift_after_call",), bylaw_with("zhoushan", lift_after_call=THERE), partly_signed, lift),
    No(CardNotShown, ("lift",), bylaw_of("nanjing"), lost, lift),
    No(CardNotShown, ("lift_after_call",), bylaw_of("wuxi"), by_telephone, lift),
    No(InPersonOnly, ("lift",), OURS, lost, for_her),
    No(InPersonOnly, ("lift_after_call",), bylaw_with("zhoushan", lift_after_call=IN_PERSON), by_telephone, for_her),
    No(AlreadyReissued, ("lift",), OURS, (*lost, reissue), lift),
    No(TooManyReissues, ("reissues",), bylaw_with("zhoushan", reissues={"max_in_30_days": 1, "beyond": "refuse"}),
       (*lost, reissue, declined), replace(apply_anew, at=declined.at + DAY)),
    No(ReasonNotKnown, ("replacement_reasons",), OURS, (issued,), replace(exchange, reason="bored")),
    No(ReasonNotKnown, ("cancel_reasons",), OURS, (issued,), replace(cancel, reason="bored")),
    No(ChangeFirst, ("changes_first_at",),
       bylaw_with("zhoushan", changes_first_at=[{"reason": "data_changed", "office": "Foreign Experts Bureau"}]),
       (issued,), replace(exchange, reason="data_changed")),
    No(ProofOfKinNeeded, ("kin",), OURS, (issued,), replace(cancel, relation="neighbour")),
    No(AffairsOpen, ("cancel_at",), OURS, (issued,), replace(cancel, open_affairs=("市民贷款",))),
]  # fmt: skip


BY_BYLAW = {no.kind for no in NOES}
NOT_BY_BYLAW: Mapping[type[Refused], str] = {
    CardUnknown: "nothing to judge: we have not heard of the card",
    CardEnded: "how things stand: the card is no more, and about=ending says why",
    NotReported: "how things stand: a reissue is for a card that was reported lost",
    NotSigned: "how things stand: a reissue is for a loss that was signed for",
    ReportedLost: "how things stand: a lost card is reissued, not replaced; about=block says why it rests",
    NotStopped: "nothing to explain: the function is not stopped",
    NotDecided: "nothing to explain: that was not decided",
    FunctionNotNamed: "the form of the request",
}
"""Each refusal behind which stands no rule of a city, and what stands there instead."""


def test_every_refusal_is_by_a_rule_of_the_city_or_it_is_said_by_what_instead() -> None:
    assert BY_BYLAW | NOT_BY_BYLAW.keys() == refusals_of("services.loss"), "a new refusal must be judged"
    assert not BY_BYLAW & NOT_BY_BYLAW.keys()


def test_no_rule_of_a_city_says_no_without_being_named() -> None:
    assert raised_bare("services.loss", BY_BYLAW) == []


@pytest.mark.requirement("R11")
@pytest.mark.parametrize("no", NOES, ids=lambda no: f"{no.kind.__name__}-{no.rules[0]}-{type(no.asked).__name__}")
def test_a_rule_that_says_no_is_cited_and_put_into_two_languages(no: No) -> None:
    with pytest.raises(Refused) as refused:
        loss_desk.decide(replace(no.asked, under=no.under), loss_desk.fold(no.facts))
    assert refused.type is no.kind
    by = refused.value.why
    assert isinstance(by, Cited)
    assert (by.city, by.edition) == (ZHOUSHAN, no.under.grounds.edition)
    why = why_not(refused.value, PACK)
    assert why is not None
    assert [ground.rule for ground in why.grounds] == [f"citizen-card/loss.{rule}" for rule in no.rules]
    assert {ground.ref for ground in why.grounds} <= set(no.under.grounds.articles), "a fact would name the same"
    assert why.said.en == str(refused.value), "the detail of the problem is the sentence of the answer"
    text = told(why, PACK)
    names = re.findall(r"[a-z]+[_-][a-z]+|\{", why.said.zh)
    assert (text.zh.startswith("不予："), names) == (True, []), why.said.zh
    assert why.said.zh != why.said.en


def test_a_rule_of_which_the_city_says_nothing_is_cited_as_the_platforms() -> None:
    hangzhou = BYLAWS.at("330100", "citizen-card", NIGHT)
    asked = replace(cancel, relation="neighbour", place=replace(BANK, kind="hall"), under=hangzhou)
    with pytest.raises(ProofOfKinNeeded) as refused:
        loss_desk.decide(asked, loss_desk.fold((issued,)))
    why = why_not(refused.value, BYLAWS.names("330100"))
    assert why is not None
    [ground] = why.grounds
    assert (ground.rule, ground.basis.en) == (
        "default/citizen-card/loss.kin",
        "default of this platform; the city's bylaws say nothing else",
    )
    later = BYLAWS.at("330100", "citizen-card", shanghai(1, 1, year=2030))
    assert later.rules["kin"] == hangzhou.rules["kin"], "it is named alike for ever"


@pytest.mark.requirement("R11")
async def test_over_http_whoever_is_refused_reads_the_rule_and_each_the_same(town: Town) -> None:
    _, card = await a_card_in_use(town)
    path, asks = f"/v1/cards/{card}/reissues", {"document": "id_card"}
    first, other = [await town.post(who, path, asks, expect=403) for who in (HALL, OTHER_HALL)]
    assert (first["code"], first["why"]) == ("wrong-place", other["why"])
    assert first["why"]["said"]["en"] == first["detail"]
    assert first["why"]["said"]["zh"] == "服务大厅不办理该业务，请到下列网点之一办理：合作银行网点。"
    [ground] = first["why"]["grounds"]
    assert (ground["rule"], ground["valid_from"]) == ("citizen-card/loss.reissue_at", "2012-03-10")
    standing = await town.post(HALL, path.replace("reissues", "lifts"), asks)
    assert "why" not in standing
    unknown = await town.post(HALL, f"/v1/cards/{card[:-1]}9/lifts", asks, expect=404)
    assert "why" not in unknown, "no rule of the city says so"
