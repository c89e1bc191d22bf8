"""An explanation reads the same for citizen, clerk and appeal file, in Chinese and in English."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from libs.kernel import Forbidden
from libs.kernel.why import Cited, Decision, FactUsed, Ground, Nameless, Said, Why, told, why_not

ORDER_36 = Ground(
    rule="citizen-card/programme.eligibility#hukou",
    basis=Said(zh="市政府令第36号", en="city order 36"),
    valid_from=date(2012, 3, 10),
    recorded_on=date(2026, 9, 1),
    edition="4cc32524664d4fca",
)
HUKOU = FactUsed(
    fact="hukou",
    department="police",
    valid_from=date(2010, 5, 1),
    stated_at=datetime(2026, 10, 7, 17, 0, tzinfo=UTC),  # 1:00 of the next day in Shanghai
)
granted = Why(
    city="330900",
    decision=Decision.GRANT,
    said=Said(zh="有本市户籍", en="has a registered household in Zhoushan"),
    grounds=(ORDER_36,),
    facts=(HUKOU,),
    at=datetime(2026, 10, 8, 4, 0, tzinfo=UTC),
)


class Called(Nameless):
    """A city that has a name for everything."""

    def named(self, kind: str, of: str) -> Said:
        return {
            "hukou": Said(zh="本市户籍", en="registered household"),
            "police": Said(zh="公安局", en="the police"),
        }.get(of, Said(zh=of, en=of))


@pytest.mark.requirement("R11")
def test_a_grant_names_its_rule_its_legal_basis_and_the_fact_with_source_and_date() -> None:
    assert told(granted, Called()).en.splitlines() == [
        "Granted: has a registered household in Zhoushan.",
        "Basis: city order 36 (rule citizen-card/programme.eligibility#hukou).",
        "In force since 10 March 2012, written down on 1 September 2026, edition 4cc32524664d4fca.",
        "Facts: registered household (the police, since 1 May 2010, told on 8 October 2026).",
        "Decided on 8 October 2026.",
    ]


@pytest.mark.requirement("R11")
def test_the_same_in_chinese() -> None:
    assert told(granted, Called()).zh.splitlines() == [
        "准予：有本市户籍。",
        "依据：市政府令第36号（规则 citizen-card/programme.eligibility#hukou）。",
        "该规定自2012年3月10日起施行，2026年9月1日载入，版本 4cc32524664d4fca。",
        "所据事实：本市户籍（公安局，自2010年5月1日，2026年10月8日告知）。",
        "决定时间：2026年10月8日。",
    ]


def test_a_refusal_without_facts_says_so_and_names_what_is_missing() -> None:
    refused = replace(granted, decision=Decision.REFUSAL, facts=(), missing=("hukou", "study+residence"))
    assert told(refused, Nameless()).en.splitlines()[3:5] == [
        "Facts: no department has stated one that counts.",
        "Missing, any one of: hukou; study together with residence.",
    ]


def test_a_deadline_rests_on_rules_and_needs_no_facts() -> None:
    text = told(replace(granted, decision=Decision.DEADLINE, facts=()), Nameless())
    assert text.en.startswith("Deadline: ")
    assert "Facts" not in text.en


def test_a_fact_of_a_stream_names_its_ground_in_few_words() -> None:
    assert ORDER_36.ref == "citizen-card/programme.eligibility#hukou@2012-03-10/2026-09-01"


class WrongPlace(Forbidden):
    """Until {until} go to one of: {channels}."""


CITED = Cited(city="330900", edition="e1", articles=(ORDER_36.ref,), facts=(HUKOU,), missing=("study",))
NO = WrongPlace(CITED, until=date(2026, 10, 8), channels="hall, bank")


class WithSentences(Nameless):
    """A city that has written its refusals down."""

    def named(self, kind: str, of: str) -> Said:
        names = {
            ("refusal", "wrong-place"): "请于{until}前到{channels}办理。",
            ("channel", "hall"): "服务大厅",
            ("channel", "bank"): "银行网点",
        }
        return Said(zh=names.get((kind, of), of), en=of)

    def cited(self, ref: str, edition: str) -> Ground:
        assert (ref, edition) == (ORDER_36.ref, "e1")
        return ORDER_36


@pytest.mark.requirement("R11")
def test_what_a_refusal_cites_is_put_into_words_on_the_way_out() -> None:
    why = why_not(NO, WithSentences())
    assert why is not None
    assert (why.city, why.decision, why.grounds) == ("330900", Decision.REFUSAL, (ORDER_36,))
    assert (why.facts, why.missing) == ((HUKOU,), ("study",))
    assert why.said == Said(zh="请于2026年10月8日前到服务大厅、银行网点办理。", en=str(NO))


def test_a_refusal_without_a_chinese_sentence_is_told_in_english() -> None:
    why = why_not(NO, Nameless())
    assert why is not None
    assert why.said == Said(zh=str(NO), en="Until 2026-10-08 go to one of: hall, bank.")
    assert why.grounds[0].ref == ORDER_36.ref


def test_a_refusal_that_was_explained_already_keeps_its_words_and_one_by_no_bylaw_has_none() -> None:
    assert why_not(WrongPlace(granted, until="", channels=""), Nameless()) is granted
    assert why_not(WrongPlace(until="", channels=""), Nameless()) is None
