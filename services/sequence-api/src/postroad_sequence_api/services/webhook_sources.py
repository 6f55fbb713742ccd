"""Webhook sources: endpoints at the tracker, and the secrets by which an ESP proves itself there."""

from typing import Any, Final
from uuid import UUID

import orjson
from asyncpg import Record

from postroad_common.db import queries
from postroad_common.ids import new_id, pack_ref
from postroad_sequence_api.auth import new_secret
from postroad_sequence_api.context import Context, Work
from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.models.webhook_sources import (
    Credentials,
    WebhookSource,
    WebhookSourceList,
    WebhookSourceMade,
    WebhookSourceNew,
)

_SQL: Final = queries("postroad_sequence_api", "webhook_sources")
_PURPOSE: Final = "webhook-source"


async def create(work: Work, new: WebhookSourceNew, context: Context) -> WebhookSourceMade:
    """A source; its secrets are sealed, and credentials are shown this once."""
    source_id = new_id()
    credentials = _credentials(new)
    secrets: dict[str, Any] = (
        {"public_keys": new.public_keys}
        if credentials is None
        else {"credentials": [one.model_dump() for one in credentials]}
    )
    sealed = context.keyring.seal(_PURPOSE, orjson.dumps(secrets), context=source_id.bytes)
    row = await work.one(_SQL.insert_webhook_source, source_id, new.name, new.esp, sealed)
    return WebhookSourceMade.of(row, url=_url(work, context, row), credentials=secrets.get("credentials"))


async def get(work: Work, source_id: UUID, context: Context) -> WebhookSource:
    """A source without its secrets."""
    row = await work.find(_SQL.webhook_sources, source_id)
    if row is None:
        raise NotFoundError("webhook source")
    return WebhookSource.of(row, url=_url(work, context, row))


async def listed(work: Work, context: Context) -> WebhookSourceList:
    """All sources of the tenant."""
    rows = await work.all(_SQL.webhook_sources, None)
    return WebhookSourceList(items=tuple(WebhookSource.of(row, url=_url(work, context, row)) for row in rows))


async def delete(work: Work, source_id: UUID) -> None:
    """End a source: what is posted to it from now on is refused."""
    if await work.value(_SQL.delete_webhook_source, source_id) is None:
        raise NotFoundError("webhook source")


def _credentials(new: WebhookSourceNew) -> tuple[Credentials, ...] | None:
    if new.esp == "sendgrid":
        return None
    return new.credentials or (Credentials(username="postroad", password=new_secret()),)


def _url(work: Work, context: Context, row: Record) -> str:
    return f"{context.settings.tracking_url}/webhooks/{row['esp']}/{pack_ref(work.tenant_id, row['id'])}"
