"""Settings of the scheduler: POSTROAD_SCHEDULER_<FIELD>."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from postroad_common.settings import CommonSettings
from postroad_engine.facts import Policy

_Seconds = Annotated[float, Field(gt=0)]


class SchedulerSettings(CommonSettings):
    """What the scheduler reads besides what every service does."""

    model_config = SettingsConfigDict(env_prefix="POSTROAD_SCHEDULER_")

    tick_seconds: _Seconds = Field(
        default=0.1, description="How often to look for due steps; at once again after a full claim."
    )
    claim_size: Annotated[int, Field(ge=1, le=5000)] = Field(
        default=1000, description="Rows taken in one claim, shared by its tenants."
    )
    claim_per_tenant: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=500, description="Rows of one tenant in one claim at most."
    )
    in_flight_per_tenant: Annotated[int, Field(ge=1)] = Field(
        default=2000, description="Steps of one tenant that may be with the senders at once; more wait in the database."
    )
    lease_seconds: _Seconds = Field(
        default=30.0, description="How long a claim holds; afterwards the same attempt is claimed and published again."
    )
    answer_seconds: _Seconds = Field(
        default=600.0, description="How long a sender may take to settle a step before it is published again."
    )
    max_emissions: Annotated[int, Field(ge=1)] = Field(
        default=8,
        description="Publishes of one attempt without an answer, after which it is held and needs attention. Times "
        "`answer_seconds`, it should be longer than a slow mail server takes for all that may be in flight.",
    )
    look_again_seconds: _Seconds = Field(
        default=900.0, description="How long a hold lasts that a person must end, before it is looked at anyway."
    )
    held_seconds: _Seconds = Field(
        default=10.0, description="How long a step rests that the sender held for a cause already gone."
    )
    send_within_seconds: _Seconds = Field(
        default=86_400.0, description="How late a step may still go; afterwards it is planned anew."
    )
    reconcile_seconds: _Seconds = Field(
        default=30.0, description="How often intents and enrollments are compared with what was applied."
    )
    reconcile_after_seconds: _Seconds = Field(
        default=60.0, description="How old an intent or enrollment must be to be compared: younger ones have a message."
    )
    reconcile_all_seconds: _Seconds = Field(
        default=3600.0, description="How often all are compared, and not only those since the last time."
    )
    prefetch: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=40, description="Messages in hand a queue; those that wait are settled in one transaction."
    )

    def policy(self) -> Policy:
        """The spans that the rules use."""
        return Policy(
            send_within=timedelta(seconds=self.send_within_seconds),
            look_again=timedelta(seconds=self.look_again_seconds),
            held_wait=timedelta(seconds=self.held_seconds),
        )
