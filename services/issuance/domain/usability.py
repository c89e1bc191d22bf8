"""Whether a card can be used for a function: a function of how things stand and of the instant, of nothing else."""

from collections.abc import Sequence
from datetime import datetime

from libs.kernel import value
from services.ids import CardId
from services.issuance.domain.bylaw import CatalogueEntry, Opens
from services.issuance.domain.functions import OUT_OF_DATE
from services.issuance.domain.holding.state import Holding


@value
class Stop:
    """A stretch in which the loss desk has stopped a function; open-ended while `until` is None."""

    function: str
    from_: datetime
    until: datetime | None

    def covers(self, function: str, at: datetime) -> bool:
        return function == self.function and self.from_ <= at and (self.until is None or at < self.until)


@value
class Usability:
    """Whether a function can be used, and why or why not."""

    function: str
    usable: bool
    because: str


REPORTED_LOST = "the card is reported lost"

_OPENED = {
    Opens.BY_THE_HOLDER: "not opened: the holder activates it herself",
    Opens.AT_AN_OUTLET: "not opened: open it at a service hall or a partner bank",
    Opens.AT_THE_BANK: "not opened: the holder opens it in person at the bank",
    Opens.WITH_THE_WALLET: "not opened: open the card's wallet at a service hall or a partner bank",
}


def usability(
    card_id: CardId, at: datetime, holding: Holding, stops: Sequence[Stop], catalogue: Sequence[CatalogueEntry]
) -> Sequence[Usability]:
    """For each function that the card bears (domain facts 10.2): active, in validity, opened, entitled, not stopped."""
    dead = _why_not_at_all(card_id, at, holding)
    answers = ((entry.function, dead or _why_not(entry, at, holding, stops)) for entry in catalogue)
    return [Usability(function=function, usable=not no, because=no or "yes") for function, no in answers]


def _why_not_at_all(card_id: CardId, at: datetime, holding: Holding) -> str:
    life = holding.life_of(card_id)
    if life is None or at < life.active_from:
        return "the card is not active yet"
    if life.ended_at is not None and at >= life.ended_at:
        return f"the card has ended: {life.ending}"
    if life.out_of_date(at):
        return OUT_OF_DATE
    return ""


def _why_not(entry: CatalogueEntry, at: datetime, holding: Holding, stops: Sequence[Stop]) -> str:
    if any(stop.covers(entry.function, at) for stop in stops):
        return REPORTED_LOST
    opened = any(one.function == entry.function and one.at <= at for one in holding.opened)
    if entry.opens is not Opens.WITH_THE_CARD and not opened:
        return _OPENED[entry.opens]
    verdict = holding.verdict_at(at)
    if verdict is None:
        return "no verdict on the holder's entitlement has come yet"
    grant = next((grant for grant in verdict.functions if grant.function == entry.function), None)
    if grant is None:
        return "the holder's entitlement does not name this function"
    return "" if grant.granted else grant.because
