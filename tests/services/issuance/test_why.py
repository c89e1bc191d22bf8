"""Whoever asks why is told by which rule: of a deadline, a fee, a refusal."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from libs.kernel.ids import derived
from libs.kernel.why import Decision, FactUsed, Said, Why, told
from libs.testing.town import Town
from services.ids import application_id, card_id, holding_id, person_id
from services.issuance.adapters.why import EXPLAINED, EXPLAINED_ELSEWHERE, NOTHING_DECIDED, why
from services.issuance.adapters.why_card import NotDecided, why_card
from services.issuance.domain.application import events as papers
from services.issuance.domain.holding import events as cards
from services.issuance.domain.holding.decider import HELD, NOT_COLLECTED, ONE_CARD, UNDER_WAY
from services.issuance.domain.holding.events import Kind
from services.issuance.domain.holding.joining import MERGED
from services.loss.domain.decider import RAN_OUT
from tests.platform import (
    AUDITOR,
    CENTRE,
    CLERK,
    HALL,
    HRSS,
    ICBC,
    PORTRAIT,
    Open,
    a_card_in_use,
    applied,
    approved,
    id_card,
    registered,
)
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
    cards.EndorsementTakenBack: (
        drawer.entitled,
        drawer.reserved,
        drawer.activated,
        drawer.endorsed,
        drawer.endorsement_taken_back,
    ),
    cards.CardArrived: (drawer.arrived,),
    cards.CardUnclaimed: (drawer.arrived, drawer.unclaimed),
    cards.CardCancelled: (drawer.entitled, drawer.reserved, drawer.activated, drawer.cancelled),
}


@pytest.mark.parametrize("fact", EXPLAINED, ids=lambda fact: fact.__name__)
def test_each_decision_has_a_sentence_in_both_languages_and_cites_a_rule(fact: type) -> None:
    rows = [(one, SimpleNamespace(edition="e1")) for one in STORIES[fact]]
    first = (drawer.submitted, rows[0][1])
    on_paper: Any = [first, *(row for row in rows if type(row[0]) in get_args(papers.Event))]
    on_cards: Any = [row for row in rows if type(row[0]) in get_args(cards.Event)]
    for about in EXPLAINED[fact]:
        answer = why(about, drawer.PAPER, on_paper, on_cards, drawer.BYLAWS)
        text = told(answer, drawer.BYLAWS.names("330900"))
        assert text.zh != text.en
        assert len(answer.grounds) == 1


@pytest.mark.requirement("R135")
def test_an_endorsed_permit_says_until_when_it_holds_and_by_which_article() -> None:
    holding = holding_id(person_id(drawer.WUXI, derived("Li")), "residence-permit")
    paper, no_edition = application_id(holding, derived(1)), SimpleNamespace(edition="")
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


def test_an_endorsement_that_was_taken_back_says_until_when_the_card_holds_as_before_and_why() -> None:
    answer = of_card(
        "validity", drawer.entitled, drawer.reserved, drawer.activated, drawer.endorsed, drawer.endorsement_taken_back
    )
    assert answer.said == Said(
        zh="有效期至2036年10月9日；签注时卡片已挂失，该次签注已撤回",
        en="valid to the end of 9 October 2036, as before: it had been reported lost when it was endorsed",
    )


def test_what_an_applicant_takes_back_herself_is_no_refusal_of_the_city() -> None:
    story: Any = [(one, SimpleNamespace(edition="")) for one in (drawer.submitted, drawer.withdrawn)]
    with pytest.raises(NotDecided):
        why("refusal", drawer.PAPER, story, [], drawer.BYLAWS)


# --- asked with the card ---


def rows(*facts: Any) -> Any:
    return [(one, SimpleNamespace(edition="e1")) for one in facts]


def of_card(about: Any, *facts: Any, card: Any = drawer.CARD) -> Why:
    return why_card(about, card, rows(*facts), drawer.BYLAWS)


DIED = FactUsed(
    fact="deceased", department="police", valid_from=date(2026, 10, 20), stated_at=drawer.shanghai(10, 21, 9)
)
ROW_OF_DEATH = "citizen-card/programme.eligibility#deceased@2012-03-10/2026-09-01"
KNOWN_DEAD = replace(
    drawer.not_entitled, ground=ROW_OF_DEATH, edition="e1", used=(DIED, replace(DIED, fact="hukou"))
)  # fmt: skip


@pytest.mark.requirement("R66")
def test_a_card_whose_holder_has_died_ended_by_the_city_s_rule_and_the_department_s_word() -> None:
    told_dead = of_card("end", *drawer.IN_USE, KNOWN_DEAD, replace(drawer.cancelled, reason="death"))
    assert (told_dead.decision, told_dead.said.zh) == (Decision.BLOCK, "卡片已注销：持卡人死亡")
    assert [ground.rule for ground in told_dead.grounds] == [
        "citizen-card/loss.cancel_reasons", "citizen-card/programme.eligibility#deceased",
    ]  # fmt: skip
    assert told_dead.grounds[0].basis.en == "Zhoushan citizen-card FAQ (6)"
    assert told_dead.facts == (DIED,)
    story = rows(*drawer.IN_USE, KNOWN_DEAD, replace(drawer.cancelled, reason="death"))
    assert why("end", drawer.PAPER, rows(drawer.submitted), story, drawer.BYLAWS) == told_dead, "the same for the paper"


@pytest.mark.parametrize(
    ("reason", "rule", "said"),
    [
        ("moved_away", "citizen-card/loss.cancel_reasons", "moved away"),
        ("own_request", "citizen-card/loss.cancel_reasons", "wish of the holder"),
        ("stolen by a bird", "citizen-card/loss.cancel_reasons", "stolen by a bird"),
        (MERGED, "citizen-card/issuance.applying.cards_per_person", "under an entry that was merged"),
        (RAN_OUT[False], "citizen-card/loss.on_lapse", "ran out unsigned"),
        (RAN_OUT[True], "default/citizen-card/loss.written_report_term", "ran out"),
    ],
)
def test_however_a_card_ends_the_rule_is_named(reason: str, rule: str, said: str) -> None:
    answer = of_card("end", *drawer.IN_USE, replace(drawer.cancelled, reason=reason))
    assert ([ground.rule for ground in answer.grounds], answer.facts) == ([rule], ())
    assert said in answer.said.en
    with pytest.raises(NotDecided):
        of_card("end", *drawer.IN_USE, replace(drawer.cancelled, reason=reason), card=drawer.NEXT_CARD)


@pytest.mark.requirement("R12")
@pytest.mark.parametrize("reason", sorted(ONE_CARD))
def test_no_second_card_is_made_because_there_is_one_to_a_person(reason: str) -> None:
    facts = rows(drawer.entitled, replace(drawer.declined, reason=reason))
    answer = why("refusal", drawer.PAPER, rows(drawer.submitted), facts, drawer.BYLAWS)
    assert (answer.decision, answer.said.en) == (Decision.REFUSAL, f"no card is made: {reason}")
    assert answer.said.zh not in (answer.said.en, "不予制卡：不符合条件")
    [ground] = answer.grounds
    assert (ground.rule, ground.basis.zh) == ("citizen-card/issuance.applying.cards_per_person", "默认值")
    assert {UNDER_WAY, HELD} < ONE_CARD


def test_an_order_that_the_applicant_has_taken_back_was_refused_by_nobody() -> None:
    facts = rows(drawer.entitled, drawer.ordered, replace(drawer.declined, reason="moving abroad"))
    with pytest.raises(NotDecided):
        why("refusal", drawer.PAPER, rows(drawer.submitted), facts, drawer.BYLAWS)


def test_why_no_new_card_was_made_is_asked_with_the_old_one() -> None:
    declined = replace(
        drawer.declined, application_id=None, old_card_id=drawer.CARD, reason=KNOWN_DEAD.because, kind=Kind.REISSUE
    )
    answer = of_card("refusal", *drawer.IN_USE, KNOWN_DEAD, declined)
    assert [ground.ref for ground in answer.grounds] == [ROW_OF_DEATH]
    assert answer.facts == KNOWN_DEAD.used


@pytest.mark.requirement("R137")
def test_a_new_card_in_place_of_an_endorsed_one_says_until_when_it_holds_and_by_which_article() -> None:
    holding = holding_id(person_id(drawer.WUXI, derived("Li")), "residence-permit")
    new, entitled = card_id(holding, 2), replace(drawer.entitled, programme="residence-permit")
    until = drawer.shanghai(9, 20, year=2028)
    came = (
        entitled, drawer.activated, replace(drawer.endorsed, valid_to=until),
        replace(drawer.next_reserved, card_id=new), replace(drawer.replaced, card_id=new, valid_to=until),
    )  # fmt: skip
    answer = of_card("validity", *came, card=new)
    assert answer.said.en == "valid to the end of 19 September 2028, as the card in whose place it came"
    assert [ground.rule for ground in answer.grounds] == ["residence-permit/programme.endorsement"]
    again = replace(drawer.endorsed, card_id=new, valid_to=drawer.shanghai(9, 20, year=2029))
    answer = of_card("validity", *came, again, card=new)
    assert answer.said.en == "valid to the end of 19 September 2029"
    assert [ground.rule for ground in answer.grounds] == ["residence-permit/programme.endorsement"]


def test_a_card_that_came_without_an_application_says_until_when_it_is_kept_and_valid() -> None:
    assert "kept to the end of" in of_card("collection", *drawer.NEXT_AT_OUTLET, card=drawer.NEXT_CARD).said.en
    valid = of_card("validity", *drawer.REPLACED, card=drawer.NEXT_CARD)
    assert [ground.rule for ground in valid.grounds] == ["citizen-card/programme.issuance.validity_years"]


@pytest.mark.requirement("R66", "R67")
async def test_the_end_of_a_card_is_explained_at_the_card_and_at_its_application(a_town: Town) -> None:
    shown = id_card()
    _, card = await a_card_in_use(a_town, document=shown)
    police = replace(HRSS, id="police-1", department="police")
    died = {"document": shown, "fact": "deceased", "valid_from": "2026-08-30", "reference": "D-1"}
    await a_town.post(police, "/v1/facts", died)
    await a_town.drain()
    path = f"/v1/cards/{card}"
    assert (await a_town.get(CLERK, f"{path}/issue/why", about="end", expect=404))["code"] == "not-decided"
    given_back = {
        "document": "id_card", "reason": "death", "relation": "child", "relation_proof": "household_book",
    }  # fmt: skip
    waiting = await a_town.post(ICBC, f"{path}/cancellations", given_back, expect=202)
    await approved(a_town, CENTRE, path, waiting)
    await a_town.drain()
    told = await a_town.get(CLERK, f"{path}/issue/why", about="end")
    assert (told["decision"], told["said"]["zh"]) == ("block", "卡片已注销：持卡人死亡")
    assert rules(told)[0] == "citizen-card/loss.cancel_reasons"
    assert [(fact["fact"], fact["department"]) for fact in told["facts"]] == [("deceased", "police")]
    assert "公安局" in told["text"]["zh"]
    valid = await a_town.get(CLERK, f"{path}/issue/why")
    assert rules(valid) == ["citizen-card/programme.issuance.validity_years"]
    await a_town.get(CLERK, f"/v1/cards/{card[:-1]}9/issue/why", about="end", expect=404)
