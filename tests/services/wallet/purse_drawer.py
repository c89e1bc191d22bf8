"""What lies in the drawer of the wallet: one city's real bylaw, and named facts at fixed moments."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from libs.kernel.calendar import SHANGHAI
from libs.kernel.ids import derived
from libs.runtime.citypack import load_packs
from services.ids import card_id, holding_id, person_id
from services.wallet.adapters.bylaws import WalletBylaws
from services.wallet.domain.bylaw import Origin, Place, WalletBylaw
from services.wallet.domain.naming import load_id
from services.wallet.domain.purse.commands import (
    EndCard,
    EndCooling,
    ExpireLoad,
    FreezePurse,
    MeetChip,
    NoteCard,
    NoteValidity,
    OpenPurse,
    PayLoad,
    PayOut,
    ReleasePurse,
    SucceedCard,
    TellOutcome,
)
from services.wallet.domain.purse.events import (
    AccountPaidOut,
    CardEnded,
    CardNoted,
    CardSucceeded,
    ChipSettled,
    CoolingBegun,
    LoadConfirmed,
    LoadPaid,
    LoadReversed,
    LoadUncertain,
    PurseFrozen,
    PurseOpened,
    PurseReleased,
    ValidityNoted,
)

ZHOUSHAN = "330900"
BYLAWS = WalletBylaws(load_packs(Path(__file__).parents[3] / "deploy"))


def shanghai(month: int, day: int, hour: int = 0, minute: int = 0, year: int = 2026) -> datetime:
    return (datetime(year, month, day, tzinfo=SHANGHAI) + timedelta(hours=hour, minutes=minute)).astimezone(UTC)


SPRING, MORNING, NIGHT, NEXT_DAY = shanghai(3, 2, 9), shanghai(9, 28, 9), shanghai(9, 28, 23), shanghai(9, 29, 9)
LAPSE, AUTUMN = shanghai(10, 10, 24), shanghai(11, 2, 9)
TEN_YEARS = shanghai(3, 2, 9, year=2036)
SECOND = timedelta(milliseconds=1)

HERS = holding_id(person_id(ZHOUSHAN, derived("Li")), "citizen-card")
CARD, NEXT_CARD = card_id(HERS, 1), card_id(HERS, 2)
HALL = Place(outlet="zs-hall", kind="hall")
COMMUNITY = Place(outlet="zs-dinghai", kind="community")
_given = BYLAWS.at(ZHOUSHAN, "citizen-card", SPRING)
assert _given is not None
OURS: WalletBylaw = _given
LOAD, NEXT_LOAD = load_id(HERS, "zs-hall", "l-1"), load_id(HERS, "zs-hall", "l-2")

noted = CardNoted(holding_id=HERS, card_id=CARD, programme="citizen-card", valid_to=TEN_YEARS, at=SPRING)
endorsed = ValidityNoted(holding_id=HERS, card_id=CARD, valid_to=TEN_YEARS + timedelta(days=365), at=NEXT_DAY)
opened = PurseOpened(holding_id=HERS, card_id=CARD, at=SPRING, outlet="zs-hall", document="id_card", named=True)
frozen = PurseFrozen(holding_id=HERS, card_id=CARD, at=NIGHT, until=LAPSE, kind="pre_report")
signed = PurseFrozen(holding_id=HERS, card_id=CARD, at=NIGHT, until=None, kind="written_report")
released = PurseReleased(holding_id=HERS, card_id=CARD, at=NEXT_DAY, why="lifted")
cooling = CoolingBegun(
    holding_id=HERS, card_id=CARD, at=AUTUMN, ends_at=AUTUMN, latest_at=AUTUMN + timedelta(days=30), refunds=True
)
succeeded = CardSucceeded(
    holding_id=HERS, old_card_id=CARD, card_id=NEXT_CARD, programme="citizen-card", valid_to=TEN_YEARS, at=AUTUMN
)
ended = CardEnded(holding_id=HERS, card_id=CARD, at=NEXT_DAY, reason="moved_away")
paid = LoadPaid(
    load_id=LOAD, holding_id=HERS, card_id=CARD, channel="zs-hall", reference="l-1", origin=Origin.CASH,
    amount_fen=5_000, counter=7, at=MORNING, expires_at=MORNING + timedelta(hours=720),
)  # fmt: skip
confirmed = LoadConfirmed(
    load_id=LOAD, holding_id=HERS, card_id=CARD, origin=Origin.CASH, amount_fen=5_000, how="terminal", at=NIGHT
)
uncertain = LoadUncertain(load_id=LOAD, holding_id=HERS, card_id=CARD, at=NIGHT)
reversed_ = LoadReversed(
    load_id=LOAD, holding_id=HERS, card_id=CARD, channel="zs-hall", origin=Origin.CASH, amount_fen=5_000,
    how="terminal", at=NIGHT,
)  # fmt: skip
expired = replace(reversed_, how="expired", at=paid.expires_at)
settled = ChipSettled(holding_id=HERS, card_id=CARD, amount_fen=3_000, to="account", at=AUTUMN)
paid_out = AccountPaidOut(
    holding_id=HERS, card_id=CARD, outlet="zs-hall", cash_fen=900, bank_fen=50, voucher_fen=30, fee_fen=0, at=AUTUMN
)

note = NoteCard(holding_id=HERS, card_id=CARD, programme="citizen-card", valid_to=TEN_YEARS, at=SPRING)
note_validity = NoteValidity(holding_id=HERS, card_id=CARD, valid_to=TEN_YEARS + timedelta(days=365), at=NEXT_DAY)
open_it = OpenPurse(holding_id=HERS, card_id=CARD, at=SPRING, place=HALL, document="id_card", under=OURS)
freeze = FreezePurse(holding_id=HERS, card_id=CARD, at=NIGHT, until=LAPSE, kind="pre_report", under=OURS)
sign = FreezePurse(holding_id=HERS, card_id=CARD, at=NEXT_DAY, until=None, kind="written_report", under=OURS)
release = ReleasePurse(holding_id=HERS, card_id=CARD, at=NEXT_DAY, why="lifted")
succeed = SucceedCard(
    holding_id=HERS, old_card_id=CARD, card_id=NEXT_CARD, programme="citizen-card", valid_to=TEN_YEARS, at=AUTUMN,
    under=OURS,
)  # fmt: skip
end = EndCard(holding_id=HERS, card_id=CARD, at=NEXT_DAY, reason="moved_away", under=OURS)
pay_load = PayLoad(
    load_id=LOAD, holding_id=HERS, card_id=CARD, place=HALL, reference="l-1", origin=Origin.CASH, amount_fen=5_000,
    counter=7, balance_fen=1_000, at=MORNING, under=OURS,
)  # fmt: skip
loaded = TellOutcome(load_id=LOAD, holding_id=HERS, outcome="loaded", counter=8, at=NIGHT)
meet = MeetChip(holding_id=HERS, card_id=CARD, counter=8, at=NIGHT)
expire = ExpireLoad(load_id=LOAD, holding_id=HERS, expires_at=paid.expires_at)
end_cooling = EndCooling(
    holding_id=HERS, card_id=CARD, ends_at=AUTUMN, at=AUTUMN, batches_in=True, shadow_fen=3_000, account_has_room=True
)
pay_out = PayOut(
    holding_id=HERS, card_id=CARD, place=HALL, document="id_card", at=AUTUMN, cash_fen=900, bank_fen=50, voucher_fen=30,
    held_fen=0, under=OURS,
)  # fmt: skip
