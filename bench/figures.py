"""One table: what was measured, beside what, and whether it is what was wanted."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Ratios:
    """What the rounds of a paired run came to; the median counts."""

    rounds: Sequence[float]

    @property
    def median(self) -> float:
        return median(self.rounds)

    def __str__(self) -> str:
        return f"{self.median:.2f}× ({min(self.rounds):.2f}–{max(self.rounds):.2f})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `met` is None where nothing was wanted or nothing could be measured."""

    measure: str
    ours: str
    beside: str = "–"
    ratio: str = "–"
    wanted: str = "–"
    met: bool | None = None


@dataclass
class Findings:
    """What one measure has to say: rows, and notes for whoever wants to know why."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Round = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Paired:
    """The figures of contestants that took turns, each round under the same weather."""

    figures: dict[str, list[float]]

    def of(self, name: str) -> float:
        return median(self.figures[name])

    def ratio(self, name: str, to: str) -> Ratios:
        return Ratios([one / other for one, other in zip(self.figures[name], self.figures[to], strict=True)])


async def in_turns(rounds: int, contestants: dict[str, Round]) -> Paired:
    """A B A B …: every contestant once to warm up, then once in each round; every other round goes backwards."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for nth in range(rounds + 1):
        order = list(contestants.items())
        for name, play in order if nth % 2 else reversed(order):
            figure = await play()
            if nth:
                figures[name].append(figure)
    return Paired(figures)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    head = ["measure", "ours", "peer or limit", "ratio: median (min–max)", "wanted", "met"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        met = "–" if row.met is None else "yes" if row.met else "**no**"
        lines.append([row.measure, row.ours, row.beside, row.ratio, row.wanted, met])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
