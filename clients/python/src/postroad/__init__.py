"""Postroad's Python client, and the `postroad` command."""

from postroad.client import AsyncClient, Client
from postroad.errors import (
    ChangedMeanwhileError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    InputError,
    InvalidError,
    NotFoundError,
    PostroadError,
    ProblemError,
    RateLimitedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from postroad.requests import UNSET
from postroad.retries import Patience

__all__ = [
    "UNSET",
    "AsyncClient",
    "ChangedMeanwhileError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "ForbiddenError",
    "InputError",
    "InvalidError",
    "NotFoundError",
    "Patience",
    "PostroadError",
    "ProblemError",
    "RateLimitedError",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnreachableError",
]
