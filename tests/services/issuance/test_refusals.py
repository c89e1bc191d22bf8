"""Whoever is refused by a bylaw is told by which; and of every other refusal somebody has said why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageOps

from libs.kernel import Refused, refusal_code
from libs.kernel.why import Cited, Decision, FactUsed, Said, why_not
from libs.runtime.citypack import CityPacks
from libs.testing.portraits import portrait
from libs.testing.refusals import raised_bare, refusals_of
from libs.testing.town import Town
from services.ids import PersonId, card_id, holding_id
from services.issuance.adapters import bylaws, return_files, why_card
from services.issuance.adapters.portraits import examine
from services.issuance.domain import endorsement
from services.issuance.domain import portrait as pictures
from services.issuance.domain.application import counter
from services.issuance.domain.application import decider as papers
from services.issuance.domain.application.decider import applications
from services.issuance.domain.application.events import Agent, Commitment
from services.issuance.domain.applying import Channel, Way
from services.issuance.domain.batch import decider as batch
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.collecting import By
from services.issuance.domain.functions import Place
from services.issuance.domain.holding import collection, override
from services.issuance.domain.holding import decider as cards
from services.issuance.domain.holding.commands import EndorseCard, MailCard, OpenFunction, SendOn
from services.issuance.domain.holding.decider import holdings
from services.issuance.domain.papers import PapersMissing, Shown
from services.issuance.domain.series import decider as series
from services.issuance.domain.unit import code
from services.issuance.routes.counter import ReasonMissing
from services.issuance.routes.hands import NoPortrait, PersonErased
from services.issuance.routes.taking_in import AlreadyApplied, AlreadyHolds, ApplicantMerged
from services.issuance.routes.units import UnitsApplyAtTheHall
from services.issuance.routes.window import NoLetter, ReceiptUnknown
from tests.platform import CENTRE, CLERK, HALL, HRSS, PORTRAIT, VENDOR, produced, registered
from tests.services.issuance import card_drawer as drawer
from tests.services.issuance.card_drawer import (
    ASKED,
    AT_OUTLET,
    BYLAWS,
    CARD,
    FETCHED,
    HOLDING,
    IN_USE,
    OURS,
    PACKS,
    WUXI,
    accepted,
    choose_way,
    entitled,
    hand_over,
    ordered,
    reserved,
    shanghai,
    submit,
    submitted,
)

HANGZHOU = BYLAWS.at("330100", "citizen-card", ASKED)
TALENT = BYLAWS.at("330100", "foreign-talent-card", ASKED)
ID_CARD = BYLAWS.at(WUXI, "resident-id", ASKED)
PERMIT = BYLAWS.at(WUXI, "residence-permit", ASKED)
SOCIAL = BYLAWS.at(WUXI, "social-security-card", ASKED)
SCALE = BYLAWS.at("330100", "citizen-card", shanghai(5, 1, year=2007))

GROWN = replace(submit, under=HANGZHOU, age=40)
FIRST_ID = replace(submit, under=ID_CARD, channel=Channel.POLICE, documents=("household_book",), age=40)
SIGNED = Commitment(language="zh", sha256=ID_CARD.applying.letters[-1].sha256, signed_by="applicant")
OTHER_WORDS = replace(SIGNED, sha256="0" * 64)
SPOUSE, PARENT = (Agent(relation=relation, document="id_card") for relation in ("spouse", "parent"))
TO_TALENTS = replace(submit, under=TALENT, documents=("passport",), papers=(Shown(kind="work_permit"),), age=30)
SENT_ON = SendOn(holding_id=HOLDING, card_id=CARD, outlet=drawer.HALL, to=drawer.BANK, at=FETCHED, under=OURS)
MAILED = MailCard(
    holding_id=HOLDING, card_id=CARD, outlet=drawer.HALL, tracking="EA123456789CN", at=FETCHED, under=OURS
)
OPENED = OpenFunction(
    holding_id=HOLDING, card_id=CARD, function="bank_debit", place=Place.HOLDER, at=FETCHED, under=OURS
)
ENDORSED = EndorseCard(
    holding_id=HOLDING, card_id=CARD, outlet="wx-police-liangxi", reported_lost=False, at=FETCHED, under=PERMIT
)
GONE = replace(
    entitled, granted=False, because="does not live here", at=FETCHED, missing=("residence",), edition="e0",
    ground="residence-permit/programme.eligibility#residence@2016-01-01/2026-09-01",
    used=(FactUsed(fact="residence", department="police", valid_from=date(2024, 1, 1), stated_at=ASKED),),
)  # fmt: skip


def ask(command: Any, *facts: Any) -> Callable[[], Any]:
    return lambda: applications.decide(command, applications.fold(facts))


def at_desk(command: Any, *facts: Any) -> Callable[[], Any]:
    return lambda: holdings.decide(command, holdings.fold(facts))


def at_outlet(under: IssuanceBylaw = OURS, order: Mapping[str, Any] | None = None, **said: Any) -> Callable[[], Any]:
    arrived = (entitled, replace(ordered, **(order or {})), reserved, drawer.produced, drawer.arrived)
    return at_desk(replace(hand_over, under=under, **said), *arrived)


def drawn(mode: str = "RGB", wall: str = "white", size: tuple[int, int] = (358, 441), quality: int = 60) -> bytes:
    """A portrait with something wrong about it."""
    jpeg = BytesIO()
    with Image.open(BytesIO(portrait())) as picture:
        framed = ImageOps.expand(picture.convert("RGB").crop((24, 5, 334, 441)), (24, 5, 24, 0), wall)
        framed.resize(size).convert(mode).save(jpeg, "JPEG", quality=quality)
    return jpeg.getvalue()


def shown(image: bytes) -> Callable[[], Any]:
    return lambda: examine(image, bylaws.standard(OURS))


Case = tuple[Callable[[], Any], str]
APPLYING, COLLECTING, PROGRAMME = "issuance.applying", "issuance.collecting", "programme"

BY_BYLAW: Mapping[type[Refused], Case] = {
    counter.ProgrammeNotOpen: (ask(replace(FIRST_ID, at=shanghai(11, 30, year=2021))), f"{APPLYING}.opens_on"),
    counter.ChannelClosed: (ask(replace(GROWN, channel=Channel.BANK)), f"{APPLYING}.channels"),
    counter.TemporaryCardUnavailable: (ask(replace(FIRST_ID, temporary=True)), f"{APPLYING}.temporary_cards"),
    counter.ApplyThroughYourUnit: (
        ask(replace(GROWN, under=SCALE, at=shanghai(5, 1, year=2007), facts=frozenset({"insured_employee"}))),
        f"{APPLYING}.scale_phase",
    ),
    counter.WayNotOffered: (ask(replace(submit, way=Way.MAIL)), f"{APPLYING}.delivery"),
    counter.GuardianNeeded: (ask(replace(GROWN, agent=replace(SPOUSE, document=""))), f"{APPLYING}.papers_of_agents"),
    counter.MinorNeedsGuardian: (ask(replace(GROWN, age=12)), f"{APPLYING}.minors"),
    counter.AgentNotTaken: (ask(replace(FIRST_ID, agent=SPOUSE)), f"{APPLYING}.agents"),
    counter.DocumentsMissing: (ask(replace(submit, documents=("passport",))), f"{PROGRAMME}.issuance.documents"),
    PapersMissing: (ask(replace(GROWN, agent=replace(SPOUSE, document="passport"))), f"{APPLYING}.papers_of_agents"),
    counter.LegacyCardMissing: (ask(replace(GROWN, has_legacy=True)), f"{APPLYING}.legacy_card"),
    counter.CommitmentMissing: (
        ask(replace(FIRST_ID, papers=(Shown(kind="study_proof"),))),
        f"{APPLYING}.commitment_letter",
    ),
    counter.CommitmentOutdated: (
        ask(replace(FIRST_ID, papers=(Shown(kind="study_proof"),), commitment=OTHER_WORDS)),
        f"{APPLYING}.commitment_letter",
    ),
    counter.PortraitMissing: (ask(replace(submit, portrait="")), f"{APPLYING}.portrait"),
    counter.PortraitFromElsewhere: (ask(replace(TO_TALENTS, taken="brought")), f"{APPLYING}.portrait"),
    papers.DeliveryFrozen: (ask(choose_way, submitted, accepted), f"{APPLYING}.delivery"),
    collection.CardElsewhere: (at_outlet(outlet=drawer.BANK), f"{COLLECTING}.elsewhere"),
    collection.DocumentNotAccepted: (at_outlet(document="passport"), f"{PROGRAMME}.issuance.collection_documents"),
    collection.ArrangedOtherwise: (
        at_outlet(ID_CARD, document="household_book", taker=By.AGENT, agent_document="id_card"),
        f"{APPLYING}.delivery",
    ),
    collection.AgentNotAllowed: (
        at_outlet(replace(OURS, agent_may_collect=False), agent_document="id_card"),
        f"{PROGRAMME}.issuance.agent_may_collect",
    ),
    collection.UnitNotAllowed: (at_outlet(SOCIAL, taker=By.UNIT), f"{COLLECTING}.papers_of_units"),
    collection.NotThisUnitsCard: (at_outlet(taker=By.UNIT), f"{COLLECTING}.papers_of_units"),
    collection.NoticeNotShown: (at_outlet(notice=False), f"{COLLECTING}.shown"),
    collection.ReceiptNeeded: (at_outlet(ID_CARD, document="household_book"), f"{COLLECTING}.shown"),
    collection.FingerprintNeeded: (
        at_outlet(ID_CARD, document="household_book", receipt="right"),
        f"{COLLECTING}.shown",
    ),
    collection.NotByMail: (at_desk(MAILED, *AT_OUTLET), f"{APPLYING}.delivery"),
    collection.CollectedWhereAppliedFor: (at_desk(SENT_ON, *AT_OUTLET), f"{COLLECTING}.elsewhere"),
    cards.FunctionOpenedElsewhere: (at_desk(OPENED, *IN_USE), f"{PROGRAMME}.catalogue"),
    cards.FunctionNotGranted: (at_desk(replace(OPENED, place=Place.BANK), *IN_USE, GONE), f"{PROGRAMME}.functions"),
    endorsement.NotEndorsed: (at_desk(replace(ENDORSED, under=OURS), *IN_USE), f"{PROGRAMME}.endorsement"),
    endorsement.EndorsedElsewhere: (at_desk(replace(ENDORSED, outlet="wx-hall"), *IN_USE), f"{PROGRAMME}.endorsement"),
    endorsement.NoLongerEntitled: (at_desk(ENDORSED, *IN_USE, GONE), f"{PROGRAMME}.eligibility#residence"),
    endorsement.TooEarly: (at_desk(ENDORSED, *IN_USE), f"{PROGRAMME}.endorsement"),
    pictures.PortraitTooHeavy: (shown(b"x" * 50_000), f"{PROGRAMME}.issuance.portrait"),
    pictures.PortraitTooLight: (shown(drawn(quality=40)), f"{PROGRAMME}.issuance.portrait"),
    pictures.PortraitWrongSize: (shown(drawn(size=(357, 441))), f"{PROGRAMME}.issuance.portrait"),
    pictures.PortraitNotColour: (shown(drawn(mode="L")), f"{PROGRAMME}.issuance.portrait"),
    pictures.PortraitNotOnWhite: (shown(drawn(wall="#d0d0d0", quality=74)), f"{PROGRAMME}.issuance.portrait"),
}
"""Each refusal by which a bylaw says no, how one comes by it, and the value that it cites."""

OVER_HTTP: Mapping[type[Refused], str] = {
    AlreadyApplied: f"{APPLYING}.cards_per_person",
    AlreadyHolds: f"{APPLYING}.cards_per_person",
    UnitsApplyAtTheHall: f"{APPLYING}.units_at",
    collection.FingerprintMismatch: f"{COLLECTING}.shown",
}
"""Those that are said at the door, by a bylaw too."""

NOT_BY_BYLAW: Mapping[str, frozenset[type[Refused]]] = {
    "what was sent cannot be read, or does not fit itself": frozenset(
        {
            pictures.PortraitUnreadable, pictures.PortraitNotAlone, code.UnitCodeMisshapen, code.UnitCodeFails,
            return_files.ReturnFileUnreadable, ReasonMissing, series.BatchTooLarge, batch.CountWrong,
            batch.CardNotInBatch, batch.CardTwice, batch.IdentMissing, batch.CountDiffers, collection.ReceiptWrong,
        }
    ),
    "there is no such thing": frozenset(
        {
            papers.ApplicationUnknown, collection.CardUnknown, cards.FunctionUnknown, batch.BatchUnknown,
            bylaws.ProgrammeUnknown, bylaws.OutletUnknown, ReceiptUnknown, NoLetter, NoPortrait,
            PersonErased, why_card.NotDecided,
        }
    ),
    "as things stand it makes no sense, whatever a city's bylaws say": frozenset(
        {
            papers.AlreadyDecided, papers.SupplementPending, papers.NotUnderReview, override.NothingRefused,
            override.CardThereAlready, collection.NotReadyYet, collection.AlreadyHandedOver, collection.CaseOpen,
            collection.NotInThePost, cards.NotInHand, cards.CardEnded, cards.CardNotActive, cards.TooLateToWithdraw,
            cards.NothingOrdered, endorsement.ReportedLost, ApplicantMerged, series.NothingToProduce,
            series.NumbersExhausted, batch.StillForming, batch.NothingOrdered, batch.NotInProduction,
            batch.AlreadyReturned, batch.StillInWork, batch.NotOnItsWay,
        }
    ),
    "it is another outlet's to do": frozenset({batch.WrongOutlet}),
}  # fmt: skip
"""Every other refusal, by the reason for which no bylaw stands behind it."""


def test_of_every_refusal_somebody_has_said_whether_a_bylaw_says_no() -> None:
    judged = [*BY_BYLAW, *OVER_HTTP, *(one for group in NOT_BY_BYLAW.values() for one in group)]
    assert set(judged) == refusals_of("services.issuance"), "put a new refusal into one of the lists above"
    assert len(judged) == len(set(judged)), "each stands in one of them only"


def test_wherever_a_bylaw_says_no_it_is_named() -> None:
    assert raised_bare("services.issuance", {*BY_BYLAW, *OVER_HTTP}) == []


@pytest.mark.requirement("R11")
@pytest.mark.parametrize("refusal", BY_BYLAW, ids=lambda refusal: refusal.__name__)
def test_a_refusal_by_a_bylaw_cites_it_in_chinese_and_english(refusal: type[Refused]) -> None:
    act, rule = BY_BYLAW[refusal]
    with pytest.raises(Refused) as refused:
        act()
    assert refused.type is refusal
    assert isinstance(refused.value.why, Cited)
    told = why_not(refused.value, PACKS.names_of(refused.value.why.city))
    assert told is not None
    assert told.decision is Decision.REFUSAL
    assert told.grounds[0].rule.endswith(f"/{rule}")
    assert all(ground.basis.en and ground.edition and ground.valid_from for ground in told.grounds)
    assert all("taken out" not in ground.basis.en for ground in told.grounds)
    assert told.said.en == str(refused.value)
    assert told.said.zh != told.said.en


def test_every_refusal_by_a_bylaw_has_a_chinese_sentence() -> None:
    names = PACKS.names_of(WUXI)
    codes = [refusal_code(refusal) for refusal in (*BY_BYLAW, *OVER_HTTP)]
    assert [code for code in codes if names.named("refusal", code).zh == code] == []


def test_where_a_city_says_nothing_the_default_of_the_platform_is_cited() -> None:
    with pytest.raises(counter.WayNotOffered) as refused:
        ask(replace(submit, way=Way.MAIL))()
    told = why_not(refused.value, PACKS.names_of(drawer.ZHOUSHAN))
    assert told is not None
    assert told.said.zh == "本类卡不以此方式送达持卡人，可选择：代办人领取、本人到窗口领取。"
    [ground] = told.grounds
    assert ground.rule == "default/citizen-card/issuance.applying.delivery"
    assert ground.basis.zh == "平台默认值，本市规定未另作规定"


@pytest.mark.requirement("R12")
def test_an_edition_that_does_not_say_one_card_to_a_person_has_it_from_the_platform() -> None:
    before = [replace(pack, files={path: said for path, said in pack.files.items() if "/issuance" not in path})
              for pack in PACKS]  # fmt: skip
    under = bylaws.IssuanceBylaws(CityPacks(before)).at(drawer.ZHOUSHAN, "citizen-card", ASKED)
    [article] = under.by(why_card.ONE_CARD_EACH).articles
    assert article == "default/citizen-card/issuance.applying.cards_per_person@2012-03-10/2026-09-01"


@pytest.mark.requirement("R20", "R86")
def test_what_is_missing_is_listed_in_chinese_by_the_names_of_the_papers() -> None:
    with pytest.raises(PapersMissing) as refused:
        at_outlet(agent_document="id_card", taker=By.AGENT)()
    told = why_not(refused.value, PACKS.names_of(drawer.ZHOUSHAN))
    assert told is not None
    assert told.said == Said(
        zh="缺少下列材料，请补齐后办理：代办人的居民身份证原件及复印件；申请人的居民身份证或户口簿或居住证原件及复印件。",
        en=str(refused.value),
    )
    assert [ground.rule for ground in told.grounds] == ["citizen-card/issuance.collecting.papers_of_agents"]


@pytest.mark.requirement("R98")
def test_before_a_programme_begins_the_entry_is_cited_with_which_it_will() -> None:
    with pytest.raises(counter.ProgrammeNotOpen) as refused:
        BYLAWS.at("330100", "foreign-talent-card", shanghai(8, 19, year=2018))
    assert isinstance(refused.value.why, Cited)
    assert all("@2018-08-20/" in ref for ref in refused.value.why.articles)


def test_who_is_entitled_no_longer_is_told_by_which_row_on_which_facts_and_what_is_missing() -> None:
    with pytest.raises(endorsement.NoLongerEntitled) as refused:
        BY_BYLAW[endorsement.NoLongerEntitled][0]()
    cited = refused.value.why
    assert isinstance(cited, Cited)
    assert (cited.articles, cited.edition) == ((GONE.ground,), "e0"), "the very row by which identity has judged"
    assert (cited.facts, cited.missing) == (GONE.used, ("residence",))


# --- over HTTP ---


def grounds(answer: dict[str, Any]) -> list[str]:
    return [ground["rule"] for ground in answer["why"]["grounds"]]


@pytest.mark.requirement("R11", "R12")
async def test_the_answer_at_the_counter_carries_the_bylaw_that_says_no(town: Town) -> None:
    person = await registered(town, CLERK, HRSS)
    await town.drain()
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["passport"], "portrait": PORTRAIT}
    no = await town.post(HALL, "/v1/applications", papers, expect=422)
    assert (no["code"], grounds(no)) == ("documents-missing", ["citizen-card/programme.issuance.documents"])
    [ground] = no["why"]["grounds"]
    assert (ground["basis"]["zh"], ground["valid_from"]) == ("舟山市市民卡常见问题解答 (1)", "2012-03-10")
    assert no["why"]["text"]["zh"].splitlines()[0].startswith("不予：所持证件均不在受理范围之内")
    assert no["why"]["said"]["en"] == no["detail"]
    paper = await town.post(HALL, "/v1/applications", papers | {"documents": ["id_card"]})
    second = await town.post(HALL, "/v1/applications", papers | {"documents": ["id_card"]}, expect=409)
    assert (second["code"], grounds(second)) == ("already-applied", ["citizen-card/issuance.applying.cards_per_person"])
    await town.post(HALL, f"/v1/applications/{paper['application_id']}/acceptances")
    await produced(town, "citizen-card", CENTRE, VENDOR, HALL)
    held = await town.post(HALL, "/v1/applications", papers | {"documents": ["id_card"]}, expect=409)
    assert (held["code"], grounds(held)) == ("already-holds", ["citizen-card/issuance.applying.cards_per_person"])
    assert held["why"]["grounds"][0]["basis"] == {"zh": "默认值", "en": "default"}
    card = card_id(holding_id(PersonId(person), "citizen-card"), 1)
    other = {"document": "id_card", "fingerprint": "mismatch"}
    stays = await town.post(HALL, f"/v1/cards/{card}/hand-overs", other, expect=409)
    assert (stays["code"], grounds(stays)) == ("fingerprint-mismatch", ["citizen-card/issuance.collecting.shown"])


ROW = {"person_id": drawer.LI, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}


async def test_a_unit_that_comes_to_the_wrong_place_is_told_by_which_bylaw(town: Town) -> None:
    said = {"unit": "91350100M000100Y43", "programme": "citizen-card", "papers": [], "rows": [ROW]}
    no = await town.post(CLERK, "/v1/unit-applications", said, expect=403)
    assert (no["code"], grounds(no)) == ("units-apply-at-the-hall", ["default/citizen-card/issuance.applying.units_at"])
    assert no["why"]["said"]["zh"] == "单位集中申领不在此处办理，请到下列网点之一：舟山市民卡服务厅。"
