"""The server's log: one JSON line an event, in the file before the client can know of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mail that the server took: times in nanoseconds since the epoch, `answer_sent` None while undecided."""

    number: int
    connection: int
    began_ns: int  # MAIL FROM
    accepted_ns: int  # the final dot
    sender: str
    recipients: tuple[str, ...]
    size: int
    headers: dict[str, str]  # those the server was asked to log, under the names it was asked with
    answer_sent: bool | None
    offset: int | None  # in the store
    store: Path | None

    @property
    def recipient(self) -> str:
        """The only recipient; Postroad sends one per transaction."""
        (only,) = self.recipients
        return only

    @property
    def message_id(self) -> str:
        """The Message-ID header, angle brackets included."""
        return self.headers.get("Message-ID", "")

    @property
    def subject(self) -> str:
        """The Subject header, decoded (RFC 2047)."""
        raw = self.headers.get("Subject", "")
        return str(make_header(decode_header(raw))) if "=?" in raw else raw

    def content(self) -> bytes:
        """The message as it came, dot-stuffing undone; the server must have been started with a store."""
        if self.store is None or self.offset is None:
            raise ValueError("the server keeps no messages: start it with a store")
        with self.store.open("rb") as stored:
            stored.seek(self.offset)
            return stored.read(self.size)


class Journal:
    """Writes the log, and the messages when there is a store."""

    def __init__(self, log: Path, store: Path | None) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._store = None if store is None else os.open(store, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._stored = 0 if self._store is None else os.fstat(self._store).st_size
        self._lines: list[bytes] = []
        self._number = 0
        self._flush_is_due = False

    def note(self, event: str, **facts: object) -> None:
        """Add a line; it reaches the file with the next flush."""
        self._lines.append(orjson.dumps({"event": event, "at": time.time_ns(), **facts}))

    def accept(self, facts: dict[str, object], content: bytes) -> int:
        """Add the line of an accepted mail and store its content; returns the mail's number."""
        self._number += 1
        number = self._number
        if self._store is not None:
            facts["offset"] = self._stored
            self._stored += _write(self._store, content)
        self._lines.append(orjson.dumps({"event": "accepted", "at": time.time_ns(), "number": number, **facts}))
        return number

    def flush(self) -> None:
        """Hand all lines to the kernel: what has been flushed survives this process."""
        self._flush_is_due = False
        if self._lines:
            self._lines.append(b"")
            _write(self._log, b"\n".join(self._lines))
            self._lines.clear()

    def flush_soon(self) -> None:
        """Flush within milliseconds, together with what else comes: for lines that no answer waits for."""
        if not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_later(0.005, self.flush)


def _write(descriptor: int, data: bytes) -> int:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
    return written


class JournalReader:
    """Follows a log from another process, from `offset` bytes on; reads only whole lines."""

    def __init__(self, log: Path, store: Path | None = None, *, offset: int = 0) -> None:
        self._log = log
        self._store = store
        self._offset = offset
        self._accepted: dict[int, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []

    def from_now_on(self) -> JournalReader:
        """A reader of what is logged from now on."""
        self._read()
        return JournalReader(self._log, self._store, offset=self._offset)

    def accepted(self) -> list[Accepted]:
        """Every mail accepted so far, in order."""
        self._read()
        return [self._mail(line) for line in self._accepted.values()]

    def accepted_count(self) -> int:
        """How many mails were accepted so far, without building them."""
        self._read()
        return len(self._accepted)

    def accepted_after(self, number: int) -> list[Accepted]:
        """The mails accepted since the one with that number."""
        self._read()
        return [self._mail(line) for key, line in self._accepted.items() if key > number]

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The other lines so far, those of the given kinds: connected, refused, deferred, dropped, stalled, …"""
        self._read()
        return [event for event in self._events if not kinds or event["event"] in kinds]

    def _read(self) -> None:
        for line in self._new_lines():
            match line["event"]:
                case "accepted":
                    self._accepted[line["number"]] = line
                case "answer":
                    if (mail := self._accepted.get(line["number"])) is not None:  # else accepted before our offset
                        mail["answer_sent"] = line["sent"]
                case _:
                    self._events.append(line)

    def _new_lines(self) -> Iterator[dict[str, Any]]:
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(self._offset)
            data = log.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield orjson.loads(line)

    def _mail(self, line: dict[str, Any]) -> Accepted:
        return Accepted(
            number=line["number"],
            connection=line["connection"],
            began_ns=line["began_at"],
            accepted_ns=line["at"],
            sender=line["from"],
            recipients=tuple(line["to"]),
            size=line["size"],
            headers=line["headers"],
            answer_sent=line.get("answer_sent"),
            offset=line.get("offset"),
            store=self._store,
        )
