"""Looks for whoever may stand in the register twice, when somebody is registered."""

from datetime import datetime

from libs.eventsourcing.desk import Desk, Order
from libs.kernel.ids import city_of, derived
from services.identity.adapters.people import Opened, People
from services.identity.domain.decider import DataErased
from services.identity.domain.documents import Document
from services.identity.domain.duplicate.commands import ReportPair
from services.identity.domain.duplicate.events import Why
from services.identity.domain.duplicate.state import Duplicate
from services.identity.domain.state import Known, Merged, Person
from services.ids import PersonId, pair_id


class Pairs:
    """Reports two entries to the clerks; two are reported once, however often they are looked at."""

    def __init__(self, people: People, persons: Desk[Person], cases: Desk[Duplicate]) -> None:
        self._people, self._persons, self._cases = people, persons, cases

    async def look(self, document: Document, opened: Opened, person: PersonId, actor: str, channel: str) -> None:
        """Whoever has the name and the birthday of another may be the same, with a renewed document. Raises Outage."""
        city = city_of(person)
        try:
            first = await self._people.lookalike(city, document, opened, person)
        except DataErased:
            return
        if first is None:
            return
        known = (await self._persons.standing(first)).state
        if isinstance(known, Merged):
            first = known.into
        elif not isinstance(known, Known):
            return
        if first == person:
            return
        case = pair_id(first, person)

        def ask(_now: Duplicate, at: datetime) -> ReportPair:
            return ReportPair(case_id=case, person_id=first, other_person_id=person, why=Why.NAME_AND_BIRTH, at=at)

        order = Order(
            command_id=derived("report pair", case), actor=actor, channel=channel, city=city, correlation=person
        )
        await self._cases.handle(case, ask, order)
