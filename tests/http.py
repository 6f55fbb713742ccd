"""Clients of our own servers."""

from typing import Any

import httpx


def http_client(*, timeout: float = 30, **options: Any) -> httpx.AsyncClient:
    """With httpx's options. To read the machine's certificates takes it longer than most tests' requests."""
    return httpx.AsyncClient(verify=False, timeout=timeout, **options)
