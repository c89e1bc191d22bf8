"""The price of a trip, step by step, so that the rider can be told why.

A rider pays the better of what the concession and what the product give, never both; the transfer discount comes on top
of either (Hangzhou 2023). Every percentage is taken once, and rounded half up to the fen.
"""

from datetime import datetime

from libs.kernel import Clash, Missing, Unfit, value
from libs.kernel.calendar import shanghai_day
from services.wallet.domain.fares.bylaw import Concession, FareBylaw, Product, Tariff

DISTANCE_MAX_M = 500_000


class ServiceWithoutTariff(Missing):
    """No tariff holds for {service} on that day; name a service that the city's fares list."""


class ProductUnknown(Missing):
    """The city knows no way of paying called {product}; name one that its fares list."""


class LineNotCovered(Clash):
    """This way of paying is not taken on line {line}; pay from the purse."""


class SameVehicleAgain(Clash):
    """This was read on the same vehicle a moment ago and has paid; it can be read there again {minutes} minutes after
    the first time. Nothing was charged."""


class DistanceImpossible(Unfit):
    """A trip is between 0 and 500 kilometres long; nothing was charged. Check the two stations."""


class AboveTheCeiling(Clash):
    """A single trip by {service} costs at most {ceiling_fen} fen, and this would cost {fen}; nothing was charged. The
    amount is looked into."""


class DebtOpen(Clash):
    """The last ride left a debt of {debt_fen} fen; top up first, then ride."""


class BalanceShort(Clash):
    """The balance does not cover this ride by {short_fen} fen; top up first, then ride."""


class ClaimTooLate(Clash):
    """An incomplete trip can be corrected for {days} days, and those are over; ask at a service hall."""


@value
class Boarding:
    """One boarding with a credential: where, when, and how long the way was.

    `distance_m` is None while nobody knows the end: for a tariff by distance the trip is then incomplete.
    """

    service: str
    line: str
    vehicle: str
    at: datetime
    distance_m: int | None = None


@value
class Before:
    """The boarding before this one, and whether a transfer discount was used up by it."""

    service: str
    vehicle: str
    at: datetime
    transferred: bool = False


@value
class Rider:
    """What is known of the credential at the gate. `month_total_fen` is what counted this month before this trip."""

    product: str
    concession: Concession = Concession.NONE
    month_total_fen: int = 0
    first_top_up_fen: int = 0
    before: Before | None = None


@value
class Step:
    """One rule that made the trip cheaper, and by how many fen."""

    rule: str
    off_fen: int


@value
class Fare:
    """What a trip costs and why. `counts_fen` is what it adds to the month's running total."""

    base_fen: int
    steps: tuple[Step, ...]
    fen: int
    counts_fen: int = 0
    transferred: bool = False
    incomplete: bool = False
    """The end was not recorded: an entry of its own, which the rider may have corrected."""


def percent_of(fen: int, percent: int) -> int:
    """A share in fen, half up: 91 % of 200 is 182."""
    return (fen * percent + 50) // 100


def base_fare(tariff: Tariff, distance_m: int) -> int:
    """What a way costs before any discount (Hangzhou metro: 2 CNY to 4 km; 9.65 km are 4 CNY). Raises
    DistanceImpossible."""
    if not 0 <= distance_m <= DISTANCE_MAX_M:
        raise DistanceImpossible
    fen, start = tariff.base_fen, tariff.base_m
    for band in tariff.bands:
        if distance_m <= start:
            break
        end = distance_m if band.until_m is None else min(distance_m, band.until_m)
        fen += -(-(end - start) // band.every_m) * band.add_fen
        start = end
    return fen


def price(trip: Boarding, rider: Rider, under: FareBylaw) -> Fare:
    """What this boarding costs this rider.

    Raises ServiceWithoutTariff, ProductUnknown, LineNotCovered, SameVehicleAgain, DistanceImpossible, AboveTheCeiling.
    """
    tariff, product = under.tariffs.get(trip.service), under.products.get(rider.product)
    if tariff is None:
        raise ServiceWithoutTariff(under.by("tariffs"), service=trip.service)
    if product is None:
        raise ProductUnknown(under.by("products"), product=rider.product)
    if product.lines is not None and trip.line not in product.lines:
        raise LineNotCovered(under.by("products", rider.product), line=trip.line)
    _refuse_passback(trip, rider, product, under)
    if tariff.by_distance and trip.distance_m is None:
        return Fare(base_fen=tariff.incomplete_fen, steps=(), fen=tariff.incomplete_fen, incomplete=True)
    base = base_fare(tariff, trip.distance_m or 0)
    if base > tariff.ceiling_fen:
        by = under.by("tariffs", trip.service)
        raise AboveTheCeiling(by, service=trip.service, ceiling_fen=tariff.ceiling_fen, fen=base)
    steps = []
    if better := _discount(base, trip, rider, product, under):
        steps.append(better)
    fen = base - sum(step.off_fen for step in steps)
    transferred = _transfers(trip, rider, under)
    if transferred and under.transfer is not None and (off := min(under.transfer.off_max_fen, fen)):
        steps.append(Step(rule="transfer", off_fen=off))
        fen -= off
    counts = product.ladder is not None and trip.line not in product.ladder.excluded_lines
    return Fare(base_fen=base, steps=tuple(steps), fen=fen, counts_fen=fen if counts else 0, transferred=transferred)


def correct(incomplete: Fare, trip: Boarding, rider: Rider, claimed_at: datetime, under: FareBylaw) -> Fare:
    """An incomplete trip whose end has become known: the true price; the difference is the rider's. Raises ClaimTooLate
    and what `price` raises."""
    if not incomplete.incomplete:
        return incomplete
    if (shanghai_day(claimed_at) - shanghai_day(trip.at)).days > under.claim_days:
        raise ClaimTooLate(under.by("claim_days"), days=under.claim_days)
    return price(trip, rider, under)


def ride(balance_fen: int, fare_fen: int, under: FareBylaw) -> int:
    """The balance after a ride; below zero once and bounded, where the city allows it. Raises DebtOpen,
    BalanceShort."""
    if fare_fen == 0:
        return balance_fen
    if balance_fen < 0:
        raise DebtOpen(under.by("credit_max_fen"), debt_fen=-balance_fen)
    left = balance_fen - fare_fen
    if left < -under.credit_max_fen:
        raise BalanceShort(under.by("credit_max_fen"), short_fen=-left)
    return left


def clear_debt(balance_fen: int, top_up_fen: int) -> tuple[int, int]:
    """How a top-up is used: what clears a debt first, and what is left to spend."""
    cleared = min(max(0, -balance_fen), top_up_fen)
    return cleared, top_up_fen - cleared


def _refuse_passback(trip: Boarding, rider: Rider, product: Product, under: FareBylaw) -> None:
    last = rider.before
    if not product.passback_min or last is None or last.vehicle != trip.vehicle:
        return
    if 0 <= (trip.at - last.at).total_seconds() < product.passback_min * 60:
        raise SameVehicleAgain(under.by("products", rider.product), minutes=product.passback_min)


def _discount(base: int, trip: Boarding, rider: Rider, product: Product, under: FareBylaw) -> Step | None:
    """The better of concession and product, if either gives anything."""
    offers = [("product", product.percent)]
    ladder = product.ladder
    climbs = ladder is not None and rider.first_top_up_fen >= ladder.first_top_up_min_fen
    if ladder is not None and climbs and trip.line not in ladder.excluded_lines:
        offers.append(("monthly_ladder", ladder.percent(rider.month_total_fen)))
    if relief := under.reliefs.get(rider.concession):
        peak = under.peak.holds(trip.at)
        offers.append((rider.concession.value, relief.peak_percent if peak else relief.off_peak_percent))
    rule, percent = min(offers, key=lambda offer: offer[1])
    off = base - percent_of(base, percent)
    return Step(rule=rule, off_fen=off) if off else None


def _transfers(trip: Boarding, rider: Rider, under: FareBylaw) -> bool:
    last, transfer = rider.before, under.transfer
    if transfer is None or last is None or last.transferred or last.vehicle == trip.vehicle:
        return False
    if {last.service, trip.service} <= transfer.never_between:
        return False
    return transfer.holds(trip.at - last.at)
