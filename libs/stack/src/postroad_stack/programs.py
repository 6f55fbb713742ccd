"""Where this machine keeps PostgreSQL's and RabbitMQ's programs."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FLOOR = 15
"""Lowest PostgreSQL major version that Postroad's SQL keeps to."""

UNPRIVILEGED = "nobody"

POSTGRES_GLOBS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
RABBIT_PLACES = (
    "/usr/lib/rabbitmq/bin",  # Debian's wrappers in /usr/sbin refuse any user but root and rabbitmq
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/opt/rabbitmq/sbin",
)


@dataclass(frozen=True)
class PostgresPrograms:
    """Directory that holds `initdb` and `postgres`, and their major version."""

    bin: Path
    major: int


@dataclass(frozen=True)
class RabbitPrograms:
    """The directory of `rabbitmq-server` and `rabbitmqctl`, and where Erlang's `epmd` is."""

    bin: Path
    epmd: Path


def find_postgres() -> PostgresPrograms | None:
    """Return the newest PostgreSQL server programs from version 15 on."""
    found = [programs for place in _postgres_places() if (programs := _postgres_at(place))]
    return max((one for one in found if one.major >= FLOOR), key=lambda one: one.major, default=None)


def find_rabbitmq() -> RabbitPrograms | None:
    """Return RabbitMQ's programs if both the broker and Erlang are here."""
    places = [Path(place) for place in RABBIT_PLACES]
    if on_path := shutil.which("rabbitmq-server"):
        places.append(Path(on_path).resolve().parent)
    epmd = shutil.which("epmd") or _erlang_epmd()
    for place in places:
        if (place / "rabbitmq-server").exists() and (place / "rabbitmqctl").exists() and epmd:
            return RabbitPrograms(place, Path(epmd))
    return None


def run_as() -> str | None:
    """User whom servers run as: `nobody` under root, because PostgreSQL refuses root; otherwise ourselves."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def _postgres_places() -> list[Path]:
    places = [found for pattern in POSTGRES_GLOBS for found in Path("/").glob(pattern.removeprefix("/"))]
    if on_path := shutil.which("postgres"):
        places.append(Path(on_path).resolve().parent)
    if config := shutil.which("pg_config"):
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603 -- from PATH
        places.append(Path(asked.stdout.strip()))
    return places


def _postgres_at(place: Path) -> PostgresPrograms | None:
    if not ((place / "postgres").exists() and (place / "initdb").exists()):
        return None
    said = subprocess.run([place / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603 -- found above
    version = re.search(r"\) (\d+)", said.stdout)
    return PostgresPrograms(place, int(version[1])) if version else None


def _erlang_epmd() -> str | None:
    for pattern in ("usr/lib/erlang/erts-*/bin/epmd", "opt/homebrew/opt/erlang/lib/erlang/erts-*/bin/epmd"):
        for found in Path("/").glob(pattern):
            return str(found)
    return None
