"""postroad-sequence-api: the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from postroad_common.lifecycle import Service, run
from postroad_common.sealing import KeyRing
from postroad_sequence_api.app import add_routes
from postroad_sequence_api.context import Context
from postroad_sequence_api.http import MAX_BODY_BYTES
from postroad_sequence_api.settings import SequenceApiSettings


@asynccontextmanager
async def build(service: Service[SequenceApiSettings]) -> AsyncIterator[None]:
    """The API, and the relay of its outbox."""
    relay = service.relay("sequence")
    context = Context(
        settings=service.settings,
        pool=service.pool,
        broker=service.broker,
        keyring=KeyRing.parse(service.settings.secret_keys.get_secret_value()),
        wake_relay=relay.wake,
    )
    add_routes(service.app, context)
    yield


def main() -> NoReturn:
    """Run until told to stop."""
    run("sequence-api", SequenceApiSettings, build, max_body_bytes=MAX_BODY_BYTES)


if __name__ == "__main__":
    main()
