"""The erasure of contacts: stop them, wait until nothing of them runs, delete, and see that everybody has.

Contacts are taken some at a time, in the order in which they were named. Of each the wire must be empty and the ways
ended before it is deleted, so that no service works with it any more; a contact that somebody enrolls again meanwhile
is stopped again. Then the reports of jobs are read through, and the job ends when sender and tracker have told that
they are done.
"""

import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from asyncpg import Record

from postroad_common.contracts import ContactsErasedV1, ErasedContact
from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.jobs import named
from postroad_sequence_api.jobs.claim import Chunk, Claim
from postroad_sequence_api.jobs.report import of_columns
from postroad_sequence_api.jobs.runner import Kind, Unit
from postroad_sequence_api.services import stops
from postroad_sequence_api.services.sequences import tell_scheduler
from postroad_sequence_api.services.stops import Pending, Subject
from postroad_sequence_api.webhooks.happenings import contact_erased

_SQL: Final = queries("postroad_sequence_api", "erasures")
_CHUNK: Final = 20
_REPORTS: Final = 4
_ADDRESS: Final = re.compile(r"[^\s\"<>(),;:\\]+@[^\s\"<>(),;:\\]+")


class Outcome(NamedTuple):
    """What became of a contact."""

    contact_id: str
    result: str


async def run(claim: Claim) -> AsyncGenerator[None, None]:
    """Chunk after chunk; one that has to wait for others is done again after a rest."""
    ids = await named.contacts(claim)
    while claim.done < len(ids):
        some = sorted(ids[claim.done : claim.done + _CHUNK])
        async with claim.chunk() as chunk:
            waits = await _stop_or_erase(claim, chunk, some)
        if waits:
            await _acknowledge(claim, some)
            claim.rest()
        yield
    more = True
    while more:
        async with claim.chunk() as chunk:
            more = await _clear_reports(claim, chunk, frozenset(map(str, ids)))
        yield
    while True:
        async with claim.chunk() as chunk:
            missing = await chunk.work.value(_SQL.unconfirmed, ids)
        if not missing:
            return
        claim.rest()
        yield


def unit_of(_: Mapping[str, Any]) -> Unit:
    """Contacts."""
    return "contacts"


KIND: Final = Kind(run, unit_of, of_columns(Outcome._fields))


async def _stop_or_erase(claim: Claim, chunk: Chunk, ids: Sequence[UUID]) -> bool:
    """Erase these contacts, unless something of them still runs: then stop that, and they must wait."""
    work = chunk.work
    contacts = await work.all(_SQL.lock_contacts, ids)
    ways = await work.all(_SQL.ways, ids)
    running = [way for way in ways if way["running"]]
    if running:
        if wanted := [way for way in running if way["intent"] != "stop"]:
            await _stop(work, wanted)
        return True
    items = [_item(contact, ways) for contact in contacts]
    if items:
        await _delete(work, items)
    gone = {item.contact_id for item in items}
    before = {row["contact_id"] for row in await work.all(_SQL.erased_before, [id_ for id_ in ids if id_ not in gone])}
    results = {id_: "erased" if id_ in gone else "already_erased" if id_ in before else "unknown" for id_ in ids}
    chunk.rows = [tuple(Outcome(str(id_), result)) for id_, result in results.items()]
    chunk.counts.update(results.values())
    chunk.done += len(ids)
    addresses = {address for item in items for address in item.addresses}
    chunk.position = {**claim.position, "addresses": sorted({*claim.position.get("addresses", ()), *addresses})}
    return False


async def _stop(work: Work, ways: Sequence[Record]) -> None:
    """As a stop of each by itself: wanted now, acknowledged when the wire is empty."""
    ids = [way["enrollment_id"] for way in ways]
    await work.all(_SQL.stop, ids)
    for way in ways:
        await stops.record(work, _subject(way), "stop")
    await tell_scheduler(work, ids)


async def _acknowledge(claim: Claim, ids: Sequence[UUID]) -> None:
    """Acknowledge the stops of these contacts, those that a killed process has left open too."""
    async with claim.desk.work() as work:
        open_ = await work.all(_SQL.open_stops, ids)
    for row in open_:
        await claim.keep()
        await stops.acknowledge(claim.desk, Pending(_subject(row), row["intent_id"]))


def _subject(row: Record) -> Subject:
    return Subject(sequence_id=row["sequence_id"], enrollment_id=row["enrollment_id"])


def _item(contact: Record, ways: Sequence[Record]) -> ErasedContact:
    mine = [way["enrollment_id"] for way in ways if way["contact_id"] == contact["contact_id"]]
    addresses = dict.fromkeys((contact["email"], *contact["recipients"]))
    return ErasedContact(contact_id=contact["contact_id"], addresses=tuple(addresses), enrollment_ids=tuple(mine))


async def _delete(work: Work, items: Sequence[ErasedContact]) -> None:
    ids = [item.contact_id for item in items]
    addresses = [address for item in items for address in item.addresses]
    erased = await work.all(_SQL.note, ids)
    await work.tell(*(contact_erased(work.tenant_id, row["contact_id"], row["erased_at"]) for row in erased))
    await work.do(_SQL.delete_contacts, ids)
    await work.do(_SQL.unname_intents, addresses)
    await work.do(_SQL.unexplain_suppressions, addresses)
    await work.do(_SQL.unname_jobs, addresses)
    await work.say(ContactsErasedV1(tenant_id=work.tenant_id, items=tuple(items)))


async def _clear_reports(claim: Claim, chunk: Chunk, ids: Collection[str]) -> bool:
    """Take the rows about them out of the next reports of other jobs; whether there may be more."""
    job_id, number = claim.position.get("reports", (str(UUID(int=0)), -1))
    found = await chunk.work.all(_SQL.next_reports, UUID(job_id), number, claim.job_id, _REPORTS)
    addresses = frozenset(claim.position["addresses"])
    for report in found:
        kept = [row for row in report["rows"] if not _names(row, ids, addresses)]
        if len(kept) < len(report["rows"]):
            await chunk.work.do(_SQL.rewrite_report, report["job_id"], report["number"], kept)
    if found:
        last = found[-1]
        chunk.position = {**claim.position, "reports": [str(last["job_id"]), last["number"]]}
    return len(found) == _REPORTS


def _names(row: Sequence[Any], ids: Collection[str], addresses: Collection[str]) -> bool:
    if any(cell in ids for cell in row if isinstance(cell, str)):
        return True
    text = orjson.dumps(row).decode().lower()
    return any(found in addresses or found.strip("'") in addresses for found in _ADDRESS.findall(text))
