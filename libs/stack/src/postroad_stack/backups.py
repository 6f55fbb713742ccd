"""Backups as operators make them: logical ones of a database, physical ones of a server that we started here."""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

from yarl import URL

from postroad_stack.databases import Database, at, run
from postroad_stack.errors import StartError
from postroad_stack.local_postgres import LocalPostgres
from postroad_stack.programs import find_postgres


async def dump(database: Database, file: Path) -> None:
    """Back a database up while it is in use. StartError with the program's words if it fails or is not here."""
    await _program("pg_dump", "--format=custom", "--file", str(file), dsn=database.admin_dsn)


async def restore(server_dsn: str, file: Path, *, role_password: str) -> Database:
    """A new database of the server with what was backed up."""
    name = f"postroad_restored_{secrets.token_hex(4)}"
    await run(server_dsn, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    database = at(server_dsn, name, role_password)
    await _program("pg_restore", "--exit-on-error", "--dbname", name, str(file), dsn=database.admin_dsn)
    return database


async def _program(name: str, *arguments: str, dsn: str) -> None:
    programs = find_postgres()
    if programs is None:
        raise StartError(f"{name} is not on this machine: install PostgreSQL's programs")
    url = URL(dsn)
    process = await asyncio.create_subprocess_exec(
        str(programs.bin / name),
        *arguments,
        env={
            **os.environ,
            "PGHOST": url.host or "127.0.0.1",
            "PGPORT": str(url.port or 5432),
            "PGUSER": url.user or "postgres",
            "PGPASSWORD": url.password or "",
            "PGDATABASE": url.path.lstrip("/"),
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise StartError(f"{name} failed with {process.returncode}:\n{output.decode(errors='replace')}")


async def base_backup(server: LocalPostgres, directory: Path) -> None:
    """A physical backup of a running server, with the log that makes it consistent."""
    await _program(
        "pg_basebackup", "--pgdata", str(directory), "--wal-method=stream", "--checkpoint=fast", dsn=server.dsn
    )


async def put_back(server: LocalPostgres, directory: Path, *, recover: bool) -> None:
    """Kill a server, put a physical backup in the place of its data, and start it again.

    `recover`: as tools do that archive the log, with a recovery to a point in time, which begins a new timeline. Else
    as a snapshot of the files is put back: nothing in them tells them from the original.
    """
    data = server.directory / "data"
    await server.kill()
    owner = data.stat()
    await asyncio.to_thread(shutil.rmtree, data)
    await asyncio.to_thread(shutil.copytree, directory, data)
    if recover:
        (data / "recovery.signal").touch()
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write("restore_command = 'false'\nrecovery_target = 'immediate'\n")
            settings.write("recovery_target_action = 'promote'\n")
    for path in (data, *data.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    data.chmod(0o700)
    await server.start()
