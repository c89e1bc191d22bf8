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
    """From `at` on this person has that duty no more."""

    staff_id: str
    appointment_id: str
    at: datetime
    reason: str


Event: TypeAlias = Appointed | Dismissed
