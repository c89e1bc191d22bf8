"""What is left goes back to where it came from."""

from hypothesis import given
from hypothesis import strategies as st

from services.wallet.domain.bylaw import Origin
from services.wallet.domain.origin import Movement, parts_of


def moved(*steps: tuple[str, str, int]) -> dict[str, int]:
    parts = parts_of(Movement(kind=kind, about=about, amount_fen=fen) for kind, about, fen in steps)
    return {str(origin): fen for origin, fen in parts.items() if fen}


def test_vouchers_are_spent_first_then_bank_money_and_cash_last() -> None:
    paid_in = [("top-up/cash", "a", 100), ("top-up/bank_account", "b", 50), ("top-up/voucher", "c", 30)]
    assert moved(*paid_in, ("payment", "p", -30)) == {"cash": 100, "bank_account": 50}
    assert moved(*paid_in, ("payment", "p", -40)) == {"cash": 100, "bank_account": 40}
    assert moved(*paid_in, ("payment", "p", -100)) == {"cash": 80}


def test_a_voucher_that_came_later_pays_for_nothing_that_was_bought_before() -> None:
    assert moved(("top-up/cash", "a", 100), ("payment", "p", -60), ("top-up/voucher", "c", 50)) == {
        "cash": 40, "voucher": 50,
    }  # fmt: skip


def test_a_refund_brings_back_what_its_payment_had_spent_cash_first() -> None:
    spent = [("top-up/voucher", "c", 30), ("top-up/cash", "a", 100), ("payment", "p", -50)]
    assert moved(*spent) == {"cash": 80}
    assert moved(*spent, ("refund", "p", 20)) == {"cash": 100}
    assert moved(*spent, ("refund", "p", 50)) == {"cash": 100, "voucher": 30}


def test_a_mistake_that_was_taken_back_leaves_nothing() -> None:
    assert moved(("top-up/cash", "a", 100), ("top-up-reversal/cash", "a", -100)) == {}


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([f"top-up/{origin}" for origin in Origin]), st.just("t"), st.integers(1, 500)),
        st.tuples(st.just("payment"), st.sampled_from("pq"), st.integers(-500, -1)),
        st.tuples(st.just("refund"), st.sampled_from("pq"), st.integers(1, 500)),
    )
)


@given(steps)
def test_the_parts_always_add_up_to_the_balance(all_steps: list[tuple[str, str, int]]) -> None:
    kept, balance = [], 0
    for kind, about, fen in all_steps:
        if balance + fen >= 0:
            kept.append(Movement(kind=kind, about=about, amount_fen=fen))
            balance += fen
    parts = parts_of(kept)
    assert sum(parts.values()) == balance
    assert min(parts.values()) >= 0
