"""Why the city decided as it did: the rule, its legal basis, the facts and what is missing – one text for everybody.

A fact of a stream carries references and no prose (`Ground.ref`), and the edition of the bylaws stands in its record.
The prose is made when somebody asks, from the dated entries that a city never takes out of its pack; so citizen, clerk
and appeal file read the same.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from libs.kernel.calendar import SHANGHAI, shanghai_day
from libs.kernel.refusals import Refused, refusal_code
from libs.kernel.shapes import value


@value
class Said:
    """One sentence or name in the two languages in which a city answers."""

    zh: str
    en: str

    def __getitem__(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


class Decision(StrEnum):
    """What is asked about."""

    GRANT = "grant"
    REFUSAL = "refusal"
    DEADLINE = "deadline"
    FEE = "fee"
    BLOCK = "block"
    LIABILITY = "liability"


@value
class Ground:
    """A value of a city's bylaws as it was applied.

    `rule` is its stable id: where the value stands in the pack, with the row behind `#` if it is a table. `valid_from`
    is the day from which it holds, `recorded_on` the day on which the city wrote it down; `edition` is the pack's hash.
    """

    rule: str
    basis: Said
    valid_from: date
    recorded_on: date
    edition: str

    @property
    def ref(self) -> str:
        """The few words by which a fact names this ground, for example `citizen-card/loss.lift@2012-03-10/2026-09-01`.

        Together with the edition in the fact's record they lead back to this very entry.
        """
        return f"{self.rule}@{self.valid_from}/{self.recorded_on}"

    @classmethod
    def named(cls, ref: str, basis: Said, edition: str) -> "Ground":
        """The ground that bears this name."""
        rule, _, days = ref.rpartition("@")
        valid_from, _, recorded_on = days.partition("/")
        return cls(
            rule=rule,
            basis=basis,
            valid_from=date.fromisoformat(valid_from),
            recorded_on=date.fromisoformat(recorded_on),
            edition=edition,
        )


@value
class FactUsed:
    """What a department had said, and on which day: since `valid_from`, said at `stated_at`.

    `valid_to` is the last day on which it holds, if that was said.
    """

    fact: str
    department: str
    valid_from: date
    stated_at: datetime
    valid_to: date | None = None


@value
class Why:
    """The whole answer. `said` is the decision in one sentence.

    Of `missing`, any one would change a refusal: a fact, or several together as in `stable_job+pension_insured`.
    """

    city: str
    decision: Decision
    said: Said
    grounds: tuple[Ground, ...]
    facts: tuple[FactUsed, ...] = ()
    missing: tuple[str, ...] = ()
    at: datetime | None = None


@value
class Cited:
    """By which entries of its bylaws a city says no, as a domain can say it: by their names, without a word.

    `articles` are names of grounds (`Ground.ref`) in this `edition`; `why_not` puts it into words on the way out.
    """

    city: str
    edition: str
    articles: tuple[str, ...]
    facts: tuple[FactUsed, ...] = ()
    missing: tuple[str, ...] = ()


class Names(Protocol):
    """What a city calls its facts, departments and functions, and what stands behind a ground that somebody names."""

    def named(self, kind: str, of: str) -> Said:
        """The name of a `fact`, `department`, `function` or `document`; its id, where the city has given it none."""
        ...

    def cited(self, ref: str, edition: str) -> Ground:
        """The entry of this name (`Ground.ref`), with its legal basis."""
        ...


class Nameless:
    """Everything is called by its id."""

    def named(self, kind: str, of: str) -> Said:
        return Said(zh=of, en=of)

    def cited(self, ref: str, edition: str) -> Ground:
        return Ground.named(ref, Said(zh=ref, en=ref), edition)


@runtime_checkable
class Listed(Protocol):
    """A detail of a refusal that is put together of several things which have names."""

    def in_chinese(self, names: Names) -> str: ...


def why_not(no: Refused, names: Names) -> Why | None:
    """Why the city says no, in the refusal's own sentence; None where it is not a bylaw that says it."""
    if not isinstance(no.why, Cited):
        return no.why
    return Why(
        city=no.why.city,
        decision=Decision.REFUSAL,
        said=Said(zh=_in_chinese(no, names), en=no.sentence()),
        grounds=tuple(names.cited(ref, no.why.edition) for ref in no.why.articles),
        facts=no.why.facts,
        missing=no.why.missing,
    )


_LISTED = {
    "documents": "document", "channels": "channel", "ways": "way", "way": "way", "function": "function",
    "reportable": "function", "kind": "place", "kinds": "place", "proofs": "proof", "reasons": "reason",
    "kin": "relation", "office": "office", "outlet": "outlet", "outlets": "outlet", "department": "department",
    "fact": "fact", "facts": "fact", "programme": "programme", "programmes": "programme", "places": "organisation",
    "organisation": "organisation", "reach": "organisation", "above": "organisation",
}  # fmt: skip
"""Details of refusals that are ids, or lists of them, and what they are ids of."""


def _in_chinese(no: Refused, names: Names) -> str:
    """As the house's or the city's words have it (`refusal`); the English sentence where they have none."""
    code = refusal_code(type(no))
    sentence = names.named("refusal", code).zh
    if sentence == code:
        return no.sentence()
    return sentence.format_map({name: _detail(name, detail, names) for name, detail in no.details.items()})


def _detail(name: str, detail: object, names: Names) -> str:
    if isinstance(detail, date):
        return in_words(detail).zh
    if isinstance(detail, Listed):
        return detail.in_chinese(names)
    if (kind := _LISTED.get(name)) is None:
        return str(detail)
    return "、".join(names.named(kind, one).zh for one in str(detail).split(", "))


def told(why: Why, names: Names) -> Said:
    """The same explanation in both languages, one matter a line."""
    return Said(zh="\n".join(_lines(why, names, "zh")), en="\n".join(_lines(why, names, "en")))


_WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "grant": "准予", "refusal": "不予", "deadline": "期限", "fee": "费用", "block": "停用", "liability": "责任",
        "colon": "：", "stop": "。",
        "rule": "依据：{basis}（规则 {rule}）。",
        "dated": "该规定自{valid_from}起施行，{recorded_on}载入，版本 {edition}。",
        "facts": "所据事实：", "fact": "{fact}（{department}，自{valid_from}，{stated_on}告知）",
        "none": "没有部门提供可据以认定的事实", "missing": "尚缺以下任一项：", "and": "；", "with": "并且",
        "at": "决定时间：{at}。",
    },
    "en": {
        "grant": "Granted", "refusal": "Refused", "deadline": "Deadline", "fee": "Fee", "block": "Stopped",
        "liability": "Liability",
        "colon": ": ", "stop": ".",
        "rule": "Basis: {basis} (rule {rule}).",
        "dated": "In force since {valid_from}, written down on {recorded_on}, edition {edition}.",
        "facts": "Facts: ", "fact": "{fact} ({department}, since {valid_from}, told on {stated_on})",
        "none": "no department has stated one that counts", "missing": "Missing, any one of: ", "and": "; ",
        "with": " together with ",
        "at": "Decided on {at}.",
    },
}  # fmt: skip


def _lines(why: Why, names: Names, language: str) -> Iterator[str]:
    words = _WORDS[language]
    yield f"{words[why.decision]}{words['colon']}{why.said[language].rstrip('.。')}{words['stop']}"
    for ground in why.grounds:
        yield words["rule"].format(basis=ground.basis[language], rule=ground.rule)
        yield words["dated"].format(
            valid_from=in_words(ground.valid_from)[language],
            recorded_on=in_words(ground.recorded_on)[language],
            edition=ground.edition,
        )
    facts = [
        words["fact"].format(
            fact=names.named("fact", one.fact)[language],
            department=names.named("department", one.department)[language],
            valid_from=in_words(one.valid_from)[language],
            stated_on=in_words(shanghai_day(one.stated_at))[language],
        )
        for one in why.facts
    ]
    if facts or why.missing:
        yield f"{words['facts']}{words['and'].join(facts) or words['none']}{words['stop']}"
    if why.missing:
        lacking = [
            words["with"].join(names.named("fact", fact)[language] for fact in together.split("+"))
            for together in why.missing
        ]
        yield f"{words['missing']}{words['and'].join(lacking)}{words['stop']}"
    if why.at is not None:
        yield words["at"].format(at=in_words(shanghai_day(why.at))[language])


def in_words(day: date) -> Said:
    """A day as it stands in a sentence."""
    return Said(zh=f"{day.year}年{day.month}月{day.day}日", en=f"{day.day} {day:%B} {day.year}")


def by_the_clock(moment: datetime) -> str:
    """A moment as it stands in a sentence of either language, to the minute of Shanghai."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def in_yuan(fen: int) -> str:
    """An amount as it stands in a sentence of either language: 1234 fen are `12.34`."""
    return f"{fen // 100}.{fen % 100:02}"
