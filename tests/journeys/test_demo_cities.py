"""Each city has a story of its own to tell, and what differs is in the data."""

from pathlib import Path

import pytest

from libs.testing.stage import one_process
from services.demo import BEGINS
from services.demo_cities import STORIES

DIFFERS = {
    "hangzhou": (
        "Granted: no household here, and studies in Hangzhou.",
        "Refused: is insured, but has no stable job.",
        "Refused: the work permit is valid for 90 more days or less; it must be more.",
        "Granted: holds a work permit for 14 days or more, with more than 90 days left, and a valid passport.",
    ),
    "wuxi": (
        "Refused: has not been registered here for half a year yet.",
        "Granted: has lived here for half a year and has a lawful stable job.",
        "handed over, and in_hand: nothing works yet",
        "a call stops it until 2026-09-09T16:00:00Z: seven days",
        "This permit can be endorsed from 2027-08-11 on, within the month before its year is full",
        "endorsed at the community that the police have entrusted: valid until 2028-09-10T16:00:00Z",
    ),
}


@pytest.mark.parametrize("city", DIFFERS)
async def test_the_story_of_a_city_tells_what_differs(
    city: str, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with one_process(workshop / f"demo-{city}", CITYCARD_CITY_TIME_START=BEGINS.isoformat()) as stage:
        await STORIES[city](stage.web, stage.settings).tell()
    told = capsys.readouterr().out
    for words in DIFFERS[city]:
        assert words in told
