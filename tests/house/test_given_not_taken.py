"""Clocks, ids, randomness and the environment are given to a service, never taken; so any life can be played again.

Measuring how long something took is no taking: an event loop's `time()` is allowed within `libs`, because nothing that
is decided or stored follows from it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FROM_OUTSIDE = (  # They look at the house or play the world around it, and no service imports them.
    "libs/testing/", "libs/runtime/doctor.py", "libs/runtime/readmodels.py", "services/demo.py",
    "services/demo_cities.py", "services/faults.py", "services/simulation/", "services/drift/",
)  # fmt: skip
SOURCES = sorted(
    source
    for folder in ("libs", "services")
    for path in (ROOT / folder).rglob("*.py")
    if not (source := path.relative_to(ROOT).as_posix()).startswith(FROM_OUTSIDE)
)

TAKEN = re.compile(
    r"""
    (datetime\.)*(datetime|date)\.(now|utcnow|today|fromtimestamp) | time\.(time|time_ns|monotonic|monotonic_ns|sleep)
    | time\.(localtime|gmtime|strftime|perf_counter|perf_counter_ns) | uuid\.(uuid1|uuid4|getnode) | random\..+
    | secrets\..+ | numpy\.random\..+ | os\.(urandom|getrandom|environ|getenv|environb|getpid|getlogin) (\..+)?
    | asyncio\.(open_connection|open_unix_connection|create_subprocess_exec|create_subprocess_shell)
    | socket\.(socket|create_connection|gethostname|getfqdn) | (http|urllib)\..+ | requests\..+ | platform\.(node|uname)
    | httpx\.(get|post|request|stream|Client|AsyncClient) | subprocess\..+ | asyncpg\.(connect|create_pool)
    """,
    re.VERBOSE,
)

ALLOWED = {
    # A program of its own, which trusts nobody in the house.
    "libs/audit/verify.py": {"asyncpg.connect"},
    # The machine's clock, once; the engines, which hand all of it out.
    "libs/runtime/citytime.py": {"datetime.now"},
    "libs/runtime/engines.py": {"time.monotonic", "os.urandom", "os.getpid", "asyncpg.create_pool"},
    "libs/runtime/embedded_postgres.py": {
        "secrets.token_urlsafe", "socket.socket", "asyncpg.connect", "subprocess.Popen", "subprocess.PIPE",
        "subprocess.STDOUT", "subprocess.DEVNULL",
    },
    # The master key, for whoever makes a department's key with it.
    "libs/runtime/cli.py": {"os.urandom"},
    # Development keys: whose process writes them, and where a foreign issuer publishes its own.
    "libs/runtime/development.py": {"os.getpid", "httpx.get"},
    # A command beside the house, which comes to its doors like anybody.
    "services/wallet/adapters/statement_desk.py": {"httpx.request"},
    # How long an answer took.
    "libs/web/observe.py": {"time.perf_counter"},
}  # fmt: skip


def taken_in(source: str) -> Iterator[str]:
    """Every name in this source that takes something from the world, by the name under which it was imported."""
    tree = ast.parse(source)
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.asname or name.name.partition(".")[0]: (name.asname and name.name) or
                         name.name.partition(".")[0] for name in node.names}  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            root, dot, rest = ast.unparse(node).partition(".")
            bare = root.partition("(")[0]
            full = f"{imported.get(bare, bare)}{root[len(bare) :]}{dot}{rest}".replace(
                "datetime.datetime.", "datetime."
            )
            full = full.replace("datetime.date.", "date.")
            if bare in imported and TAKEN.fullmatch(full):
                yield full


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_is_taken_but_where_the_list_allows_it(source: str) -> None:
    text = (ROOT / source).read_text()
    found = set(taken_in(text)) | ({"loop.time"} if source.startswith("services/") and "loop().time" in text else set())
    assert found <= ALLOWED.get(source, set()), f"{source} takes {sorted(found - ALLOWED.get(source, set()))}"


def test_no_service_and_no_library_imports_what_stands_outside() -> None:
    modules = [one.removesuffix(".py").rstrip("/").replace("/", ".") for one in FROM_OUTSIDE]
    inside = [source for source in SOURCES if source != "libs/runtime/cli.py"]  # The command starts either.
    found = [(source, module) for source in inside for module in modules if module in (ROOT / source).read_text()]
    assert not found


def test_the_list_allows_nothing_that_is_not_needed() -> None:
    needless = {
        source: sorted(spare)
        for source, allowed in ALLOWED.items()
        if (spare := allowed - set(taken_in((ROOT / source).read_text())))
    }
    assert not needless


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "import datetime\ndatetime.datetime.utcnow()",
        "import datetime as dt\ndt.datetime.now()",
        "from datetime import date\ndate.today()",
        "import time\ntime.time()",
        "from time import time_ns\ntime_ns()",
        "import uuid\nuuid.uuid4()",
        "from uuid import uuid1\nuuid1()",
        "import random\nrandom.random()",
        "from random import Random\nRandom()",
        "import secrets\nsecrets.token_hex()",
        "import os\nos.environ['HOME']",
        "import os\nos.getenv('HOME')",
        "from os import urandom\nurandom(8)",
        "import asyncio\nasyncio.open_connection('x', 1)",
        "import httpx\nhttpx.AsyncClient()",
    ],
)
def test_the_search_finds_what_is_taken(line: str) -> None:
    assert list(taken_in(line))


@pytest.mark.parametrize("line", ["from datetime import datetime\ndatetime.fromisoformat('')", "now = clock.now()"])
def test_the_search_leaves_alone_what_is_given(line: str) -> None:
    assert not list(taken_in(line))


NAMES_OF_OTHERS = re.compile(r"content-security-policy|hit.?policy|\.policy\.|TriggeringPolicy", re.IGNORECASE)


def test_nothing_of_ours_is_called_a_policy() -> None:
    """The word is Cedar's own term, a header's name and the decision tables'; for us it would mean three things."""
    kinds = {".py", ".md", ".yaml", ".yml", ".cedar", ".toml", ".sql", ".json"}
    folders = [ROOT / name for name in ("libs", "services", "deploy")]
    files = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in kinds and "node_modules" not in path.parts
    ]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        for line in path.read_text().splitlines()
        if re.search(r"polic(y|ies)", NAMES_OF_OTHERS.sub("", line), re.IGNORECASE) and "cedar" not in line.lower()
    ]
    assert not found
