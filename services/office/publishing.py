"""Which facts of the office the city is told, and in which words; who signed what stays here."""

from typing import TypeAlias, assert_never

from libs.messaging.contract import Contract
from services.office import contracts as told
from services.office.domain.staff.events import Appointed, AppointmentEnded, Dismissed
from services.office.domain.statute.events import EditionEnacted, EditionFounded, EditionProposed

Event: TypeAlias = Appointed | Dismissed | AppointmentEnded | EditionFounded | EditionProposed | EditionEnacted


def tell(fact: Event) -> Contract | None:
    match fact:
        case Appointed():
            return told.Appointed(
                staff_id=fact.staff_id,
                appointment_id=fact.appointment_id,
                duty=fact.duty,
                organisation=fact.organisation,
                at=fact.at,
                until=fact.until,
            )
        case Dismissed():
            return told.Dismissed(
                staff_id=fact.staff_id,
                appointment_id=fact.appointment_id,
                at=fact.at,
                duty=fact.duty,
                organisation=fact.organisation,
                struck_at=fact.struck_at,
            )
        case AppointmentEnded():
            return told.AppointmentEnded(
                staff_id=fact.staff_id,
                appointment_id=fact.appointment_id,
                duty=fact.duty,
                organisation=fact.organisation,
                at=fact.at,
                struck_at=fact.struck_at,
            )
        case EditionFounded():
            return told.EditionEnacted(city=fact.city, edition=fact.edition, at=fact.at, founding=True)
        case EditionEnacted():
            return told.EditionEnacted(city=fact.city, edition=fact.edition, at=fact.at)
        case EditionProposed():
            return None
        case _:
            assert_never(fact)
