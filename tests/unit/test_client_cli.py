"""The postroad command over a fake of the API: what it prints, what it asks for and how it exits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from postroad.cli.app import app
from tests.unit.fake_api import FakeApi, fake_api

SEQUENCE = {
    "id": "01900000-0000-7000-8000-000000000001",
    "name": "Onboarding",
    "state": "active",
    "active_version": 1,
    "draft_version": None,
}
STATS = f"/sequences/{SEQUENCE['id']}/stats"
CONTACT = {"id": "01900000-0000-7000-8000-000000000002", "email": "ada@example.com"}
ENROLLMENT = {
    "id": "01900000-0000-7000-8000-000000000003",
    "sequence_id": SEQUENCE["id"],
    "version": 1,
    "contact_id": CONTACT["id"],
    "state": "active",
    "phase": "waiting",
    "created_at": "2026-11-22T09:00:00Z",
}
STOPPED_AT = "2026-11-22T09:00:01Z"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    with fake_api() as fake:
        monkeypatch.setenv("POSTROAD_URL", fake.url)
        monkeypatch.setenv("POSTROAD_API_KEY", "pr_tenant")
        monkeypatch.setenv("POSTROAD_OPERATOR_TOKEN", "operator")
        monkeypatch.setenv("COLUMNS", "200")
        fake.answer_list("/sequences", SEQUENCE)
        yield fake


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments), input=stdin)


def said(*arguments: str, code: int = 0, stdin: str | None = None) -> str:
    """All that a command prints; it must exit so and show no traceback."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def stats(**states: int) -> dict[str, Any]:
    counts = dict.fromkeys(("active", "paused", "completed", "replied", "bounced", "unenrolled", "failed"), 0) | states
    columns = ("due", "sent", "accepted", "refused", "unknown", "delivered", "opened", "clicked", "replied", "bounced")
    step = {"key": "welcome", "number": 1} | dict.fromkeys((*columns, "complained", "unsubscribed"), 0)
    enrollments = {"total": sum(counts.values()), **counts, "needs_attention": 0}
    return {"sequence_id": SEQUENCE["id"], "enrollments": enrollments, "steps": [{**step, "sent": 41, "opened": 17}]}


@pytest.mark.parametrize(("name", "code"), [("POSTROAD_URL", 3), ("POSTROAD_API_KEY", 3)])
def test_a_missing_setting_is_named_with_what_it_should_be(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    monkeypatch.delenv(name)
    assert f"Set {name} to the" in said("verify", code=code)
    assert api.asked == []


def test_a_tenants_key_is_printed_ready_to_use(api: FakeApi) -> None:
    tenant = {"id": CONTACT["id"], "name": "Acme", "timezone": "UTC"}
    api.answer("POST", "/tenants", {"tenant": tenant, "api_key": {"id": CONTACT["id"], "key": "pr_new"}}, status=201)
    assert "export POSTROAD_API_KEY=pr_new" in said("tenant", "create", "Acme", "--timezone", "Europe/Berlin")
    assert api.asked[-1].authorization == "Bearer operator"
    assert api.asked[-1].body["timezone"] == "Europe/Berlin"


JOB: dict[str, Any] = {
    "id": "01900000-0000-7000-8000-000000000009",
    "kind": "import",
    "state": "queued",
    "progress": {"done": 0, "total": 40, "unit": "bytes"},
    "counts": {},
    "created_at": "2026-11-22T09:00:00Z",
}
ENDED: dict[str, Any] = {
    **JOB,
    "state": "completed",
    "progress": {"done": 40, "total": 40, "unit": "bytes"},
    "counts": {"rows": 2, "created": 1, "rejected": 1},
    "ended_at": STOPPED_AT,
}
JOB_PATH = f"/jobs/{JOB['id']}"
ROW = {"line": 3, "result": "rejected", "field": "email", "reason": "must be an address", "value": "no\x1b[31m-address"}


def test_an_import_is_followed_to_its_end_and_each_rejected_row_is_named(api: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email\nada@example.com\nnot-an-address\n")
    api.answer("POST", "/contacts/import", JOB, status=202)
    for job in (JOB, {**JOB, "state": "running"}, ENDED):
        api.answer("GET", JOB_PATH, job)
    api.answer("GET", f"{JOB_PATH}/report", ROW)
    shown = said("contacts", "import", str(file), "--column", "E-Mail=email", "--column", "Umsatz=attribute:revenue",
                 "--column", "Notes=", "--dry-run")  # fmt: skip
    assert "2 rows: 1 created, 0 updated, 0 unchanged, 1 rejected." in shown
    assert "must be an address" in shown
    assert "\x1b" not in shown, "what came from outside does not steer the terminal"
    assert f"postroad jobs report {JOB['id']}" in shown
    asked = next(asked for asked in api.asked if asked.method == "POST")
    assert asked.body == file.read_bytes()
    assert asked.query["dry_run"] == "true"
    assert json.loads(asked.query["columns"]) == {
        "E-Mail": "email",
        "Umsatz": {"attribute": "revenue"},
        "Notes": None,
    }


def test_an_import_that_failed_or_was_cancelled_exits_2_and_says_why(api: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email\nada@example.com\n")
    api.answer("POST", "/contacts/import", JOB, status=202)
    api.answer("GET", JOB_PATH, {**ENDED, "state": "failed", "counts": {}, "error": {"code": "x", "detail": "No way."}})
    assert "failed, 40 of 40 bytes. No way." in said("contacts", "import", str(file), code=2)


def test_an_import_need_not_be_waited_for(api: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email\nada@example.com\n")
    api.answer("POST", "/contacts/import", JOB, status=202)
    assert f"postroad jobs watch {JOB['id']}" in said("contacts", "import", str(file), "--no-wait")


@pytest.mark.parametrize("column", ["email", "=email"])
def test_a_column_that_is_no_mapping_is_refused_before_anything_is_sent(
    api: FakeApi, tmp_path: Path, column: str
) -> None:
    (tmp_path / "people.csv").write_text("email\n")
    assert "is not NAME=FIELD" in said("contacts", "import", str(tmp_path / "people.csv"), "--column", column, code=2)
    assert api.asked == []


def test_jobs_are_listed_shown_followed_and_cancelled(api: FakeApi) -> None:
    api.answer_list("/jobs", ENDED)
    api.answer("GET", JOB_PATH, ENDED)
    api.answer("POST", f"{JOB_PATH}/cancel", {**ENDED, "state": "cancelled"})
    assert "completed" in said("jobs", "list", "--kind", "import")
    assert api.asked[-1].query["kind"] == "import"
    sentence = f"import {JOB['id']}: completed, 40 of 40 bytes (2 rows, 1 created, 1 rejected)."
    assert sentence in said("jobs", "show", JOB["id"])
    assert sentence in said("jobs", "watch", JOB["id"])
    assert "cancelled" in said("jobs", "cancel", JOB["id"])


EXPORTED: dict[str, Any] = {
    **ENDED, "kind": "export", "progress": {"done": 2, "total": 2, "unit": "contacts"}, "counts": {"contacts": 2}
}  # fmt: skip


def test_an_export_is_followed_to_its_end_and_saved_under_its_name(api: FakeApi, tmp_path: Path) -> None:
    api.answer("POST", "/contacts/export", JOB, status=202)
    api.answer("GET", JOB_PATH, EXPORTED)
    api.answer("GET", f"{JOB_PATH}/report", ROW)
    file = tmp_path / "people.csv"
    assert "2 contacts in" in said("contacts", "export", "--filter", "opened", "-o", str(file))
    assert api.bodies("POST", "/contacts/export") == [{"filter": "opened"}]
    assert json.loads(file.read_bytes()) == ROW
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_that_failed_leaves_no_file_and_says_why(api: FakeApi, tmp_path: Path) -> None:
    error = {"code": "too_many", "detail": "Name the columns."}
    api.answer("POST", "/contacts/export", JOB, status=202)
    api.answer("GET", JOB_PATH, {**EXPORTED, "state": "failed", "error": error})
    assert "Name the columns." in said("contacts", "export", "-o", str(tmp_path / "people.csv"), code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_jobs_report_goes_to_standard_output_as_it_comes(api: FakeApi) -> None:
    api.answer("GET", f"{JOB_PATH}/report", ROW)
    assert json.loads(said("jobs", "report", JOB["id"])) == ROW


def test_a_file_that_is_not_there_is_no_traceback(api: FakeApi) -> None:
    assert "nowhere.csv: No such file" in said("contacts", "import", "nowhere.csv", code=2)


def test_a_password_is_read_from_standard_input_and_not_from_the_arguments(api: FakeApi) -> None:
    sender = {"id": CONTACT["id"], "name": "main", "from_email": "a@b.example", "host": "smtp.b.example"}
    api.answer("POST", "/senders", {**sender, "port": 587, "security": "starttls"}, status=201)
    arguments = ("--from-email", "a@b.example", "--host", "smtp.b.example", "--username", "ada")
    shown = said("senders", "create", "main", *arguments, stdin="secret\n")
    assert "by smtp.b.example:587" in " ".join(shown.split())
    assert api.asked[-1].body["password"] == "secret"
    assert "needs a password" in said("senders", "create", "main", *arguments, stdin="", code=2)


ENROLLED: dict[str, Any] = {
    **ENDED,
    "kind": "enroll",
    "progress": {"done": 305, "total": 305, "unit": "contacts"},
    "counts": {"enrolled": 290, "already_active": 3, "suppressed": 12},
}
ENROLL = f"/sequences/{SEQUENCE['id']}/enrollments"


def test_enroll_all_is_followed_to_its_end_and_says_what_became_of_everybody(api: FakeApi) -> None:
    api.answer("POST", f"{ENROLL}/bulk", JOB, status=202)
    api.answer("GET", JOB_PATH, ENROLLED)
    shown = said("enroll", "Onboarding", "--all")
    assert "Onboarding: 290 enrolled, 3 already on their way, 12 suppressed." in shown
    assert api.bodies("POST", f"{ENROLL}/bulk") == [{"all": True}]


def test_enroll_by_filter_sends_the_filter_as_it_is(api: FakeApi) -> None:
    api.answer("POST", f"{ENROLL}/bulk", JOB, status=202)
    api.answer("GET", JOB_PATH, ENROLLED)
    assert "290 enrolled" in said("enroll", "Onboarding", "--filter", 'attributes.plan = "pro"')
    assert api.bodies("POST", f"{ENROLL}/bulk") == [{"filter": 'attributes.plan = "pro"'}]


def test_enroll_sends_a_file_as_it_is_and_points_to_the_report_of_whom_it_did_not_find(
    api: FakeApi, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("external_id\ncrm-1\ncrm-2\n")
    api.answer("POST", f"{ENROLL}/import", JOB, status=202)
    api.answer("GET", JOB_PATH, {**ENROLLED, "counts": {"enrolled": 1, "unknown": 1}})
    shown = said("enroll", "Onboarding", "--csv", str(file))
    assert "Onboarding: 1 enrolled, 1 unknown to the API." in shown
    assert f"postroad jobs report {JOB['id']}" in shown
    assert next(asked for asked in api.asked if asked.method == "POST").body == file.read_bytes()


def test_an_enrollment_of_many_that_failed_exits_2_and_says_why(api: FakeApi) -> None:
    api.answer("POST", f"{ENROLL}/bulk", JOB, status=202)
    error = {"code": "sequence_not_active", "detail": "The sequence is paused."}
    api.answer("GET", JOB_PATH, {**ENROLLED, "state": "failed", "error": error})
    assert "The sequence is paused." in said("enroll", "Onboarding", "--all", code=2)


def test_somebody_unknown_stops_an_enroll_before_anybody_is_enrolled(api: FakeApi) -> None:
    api.answer("GET", "/contacts", {"items": [CONTACT], "next": None})
    shown = said("enroll", "Onboarding", "--contact", "ada@example.com", "--contact", "nobody@example.com", code=2)
    assert "Not among the contacts: nobody@example.com" in shown
    assert [asked.method for asked in api.asked] == ["GET", "GET", "GET"]


@pytest.mark.parametrize("arguments", [(), ("--all", "--contact", "ada@example.com"), ("--all", "--filter", "opened")])
def test_enroll_wants_exactly_one_way_of_saying_whom(api: FakeApi, arguments: tuple[str, ...]) -> None:
    assert "Say whom to enroll" in said("enroll", "Onboarding", *arguments, code=2)


def test_an_unknown_sequence_is_answered_with_those_that_exist(api: FakeApi) -> None:
    assert "There is no sequence 'Onbording'. There are: 'Onboarding'." in said("stats", "Onbording", code=2)


def test_watch_ends_when_every_enrollment_has_ended(api: FakeApi) -> None:
    for counts in (stats(active=2), stats(active=1, completed=1), stats(completed=2)):
        api.answer("GET", STATS, counts)
    shown = said("watch", "Onboarding", "--interval", "0.2")
    lines = [line for line in shown.splitlines() if "enrollments:" in line]
    assert [line.split(" |")[0] for line in lines] == [
        "2 enrollments: 2 active",
        "2 enrollments: 1 active, 1 completed",
        "2 enrollments: 2 completed",
    ]


def test_watch_once_does_not_wait(api: FakeApi) -> None:
    api.answer("GET", STATS, stats(active=2))
    assert "2 enrollments: 2 active" in said("watch", "Onboarding", "--once")


def test_stats_as_json_can_be_read_by_programs(api: FakeApi) -> None:
    api.answer("GET", STATS, stats(active=2))
    read = json.loads(said("stats", "Onboarding", "--json"))
    assert (read["steps"][0]["sent"], read["enrollments"]["active"]) == (41, 2)


def test_a_pause_names_what_was_beyond_recall(api: FakeApi) -> None:
    stop = {"acknowledged_at": STOPPED_AT, "on_the_wire": [CONTACT["id"]]}
    api.answer("POST", f"/sequences/{SEQUENCE['id']}/pause", {**SEQUENCE, "state": "paused", "stop": stop})
    shown = said("pause", "Onboarding")
    assert "paused since 2026-11-22 09:00:01 UTC" in shown
    assert CONTACT["id"] in shown


def test_explain_prefers_the_enrollment_that_still_runs(api: FakeApi) -> None:
    api.answer_list("/contacts", CONTACT)
    ended = {**ENROLLMENT, "id": SEQUENCE["id"], "state": "completed", "ended_at": STOPPED_AT, "created_at": STOPPED_AT}
    api.answer_list("/enrollments", ended, ENROLLMENT)
    reason = {"kind": "delay_after", "sentence": "Three days after step 1.", "facts": {}}
    explanation = {
        "enrollment_id": ENROLLMENT["id"],
        "now": STOPPED_AT,
        "state": "active",
        "phase": "waiting",
        "summary": "Step invite goes on Wednesday.",
        "next": {"number": 2, "key": "invite", "due_at": STOPPED_AT, "send_before": STOPPED_AT, "attempt": 1},
        "reasons": [reason],
    }
    api.answer("GET", f"/enrollments/{ENROLLMENT['id']}/explain", explanation)
    shown = said("explain", "ada@example.com")
    for words in ("ada@example.com: active", "Step invite goes", "step 2 (invite), due 2026-11-22", "Three days after"):
        assert words in shown


def test_verify_exits_1_and_names_the_rows_that_break_a_rule(api: FakeApi) -> None:
    broken = {"rule": "accepted_twice", "description": "once", "count": 1, "violations": [{"message_id": "m-17"}]}
    api.answer("GET", "/verify", {"ok": False, "rules": [broken]})
    shown = said("verify", code=1)
    assert 'accepted_twice: {"message_id": "m-17"}' in shown
    assert "Rules are broken" in shown


def test_verify_exits_0_when_all_rules_hold(api: FakeApi) -> None:
    rule = {"rule": "accepted_twice", "description": "once", "count": 0, "violations": []}
    api.answer("GET", "/verify", {"ok": True, "rules": [rule]})
    assert "All 1 rules hold." in said("verify")


def test_parked_messages_are_shown_with_their_reason_and_given_back(api: FakeApi) -> None:
    message = {"message_id": "m", "type": "steps.due.v1", "attempt": 4, "reason": "boom", "first_death_at": STOPPED_AT}
    queue = {"queue": "sender.due", "depth": 1, "messages": [{**message, "body": {"items": []}}]}
    api.answer("GET", "/operator/parking", {"items": [queue]})
    api.answer("POST", "/operator/parking/replay", {"queue": "sender.due", "replayed": 1})
    assert "sender.due" in said("parking", "list")
    assert "boom" in said("parking", "show", "sender.due")
    assert "There are: sender.due." in said("parking", "show", "sender.dew", code=2)
    assert "1 messages are back in sender.due." in said("parking", "replay", "sender.due")
    assert {asked.authorization for asked in api.asked} == {"Bearer operator"}


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "words"),
    [
        (401, "unauthorized", 3, "Check POSTROAD_API_KEY"),
        (404, "not_found", 2, "Not here."),
        (500, "internal_error", 4, "The service's log says why"),
    ],
)
def test_a_problem_is_a_sentence_and_an_exit_code(
    api: FakeApi, status: int, code: str, exit_code: int, words: str
) -> None:
    api.problem("GET", "/verify", status, code, detail="Not here.")
    assert words in said("verify", code=exit_code)


def test_an_address_where_nothing_listens_is_said_so(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROAD_URL", "http://127.0.0.1:9")
    assert "Nothing answers at http://127.0.0.1:9" in said("verify", code=4)


def test_applying_the_example_twice_changes_nothing_the_second_time(api: FakeApi) -> None:
    example = str(Path(__file__).parents[2] / "examples" / "onboarding.yaml")
    sender = {"id": CONTACT["id"], "name": "Fernweh Mail", "from_email": "a@b.example", "host": "h"}
    api.answer_list("/senders", {**sender, "port": 25, "security": "none"})
    api.answer_list("/templates")
    template = {"id": CONTACT["id"], "name": "t", "version": 1, "subject": "", "html": "", "text": ""}
    api.answer("POST", "/templates", template, status=201)
    made = {**SEQUENCE, "name": "New Customer Onboarding", "version": 1, "sender_id": sender["id"], "steps": []}
    api.answer("POST", "/sequences", {**made, "state": "draft"}, status=201)
    api.answer("POST", f"/sequences/{SEQUENCE['id']}/activate", made)
    dry = said("sequences", "apply", example, "--activate", "--dry-run")
    assert dry.count("+ template") == 3
    assert not [asked for asked in api.asked if asked.method != "GET"], "a dry run changes nothing"
    shown = said("sequences", "apply", example, "--activate")
    assert "New Customer Onboarding is active (version 1" in shown
    assert [step["delay"] for step in api.bodies("POST", "/sequences")[0]["steps"]] == [0, 6, 6]


HELD = {
    "held": True,
    "because": "its rows were copied: it was restored",
    "held_at": "2026-11-22T10:00:00Z",
    "last_beat_at": "2026-11-22T09:00:00Z",
    "lost_from": None,
    "lost_until": None,
    "reconciling_at": None,
    "released_at": None,
    "waiting": 3,
    "transmitting": 0,
    "may_have_been_sent": 0,
    "advice": "Nothing is sent.",
}


def test_restore_says_why_the_database_is_held_and_what_to_do(api: FakeApi) -> None:
    api.answer("GET", "/operator/restore", HELD)
    text = said("restore", "status")
    assert "its rows were copied" in text
    assert "Nothing is sent." in text


def test_restore_evidence_finds_our_message_ids_in_any_log_and_sends_each_once(api: FakeApi, tmp_path: Path) -> None:
    api.answer(
        "POST", "/operator/restore/evidence", {"proving": 1, "known": 0, "not_found": 1, "examples_not_found": []}
    )
    log = tmp_path / "mail.log"
    ours = "c7276b48acf856b0adb3a291e18131e9@post.example"
    log.write_text(f"Nov 22 smtp[1]: message-id=<{ours}>, status=sent\nagain <{ours}> \xff\nid=<CAx@gmail.example>\n")
    assert "1 unknown messages were sent" in said("restore", "evidence", str(log))
    assert api.bodies("POST", "/operator/restore/evidence") == [{"message_ids": [ours]}]


def test_restore_release_that_is_refused_says_why(api: FakeApi) -> None:
    api.problem("POST", "/operator/restore/release", 409, "not_reconciled", detail="No.")
    assert "No." in said("restore", "release", code=2)


def test_contacts_list_asks_with_the_filter_and_says_how_many_there_are(api: FakeApi) -> None:
    api.answer_list("/contacts", {**CONTACT, "first_name": "Ada", "company": "Mill\x1b[2J"})
    api.answer("GET", "/contacts/count", {"count": 10_000, "exact": False})
    shown = said("contacts", "list", "--filter", 'attributes.plan = "pro"', "--search", "ad")
    assert "ada@example.com" in shown
    assert "1 of 10,000 or more." in shown
    assert "\x1b" not in shown
    listed = json.loads(said("contacts", "list", "--json"))
    assert [one["email"] for one in listed] == ["ada@example.com"]


def test_contacts_show_takes_an_address_and_tells_what_the_contact_did(api: FakeApi) -> None:
    api.answer_list("/contacts", CONTACT)
    detail = {
        **CONTACT,
        "account": {"id": SEQUENCE["id"], "name": "Acme"},
        "engagement": {"opens": 2, "last_opened_at": "2026-11-22T09:00:00Z"},
        "suppressed": ["manual"],
        "attributes": {"plan": "pro"},
    }
    api.answer("GET", f"/contacts/{CONTACT['id']}", detail)
    shown = said("contacts", "show", "ada@example.com")
    for part in ("Acme", "2  2026-11-22 09:00:00 UTC", "manual", "attributes.plan", "pro"):
        assert part in shown


def test_contacts_show_of_an_address_that_nobody_has_is_an_error_in_words(api: FakeApi) -> None:
    api.answer_list("/contacts")
    assert "There is no contact nobody@example.com." in said("contacts", "show", "nobody@example.com", code=2)
