"""What every notebook must pass; a subclass gives the fixture `notebook`, empty and of its own."""

import pytest

from libs.messaging.bus import Letter, Slot
from libs.messaging.notebook import Memory, Notebook, Overtaken
from libs.testing.bus_contract import message

HERE: Slot = ("citycard.toy.v1", 0)


def letter(sequence: int, offset: int = 0, shard: int = 0) -> Letter:
    return Letter(HERE, offset, message(shard, sequence))


class NotebookContract:
    """A reader's memory: written page by page, whole or not at all."""

    async def test_a_new_reader_remembers_nothing(self, notebook: Notebook) -> None:
        assert await notebook.load("a") == Memory()
        assert await notebook.parked("a") == []

    async def test_a_page_is_remembered_when_it_is_left(self, notebook: Notebook) -> None:
        async with notebook.page("a") as page:
            await page.move({HERE: (0, 5)}, {("toy", 0): 2})
            await page.hold([letter(4), letter(5)])
            await page.park("k", letter(2), "poison")
        memory = await notebook.load("a")
        assert memory == Memory({HERE: 5}, {("toy", 0): 2}, {("toy", 0): {4: letter(4), 5: letter(5)}}, {"k"})
        assert await notebook.load("b") == Memory()

    async def test_a_page_that_is_torn_out_leaves_nothing(self, notebook: Notebook) -> None:
        async def fill_and_tear() -> None:
            async with notebook.page("a") as page:
                await page.move({HERE: (0, 5)}, {("toy", 0): 2})
                await page.hold([letter(4)])
                await page.park("k", letter(2), "poison")
                raise RuntimeError("power cut")

        with pytest.raises(RuntimeError, match="power cut"):
            await fill_and_tear()
        assert await notebook.load("a") == Memory()
        assert await notebook.parked("a") == []

    async def test_what_waited_is_forgotten_once_it_has_been_seen(self, notebook: Notebook) -> None:
        async with notebook.page("a") as page:
            await page.hold([letter(3), letter(4), letter(6), letter(3, shard=1)])
        async with notebook.page("a") as page:
            await page.move({}, {("toy", 0): 4})
        waiting = (await notebook.load("a")).waiting
        assert {origin: [*held] for origin, held in waiting.items() if held} == {("toy", 0): [6], ("toy", 1): [3]}

    @pytest.mark.parametrize("stood", [0, 4, 6])
    async def test_a_reader_that_was_overtaken_writes_nothing(self, notebook: Notebook, stood: int) -> None:
        async with notebook.page("a") as page:
            await page.move({HERE: (0, 5)})
        with pytest.raises(Overtaken):
            async with notebook.page("a") as page:
                await page.move({("other", 1): (0, 1), HERE: (stood, 9)})
        assert (await notebook.load("a")).positions == {HERE: 5}
        async with notebook.page("a") as page:
            await page.move({HERE: (5, 9)})
        assert (await notebook.load("a")).positions == {HERE: 9}

    async def test_parked_letters_keep_their_order_of_arrival(self, notebook: Notebook) -> None:
        async with notebook.page("a") as page:
            await page.park("k", letter(1), "poison")
            await page.park("l", letter(2), "poison")
        async with notebook.page("a") as page:
            await page.park("k", letter(3), "behind")
            await page.park("?", Letter(HERE, 9, None, "not JSON"), "not JSON")
        parked = await notebook.parked("a")
        assert [(one.key, one.letter.offset, one.error) for one in parked] == [
            ("k", 0, "poison"), ("l", 0, "poison"), ("k", 0, "behind"), ("?", 9, "not JSON"),
        ]  # fmt: skip
        assert [one.letter for one in parked][2:] == [letter(3), Letter(HERE, 9, None, "not JSON")]
        async with notebook.page("a") as page:
            await page.unpark(parked[0].nth)
        assert [one.nth for one in await notebook.parked("a")] == [one.nth for one in parked[1:]]
        assert (await notebook.load("a")).parked == {"k", "l", "?"}
