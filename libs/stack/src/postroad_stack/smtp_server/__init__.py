"""A recording SMTP server: accepts, refuses, stalls or drops as told, and logs every mail before it answers."""

from postroad_stack.smtp_server.behaviour import (
    Behaviour,
    Rule,
    Stage,
    busy,
    defer,
    delay,
    drop_after_dot,
    refuse,
    stall,
)
from postroad_stack.smtp_server.journal import Accepted, JournalReader
from postroad_stack.smtp_server.running import SmtpServer, running_smtp_server

__all__ = [
    "Accepted",
    "Behaviour",
    "JournalReader",
    "Rule",
    "SmtpServer",
    "Stage",
    "busy",
    "defer",
    "delay",
    "drop_after_dot",
    "refuse",
    "running_smtp_server",
    "stall",
]
