"""What a city may decide for itself about issuing cards."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from libs.kernel import Calendar, Deadline, value
from libs.kernel.calendar import (
    end_of_calendar_day,
    midnight_after,
    one_month_after,
    shanghai_day,
)
from libs.kernel.why import Cited, FactUsed
from services.issuance.domain.applying import FREE, Applying, Channel, Fee
from services.issuance.domain.collecting import Collecting
from services.issuance.domain.endorsement import Endorsing
from services.issuance.domain.validity import AgeBand, Validity


class PromiseUnit(StrEnum):
    MONTHS = "months"
    WORKING_DAYS = "working_days"
    DAYS = "days"


class Activation(StrEnum):
    """When a card that was handed over begins to work."""

    AT_HAND_OVER = "at_hand_over"
    BY_THE_HOLDER = "by_the_holder"


class Opens(StrEnum):
    """What opens a function that the card bears."""

    WITH_THE_CARD = "with_the_card"
    BY_THE_HOLDER = "by_the_holder"
    AT_AN_OUTLET = "at_an_outlet"
    AT_THE_BANK = "at_the_bank"
    WITH_THE_WALLET = "with_the_wallet"
    """There is one opening, with its formalities, and it is the wallet's."""


@value
class Promise:
    """Within what time a card is ready."""

    count: int
    unit: PromiseUnit
    roll_to_working_day: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.count <= 400 or (self.unit is PromiseUnit.MONTHS and self.count != 1):
            raise ValueError("a promise counts 1 month, or up to 400 days")

    def falls_due(self, accepted_at: datetime, calendar: Calendar) -> Deadline:
        """24:00 of the last day (UTC)."""
        if self.unit is PromiseUnit.WORKING_DAYS:
            due = calendar.end_of_working_day(self.count, accepted_at)
            return Deadline(at=due.at.astimezone(UTC), provisional=due.provisional)
        accepted_on = shanghai_day(accepted_at)
        day = (
            one_month_after(accepted_on)
            if self.unit is PromiseUnit.MONTHS
            else accepted_on + timedelta(days=self.count)
        )
        worked = calendar.first_worked_from(day) if self.roll_to_working_day else day
        guessed = self.roll_to_working_day and not (calendar.knows(day) and calendar.knows(worked))
        return Deadline(at=midnight_after(worked).astimezone(UTC), provisional=guessed)


@value
class CatalogueEntry:
    """A function that every card of a programme bears, and what opens it."""

    function: str
    opens: Opens
    reopens: bool = False
    """Whether it must be opened again on a new card in place of an old one."""


@value
class OlderCard:
    """A card of before, in whose place this one comes: how many days it keeps working beside the holder's first one."""

    scheme: str
    days: int

    def __post_init__(self) -> None:
        if not 0 <= self.days <= 3_660:
            raise ValueError("an older card keeps working for 0 to 3,660 days")


@value
class IssuanceBylaw:
    """One city's rules on issuing cards of one programme, as they hold at one moment.

    `articles` are the entries behind its values (`Ground.ref`), by where they stand in the programme's files.
    """

    city: str
    edition: str
    articles: Mapping[str, str]
    number: str
    promise: Promise
    calendar: Calendar
    activation: Activation
    validity_years: int
    kept_days: int
    supplement_days: int
    documents: frozenset[str]
    collection_documents: frozenset[str]
    agent_may_collect: bool
    portrait: str
    catalogue: tuple[CatalogueEntry, ...]
    applying: Applying = Applying()
    collecting: Collecting = Collecting()
    promises: tuple[tuple[Channel, Promise], ...] = ()
    fees: tuple[tuple[str, Fee], ...] = ()
    by_age: tuple[AgeBand, ...] = ()
    ends_with: str = ""
    older_cards: tuple[OlderCard, ...] = ()
    endorsing: Endorsing | None = None
    """How its cards are endorsed; None where they need no endorsement."""

    def by(self, *rules: str, facts: Sequence[FactUsed] = (), missing: Sequence[str] = ()) -> Cited:
        """What a refusal by these rules cites, for example by `issuance.applying.channels`."""
        return Cited(
            city=self.city,
            edition=self.edition,
            articles=tuple(self.articles[rule] for rule in rules),
            facts=tuple(facts),
            missing=tuple(missing),
        )

    @property
    def validity(self) -> Validity:
        return Validity(years=self.validity_years, by_age=self.by_age, ends_with=self.ends_with)

    def promised_by(self, accepted_at: datetime, channel: Channel | None = None) -> Deadline:
        """The promise of this channel, or the programme's own where the channel has none."""
        promise = next((one for name, one in self.promises if name is channel), self.promise)
        return promise.falls_due(accepted_at, self.calendar)

    def fee_of(self, kind: str) -> Fee:
        """What a card of this kind (`first`, `reissue`, `replacement`) costs."""
        return next((fee for name, fee in self.fees if name == kind), FREE)

    def reminders(self, arrived_at: datetime) -> tuple[datetime, ...]:
        """When the holder is reminded of a card that still waits (UTC)."""
        hours = (end_of_calendar_day(days, arrived_at).at.astimezone(UTC) for days in self.collecting.remind_days)
        return tuple(hour for hour in sorted(hours) if hour < self.kept_until(arrived_at))

    def destroyed_at(self, arrived_at: datetime) -> datetime | None:
        """When a card that nobody fetched is destroyed (UTC); None where the city has not said."""
        if not self.collecting.destroyed_after_days:
            return None
        days = self.kept_days + self.collecting.destroyed_after_days
        return end_of_calendar_day(days, arrived_at).at.astimezone(UTC)

    def valid_to(self, activated_at: datetime) -> datetime:
        """24:00 (UTC) of the last day on which the card is valid."""
        return self.validity.valid_to(activated_at)[0]

    def older_until(self, activated_at: datetime) -> tuple[tuple[str, datetime], ...]:
        """Which older cards go on beside a first card that works from this moment, and until when (UTC)."""
        return tuple(
            (older.scheme, end_of_calendar_day(older.days, activated_at).at.astimezone(UTC))
            for older in self.older_cards
        )

    def kept_until(self, arrived_at: datetime) -> datetime:
        return end_of_calendar_day(self.kept_days, arrived_at).at.astimezone(UTC)

    def supplement_until(self, asked_at: datetime) -> datetime:
        return end_of_calendar_day(self.supplement_days, asked_at).at.astimezone(UTC)
