"""Settings of the sender, POSTROAD_SENDER_*; spans are seconds."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from postroad_common.settings import LinkSettings

Seconds = Annotated[float, Field(gt=0)]


class SenderSettings(LinkSettings):
    """What the sender reads besides the common settings."""

    model_config = SettingsConfigDict(env_prefix="POSTROAD_SENDER_")

    prefetch: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=160,
        description="Messages of at most 50 items in hand at once. Senders whose mail server hardly moves get half of "
        "them together.",
    )
    lane_wait_seconds: Seconds = Field(
        default=60.0,
        description="How long an item waits for a connection of its sender before it goes back to the retry ladder, "
        "so that a slow server does not fill the process.",
    )
    settled_within_seconds: Annotated[float, Field(ge=0)] = Field(
        default=0.2, description="How long outcomes are collected before they are published together."
    )
    outcome_linger_seconds: Annotated[float, Field(ge=0, le=0.1)] = Field(
        default=0.003, description="How long the outcome of a message waits for others, to be committed together."
    )
    heartbeat_seconds: Seconds = Field(default=2.0, description="Period of this process's heartbeat.")
    heartbeat_lives_seconds: Seconds = Field(
        default=10.0, description="How long a heartbeat lives: after that, others judge what this process transmits."
    )
    recovery_seconds: Seconds = Field(
        default=2.0, description="Period of the look for messages that an expired process left transmitting."
    )
    ehlo_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}$")] = Field(
        default="localhost", description="The name that EHLO gives: the host's public name, as its PTR record says."
    )
    smtp_connect_seconds: Seconds = Field(
        default=20.0, description="For a connection: resolving, connecting, TLS, EHLO and AUTH together."
    )
    smtp_command_seconds: Seconds = Field(default=60.0, description="For the reply to a command.")
    smtp_message_seconds: Seconds = Field(
        default=300.0, description="For the reply to the final dot. Too short makes unknown messages."
    )
    smtp_idle_seconds: Seconds = Field(default=20.0, description="A connection free for so long is closed.")
    smtp_messages_per_connection: Annotated[int, Field(ge=1)] = Field(
        default=500, description="After so many messages a connection is closed and another made."
    )
    smtp_ca_file: str | None = Field(
        default=None, description="PEM file of certificate authorities to trust besides the system's."
    )
    allow_private_smtp: bool = Field(
        default=False,
        description="Allow mail servers on private and loopback addresses, and passwords without TLS. "
        "For a machine whose tenants are all trusted.",
    )
    pause_outage_seconds: Seconds = Field(
        default=10.0, description="First rest of a sender whose server cannot be reached; doubles each time."
    )
    pause_outage_longest_seconds: Seconds = Field(default=600.0, description="Longest such rest.")
    pause_throttled_seconds: Seconds = Field(default=60.0, description="Rest after the server asks for less.")
    pause_credentials_seconds: Seconds = Field(
        default=900.0, description="Rest after the server refused credentials, certificate or sender address."
    )
    pause_policy_seconds: Seconds = Field(
        default=3600.0, description="Rest after the server refused us for reputation or domain authentication."
    )
    keep_sources_days: Annotated[float, Field(ge=0, le=3650)] = Field(
        default=30.0,
        description="For how many days a message is kept as it was sent, for `GET /v1/messages/{id}/source`. It holds "
        "links that act for its recipient. 0: none is kept, and what is kept is deleted.",
    )
    kept_steps: Annotated[int, Field(ge=1)] = Field(
        default=2000, description="Compiled templates of steps that are kept in memory."
    )
