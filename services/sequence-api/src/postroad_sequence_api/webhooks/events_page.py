"""Writes docs/webhook-events.md: `python -m postroad_sequence_api.webhooks.events_page > docs/webhook-events.md`."""

import sys
from typing import Any, Final

from postroad_sequence_api.webhooks.events import EVENTS, WebhookEvent

_HEAD: Final = """\
# Webhook events

Written from `services/sequence-api/src/postroad_sequence_api/webhooks/events.py` by
`python -m postroad_sequence_api.webhooks.events_page`; a test compares the two.

Every event is a JSON object with `id`, `type`, `timestamp` (when it happened), `tenant_id` and `data`. Within a type
only fields are added. Ids are UUIDs; a field that is not known is null. How events are delivered is in
[webhooks.md](webhooks.md).

| type | when | data |
|---|---|---|
"""


def page() -> str:
    """The page as Markdown: a row for each type."""
    return _HEAD + "".join(f"| `{type_}` | {_says(event)} | {_fields(event)} |\n" for type_, event in EVENTS.items())


def _says(event: type[WebhookEvent]) -> str:
    return (event.__doc__ or "").strip().rstrip(".")


def _fields(event: type[WebhookEvent]) -> str:
    schema = event.model_json_schema()
    data = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    return ", ".join(_field(name, field) for name, field in data["properties"].items())


def _field(name: str, field: dict[str, Any]) -> str:
    choices = [choice for one in (field, *field.get("anyOf", ())) for choice in one.get("enum", ())]
    return f"`{name}`" + (f" ({', '.join(choices)})" if choices else "")


if __name__ == "__main__":
    sys.stdout.write(page())
