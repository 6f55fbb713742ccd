"""The image and docker-compose.yml on a real engine: all healthy, the demo's player counts the same, nothing is left.

Runs with `make docker-test` and in `make prove`. Where no engine answers it is skipped, unless POSTROAD_STACK=docker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from postroad_stack import NoEngineError
from postroad_stack.ports import Ports

pytestmark = [pytest.mark.prove, pytest.mark.alone, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
SERVICES = {"sequence-api": 1, "scheduler": 1, "sender": 2, "tracker": 1}
SERVERS = {"postgres": 1, "rabbitmq": 1, "mail": 1}
UNPRIVILEGED = "10001"


def _compose_command() -> list[str]:
    """Compose 2 as the engine's plugin, else Compose 1."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False, timeout=30).returncode == 0:
        return ["docker", "compose"]
    alone = shutil.which("docker-compose")
    if alone is None:
        raise NoEngineError("there is an engine, but neither `docker compose` nor docker-compose")
    return [alone]


@pytest.fixture(scope="module")
def compose() -> list[str]:
    """The command; skips with the reason where there is no engine to run it, fails where one is asked for."""
    from postroad_stack.engine import check_engine  # noqa: PLC0415 -- half a second, for those who run this

    try:
        asyncio.run(check_engine())
        return _compose_command()
    except (NoEngineError, FileNotFoundError) as error:
        if os.environ.get("POSTROAD_STACK") == "docker":
            pytest.fail(f"POSTROAD_STACK=docker: {error}")
        pytest.skip(str(error))


@dataclass(frozen=True)
class Installation:
    """One project of Compose, with secrets, ports and an image of its own."""

    compose: list[str]
    project: str
    env_file: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, timeout: float = 300) -> str:
        """Run a command of Compose, which must succeed; its standard output."""
        ended = self.tried(*arguments, timeout=timeout)
        said = f"{ended.args} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert ended.returncode == 0, said
        return ended.stdout

    def tried(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command of Compose."""
        command = [*self.compose, "--project-name", self.project, "--env-file", str(self.env_file), *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def cli(self, *arguments: str, key: str = "") -> str:
        """The output of the command line, run in a container."""
        return self("run", "--rm", "-T", "-e", f"POSTROAD_API_KEY={key}", "cli", *arguments)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine says of a service's containers."""
        return inspect(*self("ps", "-q", service).split())

    @property
    def image(self) -> str:
        """The tag that is built."""
        return self.environment["POSTROAD_IMAGE"]


def inspect(*names: str) -> list[dict[str, Any]]:
    shown = subprocess.run(["docker", "inspect", *names], capture_output=True, check=True, timeout=60)
    described: list[dict[str, Any]] = json.loads(shown.stdout)
    return described


def left_over(project: str) -> list[str]:
    """Containers, volumes and networks of a project."""
    names: list[str] = []
    for kind in ("container", "volume", "network"):
        every = ["--all"] if kind == "container" else []
        listing = ["docker", kind, "ls", "-q", *every, "--filter", f"label=com.docker.compose.project={project}"]
        names += subprocess.run(listing, capture_output=True, check=True, text=True, timeout=60).stdout.split()
    return names


@pytest.fixture(scope="module")
def installation(compose: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Built and up, with two senders; removed at the end with its image."""
    project = f"postroad-test-{secrets.token_hex(3)}"
    env_file = tmp_path_factory.mktemp("compose") / ".env"
    subprocess.run([ROOT / "deploy" / "make-env", env_file], check=True, capture_output=True, timeout=30)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
    with contextlib.closing(Ports()) as ports:
        tracker = ports.take()
        own = {
            "POSTROAD_IMAGE": f"postroad:{project}",
            "POSTROAD_BUILD_NETWORK": os.environ.get("POSTROAD_BUILD_NETWORK", "default"),
            "POSTROAD_API_PORT": str(ports.take()),
            "POSTROAD_RABBITMQ_PORT": str(ports.take()),
            "POSTROAD_TRACKER_PORT": str(tracker),
            "POSTROAD_TRACKING_URL": f"http://tracker.localhost:{tracker}",
        }
        made = Installation(compose, project, env_file, inherited | own)
        try:
            made("build", "migrate", timeout=900)
            made("up", "-d", "--scale", f"sender={SERVICES['sender']}", timeout=400)
            yield made
        finally:
            made("down", "--volumes", "--remove-orphans", timeout=180)
            subprocess.run(["docker", "image", "rm", made.image], check=True, capture_output=True, timeout=60)
    assert left_over(project) == []


def test_the_demos_player_counts_what_the_services_report(installation: Installation) -> None:
    said = installation("run", "--rm", "-T", "player", timeout=400)
    assert "305 contacts imported, 0 rejected" in said
    assert "counts compared, all equal" in said
    assert "rules hold" in said

    for service, replicas in (SERVICES | SERVERS).items():
        containers = installation.containers(service)
        assert len(containers) == replicas, service
        for container in containers:
            assert container["State"]["Health"]["Status"] == "healthy", service
            assert container["RestartCount"] == 0, service
    (migrated,) = inspect(_ended(installation, "migrate"))
    assert migrated["State"]["ExitCode"] == 0


def _ended(installation: Installation, service: str) -> str:
    """The container of a service that has ended; Compose 2 lists running ones only."""
    of_service = f"label=com.docker.compose.service={service}"
    of_project = f"label=com.docker.compose.project={installation.project}"
    listing = ["docker", "ps", "-aq", "--filter", of_service, "--filter", of_project]
    return subprocess.run(listing, capture_output=True, check=True, text=True, timeout=60).stdout.strip()


def test_our_processes_are_nobody_special_and_cannot_change_their_image(installation: Installation) -> None:
    for service in (*SERVICES, "mail"):
        for container in installation.containers(service):
            processes = subprocess.run(
                ["docker", "top", container["Id"], "-o", "pid,uid"],
                capture_output=True,
                check=True,
                text=True,
                timeout=60,
            )
            assert {line.split()[1] for line in processes.stdout.splitlines()[1:]} == {UNPRIVILEGED}, service
            assert container["HostConfig"]["ReadonlyRootfs"], service
            assert container["HostConfig"]["CapDrop"] == ["ALL"], service
            assert container["HostConfig"]["Memory"] > 0, service
    assert installation("exec", "-T", "sender", "python", "-c", "print(__debug__)").split() == ["False"]


def test_the_image_holds_no_build_tools_no_tests_and_no_secrets(installation: Installation) -> None:
    (image,) = inspect(installation.image)
    (base,) = inspect("python:3.13-slim")
    print(
        f"image: {image['Size'] / 1e6:.0f} MB, {(image['Size'] - base['Size']) / 1e6:.0f} MB of them on top of its base"
    )
    assert image["Config"]["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    search = (
        "import importlib.util as u; print([n for n in ('pip', 'hatchling', 'pytest', 'docker') if u.find_spec(n)])"
    )
    assert installation("exec", "-T", "tracker", "python", "-c", search).split() == ["[]"]
    held = installation("exec", "-T", "tracker", "ls", "-A", "/opt/postroad").split()
    assert set(held) - {"include", "lib64"} == {"bin", "lib", "pyvenv.cfg", "examples"}


def test_what_was_there_is_there_after_an_upgrade_that_replaces_every_container(installation: Installation) -> None:
    made = json.loads(installation.cli("tenant", "create", "Acme", "--json"))
    key = made["api_key"]["key"]
    before = {service: installation.containers(service)[0]["Id"] for service in SERVICES}
    imported = installation.cli("contacts", "import", "examples/contacts.csv", key=key)
    assert "305" in imported

    installation("up", "-d", "--force-recreate", "--scale", f"sender={SERVICES['sender']}", timeout=400)

    again = installation.cli("contacts", "import", "examples/contacts.csv", key=key)
    assert again != imported, "everybody is there already"
    assert before.keys() == {
        service for service in SERVICES if installation.containers(service)[0]["Id"] != before[service]
    }


def test_without_secrets_nothing_starts_and_the_command_to_run_is_named(
    installation: Installation, tmp_path: Path
) -> None:
    empty = tmp_path / ".env"
    empty.touch()
    without = Installation(installation.compose, f"{installation.project}-without", empty, installation.environment)
    ended = without.tried("up", "-d")
    assert ended.returncode != 0
    assert "deploy/make-env" in ended.stderr
    assert left_over(without.project) == []
