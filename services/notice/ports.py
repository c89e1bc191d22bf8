"""What notice asks of the outside world: who the holder is, which words to use, and somebody who carries them."""

from typing import Protocol

from libs.kernel import Sealed, value
from services.ids import HoldingId, PersonId
from services.notice.domain.events import Letter
from services.notice.domain.naming import NoticeId
from services.notice.domain.state import Errand


@value
class Sent:
    """The provider has taken the message, and answers for it from here."""


@value
class TurnedDown:
    """The provider will not take this message; `reason` is a code of ours, and never quotes the number."""

    reason: str


@value
class CannotTell:
    """The provider does not know what became of the message."""


class Sms(Protocol):
    """A provider of text messages.

    `notice_id` is also the provider's idempotency key: a second `send` of the same notice, even while the first is on
    its way, is answered as the first and sends nothing.
    """

    async def send(self, notice_id: NoticeId, to: str, text: str) -> Sent | TurnedDown:
        """Send a text to a number as `+8613800005678`. Raises Outage (nothing was sent) or OutcomeUnknown."""

    async def look_up(self, notice_id: NoticeId) -> Sent | TurnedDown | CannotTell | None:
        """What became of a message; None if it never reached the provider. Raises Outage."""


@value
class Contact:
    """How a person wants to be told things; `programme` is the one of the holding, empty where nobody has told it."""

    person_id: PersonId
    mobile: Sealed
    language: str
    programme: str = ""


class Contacts(Protocol):
    """Who is to be told, and where she is reached."""

    async def of(self, holding_id: HoldingId) -> Contact | None:
        """The holder; None while she is not known here, or not any more. Raises Outage."""

    async def number(self, letter: Letter) -> str | None:
        """The number to which a letter goes; None if the person was erased. Raises Outage."""


class Texts(Protocol):
    """The city's words."""

    def write(self, errand: Errand, language: str, programme: str) -> tuple[str, str]:
        """The language that is used – this one, if the city has it – and the text, which calls the card by its name."""
