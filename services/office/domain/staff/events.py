"""What has happened to the duties of somebody who works for the city."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import event


@event(stored_as="office-appointed")
class Appointed:
    """From `at` on this person has a duty at an organisation; until `until`, where that was said."""

    staff_id: str
    appointment_id: str
    duty: str
    organisation: str
    at: datetime
    until: datetime | None


@event(stored_as="office-dismissed")
class Dismissed:
    """From `at` on this person has that duty no more.

    `struck_at` is the same instant by the machine's clock, by which tokens are dated; facts of before do not say it,
    nor which duty it was.
    """

    staff_id: str
    appointment_id: str
    at: datetime
    reason: str
    duty: str = ""
    organisation: str = ""
    struck_at: datetime | None = None


@event(stored_as="office-appointment-ended")
class AppointmentEnded:
    """The time for which this person had that duty is over since `at`, by the machine's clock since `struck_at`."""

    staff_id: str
    appointment_id: str
    duty: str
    organisation: str
    at: datetime
    struck_at: datetime


Event: TypeAlias = Appointed | Dismissed | AppointmentEnded
