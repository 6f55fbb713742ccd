"""`postroad explain`: what happens next to a contact, when, and every rule that moved it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Group, RenderableType

from postroad.cli.session import JsonFlag, as_tenant, find_sequence, print_json
from postroad.cli.words import moment, output, plain, table
from postroad.client import AsyncClient
from postroad.errors import InputError
from postroad.models import Enrollment, Explanation, Reason, Timeline


def explain(
    who: Annotated[str, typer.Argument(metavar="EMAIL|ENROLLMENT_ID", show_default=False)],
    sequence: Annotated[str | None, typer.Option(help="Which sequence, when there are several.")] = None,
    *,
    timeline: Annotated[bool, typer.Option("--timeline", help="Show all that happened too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say what happens next to an enrollment, when, and why."""

    async def work(client: AsyncClient) -> None:
        enrollment_id = _as_id(who) or await _latest(client, who, sequence)
        explanation = await client.enrollments.explain(enrollment_id)
        if as_json:
            print_json(explanation)
            return
        output.print(picture(who, explanation))
        if timeline:
            output.print(timeline_picture(await client.enrollments.timeline(enrollment_id)))

    as_tenant(work)


def _as_id(who: str) -> UUID | None:
    try:
        return UUID(who)
    except ValueError:
        return None


async def _latest(client: AsyncClient, email: str, sequence: str | None) -> UUID:
    """The running enrollment of a contact, else the latest."""
    contact = await client.contacts.list(email=email).first()
    if contact is None:
        raise InputError(f"There is no contact {email!r}.")
    sequence_id = None if sequence is None else (await find_sequence(client, sequence)).id
    found = [one async for one in client.enrollments.list(contact_id=contact.id, sequence_id=sequence_id)]
    if not found:
        where = f" in {sequence!r}" if sequence else ""
        raise InputError(f"{email} is not enrolled{where}.")
    return max(found, key=_relevance).id


def _relevance(enrollment: Enrollment) -> tuple[bool, float]:
    return (enrollment.ended_at is None, enrollment.created_at.timestamp())


def picture(who: str, explanation: Explanation) -> Group:
    """The explanation for people: where it is, what is next, why, and the decisions so far."""
    lines: list[RenderableType] = [
        plain(f"{who}: {explanation.state}", style="bold"),
        plain(explanation.summary),
    ]
    if explanation.next is not None:
        step = explanation.next
        lines.append(plain(f"Next: step {step.number} ({step.key}), due {moment(step.due_at)}, attempt {step.attempt}"))
    lines += _reasons("Because", explanation.reasons)
    lines += _reasons("Before it can be sent", explanation.blocked_by)
    if explanation.decisions:
        lines.append(_decisions(explanation))
    return Group(*lines)


def timeline_picture(timeline: Timeline) -> Group:
    """All that happened, in order."""
    shown = table("when", "what", "step", "in words")
    for entry in timeline.items:
        shown.add_row(moment(entry.at), plain(entry.kind), plain(entry.step_key or ""), plain(entry.sentence))
    return Group(shown, *([plain("Older entries are not shown.")] if timeline.truncated else []))


def _reasons(title: str, reasons: tuple[Reason, ...]) -> list[RenderableType]:
    if not reasons:
        return []
    return [plain(f"{title}:"), *(plain(f"  - {reason.sentence}") for reason in reasons)]


def _decisions(explanation: Explanation) -> RenderableType:
    shown = table("decided", "step", "decision", "due", "because", title="Decisions so far")
    for decision in explanation.decisions:
        because = " ".join(reason.sentence for reason in decision.reasons)
        attempt = f" (attempt {decision.attempt})" if decision.attempt > 1 else ""
        shown.add_row(
            moment(decision.decided_at),
            plain(decision.step_key + attempt),
            plain(decision.outcome),
            moment(decision.due_at),
            plain(because),
        )
    return shown
