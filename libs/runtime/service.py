"""A service is a value: what it decides, says, hears, remembers and answers."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, get_type_hints

from fastapi import APIRouter

from libs.eventsourcing.codec import Codec, members
from libs.eventsourcing.desk import Aggregate, Desk, Order, Receipt, codec_of
from libs.eventsourcing.store import DueCommand, Store
from libs.kernel import Outage, OutcomeUnknown, stored_name
from libs.kernel.clocks import Clock
from libs.kernel.ids import derived
from libs.messaging.contract import Contract
from libs.messaging.inlet import NO_INLET, Inlet
from libs.messaging.message import Message
from libs.messaging.readmodel import Change
from libs.runtime.lease import LEASE_S, WORK_MAX_S, Leases, MemoryLeases
from libs.web.withdrawn import Withdrawal

TOLD_MAX = 4_000

Brief = Callable[[Any, Any, datetime], Any]
"""Completes a command with what must come from outside the domain – a bylaw, a verdict – for the state at hand."""

Reaction = Callable[[Any], Iterable[Any]]
"""Whenever this contract is told, give these commands; its name is a sentence, its annotation the contract."""

RIVAL_PAUSE_S = 1.0

Performer = Callable[[Any, DueCommand], Awaitable[None]]
"""Carries out a due command that reaches into the world outside."""


class RefusesToStart(Exception):
    """A service will not serve as things stand; the text says why and what to do."""


async def _at_once() -> None:
    """Nothing to see to."""


def as_it_is(command: Any, _state: Any, _at: datetime) -> Any:
    """Nothing needs to be added."""
    return command


class Desks:
    """All desks of one service, and the way from a bare command to the right one.

    `editions` names the edition of a city's bylaws; it stands in the record of whatever the city decides by itself.
    """

    editions: Callable[[str], str] = staticmethod(lambda _city: "")

    def __init__(
        self, aggregates: Sequence[Aggregate[Any]], store: Store, city: Clock, brief: Brief = as_it_is
    ) -> None:
        self.codec: Codec = codec_of(aggregates)
        self.store = store
        self._brief = brief
        self._desks = {a.category: Desk(a, store, city, self.codec) for a in aggregates}
        self._by_command = {cls: self._desks[a.category] for a in aggregates for cls in members(a.commands)}

    def __iter__(self) -> Iterator[Desk[Any]]:
        return iter(self._desks.values())

    def __getitem__(self, category: str) -> Desk[Any]:
        return self._desks[category]

    async def handle(self, command: Any, order: Order) -> Receipt[Any]:
        """Have a command decided and stored that names its own stream. Raises Refused or Outage."""
        desk = self._by_command[type(command)]
        key = desk.aggregate.key(command)
        order = replace(order, bylaws=order.bylaws or self.editions(order.city))
        return await desk.handle(key, lambda state, at: self._brief(command, state, at), order)

    def category_of(self, command: Any) -> str:
        """The kind of stream that this command is for."""
        return self._by_command[type(command)].aggregate.category

    async def handle_many(self, wanted: Sequence[tuple[Any, Order]]) -> Sequence[bool]:
        """Have commands of one category decided and stored together; says of each whether it is done.

        What is not done is to be handled alone. Raises Outage.
        """
        desk = self._by_command[type(wanted[0][0])]
        wanted = [
            (command, order if order.bylaws else replace(order, bylaws=self.editions(order.city)))
            for command, order in wanted
        ]

        def asking(command: Any) -> Any:
            return lambda state, at: self._brief(command, state, at)

        return await desk.handle_many(
            [(desk.aggregate.key(command), asking(command), order) for command, order in wanted]
        )


@dataclass(frozen=True)
class Service:
    """One promise to the city, ready to be served by a process.

    `hears` are the contracts of other services that reactions and projections understand; `tells` are its own.
    `remembers` are those of both from which its read models are written; where it does not say, any may be.
    `access` is its Cedar rules; `performers` carry out due commands that reach outside; `urgent` are the actions that
    are taken even from the last room on the disk.
    `chores` are done again and again, about once a second; one that fails is done again like any other.
    `before_the_doors_open` is awaited by every process of the city; it may raise RefusesToStart.
    `inlet` are the topics on which others than this platform write.
    `withdraws` are those of its messages that end a duty: the doors of every process refuse the tokens issued for it.
    `large_bodies` names addresses, by how they begin, that take longer bodies, and up to how many bytes.
    """

    name: str
    desks: Desks
    router: APIRouter
    access: str
    tells: Sequence[type[Contract]]
    hears: Sequence[type[Contract]] = ()
    reactions: Sequence[Reaction] = ()
    project: Callable[[Contract, Message], Iterable[Change]] | None = None
    remembers: Sequence[type[Contract]] | None = None
    performers: Mapping[type, Performer] = field(default_factory=dict)
    before_the_doors_open: Callable[[], Awaitable[None]] = _at_once
    urgent: frozenset[str] = frozenset()
    chores: Sequence[Callable[[], Awaitable[None]]] = ()
    inlet: Inlet = NO_INLET
    withdraws: Mapping[type[Contract], Callable[[Any], Withdrawal]] = field(default_factory=dict)
    large_bodies: Mapping[str, int] = field(default_factory=dict)

    @property
    def topics(self) -> Sequence[str]:
        """The services that this one listens to."""
        return sorted({contract.type_name().partition(".")[0] for contract in self.hears})


class Listener:
    """Turns messages into commands and changes: the reactions and projections of one service."""

    def __init__(self, service: Service, own: bool) -> None:
        self._service = service
        understood = service.tells if own else service.hears
        self._contracts = {contract.type_name(): contract for contract in understood}
        self._told: dict[str, tuple[str, Contract | None]] = {}  # Read for the reactions, soon to be projected.
        self._reactions: dict[type, list[Reaction]] = {}
        for reaction in () if own else service.reactions:
            self._reactions.setdefault(heard_by(reaction), []).append(reaction)
        remembered = service.remembers if service.remembers is not None else understood
        self.heeds = frozenset(
            contract.type_name() for contract in understood if contract in self._reactions or contract in remembered
        )

    async def react(self, message: Message) -> None:
        """Give the commands that follow from this message; each happens once however often the message comes."""
        told = self._read(message)
        for reaction in self._reactions.get(type(told), []):
            name: str = reaction.__name__
            for nth, command in enumerate(reaction(told)):
                await self._service.desks.handle(command, self._order(derived(name, message.id, nth), name, message))

    async def react_together(self, messages: Sequence[Message]) -> Sequence[bool]:
        """React to a whole page at once; says of each message whether that is done or is to be done alone.

        The commands bear the ids that `react` gives them, so what happened here does not happen there again.
        """
        done = [False] * len(messages)
        if len(self._told) + len(messages) > TOLD_MAX:
            self._told.clear()
        wishes: dict[str, list[tuple[int, Any, Order]]] = {}
        for nth, message in enumerate(messages):
            try:
                told = self._read(message)
                if told is not None and len(self._told) < TOLD_MAX:
                    self._told[message.id] = message.data, told
                commands = [
                    (reaction.__name__, n, command)
                    for reaction in self._reactions.get(type(told), ())
                    for n, command in enumerate(reaction(told))
                ]
            except Exception:
                continue  # Whose fault it is comes out when it is handled alone.
            if not commands:
                done[nth] = True
            elif len(commands) == 1:
                ((name, n, command),) = commands
                order = self._order(derived(name, message.id, n), name, message)
                category = self._service.desks.category_of(command)
                wishes.setdefault(category, []).append((nth, command, order))
        for wanted in wishes.values():
            settled = await self._service.desks.handle_many([(command, order) for _, command, order in wanted])
            for (nth, _, _), is_settled in zip(wanted, settled, strict=True):
                done[nth] = is_settled
        return done

    def _order(self, command_id: Any, reaction: str, message: Message) -> Order:
        who, city = message.told_by(), message.key.partition("-")[0]
        return Order(
            command_id=command_id,
            actor=who.get("actor", ""),
            channel=who.get("channel", ""),
            reason=reaction,
            city=city,
            bylaws=self._service.desks.editions(city),
            correlation=who.get("correlation", message.key),
            causation=message.id,
            trace=who.get("trace", ""),
            remember_refusal=True,
        )

    def project(self, message: Message) -> Iterator[Change]:
        """The changes that this message makes to the service's read models."""
        data, told = self._told.pop(message.id, ("", None))
        if data is not message.data:
            told = self._read(message)
        if told is not None and self._service.project is not None:
            yield from self._service.project(told, message)

    def _read(self, message: Message) -> Contract | None:
        contract = self._contracts.get(message.type)
        return None if contract is None else contract.model_validate_json(message.data)


def heard_by(reaction: Reaction) -> type:
    """The contract on which a reaction acts."""
    first = next(iter(inspect.signature(reaction).parameters))
    heard: type = get_type_hints(reaction)[first]
    return heard


class Timer:
    """Gives the city its own commands when their hour has come."""

    ATTEMPTS_MAX = 6

    def __init__(
        self, service: Service, city: Clock, monotonic: Callable[[], float], leases: Leases | None = None
    ) -> None:
        self._service, self._city, self._monotonic = service, city, monotonic
        self._leases = leases or MemoryLeases(monotonic, service.name, {})
        self._store = service.desks.store
        self._not_before: dict[Any, float] = {}
        self._performers = {stored_name(cls): performer for cls, performer in service.performers.items()}

    async def step(self) -> int:
        """Handle what is due; returns how many were settled. Raises Outage."""
        due = await self._store.due(self._city.now(), 200)
        now = self._monotonic()
        self._not_before = {id_: until for id_, until in self._not_before.items() if until > now}
        ready = [one for one in due if one.id not in self._not_before]
        outcomes = await asyncio.gather(*map(self._settle, ready), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome  # Only now: nobody goes on behind the back of the next step.
        return sum(outcome is True for outcome in outcomes)

    async def _settle(self, due: DueCommand) -> bool:
        try:
            command = self._service.desks.codec.read(due.name, due.data)
            if performer := self._performers.get(due.name):
                return await self._perform(performer, command, due)
            await self._service.desks.handle(command, order_of(due))
        except Outage:
            raise
        except Exception as error:
            park = due.attempts + 1 >= self.ATTEMPTS_MAX
            self._not_before[due.id] = self._monotonic() + (0 if park else 0.1 * 4**due.attempts)
            await self._store.postpone(due.id, f"{type(error).__name__}: {error}", park)
            return False
        await self._done(due)
        return True

    async def _perform(self, performer: Performer, command: Any, due: DueCommand) -> bool:
        """Reach into the world outside under a lease; who does not get it leaves the command to its holder.

        The work is broken off well before the lease runs out, and the command is struck off while it still holds. What
        a rival has finished since we looked, a performer learns from the state of its stream, which it reads first.
        """
        what = f"{self._service.name}/{due.id}"
        try:
            async with asyncio.timeout(WORK_MAX_S) as limit:
                try:
                    if not await self._leases.take(what, LEASE_S):
                        self._not_before[due.id] = self._monotonic() + RIVAL_PAUSE_S
                        return False
                    await performer(command, due)
                    await self._done(due)
                finally:
                    await self._leases.give_back(what)
        except TimeoutError as late:
            if not limit.expired():
                raise
            raise OutcomeUnknown(f"{due.name} took longer than {WORK_MAX_S:g} s") from late
        return True

    async def _done(self, due: DueCommand) -> None:
        self._not_before.pop(due.id, None)
        await self._store.settle(due.id)


def order_of(due: DueCommand) -> Order:
    """The order under which the city gives itself a due command."""
    _, _, key = due.stream.partition("-")
    return Order(
        command_id=due.id,
        actor="city",
        channel="timer",
        reason=due.name,
        city=key.partition("-")[0],
        correlation=key,
        causation=f"due:{due.id}",
        trace=due.trace,
        remember_refusal=True,
    )
