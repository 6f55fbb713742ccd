"""Applying a sequence file: what would change is decided on values, and a second time nothing does."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from postroad import InputError
from postroad.models import Sender, Sequence, Template
from postroad.plan import (
    Activate,
    ChangeSequence,
    ChangeTemplate,
    CreateSequence,
    CreateTemplate,
    Present,
    make_plan,
)
from postroad.sequence_file import SequenceFile, read_sequence_file
from tests.unit.described import a

SENDER = Sender.model_validate(a("Sender", id=UUID(int=1), name="main", from_email="a@b.example"))
FILE = SequenceFile.model_validate(
    {
        "sequence": "Onboarding",
        "sender": "main",
        "templates": {"hello": {"subject": "Hello", "html": "<p>Hello</p>"}, "bye": {"subject": "Bye", "html": "<p>"}},
        "steps": [
            {"key": "hello", "template": "hello"},
            {"key": "bye", "template": "bye", "delay": "3d", "preferred_time": "09:30", "thread": "reply"},
        ],
    }
)
HELLO = Template.model_validate(
    a("Template", id=UUID(int=2), name="hello", version=1, subject="Hello", html="<p>Hello</p>", text="Hello")
)
BYE = Template.model_validate(a("Template", id=UUID(int=3), name="bye", version=1, subject="Bye", html="<p>", text=""))
TEMPLATES = {"hello": HELLO, "bye": BYE}


def sequence(*, pinned: int | None = 1, draft: int | None = None, delay: str = "72h") -> Sequence:
    """The file's sequence as the API has it."""
    first = {
        "number": 1,
        "key": "hello",
        "template_id": HELLO.id,
        "delay": "0s",
        "preferred_time": None,
        "thread": "new",
    }
    second = {"number": 2, "key": "bye", "template_id": BYE.id, "delay": delay, "preferred_time": "09:30"}
    steps = [{**first, "template_version": pinned}, {**second, "template_version": pinned, "thread": "reply"}]
    described = a(
        "Sequence",
        id=UUID(int=4),
        name="Onboarding",
        state="active" if draft is None else "draft",
        active_version=None if draft else 1,
        draft_version=draft,
        version=draft or 1,
        sender_id=SENDER.id,
        steps=steps,
    )
    return Sequence.model_validate(described)


def present(**changes: object) -> Present:
    return Present(**{"senders": {"main": SENDER}, "templates": TEMPLATES, "sequence": sequence(), **changes})  # type: ignore[arg-type]  # named one by one in the tests


def test_from_nothing_everything_is_made_in_an_order_that_works() -> None:
    plan = make_plan(FILE, present(templates={}, sequence=None), activate=True)
    assert plan.actions == (CreateTemplate("hello"), CreateTemplate("bye"), CreateSequence(), Activate())


@pytest.mark.parametrize("activate", [True, False])
def test_what_is_as_the_file_says_is_left_alone(*, activate: bool) -> None:
    assert make_plan(FILE, present(), activate=activate).actions == ()


def test_a_changed_template_makes_a_new_version_of_a_sequence_that_pins_the_old_one() -> None:
    old = HELLO.model_copy(update={"html": "<p>Hi</p>"})
    plan = make_plan(FILE, present(templates={"hello": old, "bye": BYE}), activate=True)
    assert plan.actions == (
        ChangeTemplate(old),
        ChangeSequence(sequence(), "newer versions of its templates"),
        Activate(),
    )


def test_a_changed_template_does_not_touch_a_draft_which_pins_nothing() -> None:
    old = HELLO.model_copy(update={"subject": "Hi"})
    there = present(templates={"hello": old, "bye": BYE}, sequence=sequence(pinned=None, draft=1))
    assert make_plan(FILE, there, activate=False).actions == (ChangeTemplate(old),)


def test_a_template_changed_by_an_interrupted_run_is_still_taken_up_by_the_next() -> None:
    newer = HELLO.model_copy(update={"version": 2})
    plan = make_plan(FILE, present(templates={"hello": newer, "bye": BYE}), activate=True)
    assert plan.actions == (ChangeSequence(sequence(), "newer versions of its templates"), Activate())


def test_other_steps_make_a_new_draft() -> None:
    there = sequence(delay="4d")
    assert make_plan(FILE, present(sequence=there), activate=False).actions == (ChangeSequence(there, "other steps"),)


def test_a_draft_that_is_as_the_file_says_is_only_activated() -> None:
    there = sequence(pinned=None, draft=1)
    assert make_plan(FILE, present(sequence=there), activate=True).actions == (Activate(),)


def test_an_unknown_sender_is_named_with_those_that_exist() -> None:
    with pytest.raises(InputError, match="no sender 'main'; there are: 'other'"):
        make_plan(FILE, present(senders={"other": SENDER}), activate=False)


ONE = "sequence: A\nsender: s\ntemplates: {a: {subject: s, html: h}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sequence: [", "is not YAML"),
        ("just words", "the file: "),
        ("sequence: A\nsender: s\ntemplates: {}\nsteps: []", "templates: .*; steps: "),
        (ONE + "steps: [{key: x, template: b}]", "'b'.* has: a"),
        (ONE + "steps: [{key: x, template: a}, {key: x, template: a}]", "the same key"),
        (ONE + "steps: [{key: x, template: a, delay: soon}]", r"steps\.0\.delay: write a delay as 3d"),
        (ONE + "steps: [{key: x, template: a, preferred_time: 10:30}]", 'put the time in quotes: "10:30"'),
        (ONE + "steps: [{key: x, template: a, dellay: 1d}]", r"steps\.0\.dellay: "),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "sequence.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        read_sequence_file(file)


def test_the_example_is_a_sequence_of_three_steps() -> None:
    file = read_sequence_file(Path(__file__).parents[2] / "examples" / "onboarding.yaml")
    assert [step.key for step in file.steps] == ["welcome", "invite", "check-in"]
