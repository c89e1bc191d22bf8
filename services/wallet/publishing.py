"""Which facts of the wallet the city is told, and in which words."""

from typing import assert_never

from libs.messaging.contract import Contract
from services.wallet import contracts as told
from services.wallet.domain.adjustment import events as adjustment
from services.wallet.domain.payment import events as payment
from services.wallet.domain.purse import events as purse
from services.wallet.domain.reconciliation import events as reconciliation
from services.wallet.domain.refund import events as refund
from services.wallet.domain.tapcase import events as tapcase
from services.wallet.domain.topup import events as topup


def tell_of_purse(fact: purse.Event) -> Contract | None:
    match fact:
        case purse.PurseOpened():
            return told.PurseOpened(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, outlet=fact.outlet, named=fact.named
            )
        case purse.PurseFrozen():
            return told.PurseFrozen(holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, until=fact.until)
        case purse.PurseReleased():
            return told.PurseReleased(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, why=fact.why, from_at=fact.from_at
            )
        case purse.CardSucceeded():
            return told.AccountMoved(
                holding_id=fact.holding_id, old_card_id=fact.old_card_id, card_id=fact.card_id, at=fact.at
            )
        case purse.LoadPaid():
            return told.LoadPaid(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                load_id=fact.load_id,
                channel=fact.channel,
                amount_fen=fact.amount_fen,
                at=fact.at,
            )
        case purse.LoadConfirmed():
            return _load_ended(fact, "confirmed", fact.how)
        case purse.LoadReversed():
            return _load_ended(fact, "reversed", fact.how)
        case purse.LoadUncertain():
            return _load_ended(fact, "uncertain", "terminal")
        case purse.LoadFoundLate():
            return _load_ended(fact, "confirmed", "counter")
        case purse.ChipSettled():
            return told.ChipSettled(
                holding_id=fact.holding_id, card_id=fact.card_id, amount_fen=fact.amount_fen, to=fact.to, at=fact.at
            )
        case purse.ChipForfeited():
            return told.ChipSettled(
                holding_id=fact.holding_id, card_id=fact.card_id, amount_fen=0, to="nobody", at=fact.at
            )
        case purse.AccountPaidOut():
            return told.AccountPaidOut(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                cash_fen=fact.cash_fen,
                bank_fen=fact.bank_fen,
                voucher_fen=fact.voucher_fen,
                fee_fen=fact.fee_fen,
                at=fact.at,
            )
        case purse.CardNoted() | purse.ValidityNoted() | purse.CardEnded():
            return None  # Issuance said so first.
        case purse.CoolingBegun() | purse.CoolingExtended():
            return None  # Waiting is nobody's business.
        case _:
            assert_never(fact)


def _load_ended(
    fact: purse.LoadConfirmed | purse.LoadReversed | purse.LoadUncertain | purse.LoadFoundLate, outcome: str, how: str
) -> Contract:
    return told.LoadEnded(
        holding_id=fact.holding_id,
        card_id=fact.card_id,
        load_id=fact.load_id,
        outcome=outcome,
        how=how,
        at=fact.at,
    )


def tell_of_payment(fact: payment.Event) -> Contract | None:
    match fact:
        case payment.PaymentAuthorised():
            return told.PaymentAuthorised(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                payment_id=fact.payment_id,
                merchant=fact.merchant,
                amount_fen=fact.amount_fen,
                expires_at=fact.expires_at,
                at=fact.at,
            )
        case payment.PaymentCaptured():
            return told.PaymentCaptured(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                payment_id=fact.payment_id,
                merchant=fact.merchant,
                amount_fen=fact.amount_fen,
                released_fen=fact.released_fen,
                at=fact.at,
            )
        case payment.PaymentReleased():
            return told.PaymentReleased(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                payment_id=fact.payment_id,
                merchant=fact.merchant,
                released_fen=fact.released_fen,
                why=fact.why,
                at=fact.at,
            )
        case payment.PaymentRefunded():
            return told.PaymentRefunded(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                payment_id=fact.payment_id,
                merchant=fact.merchant,
                amount_fen=fact.amount_fen,
                to=fact.to,
                at=fact.at,
            )
        case _:
            assert_never(fact)


def tell_of_top_up(fact: topup.Event) -> Contract | None:
    """The counter's receipt number stays with the counter."""
    match fact:
        case topup.AccountToppedUp():
            return told.AccountToppedUp(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                top_up_id=fact.top_up_id,
                channel=fact.channel,
                origin=fact.origin,
                amount_fen=fact.amount_fen,
                at=fact.at,
            )
        case topup.TopUpReversed():
            return told.TopUpReversed(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                top_up_id=fact.top_up_id,
                channel=fact.channel,
                amount_fen=fact.amount_fen,
                at=fact.at,
            )
        case _:
            assert_never(fact)


def tell_of_adjustment(fact: adjustment.Event) -> Contract | None:
    """Proposals and objections are told to nobody, and reasons stay with the city."""
    match fact:
        case adjustment.AdjustmentMade():
            return told.AdjustmentMade(
                adjustment_id=fact.adjustment_id,
                account=fact.account,
                against=fact.against,
                amount_fen=fact.amount_fen,
                at=fact.at,
            )
        case adjustment.AdjustmentProposed() | adjustment.AdjustmentDeclined():
            return None
        case _:
            assert_never(fact)


def tell_of_tap_case(fact: tapcase.Event) -> Contract | None:
    """Proposals and objections are told to nobody, and reasons stay with the city."""
    match fact:
        case tapcase.TapRuled():
            return told.TapRuled(
                case_id=fact.case_id,
                standing=fact.standing,
                ruling=fact.ruling,
                amount_fen=fact.amount_fen,
                at=fact.at,
            )
        case tapcase.RulingProposed() | tapcase.RulingDeclined():
            return None
        case _:
            assert_never(fact)


def tell_of_difference(fact: reconciliation.DifferenceEvent) -> Contract | None:
    """What a sender calls a movement stays here, for it may name anybody; so does what somebody has explained."""
    match fact:
        case reconciliation.DifferenceSuspended():
            return told.DifferenceSuspended(
                difference_id=fact.difference_id,
                source=fact.source,
                sender=fact.sender,
                amount_fen=fact.fen,
                moved_fen=fact.moved_fen,
                why=fact.why,
                since=fact.since,
                at=fact.at,
            )
        case reconciliation.DifferenceResolved():
            return told.DifferenceResolved(difference_id=fact.difference_id, moved_fen=fact.moved_fen, at=fact.at)
        case reconciliation.DifferenceExplained():
            return None
        case _:
            assert_never(fact)


def tell_of_reconciliation(fact: reconciliation.DayReconciled) -> Contract:
    return told.DayReconciled(
        city=fact.city,
        day=fact.day,
        parties=[
            told.PartyReconciled(
                source=one.source,
                sender=one.sender,
                ours_fen=one.ours_fen,
                theirs_fen=one.theirs_fen,
                parts=[told.PartReconciled(kind=part.kind, count=part.count, fen=part.fen) for part in one.parts],
                stale=one.stale,
                stale_fen=one.stale_fen,
                missing=one.missing,
            )
            for one in fact.tallies
        ],
        at=fact.at,
    )


def tell_of_refund(fact: refund.Event) -> Contract:
    """The counter's receipt number stays with the counter."""
    return told.RefundPaidOut(
        holding_id=fact.holding_id,
        pay_out_id=fact.pay_out_id,
        way=fact.way,
        channel=fact.channel,
        amount_fen=fact.amount_fen,
        voucher_fen=fact.voucher_fen,
        at=fact.at,
    )
