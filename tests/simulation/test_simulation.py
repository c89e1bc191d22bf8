"""The whole city under seeds: nothing that must never be is seen, and every planted bug is."""

import subprocess
import sys

import pytest

from services.simulation.__main__ import main
from services.simulation.city import simulate
from services.simulation.mutants import BUGS, Bug, hunt_one

SEEDS = (1, 2, 3, 10)

QUICK = {
    "the store does not check the version",
    "command ids are forgotten",
    "the relay marks before it sends",
    "the position moves before reactions settle",
    "a report is lifted after the reissue",
    "a written report forgets what the call stopped",
    "a replacement is two facts",
    "the courier sends before it records",
}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_seen_that_must_never_be(seed: int) -> None:
    run = simulate(seed)
    assert not run.violation, f"{run.violation}\n{run.swarm}\n{run.journal}"
    assert run.acknowledged > 10


def test_a_seed_replays_to_the_last_step_and_the_last_letter() -> None:
    once = simulate(7)
    assert once.trace == simulate(7).trace
    assert once.trace != simulate(8).trace


def test_another_process_with_other_hashes_replays_it_too() -> None:
    code = "from services.simulation.city import simulate; print(simulate(7).trace)"
    told = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "12345"}, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == simulate(7).trace


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.name in QUICK], ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    assert hunt_one(bug).run is not None


def test_the_quick_bugs_are_some_of_all() -> None:
    assert {bug.name for bug in BUGS} >= QUICK
    assert len(BUGS) >= 12


def test_a_violation_names_its_seed_and_replays_identically(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (bug,) = (bug for bug in BUGS if bug.name == "a report is lifted after the reissue")
    seed = found.seed if (found := hunt_one(bug).run) else 0
    once, again = simulate(seed, bug.plant), simulate(seed, bug.plant)
    assert once.violation.startswith("INV-10")
    assert (once.violation, once.trace, once.journal) == (again.violation, again.trace, again.journal)
    monkeypatch.setattr("services.simulation.__main__.simulate", lambda seed: simulate(seed, bug.plant))
    assert main(["--seeds", "3", "--first", str(seed)]) == 1
    said = capsys.readouterr().out
    assert f"seed {seed}: INV-10" in said
    assert "processes=" in said
    assert f"python -m services.simulation --seeds 1 --first {seed}" in said
