"""Starts real PostgreSQL and RabbitMQ for a laptop, a test run or a demo."""

from postroad_stack.errors import (
    InstallError,
    NoEngineError,
    NothingFoundError,
    NotOursError,
    StackError,
    StartError,
    WayUnavailableError,
)
from postroad_stack.eventually import eventually
from postroad_stack.servers import PostgresServer, RabbitServer, Stack
from postroad_stack.stack import start_stack

__all__ = [
    "InstallError",
    "NoEngineError",
    "NotOursError",
    "NothingFoundError",
    "PostgresServer",
    "RabbitServer",
    "Stack",
    "StackError",
    "StartError",
    "WayUnavailableError",
    "eventually",
    "start_stack",
]
