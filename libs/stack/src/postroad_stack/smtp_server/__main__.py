"""The server as a process: `python -m postroad_stack.smtp_server --log FILE`; prints its port as a JSON line.

SIGHUP reads the behaviour file again. SIGTERM and SIGINT end the process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
import ssl
import sys
from pathlib import Path

import uvloop

from postroad_stack.smtp_server.behaviour import Behaviour, Director
from postroad_stack.smtp_server.connection import Server
from postroad_stack.smtp_server.content import HeaderReader
from postroad_stack.smtp_server.journal import Journal
from postroad_stack.smtp_server.protocol import SmtpConnection

LOGGED_HEADERS = ("Message-ID", "Subject", "In-Reply-To", "List-Unsubscribe")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m postroad_stack.smtp_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--log", type=Path, required=True, help="NDJSON, one line an event")
    parser.add_argument("--store", type=Path, help="keep whole messages in this file")
    parser.add_argument("--behaviour", type=Path, help="JSON, see behaviour.py; read again on SIGHUP")
    parser.add_argument("--log-header", action="append", default=[], help="log this header too")
    parser.add_argument("--tls-cert", type=Path, help="PEM chain; offers STARTTLS")
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--implicit-tls", action="store_true", help="speak TLS from the first byte")
    parser.add_argument("--require-tls", action="store_true", help="refuse MAIL in the clear")
    parser.add_argument("--credentials", help="user:password; asks for AUTH")
    parser.add_argument("--max-size", type=int, default=30_000_000, help="bytes")
    return parser.parse_args(arguments)


def build(options: argparse.Namespace) -> Server:
    """The shared state that the command line describes."""
    return Server(
        journal=Journal(options.log, options.store),
        director=Director(_behaviour(options.behaviour)),
        logged_headers=HeaderReader((*LOGGED_HEADERS, *options.log_header)),
        max_size=options.max_size,
        tls=_tls(options),
        require_tls=options.require_tls,
        credentials=tuple(options.credentials.split(":", 1)) if options.credentials else None,
    )


async def serve(options: argparse.Namespace) -> None:
    """Accept connections until told to stop."""
    loop = asyncio.get_running_loop()
    server = build(options)
    gc.freeze()
    gc.set_threshold(100_000)  # the dicts of log lines are no cycles: collecting them is a tenth of the time
    implicit = server.tls if options.implicit_tls else None
    listener = await loop.create_server(
        lambda: SmtpConnection(server, encrypted=implicit is not None),
        options.host,
        options.port,
        ssl=implicit,
        backlog=1024,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, _read_behaviour_again, server, options.behaviour)
    port = listener.sockets[0].getsockname()[1]
    print(json.dumps({"event": "listening", "service": "smtp-server", "port": port}), flush=True)  # noqa: T201 - the interface
    await stopped.wait()
    listener.close()
    server.journal.flush()


def _read_behaviour_again(server: Server, file: Path | None) -> None:
    server.director = Director(_behaviour(file))
    server.journal.note("behaviour")
    server.journal.flush()


def _behaviour(file: Path | None) -> Behaviour:
    return Behaviour() if file is None else Behaviour.from_json(file.read_bytes())


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    return context


if __name__ == "__main__":
    uvloop.run(serve(parse_arguments(sys.argv[1:])))
