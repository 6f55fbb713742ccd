"""Who does what with a mail, drawn per person from the seed: the same seed gives the same people."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

STEPS = 3


class Ending(StrEnum):
    """What somebody does that ends the sequence for them."""

    REPLY = "reply"
    COMPLAINT = "complaint"
    BOUNCE = "bounce"  # reported by the provider after the mail was taken
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True)
class Deed:
    """What a person does with one mail. `pause` is how many seconds they take to it."""

    opens: int = 0
    clicks: bool = False
    reads_unsubscribe_page: bool = False  # as link scanners do: it must not unsubscribe
    ending: Ending | None = None
    pause: float = 0.0


@dataclass(frozen=True)
class Person:
    """One recipient. `dead`: their mail server refuses the address."""

    email: str
    dead: bool
    deeds: tuple[Deed, ...]  # per step; after an ending no mail should come


def person(seed: int, email: str) -> Person:
    """The person behind an address."""
    draw = random.Random(f"{seed}:{email}")  # noqa: S311 - a play, not a secret
    if draw.random() < 0.04:
        return Person(email, dead=True, deeds=())
    ending = draw.choices(
        [None, Ending.REPLY, Ending.UNSUBSCRIBE, Ending.BOUNCE, Ending.COMPLAINT], weights=[80, 8, 5, 4, 3]
    )[0]
    at_step = draw.choices([1, 2, 3], weights=[5, 4, 2])[0] if ending else None
    keenness = draw.choice([0.0, 0.4, 0.7, 0.95])  # some never open anything
    deeds = tuple(_deed(draw, keenness, ending if step == at_step else None) for step in range(1, STEPS + 1))
    return Person(email, dead=False, deeds=deeds)


def _deed(draw: random.Random, keenness: float, ending: Ending | None) -> Deed:
    pause = draw.uniform(0.1, 1.6)
    if ending is Ending.BOUNCE:
        return Deed(ending=ending, pause=pause)
    reads = ending is not None or draw.random() < keenness
    return Deed(
        opens=0 if not reads else draw.choice([1, 1, 1, 2]),
        clicks=reads and draw.random() < 0.35,
        reads_unsubscribe_page=draw.random() < 0.03,
        ending=ending,
        pause=pause,
    )
