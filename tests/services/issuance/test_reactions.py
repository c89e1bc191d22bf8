"""What issuance does whenever somebody else has done something."""

from dataclasses import replace
from typing import get_type_hints

from services.identity.contracts import EntitlementJudged
from services.issuance.domain.functions import Place
from services.issuance.domain.holding.commands import OpenFunction, TakeBackEndorsement
from services.issuance.domain.holding.events import Kind
from services.issuance.reactions import (
    HEARS,
    REACTIONS,
    when_a_card_is_cancelled_end_it,
    when_a_lost_card_was_endorsed_take_that_back,
    when_a_reissue_is_ordered_make_a_new_card,
    when_a_replacement_is_ordered_make_a_new_card,
    when_a_wallet_is_opened_its_function_is_open,
    when_identity_has_judged_note_the_verdict,
)
from services.loss.contracts import CancellationOrdered, EndorsementContradicted, ReissueOrdered, ReplacementOrdered
from services.wallet.contracts import PurseOpened
from tests.services.issuance.card_drawer import (
    ASKED,
    BANK,
    CARD,
    GRANTS,
    HOLDING,
    LATER,
    LI,
    end_card,
    note_verdict,
    order_reissue,
)

judged = EntitlementJudged.model_validate(
    {
        "person_id": LI,
        "holding_id": HOLDING,
        "programme": "citizen-card",
        "granted": True,
        "rule": "hukou",
        "article": "city order 36",
        "facts_used": ["hukou (police)"],
        "missing": [],
        "functions": [{"function": one.function, "granted": one.granted, "because": one.because} for one in GRANTS],
        "bylaws": "edition-1",
        "at": ASKED,
    }
)


noted = replace(note_verdict, edition="edition-1")


def test_a_verdict_is_noted_with_its_reasons() -> None:
    assert list(when_identity_has_judged_note_the_verdict(judged)) == [noted]


def test_a_verdict_says_what_is_missing() -> None:
    no = judged.model_copy(update={"granted": False, "functions": [], "missing": ["hukou", "insured_employee"]})
    because = "city order 36; one of these would do: hukou, insured_employee"
    assert list(when_identity_has_judged_note_the_verdict(no)) == [
        replace(noted, granted=False, functions=(), because=because, missing=("hukou", "insured_employee"))
    ]


def test_a_lost_card_is_made_anew() -> None:
    told = ReissueOrdered(holding_id=HOLDING, card_id=CARD, outlet=BANK, at=LATER)
    assert list(when_a_reissue_is_ordered_make_a_new_card(told)) == [order_reissue]


def test_a_worn_card_is_made_anew() -> None:
    told = ReplacementOrdered(holding_id=HOLDING, card_id=CARD, outlet=BANK, reason="stained", at=LATER)
    assert list(when_a_replacement_is_ordered_make_a_new_card(told)) == [replace(order_reissue, kind=Kind.REPLACEMENT)]


def test_a_cancelled_card_ends() -> None:
    told = CancellationOrdered(holding_id=HOLDING, card_id=CARD, reason="moved_away", at=LATER)
    assert list(when_a_card_is_cancelled_end_it(told)) == [end_card]


def test_a_card_that_had_been_lost_is_not_endorsed() -> None:
    told = EndorsementContradicted(holding_id=HOLDING, card_id=CARD, at=LATER, reported_at=ASKED)
    assert list(when_a_lost_card_was_endorsed_take_that_back(told)) == [
        TakeBackEndorsement(holding_id=HOLDING, card_id=CARD, endorsed_at=LATER, reported_at=ASKED, at=LATER)
    ]


def test_a_wallet_that_was_opened_opens_its_function() -> None:
    told = PurseOpened(holding_id=HOLDING, card_id=CARD, outlet=BANK, named=True, at=LATER)
    (asked,) = when_a_wallet_is_opened_its_function_is_open(told)
    assert asked == OpenFunction(
        holding_id=HOLDING, card_id=CARD, function="epurse", place=Place.WALLET, at=LATER, under=None
    )


def test_every_reaction_is_to_something_that_is_heard() -> None:
    assert {get_type_hints(reaction)["told"] for reaction in REACTIONS} <= set(HEARS)
