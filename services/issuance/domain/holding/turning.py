"""How the functions of the card that counts stand, whenever something has happened on which they depend."""

from collections.abc import Sequence
from datetime import datetime

from services.ids import CardId, holding_of
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.functions import Grants, resting, stand
from services.issuance.domain.holding.events import FunctionState, FunctionsTurned
from services.issuance.domain.holding.state import Holding


def turned(
    holding: Holding, card_id: CardId, under: IssuanceBylaw, at: datetime, before: Sequence[FunctionState] = ()
) -> list[FunctionsTurned]:
    """All functions of a card as they now stand, if any of them stands otherwise than it was told last."""
    opened = [one.function for one in holding.opened]
    functions = stand(under.catalogue, grants_of(holding), opened, before or holding.functions)
    life = holding.life_of(card_id)
    return _told(holding, card_id, resting(functions) if life and life.out_of_date(at) else functions, at)


def rested(holding: Holding, card_id: CardId, at: datetime) -> list[FunctionsTurned]:
    """The functions of a card whose validity has ended."""
    return _told(holding, card_id, resting(holding.functions), at)


def grants_of(holding: Holding) -> Grants:
    """What identity has said last of each function."""
    if not holding.verdicts:
        return Grants(functions=(), because="no verdict on the holder's entitlement has come yet")
    verdict = holding.verdicts[-1]
    return Grants(functions=verdict.functions, because="the holder's entitlement does not name this function")


def _told(
    holding: Holding, card_id: CardId, functions: tuple[FunctionState, ...], at: datetime
) -> list[FunctionsTurned]:
    if functions == holding.functions:
        return []
    return [FunctionsTurned(holding_id=holding_of(card_id), card_id=card_id, functions=functions, at=at)]
