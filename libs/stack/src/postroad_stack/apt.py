"""Installs server programs with apt, when root on Debian, without starting any system daemon."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from postroad_stack.errors import InstallError

POLICY = Path("/usr/sbin/policy-rc.d")
CLUSTER_CONF = Path("/etc/postgresql-common/createcluster.conf")
LOCK = Path("/var/lock/postroad-stack-apt.lock")
MARK = "# postroad-stack: while its packages are being installed, no daemon is started"
UNITS = {
    "rabbitmq-server": ("rabbitmq-server.service", "epmd.socket", "epmd.service"),
    "postgresql": ("postgresql.service",),
}
"""System units that each package would start at the next boot."""

Log = Callable[[str], None]


def can_install() -> bool:
    """True for root on a Debian kind of system."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def install(packages: Sequence[str], log: Log, *, still_missing: Callable[[], bool]) -> None:
    """Install `packages` unless another run has done so while we waited for our turn.

    Raises InstallError with apt's own words.
    """
    with _one_at_a_time():
        if not still_missing():
            return
        log(f"installing {' and '.join(packages)} with apt, once (about half a minute) ...")
        with no_daemons(POLICY):
            _refresh(log)
            for package in packages:
                _install_one(package)


def _refresh(log: Log) -> None:
    try:
        _apt("update")
    except InstallError as error:  # old lists may still do
        log(str(error))


def _install_one(package: str) -> None:
    if package == "postgresql":
        _apt("install", "postgresql-common")
        with no_main_cluster(CLUSTER_CONF):
            _apt("install", package)
    else:
        _apt("install", package)
    _stay_off_at_boot(UNITS.get(package, ()))


@contextmanager
def no_daemons(policy: Path) -> Iterator[None]:
    """Forbid `invoke-rc.d` and systemd's maintainer scripts to start anything; put back what was there.

    A run that was killed in here leaves its mark, by which the next one finds the original again.
    """
    saved = policy.with_name(policy.name + ".postroad-saved")
    if policy.exists() and MARK not in policy.read_text():
        policy.replace(saved)
    policy.write_text(f"#!/bin/sh\n{MARK}\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        if saved.exists():
            saved.replace(policy)
        else:
            policy.unlink(missing_ok=True)


@contextmanager
def no_main_cluster(conf: Path) -> Iterator[None]:
    """Keep PostgreSQL's package from creating its default cluster; put the file back as it was."""
    before = conf.read_text()
    kept = re.sub(r"(?m)^\s*create_main_cluster\s*=.*$", "", before)
    conf.write_text(f"{kept.rstrip()}\ncreate_main_cluster = false\n")
    try:
        yield
    finally:
        conf.write_text(before)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with LOCK.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _apt(verb: str, *packages: str) -> None:
    options = ["-qq", "-y", "--no-install-recommends"] if verb == "install" else ["-qq"]
    argv = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *options, verb, *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(  # noqa: S603 -- a fixed program and package names of ours
        argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise InstallError(f"`{' '.join(argv)}` failed with status {done.returncode}:\n{said}")


def _stay_off_at_boot(units: Sequence[str]) -> None:
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return
    for unit in units:  # a unit that this release does not have is no error
        subprocess.run(  # noqa: S603 -- a fixed program and unit names of ours
            [systemctl, "disable", "--quiet", unit], capture_output=True, check=False
        )
