"""The pages that tell a reader what to type are true: typed in order, they answer what they show."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.docs.reading import ANYTHING, PAGES, ROOT, Block, Snippet, blocks, fits, reads_like, snippets, squeezed

README, TOUR = ROOT / "README.md", ROOT / "docs" / "tour.md"
BETWEEN = "\x1e"  # Printed in front of what each block prints.
PATIENCE_S = 240


@pytest.mark.parametrize("page", [README, TOUR], ids=lambda page: page.name)
def test_what_a_reader_types_answers_what_the_page_shows(page: Path, workshop: Path) -> None:
    typed, shown = _script(page)
    with _platform(workshop / f"reader-of-{page.stem.lower()}", _settings_named_in(page)) as environment:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "".join(f"printf '{BETWEEN}'\n{block.text}\n" for block in typed)],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert run.returncode == 0, f"block {run.stdout.count(BETWEEN)} of {page.name} failed:\n{run.stdout}\n{run.stderr}"
    printed = dict(zip(typed, run.stdout.split(BETWEEN)[1:], strict=True))
    for block, output in shown:
        assert _is_as_shown(output, printed[block]), f"{output} is not what {block} prints:\n{printed[block]}"


def test_every_page_that_shows_an_answer_shows_how_to_get_it() -> None:
    assert all(_script(page)[1] for page in (README, TOUR))


@pytest.mark.parametrize("snippet", [s for page in PAGES for s in snippets(page)], ids=lambda s: str(s.block))
def test_quoted_code_stands_in_the_file_that_it_names(snippet: Snippet) -> None:
    rest = squeezed((ROOT / snippet.path).read_text(encoding="utf-8"))
    for piece in snippet.pieces:
        _, found, rest = rest.partition(piece)
        assert found, f"{snippet.path} does not say (any more, or not in this order): {piece}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_house_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_shown_json_may_leave_out_what_it_says_it_leaves_out() -> None:
    real = {"at": "2026-09-28T15:15:00.017Z", "functions": [{"function": "medical"}, {"function": "transit"}]}
    assert fits({"at": f"2026-09-28T15:15:{ANYTHING}Z", ANYTHING: ANYTHING}, real)
    assert fits({"at": ANYTHING, "functions": [ANYTHING, {"function": "transit"}]}, real)
    assert not fits({"at": ANYTHING}, real)
    assert not fits({"at": ANYTHING, "functions": [ANYTHING, {"function": "epurse"}]}, real)


def _script(page: Path) -> tuple[list[Block], list[tuple[Block, Block]]]:
    """What is typed, and each shown output with the block whose output it is: the last one before it."""
    typed: list[Block] = []
    shown: list[tuple[Block, Block]] = []
    for block in blocks(page):
        match block.language:
            case "sh":
                typed.append(block)
            case "json" | "text" if typed:
                shown.append((typed[-1], block))
    return typed, shown


def _is_as_shown(output: Block, printed: str) -> bool:
    if output.language == "json":
        return fits(json.loads(output.text), json.loads(printed))
    return reads_like(output.text, printed)


def _settings_named_in(page: Path) -> dict[str, str]:
    """The settings with which the page says to start the platform."""
    console = "".join(block.text for block in blocks(page) if block.language == "console")
    return dict(re.findall(r"(CITYCARD_[A-Z_]+)=(\S+)", console))


@contextmanager
def _platform(home: Path, settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """A platform of the reader's own, and the environment in which its pages are typed."""
    port = _free_port()
    bare = {name: value for name, value in os.environ.items() if not name.startswith("CITYCARD_")}
    environment = bare | settings | {"CITYCARD_HOME": str(home), "CITYCARD_PORT": str(port)}
    environment["CITY"] = address = f"http://127.0.0.1:{port}"
    log = home.with_suffix(".log")
    with log.open("wb") as out:
        command = [sys.executable, "-m", "libs.runtime.cli", "up"]
        platform = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        try:
            _wait_until_ready(address, platform, log)
            yield environment
        finally:
            platform.terminate()
            platform.wait(30)
            shutil.rmtree(home, ignore_errors=True)


def _wait_until_ready(address: str, platform: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up_at = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"{address}/health/ready", timeout=5):
                return
        except (URLError, OSError):
            assert platform.poll() is None, log.read_text()
            assert time.monotonic() < give_up_at, log.read_text()
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
