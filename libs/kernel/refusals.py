"""The city says no: four ways of saying it, each with a sentence that tells the caller what to do."""

import re
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from libs.kernel.why import Cited, Why


class Refused(Exception):
    """The city says no; nothing has happened and the same request would be refused again.

    The docstring of a subclass is the sentence that the citizen reads, with `{name}` where a detail belongs; the
    details are passed by name and must not carry personal data, for the sentence is logged and sent over the wire.
    Where a city's bylaw says no, it is named first, as in `raise WrongPlace(under.by("lift"), places=…)`; the caller is
    told of it too.
    """

    status: ClassVar[int] = 409

    def __init__(self, why: "Why | Cited | None" = None, /, **details: object) -> None:
        self.details, self.why = details, why
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The refusal as the citizen reads it."""
        return " ".join((self.__doc__ or "").split()).format_map(self.details)


class Missing(Refused):
    """What you ask about is not here."""

    status = 404


class Forbidden(Refused):
    """You may not do this."""

    status = 403


class Clash(Refused):
    """As things stand, this cannot be done."""

    status = 409


class Unfit(Refused):
    """What you sent cannot be accepted."""

    status = 422


def refusal_code(refusal: type[Refused]) -> str:
    """The stable code of a refusal, for example `card-unknown`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", refusal.__name__).lower()
