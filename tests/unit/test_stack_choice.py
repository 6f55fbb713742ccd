"""Which servers are taken, and what is left as it was."""

import pytest

from postroad_stack import NotOursError, StartError, WayUnavailableError, start_stack
from postroad_stack.given import AMQP_URL, POSTGRES_DSN, GivenPostgres, GivenRabbit, connect_given, is_given
from postroad_stack.rabbitmqctl import run_ctl, vhost_url
from postroad_stack.servers import STARTED_BY

ADDRESSES = {POSTGRES_DSN: "postgresql://u:p@db/x", AMQP_URL: "amqp://u:p@mq/"}


@pytest.mark.parametrize(
    ("environment", "asked", "taken"),
    [
        (ADDRESSES, "auto", True),
        (ADDRESSES, "env", True),
        (ADDRESSES, "docker", False),
        (ADDRESSES, "local", False),
        ({**ADDRESSES, STARTED_BY: "docker"}, "docker", True),
        ({**ADDRESSES, STARTED_BY: "local"}, "docker", False),
        ({}, "auto", False),
        ({}, "env", True),
    ],
)
def test_given_addresses_are_taken_unless_another_way_is_forced(
    environment: dict[str, str], asked: str, taken: bool
) -> None:
    assert is_given(environment, asked) is taken


@pytest.mark.parametrize("missing", [POSTGRES_DSN, AMQP_URL])
async def test_one_address_without_the_other_is_refused(missing: str) -> None:
    half = {name: value for name, value in ADDRESSES.items() if name != missing}
    with pytest.raises(WayUnavailableError, match="set both"):
        await connect_given(half)


async def test_an_unknown_way_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROAD_STACK", "dokcer")
    with pytest.raises(WayUnavailableError, match="dokcer is none of auto, env, docker, local"):
        async with start_stack():
            pass


async def test_a_given_server_is_never_killed_restarted_or_stopped() -> None:
    for server in (GivenPostgres(ADDRESSES[POSTGRES_DSN]), GivenRabbit(ADDRESSES[AMQP_URL], [])):
        for touch in (server.kill, server.restart, server.pause, server.resume):
            with pytest.raises(NotOursError, match="was given by its address"):
                await touch()


async def test_without_rabbitmqctl_a_given_broker_gets_no_vhosts() -> None:
    with pytest.raises(NotOursError, match="no rabbitmqctl"):
        await GivenRabbit(ADDRESSES[AMQP_URL], []).create_vhost("a")


@pytest.mark.parametrize("name", ['x">>', "", "a b", "a/b"])
async def test_a_vhost_name_cannot_become_code(name: str) -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        await GivenRabbit(ADDRESSES[AMQP_URL], ["false"]).create_vhost(name)


async def test_a_failing_rabbitmqctl_is_reported_in_its_own_words() -> None:
    with pytest.raises(StartError, match="no such node"):
        await run_ctl(["sh", "-c", "echo no such node; exit 3"], "status")


def test_a_vhost_keeps_the_brokers_credentials() -> None:
    assert vhost_url("amqp://u:p@mq:1234/", "a") == "amqp://u:p@mq:1234/a"
