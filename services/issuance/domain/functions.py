"""How the functions of a card stand (domain facts 10.2): unavailable, available, enabled or suspended."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from libs.kernel import value
from services.issuance.domain.bylaw import CatalogueEntry, Opens
from services.issuance.domain.holding.events import FunctionGrant, FunctionState, Standing

OUT_OF_DATE = "the card has expired"


@value
class Grants:
    """What identity says of each function; `because` of those of which it says nothing."""

    functions: tuple[FunctionGrant, ...]
    because: str

    def of(self, function: str) -> FunctionGrant:
        known = (grant for grant in self.functions if grant.function == function)
        return next(known, FunctionGrant(function=function, granted=False, because=self.because))


class Place(StrEnum):
    """Where a function is opened."""

    HOLDER = "holder"
    OUTLET = "outlet"
    BANK = "bank"
    WALLET = "wallet"
    """Where money on the card is opened, with its formalities."""


OPENED_AT = {
    Opens.WITH_THE_CARD: frozenset[Place](),
    Opens.BY_THE_HOLDER: frozenset({Place.HOLDER, Place.OUTLET, Place.BANK}),
    Opens.AT_AN_OUTLET: frozenset({Place.OUTLET, Place.BANK, Place.WALLET}),
    Opens.AT_THE_BANK: frozenset({Place.BANK}),
    Opens.WITH_THE_WALLET: frozenset({Place.WALLET}),
}


def stand(
    catalogue: Sequence[CatalogueEntry], grants: Grants, opened: Iterable[str], before: Sequence[FunctionState]
) -> tuple[FunctionState, ...]:
    """Each function, as it now is; one that has worked and may not be used at present is suspended, not lost."""
    was = {one.function: one.standing for one in before}
    open_ = set(opened)
    return tuple(_one(entry, grants.of(entry.function), entry.function in open_, was) for entry in catalogue)


def resting(functions: Iterable[FunctionState]) -> tuple[FunctionState, ...]:
    """The functions of a card whose validity has ended: what works is suspended, until the card is valid again."""
    return tuple(
        replace(one, standing=Standing.SUSPENDED, because=OUT_OF_DATE) if one.standing is Standing.ENABLED else one
        for one in functions
    )


def _one(entry: CatalogueEntry, grant: FunctionGrant, opened: bool, was: dict[str, Standing]) -> FunctionState:
    is_open = opened or entry.opens is Opens.WITH_THE_CARD
    worked = was.get(entry.function) in (Standing.ENABLED, Standing.SUSPENDED)
    if is_open and grant.granted:
        standing = Standing.ENABLED
    elif is_open and worked:
        standing = Standing.SUSPENDED
    else:
        standing = Standing.AVAILABLE if grant.granted else Standing.UNAVAILABLE
    return FunctionState(function=entry.function, standing=standing, because=grant.because)
