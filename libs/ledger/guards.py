"""Who says no, and in which order; each guard is one function here and one condition in SQL, under the same code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from libs.ledger.entry import Balance, Guard, Standing

REFERENCE_REUSED = "reference-reused"
ACCOUNT_UNKNOWN = "account-unknown"
ACCOUNT_STOPPED = "account-stopped"
OTHER_BEARER = "other-bearer"
FUNDS_SHORT = "funds-short"
ABOVE_CAP = "above-cap"
HOLD_SHORT = "hold-short"


@dataclass(frozen=True, slots=True)
class Look:
    """What a guard sees: how the account stands, what it would hold afterwards, what was asked of it, and when."""

    standing: Standing
    after: Balance
    guard: Guard
    at: datetime


def in_use(look: Look) -> bool:
    """A stopped or expired account moves nothing that needs it in use."""
    return not look.guard.in_use or look.standing.in_use(look.at)


def right_bearer(look: Look) -> bool:
    """An account is used with the card of today, not with yesterday's."""
    return look.guard.bearer in ("", look.standing.bearer)


def funds_suffice(look: Look) -> bool:
    """What is available already counts every hold."""
    return look.guard.least_fen is None or look.after.available_fen >= look.guard.least_fen


def cap_holds(look: Look) -> bool:
    """What is held still belongs to the account, so it counts towards the cap."""
    return look.guard.most_fen is None or look.after.balance_fen <= look.guard.most_fen


def hold_suffices(look: Look) -> bool:
    """No more can be released or captured than is held."""
    return look.after.held_fen >= 0


GUARDS: Mapping[str, Callable[[Look], bool]] = {
    ACCOUNT_STOPPED: in_use,
    OTHER_BEARER: right_bearer,
    FUNDS_SHORT: funds_suffice,
    ABOVE_CAP: cap_holds,
    HOLD_SHORT: hold_suffices,
}
"""In order of precedence, behind REFERENCE_REUSED and ACCOUNT_UNKNOWN."""

SQL: Mapping[str, str] = {
    REFERENCE_REUSED: "known.reference is not null",
    ACCOUNT_STOPPED: "asks.in_use and (asks.at >= kept.open_until or asks.at >= kept.stopped_from "
    "and (kept.stopped_until is null or asks.at < kept.stopped_until))",
    OTHER_BEARER: "asks.bearer <> '' and asks.bearer <> kept.bearer",
    FUNDS_SHORT: "kept.balance_fen + asks.amount_fen - kept.held_fen - asks.held_fen < asks.least_fen",
    ABOVE_CAP: "kept.balance_fen + asks.amount_fen > asks.most_fen",
    HOLD_SHORT: "kept.held_fen + asks.held_fen < 0",
}
"""The same guards where PostgreSQL judges; a condition that is true (null is not) declines."""


def refusing(look: Look) -> str:
    """The code of the first guard that says no; empty if none does."""
    return next((code for code, holds in GUARDS.items() if not holds(look)), "")
