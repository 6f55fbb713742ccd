"""Senders: the accounts that mail goes out by."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from asyncpg import Record
from pydantic import SecretStr

from postroad_common.contracts import SequenceStateChangedV1
from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_common.sealing import KeyRing
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import IllegalTransitionError, InvalidFieldError, NotFoundError
from postroad_sequence_api.models.base import Page, Pick, page_of
from postroad_sequence_api.models.senders import Sender, SenderChange, SenderNew
from postroad_sequence_api.services import stops
from postroad_sequence_api.services.reasons import sentences
from postroad_sequence_api.services.stops import Pending, Subject

_SQL: Final = queries("postroad_sequence_api", "senders")
_COLUMNS: Final = (
    "name",
    "from_email",
    "from_name",
    "reply_to",
    "esp",
    "host",
    "port",
    "security",
    "username",
    "password_sealed",
    "max_connections",
)
_GUARDED: Final = ("host", "port", "security", "username")
_PASSWORD: Final = "sender.password"  # noqa: S105 - the name of a purpose, no password


async def create(work: Work, new: SenderNew, keyring: KeyRing) -> Sender:
    """A sender; its password is sealed before it is stored."""
    sender_id = new_id()
    values = new.model_dump() | {"password_sealed": _seal(work, sender_id, new.password, keyring)}
    await work.do(_SQL.insert_sender, sender_id, *(values[c] for c in _COLUMNS))
    return await get(work, sender_id)


async def get(work: Work, sender_id: UUID) -> Sender:
    """A sender."""
    row = await work.find(_SQL.senders, sender_id, None, 1)
    if row is None:
        raise NotFoundError("sender")
    return _view(row)


async def listed(work: Work, pick: Pick) -> Page[Sender]:
    """Senders, oldest first."""
    rows = await work.all(_SQL.senders, None, pick.after, pick.limit + 1)
    return page_of((_view(row) for row in rows), pick.limit)


async def change(work: Work, sender_id: UUID, wanted: SenderChange, keyring: KeyRing) -> Sender:
    """Change what is named, keep the rest."""
    standing = await work.find(_SQL.lock_sender, sender_id)
    if standing is None:
        raise NotFoundError("sender")
    work.match(standing["revision"])
    values = {**standing, **wanted.model_dump(exclude_unset=True)}
    if "password" in wanted.model_fields_set:
        values["password_sealed"] = _seal(work, sender_id, wanted.password, keyring)
    elif standing["password_sealed"] is not None:
        _keep_password_at_home(standing, values)
    if (values["username"] is None) != (values["password_sealed"] is None):
        raise InvalidFieldError("password", "username and password go together")
    await work.do(_SQL.update_sender, sender_id, *(values[c] for c in _COLUMNS))
    return await get(work, sender_id)


async def pause(work: Work, sender_id: UUID) -> Pending:
    """Want that nothing begins by this sender."""
    subject = Subject(sender_id=sender_id)
    if await work.value(_SQL.pause_sender, sender_id) is None:
        await get(work, sender_id)
        return await stops.standing(work, subject, "pause")
    await _tell_scheduler(work, sender_id)
    return await stops.record(work, subject, "pause")


async def resume(work: Work, sender_id: UUID) -> Sender:
    """Want that it sends again."""
    if await work.value(_SQL.resume_sender, sender_id) is None:
        await get(work, sender_id)
        raise IllegalTransitionError("sender", "not paused", "resume")
    await stops.record(work, Subject(sender_id=sender_id), "run")
    await _tell_scheduler(work, sender_id)
    return await get(work, sender_id)


async def _tell_scheduler(work: Work, sender_id: UUID) -> None:
    rows = await work.all(_SQL.sequences_of_sender, sender_id)
    await work.say(*(SequenceStateChangedV1(tenant_id=work.tenant_id, sequence_id=row["sequence_id"]) for row in rows))


def _keep_password_at_home(standing: Record, values: Mapping[str, Any]) -> None:
    """A stored password goes only where it was meant to go."""
    for column in _GUARDED:
        if values[column] != standing[column]:
            raise InvalidFieldError("password", f"give the password again: {column} changes")


def _seal(work: Work, sender_id: UUID, password: SecretStr | None, keyring: KeyRing) -> bytes | None:
    if password is None:
        return None
    context = f"{work.tenant_id}:{sender_id}".encode()
    return keyring.seal(_PASSWORD, password.get_secret_value().encode(), context=context)


def _view(row: Record) -> Sender:
    own = None
    if row["own_paused_at"] is not None:
        own = {
            "paused_at": row["own_paused_at"],
            "retry_at": row["own_retry_at"],
            "reasons": sentences(row["own_reason"]),
        }
    return Sender.of(row, paused_by_us=own)
