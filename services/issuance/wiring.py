"""Issuance, put together."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

from libs.eventsourcing.desk import Aggregate
from libs.kernel.ids import city_of
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, Service
from libs.web.limits import Guesses
from services.ids import holding_of_application
from services.issuance import publishing
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.adapters.fingerprints import SimulatedFingerprints
from services.issuance.contracts import TELLS
from services.issuance.domain.application import commands as paper_commands
from services.issuance.domain.application import events as paper_events
from services.issuance.domain.application.commands import SubmitApplication
from services.issuance.domain.application.decider import applications
from services.issuance.domain.application.state import Absent, Application, Reviewing
from services.issuance.domain.batch import commands as batch_commands
from services.issuance.domain.batch import events as batch_events
from services.issuance.domain.batch.decider import batches
from services.issuance.domain.batch.state import Batch
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding import commands as holding_commands
from services.issuance.domain.holding import events as holding_events
from services.issuance.domain.holding.commands import (
    ExpireCard,
    NoteArrival,
    NoteVerdict,
    OpenFunction,
    OrderNewCard,
    TakeBackEndorsement,
    TakeSeat,
)
from services.issuance.domain.holding.decider import holdings
from services.issuance.domain.holding.state import Holding
from services.issuance.domain.series import commands as series_commands
from services.issuance.domain.series import events as series_events
from services.issuance.domain.series.decider import series
from services.issuance.domain.series.state import Series
from services.issuance.domain.unit import commands as unit_commands
from services.issuance.domain.unit import events as unit_events
from services.issuance.domain.unit.decider import units
from services.issuance.domain.unit.state import Unit
from services.issuance.projections import IssuanceQuestions, project
from services.issuance.reactions import HEARS, REACTIONS
from services.issuance.routes import router
from services.issuance.routes.hands import Hands


def _outlet_and_person_of(application: Application) -> Mapping[str, str]:
    if isinstance(application, Absent):
        return {}
    authority = application.authority if isinstance(application, Reviewing) else "nobody"
    return {"outlet": application.paper.outlet, "person": application.paper.person_id, "department": authority}


def _person_of(holding: Holding) -> Mapping[str, str]:
    return {"person": holding.person_id or ""}


APPLICATION = Aggregate[Application](
    category="application",
    decider=applications,
    commands=paper_commands.Command,
    facts=paper_events.Event,
    key=lambda command: str(command.application_id),
    tell=publishing.tell_of_application,
    routing_key=holding_of_application,
    belongs=_outlet_and_person_of,
)
HOLDING = Aggregate[Holding](
    category="holding",
    decider=holdings,
    commands=holding_commands.Command,
    facts=holding_events.Event,
    key=lambda command: str(command.holding_id),
    tell=publishing.tell_of_holding,
    belongs=_person_of,
)
BATCH = Aggregate[Batch](
    category="batch",
    decider=batches,
    commands=batch_commands.Command,
    facts=batch_events.Event,
    key=lambda command: str(command.batch_id),
    tell=publishing.tell_of_batch,
)
SERIES = Aggregate[Series](
    category="series",
    decider=series,
    commands=series_commands.Command,
    facts=series_events.Event,
    key=lambda command: str(command.series),
    tell=publishing.tell_of_series,
)
UNIT = Aggregate[Unit](
    category="unit",
    decider=units,
    commands=unit_commands.Command,
    facts=unit_events.Event,
    key=lambda command: str(command.unit_id),
    tell=publishing.tell_of_unit,
)


def build(platform: Platform) -> Service:
    bylaws = IssuanceBylaws(platform.packs)

    async def personal(command: TakeSeat, state: Holding, under: IssuanceBylaw) -> TakeSeat:
        """What is printed on a card whose validity depends on who its holder is."""
        ages = under.by_age and state.person_id is not None
        age = await hands.age_of(state.person_id, command.at) if ages and state.person_id else None
        return replace(command, under=under, age=age)

    def brief(command: Any, state: Any, at: datetime) -> Any:
        """What a decision needs of the city's bylaws; what follows from another desk is dated when it is decided."""
        if isinstance(command, OrderNewCard | TakeBackEndorsement):
            return replace(command, at=max(command.at, at))
        if isinstance(command, SubmitApplication) and command.under is None:
            return replace(command, under=bylaws.at(city_of(command.person_id), command.programme, command.at))
        if isinstance(command, NoteVerdict) and state.current is not None:
            return replace(command, under=bylaws.at(city_of(command.holding_id), command.programme, at))
        if isinstance(command, TakeSeat) and state.programme:
            under = bylaws.at(city_of(command.holding_id), state.programme, at)
            return personal(command, state, under) if under.validity.personal else command
        if isinstance(command, OpenFunction) and command.under is None and state.programme:
            return replace(command, under=bylaws.at(city_of(command.holding_id), state.programme, at))
        if isinstance(command, NoteArrival | ExpireCard) and state.programme:
            return replace(command, under=bylaws.at(city_of(command.holding_id), state.programme, at))
        return command

    desks = Desks([APPLICATION, HOLDING, BATCH, SERIES, UNIT], platform.store("issuance"), platform.city, brief)
    questions, guesses = IssuanceQuestions(platform.rows("issuance")), Guesses(platform.monotonic)
    fingerprints = SimulatedFingerprints()
    hands = Hands(desks, bylaws, platform.vault, questions, platform.city, fingerprints, guesses)
    return Service(
        name="issuance",
        desks=desks,
        router=router(desks, bylaws, platform.vault, questions, platform.city, fingerprints, guesses),
        access=files("services.issuance").joinpath("access.cedar").read_text(),
        tells=TELLS,
        hears=HEARS,
        reactions=REACTIONS,
        project=project,
    )
