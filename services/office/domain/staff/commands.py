"""What may be asked about the duties of somebody who works for the city."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import Hand, command
from services.office.domain.establishment import Establishment


@command(stored_as="office-appoint")
class Appoint:
    """Give `login` a duty. `by` asks, and acts for the organisation `reach`."""

    staff_id: str
    login: Hand
    appointment_id: str
    duty: str
    organisation: str
    at: datetime
    since: datetime
    until: datetime | None
    by: Hand
    reach: str
    under: Establishment


@command(stored_as="office-dismiss")
class Dismiss:
    """Take a duty away; `own` says that it is one of whoever asks, `struck_at` is what the machine's clock shows."""

    staff_id: str
    own: bool
    appointment_id: str
    at: datetime
    reason: str
    by: Hand
    reach: str
    under: Establishment
    struck_at: datetime


@command(stored_as="office-end-appointment")
class EndAppointment:
    """The last instant of a duty has come; `struck_at` is what the machine's clock shows then."""

    staff_id: str
    appointment_id: str
    at: datetime
    struck_at: datetime | None = None


Command: TypeAlias = Appoint | Dismiss | EndAppointment
