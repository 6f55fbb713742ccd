"""A service process from start to end, as its operator sees it."""

import asyncio
import base64
import gzip
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from postroad_common.amqp import Broker
from postroad_common.amqp.topology import TRACKER_HITS
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.process import Process
from postroad_stack.tcp_proxy import TcpProxy, tcp_proxy
from tests.integration.common.messages import batch, depth

PROGRAM = Path(__file__).with_name("service_process.py")
START = 40.0
"""Seconds: a loaded machine takes several to import everything."""

Start = Callable[..., "Running"]


class Running:
    """A started service and what it wrote."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.process.log.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> dict[str, Any] | None:
        return next((line for line in self.lines() if line["event"] == event), None)

    async def listening(self) -> str:
        line = await eventually(lambda: self.said("listening"), timeout=START, reason=self.process.log.name)
        return f"http://127.0.0.1:{line['port']}"

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)


@pytest.fixture
async def start(module_database: Database, empty_vhost: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the service with settings that may be overridden."""
    started: list[Process] = []

    def start(**settings: str) -> Running:
        env = {
            "PATH": os.environ["PATH"],
            "POSTROAD_DATABASE_URL": module_database.dsn("postroad_tracker"),
            "POSTROAD_AMQP_URL": empty_vhost,
            "POSTROAD_SECRET_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
            **settings,
        }
        process = Process([sys.executable, str(PROGRAM)], log=tmp_path / f"{len(started)}.log", env=env)
        started.append(process)
        return Running(process)

    yield start
    for process in started:
        await process.kill()


async def get(url: str, **options: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return response.status, await response.text()


async def publish_batches(url: str, count: int) -> None:
    async with await Broker.connect(url, name="test") as broker:
        await broker.publish_all([batch(1) for _ in range(count)])


async def test_a_service_says_where_it_listens_and_that_it_is_well(start: Start) -> None:
    service = start()
    url = await service.listening()

    assert (await get(f"{url}/hello"))[1] == "hello"
    assert (await get(f"{url}/healthz"))[0] == 200
    status, text = await get(f"{url}/readyz")
    assert status == 200
    assert json.loads(text)["ready"] is True
    metrics = (await get(f"{url}/metrics"))[1]
    assert 'postroad_http_request_seconds_count{method="GET",route="/hello",status="200"} 1.0' in metrics
    listening = service.said("listening")
    assert listening is not None
    assert listening["service"] == "example"


async def test_errors_are_problem_documents_and_tell_no_secrets(start: Start) -> None:
    url = await start().listening()

    refused = json.loads((await get(f"{url}/refuse"))[1])
    failed = json.loads((await get(f"{url}/fail"))[1])
    missing_status, missing = await get(f"{url}/nowhere")

    assert refused == {
        "type": "urn:postroad:problem:in_use",
        "title": "It is in use",
        "status": 409,
        "code": "in_use",
        "field": "name",
    }
    assert failed["code"] == "internal_error"
    assert "not for the client" not in json.dumps(failed)
    assert missing_status == 404
    assert json.loads(missing)["code"] == "not_found"


async def test_bad_settings_stop_the_start_with_a_sentence(start: Start) -> None:
    service = start(POSTROAD_HTTP_PROT="80", POSTROAD_LOG_LEVEL="info")

    assert await service.process.wait(START) == 2
    said = service.process.log.read_text()
    assert "POSTROAD_HTTP_PROT is not a setting: did you mean POSTROAD_HTTP_PORT?" in said
    assert "Traceback" not in said


async def test_an_old_schema_stops_the_start_with_a_sentence(start: Start, database: Database) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("DELETE FROM schema_migrations")
    await admin.close()

    service = start(POSTROAD_START_SECONDS="1", POSTROAD_DATABASE_URL=database.dsn("postroad_tracker"))

    assert await service.process.wait(START) == 1
    said = service.said("cannot start")
    assert said is not None
    assert "run postroad-migrate" in said["error"]


@pytest.mark.parametrize("server", ["database", "broker"])
async def test_a_server_that_is_late_is_waited_for(
    start: Start, module_database: Database, empty_vhost: str, server: str
) -> None:
    name, address = _setting(server, module_database, empty_vhost)
    async with tcp_proxy(address.host or "", address.port or 0) as proxy:
        proxy.freeze()
        service = start(**{name: str(address.with_port(proxy.port))})
        await eventually(lambda: service.said(f"waiting for the {server}"), timeout=START)
        assert service.said("listening") is None
        proxy.thaw()
        await service.listening()


@pytest.mark.parametrize("server", ["database", "broker"])
async def test_readiness_names_the_server_that_is_away_and_recovers(
    start: Start, module_database: Database, empty_vhost: str, server: str
) -> None:
    name, address = _setting(server, module_database, empty_vhost)
    async with tcp_proxy(address.host or "", address.port or 0) as proxy:
        service = start(**{name: str(address.with_port(proxy.port))})
        url = await service.listening()
        proxy.freeze()
        proxy.cut()
        report = await eventually(lambda: _unready(url), timeout=20)
        assert [check for check, answer in report["checks"].items() if not answer["ok"]] == [server]
        assert (await get(f"{url}/healthz"))[0] == 200
        proxy.thaw()
        await eventually(lambda: _is_ready(url), timeout=30)


async def test_sigterm_ends_what_is_in_hand_acks_it_and_exits_zero(start: Start, empty_vhost: str) -> None:
    await publish_batches(empty_vhost, 20)
    service = start(POSTROAD_TEST_SECONDS="0.5")
    await eventually(lambda: service.said("begun"), timeout=START)

    service.signal(signal.SIGTERM)

    assert await service.process.wait(20) == 0
    events = [line["event"] for line in service.lines()]
    assert events.count("handled") == events.count("begun")
    assert events.index("draining") < events.index("cleaned up") < events.index("stopped")
    assert await eventually(lambda: depth(empty_vhost, TRACKER_HITS.name)) == 20 - events.count("handled")


async def test_sigterm_lets_a_request_in_hand_be_answered(start: Start) -> None:
    service = start(POSTROAD_TEST_SECONDS="1")
    url = await service.listening()
    asked = asyncio.create_task(get(f"{url}/slow"))
    await eventually(lambda: service.said("asked"))

    service.signal(signal.SIGTERM)

    assert await asked == (200, "done")
    assert await service.process.wait(20) == 0


async def test_sigterm_does_not_wait_longer_than_the_drain(start: Start, empty_vhost: str) -> None:
    await publish_batches(empty_vhost, 1)
    service = start(POSTROAD_TEST_SECONDS="300", POSTROAD_DRAIN_SECONDS="0.5")
    await eventually(lambda: service.said("begun"), timeout=START)

    service.signal(signal.SIGTERM)

    assert await service.process.wait(15) == 0
    assert await eventually(lambda: depth(empty_vhost, TRACKER_HITS.name)) == 1


async def test_a_second_sigterm_ends_at_once(start: Start, empty_vhost: str) -> None:
    await publish_batches(empty_vhost, 1)
    service = start(POSTROAD_TEST_SECONDS="300")
    await eventually(lambda: service.said("begun"), timeout=START)

    service.signal(signal.SIGTERM)
    await eventually(lambda: service.said("draining"))
    service.signal(signal.SIGTERM)

    assert await service.process.wait(5) == 1


async def test_sigterm_while_waiting_for_a_server_ends_in_order(start: Start, module_database: Database) -> None:
    address = URL(module_database.dsn("postroad_tracker"))
    proxy = TcpProxy("127.0.0.1", 1)
    await proxy.start()
    service = start(POSTROAD_DATABASE_URL=str(address.with_port(proxy.port)))
    await eventually(lambda: service.said("waiting for the database"), timeout=START)

    service.signal(signal.SIGTERM)

    assert await service.process.wait(10) == 0
    await proxy.aclose()


async def test_work_that_crashes_ends_the_process_for_its_supervisor_to_restart(start: Start) -> None:
    service = start(POSTROAD_TEST_CRASH="1")

    assert await service.process.wait(START) == 1
    crashed = service.said("work crashed: the process ends")
    assert crashed is not None
    assert "planted" in crashed["exception"]


async def test_the_last_spans_are_sent_before_the_end(start: Start) -> None:
    bodies: list[bytes] = []

    async def receive(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    receiver = web.Application()
    receiver.router.add_post("/v1/traces", receive)
    async with TestServer(receiver) as otlp:
        service = start(POSTROAD_OTLP_ENDPOINT=str(otlp.make_url("")), POSTROAD_TRACE_SAMPLE_RATIO="1")
        await get(f"{await service.listening()}/hello")
        service.signal(signal.SIGTERM)
        assert await service.process.wait(20) == 0

    sent = b"".join(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body for body in bodies)
    assert b"GET /hello" in sent
    assert b"greet" in sent
    assert b"postroad-example" in sent


def _setting(server: str, database: Database, vhost: str) -> tuple[str, URL]:
    if server == "database":
        return "POSTROAD_DATABASE_URL", URL(database.dsn("postroad_tracker"))
    return "POSTROAD_AMQP_URL", URL(vhost)


async def _unready(url: str) -> dict[str, Any] | None:
    status, text = await get(f"{url}/readyz")
    report: dict[str, Any] = json.loads(text)
    return report if status == 503 else None


async def _is_ready(url: str) -> bool:
    return (await get(f"{url}/readyz"))[0] == 200
