"""What a city may decide for itself about losses."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from libs.kernel import Calendar, Deadline, value
from libs.kernel.calendar import end_of_calendar_day, midnight_after, shanghai_day, years_after
from libs.kernel.why import Cited


class Unit(StrEnum):
    WORKING_DAYS = "working_days"
    DAYS = "days"
    HOURS = "hours"
    YEARS = "years"


class OnLapse(StrEnum):
    """What a report comes to at its hour (cities differ: most release, Shaoguan cancels)."""

    WAKE = "wake"
    CANCEL = "cancel"


class LiftAt(StrEnum):
    """Where a report may be lifted."""

    ANY_OUTLET = "any_outlet"
    ACCEPTING_OUTLET = "accepting_outlet"
    NOWHERE = "nowhere"


class BeyondLimit(StrEnum):
    """What becomes of one reissue too many (Suzhou: more than three in a month are warned of, and kept on record)."""

    WARN = "warn"
    REFUSE = "refuse"


class Bearer(StrEnum):
    """Who bears what a thief has taken."""

    HOLDER = "holder"
    ISSUER = "issuer"
    BANK = "bank"
    INSURER = "insurer"


@value
class Window:
    """How long something lasts. Days and years end at 24:00 of their last day; hours are counted exactly."""

    count: int
    unit: Unit

    def __post_init__(self) -> None:
        if not 0 < self.count <= 400:
            raise ValueError("a window lasts between 1 and 400 of its units")

    def ends(self, start: datetime, calendar: Calendar) -> Deadline:
        match self.unit:
            case Unit.WORKING_DAYS:
                return calendar.end_of_working_day(self.count, start)
            case Unit.DAYS:
                return end_of_calendar_day(self.count, start)
            case Unit.HOURS:
                return Deadline(at=start + timedelta(hours=self.count))
            case Unit.YEARS:
                return Deadline(at=midnight_after(years_after(shanghai_day(start), self.count)))


@value
class Covered:
    """A function that a report stops, and how long after the report.

    `or_captured` says that it stops sooner where a terminal has seen the card and kept its money (Nanjing's purse).
    """

    function: str
    after_hours: int = 0
    after: Window | None = None
    or_captured: bool = False

    def __post_init__(self) -> None:
        if self.after is not None and self.after_hours:
            raise ValueError(f"{self.function} stops after a number of hours or after a window, not after both")

    def stops_at(self, reported_at: datetime, calendar: Calendar) -> datetime:
        """When the function stops (UTC)."""
        if self.after is None:
            return reported_at + timedelta(hours=self.after_hours)
        return self.after.ends(reported_at, calendar).at.astimezone(UTC)


@value
class Term:
    """How long a report lasts, what it then comes to, and how many hours before that its holder is warned."""

    window: Window
    then: OnLapse
    warn_hours_before: int


@value
class Clock:
    """Functions that a report by telephone stops together, and the term that they share."""

    covers: tuple[Covered, ...]
    term: Term


@value
class LiftRule:
    """What it takes to lift a report; `rule` is where the city says so."""

    where: LiftAt
    kinds: frozenset[str]
    card_needed: bool = False
    by_agent: bool = False
    rule: str = "lift"


@value
class Fee:
    """What an act costs, in fen. No fee without the reference of the price department's approval (R80)."""

    fen: int
    approval: str

    def __post_init__(self) -> None:
        if self.fen <= 0 or not self.approval.strip():
            raise ValueError("a fee is more than nothing and names the approval of the price department")


@value
class Liability:
    """Who bears what is taken through a function once its stop has taken effect, up to `cap_fen` for each card."""

    bearer: Bearer = Bearer.ISSUER
    cap_fen: int | None = None


class ElectronicForm(StrEnum):
    """What a report of loss means for the electronic form of a card."""

    NONE = ""
    """There is no such form."""
    STOPS = "stops"
    STAYS = "stays"


@value
class Grounds:
    """The edition of the pack by which something was decided, and the entries that were applied, as `Ground.ref`."""

    edition: str = ""
    articles: tuple[str, ...] = ()


@value
class LossBylaw:
    """One city's rules on loss for one programme, as they hold at one moment.

    The first clock runs over `pre_report_covers`; functions in `own_clocks` have clocks of their own and wake alone.
    """

    window: Window
    calendar: Calendar
    on_lapse: OnLapse
    warn_hours_before: int
    pre_reports_max: int
    pre_report_covers: tuple[Covered, ...]
    written_report_covers: tuple[Covered, ...]
    written_report_at: frozenset[str]
    lift_at: LiftAt
    lift_kinds: frozenset[str]
    reissue_at: frozenset[str]
    cancel_at: frozenset[str]
    documents: frozenset[str]
    own_clocks: tuple[Clock, ...] = ()
    written_term: Term | None = None
    """When a written report ends by itself; never, where a city does not say so."""
    lift_card_needed: bool = False
    lift_by_agent: bool = False
    lift_after_call: LiftRule | None = None
    """What lifts a mere report by telephone; what lifts a written one, at any outlet, if the city says nothing."""
    cooling: Mapping[str, Window]
    """How long a function stays stopped after its report was lifted."""
    reportable: bool = True
    """Whether cards of this programme can be reported at all; what bears no name cannot."""
    caller_proofs: frozenset[str]
    """By what a caller may show who she is."""
    reissues_max_in_30_days: int | None = None
    beyond_limit: BeyondLimit = BeyondLimit.WARN
    replacement_reasons: frozenset[str]
    changes_first_at: Mapping[str, str]
    """For a reason of replacement, the office at which the change is made first; it gives a reference."""
    cancel_reasons: frozenset[str]
    kin: frozenset[str]
    """Relatives who may give a card back for its holder."""
    kin_proofs: frozenset[str]
    fees: Mapping[str, Fee]
    liable: Mapping[str, Liability]
    proposals_stand: Window
    """How long a proposal waits for a second person."""
    electronic_form: ElectronicForm = ElectronicForm.NONE
    grounds: Grounds = Grounds()
    city: str
    rules: Mapping[str, str]
    """Each rule by its name in `loss.yaml`: the entry that holds, or the platform's default, as `Ground.ref`."""

    def __post_init__(self) -> None:
        named = [covered.function for clock in self.clocks for covered in clock.covers]
        if twice := sorted({function for function in named if named.count(function) > 1}):
            raise ValueError(f"{twice[0]} runs by two clocks; a function has one")

    @property
    def clocks(self) -> Sequence[Clock]:
        """Every clock that a call sets."""
        term = Term(window=self.window, then=self.on_lapse, warn_hours_before=self.warn_hours_before)
        shared = (Clock(covers=self.pre_report_covers, term=term),) if self.pre_report_covers else ()
        return (*shared, *self.own_clocks)

    def by(self, *rules: str) -> Cited:
        """What a decision under these rules cites, without a word."""
        return Cited(city=self.city, edition=self.grounds.edition, articles=tuple(self.rules[rule] for rule in rules))

    def reaches(self, function: str) -> bool:
        """Whether any report stops this function."""
        by_call = (covered.function for clock in self.clocks for covered in clock.covers)
        signed = (covered.function for covered in self.written_report_covers)
        return self.reportable and function in {*by_call, *signed}

    def pre_report_ends(self, at: datetime) -> Deadline:
        """The hour (UTC) at which a telephone report made now lapses unless it is signed for."""
        return self.ends(self.window, at)

    def ends(self, window: Window, start: datetime) -> Deadline:
        """The hour (UTC) at which this window, begun now, is over."""
        ends = window.ends(start, self.calendar)
        return Deadline(at=ends.at.astimezone(UTC), provisional=ends.provisional)

    def lift_rule(self, *, signed: bool) -> LiftRule:
        """What it takes to lift a written report, or a mere call."""
        if signed:
            return LiftRule(
                where=self.lift_at,
                kinds=self.lift_kinds,
                card_needed=self.lift_card_needed,
                by_agent=self.lift_by_agent,
            )
        return self.lift_after_call or LiftRule(
            where=LiftAt.ANY_OUTLET,
            kinds=self.lift_kinds,
            card_needed=self.lift_card_needed,
            by_agent=self.lift_by_agent,
        )
