"""What a city lets its departments say."""

from libs.kernel import Forbidden
from libs.runtime.citypack import CityPacks


class CityNotServed(Forbidden):
    """Nobody is registered here for your city; ask for a token that names one of: {cities}."""


class DataSharing:
    """Which city is served here, and which department may state which facts there."""

    def __init__(self, packs: CityPacks) -> None:
        self._facts = {
            pack.code: {
                department: frozenset(map(str, about["facts"]))
                for department, about in pack.files["city"]["departments"].items()
            }
            for pack in packs
        }

    def served(self, city: str) -> str:
        """The city, if it is served here. Raises CityNotServed."""
        if city not in self._facts:
            raise CityNotServed(cities=", ".join(sorted(self._facts)))
        return city

    def facts_of(self, city: str, department: str) -> frozenset[str]:
        """The facts that this department may state in this city."""
        return self._facts[city].get(department, frozenset())
