"""What happened, whether both sides counted the same, and what to try next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from examples.demo.player import Player
from examples.demo.scene import Scene
from examples.demo.stage import Stage
from examples.demo.tally import Line, compare
from postroad.cli.explain import picture as explanation
from postroad.cli.explain import timeline_picture
from postroad.cli.verify import show as show_proofs
from postroad.cli.watch import picture
from postroad.cli.words import output, plain, table
from postroad.models import SequenceStats, Verification


async def account(scene: Scene, player: Player, stats: SequenceStats) -> tuple[list[Line], Verification]:
    """Both sides of every count, and what verify says."""
    events = Counter(
        [event.type async for event in scene.client.events.list(sequence_id=scene.sequence.id, limit=1000)]
    )
    proofs = await scene.client.verify()
    reported = dict.fromkeys(scene.people, "never enrolled")
    addresses = {contact.id: contact.email async for contact in scene.client.contacts.list(limit=200)}
    async for enrollment in scene.client.enrollments.list(sequence_id=scene.sequence.id, limit=200):
        reported[addresses[enrollment.contact_id]] = enrollment.state
    return compare(player.tally, reported, stats, events, verified=proofs.ok), proofs


def show_account(
    scene: Scene, player: Player, stats: SequenceStats, lines: Sequence[Line], proofs: Verification
) -> None:
    """Print what happened and the comparison."""
    output.rule("What happened")
    output.print(picture(scene.sequence, stats))
    output.rule("Is it so? What verify finds in the data")
    show_proofs(proofs)
    output.rule("Is it so? What the recipients counted themselves")
    wrong = [line for line in lines if not line.agrees]
    if not wrong:
        again = f"; {player.tally.redelivered} webhooks came twice and counted once" if player.tally.redelivered else ""
        output.print(plain(f"{len(lines)} counts compared, all equal{again}.", style="bold green"))
        return
    shown = table("count", "recipients", "services", numbers=("recipients", "services"))
    for line in wrong:
        shown.add_row(plain(line.name), str(line.player), str(line.services))
    output.print(shown)
    for fault in player.tally.faults[:20]:
        output.print(plain(fault, style="red"), soft_wrap=True)


async def show_samples(scene: Scene, player: Player) -> None:
    """The story of somebody who replied, somebody who bounced and somebody who got to the end."""
    output.rule("Everything can be asked why")
    ends = player.tally.ends
    completed = next((email for email in scene.people if email not in ends and player.tally.arrived[email]), None)
    samples = [next((email for email, end in ends.items() if end == wanted), None) for wanted in ("replied", "bounced")]
    for email in (*samples, completed):
        if email is not None:
            await _show_sample(scene, email)


async def _show_sample(scene: Scene, email: str) -> None:
    contact = await scene.client.contacts.list(email=email).first()
    enrollment = contact and await scene.client.enrollments.list(contact_id=contact.id).first()
    if enrollment is None:
        raise AssertionError(f"{email} was enrolled")
    said = await scene.client.enrollments.explain(enrollment.id)
    output.print(explanation(email, said.model_copy(update={"decisions": ()})))
    output.print(timeline_picture(await scene.client.enrollments.timeline(enrollment.id)))


def show_next(stage: Stage, scene: Scene) -> None:
    """The address and key, and commands to try with them."""
    name = scene.sequence.name
    output.rule("Try it yourself")
    for line in (
        f"export POSTROAD_URL={stage.api_url}",
        f"export POSTROAD_API_KEY={scene.key}",
        f"export POSTROAD_OPERATOR_TOKEN={stage.operator_token}",
        f'.venv/bin/postroad stats "{name}"',
        ".venv/bin/postroad explain ada@example.com --timeline",
        f'.venv/bin/postroad enroll "{name}" --contact ada@example.com    # once more, from the first step',
        f'.venv/bin/postroad watch "{name}"',
        ".venv/bin/postroad verify",
    ):
        output.print(plain(f"  {line}"), soft_wrap=True)
