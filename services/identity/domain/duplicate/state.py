"""How a case can stand."""

from typing import TypeAlias, assert_never

from libs.kernel import state
from services.identity.domain.duplicate.events import DuplicateFound, DuplicateSettled, Event, Ruling


@state
class NoCase:
    """Nothing was found."""


@state
class Open:
    """It waits for a clerk."""

    found: DuplicateFound


@state
class Settled:
    """A clerk has decided."""

    found: DuplicateFound
    ruling: Ruling


Duplicate: TypeAlias = NoCase | Open | Settled


def evolve(case: Duplicate, fact: Event) -> Duplicate:
    match fact:
        case DuplicateFound():
            return Open(found=fact)
        case DuplicateSettled(ruling=ruling):
            assert not isinstance(case, NoCase)
            return Settled(found=case.found, ruling=ruling)
        case _:
            assert_never(fact)
