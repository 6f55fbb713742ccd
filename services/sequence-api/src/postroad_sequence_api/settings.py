"""What can be set of sequence-api."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from postroad_common.settings import LinkSettings
from postroad_sequence_api.webhooks.destinations import Reach


def _readable_networks(value: str) -> str:
    Reach.parse(value)
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", value):
        raise ValueError("an origin such as https://crm.example.com is needed: lower case, no path, no wildcard")
    return value


class SequenceApiSettings(LinkSettings):
    """POSTROAD_SEQUENCE_API_*."""

    model_config = SettingsConfigDict(env_prefix="POSTROAD_SEQUENCE_API_")

    operator_token: Annotated[SecretStr, Field(min_length=16)] = Field(
        description="Bearer token of the operator, who makes tenants and looks after parked messages: random, "
        "16 characters or more."
    )
    rate_limit_per_minute: Annotated[int, Field(ge=0)] = Field(
        default=6000,
        description="How many requests an API key may make in a minute, at once or spread; 0: no limit. Each process "
        "counts for itself.",
    )
    cors_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = Field(
        default=(),
        description="Which sites' pages may call the API from a browser: a JSON list of origins such as "
        '`["https://crm.example.com"]`.',
    )
    stop_wait_seconds: Annotated[float, Field(ge=0, le=25)] = Field(
        default=5.0,
        description="How long the answer to a pause or stop waits for messages on the wire; what is left is listed.",
    )
    stop_poll_seconds: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.05, description="How often a pause or stop looks whether the wire has drained."
    )
    unknown_on_wire_seconds: Annotated[float, Field(ge=0)] = Field(
        default=900.0,
        description="For how long an unknown message counts as on the wire: a suspended sender may still hold its "
        "connection until the mail server ends it (RFC 5321 4.5.3.2: 5 to 10 minutes).",
    )
    failover_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=0.0,
        description="After a failover of PostgreSQL the database is held until somebody has said that nothing was "
        "lost, since an asynchronous standby may lack what was committed last. With synchronous replication: how old "
        "the last sign of life of a sender may be, such as 120, for a new timeline to count as a failover that lost "
        "nothing. 0: never. A restored backup is usually older; only `postroad-migrate --restored` is sure to hold it.",
    )
    verify_grace_seconds: Annotated[float, Field(ge=0)] = Field(
        default=300.0, description="How far past its time a row may be before `verify` calls it stuck."
    )
    import_bytes: Annotated[int, Field(ge=1)] = Field(
        default=2**30, description="How large an imported file may be, in bytes; compressed ones count as decompressed."
    )
    job_workers: Annotated[int, Field(ge=0, le=16)] = Field(
        default=1,
        description="How many jobs this process does at once. 0: it only serves HTTP, and other processes do the jobs.",
    )
    job_slice_seconds: Annotated[float, Field(gt=0)] = Field(
        default=3.0,
        description="How long a job is done before the next one has its turn: of another tenant, or of the same.",
    )
    job_lease_seconds: Annotated[float, Field(ge=1)] = Field(
        default=30.0, description="After so long without a sign of its process, another one goes on with a job."
    )
    job_report_days: Annotated[float, Field(ge=0)] = Field(
        default=30.0,
        description="How long the report of a job that has ended can be downloaded. Its file is deleted when it ends.",
    )
    webhook_workers: Annotated[int, Field(ge=0, le=500)] = Field(
        default=40,
        description="Webhook events that this process posts at once, at most three quarters of them for one tenant or "
        "for what fails. 0: it posts none.",
    )
    webhook_concurrency: Annotated[int, Field(ge=1, le=50)] = Field(
        default=5,
        description="Webhook events that are posted to one subscription at once; one that fails gets one at a time.",
    )
    webhook_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        default=15.0, description="How long a webhook's receiver may take to answer."
    )
    webhook_refresh_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        default=5.0,
        description="For how long it is remembered which events a tenant subscribes to: a new subscription may begin "
        "this much late.",
    )
    webhook_disable_hours: Annotated[float, Field(gt=0)] = Field(
        default=72.0, description="After how long of nothing but failures a webhook subscription is disabled."
    )
    webhook_keep_days: Annotated[int, Field(ge=7, le=3650)] = Field(
        default=30, description="How long webhook deliveries are kept, delivered or not, to be looked at and replayed."
    )
    webhook_trusted_networks: Annotated[str, AfterValidator(_readable_networks)] = Field(
        default="",
        description="For development and tests: networks such as `127.0.0.1,172.16.0.0/12` to which webhooks may go "
        "although they are not public, over plain http too. Empty in production: every tenant reaches them.",
    )
