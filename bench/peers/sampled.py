"""`citycard …` with a sampler inside: `python -m bench.peers.sampled FILE serve loss --port N`.

SIGUSR1 starts it, and SIGUSR1 again writes what it saw to FILE. It looks at the stack each time that so much processor
time has passed, which costs next to nothing and does not make small functions look dear, as a tracer does.
"""

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from libs.runtime.cli import main

EVERY_S = 0.002


class Sampler:
    """Counts, for each function, the samples in which it was at work itself, and those in which it was waited for."""

    def __init__(self, file: Path) -> None:
        self._file, self._running = file, False
        self._samples = 0
        self._own: Counter[str] = Counter()
        self._whole: Counter[str] = Counter()
        signal.signal(signal.SIGPROF, self._look)
        signal.signal(signal.SIGUSR1, self._turn)

    def _turn(self, _signal: int, _frame: FrameType | None) -> None:
        self._running = not self._running
        signal.setitimer(signal.ITIMER_PROF, EVERY_S * self._running, EVERY_S * self._running)
        if not self._running:
            draft = self._file.with_suffix(".draft")
            draft.write_text(json.dumps({"samples": self._samples, "own": self._own, "whole": self._whole}))
            draft.rename(self._file)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        self._samples += 1
        stack = set()
        while frame is not None:
            code = frame.f_code
            name = f"{_short(code.co_filename)}:{code.co_qualname}"
            if not stack:
                self._own[name] += 1
            stack.add(name)
            frame = frame.f_back
        self._whole.update(stack)


def _short(path: str) -> str:
    """The part of a path that says where."""
    _, _, package = path.rpartition("site-packages/")
    return package.removeprefix(f"{Path.cwd()}/") if package != path else "/".join(path.split("/")[-2:])


if __name__ == "__main__":
    Sampler(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
