"""Which facts of identity the city is told, and in which words; who somebody is, is never told."""

from collections import Counter
from functools import lru_cache
from typing import assert_never

from libs.messaging.contract import Contract
from services.identity import contracts as told
from services.identity.domain.delivery import events as of_delivery
from services.identity.domain.duplicate import events as duplicate
from services.identity.domain.events import (
    ContactGiven,
    CorrectionRefused,
    CorrectionRequested,
    EntitlementJudged,
    Event,
    FactStated,
    MergeFailed,
    MergeProposed,
    NobodyTakenIn,
    PartingProposed,
    PersonalDataRevealed,
    PersonCorrected,
    PersonErased,
    PersonMerged,
    PersonParted,
    PersonRegistered,
    PersonReleased,
    PersonTakenIn,
    ProposalDeclined,
)
from services.identity.domain.roll import events as roll
from services.ids import holding_id


def tell(fact: Event) -> Contract | None:
    match fact:
        case PersonRegistered():
            return told.PersonRegistered(person_id=fact.person_id, at=fact.at, birth=fact.particulars.birth.box)
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
                functions=[_opened(one.function, one.granted, one.because) for one in verdict.functions],
                bylaws=verdict.bylaws,
                outlet=fact.row.outlet if fact.row else "",
                roll_id=fact.row.roll_id if fact.row else None,
                at=fact.at,
                may_apply=verdict.may_apply,
                basis=verdict.basis,
                text=verdict.text,
                ground=verdict.ground,
                holds_until=verdict.holds_until,
                used=[
                    told.FactUsed(
                        fact=one.fact,
                        department=one.department,
                        valid_from=one.valid_from,
                        valid_to=one.valid_to,
                        stated_at=one.stated_at,
                    )
                    for one in verdict.used
                ],
                also=[holding_id(entry, verdict.programme) for entry in fact.also],
            )
        case PersonErased():
            return told.PersonErased(person_id=fact.person_id, at=fact.at)
        case PersonTakenIn():
            return told.PersonsMerged(
                person_id=fact.person_id,
                merged=list(fact.brings.entries),
                programmes=list(fact.programmes),
                at=fact.at,
            )
        case PersonReleased():
            return told.PersonsParted(
                person_id=fact.person_id, parted=list(fact.entries), programmes=list(fact.programmes), at=fact.at
            )
        case FactStated() | PersonalDataRevealed():
            return None  # What departments say, and who has looked, stays here.
        case MergeProposed() | PartingProposed() | ProposalDeclined() | NobodyTakenIn() | MergeFailed():
            return None  # What is not decided is nobody's business.
        case PersonCorrected():
            return told.PersonCorrected(
                person_id=fact.person_id, changes=list(fact.changes), birth=fact.particulars.birth.box, at=fact.at
            )
        case CorrectionRequested() | CorrectionRefused():
            return None  # What is asked for, and what is refused, is between the outlet and the centre.
        case PersonMerged() | PersonParted():
            return None  # Told by the entry that remains, as soon as it has heard of it.
        case _:
            assert_never(fact)


@lru_cache(maxsize=1_000)
def _opened(function: str, granted: bool, because: str) -> told.FunctionVerdict:
    """The same for all whom the tables cannot tell apart."""
    return told.FunctionVerdict(function=function, granted=granted, because=because)


def tell_of_roll(fact: roll.Event) -> Contract | None:
    match fact:
        case roll.RollOpened():
            return told.RollOpened(
                roll_id=fact.roll_id, programme=fact.programme, department=fact.department, name=fact.name, at=fact.at
            )
        case roll.PartReceived():
            return None
        case roll.PageCarriedOut():
            came_to = Counter(verdict.outcome for verdict in fact.verdicts)
            return told.RollPageCarriedOut(
                roll_id=fact.roll_id,
                part=fact.part,
                last_line=fact.last_line,
                ordered=fact.ordered,
                noted=came_to[roll.Outcome.NOTED],
                left_out=came_to[roll.Outcome.LEFT_OUT],
                rejected=came_to[roll.Outcome.REJECTED],
                cases=came_to[roll.Outcome.CASE],
                at=fact.at,
            )
        case _:
            assert_never(fact)


def tell_of_delivery(fact: of_delivery.Event) -> Contract | None:
    """How many records came and how many were faulty; what stands in them is nobody's business."""
    match fact:
        case of_delivery.RecordsTaken(so_far=count):
            return told.RecordsTaken(
                delivery_id=fact.delivery_id,
                city=fact.city,
                department=fact.department,
                name=fact.name,
                received=count.received,
                faulty=count.faulty,
                waiting=count.waiting,
                at=fact.at,
                highest=count.highest,
            )
        case of_delivery.RecordsAnnounced():
            return told.RecordsAnnounced(
                delivery_id=fact.delivery_id,
                city=fact.city,
                department=fact.department,
                name=fact.name,
                announced=fact.count,
                at=fact.at,
            )
        case of_delivery.RecordSettled(so_far=count):
            return told.RecordSettled(
                delivery_id=fact.delivery_id,
                city=fact.city,
                department=fact.department,
                row=fact.row,
                outcome=fact.outcome,
                waiting=count.waiting,
                at=fact.at,
            )
        case _:
            assert_never(fact)


def tell_of_duplicate(fact: duplicate.Event) -> Contract:
    match fact:
        case duplicate.DuplicateFound():
            return told.DuplicateFound(
                case_id=fact.case_id,
                person_id=fact.person_id,
                roll_id=fact.roll_id,
                part=fact.part,
                line=fact.line,
                other_person_id=fact.other_person_id,
                why=fact.why.value,
                at=fact.at,
            )
        case duplicate.DuplicateSettled():
            return told.DuplicateSettled(
                case_id=fact.case_id,
                person_id=fact.person_id,
                other_person_id=fact.other_person_id,
                ruling=fact.ruling.value,
                at=fact.at,
            )
        case _:
            assert_never(fact)
