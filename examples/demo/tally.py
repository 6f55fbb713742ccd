"""What the player itself counted, and how it is compared with what the services report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from examples.demo.people import STEPS
from postroad.models import SequenceStats

#: What is counted per step, each mail once; the names are those of the services' stats.
PER_STEP = (
    *("accepted", "refused", "unknown", "delivered", "opened", "clicked"),
    *("replied", "bounced", "complained", "unsubscribed"),
)
ENDS = ("completed", "replied", "bounced", "unenrolled", "failed")
EVENTS = ("delivered", "opened", "clicked", "replied", "bounced", "complained", "unsubscribed")


@dataclass(frozen=True)
class Line:
    """One count, from both sides."""

    name: str
    player: int
    services: int

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return self.player == self.services


@dataclass
class Tally:
    """The player's own counts; it has no other source than what it received and did."""

    unique: defaultdict[tuple[int, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    events: Counter[str] = field(default_factory=Counter)
    ends: dict[str, str] = field(default_factory=dict)  # per recipient, known when something ended it
    arrived: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)  # what must not be, in words
    redelivered: int = 0

    def saw(self, step: int, what: str, recipient: str) -> None:
        """Something happened to the mail of a step; again, it counts once."""
        self.unique[step, what].add(recipient)

    def did(self, step: int, what: str, recipient: str) -> None:
        """The player caused an event about the mail of a step."""
        self.events[what] += 1
        self.saw(step, what, recipient)

    def count(self, step: int, what: str) -> int:
        """How many mails of a step."""
        return len(self.unique[step, what])

    def end_of(self, email: str, reported: str) -> str:
        """How the sequence ended for somebody.

        Who was stopped when the last mail had already come may rightly be reported as either.
        """
        stopped, complete = self.ends.get(email), self.arrived[email] >= STEPS
        if stopped is not None and complete:
            return reported if reported in {stopped, "completed"} else stopped
        return stopped or ("completed" if complete else "not ended")


def compare(
    tally: Tally, reported: Mapping[str, str], stats: SequenceStats, events: Mapping[str, int], *, verified: bool
) -> list[Line]:
    """Every count of the player beside that of the services; `reported` is each person's end as the services say."""
    lines = [Line("enrollments", len(reported), stats.enrollments.total)]
    for number, step in enumerate(stats.steps, start=1):
        lines += [
            Line(f"step {number} {step.key}: {what}", tally.count(number, what), getattr(step, what))
            for what in PER_STEP
        ]
    expected = {email: tally.end_of(email, end) for email, end in reported.items()}
    ends = Counter(expected.values())
    lines += [Line(f"ended {end}", ends[end], getattr(stats.enrollments, end)) for end in ENDS]
    lines.append(Line("not ended", ends["not ended"], stats.enrollments.active + stats.enrollments.paused))
    lines.append(Line("people with another end", 0, sum(expected[email] != end for email, end in reported.items())))
    lines += [Line(f"{what} events", tally.events[what], events.get(what, 0)) for what in EVENTS]
    lines.append(Line("faults seen by the player", len(tally.faults), 0))
    lines.append(Line("rules broken, says verify", 0, 0 if verified else 1))
    return lines
