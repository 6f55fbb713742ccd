"""What is read out of the bytes of commands and messages; no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PATH = re.compile(rb"[ ]?<([^<>\s]*)>(?:[ ]+(\S.*))?", re.DOTALL)


def address(line: bytes, prefix: bytes) -> str | None:
    """The address of `MAIL FROM:` or `RCPT TO:`; None when the line is malformed."""
    if line[: len(prefix)].upper() != prefix:
        return None
    found = _PATH.fullmatch(line, len(prefix))
    return None if found is None else found[1].decode("utf-8", "replace")


def undotted(content: bytes) -> bytes:
    """The message without dot-stuffing (RFC 5321 4.5.2)."""
    if content.startswith(b"."):
        content = content[1:]
    return content.replace(b"\r\n..", b"\r\n.") if b"\r\n.." in content else content


def has_bare_newline(content: bytes) -> bool:
    """Whether a LF comes without its CR: one mail can smuggle another that way (RFC 5321 2.3.8)."""
    return content.count(b"\n") != content.count(b"\r\n")


class HeaderReader:
    """Reads some headers out of messages, folded lines included; each under the name it was asked for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower().encode(): name for name in names}
        alternatives = b"|".join(re.escape(name) for name in self._names)
        self._pattern = re.compile(rb"^(" + alternatives + rb"):(.*\r\n(?:[ \t].*\r\n)*)", re.IGNORECASE | re.MULTILINE)

    def read(self, content: bytes) -> dict[str, str]:
        """The headers that the message has; of repeated ones the last."""
        end = content.find(b"\r\n\r\n")
        found = self._pattern.finditer(content, 0, end + 2 if end >= 0 else len(content))
        return {
            self._names[match[1].lower()]: match[2].decode("utf-8", "replace").replace("\r\n", "").strip()
            for match in found
        }
