"""Why a card is ready by that day, costs that much, or is not made of an application: the rules as they were then."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Literal

from libs.kernel.ids import city_of
from libs.kernel.why import Decision, Said, Why, in_words, in_yuan
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.adapters.why_card import (
    AboutCard,
    CardCase,
    NotDecided,
    Story,
    last_day,
    programme_of,
)
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
    EndorsementTakenBack,
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

About = Literal["deadline", "fee", "supplement", "review", AboutCard]

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
    EndorsementTakenBack: ("validity",),
    CardArrived: ("collection",),
    CardUnclaimed: ("collection",),
    CardCancelled: ("end",),
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


_DOCUMENTS = "programme.issuance.documents"
_SUPPLEMENT = "programme.issuance.supplement_days"
_REVIEW = "issuance.applying.review"


def why(about: About, application_id: str, papers: Story, holding: Story, bylaws: IssuanceBylaws) -> Why:
    """The explanation of what was decided last. Raises NotDecided."""
    city, programme = city_of(application_id), programme_of((*papers, *holding))
    match about:
        case "deadline" | "fee":
            answer = _accepted(about, city, papers, bylaws)
        case "supplement" | "review":
            answer = _limit(about, city, programme, papers, bylaws)
        case _:
            answer = _turned_down(city, programme, papers, bylaws) if about == "refusal" else None
            mine = _brought_by(application_id, holding)
            answer = answer or CardCase(city, programme, mine, holding, bylaws).why(about)
    if answer is None:
        raise NotDecided(about=about)
    return answer


def _brought_by(application_id: str, holding: Story) -> Callable[[Any], bool]:
    """Whether a fact is about this application, or about a card that was made of it."""
    made = {
        fact.card_id for fact, _ in holding if isinstance(fact, CardReserved) and fact.application_id == application_id
    }

    def mine(fact: Any) -> bool:
        return getattr(fact, "application_id", None) == application_id or getattr(fact, "card_id", None) in made

    return mine


def why_endorsed(city: str, holding: Holding, opens_on: date, at: datetime, bylaws: IssuanceBylaws) -> Why:
    """When a card can be endorsed, by which article, and on which facts its holder is entitled to it."""
    rule = bylaws.basis(city, f"{holding.programme}/programme.endorsement", at, bylaws.edition(city))
    verdict = holding.verdict_at(at)
    assert holding.current is not None
    first, last = in_words(opens_on), last_day(holding.current.valid_to)
    return Why(
        city=city,
        decision=Decision.DEADLINE,
        said=Said(
            zh=f"{first.zh}至{last.zh}可办理签注，有效期满后补办的，补办前暂停使用",
            en=f"to be endorsed from {first.en} to {last.en}; after that it rests until it is",
        ),
        grounds=(rule,),
        facts=verdict.used if verdict else (),
        at=at,
    )


def _accepted(about: About, city: str, papers: Story, bylaws: IssuanceBylaws) -> Why | None:
    """By when the card is ready, or what it costs."""
    submitted = next((fact for fact, _ in papers if isinstance(fact, ApplicationSubmitted)), None)
    found = next(((fact, row) for fact, row in papers if isinstance(fact, ApplicationAccepted)), None)
    if found is None or submitted is None:
        return None
    accepted, row = found
    where, edition = accepted.programme, row.edition
    if about == "fee":
        rule, said, decision = "issuance.card.fees", _price(accepted), Decision.FEE
    else:
        promises = bylaws.ground(city, f"{where}/issuance.card.channel_promises", accepted.at, edition)
        own = promises is not None and any(one["channel"] == submitted.channel.value for one in promises[1])
        rule = "issuance.card.channel_promises" if own else "programme.issuance.promise"
        said, decision = _promise(accepted), Decision.DEADLINE
    ground = bylaws.basis(city, f"{where}/{rule}", accepted.at, edition)
    return Why(city=city, decision=decision, said=said, grounds=(ground,), at=accepted.at)


def _turned_down(city: str, programme: str, papers: Story, bylaws: IssuanceBylaws) -> Why | None:
    """By a clerk, by another authority, or because nobody brought what was missing."""
    asked: SupplementAsked | ReviewQuestioned | None = None
    for fact, row in papers:
        set_at: datetime = fact.at
        match fact:
            case SupplementAsked() | ReviewQuestioned():
                asked = fact
                continue
            case ApplicationRejected():
                rule = _DOCUMENTS
                said = Said(zh=f"经办人退回：{fact.reason}", en=f"a clerk turned the application down: {fact.reason}")
            case ReviewRefused():
                rule = _REVIEW
                said = Said(
                    zh=f"审核机关不同意：{fact.reason}", en=f"the reviewing authority does not agree: {fact.reason}"
                )
            case ApplicationWithdrawn() if asked is not None and asked.until == fact.at:
                rule, set_at, day = _SUPPLEMENT, asked.at, last_day(fact.at)
                said = Said(
                    zh=f"至{day.zh}未补交材料，申请视为撤回：{asked.reason}",
                    en=f"withdrawn, nothing came by the end of {day.en}: {asked.reason}",
                )
            case _:
                continue
        ground = bylaws.basis(city, f"{programme}/{rule}", set_at, row.edition)
        return Why(city=city, decision=Decision.REFUSAL, said=said, grounds=(ground,), at=fact.at)
    return None


def _limit(about: About, city: str, programme: str, papers: Story, bylaws: IssuanceBylaws) -> Why | None:
    """The latest hour that was set for the applicant or another authority, and the rule that set it."""
    answer: Why | None = None
    for fact, row in papers:
        match fact:
            case SupplementAsked() | ReviewQuestioned() if about == "supplement":
                rule, day = _SUPPLEMENT, last_day(fact.until)
                said = Said(
                    zh=f"请于{day.zh}前补交：{fact.reason}", en=f"to be brought by the end of {day.en}: {fact.reason}"
                )
            case ReviewAsked() if about == "review":
                rule, day = _REVIEW, last_day(fact.review_by)
                said = Said(zh=f"审核机关应于{day.zh}前答复", en=f"the authority should answer by the end of {day.en}")
            case _:
                continue
        ground = bylaws.basis(city, f"{programme}/{rule}", fact.at, row.edition)
        answer = Why(city=city, decision=Decision.DEADLINE, said=said, grounds=(ground,), at=fact.at)
    return answer


def _promise(accepted: ApplicationAccepted) -> Said:
    last, unsure = last_day(accepted.promised_by), accepted.provisional
    return Said(
        zh=f"最迟于{last.zh}制成" + ("（该年工作日安排尚未公布，为暂定）" if unsure else ""),
        en=f"ready by the end of {last.en}"
        + (" (provisional: the working days of that year are not published yet)" if unsure else ""),
    )


def _price(accepted: ApplicationAccepted) -> Said:
    if not accepted.fee_fen:
        return Said(zh="免收工本费", en="the card is free of charge")
    yuan = in_yuan(accepted.fee_fen)
    return Said(
        zh=f"工本费{yuan}元，物价批准文号{accepted.fee_approval}",
        en=f"{yuan} yuan, approved by the price department under {accepted.fee_approval}",
    )
