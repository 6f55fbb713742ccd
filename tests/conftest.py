"""Fixtures that every kind of test may use."""

pytest_plugins = ("postroad_stack.pytest_plugin",)
