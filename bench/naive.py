"""The frozen reference: the pipeline one writes first, idiomatic and without a ledger.

One message per due row on a quorum queue, templates compiled once, `EmailMessage`, a pool of ten aiosmtplib
connections, two autocommit statements per mail. A mail can go twice or get lost. Do not improve it: every figure of
`make bench` is a ratio to it.

    python bench/naive.py scheduler|sender DSN AMQP_URL SMTP_PORT
"""

import asyncio
import json
import sys
from email.message import EmailMessage

import aio_pika
import aiosmtplib
import asyncpg
import uvloop
from jinja2 import Environment

QUEUE = "naive.due"
CONNECTIONS = 10

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS naive;
CREATE TABLE naive.contacts (
    id bigint PRIMARY KEY, email text NOT NULL, first_name text NOT NULL, company text NOT NULL);
CREATE TABLE naive.due (
    id bigint PRIMARY KEY, contact_id bigint NOT NULL REFERENCES naive.contacts, status text NOT NULL DEFAULT 'due',
    due_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz);
CREATE INDEX ON naive.due (due_at) WHERE status = 'due';
CREATE TABLE naive.templates (id int PRIMARY KEY, subject text NOT NULL, html text NOT NULL, body text NOT NULL);
"""


async def schedule(dsn: str, amqp_url: str) -> None:
    """Publish every due row as one message."""
    database = await asyncpg.connect(dsn)
    broker = await aio_pika.connect_robust(amqp_url)
    channel = await broker.channel()
    await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    while True:
        rows = await database.fetch(
            "UPDATE naive.due SET status = 'queued' WHERE id IN (SELECT id FROM naive.due WHERE status = 'due'"
            " AND due_at <= now() ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id, contact_id"
        )
        if not rows:
            await asyncio.sleep(0.1)
            continue
        await asyncio.gather(
            *(
                channel.default_exchange.publish(
                    aio_pika.Message(
                        json.dumps({"id": row["id"], "contact_id": row["contact_id"]}).encode(),
                        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    ),
                    routing_key=QUEUE,
                )
                for row in rows
            )
        )


async def send(dsn: str, amqp_url: str, smtp_port: int) -> None:
    """Render and send one mail per message."""
    pool = await asyncpg.create_pool(dsn, max_size=CONNECTIONS)
    broker = await aio_pika.connect_robust(amqp_url)
    channel = await broker.channel()
    await channel.set_qos(prefetch_count=100)
    queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    environment = Environment(autoescape=True)
    [row] = await pool.fetch("SELECT subject, html, body FROM naive.templates WHERE id = 1")
    subject, html, body = (environment.from_string(row[part]) for part in ("subject", "html", "body"))
    smtp: asyncio.Queue[aiosmtplib.SMTP] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=smtp_port, use_tls=False, start_tls=False)
        await client.connect()
        smtp.put_nowait(client)

    async def handle(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        async with message.process():
            due = json.loads(message.body)
            [contact] = await pool.fetch("SELECT * FROM naive.contacts WHERE id = $1", due["contact_id"])
            mail = EmailMessage()
            mail["From"] = "Postroad <hello@postroad.example>"
            mail["To"] = contact["email"]
            mail["Subject"] = subject.render(contact=contact)
            mail["Message-ID"] = f"<{due['id']}@postroad.example>"
            mail["List-Unsubscribe"] = f"<https://postroad.example/u/{due['id']}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            mail.set_content(body.render(contact=contact))
            mail.add_alternative(html.render(contact=contact), subtype="html")
            client = await smtp.get()
            try:
                await client.send_message(mail)
            finally:
                smtp.put_nowait(client)
            await pool.execute("UPDATE naive.due SET status = 'sent', sent_at = now() WHERE id = $1", due["id"])

    await queue.consume(handle)
    await asyncio.Event().wait()


def main() -> None:
    """Run one half until killed."""
    role, dsn, amqp_url, smtp_port = sys.argv[1:5]
    uvloop.run(schedule(dsn, amqp_url) if role == "scheduler" else send(dsn, amqp_url, int(smtp_port)))


if __name__ == "__main__":
    main()
