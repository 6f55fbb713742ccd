"""A process that relays until it is killed: `relay_process.py DSN AMQP_URL [point:n]`."""

import asyncio
import sys
from datetime import timedelta

from postroad_common import faults
from postroad_common.amqp import Broker
from postroad_common.db import create_pool
from postroad_common.outbox import Relay


async def main(dsn: str, amqp_url: str, fault: str | None) -> None:
    faults.arm(fault)
    async with (
        await create_pool(dsn, application_name="test", max_size=2) as pool,
        await Broker.connect(amqp_url, name="test") as broker,
    ):
        await Relay(pool, broker, "sequence", poll=timedelta(seconds=0.1)).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
