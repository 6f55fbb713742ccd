"""Senders: the mail servers and accounts that a tenant brings."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from postroad_sequence_api.models.base import Body, Change, View
from postroad_sequence_api.models.fields import Address, Host, Line, Name, Password, said
from postroad_sequence_api.models.intents import Stop

Esp = Literal["smtp", "sendgrid", "postmark"]
Security = Literal["none", "starttls", "tls"]
Port = Annotated[int, Field(ge=1, le=65535, examples=[587])]
SenderName = Annotated[Name, said(examples=["Sales"])]
FromName = Annotated[Line, said(description="As recipients see it.", examples=["Ada of Example"])]
Connections = Annotated[int, Field(ge=1, le=200)]


class SenderNew(Body):
    """A sender to add. esp says whose message id header and webhooks to expect; smtp: none."""

    name: SenderName
    from_email: Address
    from_name: FromName = ""
    reply_to: Address | None = None
    """Where answers go; null: to from_email."""
    esp: Esp = "smtp"
    """Whose message id header and webhooks to expect; smtp: none."""
    host: Host
    port: Port
    security: Security = "starttls"
    username: Name | None = None
    password: Password | None = None
    """Goes with username."""
    max_connections: Connections = 10
    """How many connections to its server at once."""

    @model_validator(mode="after")
    def _password_has_a_user(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


class SenderChange(Change):
    """What to change of a sender; what is not named stays.

    A new host, port, security or username needs the password again: else whoever may edit could have it sent to a
    server of their own.
    """

    name: SenderName = ""
    from_email: Address = ""
    from_name: FromName = ""
    reply_to: Address | None = None
    esp: Esp = "smtp"
    host: Host = ""
    port: Port = 25
    security: Security = "starttls"
    username: Name | None = None
    password: Password | None = None
    max_connections: Connections = 10


class PausedByUs(View):
    """That the sending service paused a sender by itself, why, and when it tries again."""

    paused_at: datetime
    retry_at: datetime
    reasons: tuple[str, ...]


class Sender(View):
    """A sender. Its password is never answered."""

    id: UUID
    name: str
    from_email: str
    from_name: str
    reply_to: str | None
    esp: Esp
    host: str
    port: int
    security: Security
    username: str | None
    has_password: bool
    max_connections: int
    paused_at: datetime | None
    """When somebody paused it."""
    paused_by_us: PausedByUs | None = None
    """Null: the sending service has not paused it."""
    revision: int
    created_at: datetime
    updated_at: datetime


class SenderPaused(Sender):
    """A sender after its pause."""

    stop: Stop
