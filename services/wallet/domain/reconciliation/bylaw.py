"""What a city may decide about holding its books against others' files."""

from libs.kernel import value
from services.wallet.domain.reconciliation.matching import Source


@value
class Party:
    """Somebody who has agreed to send a file, and of which kind; what nobody has agreed to send is not waited for."""

    source: Source
    sender: str


@value
class ReconciliationBylaw:
    """When a day is reconciled (hour of the next day, Shanghai), and how long others may take, in working days."""

    at_hour: int
    transit_working_days: int
    stale_working_days: int
    parties: tuple[Party, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.at_hour <= 23:
            raise ValueError("the hour of the reconciliation lies between 0 and 23")
        if not 0 <= self.transit_working_days < self.stale_working_days <= 250:
            raise ValueError("what is on its way is not stale yet: fewer working days in transit than until the alarm")
        if len({(one.source, one.sender) for one in self.parties}) < len(self.parties):
            raise ValueError("a party is listed twice with the same kind of file")
