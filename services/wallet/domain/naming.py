"""How what moves money is named: after the reference that its maker gave, so that one said twice is one."""

import re
from datetime import date
from typing import NewType

from libs.kernel.ids import derived, well_written, written
from services.ids import HoldingId, IdMistyped

PaymentId = NewType("PaymentId", str)
TopUpId = NewType("TopUpId", str)
LoadId = NewType("LoadId", str)
AdjustmentId = NewType("AdjustmentId", str)
TapCaseId = NewType("TapCaseId", str)
CounterId = NewType("CounterId", str)
PayOutId = NewType("PayOutId", str)
DifferenceId = NewType("DifferenceId", str)
ReconciliationId = NewType("ReconciliationId", str)


def payment_id(holding: HoldingId, merchant: str, reference: str) -> PaymentId:
    """The one payment that this merchant calls by this reference."""
    return PaymentId(f"{holding}.P{_short('payment', holding, merchant, reference)}")


def top_up_id(holding: HoldingId, channel: str, reference: str) -> TopUpId:
    """The one top-up that this channel calls by this reference."""
    return TopUpId(f"{holding}.T{_short('top-up', holding, channel, reference)}")


def load_id(holding: HoldingId, channel: str, reference: str) -> LoadId:
    """The one load of a chip that this channel calls by this reference."""
    return LoadId(f"{holding}.L{_short('load', holding, channel, reference)}")


def adjustment_id(owner: str, reference: str) -> AdjustmentId:
    """The one adjustment that the city calls by this reference; its owner is a holding, or a pile of suspense."""
    return AdjustmentId(f"{owner}.A{_short('adjustment', owner, reference)}")


def tap_case_id(city: str, sender: str, number: int, line: int) -> TapCaseId:
    """The case of the record in this line of this file."""
    return TapCaseId(f"{city}-{sender}-{number}-{line}")


def record_of(case_id: str) -> tuple[str, str, int, int] | None:
    """City, sender, number of the file and line of the record whose case this is; None if it can be none."""
    found = re.fullmatch(r"([0-9]{6})-([a-z0-9][a-z0-9-]{0,15})-([1-9][0-9]{0,9})-([1-9][0-9]{0,6})", case_id)
    return (found[1], found[2], int(found[3]), int(found[4])) if found else None


def counter_id(city: str, card: int, counter: int) -> CounterId:
    """One purchase counter of one card: whatever comes under it is looked into together."""
    return CounterId(written(city, derived("counter", card, counter)))


def pay_out_id(holding: HoldingId, outlet: str, reference: str) -> PayOutId:
    """The one pay-out of what waits that this outlet calls by this reference."""
    return PayOutId(f"{holding}.R{_short('pay-out', holding, outlet, reference)}")


def pile_id(city: str, pile: str) -> str:
    """In whose name a pile of suspense is put right."""
    return written(city, derived("suspense", city, pile))


def difference_id(city: str, source: str, sender: str, reference: str) -> DifferenceId:
    """The one difference about this movement between us and this sender."""
    return DifferenceId(written(city, derived("difference", city, source, sender, reference)))


def pile_of(difference: DifferenceId) -> str:
    """The name of the pile of suspense in which the money of this difference lies, and no other."""
    return f"difference.{difference[7:].lower()}"


def reconciliation_id(city: str, day: date) -> ReconciliationId:
    return ReconciliationId(written(city, derived("reconciliation", city, day)))


def holding_of_money(name: str) -> HoldingId:
    """The holding whose money this payment, top-up, load, adjustment or pay-out moves. Raises IdMistyped."""
    holding, _, rest = name.partition(".")
    if not (well_written(holding) and re.fullmatch("[APRTL][0-9A-F]{16}", rest)):
        raise IdMistyped
    return HoldingId(holding)


def _short(*parts: object) -> str:
    """64 bits: at a hundred thousand payments of one holding, two meet once in four thousand million holdings."""
    return derived(*parts).hex[:16].upper()
