"""Postroad's Python client, and the `postroad` command."""

from postroad.client import Client
from postroad.errors import (
    ConfigurationError,
    InputError,
    PostroadError,
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
)

__all__ = [
    "Client",
    "ConfigurationError",
    "InputError",
    "PostroadError",
    "ProblemError",
    "UnexpectedAnswerError",
    "UnreachableError",
]
