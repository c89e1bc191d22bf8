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
    """Somebody has a duty no more."""

    staff_id: str
    appointment_id: str
    at: datetime


class EditionEnacted(Contract, type="office.EditionEnacted.v1"):
    """From `at` on a city is served by this edition of its bylaws; what was decided before stands."""

    city: str
    edition: str
    at: datetime
    founding: bool = False
    """Whether it is the one with which the city began here; every later one was seen by two people."""


TELLS = (Appointed, Dismissed, EditionEnacted)
