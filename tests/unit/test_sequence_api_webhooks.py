"""Webhooks without servers around them: what may be dialed, how it is signed, when it is tried again."""

import socket
from datetime import timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override
from yarl import URL

from postroad_sequence_api.webhooks.destinations import Reach, Resolver
from postroad_sequence_api.webhooks.posting import Poster
from postroad_sequence_api.webhooks.schedule import JITTER, LONGEST_WAIT, PAUSES, pause_after
from postroad_stack.eventually import eventually
from tests.integration.sequence_api.receivers import INSIDE, OUTSIDE, answer, canary, receiver
from tests.integration.sequence_api.spellings import MALFORMED_URLS, PRIVATE_URLS, PUBLIC_URLS

PUBLIC_ADDRESS = "93.184.215.14"


class Answers(AbstractResolver):
    """A name server that answers differently each time, the last answer for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=socket.IPPROTO_TCP, flags=0)
            for one in found
        ]

    @override
    async def close(self) -> None:
        pass


def test_the_tables_are_as_long_as_they_should_be() -> None:
    assert len(set(PRIVATE_URLS)) >= 60
    assert len(set(PRIVATE_URLS + MALFORMED_URLS)) == len(PRIVATE_URLS + MALFORMED_URLS)


@pytest.mark.parametrize("url", PRIVATE_URLS + MALFORMED_URLS)
def test_a_url_that_leads_inside_is_refused_by_its_spelling(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|is not|has no|names"):
        Reach().read(url.format(port=8443))


@pytest.mark.parametrize("url", PUBLIC_URLS)
def test_a_public_url_is_taken(url: str) -> None:
    assert Reach().read(url).scheme == "https"


async def test_no_spelling_is_dialed_even_when_it_is_registered() -> None:
    """As if a check at registration had been passed by: the connection itself is refused."""
    async with canary() as inside, Poster(Reach(), Resolver(2), timeout_seconds=2) as poster:
        for url in PRIVATE_URLS:
            try:
                target = URL(url.format(port=inside.port))
            except ValueError:
                continue  # not even a URL
            answer = await poster.post(target, b"{}", {})
            assert answer.status is None, url
            assert answer.error is not None, url
        assert inside.connections == 0


async def test_the_canary_is_not_blind() -> None:
    async with canary() as inside, Poster(Reach.parse(INSIDE), Resolver(2), timeout_seconds=2) as poster:
        await poster.post(URL(f"https://localhost:{inside.port}/"), b"{}", {})
        await poster.post(URL(f"http://localhost:{inside.port}/"), b"{}", {})
        await eventually(lambda: inside.connections >= 2)


async def test_a_name_that_is_rebound_after_the_check_is_not_dialed() -> None:
    names = Answers([PUBLIC_ADDRESS], [INSIDE])
    async with canary() as inside, Poster(Reach(), names, timeout_seconds=2) as poster:
        url = await poster.check(f"https://rebind.example.com:{inside.port}/")
        answer = await poster.post(url, b"{}", {})
        assert answer.error == "the host has no public address"
        assert inside.connections == 0


async def test_of_a_name_with_public_and_private_addresses_only_the_public_are_dialed() -> None:
    async with canary() as inside, receiver() as outside:
        names = Answers([INSIDE, OUTSIDE])
        async with Poster(Reach.parse(OUTSIDE), names, timeout_seconds=5) as poster:
            outside_url = URL(f"http://both.example.com:{outside.port}/")
            assert (await poster.post(outside_url, b"{}", {})).status == 204
            await poster.post(URL(f"http://both.example.com:{inside.port}/"), b"{}", {})
        assert len(outside.log) == 1
        assert inside.connections == 0


async def test_plain_http_goes_to_trusted_networks_only() -> None:
    async with Poster(Reach.parse(OUTSIDE), Answers([PUBLIC_ADDRESS]), timeout_seconds=2) as poster:
        answer = await poster.post(URL("http://hooks.example.com:8080/"), b"{}", {})
        assert answer.error == "the host has no public address"


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    async with canary() as inside, receiver() as outside:
        monkeypatch.setenv(proxy, f"http://{INSIDE}:{inside.port}")
        async with Poster(Reach.parse("127.0.0.0/8"), Resolver(2), timeout_seconds=5) as poster:
            assert (await poster.post(URL(outside.url), b"{}", {})).status == 204
        assert inside.connections == 0


def test_pauses_follow_the_schedule_with_jitter_and_come_to_an_end() -> None:
    assert [pause_after(n, lambda: 0.0) for n in range(1, len(PAUSES) + 2)] == [*PAUSES, None]
    assert pause_after(1, lambda: 1.0) == PAUSES[0] * (1 + JITTER)
    assert sum(PAUSES, timedelta()) > timedelta(days=3)


@pytest.mark.parametrize(
    "value", ["soon", "-5", "Mon, 01 Jan 2024 00:00:00 +99999999999999999999", f"Mon, 01 Jan {10**30} 00:00:00 GMT"]
)
async def test_a_wait_that_is_no_date_and_no_number_is_an_answer_without_one(value: str) -> None:
    async with receiver() as outside, Poster(Reach.parse(OUTSIDE), Resolver(1), timeout_seconds=5) as poster:
        outside.behave = answer(503, Retry_After=value)
        refused = await poster.post(URL(outside.url), b"{}", {})
    assert (refused.status, refused.error, refused.retry_after) == (503, "HTTP 503", None)


def test_a_receiver_may_ask_for_a_longer_pause_within_bounds() -> None:
    assert pause_after(1, lambda: 0.0, 120) == timedelta(seconds=120)
    assert pause_after(1, lambda: 0.0, 1e8) == LONGEST_WAIT
    assert pause_after(1, lambda: 0.0, 0) == PAUSES[0]
    assert pause_after(3, lambda: 0.0, 60) == PAUSES[2]
