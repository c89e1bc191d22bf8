"""Chips and terminals: what a card and a bus know by themselves, loads whose end nobody saw, taps that come late.

A chip here is the truth about its own purse. What the host believes of it is compared with it afterwards.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import asyncpg

from libs.testing.faults import Act
from libs.web.tokens import Caller
from services.drift.callers import BUS, CITY, HALL, Card, Stories, Town, in_crowds, till
from services.wallet.adapters.cryptograms import SIMULATED_MASTER, SimulatedCryptograms
from services.wallet.adapters.tap_files import compose, pack, unpack
from services.wallet.domain import chart
from services.wallet.domain.purse.decider import after
from services.wallet.domain.taps.tap import Tap

CENTRE = Caller("centre-1", "centre", CITY)
SENDER = BUS.outlet
PURSE_CAP_FEN, CEILING_FEN = 100_000, 1_000
TERMINALS, ABOARD_MAX = 12, 40
FIRST_TERMINAL, PURCHASE = 330_900_000_001, 6


@dataclass
class Load:
    """Money that was paid for a chip, and whether the chip has taken it."""

    load_id: str
    fen: int
    counter: int
    taken: bool = False


@dataclass
class Chip:
    """What is on a card: its purse, and the two counters that only rise. One reader at a time has it."""

    card: Card
    number: int
    fen: int = 0
    loads: int = 0
    purchases: int = 0
    open_load: Load | None = None
    """A load of which the host does not know yet what became of it."""
    in_reader: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def account(self) -> str:
        return chart.purse(self.card.card_id)


@dataclass
class Terminal:
    """A terminal on a bus, and the taps that its back office has not brought yet."""

    number: int
    sequence: int = 0
    kept: list[bytes] = field(default_factory=list)


@dataclass
class Brought:
    """A file of taps that was answered: how many of its records no card had signed, and how the house classed them."""

    path: str
    records: Sequence[bytes]
    forged: int
    answers: list[Mapping[str, Mapping[str, int]]] = field(default_factory=list)


class Chips:
    """All chips and all terminals of a town, and what must stand in the books because of them."""

    def __init__(self, town: Town) -> None:
        self._town, self._dice, self._keys = town, town.dice, SimulatedCryptograms(SIMULATED_MASTER)
        self.chips = {card.card_id: Chip(card, card.number) for card in town.cards}
        self.terminals = [Terminal(FIRST_TERMINAL + nth) for nth in range(TERMINALS)]
        self.brought: list[Brought] = []
        self.known: list[bytes] = []
        """Every record that a card has signed and that was acknowledged, once."""
        self.copied: dict[tuple[int, int], bytes] = {}
        """By card and counter, what a copied card signed; of such a pair the books may believe neither."""

    @property
    def stories(self) -> Stories:
        return {self.load: 3, self.ride_unheard: 1, self.meet: 1}

    async def settle(self, pool: asyncpg.Pool) -> None:
        """The terminals are written down, the wallet knows each chip, and most have a little money."""
        terminals = [
            {"terminal": one.number, "merchant": SENDER, "service": "bus", "retired_at": None} for one in self.terminals
        ]
        told = await self._town.people.call(CENTRE, "POST", "/v1/terminals", json={"terminals": terminals})
        assert told.status_code == 200, told.json()
        known = "select (select count(*) from wallet.tap_chip), (select count(*) from wallet.tap_opened)"
        async with asyncio.timeout(60):
            while tuple(await pool.fetchrow(known) or ()) != (len(self.chips), len(self.chips)):
                await asyncio.sleep(0.2)
        await in_crowds(16, [self.load(card) for card in self._town.cards])

    # --- loads ---

    async def load(self, card: Card) -> None:
        """Pay, load, confirm; now and then the card is gone before the terminal knows, or the terminal is."""
        chip, dice = self.chips[card.card_id], self._dice
        if chip.in_reader.locked():
            return
        async with chip.in_reader:
            if dice.random() < 0.05:
                await self._town.refuse("a load above the chip's cap", self._pay(chip, PURSE_CAP_FEN - chip.fen + 1))
            fen, name = dice.randint(500, 6_000), self._town.name()
            act = await self._pay(chip, fen, name)
            if not act.acknowledged:
                return
            self._is_known(chip)  # What became of the last one was read from the counter.
            load = chip.open_load = Load(str(act.answer["load_id"]), fen, chip.loads)
            on_its_way = chart.suspense(CITY, "loads")
            self._town.promise(f"{load.load_id}/paid", (till(HALL), -fen, 0), (on_its_way, fen, 0))
            if dice.random() < 0.7:
                load.taken, chip.loads, chip.fen = True, after(chip.loads), chip.fen + fen
            if dice.random() < 0.1:
                await self._town.refuse("a load's reference with another sum", self._pay(chip, fen + 1, name))
            match dice.choices(("seen", "seen twice", "seen and met", "unknown", "gone"), (5, 1, 1, 2, 2))[0]:
                case "seen":
                    await self._tell(chip, load)
                case "seen twice":
                    await asyncio.gather(self._tell(chip, load), self._tell(chip, load))
                case "seen and met":
                    await asyncio.gather(self._tell(chip, load), self._meet(chip, load))
                case "unknown":
                    await self._tell_nothing(load)
                case "gone":
                    pass

    async def meet(self, card: Card) -> None:
        """Any reader: what the chip's counter says settles what nobody saw, and a counter that cannot be does not."""
        chip = self.chips[card.card_id]
        if chip.in_reader.locked():
            return
        async with chip.in_reader:
            if (load := chip.open_load) is None:
                return
            if self._dice.random() < 0.2:
                path, body = f"/v1/cards/{card.card_id}/contacts", {"counter": (load.counter + 7) % 2**16}
                await self._town.refuse("a counter that does not fit", self._town.act(BUS, path, body))
            await self._meet(chip, load)

    async def _pay(self, chip: Chip, fen: int, name: str = "") -> Act:
        body = {"amount_fen": fen, "origin": "cash", "reference": name or self._town.name(), "counter": chip.loads,
                "balance_fen": chip.fen}  # fmt: skip
        return await self._town.act(HALL, f"/v1/cards/{chip.card.card_id}/loads", body)

    async def _tell(self, chip: Chip, load: Load) -> None:
        body = {"outcome": "loaded", "counter": chip.loads} if load.taken else {"outcome": "not_loaded"}
        act = await self._town.act(HALL, f"/v1/loads/{load.load_id}/outcomes", body)
        self._answered(load, str(act.answer.get("status", act.status)))
        self._is_known(chip)

    async def _tell_nothing(self, load: Load) -> None:
        act = await self._town.act(HALL, f"/v1/loads/{load.load_id}/outcomes", {"outcome": "unknown"})
        self._town.expect(f"{load.load_id}: nobody knows, {act.answer}", act.answer.get("status") == "uncertain")

    async def _meet(self, chip: Chip, load: Load) -> None:
        act = await self._town.act(BUS, f"/v1/cards/{chip.card.card_id}/contacts", {"counter": chip.loads})
        told = {str(one["load_id"]): str(one["status"]) for one in act.answer.get("loads", ())}
        self._answered(load, told.get(load.load_id, str(act.status)))
        self._is_known(chip)

    def _answered(self, load: Load, status: str) -> None:
        truth = "confirmed" if load.taken else "reversed"
        self._town.expect(f"{load.load_id} is {status}, and the chip says {truth}", status == truth)

    def _is_known(self, chip: Chip) -> None:
        """From now on the host knows what became of the open load, and has booked it so, once."""
        load, chip.open_load = chip.open_load, None
        if load is not None:
            to = chip.account if load.taken else till(HALL)
            self._town.promise(load.load_id, (chart.suspense(CITY, "loads"), -load.fen, 0), (to, load.fen, 0))

    # --- taps ---

    async def ride_unheard(self, _card: Card) -> None:
        """A bus fills up out of reach, and later its back office brings some of what was tapped, in any order."""
        terminal = self._dice.choice(self.terminals)
        for card in self._dice.choices(self._town.cards, k=self._dice.randint(5, ABOARD_MAX)):
            self._tap(self.chips[card.card_id], terminal)
        await self._bring(terminal, 0.8)

    def _tap(self, chip: Chip, terminal: Terminal) -> None:
        dear = self._dice.random() < 0.02
        fen = self._dice.randint(CEILING_FEN + 1, 2 * CEILING_FEN) if dear else self._dice.randint(50, 300)
        if chip.fen < fen:
            return
        chip.fen, chip.purchases, terminal.sequence = chip.fen - fen, chip.purchases + 1, terminal.sequence + 1
        tap = Tap(card=chip.number, counter=chip.purchases, terminal=terminal.number, sequence=terminal.sequence,
                  fen=fen, balance_fen=chip.fen, kind=PURCHASE, at=datetime.now(UTC), tac=bytes(4))  # fmt: skip
        terminal.kept.append(self._keys.sign(pack(tap)))

    async def _bring(self, terminal: Terminal, share: float) -> None:
        """Some now and some later, some again, shuffled; sometimes what no card signed, or what a copied card did."""
        dice = self._dice
        dice.shuffle(terminal.kept)
        many = round(len(terminal.kept) * share)
        signed, terminal.kept = terminal.kept[:many], terminal.kept[many:]
        if not signed:
            return
        again = dice.choices(self.known, k=dice.randint(0, 3)) if self.known else []
        forged = [self._forged(dice.choice(signed))] if dice.random() < 0.1 else []
        if dice.random() < 0.05:
            signed.append(self._copied(dice.choice(signed), terminal))
        records = [*signed, *again, *forged]
        dice.shuffle(records)
        number = len(self.brought) + 1
        brought = Brought(f"/v1/tap-files/{SENDER}/{number}", records, len(forged))
        self.brought.append(brought)
        file, times = compose(SENDER, number, records), 2 if dice.random() < 0.1 else 1
        await asyncio.gather(*(self._send(brought, file) for _ in range(times)))
        if brought.answers:
            self.known += signed

    async def _send(self, brought: Brought, file: bytes) -> None:
        act = await self._town.act(BUS, brought.path, method="PUT", content=file)
        if act.acknowledged:
            brought.answers.append(act.answer["classes"])
        else:
            self._town.expect(f"{brought.path} was answered {act.status} {act.answer}", act.status == 0)

    def _forged(self, record: bytes) -> bytes:
        """The same ride for another sum, by somebody without the card's key."""
        (tap,) = unpack(record)
        return pack(replace(tap, fen=tap.fen + 1))

    def _copied(self, record: bytes, terminal: Terminal) -> bytes:
        """A copied card has the key: the same counter in another terminal's record, for another sum."""
        (tap,) = unpack(record)
        terminal.sequence += 1
        copy = replace(tap, terminal=terminal.number, sequence=terminal.sequence, fen=tap.fen + 1)
        self.copied[tap.card, tap.counter] = signed = self._keys.sign(pack(copy))
        return signed

    # --- the end of the day ---

    async def come_home(self) -> None:
        """Every terminal has brought everything, and every chip has been in a reader."""
        while any(terminal.kept for terminal in self.terminals):
            await asyncio.gather(*(self._bring(terminal, 1) for terminal in self.terminals))
        await asyncio.gather(*(self._meet(chip, chip.open_load) for chip in self.chips.values() if chip.open_load))

    def taps(self) -> Iterator[tuple[str, Tap, bool]]:
        """Each tap that was acknowledged, with the chip's account, and whether a copied card contradicts it."""
        accounts = {chip.number: chip.account for chip in self.chips.values()}
        for tap in unpack(b"".join(self.known)):
            yield accounts[tap.card], tap, (tap.card, tap.counter) in self.copied

    def booked(self) -> Mapping[str, int]:
        """What all acknowledged taps together have moved, in fen by account."""
        fen: Counter[str] = Counter()
        for account, tap, contradicted in self.taps():
            if not contradicted:
                to = chart.merchant(CITY, SENDER) if tap.fen <= CEILING_FEN else chart.suspense(CITY, "over-ceiling")
                fen[account] -= tap.fen
                fen[to] += tap.fen
        return fen

    def on_chips(self) -> Mapping[str, int]:
        """What the host must believe to be on each chip: what is there, and what it paid where nobody is believed."""
        fen = Counter({chip.account: chip.fen for chip in self.chips.values()})
        copies = {*self.copied.values()}
        for (account, tap, contradicted), record in zip(self.taps(), self.known, strict=True):
            if contradicted and record not in copies:
                fen[account] += tap.fen
        return fen
