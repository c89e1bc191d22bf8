"""From a telephone call to a card that all others refuse: embedded, and with each service as a process on Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_OID, uuid5

import asyncpg

from bench.figures import Findings, Row, percentile
from bench.ground import Ground
from bench.peers.load import lines, telephone_call
from libs.eventsourcing.desk import Order
from libs.kernel.ids import derived
from libs.runtime.citytime import MachineClock
from libs.runtime.cli import SERVICES, build_services
from libs.runtime.development import issuer_key
from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.runtime.engines import engine_home, open_platform
from libs.runtime.platform import Platform
from libs.runtime.settings import Settings
from libs.testing.lines import Line
from libs.testing.stage import Stage, on_kafka, one_process
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, issue
from services.identity.adapters.people import Opened, People
from services.identity.domain.commands import RegisterPerson
from services.identity.domain.documents import Kind as DocumentKind
from services.ids import HoldingId, PersonId, application_id, batch_id, card_id, holding_id, person_id
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.domain.holding import commands as of_holding

CITY, PROGRAMME, OUTLET = "330900", "citizen-card", "zs-dinghai"
CALLS_PER_S = 100
LOOK_EVERY_S = 0.005
CONNECTIONS = 40
PATIENCE_S = 60
WANTED_S = 0.25

LOOK = """
select a.nth from unnest($1::text[], $2::text[], $3::timestamptz[]) with ordinality as a(card, holding, at, nth)
where exists (select from issuance.stop s where s.card_id = a.card and s.from_at >= a.at)
  and exists (select from notice.notice n where n.holding_id = a.holding and n.at = a.at)
  and exists (select from wallet.fact f where f.stream = 'purse-' || a.holding and f.name = 'purse-frozen')
"""


@dataclass
class Pending:
    """Calls that were answered and have not been seen everywhere yet."""

    cards: list[tuple[str, str, datetime, float]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    answered_s: list[float] = field(default_factory=list)


Play = Callable[[Ground, int], AbstractAsyncContextManager[tuple[Stage, str, Sequence[str]]]]


async def until_refused_everywhere(ground: Ground) -> Findings:
    """p50 and p99 from the client's receipt of the answer until issuance, notice and wallet have what follows."""
    return await _measured(ground, "embedded", _embedded)


async def until_refused_everywhere_on_kafka(ground: Ground) -> Findings:
    """The same with each service as a process of its own, on Apache Kafka."""
    return await _measured(ground, f"Kafka, {len(SERVICES)} processes", _kafka)


async def _measured(ground: Ground, name: str, play: Play) -> Findings:
    seconds, warm_s = ground.either(20, 4), ground.either(5, 1)
    async with play(ground, (seconds + warm_s) * CALLS_PER_S) as (stage, dsn, cards):
        await _settled(dsn, len(cards))
        warm, timed = cards[: warm_s * CALLS_PER_S], cards[warm_s * CALLS_PER_S :]
        await _called(stage, dsn, warm)
        told = await _called(stage, dsn, timed)
    p50, p99 = percentile(told.took_s, 0.5), percentile(told.took_s, 0.99)
    answer = f"the answer itself {percentile(told.answered_s, 0.5) * 1e3:.0f} / "
    answer += f"{percentile(told.answered_s, 0.99) * 1e3:.0f} ms"
    row = Row(
        f"telephone call → card refused in every other service, {CALLS_PER_S} calls/s, open loop, {name}",
        f"p50 / p99 {p50 * 1e3:.0f} / {p99 * 1e3:.0f} ms ({answer})",
        f"seen from outside, every {LOOK_EVERY_S * 1e3:.0f} ms",
        wanted=f"p99 < {WANTED_S * 1e3:.0f} ms",
        met=p99 < WANTED_S,
    )
    return Findings([row])


@asynccontextmanager
async def _embedded(ground: Ground, count: int) -> AsyncIterator[tuple[Stage, str, Sequence[str]]]:
    dsn = await ground.database("calls")
    async with ground.platform(dsn) as platform:
        cards = await cards_in_hand(platform, count)
    async with one_process(ground.settings(dsn).home, CITYCARD_DATABASE_URL=dsn) as stage:
        yield stage, dsn, cards
    await ground.drop("calls")


@asynccontextmanager
async def _kafka(ground: Ground, count: int) -> AsyncIterator[tuple[Stage, str, Sequence[str]]]:
    """The cards are there, and nothing of them has been sent, before the processes start: Kafka gets all of it."""
    home = ground.folder / "on-kafka"
    home.mkdir(mode=0o711)
    postgres = engine_home(Settings(home=home, _env_file=None)) / "postgres"
    async with EmbeddedPostgres(postgres) as dsn:
        settings = Settings(home=home, database_url=dsn, _env_file=None)
        async with open_platform(settings, list(SERVICES)) as platform:
            cards = await cards_in_hand(platform, count)
    async with on_kafka(home) as stage:
        yield stage, stage.environment["CITYCARD_DATABASE_URL"], cards


async def cards_in_hand(platform: Platform, count: int) -> Sequence[str]:
    """This many cards in their holders' hands, handed from desk to desk without HTTP; nobody else is at work yet."""
    by_name = {service.name: service for service in build_services(platform)}
    people, bylaws = People(platform.vault), IssuanceBylaws(platform.packs)
    crowd = asyncio.Semaphore(32)

    async def one(nth: int) -> str:
        async with crowd:
            return await _card(nth, by_name, people, bylaws, platform.city.now())

    return await asyncio.gather(*map(one, range(count)))


async def _card(nth: int, services: dict[str, Any], people: People, bylaws: IssuanceBylaws, at: datetime) -> str:
    seed = uuid5(NAMESPACE_OID, f"bench {nth}")
    person = person_id(CITY, seed)
    holding = holding_id(person, PROGRAMME)
    card, batch = card_id(holding, 1), batch_id(CITY, seed)
    application, under = application_id(holding, seed), bylaws.at(CITY, PROGRAMME, at)
    opened = Opened(name="林小舟", number=f"{nth:018}", issuer="", birth=at.date(), mobile="+8613800005678")
    registered = RegisterPerson(
        person_id=person, at=at, document=DocumentKind.ID_CARD, particulars=await people.close(person, opened),
        language="zh",
    )  # fmt: skip
    await services["identity"].desks.handle(registered, _order(nth, 0))
    for step, command in enumerate(_life(person, holding, application, batch, card, under, at), 1):
        await services["issuance"].desks.handle(command, _order(nth, step))
    return str(card)


async def cards_for(platform: Platform, persons: Sequence[PersonId]) -> None:
    """Cards in the hands of people who are entitled already; somebody else may be at work."""
    issuance = next(service for service in build_services(platform) if service.name == "issuance")
    under = IssuanceBylaws(platform.packs).at(CITY, PROGRAMME, at := platform.city.now())
    crowd = asyncio.Semaphore(16)

    async def one(nth: int, person: PersonId) -> None:
        holding = holding_id(person, PROGRAMME)
        seed = uuid5(NAMESPACE_OID, holding)
        application, batch = application_id(holding, seed), batch_id(CITY, seed)
        _noted, *steps = _life(person, holding, application, batch, card_id(holding, 1), under, at)
        async with crowd:
            for step, command in enumerate(steps, 1):
                await issuance.desks.handle(command, _order(nth, step))

    await asyncio.gather(*(one(nth, person) for nth, person in enumerate(persons)))


def _life(
    person: PersonId, holding: HoldingId, application: Any, batch: Any, card: Any, under: Any, at: datetime
) -> Sequence[Any]:
    """From the verdict to the hand-over."""
    seat: dict[str, Any] = {"holding_id": holding, "batch_id": batch, "seat": 1, "at": at}
    return (
        of_holding.NoteVerdict(
            holding_id=holding,
            person_id=person,
            programme=PROGRAMME,
            granted=True,
            because="hukou",
            functions=(),
            at=at,
        ),
        of_holding.ClaimCard(
            holding_id=holding, application_id=application, person_id=person, programme=PROGRAMME, outlet=OUTLET, at=at
        ),
        of_holding.TakeSeat(card_number="3309000100000001", **seat),
        of_holding.NoteProduced(ident=sha256(holding.encode()).hexdigest()[:32].upper(), **seat),
        of_holding.NoteArrival(outlet=OUTLET, under=under, **seat),
        of_holding.HandOver(
            holding_id=holding, card_id=card, outlet=OUTLET, document="id_card", agent_document="", at=at, under=under
        ),
    )


def _order(nth: int, step: int) -> Order:
    return Order(derived("bench", nth, step), actor="clerk:clerk-1", channel="counter", city=CITY)


async def _settled(dsn: str, cards: int) -> None:
    """Wait until the loss desk knows every card, everything was sent, and nobody writes any more."""
    connection = await asyncpg.connect(dsn)
    try:
        before, still = None, 0
        async with asyncio.timeout(600):
            while still < 6:
                ((known, figure),) = await connection.fetch(
                    "select (select count(*) from loss.fact where name = 'card-entered'), "
                    "(select count(*) from issuance.fact) + (select count(*) from notice.fact) "
                    "+ (select count(*) from wallet.fact) "
                    "+ (select count(*) from issuance.timeline) + (select count(*) from notice.notice) "
                    "- (select count(*) from notice.due where at <= now()) - (select count(*) from issuance.due "
                    "where at <= now())"
                )  # fmt: skip
                still = still + 1 if known == cards and figure == before else 0
                before = figure
                await asyncio.sleep(0.5)
        await connection.execute("analyze")
    finally:
        await connection.close()


async def _called(stage: Stage, dsn: str, cards: Sequence[str]) -> Pending:
    """A call each hundredth of a second, whether or not the last was answered; and an eye on what follows from it."""
    hotline = Caller("hotline-1", "hotline", CITY)
    token = issue(issuer_key(stage.settings), MachineClock(), hotline, ISSUER_DEVELOPMENT)
    address = stage.addresses.get("loss", stage.addresses.get("all", ""))
    free: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
    opened = await lines(urlsplit(address).port or 0, CONNECTIONS)
    for line in opened:
        free.put_nowait(line)
    pending = Pending()
    done = asyncio.Event()
    watching = asyncio.create_task(_watch(dsn, pending, done, len(cards)))
    began = time.perf_counter()
    callers = []
    for nth, card in enumerate(cards):
        await asyncio.sleep(max(0.0, began + nth / CALLS_PER_S - time.perf_counter()))
        callers.append(asyncio.create_task(_call(card, token, free, pending, time.perf_counter())))
    await asyncio.gather(*callers)
    done.set()
    await watching
    for line in opened:
        line.close()
    return pending


async def _call(card: str, token: str, free: "asyncio.LifoQueue[Line]", pending: Pending, due_at: float) -> None:
    line = await free.get()
    status, body = await line.ask(telephone_call(card, token, f"call-{card}"))
    now = time.perf_counter()
    free.put_nowait(line)
    if status != 201 or b'"pre_reported"' not in body:
        raise RuntimeError(f"{status} {body.decode()}")
    stopped_at = body.partition(b'"stopped_at":"')[2].partition(b'"')[0].decode()
    pending.answered_s.append(now - due_at)
    pending.cards.append((card, card.partition(".")[0], datetime.fromisoformat(stopped_at), now))


async def _watch(dsn: str, pending: Pending, done: asyncio.Event, most: int) -> None:
    """Look for all that is pending with one question, straight at the tables."""
    connection = await asyncpg.connect(dsn)
    try:
        look = await connection.prepare(LOOK)
        give_up_at = time.perf_counter() + most / CALLS_PER_S + PATIENCE_S
        while not (done.is_set() and not pending.cards):
            asked_at = time.perf_counter()
            if asked_at > give_up_at:
                raise RuntimeError(f"{len(pending.cards)} cards are not refused everywhere after {PATIENCE_S} s")
            if asked := list(pending.cards):
                cards, holdings, moments, _ = (list(column) for column in zip(*asked, strict=True))
                seen = {row["nth"] - 1 for row in await look.fetch(cards, holdings, moments)}
                now = time.perf_counter()
                pending.took_s += [now - asked[nth][3] for nth in seen]
                pending.cards[: len(asked)] = [one for nth, one in enumerate(asked) if nth not in seen]
            await asyncio.sleep(max(0.0, asked_at + LOOK_EVERY_S - time.perf_counter()))
    finally:
        await connection.close()
