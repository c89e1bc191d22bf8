"""How a card leaves the counter: into the right hand, into the post, to another outlet, or to be destroyed."""

from collections.abc import Sequence

from libs.kernel import Clash, Forbidden, Missing, Unfit
from services.issuance.domain.applying import Way
from services.issuance.domain.collecting import By
from services.issuance.domain.holding.commands import (
    CloseCase,
    DestroyCard,
    HandOver,
    MailCard,
    RemindHolder,
    SendOn,
)
from services.issuance.domain.holding.events import (
    CardDestroyed,
    CardMailed,
    CardSentOn,
    CaseClosed,
    CollectionReminded,
    Event,
)
from services.issuance.domain.holding.state import AtOutlet, Good, Holding, InHand, InWork
from services.issuance.domain.papers import Shown, Whose, check

ELSEWHERE = "issuance.collecting.elsewhere"
SHOWN = "issuance.collecting.shown"


class CardUnknown(Missing):
    """There is no card {card_id}; check the number."""


class NotReadyYet(Clash):
    """Card {card_id} is not at an outlet yet; follow its progress with the receipt number."""


class CardElsewhere(Forbidden):
    """Card {card_id} lies at another outlet: {outlet}. It is collected where it was applied for."""


class AlreadyHandedOver(Clash):
    """Card {card_id} was handed over before; if that was not the holder, report it lost at once."""


class DocumentNotAccepted(Unfit):
    """This document is not accepted for collecting a card; bring one of: {documents}."""


class AgentNotAllowed(Forbidden):
    """In this city the holder must come herself."""


class NoticeNotShown(Unfit):
    """Here a card is collected with a valid document and the collection notice; show the message that you were sent."""


class ReceiptNeeded(Unfit):
    """Here a card is collected with the receipt of the application; bring it."""


class ReceiptWrong(Unfit):
    """This receipt belongs to another application; bring the one that you were given for this card."""


class FingerprintNeeded(Unfit):
    """Here the holder's fingerprint is compared before a card is handed over; take it, or take it again."""


class FingerprintMismatch(Clash):
    """The fingerprint is not that of the card's holder: card {card_id} stays here, and a case was opened."""


class CaseOpen(Clash):
    """Card {card_id} is not handed over while its case is open; the centre must close it first."""


class ArrangedOtherwise(Clash):
    """It was arranged on application that this card is collected by: {way}; that cannot be changed any more."""


class NotThisUnitsCard(Forbidden):
    """Card {card_id} was not applied for through this unit; its holder collects it herself."""


class UnitNotAllowed(Forbidden):
    """In this programme holders, and not their units, collect the cards."""


class NotByMail(Clash):
    """Card {card_id} was not arranged to come by mail; it is collected at its outlet."""


class NotInThePost(Clash):
    """Card {card_id} is not in the post; it is collected at its outlet."""


class CollectedWhereAppliedFor(Clash):
    """A card of this programme is collected where it was applied for."""


def at_the_counter(asked: HandOver | MailCard | SendOn, holding: Holding) -> AtOutlet:
    """The card as it lies at this outlet. Raises why it does not."""
    match holding.coming:
        case AtOutlet(plastic=plastic) as there if plastic.card_id == asked.card_id:
            if there.outlet != asked.outlet:
                raise CardElsewhere(asked.under.by(ELSEWHERE), card_id=asked.card_id, outlet=there.outlet)
            return there
        case InHand(plastic=plastic) if plastic.card_id == asked.card_id:
            raise AlreadyHandedOver(card_id=asked.card_id)
        case InWork(plastic=plastic) | Good(plastic=plastic) if plastic.card_id == asked.card_id:
            raise NotReadyYet(card_id=asked.card_id)
    if holding.life_of(asked.card_id) is not None:
        raise AlreadyHandedOver(card_id=asked.card_id)
    raise CardUnknown(card_id=asked.card_id)


def may_take(asked: HandOver, there: AtOutlet) -> None:
    """Whether whoever stands at the counter may have the card. Raises why not."""
    rules = asked.under.collecting
    by = By.AGENT if asked.taker is By.HOLDER and asked.agent_document else asked.taker
    if there.case:
        raise CaseOpen(card_id=asked.card_id)
    if by is By.MAIL and not there.tracking:
        raise NotInThePost(card_id=asked.card_id)
    if asked.document not in asked.under.collection_documents and by is not By.UNIT:
        accepted = asked.under.by("programme.issuance.collection_documents")
        raise DocumentNotAccepted(accepted, documents=", ".join(sorted(asked.under.collection_documents)))
    if asked.under.applying.way_frozen and by in (By.HOLDER, By.AGENT) and _way_of(by) is not there.order.way:
        raise ArrangedOtherwise(asked.under.by("issuance.applying.delivery"), way=there.order.way.value)
    shown = [Shown(kind=asked.document), *asked.papers]
    match by:
        case By.AGENT | By.GUARDIAN:
            if not asked.under.agent_may_collect:
                raise AgentNotAllowed(asked.under.by("programme.issuance.agent_may_collect"))
            if asked.agent_document:
                shown.append(Shown(kind=asked.agent_document, whose=Whose.AGENT))
            check(rules.papers_of_agents, shown, asked.under.by)
        case By.UNIT:
            if not rules.units:
                raise UnitNotAllowed(asked.under.by("issuance.collecting.papers_of_units"))
            if not asked.unit or asked.unit != there.order.unit:
                raise NotThisUnitsCard(asked.under.by("issuance.collecting.papers_of_units"), card_id=asked.card_id)
            check(rules.papers_of_units, asked.papers, asked.under.by)
    if by is By.HOLDER and rules.notice and not asked.notice:
        raise NoticeNotShown(asked.under.by(SHOWN))
    if asked.receipt == "wrong":
        raise ReceiptWrong
    if rules.receipt and by is not By.UNIT and not asked.receipt:
        raise ReceiptNeeded(asked.under.by(SHOWN))
    if rules.fingerprint and by is By.HOLDER and asked.fingerprint not in ("match", "mismatch"):
        raise FingerprintNeeded(asked.under.by(SHOWN))


def _way_of(by: By) -> Way:
    return Way.AGENT if by is By.AGENT else Way.COUNTER


def mail(asked: MailCard, holding: Holding) -> Sequence[Event]:
    """Only a card for which the post was arranged goes into the post, once."""
    there = at_the_counter(asked, holding)
    if there.tracking:
        return []
    if there.order.way is not Way.MAIL:
        raise NotByMail(asked.under.by("issuance.applying.delivery"), card_id=asked.card_id)
    assert holding.person_id is not None
    return [
        CardMailed(
            holding_id=asked.holding_id,
            person_id=holding.person_id,
            application_id=there.order.application_id,
            card_id=asked.card_id,
            tracking=asked.tracking,
            at=asked.at,
        )
    ]


def send_on(asked: SendOn, holding: Holding) -> Sequence[Event]:
    """To another outlet, where the city allows that; how long it is kept was counted at its first arrival."""
    match holding.coming:
        case AtOutlet(plastic=plastic, outlet=outlet) if (plastic.card_id, outlet) == (asked.card_id, asked.to):
            return []
    there = at_the_counter(asked, holding)
    if not asked.under.collecting.elsewhere:
        raise CollectedWhereAppliedFor(asked.under.by(ELSEWHERE))
    assert holding.person_id is not None
    return [
        CardSentOn(
            holding_id=asked.holding_id,
            person_id=holding.person_id,
            application_id=there.order.application_id,
            card_id=asked.card_id,
            outlet=asked.to,
            kept_until=there.kept_until,
            at=asked.at,
        )
    ]


def close_case(asked: CloseCase, holding: Holding) -> Sequence[Event]:
    match holding.coming:
        case AtOutlet(plastic=plastic, case=case) if plastic.card_id == asked.card_id:
            if not case:
                return []
            return [CaseClosed(holding_id=asked.holding_id, card_id=asked.card_id, finding=asked.finding, at=asked.at)]
    raise CardUnknown(card_id=asked.card_id)


def remind(asked: RemindHolder, holding: Holding) -> Sequence[Event]:
    """Whoever has come in the meantime is not reminded; whoever has not hears it at its own hour, however late."""
    match holding.coming:
        case AtOutlet(order=order, plastic=plastic, tracking="") as there if (
            plastic.card_id == asked.card_id and asked.at not in there.reminded
        ):
            assert holding.person_id is not None
            return [
                CollectionReminded(
                    holding_id=asked.holding_id,
                    person_id=holding.person_id,
                    application_id=order.application_id,
                    card_id=asked.card_id,
                    outlet=there.outlet,
                    kept_until=there.kept_until,
                    at=asked.at,
                )
            ]
    return []


def destroy(asked: DestroyCard, holding: Holding) -> Sequence[Event]:
    if asked.card_id not in holding.returned:
        return []
    return [
        CardDestroyed(
            holding_id=asked.holding_id, card_id=asked.card_id, batch_id=asked.batch_id, seat=asked.seat, at=asked.at
        )
    ]
