"""The AUTH exchange (RFC 4954) for PLAIN and LOGIN, as a small conversation without I/O."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field


@dataclass(slots=True)
class Login:
    """One AUTH attempt: feed it the client's lines until it has `credentials` or `failed`."""

    mechanism: str
    credentials: tuple[str, ...] | None = None
    failed: bool = False
    _lines: list[str] = field(default_factory=list)

    def challenge(self) -> bytes:
        """What to answer while more is needed."""
        if self.mechanism == "PLAIN":
            return b"334 "
        return b"334 UGFzc3dvcmQ6" if self._lines else b"334 VXNlcm5hbWU6"

    def feed(self, line: bytes) -> None:
        """Take a base64 line of the client."""
        try:
            self._lines.append(base64.b64decode(line, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            self.failed = True
            return
        if self.mechanism == "PLAIN":
            self.credentials = tuple(self._lines[0].split("\0")[1:])
        elif len(self._lines) == 2:
            self.credentials = tuple(self._lines)
