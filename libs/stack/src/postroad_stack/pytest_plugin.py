"""Fixtures over real servers: `stack`, `private_stack`, `template_database`, `database`, `vhost`,
`module_database`, `module_vhost`.

Servers start when the first test asks for them. Under xdist the controller starts them, once for all
workers; under `postroad-stack run` nothing is started, because the addresses are in the environment.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from postroad_stack.databases import Database, Migrate, clone, create_template, drop
from postroad_stack.servers import Stack, say
from postroad_stack.shared_stack import ADDRESS, SharedStack, ask_controller
from postroad_stack.stack import Wish, open_stack
from postroad_stack.vhosts import VhostSupply

T = TypeVar("T")

ROLE_PASSWORD = "postroad-test"  # noqa: S105 -- of throw-away roles on a private server
SHARED = pytest.StashKey[SharedStack]()


def pytest_configure(config: pytest.Config) -> None:
    """On the controller, be ready to start servers; on a worker, know whom to ask."""
    if not hasattr(config, "workerinput"):
        config.stash[SHARED] = SharedStack()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where to ask for servers."""
    node.workerinput[ADDRESS] = node.config.stash[SHARED].listen()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers with the test run."""
    if shared := config.stash.get(SHARED, None):
        shared.close()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Servers for the whole run, shared by all workers. Not for killing: see `private_stack`."""
    config = request.config
    addresses = (
        ask_controller(config.workerinput[ADDRESS])
        if hasattr(config, "workerinput")
        else config.stash[SHARED].environment()
    )
    os.environ.update(addresses)
    opened = run(open_stack(Wish(), _silent))
    yield opened
    run(opened.aclose())


@pytest.fixture(scope="session")
def private_stack() -> Iterator[Stack]:
    """Servers that a test may kill, stop and restart, if it leaves them running; one for each worker."""
    opened = run(open_stack(Wish(private=True), say))
    yield opened
    run(opened.aclose())


@pytest.fixture(scope="session")
def migrate() -> Migrate:
    """What brings an empty database to the schema."""
    from postroad_common import migrations  # noqa: PLC0415 -- only tests with a database need it

    function: Migrate = migrations.migrate
    return function


@pytest.fixture(scope="session")
def template_database(stack: Stack, migrate: Migrate) -> Iterator[Database]:
    """A migrated database that tests clone; one per worker."""
    template = run(create_template(stack.postgres.dsn, migrate, role_password=ROLE_PASSWORD))
    yield template
    run(drop(stack.postgres.dsn, template))


@contextmanager
def own_database(stack: Stack, template: Database) -> Iterator[Database]:
    """A clone of a migrated database, dropped in the end with whatever is still connected."""
    own = run(clone(stack.postgres.dsn, template))
    try:
        yield own
    finally:
        run(drop(stack.postgres.dsn, own))


@contextmanager
def own_vhost(supply: VhostSupply) -> Iterator[str]:
    """AMQP address of a vhost that nobody else uses; removed in the end."""
    url = run(supply.take())
    try:
        yield url
    finally:
        run(supply.give_back(url))


@pytest.fixture
def database(stack: Stack, template_database: Database) -> Iterator[Database]:
    """A test's own migrated database."""
    with own_database(stack, template_database) as own:
        yield own


@pytest.fixture(scope="module")
def module_database(stack: Stack, template_database: Database) -> Iterator[Database]:
    """A migrated database for the tests of one module, each of which makes tenants of its own."""
    with own_database(stack, template_database) as own:
        yield own


@pytest.fixture(scope="session")
def vhost_supply(stack: Stack) -> Iterator[VhostSupply]:
    """Where `vhost` takes them from."""
    supply = VhostSupply(stack.rabbitmq)
    yield supply
    run(supply.aclose())


@pytest.fixture
def vhost(vhost_supply: VhostSupply) -> Iterator[str]:
    """AMQP address of a vhost that no other test uses."""
    with own_vhost(vhost_supply) as url:
        yield url


@pytest.fixture(scope="module")
def module_vhost(vhost_supply: VhostSupply) -> Iterator[str]:
    """AMQP address of a vhost for the tests of one module: declaring a whole topology takes a second."""
    with own_vhost(vhost_supply) as url:
        yield url


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop and thread of its own, beside the tests' loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _silent(_line: str) -> None:
    """The controller has said it already."""
