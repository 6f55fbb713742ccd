"""Parked messages: those that are out of retries."""

from typing import Annotated, Any

from pydantic import Field

from postroad_sequence_api.models.base import Body, Query, View
from postroad_sequence_api.models.fields import Name, said


class ParkingPick(Query):
    """How many messages of each queue to show."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20


class ParkedMessage(View):
    """A parked message: the original, and why it lies there. body is its JSON, or its text if it is none."""

    message_id: str
    type: str
    attempt: int
    reason: str
    error: str
    first_death_at: str | None
    parked_at: str | None
    correlation_id: str | None
    body: Any
    """Its JSON, or its text if it is none."""


class ParkedQueue(View):
    """The parking of a queue."""

    queue: str
    depth: int
    messages: tuple[ParkedMessage, ...]


class Parking(View):
    """The parking of every queue."""

    items: tuple[ParkedQueue, ...]


class ReplayNew(Body):
    """Which queue's parked messages to give back to it, and how many at most."""

    queue: Annotated[Name, said(examples=["sender.due"])]
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Replayed(View):
    """How many parked messages went back."""

    queue: str
    replayed: int
