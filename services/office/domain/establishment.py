"""How a city is organised, as it holds at one moment: who stands under whom, and which duties belong where."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from libs.kernel import Missing, value
from libs.kernel.why import Cited


class OrganisationUnknown(Missing):
    """There is no organisation {organisation} in this city; the city's list of organisations has all of them."""


@value
class Organisation:
    """An authority, an agency, an outlet or a partner. `parent` is empty for the highest that the city names."""

    id: str
    level: str
    parent: str = ""


@value
class Level:
    """What organisations of one level do: the duties that may be given there, and the tasks that are theirs."""

    duties: frozenset[str]
    tasks: frozenset[str]


@value
class Entrustment:
    """A task that an organisation does on behalf of the one whose task it is (residence permits, Article 10)."""

    by: str
    to: str
    task: str


@value
class Establishment:
    """One city's organisations. `apart` are duties that one person never holds together.

    `said_by` is the entry in which the city says so; a city that says nothing has none.
    """

    organisations: Mapping[str, Organisation]
    levels: Mapping[str, Level]
    entrusted: tuple[Entrustment, ...] = ()
    apart: tuple[frozenset[str], ...] = ()
    said_by: Cited | None = None

    def __post_init__(self) -> None:
        for one in self.organisations.values():
            if one.level not in self.levels:
                raise ValueError(f"{one.id} is of level {one.level}, which has no duties and no tasks")
            if one.parent and one.parent not in self.organisations:
                raise ValueError(f"{one.id} stands under {one.parent}, which there is not")
            list(self.chain(one.id))
        for deed in self.entrusted:
            if not {deed.by, deed.to} <= set(self.organisations):
                raise ValueError(f"{deed.task} is entrusted by {deed.by} to {deed.to}; one of them there is not")
            if deed.task not in self.level_of(deed.by).tasks:
                raise ValueError(f"{deed.by} cannot entrust {deed.task}, which is none of its own tasks")

    def __getitem__(self, organisation: str) -> Organisation:
        """Raises OrganisationUnknown."""
        if organisation not in self.organisations:
            raise OrganisationUnknown(organisation=organisation)
        return self.organisations[organisation]

    def chain(self, organisation: str) -> Iterator[str]:
        """The organisation and all above it. Raises ValueError if it stands under itself, OrganisationUnknown."""
        seen: list[str] = []
        while organisation:
            if organisation in seen:
                raise ValueError(f"{organisation} stands under itself")
            seen.append(organisation)
            yield organisation
            organisation = self[organisation].parent

    def reaches(self, above: str, below: str) -> bool:
        """Whether what `above` may do reaches as far as `below`. Raises OrganisationUnknown."""
        return above in self.chain(below)

    def level_of(self, organisation: str) -> Level:
        """Raises OrganisationUnknown."""
        return self.levels[self[organisation].level]

    def tasks_of(self, organisation: str) -> frozenset[str]:
        """Its level's tasks, and those with which others have entrusted it. Raises OrganisationUnknown."""
        entrusted = {deed.task for deed in self.entrusted if deed.to == organisation}
        return self.level_of(organisation).tasks | entrusted


@value
class Spell:
    """A stretch of time; open-ended while `until` is None."""

    since: datetime
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)

    def meets(self, other: "Spell") -> bool:
        """Whether there is an instant at which both hold."""
        starts_before_end = other.until is None or self.since < other.until
        return starts_before_end and (self.until is None or other.since < self.until)
