"""PostgreSQL: the pool, the tenant wall of each transaction, statements by name, the schema check."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson
from asyncpg import Connection, Pool
from asyncpg.pool import PoolConnectionProxy
from typing_extensions import override

from postroad_common.errors import DatabaseLostError, QueryMissingError, SchemaTooOldError
from postroad_common.migrations.versions_table import known_versions

AnyConnection: TypeAlias = Connection | PoolConnectionProxy

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 30.0
ACQUIRE_SECONDS: Final = 15.0

RETRYABLE: Final = (
    OSError,  # refused, reset, timed out, name not found
    DatabaseLostError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # the driver's state after a server ended the session between two statements
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,  # a failover in progress
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)
"""Errors after which the same statements may be run again. A lost COMMIT may have happened: be idempotent."""


_CONNECTION_GONE: Final = ("connection is closed", "released back to the pool")  # a pool takes a dead one back at once


def is_retryable(error: BaseException) -> bool:
    """Whether an error is one of RETRYABLE, or the driver's word for a connection that is gone."""
    if isinstance(error, RETRYABLE):
        return True
    return isinstance(error, asyncpg.InterfaceError) and any(words in str(error) for words in _CONNECTION_GONE)


async def create_pool(dsn: str, *, application_name: str, max_size: int) -> Pool:
    """A pool in UTC whose statements, locks and idle transactions are bounded in time; jsonb is Python values."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS + 5,  # for a server that does not even answer
        init=_teach_json,
        reset=_leave_as_it_is,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "jit": "off",  # batches are estimated dear and run in milliseconds; compiling them takes seconds
            "statement_timeout": f"{STATEMENT_SECONDS:.0f}s",
            "lock_timeout": "10s",
            "idle_in_transaction_session_timeout": "30s",
        },
    )


@asynccontextmanager
async def transaction(source: Pool | AnyConnection, tenants: UUID | Iterable[UUID]) -> AsyncIterator[AnyConnection]:
    """A transaction that sees the given tenants and no other; BEGIN and the setting cost one round trip.

    Raises DatabaseLostError, one of RETRYABLE, when the connection ends under it.
    """
    if isinstance(source, Pool):
        async with source.acquire(timeout=ACQUIRE_SECONDS) as conn, _begun(conn, tenants):
            yield conn
    else:
        async with _begun(source, tenants):
            yield source


@asynccontextmanager
async def _begun(conn: AnyConnection, tenants: UUID | Iterable[UUID]) -> AsyncIterator[None]:
    if conn.is_in_transaction():
        raise RuntimeError("a transaction is open on this connection: the tenants would be those of the outer one")
    try:
        await conn.execute(_begin(tenants))
        try:
            yield
        except BaseException:
            await _roll_back(conn)
            raise
        await conn.execute("COMMIT")
    except asyncpg.InterfaceError as error:
        if is_retryable(error):
            raise DatabaseLostError("the connection went away during a transaction") from error
        raise


def _begin(tenants: UUID | Iterable[UUID]) -> str:
    ids = (tenants,) if isinstance(tenants, UUID) else tenants
    # The simple protocol takes two statements at once but no parameters; a UUID's text holds nothing to escape.
    listed = ",".join(str(UUID(bytes=id_.bytes)) for id_ in ids)
    return f"BEGIN; SET LOCAL app.tenants = '{listed}'"


async def _roll_back(conn: AnyConnection) -> None:
    try:
        if not conn.is_closed():
            await conn.execute("ROLLBACK")
    except (*RETRYABLE, asyncpg.InterfaceError):  # the connection went away: so did the transaction
        return


async def _leave_as_it_is(_connection: Connection) -> None:
    """Instead of the driver's reset, a round trip for each use: a setting is one transaction's and ended with it.

    Whoever sets something for the session closes the connection instead of giving it back.
    """


async def _teach_json(conn: Connection) -> None:
    await conn.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode_jsonb, decoder=_decode_jsonb
    )


def _encode_jsonb(value: Any) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _decode_jsonb(data: bytes) -> Any:
    return orjson.loads(data[1:])


class Queries(Mapping[str, str]):
    """The statements of one .sql file by name, as items and as attributes."""

    def __init__(self, source: str, statements: Mapping[str, str]) -> None:
        self._source = source
        self._statements = dict(statements)

    @override
    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    @override
    def __len__(self) -> int:
        return len(self._statements)

    def __getattr__(self, name: str) -> str:
        try:
            return self.__dict__["_statements"][name]  # type: ignore[no-any-return]  # __dict__ is untyped
        except KeyError:
            raise QueryMissingError(f"{self.__dict__.get('_source')} has no statement {name}") from None


_NAME_LINE: Final = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


def queries(package: str, name: str, *, schema: str = "") -> Queries:
    """The statements of `<package>/store/<name>.sql`, each headed by a line `-- name: xyz`.

    schema is what `{schema}` stands for, in statements for a table that several schemas have. It is never input.
    """
    source = f"{package}/store/{name}.sql"
    parts = _NAME_LINE.split(files(package).joinpath("store", f"{name}.sql").read_text().replace("{schema}", schema))
    names, bodies = parts[1::2], parts[2::2]
    if not names or len(set(names)) != len(names) or any(hasattr(Queries, statement) for statement in names):
        raise QueryMissingError(f"{source}: statements need names, each its own and none that a mapping has")
    return Queries(source, {n: body.strip().rstrip(";") for n, body in zip(names, bodies, strict=True)})


async def check_schema(pool: Pool) -> None:
    """Raises SchemaTooOldError unless every migration that this build knows has been applied."""
    try:
        rows = await pool.fetch("SELECT version FROM public.schema_migrations")
    except asyncpg.UndefinedTableError:
        rows = []
    missing = sorted(set(known_versions()) - {row["version"] for row in rows})
    if missing:
        raise SchemaTooOldError(f"the database lacks {', '.join(missing)}: run postroad-migrate")
