"""Reasons: kept as JSON for years, read by people."""

import json
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, get_type_hints

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from postroad_engine.reasons import (
    REGISTRY,
    BounceType,
    DelayAfter,
    Overdue,
    PreferredTime,
    Reason,
    RetryAt,
    SenderPaused,
    ServerAnswered,
    StopKind,
    Suppressed,
    TimeSkipped,
    Unrecognised,
    Whose,
    ZoneFallback,
    from_json,
)
from tests.unit.engine.examples import DAY, NOW

OF_PYTHON = ("None", "datetime", "timedelta")
KINDS = sorted(REGISTRY.values(), key=lambda cls: cls.kind)

st.register_type_strategy(datetime, st.integers(0, 10**9).map(lambda seconds: NOW + timedelta(seconds=seconds)))
st.register_type_strategy(timedelta, st.integers(0, 10**8).map(lambda seconds: timedelta(seconds=seconds)))


def any_reason() -> st.SearchStrategy[Reason]:
    known = [cls for cls in KINDS if cls is not Unrecognised]
    return st.sampled_from(known).flatmap(
        lambda cls: st.builds(cls, **{name: st.from_type(hint) for name, hint in _hints(cls).items()})
    )


def _hints(cls: type[Reason]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}  # type: ignore[arg-type]  # each is a dataclass


@given(any_reason())
def test_a_reason_survives_json(reason: Reason) -> None:
    assert from_json(json.loads(json.dumps(reason.to_json()))) == reason


@given(any_reason())
def test_a_reason_says_itself_in_one_english_sentence(reason: Reason) -> None:
    assume(not any(word in json.dumps(reason.to_json()) for word in OF_PYTHON))  # a text of somebody's may say so
    sentence = reason.sentence()
    assert sentence[0].isupper() or sentence[0].isdigit()
    assert not any(word in sentence for word in OF_PYTHON)


def test_the_kinds_are_a_contract() -> None:
    assert [cls.kind for cls in KINDS] == [
        "already_ended", "cannot_decide", "connection_failed", "contact_gone", "database_held",
        "delay_after", "enrollment_paused", "enrollment_stopped", "expired", "incarnation_expired",
        "may_have_been_sent", "no_answer_from_sender", "not_ours", "outcome_unknown", "overdue",
        "preferred_time", "refused", "render_failed", "retries_exhausted", "retry_at", "sender_paused",
        "sequence_finished", "sequence_inactive", "server_answered", "settled_by_evidence", "settled_by_hand",
        "step_gone", "suppressed", "time_skipped", "unrecognised", "zone_fallback",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "from_the_future", "x": 1},
        {"kind": "refused"},
        {"kind": "refused", "bounce": "bouncy"},
        {"kind": "overdue", "was_due_at": "yesterday"},
        {"kind": "overdue", "was_due_at": 5},
        {"kind": ["no text"]},
        {"kind": None},
        {"kind": "unrecognised", "data": {}},
        {},
    ],
)
def test_a_reason_of_another_version_is_kept_as_it_came(data: dict[str, object]) -> None:
    reason = from_json(data)
    assert isinstance(reason, Unrecognised)
    assert reason.to_json() == data
    assert reason.sentence()


def test_a_newer_field_of_a_known_reason_is_no_obstacle() -> None:
    assert from_json({"kind": "suppressed", "stop": "replied", "since": "x"}) == Suppressed(StopKind.REPLIED)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (DelayAfter(3 * DAY, 1, NOW), "3 days after step 1 (Mon 2 Mar 2026, 16:00 UTC)."),
        (DelayAfter(0 * DAY, None, NOW), "At once after enrolling (Mon 2 Mar 2026, 16:00 UTC)."),
        (PreferredTime("09:00", "Europe/Berlin"), "At 09:00 on the clock in Europe/Berlin."),
        (
            TimeSkipped("02:30", "Europe/Berlin", "03:00"),
            "Clocks in Europe/Berlin go forward that day and skip 02:30, so it is 03:00 instead.",
        ),
        (
            ZoneFallback(Whose.CONTACT, "Mars/Olympus", "UTC"),
            "The contact has the time zone 'Mars/Olympus', which does not exist, so UTC is used.",
        ),
        (ZoneFallback(Whose.TENANT, None, "UTC"), "The account has no time zone, so UTC is used."),
        (
            Overdue(NOW),
            "It was due Mon 2 Mar 2026, 16:00 UTC but could not go then, so it goes at the next opportunity.",
        ),
        (
            RetryAt(1, NOW, "451 4.7.1 greylisted"),
            "The mail server could not take it yet; try 2 is Mon 2 Mar 2026, 16:00 UTC. It said: 451 4.7.1 greylisted",
        ),
        (SenderPaused(None), "The sender is paused until somebody resumes it."),
        (ServerAnswered(550, "5.1.1", "no such user"), "The mail server answered: 550 5.1.1 no such user"),
    ],
)
def test_a_sentence_says_what_a_marketer_needs(reason: Reason, sentence: str) -> None:
    assert reason.sentence() == sentence


def test_bounce_types_and_stop_kinds_are_the_words_of_the_database() -> None:
    assert set(BounceType) == {"hard", "soft", "undetermined"}
    assert set(StopKind) == {"replied", "bounced", "complained", "unsubscribed", "manual"}
