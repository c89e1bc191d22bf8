"""The last room on the disk is kept for urgent acts; whoever is refused is told why and what to do."""

from pathlib import Path

import pytest

from libs.kernel import NoRoom
from libs.runtime import room as rooms
from libs.runtime.engines import room_of
from libs.runtime.room import MIB, Room
from libs.runtime.settings import Settings


class Disk:
    """A disk of which others take as much as they like."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ballast, self.free_of_ballast = folder / "ballast", 1_000 * MIB
        self.now_s = 0.0
        self.room = Room(folder, 100 * MIB, ballast=self.ballast, monotonic=lambda: self.now_s)
        monkeypatch.setattr(rooms, "free_bytes", lambda _folder: max(0, self.free_of_ballast - self.lies_there))

    @property
    def lies_there(self) -> int:
        return self.ballast.stat().st_size if self.ballast.exists() else 0

    def has(self, free_mib: int) -> tuple[bool, bool]:
        """So much is free, whatever the ballast takes; how does it stand?"""
        self.free_of_ballast = free_mib * MIB + self.lies_there
        self.room.look()
        return self.room.low, self.room.spent


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(tmp_path, monkeypatch)


def test_with_plenty_of_room_ballast_is_laid_and_everybody_is_let_in(disk: Disk) -> None:
    assert disk.has(500) == (False, False)
    assert disk.lies_there == 25 * MIB
    disk.room.admit(urgent=False)
    assert disk.room.worry() == ""


def test_below_the_reserve_only_urgent_acts_are_let_in(disk: Disk) -> None:
    disk.has(500)
    assert disk.has(99) == (True, False)
    disk.room.admit(urgent=True)
    with pytest.raises(NoRoom, match=r"99 MiB left of the 100 .* due commands wait; make room") as refused:
        disk.room.admit(urgent=False)
    assert refused.value.retry_after_s == 30


def test_when_the_reserve_is_used_up_the_ballast_is_given_back_to_those_who_come_after_the_flood(disk: Disk) -> None:
    disk.has(500)
    for free in (20, 15, 3):
        assert disk.has(free) == (True, True)
        assert disk.lies_there == 25 * MIB, "somebody is still filling the disk, and would fill this too"
        disk.now_s += 1
    assert disk.has(3) == (True, True)
    assert disk.lies_there == 0
    assert disk.room.free == 28 * MIB, "what others have not taken yet is there for urgent acts"
    assert "all work inside waits" in disk.room.worry()


def test_it_is_over_when_reserve_and_ballast_fit_again_and_not_before(disk: Disk) -> None:
    disk.has(500)
    disk.has(3)
    disk.now_s = 1
    disk.has(3)
    assert disk.has(124) == (True, True)
    assert disk.has(125) == (False, False)
    assert disk.lies_there == 25 * MIB


def test_a_process_that_starts_without_ballast_on_a_small_disk_knows_that_it_was_given_back(disk: Disk) -> None:
    assert disk.has(110) == (True, True)


def test_between_the_marks_everything_stays_as_it_was(disk: Disk) -> None:
    disk.has(500)
    assert disk.has(110) == (False, False)
    disk.has(90)
    assert disk.has(110) == (True, False)


def test_where_nothing_can_be_seen_nobody_is_refused() -> None:
    unseen = Room()
    unseen.look()
    unseen.admit(urgent=False)
    assert unseen.free is None


def test_a_database_of_ones_own_is_watched_where_its_folder_can_be_seen(tmp_path: Path) -> None:
    unseen = Settings(database_url="postgresql://db")
    room_of(unseen).look()
    assert room_of(unseen).free is None
    seen = room_of(unseen.model_copy(update={"database_volume": tmp_path}))
    seen.look()
    assert seen.free
    assert list(tmp_path.iterdir()) == [], "it is not our folder, and nothing is laid there"


def test_a_reserve_of_nothing_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "free_bytes", lambda _folder: 0)
    none = Room(tmp_path, 0, ballast=tmp_path / "ballast")
    none.look()
    assert not none.low
