"""Whoever is refused by a bylaw is told by which; and of every other refusal somebody has said why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from libs.kernel import Refused
from libs.kernel.why import Decision, why_not
from libs.testing.refusals import raised_bare, refusals_of
from libs.testing.town import Town
from services.identity.adapters import bylaws, intake, mobiles, roll_files, why
from services.identity.adapters.bylaws import DataSharing, MassIssues
from services.identity.domain import correcting, decider, documents, merging, particulars
from services.identity.domain.decider import person_desk
from services.identity.domain.delivery import decider as deliveries
from services.identity.domain.duplicate import decider as cases
from services.identity.domain.roll import decider as rolls
from services.identity.routes import programmes
from services.identity.routes.corrections import DocumentOfAnother
from tests.platform import CENTRE, CLERK, HRSS, WX_CENTRE, ZHOUSHAN, id_card
from tests.services.identity.test_decider import a_fact, registered
from tests.services.identity.test_merging import propose
from tests.services.identity.test_programmes import HANGZHOU, NOON, PACKS

SHARING, MASS_ISSUES = DataSharing(PACKS), MassIssues(PACKS)
FORM = "the form of a document is the same in every city: GB 11643, ICAO 9303, and the ministries' own numbers"
SENDING = "how something is sent, not what the city decides of it"
STANDS = "nothing is decided: the caller asks for what is not there, or stands otherwise by now"

Case = tuple[Callable[[], Any], str]

BY_BYLAW: Mapping[type[Refused], Case] = {
    bylaws.NoMassIssue: (
        lambda: MASS_ISSUES.at(HANGZHOU, "citizen-card", NOON),
        "default/citizen-card/programme.mass_issue",
    ),
    decider.FactNotYours: (
        lambda: person_desk.decide(
            replace(a_fact, fact="insured_employee", under=SHARING.by(ZHOUSHAN, "police", NOON)),
            person_desk.fold([registered]),
        ),
        "feeds.agreements#police",
    ),
    merging.TwoCards: (
        lambda: person_desk.decide(
            replace(propose, clash=("A.1", "B.1"), one_each=SHARING.one_card_each(ZHOUSHAN, "citizen-card", NOON)),
            person_desk.fold([registered]),
        ),
        "citizen-card/issuance.applying.cards_per_person",
    ),
}
"""Each refusal by which a bylaw says no, how one comes by it, and the rule that it cites."""

NOT_BY_BYLAW: Mapping[type[Refused], str] = {
    documents.NumberMisshapen: FORM,
    documents.CheckCharacterWrong: FORM,
    documents.KindMistaken: FORM,
    documents.BirthDateUnreal: FORM,
    documents.BirthDateAhead: FORM,
    documents.BirthDateTooLongAgo: FORM,
    documents.IssuerMisshapen: FORM,
    particulars.BirthDateNeeded: FORM,
    particulars.BirthDateMismatch: FORM,
    particulars.BirthDateImplausible: FORM,
    mobiles.MobileUnfit: "the national numbering plan, and those of other countries",
    decider.ValidityReversed: "no period ends before it begins",
    decider.NotJudged: STANDS,
    merging.PersonUnknown: STANDS,
    merging.MergedAway: STANDS,
    merging.DataErased: "what was erased nobody can read, whatever a city decides",
    merging.SurvivorUnfit: STANDS,
    merging.NotMerged: STANDS,
    correcting.CorrectionUnknown: STANDS,
    DocumentOfAnother: "one document is one person, or nobody could be told apart",
    deliveries.DeliveryUnknown: STANDS,
    deliveries.RecordNotAside: STANDS,
    intake.RecordUnreadable: SENDING,
    intake.RecordTooLong: SENDING,
    intake.RecordNotOpened: SENDING,
    roll_files.RollUnreadable: SENDING,
    rolls.RollUnknown: STANDS,
    rolls.RollIsAnother: SENDING,
    rolls.PartChanged: SENDING,
    rolls.PartsOutOfOrder: SENDING,
    cases.CaseUnknown: STANDS,
    cases.CaseSettled: "a clerk has ruled before, and a ruling stands; the case itself says how",
    bylaws.CityNotServed: "which cities this house serves is the house's, and no city has decided it",
    programmes.NoProgrammes: "which cities this house serves is the house's, and no city has decided it",
    why.NotDecidedYet: STANDS,
    why.RowNotJudged: STANDS,
}
"""Each other refusal, and why no bylaw stands behind it."""


def test_somebody_has_thought_about_each_refusal_of_identity() -> None:
    assert BY_BYLAW.keys() | NOT_BY_BYLAW.keys() == refusals_of("services.identity")
    assert not BY_BYLAW.keys() & NOT_BY_BYLAW.keys()


def test_no_refusal_by_a_bylaw_is_raised_without_naming_what_it_cites() -> None:
    assert raised_bare("services.identity", set(BY_BYLAW)) == []


@pytest.mark.parametrize("kind", BY_BYLAW, ids=lambda kind: kind.__name__)
def test_a_refusal_by_a_bylaw_names_it_in_both_languages(kind: type[Refused]) -> None:
    ask, rule = BY_BYLAW[kind]
    with pytest.raises(kind) as said:
        ask()
    cited = said.value.why
    assert cited is not None
    answer = why_not(said.value, PACKS.names_of(cited.city))
    assert answer is not None
    assert (answer.decision, [ground.rule for ground in answer.grounds]) == (Decision.REFUSAL, [rule])
    assert answer.said.en == str(said.value)
    assert any("\u4e00" <= char <= "\u9fff" for char in answer.said.zh), "add its sentence to `refusal` in words.yaml"
    assert all(ground.edition == PACKS[cited.city].hash for ground in answer.grounds)


async def test_over_http_the_bylaw_stands_in_the_problem(town: Town) -> None:
    wanted = {"programme": "resident-id", "department": "police", "name": "first-ids"}
    no = await town.post(WX_CENTRE, "/v1/rolls", wanted, expect=422)
    assert (no["code"], no["why"]["grounds"][0]["rule"]) == (
        "no-mass-issue", "default/resident-id/programme.mass_issue",
    )  # fmt: skip
    shown = {"document": id_card(), "name": "林小舟", "mobile": "13800005678"}
    await town.post(CLERK, "/v1/persons", shown)
    fact = {"document": shown["document"], "fact": "hukou", "valid_from": "2024-03-01", "reference": "R-1"}
    no = await town.post(HRSS, "/v1/facts", fact, expect=403)
    assert (no["code"], no["why"]["grounds"][0]["rule"]) == ("fact-not-yours", "feeds.agreements#hrss")
    assert "《舟山市市民卡管理暂行办法》" in no["why"]["text"]["zh"]
    assert no["why"]["said"]["zh"].startswith("本市未约定由该部门（人力资源和社会保障局）提供此项事实（本市户籍）")
    came = await town.post(HRSS, "/v1/deliveries", {"name": "not-ours-to-say", "records": [fact]})
    told = await town.get(CENTRE, f"/v1/deliveries/{came['delivery_id']}/why", row="1")
    assert told["grounds"] == no["why"]["grounds"], "the same entry by either way"
