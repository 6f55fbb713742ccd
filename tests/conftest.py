"""Fixtures that every kind of test may use, how much hypothesis draws, and which tests run in one worker."""

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.size import examples

settings.register_profile("postroad", deadline=None, max_examples=examples(100))
settings.load_profile("postroad")

pytest_plugins = ("postroad_stack.pytest_plugin",)

TOGETHER = {
    "running_crew": (
        "tests/acceptance/test_crash.py",
        "tests/acceptance/test_erasure.py",
        "tests/acceptance/test_stop.py",
        "tests/acceptance/test_walls.py",
    ),
    "private_stack": (
        "tests/acceptance/test_demo.py",
        "tests/acceptance/test_outage.py",
        "tests/integration/common/test_broker_outage.py",
        "tests/integration/common/test_database.py",
        "tests/integration/test_stack_faults.py",
        "tests/integration/tracker/test_outage.py",
    ),
}
"""The modules with a fixture of which there should be one: services or servers of a worker's own.

An idle set of them takes a tenth of a processor, and a dozen seconds of one to start.
"""
_GROUPS = {module: fixture for fixture, modules in TOGETHER.items() for module in modules}


def module_of(nodeid: str) -> str:
    """The file of a test."""
    return nodeid.partition("::")[0]


class ByModule(LoadScopeScheduling):  # type: ignore[misc]  # the package says no types
    """The tests of a module share its fixtures, so they run in one worker, in their order; so do those of a group."""

    def _split_scope(self, nodeid: str) -> str:
        module = module_of(nodeid)
        return _GROUPS.get(module, module)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """Who shares the tests out."""
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a module that is in the wrong group, and a test that would never run."""
    for item in items:
        module = module_of(item.nodeid)
        for fixture, modules in TOGETHER.items():
            if fixture in getattr(item, "fixturenames", ()) and module not in modules:
                raise pytest.UsageError(f"{module} needs {fixture}: name it in TOGETHER, tests/conftest.py")
        if item.get_closest_marker("alone") and not module.startswith("tests/acceptance/"):
            raise pytest.UsageError(f"{item.nodeid}: `make test` looks for tests that run alone in tests/acceptance")
