"""A key's bucket of requests."""

from uuid import uuid4

from postroad_sequence_api.rate_limits import Allowance, RateLimits


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_may_use_a_minute_s_quota_at_once_and_then_as_fast_as_it_fills() -> None:
    clock = Clock()
    limits, key = RateLimits(6, clock), uuid4()
    assert [limits.take(key) for _ in range(7)] == [
        *(Allowance(allowed=True, quota=6, remaining=5 - n, reset_seconds=10 * (n + 1)) for n in range(6)),
        Allowance(allowed=False, quota=6, remaining=0, reset_seconds=10),
    ]
    clock.now += 9.5
    assert limits.take(key) == Allowance(allowed=False, quota=6, remaining=0, reset_seconds=1)
    clock.now += 0.5
    assert limits.take(key) == Allowance(allowed=True, quota=6, remaining=0, reset_seconds=60)


def test_a_bucket_never_holds_more_than_a_minute_s_quota() -> None:
    clock = Clock()
    limits, key = RateLimits(6, clock), uuid4()
    limits.take(key)
    clock.now += 86_400
    allowed = [limits.take(key) for _ in range(7)]
    assert [one.allowed for one in allowed if one is not None] == [True] * 6 + [False]


def test_one_key_takes_nothing_from_another() -> None:
    limits, busy, quiet = RateLimits(1, Clock()), uuid4(), uuid4()
    limits.take(busy)
    allowed = [one.allowed for key in (busy, quiet) if (one := limits.take(key)) is not None]
    assert allowed == [False, True]


def test_a_quota_of_none_limits_nobody() -> None:
    assert RateLimits(0, Clock()).take(uuid4()) is None


def test_what_is_left_is_said_as_the_standard_says_it() -> None:
    headers = Allowance(allowed=True, quota=6000, remaining=5999, reset_seconds=1).headers()
    assert headers == {"RateLimit-Policy": '"default";q=6000;w=60', "RateLimit": '"default";r=5999;t=1'}
