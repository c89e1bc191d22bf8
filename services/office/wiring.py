"""The office, put together."""

from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

from libs.eventsourcing.desk import Aggregate, Order
from libs.kernel.clocks import to_the_millisecond
from libs.kernel.ids import derived
from libs.runtime.citypack import CityPack, CityPacks
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, RefusesToStart, Service
from libs.telemetry import log_for
from libs.web.withdrawn import Withdrawal
from services.office.adapters.organisations import Establishments
from services.office.contracts import TELLS, AppointmentEnded, Dismissed
from services.office.domain.staff import commands as of_staff
from services.office.domain.staff import events as to_staff
from services.office.domain.staff.commands import EndAppointment
from services.office.domain.staff.decider import staff_desk
from services.office.domain.staff.state import Staff
from services.office.domain.statute import commands as of_statute
from services.office.domain.statute import events as to_statute
from services.office.domain.statute.commands import FoundEdition
from services.office.domain.statute.decider import statute_desk
from services.office.domain.statute.state import Statute
from services.office.publishing import tell
from services.office.routes import router

log = log_for("office")

STAFF = Aggregate[Staff](
    category="staff",
    decider=staff_desk,
    commands=of_staff.Command,
    facts=to_staff.Event,
    key=lambda command: str(command.staff_id),
    tell=tell,
)
STATUTE = Aggregate[Statute](
    category="statute",
    decider=statute_desk,
    commands=of_statute.Command,
    facts=to_statute.Event,
    key=lambda command: str(command.city),
    tell=tell,
)


class EditionNotEnacted(RefusesToStart):
    """An edition of bylaws that no two people have enacted; the text says which, and what to do."""


def build(platform: Platform) -> Service:
    def brief(command: Any, _state: Any, _at: datetime) -> Any:
        """City time may run ahead of the machine's, by which tokens are dated."""
        if isinstance(command, EndAppointment):
            return replace(command, struck_at=to_the_millisecond(platform.machine.now()))
        return command

    desks = Desks([STAFF, STATUTE], platform.store("office"), platform.city, brief)

    async def serve_by_enacted_bylaws_only() -> None:
        """A city begins with the edition that it has; each later one takes two people. Raises EditionNotEnacted."""
        for pack in platform.packs:
            order = Order(derived("found edition", pack.code), actor="house", channel="start", city=pack.code)
            await desks.handle(FoundEdition(city=pack.code, edition=pack.hash, at=platform.city.now()), order)
            statute: Statute = (await desks["statute"].standing(pack.code)).state
            if statute.allows(pack.hash):
                continue
            why = _not_enacted(pack, statute)
            if not (platform.settings.on_loopback and platform.settings.development_login):
                raise EditionNotEnacted(why)
            log.warning(f"{why} On a development machine it is served all the same.")

    return Service(
        name="office",
        desks=desks,
        router=router(desks, Establishments(platform.packs), platform.city, platform.machine),
        access=files("services.office").joinpath("access.cedar").read_text(),
        tells=TELLS,
        before_the_doors_open=serve_by_enacted_bylaws_only,
        withdraws={Dismissed: withdrawal, AppointmentEnded: withdrawal},
    )


def withdrawal(told: Dismissed | AppointmentEnded) -> Withdrawal:
    """For which tokens this is the end."""
    return Withdrawal(told.staff_id, told.duty, told.organisation, told.struck_at or told.at)


def _not_enacted(pack: CityPack, statute: Statute) -> str:
    held = statute.in_force.edition if statute.in_force else "none"
    return (
        f"edition {pack.hash} of the bylaws of {pack.name} was not enacted; in force is {held}. Start with that one, "
        "let one person propose the new one (POST /v1/bylaws/editions) and another approve it, then start with it."
    )


def check_bylaws(packs: CityPacks) -> None:
    """Raises PackUnfit."""
    Establishments(packs)
