"""What one person holds under two entries of the register: the rule of one card per product holds across both.

The holding of the entry that gave way is passed on: its card goes on, now that of the person who remains, and nothing
new is ordered there. It stands beside the remaining entry's own holding, where no card is ordered as long as it has
one. Two people decided that only when no product had two cards; should one have come about in the very moment, what
was ordered last is declined, and if both are further than that, the merged entry's gives way.
"""

from collections.abc import Sequence
from datetime import datetime

from services.ids import HoldingId
from services.issuance.domain.holding.commands import GiveWay, JoinHolding, LeaveHolding, PassHoldingOn
from services.issuance.domain.holding.events import (
    CardCancelled,
    CardDeclined,
    Event,
    HoldingEmptied,
    HoldingJoined,
    HoldingLeft,
    HoldingPassedOn,
    PlasticRecalled,
)
from services.issuance.domain.holding.state import (
    AtOutlet,
    Good,
    Holding,
    InHand,
    InWork,
    NothingComing,
    Queued,
    Waiting,
    evolve,
)

MERGED = "merged"
"""Why a card ends whose holder has another one under the entry that remains."""
HELD_ALREADY = "the holder has this card already, under an entry of the register that was merged with this one"
MERGED_AWAY = "the applicant's entry was merged with another one; apply under that"


def holds(holding: Holding) -> bool:
    """Whether there is a card, or one on its way."""
    return holding.current is not None or not isinstance(holding.coming, NothingComing)


def pass_on(asked: PassHoldingOn, holding: Holding) -> Sequence[Event]:
    if (holding.person_id, holding.lead) == (asked.person_id, asked.lead) and asked.lead is not None:
        return []
    if holding.lead is None and asked.lead is None:
        return []
    return [
        HoldingPassedOn(
            holding_id=asked.holding_id,
            person_id=asked.person_id,
            programme=asked.programme,
            lead=asked.lead,
            before=holding.lead,
            holds=holds(holding),
            at=asked.at,
        )
    ]


def join(asked: JoinHolding, holding: Holding) -> Sequence[Event]:
    """The other has a card, or one on its way: then none is ordered here."""
    if asked.other in holding.beside or asked.other in holding.gave_way:
        return []
    match holding.coming:
        case NothingComing() if holding.current is None:
            before: list[Event] = []
        case Waiting(order=order) | Queued(order=order) if holding.current is None and holding.person_id is not None:
            declined = CardDeclined(
                holding_id=asked.holding_id,
                person_id=holding.person_id,
                kind=order.kind,
                application_id=order.application_id,
                old_card_id=order.old_card_id,
                reason=HELD_ALREADY,
                at=asked.at,
            )
            before = [declined]
        case _:
            return [HoldingJoined(holding_id=asked.holding_id, other=asked.other, gives_way=True, at=asked.at)]
    return [*before, HoldingJoined(holding_id=asked.holding_id, other=asked.other, gives_way=False, at=asked.at)]


def leave(asked: LeaveHolding, holding: Holding) -> Sequence[Event]:
    if asked.other not in (*holding.beside, *holding.gave_way):
        return []
    return [HoldingLeft(holding_id=asked.holding_id, other=asked.other, at=asked.at)]


def give_way(asked: GiveWay, holding: Holding) -> Sequence[Event]:
    """At no instant do two cards of one person work: what the merged entry has ends, and what is coming is recalled."""
    if holding.lead is None or holding.person_id is None:
        return []
    facts: list[Event] = []
    if (current := holding.current) is not None:
        facts.append(
            CardCancelled(
                holding_id=asked.holding_id,
                person_id=holding.person_id,
                card_id=current.card_id,
                reason=MERGED,
                at=max(asked.at, current.active_from),
            )
        )
    match holding.coming:
        case InWork(plastic=plastic) | Good(plastic=plastic) | AtOutlet(plastic=plastic) | InHand(plastic=plastic):
            recalled = PlasticRecalled(
                holding_id=asked.holding_id,
                card_id=plastic.card_id,
                batch_id=plastic.batch_id,
                seat=plastic.seat,
                at=asked.at,
            )
            facts.append(recalled)
    if not isinstance(holding.coming, NothingComing):
        order = holding.coming.order
        facts.append(
            CardDeclined(
                holding_id=asked.holding_id,
                person_id=holding.person_id,
                kind=order.kind,
                application_id=order.application_id,
                old_card_id=order.old_card_id,
                reason=HELD_ALREADY,
                at=asked.at,
                recalled=True,
            )
        )
    return facts


def with_emptied(holding_id: HoldingId, facts: Sequence[Event], holding: Holding) -> Sequence[Event]:
    """A holding that was passed on says when it has nothing any more; then a card may be ordered beside it again."""
    if holding.lead is None or not facts or not holds(holding):
        return facts
    after = holding
    for fact in facts:
        after = evolve(after, fact)
    if holds(after) or after.lead is None:
        return facts
    at: datetime = facts[-1].at
    return [*facts, HoldingEmptied(holding_id=holding_id, lead=after.lead, at=at)]
