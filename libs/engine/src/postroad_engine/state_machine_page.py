"""Draws docs/state-machine.md: `python -m postroad_engine.state_machine_page > docs/state-machine.md`."""

import sys

from postroad_engine.state_machine import ENDS, TRANSITIONS, EnrollmentState

_HEAD = """\
# The life of an enrollment

Drawn from `libs/engine/src/postroad_engine/state_machine.py` by `python -m postroad_engine.state_machine_page`;
a test compares the two. An end is final.
"""


def page() -> str:
    """The page as Markdown with a Mermaid diagram and the same transitions as a table."""
    return "\n".join([_HEAD, "```mermaid", "stateDiagram-v2", *_arrows(), "```", "", *_table(), ""])


def _arrows() -> list[str]:
    arrows = [f"    {state or '[*]'} --> {following}: {event}" for (state, event), following in TRANSITIONS.items()]
    return arrows + [f"    {state} --> [*]" for state in EnrollmentState if state in ENDS]


def _table() -> list[str]:
    rows = [f"| {state or ''} | {event} | {following} |" for (state, event), following in TRANSITIONS.items()]
    return ["| from | event | to |", "|---|---|---|", *rows]


if __name__ == "__main__":
    sys.stdout.write(page())
