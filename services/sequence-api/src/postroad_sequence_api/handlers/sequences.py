"""/v1/sequences."""

from aiohttp import web

from postroad_sequence_api.errors import NotFoundError
from postroad_sequence_api.http import answer, desk_of, path_id, read_body, read_optional_body, read_query
from postroad_sequence_api.models.sequences import (
    ArchiveNew,
    SequenceArchived,
    SequenceChange,
    SequenceNew,
    SequencePaused,
    SequencePick,
)
from postroad_sequence_api.services import sequences, stats, stops


async def create(request: web.Request) -> web.Response:
    """Draft a sequence."""
    new = await read_body(request, SequenceNew)
    async with desk_of(request).work() as work:
        return answer(await sequences.create(work, new), 201)


async def listed(request: web.Request) -> web.Response:
    """List sequences."""
    pick = read_query(request, SequencePick)
    async with desk_of(request).work() as work:
        return answer(await sequences.listed(work, pick))


async def get(request: web.Request) -> web.Response:
    """Show a sequence."""
    sequence_id = path_id(request, "sequence")
    async with desk_of(request).work() as work:
        return answer(await sequences.get(work, sequence_id))


async def change(request: web.Request) -> web.Response:
    """Write the draft of a sequence."""
    sequence_id, wanted = path_id(request, "sequence"), await read_body(request, SequenceChange)
    async with desk_of(request).work() as work:
        return answer(await sequences.change(work, sequence_id, wanted))


async def activate(request: web.Request) -> web.Response:
    """Activate the draft of a sequence."""
    sequence_id = path_id(request, "sequence")
    async with desk_of(request).work() as work:
        return answer(await sequences.activate(work, sequence_id))


async def pause(request: web.Request) -> web.Response:
    """Pause a sequence; answered when it holds."""
    desk, sequence_id = desk_of(request), path_id(request, "sequence")
    stop = await stops.carry_out(desk, lambda work: sequences.pause(work, sequence_id))
    async with desk.work() as work:
        return answer(SequencePaused.of(vars(await sequences.get(work, sequence_id)), stop=stop))


async def resume(request: web.Request) -> web.Response:
    """Resume a sequence."""
    sequence_id = path_id(request, "sequence")
    async with desk_of(request).work() as work:
        return answer(await sequences.resume(work, sequence_id))


async def archive(request: web.Request) -> web.Response:
    """Archive a sequence; answered when it holds."""
    desk, sequence_id = desk_of(request), path_id(request, "sequence")
    wanted = await read_optional_body(request, ArchiveNew)
    async with desk.work() as work:
        archived = await sequences.archive(work, sequence_id, stop_running=wanted.stop_running)
    stop = await stops.acknowledge(desk, archived.pending)
    async with desk.work() as work:
        view = await sequences.get(work, sequence_id)
    return answer(SequenceArchived.of(vars(view), stop=stop, stopped_enrollments=archived.stopped))


async def versions(request: web.Request) -> web.Response:
    """List the versions of a sequence."""
    sequence_id = path_id(request, "sequence")
    async with desk_of(request).work() as work:
        return answer(await sequences.versions(work, sequence_id))


async def version(request: web.Request) -> web.Response:
    """Show a version of a sequence."""
    sequence_id, number = path_id(request, "sequence"), request.match_info["version"]
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise NotFoundError("version of a sequence")
    async with desk_of(request).work() as work:
        return answer(await sequences.version(work, sequence_id, int(number)))


async def statistics(request: web.Request) -> web.Response:
    """Count what a sequence did."""
    sequence_id = path_id(request, "sequence")
    async with desk_of(request).work() as work:
        return answer(await stats.of_sequence(work, sequence_id))
