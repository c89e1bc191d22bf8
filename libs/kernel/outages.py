"""The world is away: not the caller's fault, nobody's decision, and worth another try."""


class Outage(Exception):
    """Something that we need does not answer; nothing was done. Try again after `retry_after_s` seconds."""

    def __init__(self, what: str, retry_after_s: int = 1) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class NoRoom(Outage):
    """The disk under the city's database is nearly full, so only loss reports are taken until somebody makes room."""


class OutcomeUnknown(Outage):
    """The connection broke between request and answer; asking again under the same command id finds out, safely."""
