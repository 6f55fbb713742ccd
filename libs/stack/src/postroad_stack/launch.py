"""Becomes another program that cannot outlive its parent. Run as a script; standard library only.

    launch.py PARENT_PID DEATH_SIGNAL USER|- PROGRAM ARGUMENT...

The exec keeps the process id, so whoever started this script holds the program itself.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Drop privileges, tie this process to its parent's life and exec the program."""
    parent, death_signal, user, *argv = sys.argv[1:]
    if user != "-":
        become(user)
    if sys.platform == "linux":  # after the change of user, which would clear it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(1)  # the parent died before the tie was made
    try:
        os.execvp(argv[0], argv)  # noqa: S606 -- the purpose of this script
    except OSError as error:
        sys.exit(f"cannot run {argv[0]}: {error.strerror}")


def become(user: str) -> None:
    """Turn root into the unprivileged `user`, without supplementary groups."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main()
