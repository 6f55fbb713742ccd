"""The slim RabbitMQ installation."""

from pathlib import Path

import pytest

from postroad_stack.broker_tree import closure, slim_scripts
from postroad_stack.programs import RabbitPrograms

APPLICATIONS = {
    "rabbit": "kernel, ra,\n  rabbit_common",
    "rabbit_common": "stdlib",
    "rabbitmq_prelaunch": "cuttlefish",
    "ra": "aten",
    "aten": "kernel",
    "cuttlefish": "",
    "rabbitmq_management": "rabbit",
}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An installation in the shape of RabbitMQ's packages."""
    for name, needs in APPLICATIONS.items():
        ebin = tmp_path / "plugins" / f"{name}-1.0" / "ebin"
        ebin.mkdir(parents=True)
        (ebin / f"{name}.app").write_text(f"{{application, {name}, [{{applications, [{needs}]}}, {{env, []}}]}}.")
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "rabbitmq-server").touch()
    return tmp_path


def test_only_what_the_broker_depends_on_is_kept(installed: Path) -> None:
    names = {directory.name for directory in closure(installed / "plugins")}
    assert names == {f"{name}-1.0" for name in APPLICATIONS if name != "rabbitmq_management"}


def test_the_slim_tree_has_the_installed_scripts(installed: Path, tmp_path: Path) -> None:
    scripts = slim_scripts(RabbitPrograms(installed / "sbin", Path("/bin/true")), tmp_path / "slim")
    assert scripts is not None
    assert (scripts / "rabbitmq-server").exists()
    assert not (scripts.parent / "plugins" / "rabbitmq_management-1.0").exists()


def test_an_unknown_installation_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "rabbitmq-server").touch()
    assert slim_scripts(RabbitPrograms(tmp_path / "sbin", Path("/bin/true")), tmp_path / "slim") is None
