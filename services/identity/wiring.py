"""Identity, put together."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

from libs.eventsourcing.desk import Aggregate
from libs.eventsourcing.store import DueCommand
from libs.kernel.calendar import shanghai_day
from libs.kernel.ids import city_of
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, Service
from services.identity.adapters.bylaws import DataSharing
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.people import People
from services.identity.contracts import TELLS
from services.identity.domain.commands import Command, DestroyKey, JudgeEntitlements
from services.identity.domain.decider import DataErased, person_desk
from services.identity.domain.events import Event
from services.identity.domain.particulars import age
from services.identity.domain.state import Known, Person, Unknown
from services.identity.publishing import tell
from services.identity.routes import router


def _themselves(person: Person) -> Mapping[str, str]:
    return {} if isinstance(person, Unknown) else {"person": person.person_id}


PERSON = Aggregate[Person](
    category="person",
    decider=person_desk,
    commands=Command,
    facts=Event,
    key=lambda command: str(command.person_id),
    tell=tell,
    belongs=_themselves,
)


def build(platform: Platform) -> Service:
    people, sharing, eligibility = People(platform.vault), DataSharing(platform.packs), Eligibility(platform.packs)

    async def brief(command: Any, person: Person, at: datetime) -> Any:
        """When verdicts are due, the city's tables are asked about the facts of the latest turn."""
        if not isinstance(command, JudgeEntitlements) or not isinstance(person, Known):
            return command
        turned_at = person.turned_at(at)
        try:
            birth = await people.birth(person)
        except DataErased:
            return command  # Of somebody whom nobody can read, nothing is judged.
        years, holding = age(birth, shanghai_day(turned_at)), person.holding(turned_at)
        verdicts = eligibility.verdicts(city_of(person.person_id), holding, years, turned_at, birth)
        return replace(command, at=turned_at, verdicts=verdicts)

    async def destroy_key(command: DestroyKey, _due: DueCommand) -> None:
        await people.erase(command.person_id)

    desks = Desks([PERSON], platform.store("identity"), platform.city, brief)
    return Service(
        name="identity",
        desks=desks,
        router=router(desks["person"], people, sharing, eligibility, platform.packs, platform.city),
        access=files("services.identity").joinpath("access.cedar").read_text(),
        tells=TELLS,
        performers={DestroyKey: destroy_key},
    )
