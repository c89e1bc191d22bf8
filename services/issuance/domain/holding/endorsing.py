"""A card that is valid for a year goes on for another, if its holder comes in time and still lives here (R136)."""

from collections.abc import Sequence
from datetime import UTC

from libs.kernel.calendar import morning_of, shanghai_day
from services.issuance.domain.endorsement import EndorsedElsewhere, NoLongerEntitled, NotEndorsed, Permit, ReportedLost
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.commands import EndorseCard, ExpireCard, RemindToEndorse, TakeBackEndorsement
from services.issuance.domain.holding.events import (
    CardEndorsed,
    CardExpired,
    EndorsementReminded,
    EndorsementTakenBack,
    Event,
)
from services.issuance.domain.holding.state import Holding, Life, evolve
from services.issuance.domain.holding.turning import rested, turned


def permit_of(life: Life) -> Permit:
    """What the years of residence of a card are counted by."""
    return Permit(since=life.since or shanghai_day(life.active_from), ends_on=shanghai_day(life.valid_to))


def endorse(asked: EndorseCard, holding: Holding) -> Sequence[Event]:
    """Whoever has it endorsed twice on one day comes too early the second time."""
    life = holding.current
    if life is None or life.card_id != asked.card_id or holding.person_id is None:
        raise CardUnknown(card_id=asked.card_id)
    rule = asked.under.endorsing
    if rule is None:
        raise NotEndorsed(asked.under.by("programme.endorsement"))
    if asked.outlet not in rule.by:
        raise EndorsedElsewhere(
            asked.under.by("programme.endorsement", "organisations.establishment"), places=", ".join(sorted(rule.by))
        )
    if asked.reported_lost:
        raise ReportedLost(card_id=asked.card_id)
    verdict = holding.verdict_at(asked.at)
    if verdict is not None and not verdict.granted:
        raise NoLongerEntitled(verdict.by(asked.under), because=verdict.because)
    renewed = rule.endorse(permit_of(life), shanghai_day(asked.at))
    endorsed = CardEndorsed(
        holding_id=asked.holding_id,
        person_id=holding.person_id,
        card_id=asked.card_id,
        programme=holding.programme,
        outlet=asked.outlet,
        since=renewed.since,
        valid_to=morning_of(renewed.ends_on).astimezone(UTC),
        at=asked.at,
        remind_at=rule.reminders(renewed.ends_on),
    )
    return [endorsed, *turned(evolve(holding, endorsed), asked.card_id, asked.under, asked.at)]


def take_back(asked: TakeBackEndorsement, holding: Holding) -> Sequence[Event]:
    """A card that was reported lost is not endorsed, also where the report and the counter crossed."""
    life = holding.current
    if life is None or life.card_id != asked.card_id or holding.person_id is None:
        return []
    if life.endorsed is None or life.endorsed.at != asked.endorsed_at:
        return []
    taken = EndorsementTakenBack(
        holding_id=asked.holding_id,
        person_id=holding.person_id,
        card_id=asked.card_id,
        valid_to=life.endorsed.valid_to,
        endorsed_at=asked.endorsed_at,
        reported_at=asked.reported_at,
        at=asked.at,
    )
    return [taken, *(rested(holding, asked.card_id, asked.at) if life.endorsed.expired else ())]


def remind_to_endorse(asked: RemindToEndorse, holding: Holding) -> Sequence[Event]:
    """Whoever has come meanwhile is not reminded, nor whoever would be turned away."""
    life = holding.current
    if life is None or (life.card_id, life.valid_to) != (asked.card_id, asked.valid_to) or asked.at in life.reminded:
        return []
    if holding.person_id is None or (holding.verdicts and not holding.verdicts[-1].granted):
        return []
    return [
        EndorsementReminded(
            holding_id=asked.holding_id,
            person_id=holding.person_id,
            card_id=asked.card_id,
            valid_to=asked.valid_to,
            at=asked.at,
        )
    ]


def expire(asked: ExpireCard, holding: Holding) -> Sequence[Event]:
    """Its functions rest; one that took the place of a card out of date was so from its first instant."""
    life = holding.life_of(asked.card_id)
    if life is None or life.ended_at is not None or life.expired or life.valid_to != asked.valid_to:
        return []
    assert holding.person_id is not None
    rule = asked.under.endorsing if asked.under else None
    at = max(asked.valid_to, life.active_from)
    expired = CardExpired(
        holding_id=asked.holding_id,
        person_id=holding.person_id,
        card_id=asked.card_id,
        at=at,
        endorsable=rule is not None,
        grace_until=rule.grace_until(shanghai_day(life.valid_to)) if rule else None,
    )
    return [expired, *rested(holding, asked.card_id, at)]
