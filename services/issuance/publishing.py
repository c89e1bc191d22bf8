"""Which facts of issuance the city is told, and in which words."""

import hashlib

from libs.messaging.contract import Contract
from services.ids import holding_of_application
from services.issuance import contracts as told
from services.issuance.domain.application import events as paper
from services.issuance.domain.batch import events as batch
from services.issuance.domain.holding import events as holding
from services.issuance.domain.series import events as series
from services.issuance.domain.unit import events as unit


def receipt_hash(receipt: str) -> str:
    """What the city may know of a receipt number: enough to find its application, not enough to guess it."""
    return hashlib.sha256(receipt.encode()).hexdigest()


def tell_of_application(fact: paper.Event) -> Contract | None:
    at = fact.at
    holding_id = holding_of_application(fact.application_id)
    match fact:
        case paper.ApplicationSubmitted():
            return told.ApplicationSubmitted(
                application_id=fact.application_id,
                holding_id=holding_id,
                person_id=fact.person_id,
                programme=fact.programme,
                outlet=fact.outlet,
                receipt_hash=receipt_hash(fact.receipt),
                at=at,
                channel=fact.channel.value,
                unit=fact.unit,
            )
        case paper.WayChosen():
            return told.DeliveryChosen(
                application_id=fact.application_id, holding_id=holding_id, way=fact.way.value, at=at
            )
        case paper.SupplementAsked() | paper.ReviewQuestioned():
            return told.SupplementAsked(
                application_id=fact.application_id,
                holding_id=holding_id,
                person_id=fact.person_id,
                reason=fact.reason,
                until=fact.until,
                at=at,
                portrait=list(fact.portrait) if isinstance(fact, paper.SupplementAsked) else [],
            )
        case paper.ApplicationSupplemented():
            return told.ApplicationSupplemented(application_id=fact.application_id, holding_id=holding_id, at=at)
        case paper.ApplicationAccepted():
            return told.ApplicationAccepted(
                application_id=fact.application_id,
                holding_id=holding_id,
                person_id=fact.person_id,
                promised_by=fact.promised_by,
                at=at,
                provisional=fact.provisional,
                fee_fen=fact.fee_fen,
                fee_approval=fact.fee_approval,
            )
        case paper.ReviewAsked():
            return told.ReviewAsked(
                application_id=fact.application_id,
                holding_id=holding_id,
                person_id=fact.person_id,
                authority=fact.authority,
                review_by=fact.review_by,
                at=at,
            )
        case paper.ReviewPassed():
            return told.ReviewPassed(application_id=fact.application_id, holding_id=holding_id, at=at)
        case paper.ReviewOverdue():
            return told.ReviewOverdue(
                application_id=fact.application_id, holding_id=holding_id, authority=fact.authority, at=at
            )
        case paper.ApplicationRejected() | paper.ReviewRefused():
            return told.ApplicationRejected(
                application_id=fact.application_id,
                holding_id=holding_id,
                person_id=fact.person_id,
                reason=fact.reason,
                at=at,
            )
        case paper.ApplicationWithdrawn():
            return told.ApplicationWithdrawn(
                application_id=fact.application_id, holding_id=holding_id, reason=fact.reason, at=at
            )


def tell_of_holding(fact: holding.Event) -> Contract | None:
    match fact:
        case holding.CardOrdered(approved=False):
            return told.CardWaiting(application_id=fact.application_id, holding_id=fact.holding_id, at=fact.at)
        case holding.CardOrdered() | holding.CardApproved():
            return told.CardApproved(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                programme=fact.programme,
                outlet=fact.outlet,
                kind=fact.kind.value,
                at=fact.at,
            )
        case holding.CardDeclined():
            return told.NewCardDeclined(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                kind=fact.kind.value,
                old_card_id=fact.old_card_id,
                reason=fact.reason,
                at=fact.at,
            )
        case holding.CardReserved():
            return told.CardReserved(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                card_number=fact.card_number,
                batch_id=fact.batch_id,
                at=fact.at,
                valid_to=fact.valid_to,
                valid_by=fact.valid_by,
            )
        case holding.CardProduced():
            return told.CardProduced(
                application_id=fact.application_id, holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at
            )
        case holding.CardSpoiled():
            return told.CardSpoiled(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                reason=fact.reason,
                at=fact.at,
            )
        case holding.CardArrived():
            return told.CardArrived(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                outlet=fact.outlet,
                kept_until=fact.kept_until,
                at=fact.at,
            )
        case holding.CollectionReminded():
            return told.CollectionReminded(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                outlet=fact.outlet,
                kept_until=fact.kept_until,
                at=fact.at,
            )
        case holding.CardSentOn():
            return told.CardSentOn(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                outlet=fact.outlet,
                kept_until=fact.kept_until,
                at=fact.at,
            )
        case holding.CardMailed():
            return told.CardMailed(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                tracking=fact.tracking,
                at=fact.at,
            )
        case holding.FingerprintMismatched():
            return told.CaseOpened(
                holding_id=fact.holding_id, card_id=fact.card_id, kind="fingerprint", outlet=fact.outlet, at=fact.at
            )
        case holding.CaseClosed():
            return told.CaseClosed(holding_id=fact.holding_id, card_id=fact.card_id, finding=fact.finding, at=fact.at)
        case holding.CardDestroyed():
            return told.CardDestroyed(holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at)
        case holding.FunctionOpened():
            return told.FunctionOpened(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                function=fact.function,
                place=fact.place,
                at=fact.at,
            )
        case holding.FunctionsTurned():
            return told.FunctionsTurned(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                functions=[
                    told.FunctionStanding(function=one.function, standing=one.standing.value, because=one.because)
                    for one in fact.functions
                ],
                at=fact.at,
            )
        case holding.CardUnclaimed():
            return told.CardUnclaimed(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                at=fact.at,
            )
        case holding.CardHandedOver():
            return told.CardHandedOver(
                application_id=fact.application_id,
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                outlet=fact.outlet,
                at=fact.at,
                taker=fact.taker.value,
            )
        case holding.CardActivated():
            return told.CardActivated(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                programme=fact.programme,
                valid_to=fact.valid_to,
                at=fact.at,
                older=[told.OlderUntil(scheme=one.scheme, until=one.until) for one in fact.older],
            )
        case holding.CardReplaced():
            return told.CardReplaced(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                old_card_id=fact.old_card_id,
                card_id=fact.card_id,
                programme=fact.programme,
                valid_to=fact.valid_to,
                at=fact.at,
            )
        case holding.CardCancelled():
            return told.CardCancelled(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                reason=fact.reason,
                at=fact.at,
            )
        case holding.CardExpired():
            return told.CardExpired(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                at=fact.at,
                endorsable=fact.endorsable,
                grace_until=fact.grace_until,
            )
        case holding.EndorsementReminded():
            return told.EndorsementReminded(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                valid_to=fact.valid_to,
                at=fact.at,
            )
        case holding.CardEndorsed():
            return told.CardEndorsed(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                programme=fact.programme,
                since=fact.since,
                valid_to=fact.valid_to,
                at=fact.at,
            )
        case holding.EndorsementTakenBack():
            return told.EndorsementTakenBack(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                card_id=fact.card_id,
                valid_to=fact.valid_to,
                at=fact.at,
            )
        case holding.HoldingPassedOn():
            return told.HoldingPassedOn(
                holding_id=fact.holding_id,
                person_id=fact.person_id,
                programme=fact.programme,
                lead=fact.lead,
                at=fact.at,
            )
        case holding.HoldingJoined() | holding.HoldingLeft() | holding.HoldingEmptied():
            return None  # How two holdings of one person come to terms is told by what becomes of their cards.
        case holding.VerdictNoted() | holding.IssueProposed() | holding.ReissueJoined():
            return None
        case holding.SeatDeclined() | holding.PlasticRecalled():
            return None


def tell_of_batch(fact: batch.Event) -> Contract | None:
    match fact:
        case batch.BatchOpened():
            return told.BatchOpened(
                batch_id=fact.batch_id,
                programme=fact.programme,
                outlet=fact.outlet,
                seats=len(fact.seats),
                at=fact.at,
            )
        case batch.ReturnRead():
            return told.BatchReturned(batch_id=fact.batch_id, good=len(fact.made), spoiled=len(fact.failed), at=fact.at)
        case batch.BatchReceived():
            return told.BatchReceived(batch_id=fact.batch_id, outlet=fact.outlet, count=len(fact.seats), at=fact.at)
        case batch.SeatFilled() | batch.SeatVoided() | batch.PlasticLeft():
            return None
        case batch.BatchSent() | batch.BatchDispatched():
            return None


def tell_of_unit(fact: unit.Event) -> Contract | None:
    match fact:
        case unit.UnitApplied():
            return told.UnitApplied(
                submission_id=fact.submission_id,
                unit=fact.unit_id.partition("-")[2],
                programme=fact.programme,
                outlet=fact.outlet,
                taken=len(fact.requests),
                refused=len(fact.refused),
                at=fact.at,
            )
        case unit.UnitCodeProposed() | unit.UnitCodeAccepted():
            return None


def tell_of_series(_fact: series.Event) -> Contract | None:
    return None
