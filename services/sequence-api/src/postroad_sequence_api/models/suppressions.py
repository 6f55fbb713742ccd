"""Addresses that must not be mailed."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from postroad_sequence_api.models.base import Body, Query, View
from postroad_sequence_api.models.fields import Address, Line
from postroad_sequence_api.models.intents import Stop

SuppressionKind = Literal["manual", "bounced", "complained", "unsubscribed", "replied"]


class SuppressionNew(Body):
    """An address to suppress by hand."""

    email: Address
    reason: Line = ""


class SuppressionPick(Query):
    """Which suppressions to list: those of addresses after a cursor, in their order."""

    after: Address | None = None
    email: Address | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class Suppression(View):
    """An address that must not be mailed, and every reason there is: by hand, or by the recipient's own word."""

    email: str
    kinds: tuple[SuppressionKind, ...]
    reason: str
    created_at: datetime


class SuppressionMade(Suppression):
    """A suppression that holds."""

    stop: Stop
