"""What has happened with units. A unit's code is public and names no person."""

from datetime import datetime

from libs.kernel import event, value
from libs.kernel.foureyes import FourEyes, Hand, ProposalId
from services.ids import PersonId
from services.issuance.domain.application.commands import SubmitApplication


@value
class RowRefused:
    """A row of a unit's list that no application was made of; rows count from 1."""

    row: int
    person_id: PersonId
    code: str
    detail: str


@event
class UnitApplied:
    """A unit's delegate has brought a list; each row that could be taken is a request of its own."""

    unit_id: str
    submission_id: str
    programme: str
    outlet: str
    requests: tuple[tuple[int, SubmitApplication], ...]
    refused: tuple[RowRefused, ...]
    at: datetime


@event
class UnitCodeProposed:
    """A clerk has compared a code that fails its check with the certificate, and says that it is right."""

    unit_id: str
    reason: str
    proposal_id: ProposalId
    by: Hand
    until: datetime
    at: datetime


@event
class UnitCodeAccepted:
    """Two people have seen the certificate: the code counts, whatever its check character says."""

    unit_id: str
    proposal_id: ProposalId
    eyes: FourEyes
    at: datetime


Event = UnitApplied | UnitCodeProposed | UnitCodeAccepted
