"""A simulated provider sends a message once, remembers it, and keeps its customers' numbers to itself."""

import asyncio
import json
from pathlib import Path

import pytest

from services.notice.adapters.sms import FileSms, MemorySms
from services.notice.domain.events import Step
from services.notice.domain.naming import notice_id
from services.notice.ports import Sent, Sms, TurnedDown
from tests.services.notice.town import HOLDING, MORNING, NUMBER, Clock

ONE, OTHER = (notice_id(HOLDING, Step.CARD_ARRIVED, n) for n in "12")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return tmp_path / "home" / "sms.jsonl"


@pytest.fixture(params=["file", "memory"])
def sms(request: pytest.FixtureRequest, network: Path) -> Sms:
    return FileSms(network, Clock()) if request.param == "file" else MemorySms()


class TestSms:
    """The contract, for every provider."""

    async def test_a_message_that_was_sent_is_known(self, sms: Sms) -> None:
        assert await sms.look_up(ONE) is None
        assert await sms.send(ONE, NUMBER, "您好") == Sent()
        assert await sms.look_up(ONE) == Sent()
        assert await sms.look_up(OTHER) is None

    async def test_what_cannot_be_dialled_is_turned_down(self, sms: Sms) -> None:
        for number in ("13812345678", "+0138", "+86 138", ""):
            assert await sms.send(ONE, number, "您好") == TurnedDown(reason="number-invalid")
        assert await sms.look_up(ONE) is None


def lines(network: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in network.read_text().splitlines()]


async def test_each_message_is_one_line_that_only_its_owner_reads(network: Path) -> None:
    sms = FileSms(network, Clock())
    await sms.send(ONE, NUMBER, "您好\n李女士")
    assert lines(network) == [{"notice_id": ONE, "to": NUMBER, "text": "您好\n李女士", "at": MORNING.isoformat()}]
    assert network.stat().st_mode & 0o777 == 0o600


async def test_several_processes_send_a_message_once(network: Path) -> None:
    providers = [FileSms(network, Clock()) for _ in range(5)]
    await asyncio.gather(*(one.send(id_, NUMBER, "您好") for one in providers for id_ in (ONE, OTHER, ONE)))
    assert sorted(line["notice_id"] for line in lines(network)) == sorted([ONE, OTHER])
    assert await FileSms(network, Clock()).look_up(ONE) == Sent()


async def test_a_line_cut_short_was_never_sent(network: Path) -> None:
    await FileSms(network, Clock()).send(ONE, NUMBER, "您好")
    with network.open("a") as file:
        file.write('{"notice_id": "' + OTHER)
    sms = FileSms(network, Clock())
    assert await sms.look_up(OTHER) is None
    await sms.send(OTHER, NUMBER, "您好")
    assert [line["notice_id"] for line in lines(network)] == [ONE, OTHER]


async def test_memory_rings_a_telephone_once() -> None:
    sms = MemorySms()
    await sms.send(ONE, NUMBER, "first")
    await sms.send(ONE, NUMBER, "second")
    assert sms.sent == {ONE: (NUMBER, "first")}
