"""Room on the disk under the database: the last of it is kept for those who must stop a card."""

import os
from collections.abc import Callable
from pathlib import Path

from libs.kernel import NoRoom
from libs.telemetry import log_for

MIB = 1 << 20
BALLAST_SHARE = 4  # A quarter of the reserve, besides it, lies in a file that only we give back.
STANDS_FOR_S = 1.0  # Given back while others still write, ballast would only be theirs.

log = log_for("house")


class Room:
    """How much room the file system of the database has left, and what must hold still because of it.

    `low`, below `reserve` bytes: only urgent acts are taken, and due commands wait; reads go on. `spent`, when less
    than the ballast is left: relays and readers wait too, and as soon as the disk does not fill any further the ballast
    is given back, for urgent acts alone. Both end when reserve and ballast fit again. PostgreSQL must not run into the
    end of the disk: it does not live without 16 MiB for the next piece of its write-ahead log, reads included.

    `volume` is any folder on that file system; without one nothing can be seen, and nothing is ever refused.
    """

    def __init__(
        self,
        volume: Path | None = None,
        reserve: int = 0,
        ballast: Path | None = None,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._volume, self._ballast = volume, ballast if reserve else None
        self._monotonic = monotonic
        self._stood = (0.0, 0)  # Since when the disk has stood where it stands, and where.
        self.reserve, self.ballast_bytes = reserve, reserve // BALLAST_SHARE
        self.free: int | None = None
        self.low = self.spent = False

    def look(self) -> None:
        """Measure, and give the ballast back or lay it down. Raises OSError; what was known before then stays known."""
        if self._volume is None:
            return
        self.free = free_bytes(self._volume)
        was = self.low, self.spent
        gone = self._ballast is not None and not self._ballast.exists()
        if self.free < self.ballast_bytes:
            if not self.spent:
                self._stood = self._monotonic(), self.free
            self.low = self.spent = True
            if not gone and self._stands_still():
                self._give_ballast_back()
        elif self.free >= self.reserve + self.ballast_bytes:
            self._lay_ballast()
            self.low = self.spent = False
        elif self.free < self.reserve or gone:
            self.low, self.spent = True, self.spent or gone
        if was != (self.low, self.spent):
            log.warning("room on the disk", free=self.free, low=self.low, spent=self.spent)

    def _stands_still(self) -> bool:
        since, where = self._stood
        if self.free is None or self._monotonic() - since < STANDS_FOR_S:
            return False
        self._stood = self._monotonic(), self.free
        return self.free > where - MIB

    def _lay_ballast(self) -> None:
        if self._ballast is None or self._ballast.exists():
            return
        draft = self._ballast.with_name(f"{self._ballast.name}.draft")
        with draft.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.ballast_bytes)
        draft.replace(self._ballast)
        self.free = free_bytes(self._ballast.parent)

    def _give_ballast_back(self) -> None:
        if self._ballast is not None and self._volume is not None:
            self._ballast.unlink(missing_ok=True)
            self.free = free_bytes(self._volume)

    def worry(self) -> str:
        """What an operator should know; empty if nothing."""
        if not self.low or self.free is None:
            return ""
        held = "all work inside waits" if self.spent else "due commands wait"
        return (
            f"the disk under the database has {self.free // MIB} MiB left of the {self.reserve // MIB} that are kept: "
            f"only loss reports are taken, and {held}; make room"
        )

    def admit(self, urgent: bool) -> None:
        """Let somebody in who wants something written. Raises NoRoom."""
        if self.low and not urgent:
            raise NoRoom(self.worry(), retry_after_s=30)


def free_bytes(folder: Path) -> int:
    """What an ordinary account may still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
