"""Why a card is ready by that day, costs that much, or is not made: the rules as they were when it was decided."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from libs.eventsourcing.store import Recorded
from libs.kernel import Missing
from libs.kernel.calendar import shanghai_day
from libs.kernel.ids import city_of
from libs.kernel.why import Decision, FactUsed, Ground, Said, Why
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.domain.application.events import (
    ApplicationAccepted,
    ApplicationRejected,
    ApplicationSubmitted,
    ReviewRefused,
)
from services.issuance.domain.holding.events import (
    CardActivated,
    CardDeclined,
    CardReplaced,
    CardReserved,
    VerdictNoted,
)
from services.issuance.domain.validity import LONG_TERM

Story = Sequence[tuple[Any, Recorded]]
About = Literal["deadline", "fee", "refusal", "validity"]


class NotDecided(Missing):
    """Nothing was decided yet about the {about} of this application."""


def why(about: About, application_id: str, papers: Story, holding: Story, bylaws: IssuanceBylaws) -> Why:
    """The explanation of what was decided last. Raises NotDecided."""
    city = city_of(application_id)
    if about == "refusal":
        refused = _refused(city, application_id, papers, holding, bylaws)
        if refused is None:
            raise NotDecided(about=about)
        return refused
    if about == "validity":
        valid = _valid(city, application_id, holding, bylaws)
        if valid is None:
            raise NotDecided(about=about)
        return valid
    submitted = next((fact for fact, _ in papers if isinstance(fact, ApplicationSubmitted)), None)
    found = next(((fact, row) for fact, row in papers if isinstance(fact, ApplicationAccepted)), None)
    if found is None or submitted is None:
        raise NotDecided(about=about)
    accepted, row = found
    where, edition = accepted.programme, _edition(row)
    if about == "fee":
        rule = bylaws.ground(city, f"{where}/issuance.card.fees", accepted.at, edition)
        said, decision = _price(accepted), Decision.FEE
    else:
        rule = bylaws.ground(city, f"{where}/issuance.card.channel_promises", accepted.at, edition)
        if rule is None or all(one["channel"] != submitted.channel.value for one in rule[1]):
            rule = bylaws.ground(city, f"{where}/programme.issuance.promise", accepted.at, edition)
        said, decision = _promise(accepted), Decision.DEADLINE
    return Why(city=city, decision=decision, said=said, grounds=_one(rule), at=accepted.at)


def _refused(city: str, application_id: str, papers: Story, holding: Story, bylaws: IssuanceBylaws) -> Why | None:
    for fact, row in reversed(papers):
        if isinstance(fact, ApplicationRejected):
            said = Said(zh=f"经办人退回：{fact.reason}", en=f"a clerk turned the application down: {fact.reason}")
            return Why(city=city, decision=Decision.REFUSAL, said=said, grounds=(), at=fact.at)
        if isinstance(fact, ReviewRefused):
            programme = next(one.programme for one, _ in papers if isinstance(one, ApplicationSubmitted))
            rule = bylaws.ground(city, f"{programme}/issuance.applying.review", fact.at, _edition(row))
            said = Said(
                zh=f"审核机关不同意：{fact.reason}", en=f"the reviewing authority does not agree: {fact.reason}"
            )
            return Why(city=city, decision=Decision.REFUSAL, said=said, grounds=_one(rule), at=fact.at)
    verdict: VerdictNoted | None = None
    answer: Why | None = None
    for fact, _ in holding:
        if isinstance(fact, VerdictNoted):
            verdict = fact
        if isinstance(fact, CardDeclined) and fact.application_id == application_id:
            answer = _declined(city, fact, verdict, bylaws)
    return answer


def _valid(city: str, application_id: str, holding: Story, bylaws: IssuanceBylaws) -> Why | None:
    """Until when the card of this application is valid: as it was printed, or as it was counted from the hand-over."""
    verdict: VerdictNoted | None = None
    reserved: CardReserved | None = None
    looked_at: tuple[FactUsed, ...] = ()
    answer: Why | None = None
    for fact, row in holding:
        if isinstance(fact, VerdictNoted):
            verdict = fact
        if isinstance(fact, CardReserved) and fact.application_id == application_id:
            reserved, looked_at, answer = fact, (), None
            if verdict is not None:
                looked_at = tuple(one for one in verdict.used if one.fact == fact.valid_by)
        if reserved is None or verdict is None:
            continue
        printed = fact.valid_to if fact is reserved else None
        counted = isinstance(fact, CardActivated | CardReplaced) and fact.card_id == reserved.card_id
        if printed is None and not (counted and reserved.valid_to is None):
            continue
        last = shanghai_day((printed or fact.valid_to) - timedelta(microseconds=1))
        name = _VALID_BY.get(reserved.valid_by, "issuance.validity_ends_with")
        rule = bylaws.ground(city, f"{verdict.programme}/programme.{name}", fact.at, _edition(row))
        said = Said(
            zh="长期有效" if last >= LONG_TERM else f"有效期至{last.year}年{last.month}月{last.day}日",
            en="valid for life" if last >= LONG_TERM else f"valid to the end of {last.day} {last:%B} {last.year}",
        )
        answer = Why(city=city, decision=Decision.DEADLINE, said=said, grounds=_one(rule), facts=looked_at, at=fact.at)
    return answer


_VALID_BY = {"": "issuance.validity_years", "years": "issuance.validity_years", "age": "validity_by_age"}


def _declined(city: str, fact: CardDeclined, verdict: VerdictNoted | None, bylaws: IssuanceBylaws) -> Why:
    """By the verdict, if it was the reason, with the statements of departments that were looked at for it."""
    said = Said(zh=f"不予制卡：{fact.reason}", en=f"no card is made: {fact.reason}")
    if verdict is None or verdict.because != fact.reason:
        return Why(city=city, decision=Decision.REFUSAL, said=said, grounds=(), at=fact.at)
    grounds = (bylaws.cited(city, verdict.ground, verdict.edition),) if verdict.ground else ()
    return Why(
        city=city,
        decision=Decision.REFUSAL,
        said=said,
        grounds=grounds,
        facts=verdict.used,
        missing=verdict.missing,
        at=verdict.at,
    )


def _promise(accepted: ApplicationAccepted) -> Said:
    last = shanghai_day(accepted.promised_by - timedelta(microseconds=1))
    unsure = accepted.provisional
    return Said(
        zh=f"最迟于{last.year}年{last.month}月{last.day}日制成"
        + ("（该年工作日安排尚未公布，为暂定）" if unsure else ""),
        en=f"ready by the end of {last.day} {last:%B} {last.year}"
        + (" (provisional: the working days of that year are not published yet)" if unsure else ""),
    )


def _price(accepted: ApplicationAccepted) -> Said:
    if not accepted.fee_fen:
        return Said(zh="免收工本费", en="the card is free of charge")
    yuan = f"{accepted.fee_fen // 100}.{accepted.fee_fen % 100:02}"
    return Said(
        zh=f"工本费{yuan}元，物价批准文号{accepted.fee_approval}",
        en=f"{yuan} yuan, approved by the price department under {accepted.fee_approval}",
    )


def _one(rule: tuple[Ground, Any] | None) -> tuple[Ground, ...]:
    return () if rule is None else (rule[0],)


def _edition(row: Recorded) -> str:
    """The edition of the bylaws that stands in the record of a fact."""
    return str(json.loads(row.meta).get("bylaws", ""))
