"""How a batch stands, seat by seat."""

from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from libs.kernel import state, value
from services.ids import HoldingId
from services.issuance.domain.batch.events import (
    BatchDispatched,
    BatchOpened,
    BatchReceived,
    BatchSent,
    Event,
    PlasticLeft,
    ReturnRead,
    SeatFilled,
    SeatVoided,
)


class Piece(StrEnum):
    """Where the plastic of a seat is."""

    OFFERED = "offered"
    VOID = "void"
    IN_WORK = "in_work"
    GOOD = "good"
    SPOILED = "spoiled"
    HANDED_OVER = "handed_over"
    RECALLED = "recalled"
    DESTROYED = "destroyed"


class Stage(StrEnum):
    """Where the batch as a whole is."""

    ABSENT = "absent"
    FORMING = "forming"
    PRODUCING = "producing"
    IN_TRANSIT = "in_transit"
    AT_OUTLET = "at_outlet"


@value
class Seat:
    holding_id: HoldingId
    card_number: str
    piece: Piece = Piece.OFFERED
    ident: str = ""
    box: str = ""
    reason: str = ""
    unwanted: bool = False


@state
class Batch:
    """At every moment ordered = good + spoiled + in work; what was handed over or recalled was good once."""

    stage: Stage = Stage.ABSENT
    programme: str = ""
    outlet: str = ""
    seats: tuple[Seat, ...] = ()

    def count(self, *pieces: Piece) -> int:
        return sum(seat.piece in pieces for seat in self.seats)

    @property
    def ordered(self) -> int:
        return len(self.seats) - self.count(Piece.OFFERED, Piece.VOID)

    @property
    def good(self) -> int:
        return self.count(Piece.GOOD, Piece.HANDED_OVER, Piece.RECALLED, Piece.DESTROYED)


def evolve(batch: Batch, fact: Event) -> Batch:
    match fact:
        case BatchOpened():
            seats = tuple(Seat(holding_id=holding, card_number=number) for holding, number in fact.seats)
            return Batch(stage=Stage.FORMING, programme=fact.programme, outlet=fact.outlet, seats=seats)
        case SeatFilled():
            return _seated(batch, fact.seat, piece=Piece.IN_WORK)
        case SeatVoided():
            return _seated(batch, fact.seat, piece=Piece.VOID)
        case BatchSent():
            return replace(batch, stage=Stage.PRODUCING)
        case ReturnRead():
            for made in fact.made:
                batch = _seated(batch, made.seat, piece=Piece.GOOD, ident=made.ident, box=made.box)
            for failed in fact.failed:
                batch = _seated(batch, failed.seat, piece=Piece.SPOILED, reason=failed.reason)
            return batch
        case BatchDispatched():
            return replace(batch, stage=Stage.IN_TRANSIT)
        case BatchReceived():
            seats = tuple(
                replace(seat, piece=Piece.RECALLED) if seat.unwanted and seat.piece is Piece.GOOD else seat
                for seat in batch.seats
            )
            return replace(batch, stage=Stage.AT_OUTLET, seats=seats)
        case PlasticLeft():
            if batch.stage is Stage.AT_OUTLET:
                return _seated(batch, fact.seat, piece=Piece(fact.how))
            return _seated(batch, fact.seat, unwanted=True)
        case _:
            assert_never(fact)


def _seated(batch: Batch, seat: int, **change: object) -> Batch:
    seats = list(batch.seats)
    seats[seat - 1] = replace(seats[seat - 1], **change)  # type: ignore[arg-type]
    return replace(batch, seats=tuple(seats))
