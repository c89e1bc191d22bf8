"""Where the time goes: what a sampler saw, as a table."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples of processor time; `whole` counts those in which a function was anywhere on the stack."""

    samples: int
    own: dict[str, int]
    whole: dict[str, int]

    @classmethod
    def read(cls, file: Path) -> "Profile":
        return cls(**json.loads(file.read_text()))

    def markdown(self, of: str, most: int = 40) -> str:
        """The dearest functions, by the share of the time in which they were at work or waited for another's work."""
        dearest = sorted(self.whole.items(), key=lambda one: -one[1])[:most]
        lines = [f"Profile of {of}: {self.samples:,} samples of processor time in a steady window.", "",
                 "| share | of its own | function |", "| ---: | ---: | --- |"]  # fmt: skip
        lines += [
            f"| {count / self.samples:.1%} | {self.own.get(name, 0) / self.samples:.1%} | `{name}` |"
            for name, count in dearest
        ]
        return "\n".join(lines)
