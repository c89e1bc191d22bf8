"""The seven programmes of the seed documents, each with its own words for who may have a card, and why not."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from libs.kernel.why import Decision, told
from libs.runtime.citypack import load_packs
from services.identity.adapters.eligibility import Eligibility
from services.identity.domain.events import Statement, Verdict
from services.identity.domain.particulars import age

PACKS = load_packs(Path(__file__).parents[3] / "deploy")
TABLES = Eligibility(PACKS)
HANGZHOU, ZHOUSHAN, WUXI = "330100", "330900", "320200"
BIRTH = date(1990, 1, 1)
NOON = datetime(2026, 10, 8, 4, 0, tzinfo=UTC)
TODAY = date(2026, 10, 8)
SEVEN = {
    "hangzhou-citizen": (HANGZHOU, "citizen-card"),
    "hangzhou-social-security": (HANGZHOU, "social-security-card"),
    "hangzhou-foreign-talent": (HANGZHOU, "foreign-talent-card"),
    "zhoushan-social-security-citizen": (ZHOUSHAN, "citizen-card"),
    "wuxi-resident-id": (WUXI, "resident-id"),
    "wuxi-residence-permit": (WUXI, "residence-permit"),
    "social-security-third-generation": (WUXI, "social-security-card"),
}


def said(fact: str, begins: date = date(2020, 1, 1), ends: date | None = None, by: str = "somebody") -> Statement:
    return Statement(
        fact=fact, department=by, valid_from=begins, valid_to=ends, ended=False, reference="1", stated_at=NOON
    )


def judged(name: str, *facts: str | Statement, at: datetime = NOON, birth: date = BIRTH) -> Verdict:
    city, programme = SEVEN[name]
    holding = [said(fact) if isinstance(fact, str) else fact for fact in facts]
    verdicts = TABLES.verdicts(city, holding, age(birth, (at + timedelta(hours=8)).date()), at, birth)
    return next(verdict for verdict in verdicts if verdict.programme == programme)


def open_functions(verdict: Verdict) -> set[str]:
    return {one.function for one in verdict.functions if one.granted}


@pytest.mark.requirement("R163")
def test_all_seven_programmes_run_from_packs() -> None:
    found = {
        pack.files[f"{programme}/programme"]["name"]: (pack.code, programme)
        for pack in PACKS
        for programme in pack.programmes
    }
    assert found == SEVEN
    for name in SEVEN:
        assert not judged(name).granted, name
        assert judged(name).missing, name


# --- hangzhou-citizen: the household, and the groups of Article 6 ---

GROUNDS = [
    pytest.param("hukou", "", marks=pytest.mark.requirement("R2")),
    pytest.param("insured_employee", "(1)", marks=pytest.mark.requirement("R1", "R4")),
    pytest.param("insured_resident", "(1)", marks=pytest.mark.requirement("R1", "R4")),
    pytest.param("study", "(2)", marks=pytest.mark.requirement("R1", "R5")),
    pytest.param("health_record", "(3)", marks=pytest.mark.requirement("R1", "R6")),
    pytest.param("taiwan_compatriot", "(4)", marks=pytest.mark.requirement("R1", "R7")),
    pytest.param("work_permit", "(5)", marks=pytest.mark.requirement("R1", "R8")),
    pytest.param("named_by_the_city", "(6)", marks=pytest.mark.requirement("R1", "R9")),
]


@pytest.mark.parametrize(("fact", "paragraph"), GROUNDS)
def test_each_category_of_article_6_is_enough_by_itself(fact: str, paragraph: str) -> None:
    verdict = judged("hangzhou-citizen", fact)
    assert (verdict.granted, verdict.may_apply, verdict.rule) == (True, True, fact)
    assert verdict.article == f"Hangzhou citizen-card measures, Art. 6 {paragraph}".strip()
    assert verdict.facts_used == (f"{fact} (somebody)",)


@pytest.mark.requirement("R1")
def test_a_household_elsewhere_is_never_the_reason() -> None:
    verdict = judged("hangzhou-citizen", "residence")
    assert (verdict.granted, verdict.rule) == (False, "no_ground")
    assert set(verdict.missing) == {str(ground.values[0]) for ground in GROUNDS}
    assert all(judged("hangzhou-citizen", fact).granted for fact in verdict.missing)


@pytest.mark.requirement("R10", "R3")
def test_two_texts_of_one_city_each_judge_their_own_time_and_say_which_they_are() -> None:
    before = judged("hangzhou-citizen", said("study", date(2005, 1, 1)), at=datetime(2013, 12, 31, 4, tzinfo=UTC))
    after = judged("hangzhou-citizen", said("study", date(2005, 1, 1)), at=datetime(2014, 1, 1, 4, tzinfo=UTC))
    assert (before.granted, before.text, before.missing) == (False, "eligibility-household", ("hukou",))
    assert (after.granted, after.text) == (True, "eligibility-article-6")
    assert "before the amendment" in before.article
    assert before.ground == "citizen-card/programme.eligibility#no_household@2006-01-01/2026-09-01"
    assert after.ground == "citizen-card/programme.eligibility#study@2014-01-01/2026-09-01"
    assert before.bylaws == after.bylaws == PACKS[HANGZHOU].hash


@pytest.mark.requirement("R10")
def test_whoever_another_text_will_judge_otherwise_is_judged_anew_on_its_day() -> None:
    before = judged("hangzhou-citizen", said("study", date(2005, 1, 1)), at=datetime(2013, 6, 1, 4, tzinfo=UTC))
    assert before.holds_until == datetime(2013, 12, 31, 16, 0, tzinfo=UTC)  # 0:00 of 1 January in Shanghai


# --- hangzhou-social-security: a job and an insurance ---


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("insurance", ["insured_employee", "insured_resident", "pension_insured"])
def test_a_job_and_one_insurance_are_both_needed_and_the_missing_one_is_named(insurance: str) -> None:
    both = judged("hangzhou-social-security", "stable_job", insurance)
    assert (both.granted, both.rule) == (True, f"job_and_{insurance}")
    assert judged("hangzhou-social-security", insurance).missing == ("stable_job",)
    assert judged("hangzhou-social-security", "stable_job").missing == (
        "insured_employee", "insured_resident", "pension_insured",
    )  # fmt: skip
    assert f"stable_job+{insurance}" in judged("hangzhou-social-security").missing


@pytest.mark.requirement("R3")
def test_whoever_gets_a_household_gets_the_citizen_card_and_no_second_card() -> None:
    verdict = judged("hangzhou-social-security", "hukou", "stable_job", "insured_employee")
    assert (verdict.granted, verdict.rule) == (False, "hukou")
    assert judged("hangzhou-citizen", "hukou").granted


# --- hangzhou-foreign-talent: days are counted ---


def permit(held: int = 100, left: int = 200) -> Statement:
    return said("work_permit", TODAY - timedelta(days=held), TODAY + timedelta(days=left), "experts")


def talent(held: int = 100, left: int = 200, *more: str | Statement) -> Verdict:
    return judged("hangzhou-foreign-talent", permit(held, left), "passport", *more)


@pytest.mark.requirement("R101")
@pytest.mark.parametrize(("left", "may_apply"), [(89, False), (90, False), (91, True), (92, True)])
def test_the_work_permit_must_hold_for_more_than_90_days(left: int, may_apply: bool) -> None:
    verdict = talent(left=left)
    assert (verdict.granted, verdict.may_apply) == (True, may_apply)
    assert verdict.rule == ("work_permit" if may_apply else "work_permit_ends_soon")


@pytest.mark.requirement("R99")
@pytest.mark.parametrize(("held", "may_apply"), [(0, False), (13, False), (14, True), (15, True)])
def test_the_work_permit_must_have_been_issued_two_weeks_ago(held: int, may_apply: bool) -> None:
    verdict = talent(held=held)
    assert (verdict.may_apply, verdict.rule) == (may_apply, "work_permit" if may_apply else "work_permit_too_fresh")


@pytest.mark.requirement("R99", "R101")
def test_the_days_on_which_this_changes_are_known_beforehand() -> None:
    midnight = datetime(2026, 10, 8, 16, 0, tzinfo=UTC)
    assert talent(held=13).holds_until == midnight
    assert talent(left=92).holds_until == midnight + timedelta(days=1)
    assert talent(left=90).holds_until is None  # The end of the permit is the department's to say.


@pytest.mark.requirement("R100")
def test_the_passport_must_be_valid_when_applying() -> None:
    verdict = judged("hangzhou-foreign-talent", permit())
    assert (verdict.may_apply, verdict.rule, verdict.missing) == (False, "no_passport", ("passport",))


@pytest.mark.requirement("R98")
def test_before_20_august_the_programme_is_not_open_and_the_day_is_named() -> None:
    early = datetime(2018, 8, 19, 4, 0, tzinfo=UTC)
    facts = [said("work_permit", date(2018, 1, 1), date(2019, 12, 31)), said("passport", date(2015, 1, 1))]
    verdict = judged("hangzhou-foreign-talent", *facts, at=early)
    assert (verdict.granted, verdict.rule) == (False, "not_open")
    assert "2018-08-20" in verdict.basis
    assert "from 20 August" in verdict.article
    assert verdict.holds_until == datetime(2018, 8, 19, 16, 0, tzinfo=UTC)
    assert judged("hangzhou-foreign-talent", *facts, at=early + timedelta(days=1)).may_apply


@pytest.mark.requirement("R104", "R105", "R106")
def test_a_foreign_talent_has_what_citizens_have_and_medical_insurance_when_insured() -> None:
    same = {"account", "transit", "campus_fitness", "park_pass", "temple_pass", "library", "epurse", "bank_debit"}
    assert open_functions(talent()) == same | {"identity_query"}
    insured = talent(100, 200, "insured_employee")
    assert open_functions(insured) - open_functions(talent()) == {"medical", "social_security"}
    citizen = judged("hangzhou-citizen", "hukou", "insured_employee")
    assert open_functions(citizen) == open_functions(insured)


@pytest.mark.requirement("R106")
def test_no_table_of_any_city_asks_for_a_nationality() -> None:
    for city, programme in SEVEN.values():
        fields = {field for table in TABLES.tables(city, programme, NOON) for field in table.fields}
        assert not [field for field in fields if "nation" in field or "country" in field]


@pytest.mark.requirement("R104", "R106")
def test_when_the_permit_ends_its_functions_rest_and_come_back_with_a_new_one() -> None:
    without = judged("hangzhou-foreign-talent", "passport")
    assert "transit" not in open_functions(without)
    assert "transit" in open_functions(talent())


# --- zhoushan-social-security-citizen ---


@pytest.mark.requirement("R70", "R72", "R73")
def test_every_function_is_on_every_card_and_open_only_to_whom_it_is_for() -> None:
    catalogue = {line["function"] for line in PACKS[ZHOUSHAN].files["citizen-card/programme"]["catalogue"][-1]["value"]}
    household = judged("zhoushan-social-security-citizen", "hukou")
    rural = judged("zhoushan-social-security-citizen", "hukou", "insured_rural")
    paid = judged("zhoushan-social-security-citizen", "hukou", "insured_employee")
    assert {one.function for one in household.functions} == catalogue
    assert "social_security" not in open_functions(household)
    assert open_functions(rural) - open_functions(household) == {"medical", "rural_medical"}
    assert open_functions(paid) - open_functions(household) == {"medical", "social_security"}


@pytest.mark.requirement("R71")
def test_a_bank_s_restriction_touches_the_bank_function_alone() -> None:
    free = judged("zhoushan-social-security-citizen", "hukou")
    restricted = judged("zhoushan-social-security-citizen", "hukou", "bank_restricted")
    assert open_functions(free) - open_functions(restricted) == {"bank_debit"}


# --- wuxi-resident-id ---


@pytest.mark.requirement("R115")
@pytest.mark.parametrize("tie", ["stable_job", "study", "residence"])
def test_a_household_in_the_delta_and_a_tie_to_wuxi_are_both_needed(tie: str) -> None:
    assert judged("wuxi-resident-id", "hukou_delta", tie).granted
    assert tie in judged("wuxi-resident-id", "hukou_delta").missing
    assert f"hukou_delta+{tie}" in judged("wuxi-resident-id", tie).missing
    assert not judged("wuxi-resident-id", "hukou", tie).granted  # In-province applicants go another way.
    assert judged("wuxi-resident-id", "hukou_delta", tie, "document_fraud").rule == "document_fraud"


@pytest.mark.requirement("R116")
def test_temporary_cards_are_not_to_be_had_this_way() -> None:
    applying = PACKS[WUXI].files["resident-id/issuance"]["applying"]
    assert applying["temporary_cards"][-1]["value"] is False


# --- wuxi-residence-permit ---


@pytest.mark.requirement("R129")
@pytest.mark.parametrize("tie", ["stable_job", "lawful_home", "study"])
def test_half_a_year_and_a_tie_lead_to_a_residence_permit(tie: str) -> None:
    def lived(days: int) -> Statement:
        return said("residence", TODAY - timedelta(days=days), by="police")

    early = judged("wuxi-residence-permit", lived(182), tie)
    assert (early.granted, early.rule) == (False, "half_year_not_full")
    assert early.holds_until == datetime(2026, 10, 8, 16, 0, tzinfo=UTC)
    assert judged("wuxi-residence-permit", lived(183), tie).granted
    assert judged("wuxi-residence-permit", lived(183)).missing == ("stable_job", "lawful_home", "study")
    assert judged("wuxi-residence-permit", "hukou", lived(400), tie).rule == "hukou"


# --- all of them ---

EVERYTHING: Sequence[str] = sorted({fact for pack in PACKS for fact in pack.facts})


@pytest.mark.requirement("R11")
@pytest.mark.parametrize("name", SEVEN)
def test_every_rule_of_every_programme_explains_itself_in_two_languages(name: str) -> None:
    city, programme = SEVEN[name]
    eligibility, functions = TABLES.tables(city, programme, NOON)
    for table, output in ((eligibility, "basis"), (functions, "because")):
        for rule in table.outputs:
            words = table.words(rule, output)
            assert words is not None
            assert any("\u4e00" <= char <= "\u9fff" for char in words.zh), f"{table.path}: {rule}"
            assert words.en.isascii(), f"{table.path}: {rule}"
    verdict = judged(name, "hukou", "insured_employee")
    why = TABLES.why(city, verdict, NOON)
    assert why.decision is (Decision.GRANT if verdict.granted else Decision.REFUSAL)
    text = told(why, PACKS[city])
    assert verdict.article in text.en
    assert PACKS[city].hash in text.zh


@pytest.mark.requirement("R119")
@pytest.mark.parametrize(
    ("on", "open_to"), [(datetime(2026, 10, 7, 4, tzinfo=UTC), False), (datetime(2026, 10, 8, 4, tzinfo=UTC), True)]
)
def test_an_age_limit_is_computed_on_the_day_itself(on: datetime, open_to: bool) -> None:
    sixtieth = date(1966, 10, 8)
    verdict = judged("hangzhou-citizen", "hukou", at=on, birth=sixtieth)
    assert ("transit_senior" in open_functions(verdict)) is open_to
    if not open_to:
        assert verdict.holds_until == datetime(2026, 10, 7, 16, 0, tzinfo=UTC)  # 0:00 of the birthday in Shanghai


@pytest.mark.requirement("R74")
@pytest.mark.parametrize("name", SEVEN)
def test_every_function_traces_to_the_rules_that_it_follows(name: str) -> None:
    verdict = judged(name)
    assert verdict.functions
    assert all(one.article and one.rule.startswith(f"{one.function}.") for one in verdict.functions)


@pytest.mark.requirement("R76")
def test_no_programme_takes_a_citizen_card_for_a_proof_of_identity() -> None:
    for pack in PACKS:
        for programme in pack.programmes:
            issuance = pack.files[f"{programme}/programme"]["issuance"]
            accepted = {
                kind
                for rule in ("documents", "collection_documents")
                for one in issuance[rule]
                for kind in one["value"]
            }
            assert not accepted & {"citizen_card", "social_security_card"}, f"{pack.name} {programme}"


@pytest.mark.requirement("R77", "R135")
def test_validity_is_a_value_of_each_programme_with_its_basis() -> None:
    years = {
        name: PACKS[city].dated(f"{programme}/programme.issuance.validity_years", int)
        for name, (city, programme) in SEVEN.items()
    }
    assert years["zhoushan-social-security-citizen"].at(NOON) == 10
    assert years["zhoushan-social-security-citizen"].entry_at(NOON).basis == "Zhoushan citizen-card FAQ (11)"
    assert years["wuxi-residence-permit"].at(NOON) == 1
