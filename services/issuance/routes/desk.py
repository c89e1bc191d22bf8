"""What every door about a card needs: the bylaws of its day, a decision, and the card as it then stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.kernel.ids import city_of
from libs.web.call import CallContext
from services.ids import CardId, holding_of
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.state import Holding, InHand, Life
from services.issuance.domain.usability import usability
from services.issuance.routes.hands import Hands
from services.issuance.views import CardView, card_view


@dataclass(frozen=True)
class CardDesk:
    """The card desk, behind its doors."""

    hands: Hands

    async def decide(self, card_id: str, ask: Any, call: CallContext, reason: str = "") -> tuple[CardView, Holding]:
        """Have it decided, and show the card as it stood right then."""
        holding = holding_of(card_id)
        receipt = await call.handle(self.hands.desks["holding"], holding, ask, city=city_of(holding), reason=reason)
        return await self.view(card_id, receipt.state, self.since(card_id, receipt.state)), receipt.state

    def since(self, card_id: str, holding: Holding) -> datetime:
        """Since when the card works, or lies in its holder's hand."""
        match holding.life_of(CardId(card_id)), holding.coming:
            case Life(active_from=at), _:
                return at
            case _, InHand(since=at):
                return at
        return self.hands.city.now()

    def under(self, card_id: str, holding: Holding, at: datetime) -> IssuanceBylaw:
        """The bylaws under which this card is judged. Raises CardUnknown."""
        if not holding.programme:
            raise CardUnknown(card_id=card_id)
        return self.hands.bylaws.at(city_of(card_id), holding.programme, at)

    async def view(self, card_id: str, holding: Holding, at: datetime) -> CardView:
        """The card at an instant, and what it can be used for. Raises CardUnknown."""
        stops = await self.hands.questions.stops_of(CardId(card_id))
        life = holding.life_of(CardId(card_id))  # It bears what the bylaws gave it when it began to work, or later.
        moment = max(at, life.active_from) if life else self.hands.city.now()
        catalogue = self.under(card_id, holding, moment).catalogue
        functions = usability(CardId(card_id), at, holding, stops, catalogue)
        view = card_view(holding_of(card_id), CardId(card_id), holding, at, functions)
        if view is None:
            raise CardUnknown(card_id=card_id)
        return view
