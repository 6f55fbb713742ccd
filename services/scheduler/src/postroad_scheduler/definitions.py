"""Definitions in memory: an activated version never changes, so what was read once holds."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Final

from postroad_common.db import AnyConnection
from postroad_engine.definition import SequenceDefinition
from postroad_scheduler.store import definitions as store
from postroad_scheduler.values import VersionKey

CAPACITY: Final = 10_000


class Definitions:
    """The versions used last."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._known: OrderedDict[VersionKey, SequenceDefinition] = OrderedDict()

    async def get(self, conn: AnyConnection, keys: Collection[VersionKey]) -> Mapping[VersionKey, SequenceDefinition]:
        """The definitions of these versions, without those that are not there or were never activated."""
        found = {key: self._known[key] for key in keys if key in self._known}
        for key in found:
            self._known.move_to_end(key)
        if missing := [key for key in keys if key not in found]:
            read = await store.read(conn, missing)
            found |= read
            self._remember(read)
        return found

    def _remember(self, read: Mapping[VersionKey, SequenceDefinition]) -> None:
        self._known |= read
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
