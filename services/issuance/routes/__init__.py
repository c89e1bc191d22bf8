"""The doors of issuance: the counter, the production desk, the card desk and the public window."""

from fastapi import APIRouter

from libs.kernel.clocks import Clock
from libs.runtime.service import Desks
from libs.vault.port import Vault
from libs.web.limits import Guesses
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.ports import Fingerprints
from services.issuance.projections import IssuanceQuestions
from services.issuance.routes.cards import card
from services.issuance.routes.collection import collection
from services.issuance.routes.counter import counter
from services.issuance.routes.endorsing import endorsing
from services.issuance.routes.hands import Hands
from services.issuance.routes.override import override
from services.issuance.routes.production import production
from services.issuance.routes.units import units
from services.issuance.routes.why import why
from services.issuance.routes.window import window


def router(
    desks: Desks,
    bylaws: IssuanceBylaws,
    vault: Vault,
    questions: IssuanceQuestions,
    city: Clock,
    fingerprints: Fingerprints,
    guesses: Guesses,
) -> APIRouter:
    routes = APIRouter(tags=["issuance"])
    hands = Hands(desks, bylaws, vault, questions, city, fingerprints, guesses)
    for door in (counter, override, units, production, collection, card, endorsing, why, window):
        door(routes, hands)
    return routes
