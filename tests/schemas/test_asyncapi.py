"""The AsyncAPI document, read by a parser that shares no code with us."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from libs.runtime.cli import SERVICES

CHECK = Path(__file__).parents[2] / "deploy" / "asyncapi"


def check(document: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    if node is None or not (CHECK / "node_modules").exists():
        if "asyncapi" in os.environ.get("CITYCARD_REQUIRE_ENGINES", ""):
            pytest.fail("CITYCARD_REQUIRE_ENGINES wants the AsyncAPI parser: run `npm install` in deploy/asyncapi")
        pytest.skip("no AsyncAPI parser: run `npm install` in deploy/asyncapi")
    return subprocess.run([node, CHECK / "check.mjs", document], capture_output=True, text=True, check=False)


def test_an_independent_parser_reads_every_channel_and_message() -> None:
    done = check(CHECK.parents[1] / "schemas" / "asyncapi.json")
    assert done.returncode == 0, done.stderr
    assert f"{len(SERVICES)} channels" in done.stdout


def test_the_parser_can_say_no(tmp_path: Path) -> None:
    broken = tmp_path / "asyncapi.json"
    broken.write_text('{"asyncapi": "3.0.0", "info": {"title": "no version"}}')
    assert check(broken).returncode == 1
