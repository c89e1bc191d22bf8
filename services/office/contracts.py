"""What the office tells the city: who has which duty, and which bylaws hold."""

from datetime import datetime

from libs.messaging.contract import Contract


class Appointed(Contract, type="office.Appointed.v1"):
    """Somebody has a duty at an organisation of the city."""

    staff_id: str
    appointment_id: str
    duty: str
    organisation: str
    at: datetime
    until: datetime | None = None


class Dismissed(Contract, type="office.Dismissed.v1"):
    """A duty was withdrawn from somebody; no token that was issued for it before is good any more."""

    staff_id: str
    appointment_id: str
    at: datetime
    duty: str = ""
    """Empty where it was not written down; it may then be any."""
    organisation: str = ""
    struck_at: datetime | None = None
    """The same instant by the machine's clock, by which tokens are dated; without it, that is `at`."""


class AppointmentEnded(Contract, type="office.AppointmentEnded.v1"):
    """The time for which somebody had a duty is over; no token that was issued for it before is good any more."""

    staff_id: str
    appointment_id: str
    duty: str
    organisation: str
    at: datetime
    struck_at: datetime
    """The same instant by the machine's clock, by which tokens are dated."""


class EditionEnacted(Contract, type="office.EditionEnacted.v1"):
    """From `at` on a city is served by this edition of its bylaws; what was decided before stands."""

    city: str
    edition: str
    at: datetime
    founding: bool = False
    """Whether it is the one with which the city began here; every later one was seen by two people."""


TELLS = (Appointed, Dismissed, AppointmentEnded, EditionEnacted)
