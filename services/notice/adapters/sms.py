"""Simulated providers of text messages; like a real one should, they know a message by its id and send it once."""

import asyncio
import fcntl
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from libs.eventsourcing.lanes import Together
from libs.kernel.clocks import Clock
from services.notice.domain.naming import NoticeId
from services.notice.ports import Sent, TurnedDown

NUMBER_INVALID = "number-invalid"


class MemorySms:
    """A provider for tests and simulation: `sent` is what lies on its customers' telephones."""

    def __init__(self) -> None:
        self.sent: dict[NoticeId, tuple[str, str]] = {}

    async def send(self, notice_id: NoticeId, to: str, text: str) -> Sent | TurnedDown:
        await asyncio.sleep(0)
        if not _can_be_dialled(to):
            return TurnedDown(reason=NUMBER_INVALID)
        self.sent.setdefault(notice_id, (to, text))
        return Sent()

    async def look_up(self, notice_id: NoticeId) -> Sent | None:
        await asyncio.sleep(0)
        return Sent() if notice_id in self.sent else None


class FileSms:
    """A provider whose network is a file: one JSON object a line, with the full number, readable by its owner alone.

    Several processes may send at once; a line that a crash has cut short was never sent.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._known: set[str] = set()
        self._read_to = 0
        self._visits = Together(self._visit)

    async def send(self, notice_id: NoticeId, to: str, text: str) -> Sent | TurnedDown:
        if not _can_be_dialled(to):
            return TurnedDown(reason=NUMBER_INVALID)
        line = {"notice_id": notice_id, "to": to, "text": text, "at": self._clock.now().isoformat()}
        await self._visits(line)
        return Sent()

    async def look_up(self, notice_id: NoticeId) -> Sent | None:
        await self._visits(None)
        return Sent() if notice_id in self._known else None

    async def _visit(self, lines: Sequence[dict[str, str] | None]) -> Sequence[None]:
        await asyncio.to_thread(self._locked, [line for line in lines if line is not None])
        return [None] * len(lines)

    def _locked(self, lines: Sequence[dict[str, str]]) -> None:
        """Learn what others have sent, and add those of these lines that are not there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(self._read_to)
            for raw in file:
                if not raw.endswith(b"\n"):
                    file.truncate(self._read_to)
                    break
                self._known.add(json.loads(raw)["notice_id"])
                self._read_to += len(raw)
            new = {line["notice_id"]: line for line in reversed(lines) if line["notice_id"] not in self._known}
            if new:
                raw = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in reversed(new.values())).encode()
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
                self._known |= new.keys()
                self._read_to += len(raw)


def _can_be_dialled(number: str) -> bool:
    return bool(re.fullmatch(r"\+[1-9][0-9]{6,14}", number))
