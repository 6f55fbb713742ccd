"""What a killed keeper leaves on disk goes with the next start; what lives or is kept stays."""

import fcntl
from pathlib import Path

from postroad_stack.keeper_main import PREFIX, sweep


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
