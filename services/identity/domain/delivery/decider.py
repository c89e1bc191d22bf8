"""Every record that came is counted once, whatever was sent again; what was put aside waits for somebody to look."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from libs.kernel import Decider, Due, Missing
from services.identity.domain.delivery.commands import Command, ForgetRecords, SettleRecord, TakeRecords
from services.identity.domain.delivery.events import Count, Event, RecordsAnnounced, RecordSettled, RecordsTaken
from services.identity.domain.delivery.state import Delivery, evolve


class DeliveryUnknown(Missing):
    """Nothing of such a delivery has come; look at the list of deliveries."""


class RecordNotAside(Missing):
    """Row {row} of this delivery was not put aside."""


def decide(command: Command, delivery: Delivery) -> Sequence[Event]:
    match command:
        case TakeRecords():
            return take(command, delivery)
        case SettleRecord():
            return settle(command, delivery)
        case ForgetRecords():
            return []  # The vault forgets; the count stays.
        case _:
            assert_never(command)


def take(asked: TakeRecords, delivery: Delivery) -> Sequence[Event]:
    facts: list[Event] = []
    for first, last in delivery.fresh(asked.first_row, asked.last_row):
        aside, count = tuple(one for one in asked.aside if first <= one.row <= last), delivery.count
        taken = RecordsTaken(
            delivery_id=asked.delivery_id,
            city=asked.city,
            department=asked.department,
            name=asked.name,
            first_row=first,
            last_row=last,
            aside=aside,
            so_far=Count(
                received=count.received + last - first + 1,
                faulty=count.faulty + len(aside),
                waiting=count.waiting + len(aside),
                highest=max(count.highest, last) if asked.numbered else count.highest,
            ),
            at=asked.at,
            forgotten_at=asked.at + timedelta(days=asked.kept_days),
            numbered=asked.numbered,
        )
        facts.append(taken)
        delivery = evolve(delivery, taken)
    if asked.announced is not None and asked.announced != delivery.announced:
        facts.append(
            RecordsAnnounced(
                delivery_id=asked.delivery_id,
                city=asked.city,
                department=asked.department,
                name=asked.name,
                count=asked.announced,
                at=asked.at,
            )
        )
    return facts


def settle(asked: SettleRecord, delivery: Delivery) -> Sequence[Event]:
    if not delivery.delivery_id:
        raise DeliveryUnknown
    if asked.row in delivery.settled:
        return []
    if asked.row not in delivery.aside:
        raise RecordNotAside(row=asked.row)
    return [
        RecordSettled(
            delivery_id=asked.delivery_id,
            city=delivery.city,
            department=delivery.department,
            row=asked.row,
            outcome=asked.outcome,
            reason=asked.reason,
            so_far=replace(delivery.count, waiting=delivery.count.waiting - 1),
            at=asked.at,
        )
    ]


def due(fact: Event) -> Iterator[Due]:
    if isinstance(fact, RecordsTaken) and fact.aside:
        yield Due(fact.forgotten_at, ForgetRecords(delivery_id=fact.delivery_id))


delivery_desk: Decider[Command, Delivery, Event] = Decider(Delivery(), decide, evolve, due)
