"""The loss desk, put together."""

from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

from libs.eventsourcing.desk import Aggregate
from libs.kernel.ids import city_of
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, Service
from services.loss.adapters.bylaws import LossBylaws
from services.loss.contracts import TELLS
from services.loss.domain.commands import Command, EnterCard, SucceedCard
from services.loss.domain.decider import loss_desk
from services.loss.domain.events import Event
from services.loss.domain.state import Desk
from services.loss.publishing import tell
from services.loss.reactions import HEARS, REACTIONS
from services.loss.routes import router

LOSS = Aggregate[Desk](
    category="loss",
    decider=loss_desk,
    commands=Command,
    facts=Event,
    key=lambda command: str(command.holding_id),
    tell=tell,
)


def build(platform: Platform) -> Service:
    bylaws = LossBylaws(platform.packs)

    def brief(command: Any, _desk: Desk, at: datetime) -> Any:
        """A card that comes in brings the rules under which a call that came before it is judged."""
        if isinstance(command, EnterCard | SucceedCard):
            return replace(command, under=bylaws.at(city_of(command.holding_id), command.programme, at))
        return command

    desks = Desks([LOSS], platform.store("loss"), platform.city, brief)
    return Service(
        name="loss",
        desks=desks,
        router=router(desks["loss"], bylaws, platform.city),
        access=files("services.loss").joinpath("access.cedar").read_text(),
        tells=TELLS,
        hears=HEARS,
        reactions=REACTIONS,
        urgent=frozenset({"loss:pre-report", "loss:report"}),
    )
