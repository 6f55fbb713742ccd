"""Is there a Docker engine, and does it have the images?"""

import asyncio
import os
from typing import Any

import docker  # type: ignore[import-untyped] # ships no types
from docker.errors import DockerException  # type: ignore[import-untyped] # likewise
from requests.exceptions import RequestException
from testcontainers.core.docker_client import DockerClient, get_docker_host

from postroad_stack.errors import NoEngineError, WayUnavailableError
from postroad_stack.servers import Log

ENGINE_LIMIT = 5
"""Seconds for the engine's first answer; a client without an engine is normal."""

DEFAULT_ENGINE = "unix:///var/run/docker.sock"

POSTGRES_IMAGE = os.environ.get("POSTROAD_STACK_POSTGRES_IMAGE", "postgres:17")
RABBITMQ_IMAGE = os.environ.get("POSTROAD_STACK_RABBITMQ_IMAGE", "rabbitmq:4-management")


async def check_engine() -> None:
    """Return if an engine answers in time; NoEngineError says what was tried.

    The question is put on a plain socket: docker-py has no limit that covers everything, and forgets to
    close what it opened when nobody answers.
    """
    address = await asyncio.to_thread(get_docker_host) or DEFAULT_ENGINE
    try:
        answer = await asyncio.wait_for(_ping(address), ENGINE_LIMIT)
    except (OSError, TimeoutError, ValueError) as error:
        raise NoEngineError(f"no Docker engine answers at {address}: {str(error) or type(error).__name__}") from error
    if b"200 OK" not in answer:
        raise NoEngineError(f"no Docker engine answers at {address}: it says {answer[:80]!r}")


async def ensure_images(log: Log) -> None:
    """Have both images here; WayUnavailableError if one can be neither found nor pulled."""
    for image in (POSTGRES_IMAGE, RABBITMQ_IMAGE):
        await asyncio.to_thread(_ensure_image, image, log)


def published_host() -> str:
    """Host at which published ports are reached; a local engine's are published on loopback only."""
    host: str = DockerClient(timeout=ENGINE_LIMIT).host()
    return "127.0.0.1" if host in {"localhost", "127.0.0.1", "::1"} else host


def remove_containers(names: list[str]) -> None:
    """Remove containers with their volumes; those that are gone already are no error."""
    client = _client()
    for name in names:
        try:
            client.containers.get(name).remove(force=True, v=True)
        except docker.errors.NotFound:
            continue


def remove_network(name: str) -> None:
    """Remove a network of ours if it is still there."""
    for network in _client().networks.list(names=[name]):
        network.remove()


def container_exec(name: str, argv: list[str]) -> tuple[int, str]:
    """Run a command in a container; return its exit code and output."""
    code, output = _client().containers.get(name).exec_run(argv)
    return int(code), output.decode(errors="replace")


async def _ping(address: str) -> bytes:
    scheme, _, rest = address.partition("://")
    match scheme:
        case "unix":
            reader, writer = await asyncio.open_unix_connection(rest)
        case "tcp" | "http":
            host, _, port = rest.rstrip("/").rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
        case _:  # ssh, TLS, Windows: docker-py knows them
            await asyncio.to_thread(DockerClient(timeout=ENGINE_LIMIT).client.ping)
            return b"200 OK"
    writer.write(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
    answer = await reader.readline()
    writer.close()
    return answer


def _ensure_image(image: str, log: Log) -> None:
    client = _client()
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        log(f"pulling {image}, once ...")
        try:
            client.images.pull(image)
        except (DockerException, RequestException) as error:
            raise WayUnavailableError(
                f"Docker answers, but {image} is neither here nor can it be pulled: {error}"
            ) from error


def _client() -> Any:  # docker-py ships no types
    return DockerClient().client
