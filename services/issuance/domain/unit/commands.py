"""What can be asked about a unit."""

from datetime import datetime

from libs.kernel import command
from libs.kernel.foureyes import Hand, ProposalId
from services.issuance.domain.application.commands import SubmitApplication
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.papers import Shown
from services.issuance.domain.unit.events import RowRefused


@command
class ApplyForPeople:
    """A delegate brings a list; `fits` says whether the unit's code keeps its check."""

    unit_id: str
    submission_id: str
    fits: bool
    programme: str
    outlet: str
    papers: tuple[Shown, ...]
    requests: tuple[tuple[int, SubmitApplication], ...]
    refused: tuple[RowRefused, ...]
    at: datetime
    under: IssuanceBylaw


@command
class ProposeUnitCode:
    """A clerk says that a code which fails its check stands so on the certificate."""

    unit_id: str
    reason: str
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class AcceptUnitCode:
    """Another has compared it too."""

    unit_id: str
    proposal_id: ProposalId
    by: Hand
    at: datetime


Command = ApplyForPeople | ProposeUnitCode | AcceptUnitCode
