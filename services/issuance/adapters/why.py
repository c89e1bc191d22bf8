"""Why a card is ready by that day, costs that much, is kept so long, or is not made: the rules as they were then."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
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
    ApplicationSupplemented,
    ApplicationWithdrawn,
    ReviewAsked,
    ReviewOverdue,
    ReviewPassed,
    ReviewQuestioned,
    ReviewRefused,
    SupplementAsked,
    WayChosen,
)
from services.issuance.domain.holding.decider import NOT_COLLECTED
from services.issuance.domain.holding.events import (
    CardActivated,
    CardApproved,
    CardArrived,
    CardCancelled,
    CardDeclined,
    CardDestroyed,
    CardEndorsed,
    CardExpired,
    CardHandedOver,
    CardMailed,
    CardOrdered,
    CardProduced,
    CardReplaced,
    CardReserved,
    CardSentOn,
    CardSpoiled,
    CardUnclaimed,
    CaseClosed,
    CollectionReminded,
    EndorsementReminded,
    FingerprintMismatched,
    FunctionOpened,
    FunctionsTurned,
    HoldingEmptied,
    HoldingJoined,
    HoldingLeft,
    HoldingPassedOn,
    IssueProposed,
    PlasticRecalled,
    ReissueJoined,
    SeatDeclined,
    VerdictNoted,
)
from services.issuance.domain.holding.state import Holding
from services.issuance.domain.validity import LONG_TERM

Story = Sequence[tuple[Any, Recorded]]
About = Literal["deadline", "fee", "refusal", "validity", "supplement", "review", "collection"]

EXPLAINED: Mapping[type, tuple[About, ...]] = {
    ApplicationAccepted: ("deadline", "fee"),
    SupplementAsked: ("supplement",),
    ReviewQuestioned: ("supplement",),
    ApplicationWithdrawn: ("refusal",),
    ApplicationRejected: ("refusal",),
    ReviewAsked: ("review",),
    ReviewRefused: ("refusal",),
    CardDeclined: ("refusal",),
    CardReserved: ("validity",),
    CardActivated: ("validity",),
    CardReplaced: ("validity",),
    CardEndorsed: ("validity",),
    CardArrived: ("collection",),
    CardUnclaimed: ("collection",),
}
"""Each fact by which the city grants, refuses, sets a deadline or a price, and what is asked about it.

A fact of an application or a holding stands here, or in one of the two lists below, or the tests fail.
"""

EXPLAINED_ELSEWHERE: Mapping[type, str] = {
    VerdictNoted: "identity judged: /v1/persons/{person_id}/entitlements/{programme}/why",
    CardApproved: "identity judged: /v1/persons/{person_id}/entitlements/{programme}/why",
    FunctionsTurned: "identity judged: /v1/persons/{person_id}/entitlements/{programme}/why?function=…",
    EndorsementReminded: "follows from the validity; GET /v1/cards/{card_id}/endorsement says by which article",
    CardExpired: "follows from the validity, which is explained with CardReserved, CardActivated and CardReplaced",
    CardDestroyed: "follows from CardArrived, whose answer names the day",
    ReviewOverdue: "follows from ReviewAsked",
    CollectionReminded: "follows from CardArrived",
    CardSentOn: "changes no deadline: the one of CardArrived stands",
    PlasticRecalled: "follows from CardDeclined or CardUnclaimed",
    CardCancelled: "the loss desk, or the department that told of a death or a move, has decided; its fact says so",
}
"""Decisions whose explanation stands with the one from which they follow."""

NOTHING_DECIDED: frozenset[type] = frozenset(
    {
        ApplicationSubmitted, WayChosen, ApplicationSupplemented, ReviewPassed, CardOrdered, IssueProposed,
        ReissueJoined, SeatDeclined, CardProduced, CardSpoiled, CardMailed, FingerprintMismatched, CaseClosed,
        CardHandedOver, FunctionOpened, HoldingPassedOn, HoldingJoined, HoldingLeft, HoldingEmptied,
    }
)  # fmt: skip
"""What somebody asked for, did or found: no grant, refusal, deadline, fee or block of the city."""


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
    if about in ("supplement", "review", "collection"):
        limit = _limit(about, city, application_id, papers, holding, bylaws) if submitted else None
        if limit is None:
            raise NotDecided(about=about)
        return limit
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


def why_endorsed(city: str, holding: Holding, opens_on: date, at: datetime, bylaws: IssuanceBylaws) -> Why:
    """When a card can be endorsed, by which article, and on which facts its holder is entitled to it."""
    rule = bylaws.ground(city, f"{holding.programme}/programme.endorsement", at, bylaws.edition(city))
    verdict = holding.verdict_at(at)
    assert holding.current is not None
    first, last = _day(opens_on), _last_day(holding.current.valid_to)
    return Why(
        city=city,
        decision=Decision.DEADLINE,
        said=Said(
            zh=f"{first.zh}至{last.zh}可办理签注，有效期满后补办的，补办前暂停使用",
            en=f"to be endorsed from {first.en} to {last.en}; after that it rests until it is",
        ),
        grounds=_one(rule),
        facts=verdict.used if verdict else (),
        at=at,
    )


def _refused(city: str, application_id: str, papers: Story, holding: Story, bylaws: IssuanceBylaws) -> Why | None:
    for fact, row in reversed(papers):
        if isinstance(fact, ApplicationRejected):
            said = Said(zh=f"经办人退回：{fact.reason}", en=f"a clerk turned the application down: {fact.reason}")
            what_to_show = bylaws.ground(
                city, f"{_programme(papers)}/programme.issuance.documents", fact.at, _edition(row)
            )
            return Why(city=city, decision=Decision.REFUSAL, said=said, grounds=_one(what_to_show), at=fact.at)
        if isinstance(fact, ApplicationWithdrawn):
            asked = next(
                (one for one, _ in reversed(papers) if isinstance(one, SupplementAsked | ReviewQuestioned)), None
            )
            if asked is None or asked.until != fact.at:
                return None  # The applicant has taken it back.
            rule = bylaws.ground(city, f"{_programme(papers)}/{_SUPPLEMENT}", asked.at, _edition(row))
            said = Said(
                zh=f"至{_last_day(fact.at).zh}未补交材料，申请视为撤回：{asked.reason}",
                en=f"withdrawn, nothing came by the end of {_last_day(fact.at).en}: {asked.reason}",
            )
            return Why(city=city, decision=Decision.REFUSAL, said=said, grounds=_one(rule), at=fact.at)
        if isinstance(fact, ReviewRefused):
            rule = bylaws.ground(city, f"{_programme(papers)}/issuance.applying.review", fact.at, _edition(row))
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


_SUPPLEMENT = "programme.issuance.supplement_days"
_KEPT = "programme.issuance.kept_days"


def _limit(
    about: About, city: str, application_id: str, papers: Story, holding: Story, bylaws: IssuanceBylaws
) -> Why | None:
    """The latest hour that was set for the applicant, another authority or the counter, and the rule that set it."""
    answer: Why | None = None
    for fact, row in (*papers, *holding):
        match fact:
            case SupplementAsked() | ReviewQuestioned() if about == "supplement":
                leaf, day = _SUPPLEMENT, _last_day(fact.until)
                said = Said(
                    zh=f"请于{day.zh}前补交：{fact.reason}", en=f"to be brought by the end of {day.en}: {fact.reason}"
                )
            case ReviewAsked() if about == "review":
                leaf, day = "issuance.applying.review", _last_day(fact.review_by)
                said = Said(zh=f"审核机关应于{day.zh}前答复", en=f"the authority should answer by the end of {day.en}")
            case CardArrived() if about == "collection" and fact.application_id == application_id:
                leaf, day = _KEPT, _last_day(fact.kept_until)
                said = Said(zh=f"卡片保管至{day.zh}", en=f"the card is kept to the end of {day.en}")
            case CardUnclaimed() if about == "collection" and fact.application_id == application_id:
                leaf, day = _KEPT, _last_day(fact.at)
                said = Said(
                    zh=f"卡片保管至{day.zh}，逾期未领取，不再保管",
                    en=f"the card was kept to the end of {day.en}; nobody collected it, and it is kept no longer",
                )
            case _:
                continue
        rule = bylaws.ground(city, f"{_programme(papers)}/{leaf}", fact.at, _edition(row))
        answer = Why(city=city, decision=Decision.DEADLINE, said=said, grounds=_one(rule), at=fact.at)
    return answer


def _programme(papers: Story) -> str:
    return next(str(one.programme) for one, _ in papers if isinstance(one, ApplicationSubmitted))


def _last_day(until: datetime) -> Said:
    return _day(shanghai_day(until - timedelta(microseconds=1)))


def _day(day: date) -> Said:
    return Said(zh=f"{day.year}年{day.month}月{day.day}日", en=f"{day.day} {day:%B} {day.year}")


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
        if isinstance(fact, CardEndorsed) and fact.card_id == reserved.card_id:
            rule = bylaws.ground(city, f"{verdict.programme}/programme.endorsement", fact.at, _edition(row))
            answer = Why(
                city=city,
                decision=Decision.DEADLINE,
                said=_valid_until(fact.valid_to),
                grounds=_one(rule),
                facts=verdict.used,
                at=fact.at,
            )
            continue
        printed = fact.valid_to if fact is reserved else None
        counted = isinstance(fact, CardActivated | CardReplaced) and fact.card_id == reserved.card_id
        if printed is None and not (counted and reserved.valid_to is None):
            continue
        name = _VALID_BY.get(reserved.valid_by, "issuance.validity_ends_with")
        rule = bylaws.ground(city, f"{verdict.programme}/programme.{name}", fact.at, _edition(row))
        said = _valid_until(printed or fact.valid_to)
        answer = Why(city=city, decision=Decision.DEADLINE, said=said, grounds=_one(rule), facts=looked_at, at=fact.at)
    return answer


def _valid_until(valid_to: datetime) -> Said:
    if shanghai_day(valid_to) > LONG_TERM:
        return Said(zh="长期有效", en="valid for life")
    day = _last_day(valid_to)
    return Said(zh=f"有效期至{day.zh}", en=f"valid to the end of {day.en}")


_VALID_BY = {"": "issuance.validity_years", "years": "issuance.validity_years", "age": "validity_by_age"}


def _declined(city: str, fact: CardDeclined, verdict: VerdictNoted | None, bylaws: IssuanceBylaws) -> Why:
    """By the verdict, if it was the reason, with the statements of departments that were looked at for it."""
    said = Said(zh=f"不予制卡：{fact.reason}", en=f"no card is made: {fact.reason}")
    if fact.reason == NOT_COLLECTED and verdict is not None:
        kept = bylaws.ground(city, f"{verdict.programme}/{_KEPT}", fact.at, verdict.edition)
        return Why(city=city, decision=Decision.REFUSAL, said=said, grounds=_one(kept), at=fact.at)
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
