"""Whose account is whose, and whom a statement may name."""

import pytest

from services.ids import CardId, HoldingId
from services.wallet.domain import chart

LIN, WANG = HoldingId("330900-AAAAAAAAAAAAAAA1"), HoldingId("330900-BBBBBBBBBBBBBBB2")
BUS = chart.merchant("330900", "zs-bus")


@pytest.mark.parametrize(
    ("account", "beside", "named"),
    [
        (BUS, chart.online(LIN), True),
        (chart.fee("330900"), chart.purse(CardId(f"{LIN}.1")), True),
        (chart.purse(CardId(f"{LIN}.1")), chart.online(LIN), True),
        (chart.purse(CardId(f"{WANG}.1")), chart.purse(CardId(f"{LIN}.1")), False),
        (chart.online(WANG), BUS, False),
        (chart.refund(WANG), chart.online(LIN), False),
    ],
)
def test_nobody_reads_in_a_statement_who_else_paid(account: str, beside: str, named: bool) -> None:
    assert chart.may_be_named(account, beside) is named
