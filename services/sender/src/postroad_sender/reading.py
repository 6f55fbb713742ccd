"""What rendering needs: contacts, the sender, the steps' templates, and the mails that a reply follows."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from asyncpg import Record

from postroad_common.db import AnyConnection, queries
from postroad_common.errors import SealError
from postroad_common.sealing import KeyRing
from postroad_engine.errors import TemplateError
from postroad_engine.template_rules import CONTACT_FIELDS
from postroad_engine.templates import Template
from postroad_sender.errors import UnreadableItemError
from postroad_sender.items import Due
from postroad_sender.smtp.dial import Server

READING = queries("postroad_sender", "reading")
PASSWORD_PURPOSE = "sender.password"  # noqa: S105 - the name of a purpose, no password

StepId: TypeAlias = tuple[UUID, UUID, int, str]
"""Tenant, sequence, version, step key."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The account that sends, as far as mails and connections show it. `tenant` is what templates see of it."""

    from_email: str
    from_name: str
    reply_to: str | None
    esp: str
    server: Server
    max_connections: int
    updated_at: datetime
    tenant: Mapping[str, str]
    has_rested: bool


@dataclass(frozen=True, slots=True)
class StepMail:
    """What a step of an activated version sends: it never changes. A template that does not compile is its error."""

    thread: str
    template_id: UUID
    template_version: int
    template: Template | TemplateError


@dataclass(frozen=True, slots=True)
class Thread:
    """The mails that a reply follows, oldest first; empty: there is nothing to reply to."""

    references: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that one mail is rendered from."""

    contact: Mapping[str, Any]
    sender: Sender
    step: StepMail
    thread: Thread


class Reader:
    """Reads a batch's inputs; what is immutable is kept, compiled, up to a number of steps."""

    def __init__(self, keyring: KeyRing, *, keep_steps: int) -> None:
        self._keyring = keyring
        self._keep_steps = keep_steps
        self._steps: OrderedDict[StepId, StepMail] = OrderedDict()

    async def read(self, conn: AnyConnection, dues: Sequence[Due]) -> list[Inputs | UnreadableItemError]:
        """The inputs of a batch of one tenant and sender; for an item whose rows are missing, that."""
        tenant_id, sender_id = dues[0].tenant_id, dues[0].sender_id
        sender = await self._sender(conn, tenant_id, sender_id)
        await self._read_steps(conn, dues)
        contacts = {
            row["contact_id"]: row
            for row in await conn.fetch(READING.contacts, tenant_id, [due.item.contact_id for due in dues])
        }
        replies = [due for due in dues if (step := self._steps.get(step_id(due))) and step.thread == "reply"]
        threads = await self._threads(conn, tenant_id, replies)
        read = [self._inputs(due, sender, contacts, threads) for due in dues]
        while len(self._steps) > self._keep_steps:
            self._steps.popitem(last=False)
        return read

    def _inputs(
        self, due: Due, sender: Sender, contacts: Mapping[UUID, Record], threads: Mapping[UUID, Thread]
    ) -> Inputs | UnreadableItemError:
        step, contact = self._steps.get(step_id(due)), contacts.get(due.item.contact_id)
        if step is None:
            return UnreadableItemError(f"no activated version has the step {due.item.step_key}")
        if contact is None:
            return UnreadableItemError(f"there is no contact {due.item.contact_id}")
        seen = {field: "" if contact[field] is None else contact[field] for field in CONTACT_FIELDS}
        return Inputs(seen, sender, step, threads.get(due.item.enrollment_id, Thread()))

    async def _sender(self, conn: AnyConnection, tenant_id: UUID, sender_id: UUID) -> Sender:
        row = await conn.fetchrow(READING.sender, tenant_id, sender_id)
        if row is None:
            raise UnreadableItemError(f"there is no sender {sender_id}")
        return Sender(
            from_email=row["from_email"],
            from_name=row["from_name"],
            reply_to=row["reply_to"],
            esp=row["esp"],
            server=self._server(row, tenant_id, sender_id),
            max_connections=row["max_connections"],
            updated_at=row["updated_at"],
            tenant={"name": row["tenant_name"], "postal_address": row["postal_address"]},
            has_rested=row["has_rested"],
        )

    def _server(self, row: Record, tenant_id: UUID, sender_id: UUID) -> Server:
        password = self._password(row["password_sealed"], tenant_id, sender_id)
        return Server(row["host"], row["port"], row["security"], row["username"], password)

    def _password(self, sealed: bytes | None, tenant_id: UUID, sender_id: UUID) -> str | None:
        if sealed is None:
            return None
        context = f"{tenant_id}:{sender_id}".encode()
        try:
            return self._keyring.open(PASSWORD_PURPOSE, sealed, context=context).decode()
        except SealError as error:
            raise UnreadableItemError(f"the password of sender {sender_id} was sealed with another key") from error

    async def _read_steps(self, conn: AnyConnection, dues: Sequence[Due]) -> None:
        missing = list({step for due in dues if (step := step_id(due)) not in self._steps})
        if not missing:
            return
        _, sequences, versions, keys = zip(*missing, strict=True)
        for row in await conn.fetch(READING.steps, dues[0].tenant_id, sequences, versions, keys):
            key = (dues[0].tenant_id, row["sequence_id"], row["version"], row["step_key"])
            self._steps[key] = _compiled(row)

    async def _threads(self, conn: AnyConnection, tenant_id: UUID, dues: Sequence[Due]) -> dict[UUID, Thread]:
        if not dues:
            return {}
        rows = await conn.fetch(
            READING.threads,
            tenant_id,
            [due.item.enrollment_id for due in dues],
            [due.item.step_number for due in dues],
        )
        threads: dict[UUID, Thread] = {}
        for row in rows:
            earlier = threads.get(row["enrollment_id"])
            if earlier is None or row["thread"] == "new":
                earlier = Thread(subject=row["subject"] or "")
            threads[row["enrollment_id"]] = Thread((*earlier.references, row["rfc_message_id"]), earlier.subject)
        return threads


def step_id(due: Due) -> StepId:
    """Which step of which version an item is about."""
    return due.tenant_id, due.item.sequence_id, due.item.version, due.item.step_key


def _compiled(row: Record) -> StepMail:
    template: Template | TemplateError
    try:
        template = Template.compile(row["subject"], row["html"], row["text"])
    except TemplateError as error:
        template = error
    return StepMail(row["thread"], row["template_id"], row["template_version"], template)
