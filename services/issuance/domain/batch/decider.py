"""Every piece of plastic is somewhere: ordered, in work, good, spoiled, in a drawer, in a hand."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Forbidden, Missing, Unfit
from services.issuance.domain.batch.commands import (
    Command,
    DispatchBatch,
    OpenBatch,
    PlasticGone,
    ReadReturn,
    ReceiveBatch,
    ReturnRow,
    SeatTaken,
    SeatVoid,
    SendBatch,
)
from services.issuance.domain.batch.events import (
    BatchDispatched,
    BatchOpened,
    BatchReceived,
    BatchSent,
    Event,
    Failed,
    Made,
    PlasticLeft,
    ReturnRead,
    SeatFilled,
    SeatVoided,
)
from services.issuance.domain.batch.state import Batch, Piece, Seat, Stage, evolve
from services.issuance.domain.holding.commands import NoteArrival, NoteProduced, NoteSpoiled, TakeSeat


class BatchUnknown(Missing):
    """There is no such batch; check its number."""


class StillForming(Clash):
    """{seats} seats of this batch have not been answered yet; try again in a moment."""


class NothingOrdered(Clash):
    """No seat of this batch was taken; there is nothing to produce."""


class NotInProduction(Clash):
    """This batch is {stage}, not in production; no return file is expected for it."""


class CountWrong(Unfit):
    """The file's last line declares {declared} cards, but {found} lines came; nothing was read. Send the whole file."""


class CardNotInBatch(Unfit):
    """Line {line}: this card number does not belong to the batch; nothing was read. Correct the file, send it again."""


class CardTwice(Unfit):
    """Line {line}: this card or its chip stands in the file or the batch already; nothing was read."""


class IdentMissing(Unfit):
    """Line {line}: a good card needs the identification code of its chip; nothing was read."""


class AlreadyReturned(Clash):
    """Line {line}: this card was returned before as {piece}; nothing was read. Leave it out of the file."""


class StillInWork(Clash):
    """{count} cards of this batch are still in work; read their return file first."""


class NotOnItsWay(Clash):
    """This batch is {stage}, so nothing can be counted in."""


class WrongOutlet(Forbidden):
    """This batch goes to outlet {outlet}; only they can count it in."""


class CountDiffers(Clash):
    """{counted} cards were counted, but {expected} were sent; count again, and call the vendor if it stays so."""


def decide(command: Command, batch: Batch) -> Sequence[Event]:
    match command:
        case OpenBatch():
            return open_(command, batch)
        case SeatTaken():
            return fill_seat(command, batch)
        case SeatVoid():
            return void_seat(command, batch)
        case SendBatch():
            return send(command, batch)
        case ReadReturn():
            return read_return(command, batch)
        case DispatchBatch():
            return dispatch(command, batch)
        case ReceiveBatch():
            return receive(command, batch)
        case PlasticGone():
            return plastic_gone(command, batch)
        case _:
            assert_never(command)


def open_(asked: OpenBatch, batch: Batch) -> Sequence[Event]:
    if batch.stage is not Stage.ABSENT:
        return []
    return [
        BatchOpened(
            batch_id=asked.batch_id, programme=asked.programme, outlet=asked.outlet, seats=asked.seats, at=asked.at
        )
    ]


def fill_seat(asked: SeatTaken, batch: Batch) -> Sequence[Event]:
    if not _offered(batch, asked.seat):
        return []
    return [SeatFilled(batch_id=asked.batch_id, seat=asked.seat, at=asked.at)]


def void_seat(asked: SeatVoid, batch: Batch) -> Sequence[Event]:
    if not _offered(batch, asked.seat):
        return []
    return [SeatVoided(batch_id=asked.batch_id, seat=asked.seat, at=asked.at)]


def send(asked: SendBatch, batch: Batch) -> Sequence[Event]:
    if batch.stage is Stage.ABSENT:
        raise BatchUnknown
    if batch.stage is not Stage.FORMING:
        return []
    if open_seats := batch.count(Piece.OFFERED):
        raise StillForming(seats=open_seats)
    if not batch.ordered:
        raise NothingOrdered
    return [BatchSent(batch_id=asked.batch_id, at=asked.at)]


def read_return(asked: ReadReturn, batch: Batch) -> Sequence[Event]:
    """A file is read whole or not at all; lines that say again what is known change nothing."""
    if batch.stage is Stage.ABSENT:
        raise BatchUnknown
    if batch.stage is not Stage.PRODUCING:
        raise NotInProduction(stage=batch.stage.value.replace("_", " "))
    if asked.declared != len(asked.rows):
        raise CountWrong(declared=asked.declared, found=len(asked.rows))
    seats = {seat.card_number: (nth, seat) for nth, seat in enumerate(batch.seats, 1)}
    numbers = Counter(row.card_number for row in asked.rows)
    idents = Counter(row.ident for row in asked.rows if row.ident)
    idents.update(seat.ident for seat in batch.seats if seat.ident)
    made: list[Made] = []
    failed: list[Failed] = []
    for row in asked.rows:
        nth, seat = seats.get(row.card_number, (0, None))
        if seat is None or seat.piece in (Piece.OFFERED, Piece.VOID):
            raise CardNotInBatch(line=row.line)
        if seat.piece is not Piece.IN_WORK:
            if not _says_the_same(row, seat):
                raise AlreadyReturned(line=row.line, piece=seat.piece.value)
            continue
        if numbers[row.card_number] > 1 or (row.ident and idents[row.ident] > 1):
            raise CardTwice(line=row.line)
        if row.failed_step:
            failed.append(Failed(seat=nth, holding_id=seat.holding_id, step=row.failed_step, reason=row.reason))
        elif not row.ident:
            raise IdentMissing(line=row.line)
        else:
            made.append(Made(seat=nth, holding_id=seat.holding_id, ident=row.ident, atr=row.atr, box=row.box))
    if not made and not failed:
        return []
    return [ReturnRead(batch_id=asked.batch_id, made=tuple(made), failed=tuple(failed), at=asked.at)]


def dispatch(asked: DispatchBatch, batch: Batch) -> Sequence[Event]:
    match batch.stage:
        case Stage.ABSENT:
            raise BatchUnknown
        case Stage.FORMING:
            raise NotInProduction(stage=batch.stage.value)
        case Stage.PRODUCING:
            if in_work := batch.count(Piece.IN_WORK):
                raise StillInWork(count=in_work)
            return [BatchDispatched(batch_id=asked.batch_id, at=asked.at)]
        case Stage.IN_TRANSIT | Stage.AT_OUTLET:
            return []
        case _:
            assert_never(batch.stage)


def receive(asked: ReceiveBatch, batch: Batch) -> Sequence[Event]:
    """Spoiled cards never reach an outlet (INV-16): what is counted in is what was good."""
    match batch.stage:
        case Stage.ABSENT:
            raise BatchUnknown
        case Stage.FORMING | Stage.PRODUCING:
            raise NotOnItsWay(stage=batch.stage.value)
        case Stage.AT_OUTLET:
            return []
        case Stage.IN_TRANSIT:
            if asked.outlet != batch.outlet:
                raise WrongOutlet(outlet=batch.outlet)
            good = tuple((n, s.holding_id) for n, s in enumerate(batch.seats, 1) if s.piece is Piece.GOOD)
            if asked.counted != len(good):
                raise CountDiffers(counted=asked.counted, expected=len(good))
            return [BatchReceived(batch_id=asked.batch_id, outlet=asked.outlet, seats=good, at=asked.at)]
        case _:
            assert_never(batch.stage)


def plastic_gone(asked: PlasticGone, batch: Batch) -> Sequence[Event]:
    if batch.stage is Stage.ABSENT:
        return []
    seat = batch.seats[asked.seat - 1]
    if asked.how == "destroyed":
        if seat.piece is not Piece.RECALLED:
            return []
        return [PlasticLeft(batch_id=asked.batch_id, seat=asked.seat, how=asked.how, at=asked.at)]
    if seat.unwanted or seat.piece not in (Piece.OFFERED, Piece.IN_WORK, Piece.GOOD):
        return []
    return [PlasticLeft(batch_id=asked.batch_id, seat=asked.seat, how=asked.how, at=asked.at)]


def due(fact: Event) -> Iterator[Due]:
    """What the holdings are asked and told; their own streams decide."""
    match fact:
        case BatchOpened():
            for nth, (holding, number) in enumerate(fact.seats, 1):
                offer = TakeSeat(holding_id=holding, batch_id=fact.batch_id, seat=nth, card_number=number, at=fact.at)
                yield Due(fact.at, offer)
        case ReturnRead():
            for made in fact.made:
                good = NoteProduced(
                    holding_id=made.holding_id,
                    batch_id=fact.batch_id,
                    seat=made.seat,
                    ident=made.ident,
                    at=fact.at,
                )
                yield Due(fact.at, good)
            for failed in fact.failed:
                spoiled = NoteSpoiled(
                    holding_id=failed.holding_id,
                    batch_id=fact.batch_id,
                    seat=failed.seat,
                    reason=f"{failed.step}: {failed.reason}",
                    at=fact.at,
                )
                yield Due(fact.at, spoiled)
        case BatchReceived():
            for nth, holding in fact.seats:
                arrived = NoteArrival(
                    holding_id=holding, batch_id=fact.batch_id, seat=nth, outlet=fact.outlet, at=fact.at
                )
                yield Due(fact.at, arrived)


def _offered(batch: Batch, seat: int) -> bool:
    return batch.stage is Stage.FORMING and batch.seats[seat - 1].piece is Piece.OFFERED


def _says_the_same(row: ReturnRow, seat: Seat) -> bool:
    if row.failed_step:
        return seat.piece is Piece.SPOILED and row.reason == seat.reason
    return seat.piece is not Piece.SPOILED and row.ident == seat.ident


batches: Decider[Command, Batch, Event] = Decider(Batch(), decide, evolve, due)
