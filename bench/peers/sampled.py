"""`citycard …` with a sampler inside: `python -m bench.peers.sampled FILE serve loss --port N`.

SIGUSR1 starts it, and SIGUSR1 again writes what it saw to FILE. It looks at the stack each time that so much processor
time has passed, which costs next to nothing and does not make small functions look dear, as a tracer does.
"""

import json
import signal
import sys
from collections import Counter
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import Any

from libs.runtime.cli import main

EVERY_S = 0.002


class Sampler:
    """Counts, for each function, the samples in which it was at work itself, and those in which it was waited for."""

    def __init__(self) -> None:
        self._samples = 0
        self._own: Counter[str] = Counter()
        self._whole: Counter[str] = Counter()

    def start(self) -> None:
        """From the main thread, which is the one that is looked at."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def seen(self) -> dict[str, Any]:
        return {"samples": self._samples, "own": dict(self._own), "whole": dict(self._whole)}

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        self._samples += 1
        stack: set[str] = set()
        while frame is not None:
            code = frame.f_code
            name = f"{_short(code.co_filename)}:{code.co_qualname}"
            if not stack:
                self._own[name] += 1
            stack.add(name)
            frame = frame.f_back
        self._whole.update(stack)


def on_signal(file: Path) -> None:
    """The first SIGUSR1 starts sampling, the second writes to the file what was seen."""
    sampler, starts = Sampler(), cycle([True, False])

    def turn(_signal: int, _frame: FrameType | None) -> None:
        if next(starts):
            sampler.start()
            return
        sampler.stop()
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(sampler.seen()))
        draft.rename(file)

    signal.signal(signal.SIGUSR1, turn)


def _short(path: str) -> str:
    """The part of a path that says where."""
    _, _, package = path.rpartition("site-packages/")
    return package if package != path else path.removeprefix(f"{Path.cwd()}/")


if __name__ == "__main__":
    on_signal(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
