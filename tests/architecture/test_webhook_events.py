"""The shape of every webhook event, held by a snapshot: receivers that others wrote must go on understanding it.

After adding a type or a field, write the snapshot and the page anew: POSTROAD_TEST_WRITE_SNAPSHOTS=1 pytest
tests/architecture/test_webhook_events.py, make docs.
"""

import json
import re
import time
from pathlib import Path
from typing import Any

from postroad_sequence_api.webhooks.events import EVENTS
from postroad_sequence_api.webhooks.events_page import page
from postroad_sequence_api.webhooks.signing import new_secret, signed
from tests.architecture.test_contracts import WRITE, without_prose

SNAPSHOT = Path(__file__).with_name("webhook_events.json")
DOCS = Path(__file__).parents[2] / "docs"


def shapes() -> dict[str, Any]:
    return {type_: without_prose(event.model_json_schema(mode="serialization")) for type_, event in EVENTS.items()}


def data_of(shape: Any) -> dict[str, Any]:
    fields: dict[str, Any] = shape["$defs"][shape["properties"]["data"]["$ref"].rpartition("/")[2]]["properties"]
    return fields


def test_a_released_event_changes_by_added_fields_only() -> None:
    current = shapes()
    if WRITE:
        SNAPSHOT.write_text(json.dumps(current, indent=1, sort_keys=True) + "\n")
    released = json.loads(SNAPSHOT.read_text())

    assert released.keys() <= current.keys(), "a type is gone"
    for type_, shape in released.items():
        assert data_of(shape).items() <= data_of(current[type_]).items(), f"{type_}: a field is gone or changed"
    assert released == current, "there are new types or fields: write the snapshot anew"


def test_the_page_of_events_is_up_to_date() -> None:
    assert (DOCS / "webhook-events.md").read_text() == page(), "write it anew: make docs"


def test_what_the_page_says_of_verifying_verifies() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "webhooks.md").read_text(), re.DOTALL)
    [by_hand] = [block for block in blocks if "def verified" in block]
    [by_library] = [block for block in blocks if "standardwebhooks" in block]
    secret, body = new_secret(), b'{"type":"webhook.test"}'
    headers = signed("id", int(time.time()), body, [new_secret(), secret])
    names: dict[str, Any] = {"secret": secret, "headers": headers, "body": body}
    exec(by_library, names)
    assert names["event"] == {"type": "webhook.test"}
    exec(by_hand, names)
    assert names["verified"](secret, headers, body)
    assert not names["verified"](new_secret(), headers, body)
    assert not names["verified"](secret, headers, body + b" ")
    old = signed("id", int(time.time()) - 600, body, [secret])
    assert not names["verified"](secret, old, body)
