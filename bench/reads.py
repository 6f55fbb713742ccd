"""API reads per second, beside a bare aiohttp handler that answers the same bytes from memory."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import uvloop
from aiohttp import web

from bench.http_load import Load, get_for
from bench.population import add_contacts
from postroad_stack import start_stack
from postroad_stack.listening import listening_port
from postroad_stack.process import Process
from postroad_stack.services import running_services
from postroad_stack.smtp_server import running_smtp_server
from tests.acceptance.conftest import migrated_database
from tests.acceptance.world import World, new_world

ROUNDS, SECONDS, CONNECTIONS, CONTACTS = 3, 3.0, 32, 10_000


def serve(file: str) -> None:
    """The reference: one route, one constant answer."""
    body = Path(file).read_bytes()

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f'{{"event": "listening", "port": {runner.addresses[0][1]}}}', flush=True)
        await asyncio.Event().wait()

    uvloop.run(main())


@asynccontextmanager
async def reference(body: bytes, directory: Path) -> AsyncIterator[str]:
    """The URL of a bare handler that answers these bytes."""
    file = Path(tempfile.mkdtemp(dir=directory)) / "body"
    file.write_bytes(body)
    argv = [sys.executable, "-O", "-m", "bench.reads", str(file)]
    async with Process(argv, log=file.with_suffix(".log"), name="reference") as process:
        yield f"http://127.0.0.1:{await listening_port(process)}/"


async def measure(world: World, directory: Path) -> dict[str, list[tuple[Load, Load]]]:
    """Each read beside its reference, in turn."""
    api, key = str(world.http.base_url).rstrip("/"), world.key
    admin = await asyncpg.connect(world.admin_dsn)
    await add_contacts(admin, world.tenant_id, CONTACTS)
    await admin.close()
    contact = (await world.call("GET", "/contacts", params={"limit": 1}))["items"][0]
    reads = {"one contact": f"{api}/v1/contacts/{contact['id']}", "a page of 50": f"{api}/v1/contacts"}
    found: dict[str, list[tuple[Load, Load]]] = {name: [] for name in reads}
    for name, url in reads.items():
        async with httpx.AsyncClient() as http:
            body = (await http.get(url, headers={"Authorization": f"Bearer {key}"})).content
        async with reference(body, directory) as bare:
            for _ in range(ROUNDS):
                ours = await get_for(url, seconds=SECONDS, connections=CONNECTIONS, key=key)
                found[name].append((ours, await get_for(bare, seconds=SECONDS, connections=CONNECTIONS)))
    return found


async def run() -> dict[str, list[tuple[Load, Load]]]:
    """The API as a process over a tenant of some size."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        async with (
            start_stack() as stack,
            migrated_database(stack.postgres.dsn) as database,
            running_smtp_server() as smtp,
            running_services(
                database=database,
                amqp_url=stack.rabbitmq.url,
                settings={"POSTROAD_SEQUENCE_API_RATE_LIMIT_PER_MINUTE": "0"},
                python_flags=("-O",),
                log_dir=directory,
            ) as services,
            new_world(services, smtp, database.admin_dsn, name="Bench") as world,
        ):
            return await measure(world, directory)


def main() -> None:
    """Print the figures."""
    print(f"API reads/s over {CONNECTIONS} connections, beside a bare aiohttp handler with the same bytes in memory")
    for name, rounds in asyncio.run(run()).items():
        ours = statistics.median(mine.per_second for mine, _ in rounds)
        bare = statistics.median(other.per_second for _, other in rounds)
        ratio = statistics.median(mine.per_second / other.per_second for mine, other in rounds)
        p95 = statistics.median(mine.p95_ms for mine, _ in rounds)
        print(f"  {name}: {ours:,.0f} reads/s, p95 {p95:.0f} ms; bare {bare:,.0f}/s, {ratio:.2f}x")


if __name__ == "__main__":
    serve(sys.argv[1])
