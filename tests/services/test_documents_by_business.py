"""Which document is accepted for which business: a matrix of the city, and what it does not list is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from libs.kernel import Refused
from services.issuance.domain.application.counter import DocumentsMissing
from services.issuance.domain.application.decider import applications
from services.issuance.domain.holding import collection
from services.issuance.domain.holding.decider import holdings
from services.loss.domain import decider as losses
from services.loss.domain.decider import loss_desk
from services.wallet.domain.purse import decider as purses
from services.wallet.domain.purse.decider import purses as purse_desk
from tests.services.issuance import card_drawer as cards
from tests.services.loss import desk_drawer as desk
from tests.services.wallet import purse_drawer as purse

Business = tuple[Any, tuple[Any, ...], Callable[[str], Any], type[Refused]]


def shows(command: Any, under: Any) -> Callable[[str], Any]:
    """This act, with another document shown for it, under the city's own bylaws."""

    def showing(document: str) -> Any:
        if hasattr(command, "documents"):
            return replace(command, documents=(document,), under=under)
        return replace(command, document=document, under=under)

    return showing


LOSS = desk.under()
BUSINESS: dict[str, Business] = {
    "apply": (applications, (), shows(cards.submit, cards.under()), DocumentsMissing),
    "collect": (holdings, cards.AT_OUTLET, shows(cards.hand_over, cards.under()), collection.DocumentNotAccepted),
    "report a loss": (loss_desk, (desk.issued,), shows(desk.sign, LOSS), losses.DocumentNotAccepted),
    "lift": (loss_desk, (desk.issued, desk.called), shows(desk.lift, LOSS), losses.DocumentNotAccepted),
    "reissue": (loss_desk, (desk.issued, desk.signed), shows(desk.apply_anew, LOSS), losses.DocumentNotAccepted),
    "replace": (loss_desk, (desk.issued,), shows(desk.exchange, LOSS), losses.DocumentNotAccepted),
    "cancel": (loss_desk, (desk.issued,), shows(desk.cancel, LOSS), losses.DocumentNotAccepted),
    "open a purse": (purse_desk, (purse.noted,), shows(purse.open_it, purse.OURS), purses.DocumentNotAccepted),
}
FOR_ALL = {"id_card", "household_book", "residence_permit"}
TEMPORARY = "temporary_residence_permit"
"""The first answer of Zhoushan's FAQ takes it for an application; the twelfth, on all other business, does not."""


@pytest.mark.requirement("R78")
@pytest.mark.parametrize("business", BUSINESS)
def test_every_business_takes_the_documents_that_the_city_lists_for_it_and_no_other(business: str) -> None:
    decider, past, showing, refusal = BUSINESS[business]
    accepted, sentences = set(), set()
    for document in (*FOR_ALL, TEMPORARY, "passport", "library_card", ""):
        try:
            assert decider.decide(showing(document), decider.fold(past))
            accepted.add(document)
        except refusal as refused:
            sentences.add(str(refused))
    assert all("id_card" in sentence for sentence in sentences), "a refusal says what to bring"
    assert accepted == FOR_ALL | ({TEMPORARY} if business == "apply" else set())


@pytest.mark.requirement("R78")
def test_a_document_more_for_one_business_is_a_value_of_that_business_alone() -> None:
    travel = frozenset({*FOR_ALL, "passport"})
    at_the_counter = replace(cards.under(), collection_documents=travel)
    fetch = replace(cards.hand_over, document="passport", under=at_the_counter)
    assert holdings.decide(fetch, holdings.fold(cards.AT_OUTLET))
    with pytest.raises(DocumentsMissing):
        applications.decide(replace(cards.submit, documents=("passport",), under=at_the_counter), applications.initial)
