"""What waits for a holder goes back to where it came from, and once."""

from dataclasses import replace
from functools import partial

from hypothesis import given as whatever
from hypothesis import strategies as st

from libs.testing import conversation
from services.wallet.booking import book_refund
from services.wallet.domain import chart
from services.wallet.domain.bylaw import Origin, Place
from services.wallet.domain.money import ReferenceReused
from services.wallet.domain.naming import holding_of_money, pay_out_id
from services.wallet.domain.origin import Movement, Waited, waiting_parts
from services.wallet.domain.purse.decider import DocumentNotAccepted, NoWalletHere, WrongPlace
from services.wallet.domain.refund.commands import PayRefundOut, Way
from services.wallet.domain.refund.decider import BankUnknown, NothingWaits, refunds
from services.wallet.domain.refund.events import RefundPaidOut
from services.wallet.publishing import tell_of_refund
from tests.services.wallet.purse_drawer import HALL, HERS, NIGHT, OURS, ZHOUSHAN

given = partial(conversation.given, refunds)
NAME = pay_out_id(HERS, HALL.outlet, "p-1")
fetch = PayRefundOut(
    pay_out_id=NAME, holding_id=HERS, way=Way.COUNTER, place=HALL, document="id_card", bank="", banks=("icbc",),
    reference="p-1", cash_fen=300, bank_fen=4_000, voucher_fen=50, at=NIGHT, under=OURS,
)  # fmt: skip
transfer = replace(fetch, way=Way.BANK_TRANSFER, bank="icbc")
paid = RefundPaidOut(
    pay_out_id=NAME, holding_id=HERS, way=Way.COUNTER, outlet=HALL.outlet, channel=HALL.outlet, reference="p-1",
    amount_fen=300, voucher_fen=50, at=NIGHT,
)  # fmt: skip
transferred = replace(paid, way=Way.BANK_TRANSFER, channel="icbc", amount_fen=4_000)


def test_cash_goes_over_the_counter_and_bank_money_by_transfer() -> None:
    given().when(fetch).then(paid)
    given().when(transfer).then(transferred)


def test_what_was_paid_out_once_is_not_paid_out_again() -> None:
    given(paid).when(replace(fetch, cash_fen=0, voucher_fen=0)).then()
    given(paid).when(transfer).refused(ReferenceReused)
    again = replace(fetch, pay_out_id=pay_out_id(HERS, HALL.outlet, "p-2"), reference="p-2", cash_fen=0)
    given(paid).when(again).refused(NothingWaits)
    given().when(replace(transfer, bank_fen=0)).refused(NothingWaits)


def test_it_is_fetched_where_wallets_are_opened_with_a_document_and_through_a_bank_that_confirms() -> None:
    given().when(replace(fetch, place=Place(outlet="zs-dinghai", kind="community"))).refused(WrongPlace)
    given().when(replace(fetch, document="passport")).refused(DocumentNotAccepted)
    given().when(replace(fetch, under=None)).refused(NoWalletHere)
    given().when(replace(transfer, bank="nobody")).refused(BankUnknown)


def test_what_a_pay_out_means_in_the_books() -> None:
    booking = book_refund([paid, transferred], refunds.initial)
    assert booking is not None
    over_the_counter, by_the_bank = booking.entries
    assert [(leg.account, leg.amount_fen) for leg in over_the_counter.postings] == [
        (chart.refund(HERS), -350), (chart.channel(ZHOUSHAN, HALL.outlet), 300),
        (chart.suspense(ZHOUSHAN, "unspent-vouchers"), 50),
    ]  # fmt: skip
    assert (over_the_counter.reference, over_the_counter.kind) == (NAME, "refund-paid/counter")
    assert by_the_bank.postings[1].account == chart.channel(ZHOUSHAN, "icbc")
    guard = over_the_counter.postings[0].guard
    assert guard is not None
    assert (guard.least_fen, guard.folded) == (0, True)
    assert holding_of_money(NAME) == HERS


def test_the_city_is_told_how_much_and_not_the_counters_number() -> None:
    assert "p-1" not in tell_of_refund(paid).model_dump_json()


# --- by origin ---


def on_account(kind: str, fen: int, about: str = "") -> Waited:
    return Waited(movement=Movement(kind=kind, about=about, amount_fen=fen), waits=False)


def waits(kind: str, fen: int, about: str = "") -> Waited:
    return Waited(movement=Movement(kind=kind, about=about, amount_fen=fen), waits=True)


def parts(*movements: Waited, **known: object) -> tuple[int, int, int]:
    """Cash, bank money and vouchers."""
    found = waiting_parts(movements, {"chip": known.get("chip", ())}, {"load": Origin.BANK_ACCOUNT})  # type: ignore[dict-item]
    return found[Origin.CASH], found[Origin.BANK_ACCOUNT], found[Origin.VOUCHER]


def test_each_part_waits_under_where_it_came_from() -> None:
    assert parts(waits("pay-out", 4_000)) == (0, 4_000, 0)
    assert parts(waits("load-expired", 500, "load")) == (0, 500, 0)
    assert parts(waits("load-expired", 500, "another")) == (500, 0, 0)
    assert parts(waits("adjustment", 182)) == (182, 0, 0)


def test_a_shops_refund_brings_back_what_that_payment_had_spent() -> None:
    bought = (on_account("top-up/bank_account", 100), on_account("top-up/cash", 100), on_account("payment", -150, "P"))
    assert parts(*bought, waits("refund", 120, "P")) == (50, 70, 0)
    assert parts(*bought, waits("refund", 50, "P"), waits("refund", 100, "P")) == (50, 100, 0)


def test_a_chips_money_is_what_it_was_loaded_with_less_what_it_spent() -> None:
    chip = [
        Movement(kind="load/voucher", about="l1", amount_fen=50), Movement(kind="load/bank_account", about="l2",
        amount_fen=300), Movement(kind="load/cash", about="l3", amount_fen=100),
        Movement(kind="taps", about="taps", amount_fen=-120), Movement(kind="transfer", about="chip", amount_fen=-330),
    ]  # fmt: skip
    assert parts(waits("transfer", 330, "chip"), chip=chip) == (100, 230, 0)


def test_what_was_fetched_does_not_wait_any_more_and_vouchers_go_with_the_first() -> None:
    there = (waits("pay-out", 4_000), waits("adjustment", 300))
    assert parts(*there, waits("refund-paid/counter", -300)) == (0, 4_000, 0)
    assert parts(*there, waits("refund-paid/bank_transfer", -4_000)) == (300, 0, 0)
    chip = [Movement(kind="load/voucher", about="l1", amount_fen=50)]
    with_vouchers = (*there, waits("transfer", 50, "chip"))
    assert parts(*with_vouchers, chip=chip) == (300, 4_000, 50)
    assert parts(*with_vouchers, waits("refund-paid/counter", -350), chip=chip) == (0, 4_000, 0)


kinds = st.sampled_from(["top-up/cash", "top-up/bank_account", "top-up/voucher", "payment"])
steps = st.lists(
    st.one_of(
        st.builds(
            lambda kind, fen: on_account(kind, -fen if kind == "payment" else fen, "P"), kinds, st.integers(1, 9)
        ),
        st.builds(
            waits, st.sampled_from(["pay-out", "load-expired", "transfer", "refund", "adjustment"]), st.integers(1, 9),
            st.just("P"),
        ),
    )
)  # fmt: skip


@whatever(steps)
def test_the_parts_add_up_to_what_waits(movements: list[Waited]) -> None:
    assert sum(parts(*movements)) == sum(one.movement.amount_fen for one in movements if one.waits)
