"""Addresses that must not be mailed."""

from datetime import datetime
from typing import Annotated, Literal

from postroad_sequence_api.models.base import Body, Limit, Query, View
from postroad_sequence_api.models.fields import Address, Line, said
from postroad_sequence_api.models.intents import Stop

SuppressionKind = Literal["manual", "bounced", "complained", "unsubscribed", "replied"]


class SuppressionNew(Body):
    """An address to suppress by hand."""

    email: Address
    reason: Annotated[Line, said(examples=["Asked us by phone."])] = ""


class SuppressionPick(Query):
    """Which suppressions to list: those of addresses after a cursor, in their order."""

    after: Address | None = None
    """The `next` of the page before."""
    email: Address | None = None
    limit: Limit = 50


class Suppression(View):
    """An address that must not be mailed, and every reason there is: by hand, or by the recipient's own word."""

    email: str
    kinds: tuple[SuppressionKind, ...]
    reason: str
    created_at: datetime


class SuppressionMade(Suppression):
    """A suppression that holds."""

    stop: Stop
