"""Where departments' deliveries come in: every record is judged alone, and a bad one stops nobody else's."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import digest
from itertools import groupby
from typing import Annotated, Any, cast

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from libs.eventsourcing.desk import Order, Receipt
from libs.kernel import Refused, Unfit, refusal_code
from libs.kernel.calendar import shanghai_day
from libs.kernel.clocks import Clock
from libs.kernel.ids import derived, written
from libs.runtime.citypack import CityPack, CityPacks, Dated
from libs.runtime.service import Desks
from libs.vault.port import Vault
from libs.web.bodies import Body
from libs.web.problems import faults_in
from services.identity.adapters.bylaws import DataSharing
from services.identity.adapters.merges import entry_now
from services.identity.adapters.people import People
from services.identity.adapters.records import FactBody, document_of
from services.identity.domain.commands import StateFact
from services.identity.domain.decider import PersonUnknown
from services.identity.domain.delivery.commands import SettleRecord, TakeRecords
from services.identity.domain.delivery.decider import RecordNotAside
from services.identity.domain.delivery.events import Aside, Settled
from services.identity.domain.delivery.state import Delivery
from services.identity.domain.state import Person
from services.ids import PersonId

RECORD_CHARS_MAX = 10_000
ROWS_MAX = 100_000_000
DeliveryName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,79}$")]


class RecordUnreadable(Unfit):
    """This record is not what was agreed: {faults}. Mend it at its source and deliver it again."""


class RecordTooLong(Unfit):
    """This record has {chars} characters; one of these facts has at most {most}."""


class RecordNotOpened(Unfit):
    """This record was not closed with the key of its department; ask the card centre for it (citycard feed-key)."""


class AgreementData(BaseModel):
    """What a department and the city have agreed on. There is no price in it: departments deliver free of charge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    due_every_hours: int = Field(gt=0, le=24 * 366)
    """How old the newest delivery may become before somebody must look."""
    faults_max: float = Field(ge=0, le=1)
    """Which share of the records may be faulty."""
    aside_days: int = Field(default=90, gt=0, le=400)
    """How long a record that was put aside is kept."""
    counted: bool = False
    """Whether the department says of each delivery how many records it has, at the latest when the next one is due."""

    def counted_by(self, now: datetime) -> datetime:
        """A delivery that had its last record before this moment should have been counted."""
        return now - timedelta(hours=self.due_every_hours)


class Agreements:
    """What cities and their departments have agreed on, checked when it is read. Hangzhou measures, Article 5."""

    def __init__(self, packs: CityPacks) -> None:
        self._dated = {pack.code: _agreements(pack) for pack in packs}

    def at(self, city: str, moment: datetime) -> Mapping[str, AgreementData]:
        """By department; a city that has agreed on nothing yet has none."""
        dated = self._dated.get(city)
        return dated.at(moment) if dated is not None else {}

    def parties(self, moment: datetime) -> Sequence[tuple[str, str]]:
        """Every city and department that have agreed."""
        return [(city, department) for city in sorted(self._dated) for department in sorted(self.at(city, moment))]


def _agreements(pack: CityPack) -> Dated[Mapping[str, AgreementData]] | None:
    return pack.dated("feeds.agreements", dict[str, AgreementData]) if "feeds" in pack.files else None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one delivery that came together; the row of the first is `first_row`, as the department numbers them.

    If it does not (`numbered`), rows are places on its topic, and a missing one is not noticed.
    """

    city: str
    department: str
    name: str
    first_row: int
    records: Sequence[Any]
    announced: int | None = None
    numbered: bool = True

    @property
    def delivery_id(self) -> str:
        return delivery_id(self.city, self.department, self.name)


def delivery_id(city: str, department: str, name: str) -> str:
    """The same name is the same delivery."""
    return written(city, derived("delivery", department, name))


class Intake:
    """Takes records in, puts faulty ones aside, and takes those in again when somebody has mended the cause."""

    def __init__(
        self, desks: Desks, people: People, sharing: DataSharing, agreements: Agreements, vault: Vault, city: Clock
    ) -> None:
        self._desks, self._people, self._sharing, self._agreements = desks, people, sharing, agreements
        self._vault, self._city = vault, city

    async def take(self, batch: Batch, order: Order) -> Receipt[Delivery]:
        """Make facts of these records, or put them aside with a reason. Repeating it changes nothing. Raises Outage."""
        numbered = list(enumerate(batch.records, batch.first_row))
        refusals = await asyncio.gather(*(self._stated(batch, row, record, order) for row, record in numbered))
        aside = [
            Aside(
                row=row,
                code=refusal_code(type(refused)),
                detail=refused.sentence(),
                box=await self._vault.seal(batch.delivery_id, f"row {row}", json.dumps(record, ensure_ascii=False)),
            )
            for (row, record), refused in zip(numbered, refusals, strict=True)
            if refused is not None
        ]

        def ask(_delivery: Delivery, at: datetime) -> TakeRecords:
            agreed = self._agreements.at(batch.city, at).get(batch.department)
            return TakeRecords(
                delivery_id=batch.delivery_id,
                city=batch.city,
                department=batch.department,
                name=batch.name,
                first_row=batch.first_row,
                last_row=batch.first_row + len(batch.records) - 1,
                aside=tuple(aside),
                announced=batch.announced,
                kept_days=agreed.aside_days if agreed else 90,
                at=at,
                numbered=batch.numbered,
            )

        return await self._desks["delivery"].handle(batch.delivery_id, ask, order)

    async def try_again(self, delivery: Delivery, row: int, reason: str, order: Order) -> Receipt[Delivery]:
        """Make a fact of a record that was put aside. Raises what is still wrong with it, RecordNotAside, Erased."""
        if row in delivery.aside:
            box = delivery.aside[row].box
            record = json.loads(await self._vault.open(delivery.delivery_id, f"row {row}", box))
            batch = Batch(delivery.city, delivery.department, delivery.name, row, [record])
            again = replace(order, command_id=derived(order.command_id, "again"), expected=None, guard=None)
            if (refused := await self._stated(batch, row, record, again)) is not None:
                raise refused
        elif row not in delivery.settled:
            raise RecordNotAside(row=row)
        return await self.settle(delivery, row, Settled.TAKEN, reason, order)

    async def settle(
        self, delivery: Delivery, row: int, outcome: Settled, reason: str, order: Order
    ) -> Receipt[Delivery]:
        """Write down what became of a record that was put aside. Raises RecordNotAside."""

        def ask(_now: Delivery, at: datetime) -> SettleRecord:
            return SettleRecord(delivery_id=delivery.delivery_id, row=row, outcome=outcome, reason=reason, at=at)

        return await self._desks["delivery"].handle(delivery.delivery_id, ask, order)

    async def _stated(self, batch: Batch, row: int, record: Any, order: Order) -> Refused | None:
        """Why this record could not become a fact, if it could not."""
        try:
            said = _read(record)
            document = document_of(said.document, shanghai_day(self._city.now()))
            person = await self._people.find(batch.city, document)
            if person is None:
                raise PersonUnknown
            person = await entry_now(self._desks["person"], person)
            await self._state(batch, person, said, self._order_of(batch, row, order))
        except Refused as refused:
            return refused
        return None

    async def _state(self, batch: Batch, person: PersonId, said: FactBody, order: Order) -> None:
        may_state = self._sharing.facts_of(batch.city, batch.department)

        def ask(_now: Person, at: datetime) -> StateFact:
            under = self._sharing.by(batch.city, batch.department, at)
            return StateFact(
                person_id=person,
                at=at,
                fact=said.fact,
                department=batch.department,
                valid_from=said.valid_from,
                valid_to=said.valid_to,
                ended=said.ended,
                reference=said.reference,
                may_state=may_state,
                under=under,
            )

        await self._desks["person"].handle(person, ask, order)

    @staticmethod
    def _order_of(batch: Batch, row: int, order: Order) -> Order:
        """Each record is an act of its own: whatever it comes with when it comes again, it is done once."""
        return replace(
            order,
            command_id=derived("delivered", batch.delivery_id, row, order.command_id),
            correlation=batch.delivery_id,
            causation=f"delivery:{batch.delivery_id}/{row}",
            expected=None,
            guard=None,
        )


def _read(record: Any) -> FactBody:
    """Raises RecordUnreadable, RecordTooLong."""
    text = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
    if len(text) > RECORD_CHARS_MAX:
        raise RecordTooLong(chars=len(text), most=RECORD_CHARS_MAX)
    if isinstance(record, str):
        raise RecordNotOpened
    shape = HeadedRecord if _is_headed(record) else FactBody  # One whose heading fits comes without it.
    try:
        return cast(FactBody, shape.model_validate_json(text))
    except ValidationError as error:
        found = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        told = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults_in(found))
        raise RecordUnreadable(faults=told) from None


class HeadedRecord(Body):
    """A record on a topic as part of a delivery: which, the how manyth, and of how many. Each of these may come alone.

    Whoever numbers its records, or says how many there are, is told when one is missing.
    """

    delivery: DeliveryName
    """What the department calls the delivery; the same name as with `POST /v1/deliveries` is the same delivery."""
    announced: Annotated[int, Field(ge=0, le=ROWS_MAX)] | None = None
    """How many records the delivery has in all; with any record, or alone at its end."""
    row: Annotated[int, Field(ge=1, le=ROWS_MAX)] | None = None
    """The number of this record within the delivery, from 1 on and without a gap."""
    record: Any = None
    """A fact as in `POST /v1/facts`."""

    @model_validator(mode="after")
    def _a_record_has_a_row(self) -> "HeadedRecord":
        if (self.row is None) != (self.record is None):
            raise ValueError("a record of a delivery comes with its row, and a row with its record")
        if self.row is None and self.announced is None:
            raise ValueError("a heading says how many records the delivery has (announced), or bears one of them")
        return self


def _is_headed(record: Any) -> bool:
    return isinstance(record, dict) and "delivery" in record


def topic_of(department: str) -> str:
    """The topic on which a department may deliver, record by record."""
    return f"in.{department}.facts"


# --- records on a topic are closed, for a topic may be read by others than us ---


def feed_key(secret: bytes, city: str, department: str) -> OctKey:
    """The key that a department and the city share (256 bits); `secret` is the city's own."""
    raw = digest(secret, f"feed\0{city}\0{department}".encode(), sha256)
    return OctKey.import_key(raw, {"kid": f"{city}/{department}"})


def close_record(key: OctKey, record: Mapping[str, Any]) -> str:
    """The record as a compact JWE (RFC 7516: `dir`, A256GCM), as a department puts it on its topic."""
    header = {"alg": "dir", "enc": "A256GCM", "kid": key.kid}
    return jwe.encrypt_compact(header, json.dumps(record, ensure_ascii=False).encode(), key)


def open_record(key: OctKey, closed: bytes) -> Any:
    """What a department has put on its topic. Raises RecordNotOpened."""
    try:
        return json.loads(jwe.decrypt_compact(closed, key, algorithms=["dir", "A256GCM"]).plaintext or b"")
    except (JoseError, ValueError) as error:
        raise RecordNotOpened from error


class Inlets:
    """Takes in what departments put on their topics.

    A record with a heading belongs to the delivery that it names. Those without belong to their topic's day, and their
    rows are their offsets: how many there should be, nobody can tell.
    """

    def __init__(self, intake: Intake, agreements: Agreements, secret: bytes, city: Clock) -> None:
        self._intake, self._agreements, self._secret, self._city = intake, agreements, secret, city

    def topics(self) -> Sequence[str]:
        """Of every department with which some city has an agreement."""
        return sorted({topic_of(department) for _, department in self._agreements.parties(self._city.now())})

    async def take(self, topic: str, partition: int, first: int, closed: Sequence[bytes]) -> None:
        """Take in records that lie one behind another, from the offset `first` on. Raises Outage."""
        department = topic.split(".")[1]
        for city, place, records in self._by_city(department, first, closed):
            plain = Batch(city, department, f"{topic}/{partition}/{shanghai_day(self._city.now())}", place, records)
            for at, batch in _in_batches(plain):
                order = Order(
                    command_id=derived("inlet", topic, partition, at, batch.name),
                    actor=f"department:{department}",
                    channel="topic",
                    reason=batch.name,
                    city=city,
                )
                await self._intake.take(batch, order)

    def _by_city(self, department: str, first: int, closed: Sequence[bytes]) -> Iterator[tuple[str, int, list[Any]]]:
        """The records that follow one another and are of one city; one that cannot be opened stays closed."""
        served = [city for city, party in self._agreements.parties(self._city.now()) if party == department]
        for city, run in groupby(enumerate(closed, first + 1), key=lambda one: _city_in(one[1], served)):
            numbered = list(run)
            key = feed_key(self._secret, city, department)
            yield city, numbered[0][0], [_opened(key, record) for _, record in numbered]


def _in_batches(plain: Batch) -> Iterator[tuple[int, Batch]]:
    """What follows one another in one delivery, with its place on the topic; `plain` has them by place alone."""
    waiting: tuple[int, Batch] | None = None
    for place, record in enumerate(plain.records, plain.first_row):
        begun = (place, _batch_of(plain, place, record))
        joined = _joined(waiting[1], begun[1]) if waiting else None
        if waiting and joined is None:
            yield waiting
        waiting = (waiting[0], joined) if waiting and joined else begun
    if waiting:
        yield waiting


def _batch_of(plain: Batch, place: int, record: Any) -> Batch:
    """One record as a batch of its own; if its heading does not fit it stays as it is, and is put aside."""
    try:
        if _is_headed(record):
            headed = HeadedRecord.model_validate_json(json.dumps(record))
            alone = [] if headed.row is None else [headed.record]
            return Batch(plain.city, plain.department, headed.delivery, headed.row or 1, alone, headed.announced)
    except ValidationError:
        pass
    return replace(plain, first_row=place, records=[record], numbered=False)


def _joined(one: Batch, next_: Batch) -> Batch | None:
    """Both as one, if the second goes on where the first ends."""
    if (one.name, one.numbered) != (next_.name, next_.numbered):
        return None
    announced = one.announced if next_.announced is None else next_.announced
    if not next_.records:
        return replace(one, announced=announced)
    if not one.records or next_.first_row != one.first_row + len(one.records):
        return None
    return replace(one, records=[*one.records, *next_.records], announced=announced)


def _city_in(closed: bytes, served: Sequence[str]) -> str:
    """The city that a closed record names in its header, or the first with which its department has agreed."""
    try:
        kid = str(json.loads(urlsafe_b64decode(closed.split(b".")[0] + b"=="))["kid"])
    except (ValueError, KeyError, TypeError):
        return served[0]
    return kid.partition("/")[0] if kid.partition("/")[0] in served else served[0]


def _opened(key: OctKey, closed: bytes) -> Any:
    """The record, or what was sent in its place; that is no record, and is put aside."""
    try:
        return open_record(key, closed)
    except RecordNotOpened:
        return closed.decode(errors="replace")
