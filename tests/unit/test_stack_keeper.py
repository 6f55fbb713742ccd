"""Where the servers' files are, and that what a killed keeper leaves of them goes with the next start."""

import fcntl
import tempfile
from pathlib import Path

import pytest

from postroad_stack import keeper_main
from postroad_stack.keeper_main import IN_MEMORY, PREFIX, ROOM, place, room, sweep


def directory(where: Path, name: str, *, lock: bool = True) -> Path:
    left = where / (PREFIX + name)
    (left / "data").mkdir(parents=True)
    if lock:
        (left / "lock").touch()
    return left


def test_only_directories_of_dead_keepers_are_swept(tmp_path: Path) -> None:
    dead, alive = directory(tmp_path, "dead"), directory(tmp_path, "alive")
    kept, foreign = directory(tmp_path, "kept", lock=False), tmp_path / "foreign"
    foreign.mkdir()
    with (alive / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(tmp_path)
    assert not dead.exists()
    assert all(there.exists() for there in (alive, kept, foreign))


@pytest.mark.parametrize(
    ("asked", "spare", "in_memory"), [("1", ROOM, True), ("1", ROOM - 1, False), ("0", ROOM, False)]
)
def test_data_is_in_memory_only_where_that_is_asked_for_and_has_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str, spare: int, *, in_memory: bool
) -> None:
    monkeypatch.setenv(IN_MEMORY, asked)
    monkeypatch.setattr(keeper_main, "MEMORY", tmp_path)
    monkeypatch.setattr(keeper_main, "room", lambda _: spare)
    assert place() == (tmp_path if in_memory else Path(tempfile.gettempdir()))


def test_what_is_not_there_has_no_room(tmp_path: Path) -> None:
    assert room(tmp_path / "nothing") == 0
