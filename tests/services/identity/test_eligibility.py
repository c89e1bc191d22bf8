"""Each row of each city's tables, and the reasons that it gives."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.runtime.citypack import PackUnfit, load_packs
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.tables import Table
from services.identity.domain.events import Statement, Verdict

NOW = datetime(2026, 10, 8, 1, 0, tzinfo=UTC)
PACKS = load_packs(Path(__file__).parents[3] / "deploy")
TABLES = Eligibility(PACKS)
ZHOUSHAN, WUXI = "330900", "320200"
DEPARTMENTS = {
    fact: department
    for department, about in PACKS[ZHOUSHAN].files["city"]["departments"].items()
    for fact in about["facts"]
}


def said(fact: str, department: str = "") -> Statement:
    return Statement(
        fact=fact,
        department=department or DEPARTMENTS[fact],
        valid_from=date(2020, 1, 1),
        valid_to=None,
        ended=False,
        reference="1",
        stated_at=NOW,
    )


def judge(city: str, *facts: str) -> Verdict:
    principal, *_ = TABLES.verdicts(city, [said(fact) for fact in facts], 30, NOW)
    return principal


def open_functions(verdict: Verdict) -> set[str]:
    return {one.function for one in verdict.functions if one.granted}


def because(verdict: Verdict, function: str) -> str:
    return next(one.because for one in verdict.functions if one.function == function)


INSURED_ZHOUSHAN = ("insured_employee", "insured_resident", "insured_rural")
INSURED_WUXI = (*INSURED_ZHOUSHAN, "pension_insured")
FOR_ALL = {"identity_query", "transit", "epurse", "bank_debit"}


@pytest.mark.parametrize(
    ("city", "fact", "article"),
    [
        (ZHOUSHAN, "hukou", "city order 36"),
        *((ZHOUSHAN, fact, "FAQ (1)") for fact in INSURED_ZHOUSHAN),
        (WUXI, "hukou", "MOHRSS 2011-47"),
        *((WUXI, fact, "MOHRSS 2011-47") for fact in INSURED_WUXI),
    ],
)
def test_one_fact_is_enough_and_is_named_with_its_source_and_article(city: str, fact: str, article: str) -> None:
    verdict = judge(city, fact)
    assert (verdict.granted, verdict.rule, verdict.missing) == (True, fact, ())
    assert verdict.facts_used == (f"{fact} ({DEPARTMENTS[fact]})",)
    assert article in verdict.article
    assert verdict.basis
    assert verdict.bylaws == PACKS[city].hash


@pytest.mark.parametrize(
    ("city", "missing"),
    [(ZHOUSHAN, ("hukou", *INSURED_ZHOUSHAN)), (WUXI, (*INSURED_WUXI, "hukou"))],
)
def test_a_refusal_names_what_is_missing(city: str, missing: tuple[str, ...]) -> None:
    verdict = judge(city, "residence", "study", "work_permit")
    assert (verdict.granted, verdict.rule, verdict.facts_used) == (False, "no_ground", ())
    assert verdict.missing == missing
    assert all(judge(city, fact).granted for fact in missing)


@pytest.mark.parametrize(("city", "insured"), [(ZHOUSHAN, INSURED_ZHOUSHAN), (WUXI, INSURED_WUXI)])
def test_who_has_moved_away_is_left_with_insurance_only(city: str, insured: tuple[str, ...]) -> None:
    verdict = judge(city, "hukou", "moved_away")
    assert (verdict.granted, verdict.rule, verdict.missing) == (False, "moved_away", insured)
    assert verdict.facts_used == ("moved_away (police)",)
    assert all(judge(city, "hukou", "moved_away", fact).rule == fact for fact in insured)


@pytest.mark.parametrize("city", [ZHOUSHAN, WUXI])
def test_death_ends_every_entitlement(city: str) -> None:
    verdict = judge(city, "deceased", "hukou", "insured_employee")
    assert (verdict.granted, verdict.rule, verdict.missing) == (False, "deceased", ())
    assert verdict.facts_used == ("deceased (police)",)


@pytest.mark.parametrize("city", [ZHOUSHAN, WUXI])
@pytest.mark.parametrize(
    ("facts", "functions"),
    [
        (["hukou"], set()),
        (["insured_employee"], {"social_security", "medical"}),
        (["insured_resident"], {"social_security", "medical"}),
        (["insured_rural"], {"medical", "rural_medical"}),
        (["pension_insured"], {"social_security"}),
        (["pension_insured", "insured_rural"], {"social_security", "medical", "rural_medical"}),
    ],
)
def test_a_function_is_open_to_those_who_meet_its_conditions(
    city: str, facts: Iterable[str], functions: set[str]
) -> None:
    assert open_functions(judge(city, *facts)) == functions | FOR_ALL


@pytest.mark.parametrize("city", [ZHOUSHAN, WUXI])
def test_a_bank_s_restriction_touches_the_bank_function_alone(city: str) -> None:
    free, restricted = judge(city, "insured_employee"), judge(city, "insured_employee", "bank_restricted")
    assert open_functions(free) - open_functions(restricted) == {"bank_debit"}
    assert restricted.granted
    assert "restricted" in because(restricted, "bank_debit")


def test_a_refused_function_says_why() -> None:
    verdict = judge(ZHOUSHAN, "hukou")
    assert because(verdict, "medical") == "takes part in no medical scheme here"
    assert all(one.because and one.article for one in verdict.functions)


@given(st.sampled_from([ZHOUSHAN, WUXI]), st.sets(st.sampled_from(sorted(DEPARTMENTS))), st.integers(0, 150))
def test_nobody_is_left_without_an_answer_about_any_function_of_the_card(city: str, facts: set[str], age: int) -> None:
    for verdict in TABLES.verdicts(city, [said(fact) for fact in sorted(facts)], age, NOW):
        catalogue = PACKS[city].files[f"{verdict.programme}/programme"]["catalogue"][-1]["value"]
        assert [one.function for one in verdict.functions] == list(
            dict.fromkeys(one.function for one in verdict.functions)
        )
        assert {one.function for one in verdict.functions} == {entry["function"] for entry in catalogue}
        assert not (verdict.granted and verdict.missing)


def test_two_sources_of_one_fact_are_both_named() -> None:
    both = [said("hukou", "police"), said("hukou", "archive")]
    (verdict,) = TABLES.verdicts(ZHOUSHAN, both, 30, NOW)
    assert verdict.facts_used == ("hukou (archive, police)",)


def spoilt(spoil: Callable[[dict[str, object]], None], folder: Path) -> Path:
    source = PACKS[ZHOUSHAN].folder / "citizen-card" / "eligibility.json"
    table = json.loads(source.read_text())
    spoil(next(node for node in table["nodes"] if node["type"] == "decisionTableNode")["content"])
    path = folder / "eligibility.json"
    path.write_text(json.dumps(table))
    return path


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content["rules"].pop(), "must fit everybody"),
        (lambda content: content["inputs"][0].update(field="facts.hukuo"), r"facts\.hukuo, which no department"),
        (lambda content: content.clear(), "no decision table"),
    ],
)
def test_a_spoilt_table_is_found_before_anybody_is_judged_by_it(
    spoil: Callable[[dict[str, object]], None], words: str, tmp_path: Path
) -> None:
    with pytest.raises(PackUnfit, match=words):
        Table(spoilt(spoil, tmp_path), frozenset(DEPARTMENTS))
