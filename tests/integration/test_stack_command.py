"""`postroad-stack` leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from postroad_stack import Stack, eventually
from postroad_stack.keeper_main import sweep

COMMAND = [sys.executable, "-m", "postroad_stack"]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_STACK")},
    "POSTROAD_STACK": "local",
}


def processes_in(root: Path) -> list[int]:
    """Processes that run in a stack's directory or name it."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            inside = (entry / "cwd").readlink().is_relative_to(root)
            if entry.name.isdigit() and (inside or str(root).encode() in (entry / "cmdline").read_bytes()):
                found.append(int(entry.name))
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A stack that is up, and its directory."""
    with subprocess.Popen([*COMMAND, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as command:
        try:
            assert command.stdout is not None
            for line in command.stdout:
                if "RABBITMQCTL" in line:
                    yield command, Path(line.partition("=")[2].strip().strip("'")).parents[1]
                    return
            raise AssertionError("the stack did not come up")
        finally:
            command.kill()


@pytest.mark.parametrize("ending", [pytest.param(signal.SIGINT, marks=pytest.mark.prove), signal.SIGKILL])
async def test_nothing_outlives_a_stack_that_is_interrupted_or_killed(ending: signal.Signals) -> None:
    with running("up") as (command, root):
        assert len(processes_in(root)) >= 3
        command.send_signal(ending)
        await eventually(lambda: not processes_in(root) and not root.exists(), timeout=20)
        code = command.wait()
    assert code == (-ending if ending == signal.SIGKILL else 0)


@pytest.mark.prove
async def test_servers_do_not_outlive_even_their_keeper() -> None:
    with running("up") as (_, root):
        (keeper,) = {parent_of(pid) for pid in processes_in(root) if parent_of(pid) not in processes_in(root)}
        os.kill(keeper, signal.SIGKILL)
        await eventually(lambda: not processes_in(root), timeout=20)
    sweep(root.parent)
    assert not root.exists()


@pytest.mark.parametrize("own", [pytest.param(True, marks=pytest.mark.prove), False], ids=["own", "given"])
def test_a_command_gets_the_addresses_and_gives_its_exit_code(stack: Stack, *, own: bool) -> None:
    way, environment = (
        ("local", ENVIRONMENT) if own else ("env", ENVIRONMENT | {"POSTROAD_STACK": "env"} | stack.environment())
    )
    script = 'env | grep ^POSTROAD_STACK_RABBITMQCTL; test -n "$POSTROAD_STACK_AMQP_URL" && exit 7'
    done = subprocess.run(
        [*COMMAND, "run", "--", "sh", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 7
    assert f"stack: {way}" in done.stderr
    if own:
        assert not Path(done.stdout.partition("=")[2].strip()).parents[1].exists()


def test_a_terminated_run_terminates_its_command_first() -> None:
    with running("run", "--", "sh", "-c", "env; sleep 60 & wait") as (command, root):
        command.terminate()
        assert command.wait(timeout=20) == 128 + signal.SIGTERM
        assert not root.exists()


def test_docker_without_an_engine_fails_and_says_so() -> None:
    environment = {**ENVIRONMENT, "POSTROAD_STACK": "docker", "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = subprocess.run([*COMMAND, "run", "--", "true"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "POSTROAD_STACK=docker: no Docker engine answers at unix:///nowhere/docker.sock" in done.stderr
    assert "Traceback" not in done.stderr
