"""The books are put right by a new entry, never by a change of an old one, and never by one person (R169)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from libs.kernel import Clash, Decider, Missing, Unfit
from libs.kernel.foureyes import TwoPeople, named
from services.wallet.domain import chart
from services.wallet.domain.adjustment.commands import (
    ApproveAdjustment,
    Command,
    DeclineAdjustment,
    ProposeCorrection,
    ProposeWriteOff,
)
from services.wallet.domain.adjustment.events import AdjustmentDeclined, AdjustmentMade, AdjustmentProposed, Event
from services.wallet.domain.adjustment.state import Adjustment, evolve
from services.wallet.domain.money import AMOUNT_MAX_FEN, ReferenceReused, amount
from services.wallet.domain.naming import holding_of_money

PROPOSALS_STAND_FOR = timedelta(days=30)


class AdjustmentUnknown(Missing):
    """There is no adjustment {adjustment_id}; check the number."""


class CorrectionOutOfBounds(Unfit):
    """No account of this city holds more than {most_fen} fen, so none is wrong by more; check the amount."""


class PileUnnamed(Unfit):
    """A pile of suspense is named by up to 40 of a-z, 0-9, dots and dashes, for example taps; check its name."""


class PileSmaller(Clash):
    """The pile holds {stands_fen} fen, and no more than that can be written off or taken from it; look at it again."""


def decide(command: Command, adjustment: Adjustment) -> Sequence[Event]:
    match command:
        case ProposeCorrection():
            return propose_correction(command, adjustment)
        case ProposeWriteOff():
            return propose_write_off(command, adjustment)
        case ApproveAdjustment():
            return approve(command, adjustment)
        case DeclineAdjustment():
            return decline(command, adjustment)
        case _:
            assert_never(command)


def propose_correction(asked: ProposeCorrection, adjustment: Adjustment) -> Sequence[Event]:
    """Bounded by the cap, for no account can be wrong by more than it can hold, and by the pile that pays."""
    named(asked.by)
    amount(abs(asked.amount_fen))
    if abs(asked.amount_fen) > asked.most_fen:
        raise CorrectionOutOfBounds(asked.cap, most_fen=asked.most_fen)
    if adjustment.asked is None:  # Said again, it changes nothing of the pile.
        check_what_pays(asked.against, asked.stands_fen, asked.amount_fen)
    return _proposed(asked, adjustment, chart.online(asked.holding_id), asked.against, asked.amount_fen, asked.most_fen)


def propose_write_off(asked: ProposeWriteOff, adjustment: Adjustment) -> Sequence[Event]:
    """Bounded by the pile: it gets smaller, and never turns round."""
    named(asked.by)
    fen = amount(asked.amount_fen)
    pile = chart.suspense(asked.city, asked.pile)
    if adjustment.asked is not None:  # Said again: by now the pile may stand otherwise, and this changes nothing of it.
        fen = fen if adjustment.asked.amount_fen > 0 else -fen
    else:
        fen = fen if asked.stands_fen < 0 else -fen
        check_pile(asked.stands_fen, fen)
    bears = asked.against or chart.issuer_loss(asked.city)
    return _proposed(asked, adjustment, pile, bears, fen, AMOUNT_MAX_FEN)


def check_pile(stands_fen: int, fen: int) -> None:
    """Raises PileSmaller, unless this moves the pile towards nothing and not beyond."""
    if not 0 < abs(fen) <= abs(stands_fen) or (fen > 0) == (stands_fen > 0):
        raise PileSmaller(stands_fen=stands_fen)


def check_what_pays(against: str, stands_fen: int, fen: int) -> None:
    """Raises PileSmaller if a holder is given more out of a pile of suspense than lies there."""
    if fen > 0 and chart.kind_of(against) is chart.Kind.SUSPENSE and stands_fen < fen:
        raise PileSmaller(stands_fen=stands_fen)


def _proposed(
    asked: ProposeCorrection | ProposeWriteOff,
    adjustment: Adjustment,
    account: str,
    against: str,
    fen: int,
    most_fen: int,
) -> Sequence[Event]:
    known = adjustment.asked
    if known is not None and (known.account, known.against, known.amount_fen) != (account, against, fen):
        raise ReferenceReused(reference=asked.adjustment_id)
    again = adjustment.made is not None or adjustment.proposals.known(asked.proposal_id)
    if again or adjustment.proposals.open(AdjustmentProposed, asked.at):
        return []
    return [
        AdjustmentProposed(
            adjustment_id=asked.adjustment_id,
            account=account,
            against=against,
            amount_fen=fen,
            reason=asked.reason,
            evidence=asked.evidence,
            most_fen=most_fen,
            proposal_id=asked.proposal_id,
            by=asked.by,
            until=asked.at + PROPOSALS_STAND_FOR,
            at=asked.at,
        )
    ]


def approve(asked: ApproveAdjustment, adjustment: Adjustment) -> Sequence[Event]:
    """What an account cannot take (stopped, full, ended) waits to be paid out; what it lacks is not taken from it."""
    if adjustment.asked is None:
        raise AdjustmentUnknown(adjustment_id=asked.adjustment_id)
    approved = adjustment.proposals.approved(asked.proposal_id, asked.by, asked.at)
    if approved is None:
        return []
    proposal, eyes = approved
    made = AdjustmentMade(
        adjustment_id=asked.adjustment_id,
        account=proposal.account,
        against=proposal.against,
        amount_fen=proposal.amount_fen,
        cap_fen=proposal.most_fen,
        proposal_id=proposal.proposal_id,
        eyes=eyes,
        at=asked.at,
    )
    if chart.kind_of(proposal.account) is chart.Kind.SUSPENSE:
        check_pile(asked.stands_fen, proposal.amount_fen)
        return [made]
    check_what_pays(proposal.against, asked.stands_fen, proposal.amount_fen)
    if asked.to == "payable" and proposal.amount_fen > 0:
        made = replace(made, account=chart.refund(holding_of_money(asked.adjustment_id)))
    return [made]


def decline(asked: DeclineAdjustment, adjustment: Adjustment) -> Sequence[Event]:
    """One no is enough, whoever says it, as long as nothing is booked; the same can be proposed anew."""
    if adjustment.asked is None:
        raise AdjustmentUnknown(adjustment_id=asked.adjustment_id)
    if adjustment.proposals.objected(asked.proposal_id, asked.by) is None:
        return []
    return [
        AdjustmentDeclined(
            adjustment_id=asked.adjustment_id,
            proposal_id=asked.proposal_id,
            reason=asked.reason,
            by=asked.by,
            at=asked.at,
        )
    ]


adjustments: Decider[Command, Adjustment, Event] = Decider(Adjustment(), decide, evolve)

TWO_PEOPLE = (TwoPeople(act="adjust a wallet", decider=adjustments, facts=(AdjustmentMade,)),)
