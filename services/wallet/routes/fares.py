"""The table of fares, open to everybody: what a trip costs, and by which rule (domain facts 3.5)."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from libs.web.access import allowed
from libs.web.bodies import When
from libs.web.call import Call
from libs.web.problems import refusals
from services.wallet.adapters.fares import FareBylaws, NoFares
from services.wallet.domain.fares import fare as fares
from services.wallet.domain.fares.bylaw import FARE_MAX_FEN, Concession
from services.wallet.domain.money import AMOUNT_MAX_FEN
from services.wallet.routes.hands import Hands
from services.wallet.views import FareView, fare_view

Name = Annotated[str, Query(max_length=40)]
Fen = Annotated[int, Query(ge=0, le=AMOUNT_MAX_FEN)]


def fare_table(routes: APIRouter, hands: Hands, bylaws: FareBylaws) -> None:
    """Hang the table out."""

    @routes.get(
        "/v1/fares/{programme}",
        responses=refusals(
            NoFares, fares.ServiceWithoutTariff, fares.ProductUnknown, fares.LineNotCovered, fares.SameVehicleAgain,
            fares.DistanceImpossible, fares.AboveTheCeiling, fares.ClaimTooLate, fares.DebtOpen, fares.BalanceShort,
        ),
        dependencies=[allowed("wallet:ask-fare")],
    )  # fmt: skip
    async def what_a_trip_costs(
        programme: Annotated[str, Path(max_length=40, description="The programme of the card, as `citizen-card`.")],
        call: Call,
        city: Annotated[str, Query(pattern="^[0-9]{6}$", description="The city's area code (GB/T 2260).")],
        service: Annotated[str, Query(max_length=40, description="For example `bus`; the city's tariffs list them.")],
        line: Name = "",
        vehicle: Name = "",
        at: Annotated[When | None, Query(description="When the rider boards; now, if it is left out.")] = None,
        distance_m: Annotated[
            int | None,
            Query(
                description="How long the way is; left out while nobody knows the end: by distance, it is incomplete."
            ),
        ] = None,
        claimed_at: Annotated[
            When | None,
            Query(description="When the rider said where an incomplete trip had ended, `distance_m` from its start."),
        ] = None,
        product: Annotated[str, Query(max_length=40, description="How the trip is paid: `purse`, `code` …")] = "purse",
        concession: Concession = Concession.NONE,
        month_total_fen: Annotated[
            int, Query(ge=0, le=AMOUNT_MAX_FEN, description="What counted this month before this trip.")
        ] = 0,
        first_top_up_fen: Fen = 0,
        before_service: Name = "",
        before_vehicle: Name = "",
        before_at: Annotated[
            When | None, Query(description="When the rider boarded before; left out if there was no such boarding.")
        ] = None,
        before_transferred: Annotated[
            bool, Query(description="Whether the transfer discount was used up by it.")
        ] = False,
        balance_fen: Annotated[
            int | None,
            Query(ge=-FARE_MAX_FEN, le=AMOUNT_MAX_FEN, description="What the rider has, to be told what is left."),
        ] = None,
    ) -> FareView:
        """The price of one trip by the tariff of its day, step by step, with the legal basis of each. Nothing is
        charged, and nothing is written down."""
        call.allow(city=city)
        at = at or hands.city.now()
        under = bylaws.at(city, programme, at)
        trip = fares.Boarding(service=service, line=line, vehicle=vehicle, at=at, distance_m=distance_m)
        rider = fares.Rider(
            product=product,
            concession=concession,
            month_total_fen=month_total_fen,
            first_top_up_fen=first_top_up_fen,
            before=None
            if before_at is None
            else fares.Before(
                service=before_service, vehicle=before_vehicle, at=before_at, transferred=before_transferred
            ),
        )
        if claimed_at is None:
            fare = fares.price(trip, rider, under)
        else:
            open_end = fares.Boarding(service=trip.service, line=trip.line, vehicle=trip.vehicle, at=at)
            fare = fares.correct(fares.price(open_end, rider, under), trip, rider, claimed_at, under)
        left = None if balance_fen is None else fares.ride(balance_fen, fare.fen, under)
        return fare_view(fare, left, bylaws.why(city, trip, rider, fare, programme))
