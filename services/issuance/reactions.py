"""What issuance does whenever somebody else has done something."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from libs.kernel.why import FactUsed
from services.identity.contracts import (
    EntitlementJudged,
    PersonCorrected,
    PersonErased,
    PersonRegistered,
    PersonsMerged,
    PersonsParted,
)
from services.ids import holding_id
from services.issuance.domain.functions import Place
from services.issuance.domain.holding.commands import (
    Command,
    EndCard,
    NoteVerdict,
    OpenFunction,
    OrderNewCard,
    PassHoldingOn,
    TakeBackEndorsement,
)
from services.issuance.domain.holding.events import FunctionGrant, Kind
from services.loss.contracts import (
    CallKept,
    CancellationOrdered,
    CardStopped,
    CardWoken,
    EndorsementContradicted,
    LapseApproaching,
    ReissueOrdered,
    ReplacementOrdered,
)
from services.notice.contracts import NoticeFailed, NoticeSent
from services.wallet.contracts import PurseOpened

PURSE = "epurse"
"""The function of a card that is its wallet."""


def when_identity_has_judged_note_the_verdict(told: EntitlementJudged) -> Iterator[Command]:
    """An order that waits for it goes on; a card in use keeps or loses its functions; a roll brings a new card."""
    missing = f"; one of these would do: {', '.join(told.missing)}" if told.missing else ""
    may_apply = told.granted if told.may_apply is None else told.may_apply
    not_now = told.granted and not may_apply
    noted = NoteVerdict(
        holding_id=told.holding_id,
        person_id=told.person_id,
        programme=told.programme,
        granted=told.granted,
        because=f"{told.basis} ({told.article})" if not_now else f"{told.article}{missing}",
        functions=tuple([_granted(one.function, one.granted, one.because) for one in told.functions]),
        at=told.at,
        outlet=told.outlet,
        facts=tuple(fact.partition(" ")[0] for fact in told.facts_used),
        may_apply=may_apply or not told.granted,
        ground=told.ground,
        edition=told.bylaws,
        missing=tuple(told.missing),
        used=tuple(
            FactUsed(
                fact=one.fact,
                department=one.department,
                valid_from=one.valid_from,
                stated_at=one.stated_at,
                valid_to=one.valid_to,
            )
            for one in told.used
        ),
    )
    yield noted
    for holding in told.also:  # A roll brings its card to the entry that remains.
        yield replace(noted, holding_id=holding, outlet="")


def when_persons_are_merged_pass_their_holdings_on(told: PersonsMerged) -> Iterator[Command]:
    """What was held under the merged entries is one person's, and so is the rule of one card of a product."""
    for entry in told.merged:
        for programme in told.programmes:
            yield PassHoldingOn(
                holding_id=holding_id(entry, programme),
                person_id=told.person_id,
                programme=programme,
                lead=holding_id(told.person_id, programme),
                at=told.at,
            )


def when_a_merge_is_taken_back_return_their_holdings(told: PersonsParted) -> Iterator[Command]:
    """The first stands for itself again, and for those that had been merged into it before."""
    own, *others = told.parted
    for programme in told.programmes:
        mine = holding_id(own, programme)
        yield PassHoldingOn(holding_id=mine, person_id=own, programme=programme, lead=None, at=told.at)
        for entry in others:
            yield PassHoldingOn(
                holding_id=holding_id(entry, programme), person_id=own, programme=programme, lead=mine, at=told.at
            )


@lru_cache(maxsize=1_000)
def _granted(function: str, granted: bool, because: str) -> FunctionGrant:
    """The same for all whom the tables cannot tell apart."""
    return FunctionGrant(function=function, granted=granted, because=because)


def when_a_reissue_is_ordered_make_a_new_card(told: ReissueOrdered) -> Iterator[Command]:
    """The lost card keeps its place, unusable, until the new one works."""
    yield OrderNewCard(
        holding_id=told.holding_id, old_card_id=told.card_id, kind=Kind.REISSUE, outlet=told.outlet, at=told.at
    )


def when_a_replacement_is_ordered_make_a_new_card(told: ReplacementOrdered) -> Iterator[Command]:
    """The worn card works on until the new one does."""
    yield OrderNewCard(
        holding_id=told.holding_id, old_card_id=told.card_id, kind=Kind.REPLACEMENT, outlet=told.outlet, at=told.at
    )


def when_a_card_is_cancelled_end_it(told: CancellationOrdered) -> Iterator[Command]:
    """It ends here too, with whatever was to take its place."""
    yield EndCard(holding_id=told.holding_id, card_id=told.card_id, reason=told.reason, at=told.at)


def when_a_lost_card_was_endorsed_take_that_back(told: EndorsementContradicted) -> Iterator[Command]:
    """The loss desk alone knows which was first."""
    yield TakeBackEndorsement(
        holding_id=told.holding_id,
        card_id=told.card_id,
        endorsed_at=told.at,
        reported_at=told.reported_at,
        at=told.at,
    )


def when_a_wallet_is_opened_its_function_is_open(told: PurseOpened) -> Iterator[Command]:
    """There is one opening, with its formalities, and it is the wallet's (decision 0035)."""
    yield OpenFunction(holding_id=told.holding_id, card_id=told.card_id, function=PURSE, place=Place.WALLET, at=told.at)


REACTIONS = (
    when_identity_has_judged_note_the_verdict,
    when_persons_are_merged_pass_their_holdings_on,
    when_a_merge_is_taken_back_return_their_holdings,
    when_a_reissue_is_ordered_make_a_new_card,
    when_a_replacement_is_ordered_make_a_new_card,
    when_a_card_is_cancelled_end_it,
    when_a_lost_card_was_endorsed_take_that_back,
    when_a_wallet_is_opened_its_function_is_open,
)
HEARS = (
    PersonRegistered,
    PersonErased,
    EntitlementJudged,
    PersonsMerged,
    PersonsParted,
    PersonCorrected,
    CardStopped,
    CardWoken,
    LapseApproaching,
    CallKept,
    ReissueOrdered,
    ReplacementOrdered,
    CancellationOrdered,
    EndorsementContradicted,
    NoticeSent,
    NoticeFailed,
    PurseOpened,
)
