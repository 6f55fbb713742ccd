"""The contacts that a job names by their ids: its input, walked in the order in which they were named."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from postroad_sequence_api.jobs.claim import Chunk, Claim

_ID_BYTES: Final = 16


def packed(ids: Sequence[UUID]) -> bytes:
    """Ids as a job keeps them."""
    return b"".join(id_.bytes for id_ in ids)


async def contacts(claim: Claim) -> list[UUID]:
    """All of them."""
    kept = await claim.piece(0)
    return [UUID(bytes=kept[start : start + _ID_BYTES]) for start in range(0, len(kept), _ID_BYTES)]


def next_of(chunk: Chunk, ids: Sequence[UUID], limit: int) -> Sequence[UUID]:
    """The next of the ids, at most so many; moves the chunk behind them."""
    some = ids[chunk.done : chunk.done + limit]
    chunk.done += len(some)
    return some
