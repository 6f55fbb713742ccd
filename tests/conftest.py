"""Fixtures that every kind of test may use, and which tests run in one worker."""

import pytest

pytest_plugins = ("postroad_stack.pytest_plugin",)

DEAR = ("running_crew", "private_stack")
"""Servers and services of a worker's own. They take a fifth of a processor even when nobody asks anything of them."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module's tests share its fixtures, so they run in one worker; so do all modules that need the same dear one."""
    group: dict[str, str] = {}
    for item in items:
        module = item.nodeid.partition("::")[0]
        if item.get_closest_marker("alone") and not module.startswith("tests/acceptance/"):
            raise pytest.UsageError(f"{item.nodeid}: `make test` looks for tests that run alone in tests/acceptance")
        dear = next((name for name in DEAR if name in getattr(item, "fixturenames", ())), None)
        group[module] = dear or group.get(module, module)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group[item.nodeid.partition("::")[0]]))
