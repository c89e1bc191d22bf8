"""Notice, put together."""

from importlib.resources import files

from libs.eventsourcing.desk import Aggregate
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, Service
from services.notice.adapters.contacts import KnownContacts
from services.notice.adapters.sms import FileSms
from services.notice.adapters.texts import PackTexts
from services.notice.contracts import TELLS
from services.notice.courier import Courier
from services.notice.domain.commands import CarryOut, Command
from services.notice.domain.decider import notices
from services.notice.domain.events import Event
from services.notice.domain.naming import holding_of_notice
from services.notice.domain.state import Notice
from services.notice.ports import Sms
from services.notice.projections import LEARNS_FROM, projection
from services.notice.publishing import tell
from services.notice.reactions import REACTIONS, WHENEVER
from services.notice.routes import router

NOTICE: Aggregate[Notice] = Aggregate(
    category="notice",
    decider=notices,
    commands=Command | CarryOut,
    facts=Event,
    key=lambda command: str(command.notice_id),
    tell=tell,
    routing_key=holding_of_notice,
)


def build(platform: Platform, sms: Sms | None = None) -> Service:
    """`sms` is who carries the letters; without one, a simulated provider writes them to `sms.jsonl` in the home."""
    rows, store = platform.rows("notice"), platform.store("notice")
    desks = Desks([NOTICE], store, platform.city)
    contacts = KnownContacts(rows, platform.vault)
    courier = Courier(
        desks["notice"],
        contacts,
        PackTexts(platform.packs),
        sms or FileSms(platform.settings.home / "sms.jsonl", platform.city),
        lambda outcome: platform.telemetry.sends.labels(outcome).inc(),
    )
    at_home = platform.settings.on_loopback and platform.settings.development_login

    async def look_how_late_we_are() -> None:
        oldest = await store.next_due()
        waited = (platform.city.now() - oldest).total_seconds() if oldest else 0.0
        platform.telemetry.notice_delay.set(max(0.0, waited))

    return Service(
        name="notice",
        desks=desks,
        router=router(desks["notice"], rows, contacts, with_page=at_home),
        access=files("services.notice").joinpath("access.cedar").read_text(),
        tells=TELLS,
        hears=(*WHENEVER, *LEARNS_FROM),
        reactions=REACTIONS,
        project=projection(WHENEVER),
        performers={CarryOut: courier.carry_out},
        chores=(look_how_late_we_are,),
    )
