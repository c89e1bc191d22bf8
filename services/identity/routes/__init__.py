"""The doors of identity: the counter, where people are known, and the ramp, where departments deliver."""

from fastapi import APIRouter

from libs.kernel.clocks import Clock
from libs.runtime.citypack import CityPacks
from libs.runtime.service import Desks
from services.identity.adapters.bylaws import DataSharing
from services.identity.adapters.eligibility import Eligibility
from services.identity.adapters.intake import Agreements, Intake
from services.identity.adapters.merges import Merges
from services.identity.adapters.pairs import Pairs
from services.identity.adapters.people import People
from services.identity.projections import IdentityQuestions
from services.identity.routes.corrections import corrections
from services.identity.routes.deliveries import deliveries
from services.identity.routes.merges import merges
from services.identity.routes.people import router as people_routes


def router(
    desks: Desks,
    together: Merges,
    people: People,
    sharing: DataSharing,
    eligibility: Eligibility,
    packs: CityPacks,
    city: Clock,
    intake: Intake,
    agreements: Agreements,
    questions: IdentityQuestions,
) -> APIRouter:
    pairs = Pairs(people, desks["person"], desks["duplicate"])
    routes = people_routes(desks["person"], people, pairs, sharing, eligibility, packs, city)
    merges(routes, desks["person"], together)
    corrections(routes, desks["person"], people, city)
    deliveries(routes, desks["delivery"], intake, agreements, questions, city)
    return routes
