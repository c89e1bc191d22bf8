"""What has happened to a city's bylaws as a whole."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import event
from libs.kernel.foureyes import FourEyes, Hand, ProposalId


@event(stored_as="office-edition-founded")
class EditionFounded:
    """The edition with which the city began here; there was nobody yet who could have been asked."""

    city: str
    edition: str
    at: datetime


@event(stored_as="office-edition-proposed")
class EditionProposed:
    """Somebody wants this edition to hold."""

    city: str
    edition: str
    at: datetime
    proposal_id: ProposalId
    by: Hand
    until: datetime


@event(stored_as="office-edition-enacted")
class EditionEnacted:
    """From `at` on processes may serve by this edition. What was decided before stands as it was decided."""

    city: str
    edition: str
    at: datetime
    proposal_id: ProposalId
    eyes: FourEyes


Event: TypeAlias = EditionFounded | EditionProposed | EditionEnacted
