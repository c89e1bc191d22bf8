"""What a city may decide for itself about taps that arrive later."""

from enum import StrEnum

from libs.kernel import value


class Bearer(StrEnum):
    """Who pays for a tap on a card that was reported lost."""

    HOLDER = "holder"
    ISSUER = "issuer"
    MERCHANT = "merchant"


@value
class TapBylaw:
    """One city's rules for clearing.

    `clock_tolerance_s` is how far the clocks of two terminals may be apart before a later tap with a lower counter is
    held to be a counter that fell; `ahead_max_s` how far a terminal's clock may be ahead of ours; `stale_days` how old
    a tap may be before a clerk must look at it (Chicago 2008: months of rides posted at once). After a report takes
    effect, `before_receipt` bears what terminals accepted before they had the hotlist, `after_receipt` what they
    accepted although they had it.
    """

    clock_tolerance_s: int = 600
    ahead_max_s: int = 600
    stale_days: int = 90
    before_receipt: Bearer = Bearer.ISSUER
    after_receipt: Bearer = Bearer.ISSUER

    def __post_init__(self) -> None:
        if not (0 <= self.clock_tolerance_s <= 86_400 and 0 <= self.ahead_max_s <= 86_400):
            raise ValueError("clocks that differ by more than a day are broken, not tolerated")
        if not 1 <= self.stale_days <= 3_650:
            raise ValueError("a tap goes stale after 1 to 3,650 days")
