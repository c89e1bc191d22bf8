"""Whoever asks why is told by which rule: of a deadline, a fee, a refusal."""

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from libs.kernel.ids import derived
from libs.kernel.why import Said, told
from libs.testing.town import Town
from services.ids import application_id, holding_id, person_id
from services.issuance.adapters.why import EXPLAINED, EXPLAINED_ELSEWHERE, NOTHING_DECIDED, NotDecided, why
from services.issuance.domain.application import events as papers
from services.issuance.domain.holding import events as cards
from services.issuance.domain.holding.decider import NOT_COLLECTED
from tests.platform import AUDITOR, CENTRE, CLERK, HALL, HRSS, PORTRAIT, Open, applied, id_card, registered
from tests.services.issuance import card_drawer as drawer

STRANGER = {"name": "何远", "mobile": "13800005678", "language": "zh"}


@pytest.fixture(scope="module")
async def a_town(open_town: Open) -> AsyncIterator[Town]:
    async with open_town() as opened:
        yield opened


def rules(told: dict[str, Any]) -> list[str]:
    return [ground["rule"] for ground in told["grounds"]]


async def test_a_promise_and_a_price_are_explained_by_the_rules_of_the_day_of_acceptance(a_town: Town) -> None:
    person = await registered(a_town, CLERK, HRSS)
    await a_town.drain()
    taken = await applied(a_town, CLERK, person, "citizen-card")
    path = f"/v1/applications/{taken['application_id']}/why"
    deadline = await a_town.get(CLERK, path, about="deadline")
    assert deadline["decision"] == "deadline"
    assert len(rules(deadline)) == 1
    assert rules(deadline)[0] in (
        "citizen-card/programme.issuance.promise",
        "citizen-card/issuance.card.channel_promises",
    )
    assert deadline["grounds"][0]["edition"]
    assert deadline["text"]["zh"].startswith("期限：最迟于")
    fee = await a_town.get(CLERK, path, about="fee")
    assert (fee["decision"], rules(fee)) == ("fee", ["citizen-card/issuance.card.fees"])
    assert fee["said"]["en"] == "the card is free of charge"
    assert deadline == await a_town.get(AUDITOR, path, about="deadline")
    assert (await a_town.get(CLERK, path, about="refusal", expect=404))["code"] == "not-decided"


async def test_a_refusal_cites_the_row_that_decided_and_what_is_missing(a_town: Town) -> None:
    shown = STRANGER | {"document": id_card(district="110101")}
    person = (await a_town.post(CLERK, "/v1/persons", shown))["person_id"]
    await a_town.drain()
    paper = (await applied(a_town, HALL, person, "citizen-card"))["application_id"]
    await a_town.drain()
    told = await a_town.get(HALL, f"/v1/applications/{paper}/why", about="refusal")
    judged = await a_town.get(HALL, f"/v1/persons/{person}/entitlements/citizen-card/why")
    assert told["decision"] == "refusal"
    same = ("rule", "valid_from", "recorded_on", "edition")
    (ours,), (theirs,) = told["grounds"], judged["grounds"]
    assert [ours[one] for one in same] == [theirs[one] for one in same], "the very entry by which identity has judged"
    assert told["missing"] == judged["missing"] != []


async def test_what_a_clerk_turns_down_is_told_in_the_clerk_s_words_and_cites_what_is_to_be_shown(a_town: Town) -> None:
    person = await registered(a_town, CLERK, HRSS)
    await a_town.drain()
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    paper = (await a_town.post(CLERK, "/v1/applications", papers))["application_id"]
    path = f"/v1/applications/{paper}/why"
    assert (await a_town.get(CLERK, path, about="deadline", expect=404))["code"] == "not-decided"
    await a_town.post(CLERK, f"/v1/applications/{paper}/rejections", {"reason": "not the person on the card"})
    told = await a_town.get(CENTRE, path, about="refusal")
    assert told["said"]["en"].endswith("not the person on the card")
    assert rules(told) == ["citizen-card/programme.issuance.documents"]
    assert told == await a_town.get(CLERK, path, about="refusal"), "one text for clerk and centre"


def test_every_fact_of_an_application_or_a_holding_is_explained_or_said_to_be_no_decision() -> None:
    facts = {*get_args(papers.Event), *get_args(cards.Event)}
    explained, elsewhere = set(EXPLAINED), set(EXPLAINED_ELSEWHERE)
    assert explained | elsewhere | NOTHING_DECIDED == facts
    assert len(explained) + len(elsewhere) + len(NOTHING_DECIDED) == len(facts), "each stands in one list only"


UNANSWERED = replace(drawer.withdrawn, reason="no answer in time", at=drawer.supplement_asked.until)
NEVER_FETCHED = replace(drawer.declined, application_id=drawer.PAPER, reason=NOT_COLLECTED)
STORIES: dict[type, tuple[Any, ...]] = {
    papers.ApplicationAccepted: (drawer.accepted,),
    papers.SupplementAsked: (drawer.supplement_asked,),
    papers.ReviewQuestioned: (drawer.review_asked, drawer.review_questioned),
    papers.ApplicationWithdrawn: (drawer.supplement_asked, UNANSWERED),
    papers.ApplicationRejected: (drawer.rejected,),
    papers.ReviewAsked: (drawer.review_asked,),
    papers.ReviewRefused: (drawer.review_asked, drawer.review_refused),
    cards.CardDeclined: (drawer.entitled, NEVER_FETCHED),
    cards.CardReserved: (drawer.entitled, replace(drawer.reserved, valid_to=drawer.VALID_TO)),
    cards.CardActivated: (drawer.entitled, drawer.reserved, drawer.activated),
    cards.CardReplaced: (
        drawer.entitled,
        replace(drawer.next_reserved, application_id=drawer.PAPER),
        drawer.replaced,
    ),
    cards.CardEndorsed: (drawer.entitled, drawer.reserved, drawer.activated, drawer.endorsed),
    cards.CardArrived: (drawer.arrived,),
    cards.CardUnclaimed: (drawer.arrived, drawer.unclaimed),
}


@pytest.mark.parametrize("fact", EXPLAINED, ids=lambda fact: fact.__name__)
def test_each_decision_has_a_sentence_in_both_languages_and_cites_a_rule(fact: type) -> None:
    rows = [(one, SimpleNamespace(meta='{"bylaws": "e1"}')) for one in STORIES[fact]]
    first = (drawer.submitted, rows[0][1])
    on_paper: Any = [first, *(row for row in rows if type(row[0]) in get_args(papers.Event))]
    on_cards: Any = [row for row in rows if type(row[0]) in get_args(cards.Event)]
    for about in EXPLAINED[fact]:
        answer = why(about, drawer.PAPER, on_paper, on_cards, drawer.BYLAWS)
        text = told(answer, drawer.BYLAWS.names("330900"))
        assert text.zh != text.en
        not_here = fact in (papers.ReviewAsked, papers.ReviewRefused, cards.CardEndorsed)
        assert not_here or len(answer.grounds) == 1, "Zhoushan asks no other authority and endorses no card"


@pytest.mark.requirement("R135")
def test_an_endorsed_permit_says_until_when_it_holds_and_by_which_article() -> None:
    holding = holding_id(person_id(drawer.WUXI, derived("Li")), "residence-permit")
    paper, no_edition = application_id(holding, derived(1)), SimpleNamespace(meta="{}")
    facts = (
        replace(drawer.entitled, programme="residence-permit"),
        replace(drawer.reserved, application_id=paper),
        drawer.activated,
        replace(drawer.endorsed, valid_to=drawer.shanghai(9, 20, year=2028)),
    )
    submitted = replace(drawer.submitted, application_id=paper, holding_id=holding, programme="residence-permit")
    rows: Any = [(one, no_edition) for one in facts]
    answer = why("validity", paper, [(submitted, no_edition)], rows, drawer.BYLAWS)  # type: ignore[list-item]
    assert answer.said == Said(zh="有效期至2028年9月19日", en="valid to the end of 19 September 2028")
    [rule] = answer.grounds
    assert (rule.rule, "Art. 10" in rule.basis.en) == ("residence-permit/programme.endorsement", True)


def test_what_an_applicant_takes_back_herself_is_no_refusal_of_the_city() -> None:
    story: Any = [(one, SimpleNamespace(meta="{}")) for one in (drawer.submitted, drawer.withdrawn)]
    with pytest.raises(NotDecided):
        why("refusal", drawer.PAPER, story, [], drawer.BYLAWS)
