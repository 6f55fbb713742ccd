"""The body of an unsubscribe POST (RFC 8058): urlencoded or multipart, from mail programs and from our page."""

from email.parser import BytesParser
from email.policy import HTTP
from itertools import islice
from urllib.parse import parse_qsl

from postroad_tracker.pages import FORM_FIELD, FORM_VALUE

_MAX_FIELDS = 20


def asks_to_unsubscribe(content_type: str, body: bytes) -> bool:
    """Whether the form says List-Unsubscribe=One-Click. Any bytes are answered, none raise."""
    kind = content_type.partition(";")[0].strip().lower()
    fields = _multipart(content_type, body) if kind == "multipart/form-data" else _urlencoded(body)
    return (FORM_FIELD, FORM_VALUE) in fields


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii", "replace").strip(), max_num_fields=_MAX_FIELDS)
    except ValueError:
        return []


def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    head = b"Content-Type: " + content_type.encode("ascii", "replace") + b"\r\n\r\n"
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    fields = []
    for part in islice(form.iter_parts(), _MAX_FIELDS) if form.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes):
            fields.append((name, value.decode("ascii", "replace").strip()))
    return fields
