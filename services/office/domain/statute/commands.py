"""What may be asked about a city's bylaws as a whole."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import command
from libs.kernel.foureyes import Hand, ProposalId


@command(stored_as="office-found-edition")
class FoundEdition:
    """Begin with this edition, if the city has none yet."""

    city: str
    edition: str
    at: datetime


@command(stored_as="office-propose-edition")
class ProposeEdition:
    """Let this edition hold once another person has looked at it too."""

    city: str
    edition: str
    at: datetime
    proposal_id: ProposalId
    by: Hand


@command(stored_as="office-approve-edition")
class ApproveEdition:
    """I have looked at it: let it hold."""

    city: str
    at: datetime
    proposal_id: ProposalId
    by: Hand


Command: TypeAlias = FoundEdition | ProposeEdition | ApproveEdition
