"""Servers that go away under a sender that lives, and a sender that is told to end: nothing twice, nothing unknown."""

import asyncio

from yarl import URL

from postroad_stack import eventually
from postroad_stack.databases import Database
from postroad_stack.smtp_server import Behaviour, SmtpServer, delay
from postroad_stack.tcp_proxy import TcpProxy
from tests.integration.sender.office import Office, Post, recipients, running_sender


async def test_broker_connection_cut_while_sending_sends_nothing_twice(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await smtp.set_behaviour(Behaviour((delay((20, 120)),)))
    broker = URL(office.amqp_url)
    proxy = TcpProxy(str(broker.host), broker.port or 5672)
    await proxy.start()
    items = await office.enroll_many(150)
    async with running_sender(office, amqp_url=str(broker.with_host("127.0.0.1").with_port(proxy.port))):
        await post.send(*items)
        for already in (20, 60, 100):
            await eventually(lambda already=already: len(recipients(smtp)) >= already, timeout=60)  # type: ignore[misc]
            proxy.cut()
        assert set(await post.answers(items, timeout=60)) == {"accepted"}
    await proxy.aclose()
    assert sorted(recipients(smtp)) == sorted(f"c{number}@recipient.example" for number in range(150))
    assert await office.admin.fetchval("SELECT count(*) FROM delivery.attempts WHERE outcome <> 'accepted'") == 0


async def test_database_away_while_sending_loses_no_outcome(office: Office, post: Post, smtp: SmtpServer) -> None:
    await smtp.set_behaviour(Behaviour((delay((20, 120)),)))
    server = URL(office.database.admin_dsn)
    proxy = TcpProxy(str(server.host), server.port or 5432)
    await proxy.start()
    through = Database(office.database.name, str(server.with_port(proxy.port)), office.database.role_password)
    items = await office.enroll_many(150)
    own, office.database = office.database, through
    async with running_sender(office, heartbeat_lives_seconds=20.0):
        await post.send(*items)
        for already in (20, 60, 100):
            await eventually(lambda already=already: len(recipients(smtp)) >= already, timeout=60)  # type: ignore[misc]
            proxy.cut()
        assert set(await post.answers(items, timeout=60)) == {"accepted"}
    office.database = own
    await proxy.aclose()
    assert sorted(recipients(smtp)) == sorted(f"c{number}@recipient.example" for number in range(150))
    assert await office.admin.fetchval("SELECT count(*) FROM delivery.messages WHERE state <> 'accepted'") == 0


async def test_end_under_load_leaves_nothing_transmitting_and_the_next_process_goes_on(
    office: Office, post: Post, smtp: SmtpServer
) -> None:
    await smtp.set_behaviour(Behaviour((delay((20, 60)),)))
    items = await office.enroll_many(200)
    await post.send(*items)
    for ends_after in (1, 30, 60, 90):
        async with running_sender(office):
            await eventually(lambda ends_after=ends_after: len(recipients(smtp)) >= ends_after, timeout=30)  # type: ignore[misc]
        states = await office.admin.fetch("SELECT DISTINCT state FROM delivery.messages")
        assert {row["state"] for row in states} == {"accepted"}
    async with running_sender(office):
        assert set(await post.answers(items, timeout=60)) == {"accepted"}
    assert sorted(recipients(smtp)) == sorted(f"c{number}@recipient.example" for number in range(200))
    assert await office.admin.fetchval("SELECT count(*) FROM delivery.incarnations WHERE stopped_at IS NULL") == 0


async def test_servers_that_hardly_move_hold_up_no_other_tenant(office: Office, post: Post, smtp: SmtpServer) -> None:
    others = [Office(office.database, office.admin, office.amqp_url) for _ in range(3)]
    for other in others:
        await other.furnish(smtp.port)
    await smtp.set_behaviour(Behaviour((delay(7000, "slow*"),)))
    slow = [
        (tenant, await tenant.enroll_all([f"slow{number}@recipient.example" for number in range(20)]))
        for tenant in (office, *others[:2])
    ]
    (quick,) = await others[2].enroll_all(["quick@recipient.example"])

    async with running_sender(office, prefetch=16, smtp_message_seconds=30.0):
        for tenant, items in slow:
            for item in items:
                await Post(tenant, post.broker).send(item)
        await Post(others[2], post.broker).send(quick)

        assert (await post.answer(quick, timeout=5)).outcome == "accepted"


async def test_end_does_not_wait_for_what_has_not_begun(office: Office, post: Post, smtp: SmtpServer) -> None:
    await office.execute("UPDATE sequence.senders SET max_connections = 1 WHERE tenant_id = $1")
    await smtp.set_behaviour(Behaviour((delay(300),)))
    items = await office.enroll_many(100)
    await post.send(*items)
    loop = asyncio.get_running_loop()
    async with running_sender(office):
        await eventually(lambda: len(recipients(smtp)) > 0)
        begun = loop.time()
    assert loop.time() - begun < 15  # all of them would take half a minute
    assert len(recipients(smtp)) < 50
    assert await office.admin.fetchval("SELECT count(*) FROM delivery.messages WHERE state <> 'accepted'") == 0
