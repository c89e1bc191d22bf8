"""What a city may decide for itself about how a card is applied for."""

from datetime import UTC, date, datetime
from enum import StrEnum

from libs.kernel import Calendar, Deadline, value
from libs.kernel.calendar import end_of_calendar_day, shanghai_day
from services.issuance.domain.papers import Needed

FEN_MAX = 100_000


class Channel(StrEnum):
    """The ways to a card."""

    HALL = "hall"
    COMMUNITY = "community"
    BANK = "bank"
    UNIT = "unit"
    POLICE = "police"
    ONLINE = "online"
    ROLL = "roll"


class Way(StrEnum):
    """How a card reaches its holder."""

    COUNTER = "counter"
    AGENT = "agent"
    MAIL = "mail"


class Taken(StrEnum):
    """Where a portrait comes from."""

    ON_SITE = "on_site"
    BROUGHT = "brought"
    ON_FILE = "on_file"


@value
class ScalePhase:
    """The months in which whoever has one of these facts applies through the unit; `ends` is the last day."""

    begins: date
    ends: date
    facts: frozenset[str]

    def __post_init__(self) -> None:
        if self.ends < self.begins:
            raise ValueError("a scale phase ends on or after the day on which it begins")

    def binds(self, on: date, facts: frozenset[str]) -> bool:
        return self.begins <= on <= self.ends and bool(facts & self.facts)


@value
class Letter:
    """A commitment letter in one language; `sha256` (hex) binds a signature to these very words."""

    language: str
    text: str
    sha256: str


@value
class Review:
    """Another authority looks at each case that was accepted, within so many days of its own clock."""

    authority: str
    count: int
    working_days: bool

    def __post_init__(self) -> None:
        if not 0 < self.count <= 365:
            raise ValueError("a review takes 1 to 365 days")

    def answered_by(self, accepted_at: datetime, calendar: Calendar) -> Deadline:
        """24:00 (UTC) of the last day on which the authority should have answered."""
        if self.working_days:
            due = calendar.end_of_working_day(self.count, accepted_at)
            return Deadline(at=due.at.astimezone(UTC), provisional=due.provisional)
        return Deadline(at=end_of_calendar_day(self.count, accepted_at).at.astimezone(UTC))


@value
class PortraitRule:
    """From which age a portrait is needed (in years, 0: always), and where it may come from.

    Whoever shows one of `on_file_with` has a portrait on file already.
    """

    from_age: int = 0
    taken: frozenset[Taken] = frozenset({Taken.ON_SITE, Taken.BROUGHT})
    by_agents: frozenset[Taken] = frozenset({Taken.ON_SITE, Taken.BROUGHT})
    on_file_with: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0 <= self.from_age <= 18:
            raise ValueError("a portrait is needed from an age between 0 and 18")


@value
class Fee:
    """What a card costs; anything but nothing needs the number of the price department's approval."""

    fen: int
    approval: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.fen <= FEN_MAX:
            raise ValueError(f"a fee is between 0 and {FEN_MAX} fen")
        if self.fen and not self.approval:
            raise ValueError("a fee needs the reference of the price department's approval; without one it is 0")


FREE = Fee(fen=0)


@value
class Applying:
    """One programme's rules on applying, as they hold at one moment. Lists that are empty ask for nothing.

    `opens_on` is the first day; `legacy_scheme` names an older card that is to be presented and linked, if the
    applicant has one; `agent_from` is the age from which somebody other than the guardian may act.
    """

    opens_on: date | None = None
    channels: frozenset[Channel] = frozenset()
    papers: tuple[Needed, ...] = ()
    papers_of_minors: tuple[Needed, ...] = ()
    papers_of_agents: tuple[Needed, ...] = ()
    papers_of_units: tuple[Needed, ...] = ()
    minor_under: int = 16
    guardian_needed: bool = False
    agents: bool = True
    scale_phase: ScalePhase | None = None
    letters: tuple[Letter, ...] = ()
    review: Review | None = None
    ways: frozenset[Way] = frozenset({Way.COUNTER, Way.AGENT})
    way_frozen: bool = False
    portrait: PortraitRule = PortraitRule()
    legacy_scheme: str = ""
    temporary_cards: bool = False
    units_at: frozenset[Channel] = frozenset({Channel.HALL})
    """The kinds of outlet at which a unit applies for its people."""

    def open_on(self, at: datetime) -> bool:
        return self.opens_on is None or shanghai_day(at) >= self.opens_on

    def needs_age(self, has_agent: bool, has_portrait: bool) -> bool:
        """Whether anything here turns on how old the applicant is."""
        return bool(self.papers_of_minors or self.guardian_needed) or (not has_portrait and self.portrait.from_age > 0)
