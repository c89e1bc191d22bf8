"""A roll from a file to ordered cards, killed in the middle and begun again, compared with its manifest to the row."""

import asyncio
import csv
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from libs.testing.town import Town
from services.ids import roll_id
from services.simulation.rolls import manifest_of, write
from tests.platform import CENTRE, HALL, VENDOR, ZHOUSHAN, Open, produced

ROWS = 3_500

pytestmark = pytest.mark.requirement("R41", "R42")


@pytest.fixture
async def town(open_town: Open) -> AsyncIterator[Town]:
    async with open_town() as opened:
        yield opened


class Desk:
    """A clerk who types the command; every process that she starts is ours."""

    def __init__(self, town: Town, file: Path) -> None:
        self.town, self.file = town, file
        self.verdicts = file.with_name(f"{file.stem}.verdicts.csv")
        self.rejects = file.with_name(f"{file.stem}.rejects.csv")

    def start(self, *more: str) -> "subprocess.Popen[bytes]":
        settings = self.town.house.platform.settings
        environment = os.environ | {"CITYCARD_HOME": str(settings.home), "CITYCARD_DATABASE_URL": settings.database_url}
        command = [sys.executable, "-m", "libs.runtime.cli", "roll", "import", str(self.file), "--city", ZHOUSHAN]
        command += ["--programme", "citizen-card", "--department", "hrss", *more]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    async def imported(self, *more: str) -> tuple[int, str]:
        """The exit status, and what was said."""
        process = self.start(*more)
        out, err = await asyncio.to_thread(process.communicate)
        return process.returncode, (out + err).decode()

    async def killed_on_the_way(self) -> None:
        """Begin, and kill -9 as soon as something is stored."""
        process = self.start()
        try:
            async with asyncio.timeout(60):
                while not await self.registered():
                    assert process.poll() is None, "it was done before it could be killed"
                    await asyncio.sleep(0.005)
        finally:
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.communicate)

    async def registered(self) -> int:
        return await self.ask("select count(*) from identity.fact where name = 'person-registered'")

    async def ask(self, sql: str) -> int:
        connection = await asyncpg.connect(self.town.house.platform.settings.database_url)
        try:
            return int(await connection.fetchval(sql))
        finally:
            await connection.close()

    def listed(self) -> set[tuple[str, ...]]:
        rows = csv.reader(self.verdicts.read_text().splitlines())
        return {tuple(row) for row in rows if row[1] not in ("ordered", "outcome")}


def wanted(file: Path) -> set[tuple[str, ...]]:
    return {tuple(row) for row in csv.reader(manifest_of(file).read_text().splitlines()) if row[0] != "line"}


async def test_a_roll_killed_on_the_way_leaves_no_card_doubled_and_none_out(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "insured.csv"
    came_to = write(file, ROWS, seed=7, share=0.06)
    desk = Desk(town, file)
    await desk.killed_on_the_way()
    on_the_way = await desk.registered()
    assert 0 < on_the_way < came_to["ordered"]

    status, said = await desk.imported()
    assert status == 0, said
    assert desk.listed() == wanted(file)
    assert len(desk.verdicts.read_text().splitlines()) == ROWS + 1
    assert (desk.verdicts.stat().st_mode & 0o077, desk.rejects.stat().st_mode & 0o077) == (0, 0)
    await town.drain()
    ordered = "select count(*) from issuance.fact where name = 'card-ordered'"
    assert await desk.registered() == await desk.ask(ordered) == came_to["ordered"]
    assert await desk.ask(f"{ordered.replace('count(*)', 'count(distinct stream)')}") == came_to["ordered"]
    assert await desk.ask("select count(*) from identity.due") == 0, "nothing waits to be judged once more"
    assert await desk.ask("select count(*) from issuance.queue where waiting") == came_to["ordered"]
    with file.open() as rows:
        name, mobile = [next(rows), next(rows)][1].split(",")[2:5:2]
    for table in ("identity.fact", "identity.outbox", "issuance.fact", "bus.letter"):
        assert await desk.ask(f"select count(*) from {table} where data like '%{name}%' or data like '%{mobile}%'") == 0

    again, said = await desk.imported()
    assert again == 0, said
    assert await desk.ask(ordered) == came_to["ordered"], "said twice, done once"


@pytest.mark.requirement("R43")
async def test_cards_of_a_roll_are_handed_out_in_batches_by_outlet(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    write(file, 40, seed=3, share=0)
    status, said = await Desk(town, file).imported()
    assert status == 0, said
    outlets = Counter(row.rstrip().rsplit(",", 1)[1] for row in file.read_text().splitlines()[1:])
    batch = await produced(town, "citizen-card", CENTRE, VENDOR, at=HALL)
    assert batch["good"] == outlets["zs-hall"] > 0
    holding = batch["seats"][0]["holding_id"]
    card = await town.post(HALL, f"/v1/cards/{holding}.1/hand-overs", {"document": "id_card"})
    assert card["status"] == "active"


async def test_another_file_under_the_name_of_a_begun_roll_is_refused_with_the_place(
    town: Town, tmp_path: Path
) -> None:
    file = tmp_path / "changed.csv"
    write(file, 1_500, seed=4, share=0)
    desk = Desk(town, file)
    assert (await desk.imported())[0] == 0
    before = await desk.registered()
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:1_200], lines[1_200].replace("yes", "no"), *lines[1_201:]]))
    status, said = await desk.imported()
    assert (status, await desk.registered()) == (2, before)
    assert "between line 1002 and line 1501" in said
    assert "--as NAME" in said
    status, said = await desk.imported("--as", "changed-2")
    assert status == 0, said
    assert await desk.registered() == before, "whoever was admitted is known"
    assert roll_id(ZHOUSHAN, "changed-2") in said


async def test_what_cannot_be_imported_is_refused_before_anything_is_done(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("kind,number\n")
    desk = Desk(town, file)
    status, said = await desk.imported()
    assert status == 2
    assert "Line 1, column" in said
    assert await desk.registered() == 0
    write(file, 5, seed=1)
    for more, why in (
        (["--programme", "transit"], "nobody gets a card without applying"),
        (["--as", "Á"], "--as NAME"),
    ):
        status, said = await desk.imported(*more)
        assert (status, await desk.registered()) == (2, 0)
        assert why in said


async def test_a_bad_file_is_refused_by_the_command_with_place_and_remedy_and_a_long_field_alone(
    town: Town, tmp_path: Path
) -> None:
    """Torn, mixed or without a heading, the whole file is refused; a field of 10,000 characters costs its own row."""
    write(sound := tmp_path / "sound.csv", 4, seed=8, share=0)
    heading, first, second, *rest = sound.read_text().splitlines(keepends=True)
    a_field = first.split(",")
    mixed = (heading + first).encode() + second.encode("gbk") + "".join(rest).encode()
    bad = {
        "torn": ("".join([heading, first, second])[:-5].encode(), "Line 3, column", "Ask for the whole file"),
        "mixed": (mixed, "Line 3, column", "Export it again as a whole"),
        "headless": ((first + second).encode(), "Line 1, column 1", "It must be kind,number,name"),
    }
    for name, (content, _, _) in bad.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    told = await asyncio.gather(*(Desk(town, tmp_path / f"{name}.csv").imported() for name in bad))
    for (status, said), (_, place, remedy) in zip(told, bad.values(), strict=True):
        assert status == 2
        assert place in said
        assert remedy in said
        assert "Nothing was done" in said
    desk = Desk(town, tmp_path / "long.csv")
    assert await desk.registered() == 0

    long = ",".join([*a_field[:2], "长" * 10_000, *a_field[3:]])
    desk.file.write_bytes("".join([heading, long, second, *rest]).encode("gbk"))
    status, said = await desk.imported()
    assert (status, desk.listed()) == (0, {("2", "rejected", "name", "too-long")}), said
    assert await desk.registered() == 3
    assert len(desk.rejects.read_text()) < 3_000, "the copy of the row is cut"


async def test_the_same_comes_over_http_and_a_clerk_settles_what_is_doubtful(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "by-http.csv"
    came_to = write(file, 1_200, seed=11, share=0.1)
    lines = file.read_text().replace("\0", "\ufffd").splitlines(keepends=True)
    opened = {"programme": "citizen-card", "department": "hrss", "name": "by-http"}
    roll = (await town.post(CENTRE, "/v1/rolls", opened))["roll_id"]
    part = {"part": 1, "text": "".join(lines)}
    torn = await town.post(CENTRE, f"/v1/rolls/{roll}/parts", part | {"text": "".join(lines)[:-1]}, expect=422)
    assert torn["code"] == "roll-unreadable"
    await town.post(CENTRE, f"/v1/rolls/{roll}/parts", part)
    await town.drain()
    stands = await town.get(CENTRE, f"/v1/rolls/{roll}")
    assert stands["finished"] is True
    assert {word: stands[word] for word in ("ordered", "left_out", "rejected")} == {
        word: came_to[word] for word in ("ordered", "left_out", "rejected")
    }
    assert stands["cases"] == came_to["case"] > 0
    rejects = (await town.call(CENTRE, "GET", f"/v1/rolls/{roll}/rejects")).text.splitlines()
    assert len(rejects) == 1 + sum(came_to[word] for word in ("left_out", "rejected", "case"))
    verdicts = (await town.call(CENTRE, "GET", f"/v1/rolls/{roll}/verdicts")).text.splitlines()
    assert [row.split(",")[1] for row in verdicts[1:]] == [str(line) for line in range(2, 1_202)]
    assert sum(row.split(",")[2] == "ordered" for row in verdicts) == came_to["ordered"]
    again = await town.post(CENTRE, f"/v1/rolls/{roll}/parts", part)
    assert again["ordered"] == came_to["ordered"], "said twice, done once"

    cases = (await town.get(HALL, f"/v1/rolls/{roll}/duplicates"))["cases"]
    case = cases[0]
    everywhere = (await town.get(HALL, "/v1/duplicates"))["cases"]
    assert sorted(everywhere, key=lambda one: int(one["line"])) == cases, "the same, whichever roll has shown them"
    assert len((await town.get(CENTRE, "/v1/duplicates", most="2"))["cases"]) == 2
    assert (len(cases), case["ruling"]) == (came_to["case"], "")
    assert "*" in case["row_number"]
    assert case["row_name"].endswith("**")
    settled = await town.post(HALL, f"/v1/duplicates/{case['case_id']}/rulings", {"ruling": "same_person"})
    assert settled["ruling"] == "same_person"
    other = {"ruling": "another_person"}
    assert (await town.post(HALL, f"/v1/duplicates/{case['case_id']}/rulings", other, expect=409))["code"] == (
        "case-settled"
    )
    await town.drain()
    assert len((await town.get(HALL, "/v1/duplicates"))["cases"]) == len(cases) - 1
    (ruled,) = (await town.get(HALL, "/v1/duplicates", ruling="same_person"))["cases"]
    assert (ruled["case_id"], ruled["ruling"]) == (case["case_id"], "same_person")
    desk = Desk(town, file)
    assert await desk.ask("select count(*) from issuance.fact where name = 'card-ordered'") == came_to["ordered"]
