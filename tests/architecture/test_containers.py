"""docker-compose.yml and deploy/Dockerfile hold to what they promise, as far as reading tells; needs no engine."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from postroad.cli.session import API_KEY, OPERATOR_TOKEN, URL
from postroad_common.lifecycle import AFTER_DRAIN_SECONDS
from postroad_common.migrations.__main__ import ROLE_PASSWORD, ROLE_PASSWORDS
from postroad_common.settings import CommonSettings, env_name, load_settings
from postroad_scheduler.settings import SchedulerSettings
from postroad_sender.settings import SenderSettings
from postroad_sequence_api.settings import SequenceApiSettings
from postroad_tracker.settings import TrackerSettings

ROOT = Path(__file__).parents[2]
SERVICES: Mapping[str, type[CommonSettings]] = {
    "sequence-api": SequenceApiSettings,
    "scheduler": SchedulerSettings,
    "sender": SenderSettings,
    "tracker": TrackerSettings,
}
OTHER_NAMES = {
    "migrate": {"POSTROAD_DATABASE_URL", ROLE_PASSWORD, *ROLE_PASSWORDS},
    "cli": {URL, API_KEY, OPERATOR_TOKEN},
    "player": {URL, API_KEY, OPERATOR_TOKEN},
}
ONE_OFF = {"migrate", "cli", "player"}
OURS = {*SERVICES, *ONE_OFF, "mail"}
SECRET = re.compile(r"PASS|TOKEN|SECRET|_KEY|_URL$")
VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<mark>[-?])(?P<rest>[^}]*)\}")
LITERAL_USERINFO = re.compile(r"://[^/@]*:(?!\$\{)[^/@]+@")

Container = dict[str, Any]
Composition = dict[str, Any]


@cache
def _read() -> Composition:
    composition: Composition = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return composition


@pytest.fixture
def composition() -> Composition:
    """docker-compose.yml, to be changed at will."""
    return copy.deepcopy(_read())


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What deploy/make-env writes."""
    env = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run([ROOT / "deploy" / "make-env", env], check=True, capture_output=True, timeout=30)
    lines = [line for line in env.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def faults(composition: Composition) -> list[str]:
    """What is wrong, as "service: what"."""
    return [
        f"{name}: {fault}"
        for name, container in composition["services"].items()
        for rule in RULES
        for fault in rule(name, container)
    ]


def known_names(name: str, container: Container) -> Iterator[str]:
    known = {env_name(SERVICES[name], field) for field in SERVICES[name].model_fields} if name in SERVICES else set()
    known |= OTHER_NAMES.get(name, set())
    for variable in container.get("environment", {}):
        if variable.startswith("POSTROAD_") and variable not in known:
            yield f"nobody reads {variable}"


def known_command(name: str, container: Container) -> Iterator[str]:
    if name in OURS:
        program = str(container.get("entrypoint", container["command"])).split()[0]
        if program not in {"python", *(script.name for script in entry_points(group="console_scripts"))}:
            yield f"there is no command {program}"


def pinned(_name: str, container: Container) -> Iterator[str]:
    image = VARIABLE.sub(lambda found: found["rest"], container["image"])
    _, _, tag = image.rpartition("/")[2].partition(":")
    if tag in {"", "latest"}:
        yield f"{image} names no version"


def looked_after(name: str, container: Container) -> Iterator[str]:
    if "mem_limit" not in container:
        yield "may take all memory"
    if container.get("restart") != ("no" if name in ONE_OFF else "unless-stopped"):
        yield f"restart is {container.get('restart')}"
    if "max-size" not in container.get("logging", {}).get("options", {}):
        yield "its log may fill the disk"
    checked = name in SERVICES or "test" in container.get("healthcheck", {})  # the image checks a service of ours
    if checked == (name in ONE_OFF) or (checked and container.get("healthcheck", {}).get("disable")):
        yield "health is asked of a program that ends, or of none that stays"


def no_secret(_name: str, container: Container) -> Iterator[str]:
    for variable, value in container.get("environment", {}).items():
        text = str(value)
        if LITERAL_USERINFO.search(text):
            yield f"{variable} holds a password"
        elif SECRET.search(variable) and "://" not in text and not VARIABLE.fullmatch(text):
            yield f"{variable} is written out"
        for found in VARIABLE.finditer(text):
            if SECRET.search(found["name"]) and found["mark"] == "-" and found["rest"]:
                yield f"{found['name']} has a default that would be used unnoticed"


def loopback_only(_name: str, container: Container) -> Iterator[str]:
    for port in container.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            yield f"port {port} is open to all"


def confined(name: str, container: Container) -> Iterator[str]:
    if name in OURS:
        if container.get("user") or container.get("privileged") or container.get("cap_add"):
            yield "has more rights than the image gives"
        if not container.get("read_only") or container.get("cap_drop") != ["ALL"]:
            yield "may write to its image or has capabilities"
        if "no-new-privileges:true" not in container.get("security_opt", []):
            yield "may gain privileges"


def time_to_drain(name: str, container: Container) -> Iterator[str]:
    if name in SERVICES:
        drain = CommonSettings.model_fields["drain_seconds"].default + AFTER_DRAIN_SECONDS
        if not float(str(container.get("stop_grace_period", "10s")).removesuffix("s")) >= drain:
            yield f"is killed before {drain:g} s of draining are over"


def scalable(name: str, container: Container) -> Iterator[str]:
    if "container_name" in container or (name in {"scheduler", "sender"} and container.get("ports")):
        yield "there can be only one"


RULES: tuple[Callable[[str, Container], Iterator[str]], ...] = (
    *(known_names, known_command, pinned, looked_after, no_secret, loopback_only, confined, time_to_drain, scalable),
)


def test_every_container_is_pinned_confined_limited_and_configured_by_names_that_are_read(
    composition: Composition,
) -> None:
    assert faults(composition) == []


def _rename(environment: dict[str, Any], old: str, new: str) -> None:
    environment[new] = environment.pop(old)


PLANTED: dict[str, tuple[str, Callable[[Container], object]]] = {
    "sender: nobody reads POSTROAD_SENDER_EHLO_NAM": (
        "sender",
        lambda sender: _rename(sender["environment"], "POSTROAD_SENDER_EHLO_NAME", "POSTROAD_SENDER_EHLO_NAM"),
    ),
    "migrate: nobody reads POSTROAD_ROLE_PASSWORD_SENDR": (
        "migrate",
        lambda migrate: migrate["environment"].update(POSTROAD_ROLE_PASSWORD_SENDR="${X:?y}"),
    ),
    "scheduler: there is no command postroad-shceduler": (
        "scheduler",
        lambda scheduler: scheduler.update(command="postroad-shceduler"),
    ),
    "postgres: postgres names no version": ("postgres", lambda postgres: postgres.update(image="postgres")),
    "mailpit: axllent/mailpit:latest names no version": (
        "mailpit",
        lambda mailpit: mailpit.update(image="axllent/mailpit:latest"),
    ),
    "tracker: may take all memory": ("tracker", lambda tracker: tracker.pop("mem_limit")),
    "rabbitmq: restart is None": ("rabbitmq", lambda rabbitmq: rabbitmq.pop("restart")),
    "mail: its log may fill the disk": ("mail", lambda mail: mail.pop("logging")),
    "sender: health is asked of a program that ends, or of none that stays": (
        "sender",
        lambda sender: sender.update(healthcheck={"disable": True}),
    ),
    "sequence-api: POSTROAD_DATABASE_URL holds a password": (
        "sequence-api",
        lambda api: api["environment"].update(POSTROAD_DATABASE_URL="postgresql://u:secret@postgres/postroad"),
    ),
    "rabbitmq: RABBITMQ_DEFAULT_PASS is written out": (
        "rabbitmq",
        lambda rabbitmq: rabbitmq["environment"].update(RABBITMQ_DEFAULT_PASS="guest"),
    ),
    "postgres: POSTGRES_PASSWORD has a default that would be used unnoticed": (
        "postgres",
        lambda postgres: postgres["environment"].update(POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-postgres}"),
    ),
    "sequence-api: port 8080:8080 is open to all": ("sequence-api", lambda api: api.update(ports=["8080:8080"])),
    "tracker: may write to its image or has capabilities": ("tracker", lambda tracker: tracker.pop("read_only")),
    "tracker: may gain privileges": ("tracker", lambda tracker: tracker.pop("security_opt")),
    "sender: is killed before 28 s of draining are over": (
        "sender",
        lambda sender: sender.update(stop_grace_period="20s"),
    ),
    "sender: there can be only one": ("sender", lambda sender: sender.update(container_name="sender")),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_named(composition: Composition, fault: str) -> None:
    name, plant = PLANTED[fault]
    plant(composition["services"][name])
    assert faults(composition) == [fault]


def filled_in(environment: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """A container's environment as Compose makes it; KeyError for a required variable that is not there."""

    def value(found: re.Match[str]) -> str:
        return variables[found["name"]] if found["mark"] == "?" else variables.get(found["name"]) or found["rest"]

    return {name: VARIABLE.sub(value, str(text)) for name, text in environment.items()}


@pytest.mark.parametrize("service", SERVICES)
def test_with_what_make_env_writes_a_service_has_all_settings_it_requires(
    composition: Composition, secrets: dict[str, str], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in filled_in(composition["services"][service]["environment"], secrets).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(SERVICES[service])
    assert f"postroad_{service.replace('-', '_')}:" in settings.database_url.get_secret_value()


def test_prometheus_asks_each_service_at_the_port_it_listens_on(
    composition: Composition, secrets: dict[str, str]
) -> None:
    image = re.search(r"\bPOSTROAD_HTTP_PORT=(\d+)", DOCKERFILE)
    assert image is not None
    ports = {
        service: filled_in(composition["services"][service]["environment"], secrets).get("POSTROAD_HTTP_PORT", image[1])
        for service in SERVICES
    }
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/scrape.yaml").read_text())["scrape_configs"]

    assert {job["job_name"]: job["static_configs"] for job in scraped} == {
        f"postroad-{service}": [{"targets": [f"{service}:{port}"]}] for service, port in ports.items()
    }


def test_make_env_gives_every_required_variable_and_secrets_of_their_own(
    composition: Composition, secrets: dict[str, str]
) -> None:
    required = {found["name"] for found in VARIABLE.finditer(str(composition)) if found["mark"] == "?"}
    assert required <= secrets.keys()
    random = [value for name, value in secrets.items() if re.search(r"PASSWORD|TOKEN|KEYS", name)]
    assert len(set(random)) == len(random) == 9
    assert all(len(value) >= 32 for value in random)


def test_make_env_keeps_what_is_there_and_lets_nobody_else_read_it(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    make = [ROOT / "deploy" / "make-env", env]
    subprocess.run(make, check=True, capture_output=True, timeout=30)
    first = env.read_text()
    assert env.stat().st_mode & 0o077 == 0
    shortened = "".join(line for line in first.splitlines(keepends=True) if not line.startswith("RABBITMQ_PASSWORD="))
    env.write_text(shortened)
    subprocess.run(make, check=True, capture_output=True, timeout=30)
    assert env.read_text().startswith(shortened)
    assert "\nRABBITMQ_PASSWORD=" in env.read_text()


# The image


def instructions(text: str) -> list[str]:
    """A Dockerfile's instructions, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines()


def image_faults(text: str) -> list[str]:
    """What is wrong with a Dockerfile."""
    steps = instructions(text)
    found = [
        f"{step}: a base without a version"
        for step in steps
        if step.startswith("FROM") and not re.match(r"FROM \S+:(?!latest)\S+", step)
    ]
    found += [f"{step[:40]}: the legacy builder cannot" for step in steps if "--mount" in step or "<<" in step]
    found += [f"{step[:40]}: names a host" for step in steps if "://" in step or step.startswith("ADD")]
    found += [
        f"{command.strip()[:60]}: neither from the lock nor from here"
        for step in steps
        for command in step.removeprefix("RUN ").split("&&")
        if re.search(r"pip\b.* (install|wheel)\b", command) and not re.search("--require-hashes|--no-index", command)
    ]
    users = [step.split()[1] for step in steps if step.startswith("USER")]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        found.append("runs as root, or as a name that Kubernetes cannot tell from root")
    if not any(step.startswith("HEALTHCHECK") and '["python"' in step for step in steps):
        found.append("no health check, or one with a program that is not there")
    if not any(step.startswith("ENV") and "PYTHONOPTIMIZE=1" in step for step in steps):
        found.append("fault points are compiled in")
    return found


DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_image_comes_from_the_lock_builds_with_the_legacy_builder_and_runs_as_nobody_special() -> None:
    assert image_faults(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("python:3.13-slim AS", "python AS", "without a version"),
        ("RUN python -m compileall", "RUN --mount=type=cache,target=/x python -m compileall", "legacy builder"),
        (" --require-hashes -r requirements/runtime.txt", " -r requirements/runtime.txt", "neither from the lock"),
        ("USER 10001:10001", "USER postroad", "as root"),
        ("USER 10001:10001\n", "", "as root"),
        ("HEALTHCHECK", "# HEALTHCHECK", "no health check"),
        ("PYTHONOPTIMIZE=1", "PYTHONOPTIMIZE=", "fault points"),
        ("ARG PIP_INDEX_URL", "ARG PIP_INDEX_URL=https://mirror.example/simple", "names a host"),
    ],
)
def test_a_fault_planted_in_the_image_is_named(old: str, new: str, fault: str) -> None:
    assert old in DOCKERFILE
    (found,) = image_faults(DOCKERFILE.replace(old, new, 1))
    assert fault in found


def test_nothing_reaches_the_engine_but_what_is_listed() -> None:
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert patterns[0] == "*"
    listed = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    assert listed == {
        *("requirements/build.txt", "requirements/runtime.txt", "libs", "services", "clients", "examples"),
    }
