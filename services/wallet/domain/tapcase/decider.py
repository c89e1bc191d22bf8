"""Whoever looks into a tap may throw it out alone while nothing hangs on it; whatever moves money takes two (R169)."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, assert_never

from libs.kernel import Clash, Decider, Due, Missing
from libs.kernel.foureyes import ProposalOvertaken, ProposalUnknown, TwoPeople, named
from services.wallet.domain.tapcase.commands import ApproveRuling, CarryOutRuling, Command, DeclineRuling, RuleOnTap
from services.wallet.domain.tapcase.events import Event, RulingDeclined, RulingProposed, TapRuled
from services.wallet.domain.tapcase.state import Cases, evolve
from services.wallet.domain.taps.tap import BOOKED_BY_RULE, PARKED, Class, Ruling

PROPOSALS_STAND_FOR = timedelta(days=30)


class TapCaseUnknown(Missing):
    """There is no case {case_id}; check the number, or look at the list of open cases."""


class NoCaseAnyMore(Clash):
    """This tap is booked by the rules, as {standing}, and nobody needs to rule on it; look at it again."""


class AlreadyRuled(Clash):
    """On this record was ruled before: {ruling}. A ruling stands; what it did wrong is put right in the books."""


class CardDidNotSign(Clash):
    """The card did not sign this, so its holder does not pay for it; reject it, or charge it to the issuer."""


class MerchantNotKnown(Clash):
    """Nobody can be paid for this yet, for the terminal is not written down; write it down first, or reject it."""


class PurseNotKnown(Clash):
    """No purse is open for this card that could pay; charge it to the issuer, or reject it."""


class CounterChargedAlready(Clash):
    """For this purchase the holder pays already, under {case_id}; a counter charges a card once (INV-1)."""


def takes_two(standing: Class, ruling: Ruling) -> bool:
    """Whether money moves by this; a record on which nothing was booked, and against which no other stands, can be
    thrown out by one person."""
    return not (ruling is Ruling.REJECT and standing in PARKED | {Class.BAD_CRYPTOGRAM})


def decide(command: Command, cases: Cases) -> Sequence[Event]:
    match command:
        case RuleOnTap():
            return rule(command, cases)
        case ApproveRuling():
            return approve(command, cases)
        case DeclineRuling():
            return decline(command, cases)
        case CarryOutRuling():
            return []  # The books follow; here all is said.
        case _:
            assert_never(command)


def rule(asked: RuleOnTap, cases: Cases) -> Sequence[Event]:
    """Alone where nothing moves; else it is proposed."""
    named(asked.by)
    if (known := cases.ruled.get(asked.case_id)) is not None:
        if known.ruling is asked.ruling:
            return []
        raise AlreadyRuled(ruling=known.ruling)
    if asked.standing in BOOKED_BY_RULE:
        raise NoCaseAnyMore(standing=asked.standing)
    if asked.ruling is Ruling.BOOK:
        _refuse_to_charge(asked, cases)
    if asked.ruling is not Ruling.REJECT and not asked.payee_known:
        raise MerchantNotKnown
    given = {
        name: getattr(asked, name)
        for name in (
            "counter_id", "case_id", "standing", "amount_fen", "ruling", "reason", "evidence", "proposal_id", "by",
            "at",
        )
    }  # fmt: skip
    if not takes_two(asked.standing, asked.ruling):
        return [TapRuled(**given)]
    waiting = cases.proposals.open(RulingProposed, asked.at)
    same = waiting is not None and (waiting.case_id, waiting.ruling) == (asked.case_id, asked.ruling)
    if same or cases.proposals.known(asked.proposal_id):
        return []
    return [RulingProposed(**given, until=asked.at + PROPOSALS_STAND_FOR)]


def _refuse_to_charge(asked: RuleOnTap, cases: Cases) -> None:
    if asked.standing is Class.BAD_CRYPTOGRAM:
        raise CardDidNotSign
    if not asked.purse_known:
        raise PurseNotKnown
    if cases.charged is not None:
        raise CounterChargedAlready(case_id=cases.charged)


def approve(asked: ApproveRuling, cases: Cases) -> Sequence[Event]:
    """An approval answers what its giver saw: if the record stands otherwise by now, it is proposed anew."""
    approved = cases.proposals.approved(asked.proposal_id, asked.by, asked.at)
    if approved is None:
        return []
    proposal, eyes = approved
    if proposal.case_id != asked.case_id:
        raise ProposalUnknown(proposal_id=asked.proposal_id)
    if proposal.standing is not asked.standing:
        raise ProposalOvertaken
    return [
        TapRuled(
            counter_id=asked.counter_id,
            case_id=asked.case_id,
            standing=proposal.standing,
            amount_fen=proposal.amount_fen,
            ruling=proposal.ruling,
            reason=proposal.reason,
            evidence=proposal.evidence,
            proposal_id=proposal.proposal_id,
            by=proposal.by,
            eyes=eyes,
            at=asked.at,
        )
    ]


def decline(asked: DeclineRuling, cases: Cases) -> Sequence[Event]:
    """One no is enough, whoever says it, as long as nothing is ruled; the same can be proposed anew."""
    waiting = cases.proposals.objected(asked.proposal_id, asked.by)
    if waiting is None:
        return []
    if waiting.case_id != asked.case_id:
        raise ProposalUnknown(proposal_id=asked.proposal_id)
    return [
        RulingDeclined(
            counter_id=asked.counter_id,
            case_id=asked.case_id,
            proposal_id=asked.proposal_id,
            reason=asked.reason,
            by=asked.by,
            at=asked.at,
        )
    ]


def due(fact: Any) -> Iterator[Due]:
    """The books follow at once, and in spite of any crash."""
    if isinstance(fact, TapRuled):
        yield Due(
            fact.at,
            CarryOutRuling(counter_id=fact.counter_id, case_id=fact.case_id, ruling=fact.ruling, at=fact.at),
        )


tap_cases: Decider[Command, Cases, Event] = Decider(Cases(), decide, evolve, due)

TWO_PEOPLE = (
    TwoPeople(
        act="rule on a tap",
        decider=tap_cases,
        facts=(TapRuled,),
        needs=lambda _cases, fact: takes_two(fact.standing, fact.ruling),
    ),
)
