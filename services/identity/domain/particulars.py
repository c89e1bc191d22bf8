"""What a person says of herself at the counter, checked before it is sealed."""

from datetime import date

from libs.kernel import Unfit
from libs.kernel.calendar import full_years
from services.identity.domain.documents import Document

_AGE_YEARS_MAX = 150


class BirthDateNeeded(Unfit):
    """The number of this document does not say when its holder was born; send `birth` as it is printed there."""


class BirthDateMismatch(Unfit):
    """The birth date does not agree with the number of the document; compare both with the document."""


class BirthDateImplausible(Unfit):
    """This birth date is still to come or more than 150 years ago; compare it with the document."""


def born(document: Document, said: date | None, on: date) -> date:
    """When the holder of a document was born, by its number or else by what is said, as of a day.

    Raises BirthDateNeeded, BirthDateMismatch, BirthDateImplausible.
    """
    birth = document.birth or said
    if birth is None:
        raise BirthDateNeeded
    if said not in (None, birth):
        raise BirthDateMismatch
    if not 0 <= age(birth, on) <= _AGE_YEARS_MAX:
        raise BirthDateImplausible
    return birth


age = full_years


def mask_name(name: str) -> str:
    """A name for showing: its holder recognises it, and not even its length is told. Example: `张**`."""
    return f"{name[:1]}**"
