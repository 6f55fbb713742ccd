"""The service: carries a batch of due items out and answers for every one of them."""

import asyncio
import time
from collections.abc import Sequence

from asyncpg import Pool

from postroad_common.contracts import StepsDueV1
from postroad_common.db import AnyConnection
from postroad_common.ids import message_id_for
from postroad_engine.facts import Outcome
from postroad_engine.gate import Disposition, Go, Stop, gate
from postroad_sender.batching import Batcher
from postroad_sender.held import HeldConnection
from postroad_sender.items import Due, Ending, Result, Seen, Settled, TryLater
from postroad_sender.lane import Lanes, Work
from postroad_sender.ledger import Ledger, Unsent, look
from postroad_sender.reading import Inputs, Reader
from postroad_sender.rendering import rfc_message_id
from postroad_sender.settlements import Settlements, Telling


class Sending:
    """Looks, reads, queues in a lane, waits, publishes. One item in hand is never in hand twice."""

    def __init__(self, pool: Pool, ledger: Ledger, reader: Reader, lanes: Lanes, settlements: Settlements) -> None:
        self._ledger = ledger
        self._reader = reader
        self._lanes = lanes
        self._settlements = settlements
        self._in_hand: dict[tuple[int, int], Ending] = {}
        self._looks = Batcher("looks", pool, self._look_and_queue, largest=1)

    async def run(self) -> None:
        """Look at what comes in, for ever."""
        await self._looks.run()

    async def carry_out(self, batch: StepsDueV1) -> None:
        """Settle every item and publish that. Raises Retry when some could not be decided yet."""
        fresh: list[tuple[Due, Ending]] = []
        endings = [(due, self._ending_of(due, fresh)) for due in dues_of(batch)]
        if fresh:
            await self._begin(fresh)
        telling = Telling(self._settlements, len(endings))
        for due, ending in endings:
            telling.follow(due, ending)
        await telling.done()

    def _ending_of(self, due: Due, fresh: list[tuple[Due, Ending]]) -> Ending:
        """Join the item if it is in hand already (a redelivery, a repeated emission), else take it in hand."""
        key = (due.message_id.int, due.item.attempt)  # integers: a UUID's hash is slow
        ending = self._in_hand.get(key)
        if ending is None:
            ending = self._in_hand[key] = asyncio.get_running_loop().create_future()
            ending.add_done_callback(lambda _: self._in_hand.pop(key))
            fresh.append((due, ending))
        return ending

    async def _begin(self, fresh: Sequence[tuple[Due, Ending]]) -> None:
        try:
            (unsent,) = await self._looks.submit([fresh])
            results = await self._ledger.record_unsent([entry for entry, _ in unsent]) if unsent else ()
            for (_, ending), result in zip(unsent, results, strict=True):
                ending.set_result(result)
        except Exception as error:  # noqa: BLE001 - whoever waits for an item gets it
            for _, ending in fresh:
                if not ending.done():
                    ending.set_exception(error)

    async def _look_and_queue(
        self, held: HeldConnection, batches: Sequence[Sequence[tuple[Due, Ending]]]
    ) -> Sequence[list[tuple[Unsent, Ending]]]:
        return [await self._look_at(await held.seeing([fresh[0][0].tenant_id]), fresh) for fresh in batches]

    async def _look_at(self, conn: AnyConnection, fresh: Sequence[tuple[Due, Ending]]) -> list[tuple[Unsent, Ending]]:
        """End what is known, put what may go into its lane, and give back what must be recorded as unsent."""
        unsent: list[tuple[Unsent, Ending]] = []
        going: list[tuple[Due, Ending]] = []
        seen = await look(conn, [(due, None) for due, _ in fresh])
        for (due, ending), at in zip(fresh, seen, strict=True):
            match first_look(due, at):
                case Settled() | TryLater() as known:
                    _end(ending, known)
                case Unsent() as entry:
                    unsent.append((entry, ending))
                case None:
                    going.append((due, ending))
        inputs = await self._reader.read(conn, [due for due, _ in going]) if going else []
        now = time.monotonic()
        works = []
        for (due, ending), read in zip(going, inputs, strict=True):
            if isinstance(read, Inputs):
                works.append(Work(due, read, ending, due.item.traceparent, now))
            else:
                ending.set_exception(read)
        if works:
            self._lanes.put(works)
        return unsent


_UNSENT = {Disposition.CANCELLED: Outcome.CANCELLED, Disposition.UNKNOWN: Outcome.UNKNOWN}
"""What becomes of an item that its first look stops; all else is held."""


def _end(ending: Ending, result: Result) -> None:
    if not ending.done():  # the look is taken again when the database went away in the middle of it
        ending.set_result(result)


def dues_of(batch: StepsDueV1) -> list[Due]:
    """The items of a batch, each with what the batch says of all."""
    return [
        Due(batch.tenant_id, batch.sender_id, message_id_for(batch.tenant_id, item.enrollment_id, item.step_key), item)
        for item in batch.items
    ]


def first_look(due: Due, seen: Seen) -> Result | Unsent | None:
    """What is known of an item, or why it need not be rendered at all. None: go on."""
    known = seen.known(due)
    if known is not None:
        return known
    if seen.row["intent"] is None:  # of an enrollment that a restored database lost: there is nothing to write about
        return Settled(Outcome.CANCELLED, seen.now)
    match gate(seen.gate_facts(due, row_is_ours=True, incarnation_live=True)):
        case Go():
            return None
        case Stop(reason, disposition):
            message_id = rfc_message_id(due, seen.row["from_email"] or "")
            outcome = _UNSENT.get(disposition, Outcome.HELD)
            since = seen.may_have_been_sent_since(due) if outcome is Outcome.UNKNOWN else None
            return Unsent(due, outcome, (reason,), seen.row["email"] or "", message_id, since)
