"""What can be asked of a roll."""

from datetime import datetime

from libs.kernel import command
from services.identity.domain.roll.events import RowVerdict
from services.ids import RollId


@command
class OpenRoll:
    """Somebody has a list of persons who are to get a card without asking for it."""

    roll_id: RollId
    programme: str
    department: str
    name: str
    at: datetime


@command
class ReceivePart:
    """A file of the roll; `last_line` counts the heading too, `digest` is the SHA-256 of its bytes.

    `reference` is where the vault keeps it, if the city is to carry it out by itself.
    """

    roll_id: RollId
    part: int
    digest: str
    size_bytes: int
    last_line: int
    reference: str
    at: datetime


@command
class NotePage:
    """Rows were judged, all of them."""

    roll_id: RollId
    part: int
    page: int
    first_line: int
    last_line: int
    digest: str
    ordered: int
    verdicts: tuple[RowVerdict, ...]
    at: datetime


@command
class CarryOutPage:
    """The next rows of a part that the city keeps are to be judged."""

    roll_id: RollId
    part: int
    page: int


@command
class ForgetPart:
    """All rows of a part that the city kept are judged; nobody needs its text any more."""

    roll_id: RollId
    part: int


Command = OpenRoll | ReceivePart | NotePage | CarryOutPage | ForgetPart
