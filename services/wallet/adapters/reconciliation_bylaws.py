"""What a city has decided about reconciliation, from its pack to the domain."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from libs.kernel import Calendar
from libs.kernel.calendar import morning_of
from libs.kernel.why import Cited
from libs.runtime.citypack import UNSAID, CityPack, CityPacks
from services.wallet.domain.chart import can_name
from services.wallet.domain.reconciliation.bylaw import Party, ReconciliationBylaw
from services.wallet.domain.reconciliation.matching import Source


class PartyData(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: str
    source: Source


class ReconciliationData(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    at_hour: int
    transit_working_days: int
    stale_working_days: int
    parties: list[PartyData]


class ReconciliationBylaws:
    """All cities' rules on reconciliation, checked when they are read; a city without any reconciles nothing."""

    def __init__(self, packs: CityPacks) -> None:
        self._packs = packs
        self._dated = {
            pack.code: pack.dated("wallet.reconciliation", ReconciliationData, _checked(pack))
            for pack in packs
            if "reconciliation" in pack.files.get("wallet", {})
        }

    @property
    def cities(self) -> Sequence[str]:
        """The cities that reconcile."""
        return sorted(self._dated)

    def at(self, city: str, moment: datetime) -> ReconciliationBylaw | None:
        """The rules that hold in a city at this moment; None if it reconciles nothing."""
        dated = self._dated.get(city)
        if dated is None or moment < morning_of(dated.begins_on):
            return None
        bylaw: ReconciliationBylaw = dated.at(moment)
        return bylaw

    def by(self, city: str, moment: datetime) -> Cited:
        """Where it was agreed on who sends files; nobody has agreed on any where the city says nothing."""
        pack, dated = self._packs[city], self._dated.get(city)
        article = f"{UNSAID}wallet.reconciliation@{pack.first_edition}/{pack.first_edition}"
        if dated is not None and moment >= morning_of(dated.begins_on):
            article = dated.ground(dated.entry_at(moment)).ref
        return Cited(city=city, edition=pack.hash, articles=(article,))

    def parties(self, moment: datetime) -> Iterator[tuple[str, Party]]:
        """Whose files are waited for at this moment, in each city."""
        for city in self.cities:
            under = self.at(city, moment)
            for party in under.parties if under is not None else ():
                yield city, party

    def calendar(self, city: str) -> Calendar:
        """The city's working days."""
        return self._packs[city].calendar


def _checked(pack: CityPack) -> Callable[[ReconciliationData], ReconciliationBylaw]:
    """The domain's own value of what the file says; only merchants of the city send a merchant's files."""
    merchants = pack.files.get("wallet", {}).get("merchants", {})

    def born(data: ReconciliationData) -> ReconciliationBylaw:
        for one in data.parties:
            if not can_name(one.sender):
                raise ValueError(f"{one.sender} cannot name a party; use a-z, 0-9, dots and dashes")
            if one.source in (Source.MERCHANT, Source.TERMINALS) and one.sender not in merchants:
                raise ValueError(f"{one.sender} is no merchant of this city; it has {', '.join(sorted(merchants))}")
        return ReconciliationBylaw(
            at_hour=data.at_hour,
            transit_working_days=data.transit_working_days,
            stale_working_days=data.stale_working_days,
            parties=tuple(Party(source=one.source, sender=one.sender) for one in data.parties),
        )

    return born
