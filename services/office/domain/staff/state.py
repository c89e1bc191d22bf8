"""Which duties somebody has, and since when."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.kernel import state, value
from services.office.domain.establishment import Spell
from services.office.domain.staff.events import Appointed, AppointmentEnded, Dismissed, Event


@value
class Appointment:
    """A duty at an organisation, for a time; `over` once its end has been told."""

    appointment_id: str
    duty: str
    organisation: str
    spell: Spell
    over: bool = False


@state
class Staff:
    """Somebody who works for the city, or never did."""

    appointments: tuple[Appointment, ...] = ()

    def appointment(self, appointment_id: str) -> Appointment | None:
        return next((one for one in self.appointments if one.appointment_id == appointment_id), None)

    def duties(self, at: datetime) -> tuple[Appointment, ...]:
        """Those that hold at this instant."""
        return tuple(one for one in self.appointments if one.spell.holds(at))


def evolve(staff: Staff, fact: Event) -> Staff:
    match fact:
        case Appointed():
            given = Appointment(
                appointment_id=fact.appointment_id,
                duty=fact.duty,
                organisation=fact.organisation,
                spell=Spell(since=fact.at, until=fact.until),
            )
            return replace(staff, appointments=(*staff.appointments, given))
        case Dismissed() | AppointmentEnded():
            return replace(
                staff,
                appointments=tuple(
                    replace(one, spell=replace(one.spell, until=max(fact.at, one.spell.since)), over=True)
                    if one.appointment_id == fact.appointment_id
                    else one
                    for one in staff.appointments
                ),
            )
        case _:
            assert_never(fact)
