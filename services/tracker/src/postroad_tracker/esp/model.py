"""The shape of an ESP: a name, how it proves that a webhook is its own, and how its events read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from postroad_tracker.events import NormalisedEvent

Secrets = Mapping[str, Sequence[str]]
"""A source's secrets by kind, several of each so that they rotate: {"public_keys": […]} or {"credentials": […]}."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What verification looks at. Header names are lower case; the body is the bytes that came."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Genuine:
    """The provider sent it."""


@dataclass(frozen=True, slots=True)
class Unauthenticated:
    """It does not claim to be the provider's: 401 with this challenge."""

    challenge: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It claims to be and is not, or is too old to believe: 403, which also makes Postmark stop."""

    code: str
    detail: str


Verdict = Genuine | Unauthenticated | Refused
Verify = Callable[[WebhookRequest, Secrets, datetime], Verdict]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An element of a batch that could not be read, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A webhook read: its events, the elements that say nothing to us, and those that could not be read."""

    events: tuple[NormalisedEvent, ...]
    rejected: tuple[Rejected, ...] = ()
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Esp:
    """One provider. verify and parse are pure; parse raises UnreadableBodyError for what is no webhook at all."""

    name: str
    verify: Verify
    parse: Callable[[bytes], Parsed]
