"""Which facts of identity the city is told, and in which words; who somebody is, is never told."""

from typing import assert_never

from libs.messaging.contract import Contract
from services.identity import contracts as told
from services.identity.domain.events import (
    ContactGiven,
    EntitlementJudged,
    Event,
    FactStated,
    PersonalDataRevealed,
    PersonErased,
    PersonRegistered,
)
from services.ids import holding_id


def tell(fact: Event) -> Contract | None:
    match fact:
        case PersonRegistered():
            return told.PersonRegistered(person_id=fact.person_id, at=fact.at)
        case ContactGiven():
            return told.ContactGiven(
                person_id=fact.person_id, mobile=fact.mobile.box, language=fact.language, at=fact.at
            )
        case EntitlementJudged(verdict=verdict):
            return told.EntitlementJudged(
                person_id=fact.person_id,
                holding_id=holding_id(fact.person_id, verdict.programme),
                programme=verdict.programme,
                granted=verdict.granted,
                rule=verdict.rule,
                article=verdict.article,
                facts_used=list(verdict.facts_used),
                missing=list(verdict.missing),
                functions=[
                    told.FunctionVerdict(function=one.function, granted=one.granted, because=one.because)
                    for one in verdict.functions
                ],
                bylaws=verdict.bylaws,
                at=fact.at,
                may_apply=verdict.may_apply,
                basis=verdict.basis,
                text=verdict.text,
                ground=verdict.ground,
                holds_until=verdict.holds_until,
            )
        case PersonErased():
            return told.PersonErased(person_id=fact.person_id, at=fact.at)
        case FactStated() | PersonalDataRevealed():
            return None  # What departments say, and who has looked, stays here.
        case _:
            assert_never(fact)
