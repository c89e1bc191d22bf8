"""What a department says of a person, as it is written: in a request, in a delivery, on a topic."""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from libs.web.bodies import Body, Day
from services.identity.domain.documents import Document, IssuerMisshapen, Kind, read


def _names_nobody(reference: str) -> str:
    if re.search(r"[0-9]{15}", reference):
        raise ValueError("a reference names a record of yours and must not carry the number of a person's document")
    return reference


Plausible = Annotated[Day, Field(ge=date(1850, 1, 1), le=date(2200, 12, 31))]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
Reference = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,39}$"), AfterValidator(_names_nobody)
]


class DocumentBody(Body):
    """An identity document as it is printed."""

    kind: Annotated[Kind, Field(strict=False)]
    number: Annotated[str, StringConstraints(max_length=64)]
    """The number as it is printed; spaces and dashes do not matter."""
    issuer: Annotated[str, StringConstraints(max_length=8)] = ""
    """Passports only: the state that issued it, by its letters in the passport's lowest lines, for example `USA`."""


class FactBody(Body):
    """What a department says of a person."""

    document: DocumentBody
    fact: Code
    """One of the facts that the city lets your department state, for example `hukou`."""
    valid_from: Plausible
    """The first day on which it holds; it begins at 0:00."""
    valid_to: Plausible | None = None
    """The last day on which it holds; it ends at 24:00. Left out while nobody knows."""
    reference: Reference
    """Your own record, so that you can find it again; it names no person."""
    ended: bool = False
    """It holds no more: since the end of `valid_to` if that has passed, or else from now on."""


def document_of(shown: DocumentBody, on: date) -> Document:
    """The document that was shown, as of a day. Raises the refusals of `read`."""
    if shown.kind is Kind.PASSPORT and not shown.issuer:
        raise IssuerMisshapen
    return read(shown.kind, shown.number, on, shown.issuer)
