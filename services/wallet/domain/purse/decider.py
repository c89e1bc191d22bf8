"""A wallet is opened at a counter, stops with its card, and goes with the account to the card's successor."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Forbidden, Missing, Unfit
from services.ids import CardId, HoldingId, ordinal_of
from services.wallet.domain.bylaw import MONEY, OnLoss, Place, WalletBylaw
from services.wallet.domain.money import ReferenceReused, WalletNotOpened, amount
from services.wallet.domain.purse.commands import (
    Command,
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
    ChipForfeited,
    ChipSettled,
    CoolingBegun,
    CoolingExtended,
    Event,
    LoadConfirmed,
    LoadFoundLate,
    LoadPaid,
    LoadReversed,
    LoadUncertain,
    PurseFrozen,
    PurseOpened,
    PurseReleased,
    ValidityNoted,
)
from services.wallet.domain.purse.state import Load, Purse, evolve

COUNTERS = 2**16  # The chip counts its loads in two bytes, and begins anew.
LOOK_AGAIN = timedelta(days=1)


class CardUnknown(Missing):
    """The wallet has not heard of card {card_id}; check the number, or try again in a minute if it is new."""


class CardOfYesterday(Clash):
    """Card {card_id} is not the holder's present card; use the one that took its place."""


class CardStopped(Clash):
    """Card {card_id} is reported lost, and its money is stopped; lift the report, or wait for the new card."""


class CardExpired(Clash):
    """Card {card_id} is out of validity, and its money is stopped; exchange it for a new one, the money goes along."""


class CardEndedForGood(Clash):
    """Card {card_id} has ended; what was left on it is paid out at a service hall."""


class NoWalletHere(Clash):
    """Cards of this programme carry no money; there is nothing to open."""


class AboveThePurseCap(Clash):
    """With this the chip would hold more than {cap_fen} fen; load at most {room_fen} fen."""


class LoadOutOfBounds(Unfit):
    """In this city a load is between {least_fen} and {most_fen} fen; pay in an amount between these."""


class LoadUnknown(Missing):
    """There is no load {load_id} that waits; check the number, or look at the statement."""


class CounterDoesNotFit(Clash):
    """The chip's load counter is {counter}, and the books expect {expected}; nothing was booked. Keep the card, and
    report it to the card centre: it may have been copied or set back."""


class StillInUse(Clash):
    """Card {card_id} still works; cancel it first, then what is left is paid out."""


class MoneyStillHeld(Clash):
    """{held_fen} fen are still held for merchants; come back when they have taken them or let them go."""


class WrongPlace(Forbidden):
    """This is not done at a {kind}; go to one of: {kinds}."""


class DocumentNotAccepted(Unfit):
    """This document is not accepted for that; bring one of: {documents}."""


def decide(command: Command, purse: Purse) -> Sequence[Event]:
    match command:
        case NoteCard():
            return note(command, purse)
        case NoteValidity():
            return note_validity(command, purse)
        case OpenPurse():
            return open_purse(command, purse)
        case FreezePurse():
            return freeze(command, purse)
        case ReleasePurse():
            return release(command, purse)
        case SucceedCard():
            return succeed(command, purse)
        case EndCard():
            return end(command, purse)
        case PayLoad():
            return pay_load(command, purse)
        case TellOutcome():
            return tell_outcome(command, purse)
        case MeetChip():
            return meet(command, purse)
        case ExpireLoad():
            return expire_load(command, purse)
        case EndCooling():
            return end_cooling(command, purse)
        case PayOut():
            return pay_out(command, purse)
        case _:
            assert_never(command)


def note(asked: NoteCard, purse: Purse) -> Sequence[Event]:
    """A letter about an older card comes too late to count."""
    if purse.heard_of(asked.card_id):
        return []
    return [
        CardNoted(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            programme=asked.programme,
            valid_to=asked.valid_to,
            at=asked.at,
            person_id=asked.person_id,
        )
    ]


def note_validity(asked: NoteValidity, purse: Purse) -> Sequence[Event]:
    """The money goes on for as long as its card does."""
    if purse.card is None or purse.card.card_id != asked.card_id or purse.card.valid_to == asked.valid_to:
        return []
    return [ValidityNoted(holding_id=asked.holding_id, card_id=asked.card_id, valid_to=asked.valid_to, at=asked.at)]


def open_purse(asked: OpenPurse, purse: Purse) -> Sequence[Event]:
    """Off until opened with formalities (Zhoushan citizen-card FAQ: at service halls and bank outlets)."""
    check_card(asked.card_id, asked, purse)
    if asked.under is None:
        raise NoWalletHere
    check_counter(asked.place, asked.document, asked.under)
    if purse.opened_at is not None:
        return []
    return [
        PurseOpened(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            at=asked.at,
            outlet=asked.place.outlet,
            document=asked.document,
            named=asked.under.named,
        )
    ]


def freeze(asked: FreezePurse, purse: Purse) -> Sequence[Event]:
    """Freeze first, ask later; also before the wallet is open, and before the card has come to our ears."""
    if purse.card is not None and ordinal_of(asked.card_id) < ordinal_of(purse.card.card_id):
        return []
    function = next((one for one in MONEY if one in asked.names), "")
    others = bool(asked.names) and not function
    if asked.under is not None and (not asked.under.account_reportable or (others and asked.under.account_borne)):
        return []
    begins, until = asked.at, asked.until
    now = purse.freeze if purse.freeze is not None and purse.freeze.card_id == asked.card_id else None
    if now is not None and now.covers(asked.at):
        if others and (now.function or now.until is None):
            return []  # It runs on a clock of its own already, or waits for the last function to wake.
        begins = now.at  # A signature after a call: what was stopped stays stopped from then.
        if others and now.until is not None and until is not None:
            until = max(now.until, until)
    if now is not None and (now.at, now.until, now.kind, now.function) == (begins, until, asked.kind, function):
        return []
    return [
        PurseFrozen(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            at=begins,
            until=until,
            kind=asked.kind,
            function=function,
            reported_at=asked.reported_at,
        )
    ]


def release(asked: ReleasePurse, purse: Purse) -> Sequence[Event]:
    """At the hour of the lapse or the lift, not at the moment at which the letter came."""
    now = purse.freeze
    if now is None or now.card_id != asked.card_id or asked.at < (now.reported_at or now.at):
        return []
    if asked.names and not {*asked.names} & {*([now.function] if now.function else MONEY)}:
        return []  # Others wake; the money stays stopped by its own clock.
    if now.until is not None and now.until <= (asked.from_at or asked.at):
        return []
    return [
        PurseReleased(
            holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, why=asked.why, from_at=asked.from_at
        )
    ]


def succeed(asked: SucceedCard, purse: Purse) -> Sequence[Event]:
    """The account is the holder's, not the card's: it is used with the new card from its first moment."""
    if purse.heard_of(asked.card_id):
        return []
    succeeded = CardSucceeded(
        holding_id=asked.holding_id,
        old_card_id=asked.old_card_id,
        card_id=asked.card_id,
        programme=asked.programme,
        valid_to=asked.valid_to,
        at=asked.at,
    )
    return [*cool(asked.old_card_id, asked, purse), succeeded]


def cool(card_id: CardId, asked: SucceedCard | EndCard, purse: Purse) -> Sequence[Event]:
    """From now on late taps are waited for; they count from the report, if there was one (domain facts 3.3)."""
    if asked.under is None or purse.opened_at is None or purse.cooling_of(card_id) or card_id in purse.settled:
        return []
    lost = purse.freeze if purse.freeze is not None and purse.freeze.card_id == card_id else None
    since = lost.at if lost is not None and lost.covers(asked.at) else asked.at
    return [
        CoolingBegun(
            holding_id=asked.holding_id,
            card_id=card_id,
            at=asked.at,
            ends_at=max(asked.at, since + timedelta(days=asked.under.cooling_days)),
            latest_at=asked.at + timedelta(days=asked.under.upload_delay_days),
            refunds=purse.named or asked.under.purse_on_loss is OnLoss.REFUND_AFTER_COOLING,
        )
    ]


def end(asked: EndCard, purse: Purse) -> Sequence[Event]:
    """The present card has ended, and with it all use of the money."""
    if purse.card is None or purse.card.card_id != asked.card_id or purse.ended_at is not None:
        return []
    ended = CardEnded(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, reason=asked.reason)
    return [ended, *cool(asked.card_id, asked, purse)]


def pay_load(asked: PayLoad, purse: Purse) -> Sequence[Event]:
    """Pay, load, confirm: this is the first of three, and what became of the last one is settled first."""
    amount(asked.amount_fen)
    if purse.outcome_of(asked.load_id) is not None:
        if purse.amount_of(asked.load_id) != asked.amount_fen:
            raise ReferenceReused(reference=asked.reference)
        return []
    check_card(asked.card_id, asked, purse)
    under = asked.under
    if under is None:
        raise NoWalletHere
    if purse.opened_at is None:
        raise WalletNotOpened
    check_till(asked.place, under)
    least_fen, most_fen = under.top_up_least_fen, under.purse_cap_fen
    if not least_fen <= asked.amount_fen <= most_fen:
        raise LoadOutOfBounds(under.by("top_up", "caps"), least_fen=least_fen, most_fen=most_fen)
    settled = by_the_counter(asked.card_id, asked, purse)
    if not fits_the_purse(asked.balance_fen + asked.amount_fen, under):
        room_fen = max(0, under.purse_cap_fen - asked.balance_fen)
        raise AboveThePurseCap(under.by("caps"), cap_fen=under.purse_cap_fen, room_fen=room_fen)
    return [
        *settled,
        LoadPaid(
            load_id=asked.load_id,
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            channel=asked.place.outlet,
            reference=asked.reference,
            origin=asked.origin,
            amount_fen=asked.amount_fen,
            counter=asked.counter,
            at=asked.at,
            expires_at=asked.at + timedelta(hours=under.load_hours),
        ),
    ]


def fits_the_purse(fen: int, under: WalletBylaw) -> bool:
    """What the chip says it holds counts, not what the host believes (INV-4)."""
    return fen <= under.purse_cap_fen


def by_the_counter(card_id: CardId, asked: PayLoad | MeetChip, purse: Purse) -> Sequence[Event]:
    """What the chip's load counter says about loads that nobody knew the end of: never charge again, read (3.4).

    A chip that was settled is loaded no more: what it took too late was given back long before, and is spent nowhere.
    """
    found: list[Event] = [
        LoadFoundLate(
            load_id=late.load_id,
            holding_id=asked.holding_id,
            card_id=card_id,
            amount_fen=late.amount_fen,
            at=asked.at,
        )
        for late in purse.expired
        if late.card_id == card_id and after(late.counter) == asked.counter and card_id not in purse.settled
    ]
    load = purse.load_of(card_id)
    if load is None:
        return found
    if asked.counter == after(load.counter):
        return [*found, _confirmed(load, asked.holding_id, "counter", asked.at)]
    if asked.counter == load.counter:
        return [*found, _reversed(load, asked.holding_id, "counter", asked.at)]
    raise CounterDoesNotFit(counter=asked.counter, expected=f"{load.counter} or {after(load.counter)}")


def after(counter: int) -> int:
    """The chip's load counter one load later."""
    return (counter + 1) % COUNTERS


def tell_outcome(asked: TellOutcome, purse: Purse) -> Sequence[Event]:
    """The terminal knows, or knows that it does not know; an outcome told twice is told once."""
    load = purse.waiting(asked.load_id)
    if load is None:
        if purse.outcome_of(asked.load_id) is None:
            raise LoadUnknown(load_id=asked.load_id)
        return []
    match asked.outcome:
        case "loaded":
            if asked.counter is not None and asked.counter != after(load.counter):
                raise CounterDoesNotFit(counter=asked.counter, expected=after(load.counter))
            return [_confirmed(load, asked.holding_id, "terminal", asked.at)]
        case "not_loaded":
            return [_reversed(load, asked.holding_id, "terminal", asked.at)]
        case "unknown":
            if load.uncertain:
                return []
            return [LoadUncertain(load_id=load.load_id, holding_id=asked.holding_id, card_id=load.card_id, at=asked.at)]
        case _:
            assert_never(asked.outcome)


def meet(asked: MeetChip, purse: Purse) -> Sequence[Event]:
    """Any terminal will do; a contact that tells nothing new changes nothing."""
    return by_the_counter(asked.card_id, asked, purse)


def expire_load(asked: ExpireLoad, purse: Purse) -> Sequence[Event]:
    """Every paid load ends confirmed or given back, and there is no third end after its last hour (INV-3)."""
    load = purse.waiting(asked.load_id)
    if load is None:
        return []
    return [_reversed(load, asked.holding_id, "expired", asked.expires_at)]


def _confirmed(load: Load, holding: HoldingId, how: str, at: datetime) -> LoadConfirmed:
    return LoadConfirmed(
        load_id=load.load_id,
        holding_id=holding,
        card_id=load.card_id,
        origin=load.origin,
        amount_fen=load.amount_fen,
        how=how,
        at=at,
    )


def _reversed(load: Load, holding: HoldingId, how: str, at: datetime) -> LoadReversed:
    return LoadReversed(
        load_id=load.load_id,
        holding_id=holding,
        card_id=load.card_id,
        channel=load.channel,
        origin=load.origin,
        amount_fen=load.amount_fen,
        how=how,
        at=at,
    )


def end_cooling(asked: EndCooling, purse: Purse) -> Sequence[Event]:
    """Once, and not before every terminal's batch is in or the longest upload delay is over (INV-12).

    A load of the chip that nobody knows the end of has to end first, or what it put there would stay behind.
    """
    cooling = purse.cooling_of(asked.card_id)
    if cooling is None or cooling.ends_at != asked.ends_at:
        return []
    at = asked.at or asked.ends_at
    loading = purse.load_of(asked.card_id) is not None
    if loading or (not asked.batches_in and at < cooling.latest_at):
        ends_at = at + LOOK_AGAIN if loading else min(at + LOOK_AGAIN, cooling.latest_at)
        return [CoolingExtended(holding_id=asked.holding_id, card_id=asked.card_id, at=at, ends_at=ends_at)]
    if not cooling.refunds:
        return [ChipForfeited(holding_id=asked.holding_id, card_id=asked.card_id, at=at)]
    lives = purse.ended_at is None and asked.account_has_room
    return [
        ChipSettled(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            amount_fen=max(0, asked.shadow_fen),
            to="account" if lives else "payable",
            at=at,
        )
    ]


def pay_out(asked: PayOut, purse: Purse) -> Sequence[Event]:
    """Each part goes back to where it came from: cash as cash, bank money to the bank, vouchers to nobody (3.3)."""
    if purse.card is None or purse.card.card_id != asked.card_id:
        raise CardUnknown(card_id=asked.card_id)
    if purse.paid_out is not None:
        return []
    if purse.ended_at is None or asked.at < purse.ended_at:
        raise StillInUse(card_id=asked.card_id)
    if asked.under is None:
        raise NoWalletHere
    if purse.opened_at is None:
        raise WalletNotOpened
    check_counter(asked.place, asked.document, asked.under)
    if asked.held_fen:
        raise MoneyStillHeld(held_fen=asked.held_fen)
    fee = asked.under.refund_fee_fen(asked.cash_fen)
    return [
        AccountPaidOut(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            outlet=asked.place.outlet,
            cash_fen=asked.cash_fen - fee,
            bank_fen=asked.bank_fen,
            voucher_fen=asked.voucher_fen,
            fee_fen=fee,
            at=asked.at,
        )
    ]


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case LoadPaid():
            expires = ExpireLoad(load_id=fact.load_id, holding_id=fact.holding_id, expires_at=fact.expires_at)
            yield Due(fact.expires_at, expires)
        case CoolingBegun() | CoolingExtended():
            yield Due(fact.ends_at, EndCooling(holding_id=fact.holding_id, card_id=fact.card_id, ends_at=fact.ends_at))


purses: Decider[Command, Purse, Event] = Decider(Purse(), decide, evolve, due)


def check_card(card_id: CardId, asked: OpenPurse | PayLoad, purse: Purse) -> None:
    """Whether money may be put on this card now. Raises a refusal that says why not (R96)."""
    if purse.card is None or not purse.heard_of(card_id):
        raise CardUnknown(card_id=card_id)
    if purse.card.card_id != card_id:
        raise CardOfYesterday(card_id=card_id)
    if purse.ended_at is not None:
        raise CardEndedForGood(card_id=card_id)
    if purse.frozen(asked.at):
        raise CardStopped(asked.under.by("loss") if asked.under is not None else None, card_id=card_id)
    if asked.at >= purse.card.valid_to:
        raise CardExpired(card_id=card_id)


def check_till(place: Place, under: WalletBylaw) -> None:
    """Whether money is taken in there. Raises WrongPlace."""
    if place.kind not in under.top_up_at:
        raise WrongPlace(under.by("top_up"), kind=place.kind, kinds=", ".join(sorted(under.top_up_at)))


def check_counter(place: Place, document: str, under: WalletBylaw) -> None:
    """Whether whoever stands there may open, close and empty a wallet. Raises WrongPlace, DocumentNotAccepted."""
    if place.kind not in under.open_at:
        raise WrongPlace(under.by("open_at"), kind=place.kind, kinds=", ".join(sorted(under.open_at)))
    if document not in under.documents:
        raise DocumentNotAccepted(under.by("documents"), documents=", ".join(sorted(under.documents)))
