"""The counters, the tills and the books of the wallet, over HTTP."""

from fastapi import APIRouter

from services.wallet.adapters.fares import FareBylaws
from services.wallet.routes.books import books
from services.wallet.routes.cases import cases
from services.wallet.routes.chip import chip
from services.wallet.routes.corrections import corrections
from services.wallet.routes.counter import counter
from services.wallet.routes.fares import fare_table
from services.wallet.routes.hands import Hands
from services.wallet.routes.hotlist import hotlist
from services.wallet.routes.refunds import refunds
from services.wallet.routes.statements import StatementCounter, statements
from services.wallet.routes.taps import TapCounter, taps
from services.wallet.routes.till import till
from services.wallet.routes.why import why


def router(
    hands: Hands, counter_of_taps: TapCounter, tariffs: FareBylaws, counter_of_statements: StatementCounter
) -> APIRouter:
    """All doors of the wallet."""
    routes = APIRouter(tags=["wallet"])
    counter(routes, hands)
    chip(routes, hands)
    till(routes, hands)
    books(routes, hands)
    corrections(routes, hands)
    taps(routes, hands, counter_of_taps)
    cases(routes, hands, counter_of_taps)
    hotlist(routes, hands, counter_of_taps)
    fare_table(routes, hands, tariffs)
    refunds(routes, hands, counter_of_statements.bylaws)
    statements(routes, hands, counter_of_statements)
    why(routes, hands, counter_of_taps)
    return routes
