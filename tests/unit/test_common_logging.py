"""Logs: one JSON object a line, ours and the libraries', without secrets."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from postroad_common.logging import setup_logging


@pytest.fixture
def configured() -> Iterator[None]:
    """The process's logging, put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    setup_logging("sender", "info")
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("configured")
def test_a_line_is_an_object_with_its_service_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("sender", "info")
    structlog.get_logger().info("sent", message="m1", error=ValueError("x"))
    logging.getLogger("library").warning("odd %s", "thing")

    ours, theirs = lines(capsys)
    assert (ours["event"], ours["service"], ours["level"], ours["message"]) == ("sent", "sender", "info", "m1")
    assert "timestamp" in ours
    assert (theirs["event"], theirs["service"], theirs["logger"]) == ("odd thing", "sender", "library")


@pytest.mark.usefixtures("configured")
def test_what_is_named_like_a_secret_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("sender", "info")
    structlog.get_logger().info(
        "login", password="hunter2", smtp_password="hunter2", Authorization="hunter2", api_key="hunter2", user="u"
    )

    (line,) = lines(capsys)
    assert "hunter2" not in json.dumps(line)
    assert line["user"] == "u"


@pytest.mark.usefixtures("configured")
def test_an_exception_is_told_in_full_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("sender", "info")
    try:
        int("planted")
    except ValueError:
        structlog.get_logger().exception("failed")

    (line,) = lines(capsys)
    assert "planted" in str(line["exception"])


@pytest.mark.usefixtures("configured")
def test_less_than_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("sender", "warning")
    structlog.get_logger().info("chatter")

    assert lines(capsys) == []
