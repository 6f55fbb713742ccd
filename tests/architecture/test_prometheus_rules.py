"""The rules by Prometheus's own tool: each alert fires when it should, and none when all is well."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.operators_docs import ROOT

DIRECTORY = ROOT / "deploy" / "prometheus"


def run(*command: str | Path, cwd: Path) -> str:
    """Run to its end and give what it printed; fails with that when the command does."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """promtool from the PATH, or out of Debian's package `prometheus`, which is unpacked and not installed."""
    found = shutil.which("promtool")
    if found is not None:
        return Path(found)
    if shutil.which("apt-get") is None:
        pytest.fail("promtool is needed: it comes with Prometheus")
    directory = tmp_path_factory.mktemp("prometheus")
    run("apt-get", "-o", "APT::Sandbox::User=root", "download", "prometheus", cwd=directory)
    (package,) = directory.glob("prometheus_*.deb")
    run("dpkg-deb", "-x", package, directory, cwd=directory)
    return directory / "usr" / "bin" / "promtool"


@pytest.mark.prove
def test_each_alert_fires_when_it_should_and_none_when_all_is_well(promtool: Path) -> None:
    run(promtool, "check", "rules", "rules.yaml", cwd=DIRECTORY)
    run(promtool, "test", "rules", "rules.test.yaml", cwd=DIRECTORY)


@pytest.mark.prove
def test_a_rule_that_never_fires_is_seen(promtool: Path, tmp_path: Path) -> None:
    rules = (DIRECTORY / "rules.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(rules.replace("parked_messages) > 0", "parked_messages) > 1e9"))
    shutil.copy(DIRECTORY / "rules.test.yaml", tmp_path)

    done = subprocess.run(
        [promtool, "test", "rules", "rules.test.yaml"], cwd=tmp_path, capture_output=True, check=False
    )

    assert done.returncode != 0
    assert b"PostroadParkedMessages" in done.stderr
