"""A card that is valid for a year goes on for another, if its holder comes in time and still lives here (R136)."""

from collections.abc import Sequence
from datetime import UTC

from libs.kernel.calendar import morning_of, shanghai_day
from services.issuance.domain.endorsement import EndorsedElsewhere, NoLongerEntitled, NotEndorsed, Permit, ReportedLost
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.commands import EndorseCard
from services.issuance.domain.holding.events import CardEndorsed, Event
from services.issuance.domain.holding.state import Holding


def endorse(asked: EndorseCard, holding: Holding) -> Sequence[Event]:
    """Whoever has it endorsed twice on one day comes too early the second time."""
    life = holding.current
    if life is None or life.card_id != asked.card_id or holding.person_id is None:
        raise CardUnknown(card_id=asked.card_id)
    rule = asked.under.endorsing
    if rule is None:
        raise NotEndorsed
    if asked.outlet not in rule.by:
        raise EndorsedElsewhere(places=", ".join(sorted(rule.by)))
    if asked.reported_lost:
        raise ReportedLost(card_id=asked.card_id)
    verdict = holding.verdict_at(asked.at)
    if verdict is not None and not verdict.granted:
        raise NoLongerEntitled(because=verdict.because)
    since = life.since or shanghai_day(life.active_from)
    renewed = rule.endorse(Permit(since=since, ends_on=shanghai_day(life.valid_to)), shanghai_day(asked.at))
    return [
        CardEndorsed(
            holding_id=asked.holding_id,
            person_id=holding.person_id,
            card_id=asked.card_id,
            programme=holding.programme,
            outlet=asked.outlet,
            since=renewed.since,
            valid_to=morning_of(renewed.ends_on).astimezone(UTC),
            at=asked.at,
        )
    ]
