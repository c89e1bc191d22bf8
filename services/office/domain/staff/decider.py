"""Nobody appoints themselves, nobody appoints beyond their reach, and duties that must be apart stay apart."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Forbidden, Missing, Unfit
from libs.kernel.foureyes import named
from services.office.domain.establishment import Establishment, Spell
from services.office.domain.staff.commands import Appoint, Command, Dismiss, EndAppointment
from services.office.domain.staff.events import Appointed, AppointmentEnded, Dismissed, Event
from services.office.domain.staff.state import Appointment, Staff, evolve


class BeyondYourReach(Forbidden):
    """{organisation} does not stand under {reach}; ask somebody of one of: {above}."""


class OwnAppointment(Forbidden):
    """Nobody gives or takes a duty of their own; ask somebody else who may."""


class DutyNotOfThisPlace(Unfit):
    """The duty {duty} is not one of {organisation}; its duties are: {duties}."""


class DutiesApart(Clash):
    """Whoever has the duty {held} at {organisation} cannot have {duty} at the same time; end the one first."""


class EndsBeforeItBegins(Unfit):
    """An appointment must end after it begins."""


class AppointmentUnknown(Missing):
    """There is no such appointment of this person."""


def decide(command: Command, staff: Staff) -> Sequence[Event]:
    match command:
        case Appoint():
            return appoint(command, staff)
        case Dismiss():
            return dismiss(command, staff)
        case EndAppointment():
            return end(command, staff)
        case _:
            assert_never(command)


def appoint(asked: Appoint, staff: Staff) -> Sequence[Event]:
    if named(asked.by) == asked.login:
        raise OwnAppointment
    _within_reach(asked.reach, asked.organisation, asked.under)
    duties = asked.under.level_of(asked.organisation).duties
    if asked.duty not in duties:
        raise DutyNotOfThisPlace(
            asked.under.said_by,
            duty=asked.duty,
            organisation=asked.organisation,
            duties=", ".join(sorted(duties)) or "none",
        )
    if asked.until is not None and asked.until <= asked.since:
        raise EndsBeforeItBegins
    wanted = Spell(since=asked.since, until=asked.until)
    for held in staff.appointments:
        if held.spell.meets(wanted):
            if (held.duty, held.organisation) == (asked.duty, asked.organisation):
                return []
            if _apart(held, asked.duty, asked.under):
                raise DutiesApart(asked.under.said_by, held=held.duty, organisation=held.organisation, duty=asked.duty)
    return [
        Appointed(
            staff_id=asked.staff_id,
            appointment_id=asked.appointment_id,
            duty=asked.duty,
            organisation=asked.organisation,
            at=asked.since,
            until=asked.until,
        )
    ]


def dismiss(asked: Dismiss, staff: Staff) -> Sequence[Event]:
    """At once; what was done before stands."""
    held = staff.appointment(asked.appointment_id)
    if held is None:
        raise AppointmentUnknown
    if asked.own:
        raise OwnAppointment
    _within_reach(asked.reach, held.organisation, asked.under)
    if held.spell.until is not None and held.spell.until <= asked.at:
        return []
    return [
        Dismissed(
            staff_id=asked.staff_id,
            appointment_id=asked.appointment_id,
            at=asked.at,
            reason=asked.reason,
            duty=held.duty,
            organisation=held.organisation,
            struck_at=asked.struck_at,
        )
    ]


def end(asked: EndAppointment, staff: Staff) -> Sequence[Event]:
    """At the instant that was said when the duty was given; whoever was dismissed before has had it told already."""
    held = staff.appointment(asked.appointment_id)
    if held is None or held.over or held.spell.until is None or asked.struck_at is None:
        return []
    return [
        AppointmentEnded(
            staff_id=asked.staff_id,
            appointment_id=asked.appointment_id,
            duty=held.duty,
            organisation=held.organisation,
            at=held.spell.until,
            struck_at=asked.struck_at,
        )
    ]


def _within_reach(reach: str, organisation: str, under: Establishment) -> None:
    """Raises BeyondYourReach, OrganisationUnknown."""
    if not under.reaches(reach, organisation):
        above = ", ".join(under.chain(organisation))
        whose = reach or "an organisation that you named"
        raise BeyondYourReach(under.said_by, organisation=organisation, reach=whose, above=above)


def _apart(held: Appointment, duty: str, under: Establishment) -> bool:
    return held.duty != duty and any({held.duty, duty} <= pair for pair in under.apart)


def due(fact: Event) -> Iterator[Due]:
    """A duty that was given for a time is told to have ended when that time is over."""
    if isinstance(fact, Appointed) and fact.until is not None:
        yield Due(fact.until, EndAppointment(staff_id=fact.staff_id, appointment_id=fact.appointment_id, at=fact.until))


staff_desk: Decider[Command, Staff, Event] = Decider(Staff(), decide, evolve, due)
