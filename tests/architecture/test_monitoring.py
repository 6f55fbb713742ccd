"""Rules, board and runbooks speak of what exists: metrics, labels, values, commands, statements, alerts."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
import typer.main
import yaml

from postroad.cli.app import app
from postroad_common.amqp.topology import QUEUES
from postroad_common.metrics_page import exposed, page
from postroad_engine.facts import Outcome
from postroad_sender.smtp.replies import Phase
from postroad_stack.databases import Database
from postroad_tracker.events import EventType
from tests.architecture import operators_docs
from tests.architecture.operators_docs import ROOT, Statement
from tests.architecture.promql import asked

MODULES = ["postroad_common.metrics"] + [
    f"{file.parent.name}.metrics" for file in sorted(ROOT.glob("services/*/src/*/metrics.py"))
]
SERIES = {name: labels for module in MODULES for metric in exposed(module) for name, labels in metric.series().items()}
FOREIGN = {
    "up": (),
    "ALERTS": ("alertname", "alertstate"),
    "process_start_time_seconds": (),
    "process_cpu_seconds_total": (),
    "process_resident_memory_bytes": (),
}
"""Series of Prometheus itself and of its client library, with their labels."""
TARGET = {"job", "instance"}
"""Labels that a scrape adds to everything."""
JOBS = {"postroad-sequence-api", "postroad-scheduler", "postroad-sender", "postroad-tracker"}
VALUES = {
    ("postroad_sender_messages_total", "outcome"): {outcome.value for outcome in Outcome},
    ("postroad_sequence_api_webhook_attempts_total", "outcome"): {"delivered", "failed", "dead"},
    ("postroad_sequence_api_webhook_subscriptions_disabled_total", "reason"): {"failing", "gone"},
    ("postroad_sender_dials_total", "result"): {"made", *(phase.value for phase in Phase)},
    ("postroad_tracker_events_total", "type"): {event.value for event in EventType},
    ("postroad_amqp_published_messages_total", "outcome"): {"confirmed", "refused", "timed_out"},
    ("postroad_amqp_handled_messages_total", "fate"): {"done", "retried", "failed", "split", "parked"},
    ("postroad_amqp_queued_messages", "queue"): set(QUEUES),
    ("postroad_database_connections", "state"): {"busy", "idle"},
    ("postroad_ready", "check"): {"database", "broker", "process"},
}
"""What a label may say, where it is one of a few words."""
LOGIN = {"postroad_scheduler", "postroad_sender", "postroad_tracker", "postroad_sequence_api"}
FREE = {("postroad_http_request_seconds_count", "status"), ("postroad_http_request_seconds_count", "route")} | {
    ("postroad_http_request_seconds_bucket", "route")
}
"""Labels whose values are patterns: of a status, of a route."""

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
BOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/postroad.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in RULES} | {
    f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "5m")
    for panel in PANELS
    for target in panel["targets"]
}


def wrong_in(expression: str) -> list[str]:
    """Everything that an expression asks for and that does not exist."""
    found, wrong = asked(expression), []
    known: set[str] = set(TARGET)
    for name in found.names():
        labels = SERIES.get(name, FOREIGN.get(name))
        if labels is None:
            wrong.append(f"no metric is called {name}")
        known |= set(labels or ())
    wrong += [f"nothing here has a label {label}" for label in found.grouped_by - known]
    for name, label, operator, value in found.matchers():
        if label not in {*SERIES.get(name, FOREIGN.get(name, ())), *TARGET}:
            wrong.append(f"{name} has no label {label}")
        elif label == "job":
            wrong += [] if any(re.fullmatch(value, job) for job in JOBS) else [f"no job is called {value}"]
        elif name in SERIES and (name, label) not in FREE:
            words = value.split("|") if operator in {"Re", "NotRe"} else [value]
            wrong += [f"{name}: {label} is never {word}" for word in words if word not in VALUES[name, label]]
    return wrong


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_an_expression_asks_only_for_metrics_labels_and_values_that_exist(expression: str) -> None:
    assert wrong_in(expression) == []


@pytest.mark.parametrize(
    "planted",
    [
        "rate(postroad_sender_mails_total[5m]) > 0",
        'postroad_sender_messages_total{result="accepted"}',
        'postroad_sender_messages_total{outcome="acepted"}',
        'postroad_sender_messages_total{outcome=~"accepted|bounced"}',
        "sum by (queue) (postroad_sender_messages_total)",
        'up{job="postroad-console"}',
        "postroad_sender_messages",
    ],
)
def test_the_check_sees_what_does_not_exist(planted: str) -> None:
    assert len(wrong_in(planted)) == 1


def test_the_check_sees_inside_functions_and_both_sides_of_operators() -> None:
    nested = 'sum(rate(a{x="1"}[5m])) / on (y) group_left max_over_time(b[1h:1m]) > 1 or absent(c)'

    assert asked(nested).names() == {"a", "b", "c"}
    assert asked(nested).grouped_by == {"y"}


def test_every_alert_says_what_it_is_how_urgent_and_where_its_runbook_is() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, rule["alert"]
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    sections = re.findall(r"^## (\w+)$", operators_docs.pages()["runbooks"], re.MULTILINE)

    assert sorted(sections) == sorted(rule["alert"] for rule in RULES)


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES])
def test_a_runbook_says_what_it_means_whom_it_hits_what_to_run_and_when_it_is_over(alert: str) -> None:
    section = operators_docs.pages()["runbooks"].split(f"## {alert}\n")[1].split("\n## ")[0]

    for part in ("**Meaning.**", "**Who is affected.**", "**Causes, cures.**", "**Mended when**"):
        assert section.count(part) == 1, part
    assert operators_docs.blocks(section, "sh") + operators_docs.blocks(section, "sql")


def test_every_alert_is_made_to_fire_by_a_unit_test_of_the_rules() -> None:
    tests = yaml.safe_load((ROOT / "deploy/prometheus/rules.test.yaml").read_text())["tests"]

    assert [test["name"] for test in tests] == ["all is well", *(rule["alert"] for rule in RULES)]


def test_the_board_has_no_two_panels_in_one_place_and_one_source_for_all() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = [
        (x, y)
        for panel in BOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert all(panel["description"] for panel in PANELS)


def test_every_metric_of_ours_is_on_the_board_or_has_a_reason() -> None:
    shown = {name for expression in EXPRESSIONS.values() for name in asked(expression).names()}
    unseen = {metric.name for module in MODULES for metric in exposed(module) if not shown & metric.series().keys()}
    assert unseen == {
        "postroad_scheduler_unmarked_steps",  # of interest to who works on the scheduler
        "postroad_scheduler_taken_up_enrollments",  # follows the calls of the API
        "postroad_sender_evidenced_messages",  # good news
    }


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert (ROOT / "docs/metrics.md").read_text() == page(MODULES), "run make docs"


STATEMENTS = operators_docs.statements()


@pytest.mark.parametrize("statement", STATEMENTS, ids=[f"{s.page}-{s.role or 'admin'}" for s in STATEMENTS])
async def test_a_statement_of_the_operators_pages_may_be_run_as_it_says(
    template_database: Database, statement: Statement
) -> None:
    database = template_database
    conn = await asyncpg.connect(database.dsn(statement.role) if statement.role else database.admin_dsn)
    try:
        await conn.execute(f"EXPLAIN {statement.sql}")
        if statement.role is not None:  # a function is looked into only when it runs; the database is empty
            await conn.fetch(statement.sql)
    finally:
        await conn.close()


@pytest.mark.parametrize("planted", ["SELECT * FROM delivery.messages", "SELECT * FROM views.contacts"])
async def test_the_monitor_sees_no_table_and_no_view(template_database: Database, planted: str) -> None:
    conn = await asyncpg.connect(template_database.dsn("postroad_monitor"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.fetch(planted)
    await conn.close()


USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
PROGRAMS = {
    "postroad",
    "kubectl",
    "curl",
    "make",
    "docker",
    "export",
    "psql",
    "rabbitmqctl",
    "pip",
    "python",
    "git",
    "cp",
}


MAKEFILE = (ROOT / "Makefile").read_text()


def wrong_command(line: str) -> str | None:
    """What is wrong with a shell line of a page."""
    words = shlex.split(line, comments=True)
    deployments = {f"deploy/{job}" for job in JOBS}  # as kubectl abbreviates them
    paths = [word for word in words if word.startswith(("deploy/", "scripts/")) and word not in deployments]
    gone = [path for path in paths if not (ROOT / path).exists()]
    if gone:
        return f"{gone[0]}: there is neither such a file nor a deployment"
    if words[0] == "postroad":
        return _wrong_postroad(words[1:])
    if words[0] == "make":
        return None if re.search(rf"^{re.escape(words[1])}:", MAKEFILE, re.MULTILINE) else f"make has no {words[1]}"
    if words[0].removeprefix(".venv/bin/") in PROGRAMS or words[0].startswith(
        (".venv/bin/", "deploy/", "scripts/", "POSTROAD_", "postroad-")
    ):
        return None
    return f"{words[0]}: a program that these pages do not use"


def _wrong_postroad(words: list[str]) -> str | None:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"postroad has no command {' '.join(words[:1])}"
        command, words = command.commands[words[0]], words[1:]
    try:
        command.make_context("postroad", list(words))
    except USAGE_ERROR as error:
        return str(error)
    return None


def test_the_commands_of_the_operators_pages_exist() -> None:
    wrong = {line: fault for _, line in operators_docs.command_lines() if (fault := wrong_command(line))}

    assert wrong == {}
    assert wrong_command("postroad parking drop sender.due") is not None
    assert wrong_command("postroad verify --fast") is not None
    assert wrong_command("pgrep -f sender") is not None
    assert wrong_command("make tests") is not None
    assert wrong_command("kubectl apply -k deploy/kubernetes/overlays/staging") is not None
    assert wrong_command("kubectl -n postroad logs deploy/sender") is not None


LINKED = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] + [
    str(file.relative_to(ROOT)) for file in sorted((ROOT / "docs").rglob("*.md"))
]


@pytest.mark.parametrize("name", LINKED)
def test_the_links_of_a_page_lead_somewhere(name: str) -> None:
    assert broken_links(ROOT / name, (ROOT / name).read_text()) == []


def test_the_check_sees_a_page_and_a_heading_that_are_not_there() -> None:
    text = "[a](nowhere.md) [b](runbooks.md#nothing) [c](runbooks.md#postroadmailstopped) [d](#here)\n## Here\n"

    assert broken_links(ROOT / "docs/page.md", text) == ["nowhere.md", "runbooks.md#nothing"]


def broken_links(page_file: Path, text: str) -> list[str]:
    """Links to files and headings of this repository that are not there."""
    broken = []
    for target in operators_docs.links(text):
        path, _, anchor = target.partition("#")
        file = page_file.parent / path if path else page_file
        there = file.exists() or not path
        if not there or (anchor and anchor not in operators_docs.anchors(file.read_text() if path else text)):
            broken.append(target)
    return broken


def test_the_readme_leads_to_every_page_for_operators() -> None:
    linked = set(operators_docs.links((ROOT / "README.md").read_text()))

    assert {f"docs/{name}.md" for name in operators_docs.PAGES} <= linked


TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
}


def test_the_tests_that_pages_name_exist() -> None:
    named = {name for text in operators_docs.pages().values() for name in re.findall(r"`(test_\w+)`", text)}

    assert named - TESTS == {"test_suppressed_recipient_is_not_sent_and_says_why"}  # an example of a name


def test_the_settings_and_metrics_that_pages_name_exist() -> None:
    text = "\n".join(operators_docs.pages().values())
    settings = (ROOT / "docs/settings.md").read_text()
    named = set(re.findall(r"`(POSTROAD_(?:SEQUENCE_API|SCHEDULER|SENDER|TRACKER)_\w+)`", text))
    series = set(re.findall(r"`(postroad_(?:amqp|scheduler|sender|tracker|outbox|http|database)_\w+)", text))

    links = {"POSTROAD_TRACKER_PORT"}  # what Kubernetes would make of a service
    assert {name for name in named - links if f"`{name}`" not in settings} == set()
    known = {metric.name for module in MODULES for metric in exposed(module)} | SERIES.keys() | LOGIN
    assert series - known == set()
