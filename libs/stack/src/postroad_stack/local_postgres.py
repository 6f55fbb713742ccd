"""A private PostgreSQL from the programs on this machine."""

import secrets
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from postroad_stack.answering import postgres_answers, until_answering
from postroad_stack.directories import make_private_directory, tail
from postroad_stack.errors import StartError
from postroad_stack.keeper import Keeper, Program
from postroad_stack.ports import LOOPBACK, Ports
from postroad_stack.programs import PostgresPrograms, run_as

SETTINGS = {
    "max_connections": "300",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "4GB",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",  # in the data directory: a SIGKILL leaves nothing in /dev/shm
}
NAME = "postgres"


@dataclass
class LocalPostgres:
    """See PostgresServer."""

    keeper: Keeper
    programs: PostgresPrograms
    port: int
    settings: Mapping[str, str]
    password: str = field(repr=False)
    host: str = LOOPBACK

    @property
    def directory(self) -> Path:
        """Holds data, log and the password file."""
        return self.keeper.root / NAME

    @property
    def dsn(self) -> str:
        """A superuser's connection to the maintenance database."""
        return f"postgresql://postgres:{self.password}@{self.host}:{self.port}/postgres"

    async def initialise(self) -> None:
        """Create the data directory."""
        secret = self.directory / "password"
        secret.write_text(self.password)
        argv = [
            str(self.programs.bin / "initdb"),
            *("-D", str(self.directory / "data"), "-U", "postgres", "--pwfile", str(secret)),
            *("-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"),
        ]
        await self.keeper.start("initdb", self._program(argv))
        code = await until_answering(lambda: self.keeper.code("initdb"), limit=60, accept=lambda code: code is not None)
        if code != 0:
            raise StartError(f"initdb failed with {code}:\n{tail(self._log)}")

    async def start(self) -> None:
        """Start the server and wait until it takes connections."""
        options = [part for key, value in self.settings.items() for part in ("-c", f"{key}={value}")]
        argv = [
            str(self.programs.bin / "postgres"),
            *("-D", str(self.directory / "data"), "-p", str(self.port), "-h", self.host, *options),
        ]
        await self.keeper.start(NAME, self._program(argv))
        await until_answering(self._up, limit=60, accept=bool)

    async def kill(self) -> None:
        """SIGKILL the server with its backends and wait until they are gone."""
        await self.keeper.kill(NAME)

    async def restart(self) -> None:
        """Start again on the same data and port, and wait until it answers."""
        await self.kill()
        await self.start()

    async def pause(self) -> None:
        """SIGSTOP the postmaster: no new connection is answered."""
        await self.keeper.signal(NAME, signal.SIGSTOP)

    async def resume(self) -> None:
        """SIGCONT after `pause`."""
        await self.keeper.signal(NAME, signal.SIGCONT)

    async def _up(self) -> bool:
        code = await self.keeper.code(NAME)
        if code is not None:
            raise StartError(f"PostgreSQL ended with {code} while starting:\n{tail(self._log)}")
        return await postgres_answers(self.dsn)

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _program(self, argv: list[str]) -> Program:
        return Program(
            argv=argv,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self.directory)},
            cwd=self.directory,
            log=self._log,
            user=run_as(),
            stop_signal=signal.SIGQUIT,  # at once: the data goes too
            death_signal=signal.SIGQUIT,
        )


def make_postgres(
    keeper: Keeper, programs: PostgresPrograms, ports: Ports, settings: Mapping[str, str] | None
) -> LocalPostgres:
    """Describe a private server in the keeper's directory."""
    return LocalPostgres(
        keeper=keeper,
        programs=programs,
        port=ports.take(),
        settings={**SETTINGS, **(settings or {})},
        password=secrets.token_urlsafe(18),
    )


async def start_postgres(server: LocalPostgres) -> None:
    """Create its data and start it."""
    make_private_directory(server.directory)
    await server.initialise()
    await server.start()
