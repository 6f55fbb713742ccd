"""What stands within the bodies of requests, written from docs/openapi.json by `make docs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict
from uuid import UUID

from postroad import models as m


class AttributeColumn(TypedDict):
    """A column that is an attribute."""

    attribute: str


class ContactBatchItem(TypedDict):
    """A contact of a batch, found by external_id, else by its address."""

    account_id: NotRequired[UUID | str | None]
    attributes: NotRequired[Mapping[str, str | bool | int | float | None]]
    """What templates may name beyond the fields."""
    company: NotRequired[str]
    email: NotRequired[str]
    external_id: NotRequired[str | None]
    first_name: NotRequired[str]
    kind: NotRequired[m.ContactKind]
    last_name: NotRequired[str]
    timezone: NotRequired[str | None]
    """On whose clock steps come due; null: the tenant's."""


class Credentials(TypedDict):
    """Name and password of HTTP basic authentication."""

    username: str
    password: str


class StepSpec(TypedDict):
    """A step: after the delay, at the preferred time if there is one, this template.

    key is the step's name across versions: what was sent under a key is not sent again. Without one: step-<number>.
    """

    template_id: UUID | str
    delay: str | int
    """Weeks, days, hours, minutes or seconds, such as "3d", or a number of seconds: 0 to 365 days."""
    key: NotRequired[str | None]
    """Its name across versions: what was sent under a key is not sent again. null: step-<number>."""
    kind: NotRequired[Literal["email"]]
    preferred_time: NotRequired[str | None]
    thread: NotRequired[m.StepThread]
    """reply: in the conversation of the step before."""
