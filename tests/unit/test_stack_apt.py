"""Installing packages starts no daemon and leaves the system's own settings as they were."""

from pathlib import Path

import pytest

from postroad_stack.apt import MARK, no_daemons, no_main_cluster

OWN_POLICY = "#!/bin/sh\nexit 0\n"


def test_daemons_are_denied_only_while_packages_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with no_daemons(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_was_there_comes_back_with_its_mode(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(OWN_POLICY)
    policy.chmod(0o700)
    with pytest.raises(RuntimeError), no_daemons(policy):
        raise RuntimeError
    assert policy.read_text() == OWN_POLICY
    assert policy.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == [policy]


def test_after_a_killed_installation_the_next_one_restores_the_original(tmp_path: Path) -> None:
    policy, saved = tmp_path / "policy-rc.d", tmp_path / "policy-rc.d.postroad-saved"
    saved.write_text(OWN_POLICY)
    policy.write_text(f"#!/bin/sh\n{MARK}\nexit 101\n")
    with no_daemons(policy):
        assert saved.read_text() == OWN_POLICY
    assert policy.read_text() == OWN_POLICY
    assert not saved.exists()


@pytest.mark.parametrize(
    "before", ["ssl = on\n", "#create_main_cluster = true\nssl = on\n", "create_main_cluster = true\n"]
)
def test_no_default_cluster_is_created_and_its_setting_comes_back(tmp_path: Path, before: str) -> None:
    conf = tmp_path / "createcluster.conf"
    conf.write_text(before)
    with no_main_cluster(conf):
        settings = [
            line.split("=") for line in conf.read_text().splitlines() if not line.startswith("#") and "=" in line
        ]
        assert [value.strip() for key, value in settings if key.strip() == "create_main_cluster"] == ["false"]
    assert conf.read_text() == before
