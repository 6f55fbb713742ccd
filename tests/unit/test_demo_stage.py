"""Where the demo is played: here, or with services that run already."""

from __future__ import annotations

import pytest

from examples.demo.__main__ import DemoError, parse_arguments, stage_of
from examples.demo.stage import found_stage
from postroad_stack import StartError


def test_a_running_api_without_its_operators_token_is_refused_with_the_name_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("POSTROAD_OPERATOR_TOKEN", raising=False)
    with pytest.raises(DemoError, match=r"set POSTROAD_OPERATOR_TOKEN .* http://api\.example:8080"):
        stage_of(parse_arguments(["--against", "http://api.example:8080"]))


def test_logs_of_services_that_others_started_cannot_be_kept() -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--against", "http://api.example:8080", "--logs", "x"])


async def test_services_that_run_already_are_told_the_name_by_which_they_reach_the_recipients_mail_server() -> None:
    async with found_stage("http://api.example:8080", "token", "player.example") as stage:
        assert stage.mail_host == "player.example"
        assert stage.smtp.accepted_count() == 0
        stage.check()
        await stage.smtp.process.terminate()
        with pytest.raises(StartError, match="smtp-server ended"):
            stage.check()
