"""What a city may decide for itself about money on its cards. All money is integer fen."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from libs.kernel import value
from libs.kernel.why import Cited

CAP_MAX_FEN = 10_000_000
"""No card holds a hundred thousand yuan; a bylaw that says so was mistyped."""

MONEY = ("account", "epurse")
"""The functions of a card that are the wallet's; if a report names both, the money at the host follows the first."""


class Origin(StrEnum):
    """Where money came from: it decides where it may go back to (domain facts 3.3)."""

    CASH = "cash"
    BANK_ACCOUNT = "bank_account"
    VOUCHER = "voucher"


class OnLoss(StrEnum):
    """What becomes of the money in a lost card's offline purse (domain facts 2.8, 3.3: cities differ)."""

    REFUND_AFTER_COOLING = "refund_after_cooling"
    FORFEIT = "forfeit"


@value
class Place:
    """An outlet and its kind, for example `hall` or `bank`; whoever is at no outlet of the city is online."""

    outlet: str
    kind: str


@value
class WalletBylaw:
    """One city's rules on money for one programme, as they hold at one moment.

    `holds_until` is how long an authorisation holds money; the purse's cap bounds the chip, the account's cap what is
    held at the host, holds included. `account_reportable` says whether a report of loss freezes the online account (the
    default, for a named account can be reported, and a lost card neither pays nor takes money in, R96); where the cards
    bear the account as a function of its own (`account_borne`), only a report that names it does, for each function
    has its own report and its own clock (domain facts 2.8). `articles` are the entries behind its values, by their
    names in the programme's `wallet.yaml`.
    """

    named: bool
    open_at: frozenset[str]
    top_up_at: frozenset[str]
    documents: frozenset[str]
    purse_cap_fen: int
    account_cap_fen: int
    top_up_least_fen: int
    top_up_most_fen: int
    hold_hours: int
    load_hours: int
    account_reportable: bool
    purse_on_loss: OnLoss
    cooling_days: int
    upload_delay_days: int
    refund_fee_per_mille: int
    account_borne: bool = False
    city: str = ""
    edition: str = ""
    articles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.purse_cap_fen <= CAP_MAX_FEN or not 0 < self.account_cap_fen <= CAP_MAX_FEN:
            raise ValueError(f"a cap lies between 1 and {CAP_MAX_FEN} fen")
        if not 0 < self.top_up_least_fen <= self.top_up_most_fen <= self.account_cap_fen:
            raise ValueError("a top-up is at least 1 fen, and the largest one still fits under the account's cap")
        if not 0 < self.hold_hours <= 24 * 365 or not 0 < self.load_hours <= 24 * 365:
            raise ValueError("a hold and a load each end within a year")
        if not 0 <= self.cooling_days <= 366 or not 0 <= self.upload_delay_days <= 366:
            raise ValueError("cooling and the longest upload delay take at most a year")
        if not 0 <= self.refund_fee_per_mille <= 100:
            raise ValueError("a refund costs at most a tenth")

    def by(self, *rules: str) -> Cited:
        """What a refusal by these rules cites, for example by `caps`."""
        return Cited(city=self.city, edition=self.edition, articles=tuple(self.articles[rule] for rule in rules))

    def holds_until(self, at: datetime) -> datetime:
        return at + timedelta(hours=self.hold_hours)

    def refund_fee_fen(self, amount_fen: int) -> int:
        """The fee for a refund, rounded half up to the fen."""
        return (amount_fen * self.refund_fee_per_mille + 500) // 1000
