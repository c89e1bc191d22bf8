"""python -m services.simulation: live through seeds until one of them shows what must never be."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from services.simulation.city import Run, simulate


def say(words: str = "") -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds to live through (default 20)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--mutants", action="store_true", help="plant one bug after another; each must be caught")
    asked = parser.parse_args(arguments)
    if asked.mutants:
        from services.simulation.mutants import hunt

        return hunt(say)
    return live(range(asked.first, asked.first + asked.seeds))


def live(seeds: Sequence[int]) -> int:
    runs: list[Run] = []
    for seed in seeds:
        run = simulate(seed)
        runs.append(run)
        if run.violation:
            tell_of_violation(run)
            break
    summary(seeds, runs)
    return 1 if runs[-1].violation else 0


def summary(seeds: Sequence[int], runs: Sequence[Run]) -> None:
    faults: Counter[str] = Counter()
    for run in runs:
        faults.update(run.faults)
    steps, seconds = sum(run.steps for run in runs), sum(run.seconds for run in runs)
    say(f"seeds            {len(runs)} ({seeds[0]} to {runs[-1].seed})")
    say(f"steps            {steps:,} in {seconds:.1f} s = {steps / seconds:,.0f} a second")
    say(f"machine time     {sum(run.virtual_s for run in runs) / 3600:,.1f} hours simulated")
    say(
        f"facts            {sum(run.facts for run in runs):,}, {sum(run.checks for run in runs):,} invariants looked at"
    )
    say(f"acknowledged     {sum(run.acknowledged for run in runs):,}; refused {sum(run.refused for run in runs):,}")
    say("faults           " + ", ".join(f"{kind} {count:,}" for kind, count in faults.most_common()))
    say(f"violations       {'one, above' if runs[-1].violation else 'none'}")


def tell_of_violation(run: Run) -> None:
    say(f"seed {run.seed}: {run.violation}")
    say(f"parameters: {run.swarm}")
    say("the last 30 steps:")
    say(run.journal)
    say(f"replay: python -m services.simulation --seeds 1 --first {run.seed}")
    say()


if __name__ == "__main__":
    raise SystemExit(main())
