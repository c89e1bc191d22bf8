"""What holds for every course of events: money is neither made nor lost, never overdrawn, never above the cap."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.eventsourcing.desk import Order
from libs.kernel import Refused
from libs.ledger.entry import Balance
from libs.ledger.memory import MemoryLedger
from libs.runtime.service import Desks
from libs.testing.clocks import StandingClock
from services.wallet.domain import chart
from services.wallet.domain.bylaw import Origin
from services.wallet.domain.naming import payment_id, top_up_id
from services.wallet.domain.payment.commands import Authorise, Capture, Refund, Release
from services.wallet.domain.purse.commands import FreezePurse, NoteCard, OpenPurse, ReleasePurse
from services.wallet.domain.topup.commands import ReverseTopUp, TopUp
from services.wallet.wiring import PAYMENT, PURSE, TOP_UP
from tests.services.wallet.purse_drawer import CARD, HALL, HERS, MORNING, OURS, TEN_YEARS

_SPACE = UUID("6e2b6d0a-2f5c-4a3e-9d53-0f6d5d8b7c13")
ACCOUNT, BUS, TILL = chart.online(HERS), chart.merchant("330900", "zs-bus"), chart.channel("330900", "zs-hall")
WAITING = chart.refund(HERS)


def sale(nth: int) -> Any:
    return payment_id(HERS, "zs-bus", f"s-{nth}")


def receipt(nth: int) -> Any:
    return top_up_id(HERS, "zs-hall", f"r-{nth}")


numbers, amounts = st.integers(0, 3), st.sampled_from([1, 100, 250, 40_000, 250_000, 499_900])
commands = st.one_of(
    st.builds(
        lambda nth, fen, origin: TopUp(
            top_up_id=receipt(nth), holding_id=HERS, card_id=CARD, place=HALL, reference=f"r-{nth}", origin=origin,
            amount_fen=fen, at=MORNING, under=OURS,
        ),
        numbers, amounts, st.sampled_from(Origin),
    ),
    st.builds(lambda nth: ReverseTopUp(top_up_id=receipt(nth), place=HALL, reason="wrong", at=MORNING), numbers),
    st.builds(
        lambda nth, fen, at_once: Authorise(
            payment_id=sale(nth), holding_id=HERS, card_id=CARD, merchant="zs-bus", reference=f"s-{nth}",
            amount_fen=fen, capture=at_once, at=MORNING, under=OURS,
        ),
        numbers, amounts, st.booleans(),
    ),
    st.builds(
        lambda nth, fen, final: Capture(payment_id=sale(nth), amount_fen=fen, final=final, at=MORNING),
        numbers, amounts, st.booleans(),
    ),
    st.builds(lambda nth: Release(payment_id=sale(nth), at=MORNING), numbers),
    st.builds(
        lambda nth, fen, back, to: Refund(
            payment_id=sale(nth), amount_fen=fen, reference=f"b-{back}", to=to, at=MORNING, under=OURS
        ),
        numbers, amounts, numbers, st.sampled_from(["account", "payable"]),
    ),
    st.just(FreezePurse(holding_id=HERS, card_id=CARD, at=MORNING, until=None, kind="written_report", under=OURS)),
    st.just(ReleasePurse(holding_id=HERS, card_id=CARD, at=MORNING, why="lifted")),
)  # fmt: skip


@dataclass
class Wallet:
    ledger: MemoryLedger
    desks: Desks
    given: int = 0

    @classmethod
    async def opened(cls) -> "Wallet":
        clock = StandingClock(MORNING)
        ledger = MemoryLedger(clock)
        wallet = cls(ledger, Desks([PURSE, PAYMENT, TOP_UP], ledger, clock))
        await wallet.obey(
            NoteCard(holding_id=HERS, card_id=CARD, programme="citizen-card", valid_to=TEN_YEARS, at=MORNING)
        )
        await wallet.obey(
            OpenPurse(holding_id=HERS, card_id=CARD, at=MORNING, place=HALL, document="id_card", under=OURS)
        )
        return wallet

    async def obey(self, command: Any) -> bool:
        """Whether it was done; each command comes under an id of its own."""
        self.given += 1
        try:
            await self.desks.handle(command, Order(uuid5(_SPACE, str(self.given)), "clerk:1", "counter"))
        except Refused:
            return False
        return True

    async def books(self) -> dict[str, Balance]:
        return dict(await self.ledger.balances([ACCOUNT, BUS, TILL, WAITING]))

    async def held_by_payments(self) -> int:
        states = [(await self.desks["payment"].standing(sale(nth))).state for nth in range(4)]
        return sum(getattr(state, "held_fen", 0) for state in states)


@settings(max_examples=60, deadline=None)
@given(st.lists(commands, max_size=25))
def test_whatever_happens_the_books_are_right(course: list[Any]) -> None:
    async def live() -> None:
        wallet = await Wallet.opened()
        for command in course:
            await wallet.obey(command)
            books = await wallet.books()
            assert sum(balance.balance_fen for balance in books.values()) == 0
            assert books[ACCOUNT].available_fen >= 0
            assert 0 <= books[ACCOUNT].held_fen <= books[ACCOUNT].balance_fen <= OURS.account_cap_fen
            assert books[ACCOUNT].held_fen == await wallet.held_by_payments()
        audit = await wallet.ledger.audit()
        assert audit.sound

    asyncio.run(live())


@settings(max_examples=40, deadline=None)
@given(st.lists(commands, max_size=15), commands)
def test_any_command_may_be_said_twice(course: list[Any], command: Any) -> None:
    async def live() -> None:
        wallet = await Wallet.opened()
        for earlier in course:
            await wallet.obey(earlier)
        await wallet.obey(command)
        once = await wallet.books()
        await wallet.obey(command)
        assert await wallet.books() == once

    asyncio.run(live())


@settings(max_examples=40, deadline=None)
@given(st.lists(commands, max_size=15))
def test_while_a_report_stands_no_new_money_moves_out_or_in(course: list[Any]) -> None:
    async def live() -> None:
        wallet = await Wallet.opened()
        await wallet.obey(TopUp(
            top_up_id=receipt(9), holding_id=HERS, card_id=CARD, place=HALL, reference="r-9", origin=Origin.CASH,
            amount_fen=50_000, at=MORNING, under=OURS,
        ))  # fmt: skip
        await wallet.obey(
            FreezePurse(holding_id=HERS, card_id=CARD, at=MORNING, until=None, kind="written_report", under=OURS)
        )
        for command in course:
            if isinstance(command, Authorise | TopUp):
                assert not await wallet.obey(command)
        assert (await wallet.books())[ACCOUNT] == Balance(50_000)

    asyncio.run(live())
