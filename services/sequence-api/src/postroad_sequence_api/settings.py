"""What can be set of sequence-api."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from postroad_common.settings import LinkSettings


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
