"""Identity, put together."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from math import inf
from typing import Any

from libs.eventsourcing.desk import Aggregate
from libs.eventsourcing.store import DueCommand
from libs.kernel.calendar import shanghai_day
from libs.kernel.ids import city_of
from libs.messaging.inlet import Inlet
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, Service
from services.identity.adapters.bylaws import DataSharing, MassIssues
from services.identity.adapters.carrier import Carrier
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.intake import Agreements, Inlets, Intake
from services.identity.adapters.kept_parts import KeptParts
from services.identity.adapters.merges import Asked, Merges
from services.identity.adapters.people import People
from services.identity.adapters.programmes import Programmes
from services.identity.contracts import TELLS
from services.identity.domain.commands import AdmitFromRoll, Command, DestroyKey, JudgeEntitlements
from services.identity.domain.decider import DataErased, person_desk
from services.identity.domain.delivery import commands as of_delivery
from services.identity.domain.delivery import events as delivered
from services.identity.domain.delivery.commands import ForgetRecords
from services.identity.domain.delivery.decider import delivery_desk
from services.identity.domain.delivery.state import Delivery
from services.identity.domain.duplicate import commands as duplicate_commands
from services.identity.domain.duplicate import events as duplicate_events
from services.identity.domain.duplicate.decider import duplicates
from services.identity.domain.duplicate.state import Duplicate
from services.identity.domain.events import Event
from services.identity.domain.particulars import age
from services.identity.domain.roll import commands as roll_commands
from services.identity.domain.roll import events as roll_events
from services.identity.domain.roll.commands import CarryOutPage, ForgetPart
from services.identity.domain.roll.decider import rolls
from services.identity.domain.roll.state import Roll
from services.identity.domain.state import Known, Person, Unknown
from services.identity.projections import HEARS, REMEMBERS, IdentityQuestions, project
from services.identity.publishing import tell, tell_of_delivery, tell_of_duplicate, tell_of_roll
from services.identity.routes import router
from services.identity.routes.programmes import programmes_board
from services.identity.routes.rolls import rolls as rolls_desk
from services.identity.routes.why import why


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


ROLL = Aggregate[Roll](
    category="roll",
    decider=rolls,
    commands=roll_commands.Command,
    facts=roll_events.Event,
    key=lambda command: str(command.roll_id),
    tell=tell_of_roll,
)
DUPLICATE = Aggregate[Duplicate](
    category="duplicate",
    decider=duplicates,
    commands=duplicate_commands.Command,
    facts=duplicate_events.Event,
    key=lambda command: str(command.case_id),
    tell=tell_of_duplicate,
)
DELIVERY = Aggregate[Delivery](
    category="delivery",
    decider=delivery_desk,
    commands=of_delivery.Command,
    facts=delivered.Event,
    key=lambda command: str(command.delivery_id),
    tell=tell_of_delivery,
    belongs=lambda delivery: {"department": delivery.department} if delivery.department else {},
)


@dataclass(frozen=True)
class RollOffice:
    """Where rolls are taken in and carried out, for those who do not come by a door."""

    desks: Desks
    carrier: Carrier
    sharing: DataSharing
    mass_issues: MassIssues


def roll_office(platform: Platform) -> RollOffice:
    """Identity's own desks, for a process that carries a roll out beside the one that serves identity."""
    people, sharing, eligibility = People(platform.vault), DataSharing(platform.packs), Eligibility(platform.packs)
    mass_issues = MassIssues(platform.packs)
    desks = _desks(platform, people, eligibility)
    carrier = Carrier(desks, people, sharing, mass_issues, eligibility, platform.city)
    return RollOffice(desks, carrier, sharing, mass_issues)


def _desks(platform: Platform, people: People, eligibility: Eligibility) -> Desks:

    async def brief(command: Any, person: Any, at: datetime) -> Any:
        """When verdicts are due, the city's tables are asked about the facts of the latest turn."""
        if isinstance(command, Asked):
            return await merges.brief(command, person, at)
        if isinstance(command, AdmitFromRoll) and isinstance(person, Known) and not command.verdicts:
            return await admitted(command, person, at)
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

    async def admitted(command: AdmitFromRoll, person: Known, at: datetime) -> AdmitFromRoll:
        """Of somebody known, all that holds counts, not only what the row says."""
        birth = await people.birth(person)
        new = {(said.department, said.fact): said for said in command.statements}
        old = [said for said in person.holding(at) if (said.department, said.fact) not in new]
        verdicts = eligibility.verdicts(
            city_of(person.person_id), [*old, *new.values()], age(birth, shanghai_day(at)), at, birth
        )
        return replace(command, at=at, verdicts=verdicts)

    desks = Desks([PERSON, ROLL, DUPLICATE, DELIVERY], platform.store("identity"), platform.city, brief)
    questions, sharing = IdentityQuestions(platform.rows("identity")), DataSharing(platform.packs)
    merges = Merges(people, eligibility, sharing, questions, desks["person"])
    return desks


def build(platform: Platform) -> Service:
    people, sharing, eligibility = People(platform.vault), DataSharing(platform.packs), Eligibility(platform.packs)
    mass_issues, desks = MassIssues(platform.packs), _desks(platform, people, eligibility)
    carrier = Carrier(desks, people, sharing, mass_issues, eligibility, platform.city)
    kept = KeptParts(desks, carrier, platform.vault, platform.packs)

    async def destroy_key(command: DestroyKey, _due: DueCommand) -> None:
        await people.erase(command.person_id)

    async def forget_records(command: ForgetRecords, _due: DueCommand) -> None:
        await platform.vault.erase(command.delivery_id)

    agreements, questions = Agreements(platform.packs), IdentityQuestions(platform.rows("identity"))
    intake = Intake(desks, people, sharing, agreements, platform.vault, platform.city)
    merges = Merges(people, eligibility, sharing, questions, desks["person"])
    routes = router(
        desks, merges, people, sharing, eligibility, platform.packs, platform.city, intake, agreements, questions
    )
    programmes_board(routes, Programmes(platform.packs), platform.packs, platform.city)
    rolls_desk(routes, desks, people, sharing, mass_issues, platform.vault, questions, platform.city)
    why(routes, desks, platform.packs)
    inlets = Inlets(intake, agreements, platform.fingerprint_key, platform.city)

    async def look_at_the_feeds() -> None:
        now, gauges = platform.city.now(), platform.telemetry.feeds
        for city, department in agreements.parties(now):
            terms = agreements.at(city, now)[department]
            quality = await questions.quality(city, department, terms.counted_by(now))
            age_s = (now - quality.last_at).total_seconds() if quality.last_at else inf
            gauges.show(
                (city, department),
                age_s=age_s,
                due_every_s=terms.due_every_hours * 3600,
                fault_share=quality.fault_share,
                faults_max=terms.faults_max,
                completeness=quality.completeness,
                uncounted_share=quality.uncounted_share if terms.counted else 0.0,
            )

    return Service(
        name="identity",
        desks=desks,
        router=routes,
        access=files("services.identity").joinpath("access.cedar").read_text(),
        tells=TELLS,
        hears=HEARS,
        project=project,
        remembers=REMEMBERS,
        performers={
            DestroyKey: destroy_key,
            ForgetRecords: forget_records,
            CarryOutPage: kept.carry_out,
            ForgetPart: kept.forget,
        },
        chores=(look_at_the_feeds,),
        inlet=Inlet(inlets.topics(), inlets.take),
    )
