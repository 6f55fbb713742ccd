"""The tracker's own settings: POSTROAD_TRACKER_*."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from postroad_common.settings import CommonSettings


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Seconds = Annotated[float, Field(gt=0, le=3600)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split)]
Ids = Annotated[frozenset[UUID], NoDecode, BeforeValidator(_split)]


class TrackerSettings(CommonSettings):
    """What the tracker reads besides."""

    model_config = SettingsConfigDict(env_prefix="POSTROAD_TRACKER_")

    webhook_max_bytes: Annotated[int, Field(ge=1_000)] = Field(
        5 * 1024 * 1024, description="Largest webhook body, after decompression."
    )
    webhook_wait_seconds: Seconds = Field(
        1.0, description="How long a webhook that stops something waits for the wire to drain before it lists the rest."
    )
    unsubscribe_wait_seconds: Seconds = Field(2.0, description="The same for an unsubscribe.")
    store_seconds: Seconds = Field(
        5.0, description="How long a webhook or unsubscribe waits for its commit before it asks to be sent again."
    )
    hit_store_seconds: Seconds = Field(
        1.0, description="How long an open or click waits for its commit, and then for the broker's confirm instead."
    )
    max_waiting: Annotated[int, Field(ge=1)] = Field(
        2_000, description="Requests that may wait for a commit; more are asked to come again."
    )
    max_waiting_bytes: Annotated[int, Field(ge=1_000)] = Field(
        64 * 1024 * 1024, description="Bytes that those requests may hold."
    )
    source_cache_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        5.0, description="How long a webhook source is remembered: what a deleted one may still deliver."
    )
    match_seconds: Seconds = Field(2.0, description="How often events of the last two minutes look for their message.")
    match_again_seconds: Seconds = Field(600.0, description="How often older ones look once more.")
    match_horizon_hours: Annotated[float, Field(gt=0, le=720)] = Field(24.0, description="How long they go on looking.")
    open_stop_seconds: Seconds = Field(
        30.0, description="Age at which a stop without acknowledgement is taken over from a process that died."
    )
    count_seconds: Seconds = Field(
        5.0,
        description="How often what analytics show is counted in advance. What has come since is counted with each "
        "request, so this changes what requests cost and not what they say.",
    )
    trusted_proxies: Networks = Field(
        (), description="Networks whose X-Forwarded-For is believed, comma-separated; none: the peer is the client."
    )
    revoked_tokens: Ids = Field(
        frozenset(), description="Tenant ids and message ids whose tokens are answered with 404, comma-separated."
    )

    @property
    def match_horizon(self) -> timedelta:
        """match_horizon_hours as a span."""
        return timedelta(hours=self.match_horizon_hours)
