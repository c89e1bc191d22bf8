"""What a city may decide about how a card reaches its holder, and what becomes of one that nobody fetches."""

from enum import StrEnum

from libs.kernel import value
from services.issuance.domain.papers import Needed


class By(StrEnum):
    """Who takes a card."""

    HOLDER = "holder"
    AGENT = "agent"
    GUARDIAN = "guardian"
    UNIT = "unit"
    MAIL = "mail"


@value
class Collecting:
    """One programme's rules on handing a card over. Lists that are empty ask for nothing more than a valid document.

    `notice` and `receipt`: the holder shows the collection notice, or the number of the receipt. `fingerprint`: a
    verdict of the police's service is needed where the holder comes. `elsewhere`: a card may be sent on to another
    outlet. `remind_days` count from the arrival, `destroyed_after_days` from the end of keeping (0: never).
    """

    papers_of_agents: tuple[Needed, ...] = ()
    papers_of_units: tuple[Needed, ...] = ()
    units: bool = False
    mail: bool = False
    notice: bool = False
    receipt: bool = False
    fingerprint: bool = False
    elsewhere: bool = False
    remind_days: tuple[int, ...] = ()
    destroyed_after_days: int = 0

    def __post_init__(self) -> None:
        if any(not 0 < days <= 365 for days in self.remind_days) or len(self.remind_days) > 10:
            raise ValueError("a holder is reminded at most ten times, each within a year")
        if not 0 <= self.destroyed_after_days <= 3650:
            raise ValueError("a card that nobody fetched is destroyed within ten years, or with 0 never")
