"""A city's rules on taps, from its pack to the domain."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from libs.runtime.citypack import CityPacks, PackUnfit
from services.wallet.adapters.clearing import Rules
from services.wallet.adapters.fares import FareBylaws
from services.wallet.domain.taps.bylaw import Bearer, TapBylaw


class TapData(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clock_tolerance_s: int
    ahead_max_s: int
    stale_days: int
    before_receipt: Bearer
    after_receipt: Bearer


class TapBylaws:
    """All cities' rules on taps, with the ceilings of their tariffs, checked when they are read."""

    def __init__(self, packs: CityPacks, fares: FareBylaws) -> None:
        self._dated = {pack.code: pack.dated("taps.clearing", TapData) for pack in packs if "taps" in pack.files}
        self._ceilings = {
            pack.code: _dearest(
                [one for programme in fares.programmes(pack.code) for one in fares.ceilings(pack.code, programme)]
            )
            for pack in packs
        }
        for pack in packs:
            for entry in self._dated.get(pack.code, ()):
                try:
                    TapBylaw(**entry.value.model_dump())
                except ValueError as error:
                    raise PackUnfit(f"{pack.name}: taps.yaml, clearing: {error}") from error

    def at(self, city: str, moment: datetime) -> Rules:
        """What holds in a city at this moment, and the ceilings of every day until then."""
        under = TapBylaw(**self._dated[city].at(moment).model_dump())
        return Rules(city=city, under=under, ceilings=self._ceilings[city])


def _dearest(ceilings: list[tuple[str, date, int]]) -> list[tuple[str, date, int]]:
    """One ceiling per service and day: the highest of any programme."""
    highest: dict[tuple[str, date], int] = {}
    for service, day, fen in ceilings:
        highest[service, day] = max(fen, highest.get((service, day), 0))
    return [(service, day, fen) for (service, day), fen in highest.items()]
