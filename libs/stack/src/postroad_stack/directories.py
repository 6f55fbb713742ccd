"""Directories and logs of the servers that we start."""

import os
import pwd
from pathlib import Path

from postroad_stack.programs import run_as


def make_private_directory(path: Path) -> None:
    """Create a directory that only the servers' user may enter."""
    path.mkdir(mode=0o700, parents=True)
    own(path)


def own(path: Path) -> None:
    """Give a file or directory to the user whom servers run as."""
    user = run_as()
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log, for an error's text."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
