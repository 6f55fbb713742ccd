"""Which login role gets which password."""

from __future__ import annotations

import pytest

from postroad_common.migrations import LOGIN_ROLES
from postroad_common.migrations.__main__ import role_passwords


def test_one_password_is_for_every_role_and_a_roles_own_goes_before_it() -> None:
    given = role_passwords({"POSTROAD_ROLE_PASSWORD": "a", "POSTROAD_ROLE_PASSWORD_SENDER": "b", "PATH": "/bin"})
    assert given == dict.fromkeys(LOGIN_ROLES, "a") | {"postroad_sender": "b"}


def test_without_any_the_roles_keep_what_they_have() -> None:
    assert role_passwords({"POSTROAD_ROLE_PASSWORD": ""}) == {}


def test_a_role_that_nobody_knows_is_refused_and_the_known_names_are_told() -> None:
    with pytest.raises(ValueError, match=r"POSTROAD_ROLE_PASSWORD_SENDR: .* known are .*POSTROAD_ROLE_PASSWORD_SENDER"):
        role_passwords({"POSTROAD_ROLE_PASSWORD_SENDR": "b"})
