"""Carries notices out of the house; wherever it stumbles, nobody is told twice and nothing is left lying."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import assert_never
from weakref import WeakValueDictionary

from libs.eventsourcing.desk import Desk, Receipt
from libs.eventsourcing.store import DueCommand
from libs.kernel import stored_name
from libs.kernel.ids import derived
from libs.runtime.service import order_of
from services.notice.domain.commands import (
    AwaitHolder,
    BeginSending,
    CarryOut,
    Command,
    RecordDoubt,
    RecordFailure,
    RecordSent,
)
from services.notice.domain.events import Letter
from services.notice.domain.naming import NoticeId
from services.notice.domain.state import (
    Errand,
    Failed,
    Notice,
    Sending,
    Told,
    Uncertain,
    Unheard,
    WaitingForHolder,
    Wanted,
)
from services.notice.ports import CannotTell, Contacts, Sent, Sms, Texts, TurnedDown

ERASED = "holder-erased"
OUTCOMES: dict[type, str] = {WaitingForHolder: "waiting", Told: "sent", Failed: "failed", Uncertain: "uncertain"}


class Courier:
    """Performs `CarryOut`. Every record of it bears an id derived from the errand's, so a second run repeats nothing.

    A run that finds the letter on its way asks the provider first: what arrived is recorded, what never arrived is
    sent, and what nobody can tell is left to a person. An Outage leaves everything as it stands, for the next run.
    """

    def __init__(
        self, desk: Desk[Notice], contacts: Contacts, texts: Texts, sms: Sms, count: Callable[[str], None]
    ) -> None:
        self._desk, self._contacts, self._texts, self._sms, self._count = desk, contacts, texts, sms, count
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def carry_out(self, asked: CarryOut, due: DueCommand) -> None:
        """See one notice through, as far as it will go now. Raises Outage."""
        turn = self._turns.setdefault(asked.notice_id, asyncio.Lock())
        async with turn:
            match (await self._desk.standing(asked.notice_id)).state:
                case Wanted(errand=errand) | WaitingForHolder(errand=errand):
                    await self._set_out(errand, due)
                case Sending() as sending:
                    await self._find_out(sending, due)
                case Unheard() | Told() | Failed() | Uncertain():
                    return  # Nothing is left to carry.
                case other:
                    assert_never(other)

    async def _set_out(self, errand: Errand, due: DueCommand) -> None:
        notice_id = errand.notice_id
        contact = await self._contacts.of(errand.holding_id)
        if contact is None:
            await self._record(notice_id, due, lambda at: AwaitHolder(notice_id=notice_id, at=at))
            return
        language, text = self._texts.write(errand, contact.language, contact.programme)
        letter = Letter(person_id=contact.person_id, to=contact.mobile, language=language, text=text)
        begun = await self._record(
            notice_id, due, lambda at: BeginSending(notice_id=notice_id, letter=letter, run=due.id, at=at)
        )
        match begun.state:
            case Sending(run=run) as sending if run == due.id and not begun.replayed:
                await self._send(sending, due)
            case Sending() as sending:
                await self._find_out(sending, due)  # Another process was faster, and may be at the door this moment.

    async def _find_out(self, sending: Sending, due: DueCommand) -> None:
        outcome = await self._sms.look_up(sending.errand.notice_id)
        if outcome is None:
            await self._send(sending, due)
        else:
            await self._close(sending.errand.notice_id, outcome, due)

    async def _send(self, sending: Sending, due: DueCommand) -> None:
        notice_id = sending.errand.notice_id
        to = await self._contacts.number(sending.letter)
        outcome = TurnedDown(reason=ERASED) if to is None else await self._sms.send(notice_id, to, sending.letter.text)
        await self._close(notice_id, outcome, due)

    async def _close(self, notice_id: NoticeId, outcome: Sent | TurnedDown | CannotTell, due: DueCommand) -> None:
        def record(at: datetime) -> Command:
            match outcome:
                case Sent():
                    return RecordSent(notice_id=notice_id, at=at)
                case TurnedDown(reason=reason):
                    return RecordFailure(notice_id=notice_id, reason=reason, at=at)
                case CannotTell():
                    return RecordDoubt(notice_id=notice_id, at=at)
                case _:
                    assert_never(outcome)

        await self._record(notice_id, due, record)

    async def _record(
        self, notice_id: NoticeId, due: DueCommand, command: Callable[[datetime], Command]
    ) -> Receipt[Notice]:
        what = stored_name(type(command(due.at)))
        order = replace(order_of(due), command_id=derived(due.id, what))
        receipt = await self._desk.handle(notice_id, lambda _notice, at: command(at), order)
        if not receipt.replayed and type(receipt.state) in OUTCOMES:
            self._count(OUTCOMES[type(receipt.state)])
        return receipt
