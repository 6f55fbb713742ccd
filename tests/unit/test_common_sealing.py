"""Sealing and tokens: nothing but what we sealed, for what we sealed it, opens."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_common.contracts.tokens import MAX_URL_BYTES, TokenKind, TrackingToken, open_token
from postroad_common.errors import SealError, TokenError, TokenTooLongError
from postroad_common.sealing import KeyRing

OLD = "k1:" + base64.b64encode(bytes(range(32))).decode()
NEW = "k2:" + base64.b64encode(bytes(range(32, 64))).decode()
RING = KeyRing.parse(OLD)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def token(**fields: object) -> TrackingToken:
    known: dict[str, object] = {"kind": TokenKind.CLICK, "tenant_id": UUID(int=7), "message_id": UUID(int=8)}
    return TrackingToken(**(known | fields))  # type: ignore[arg-type]  # fields of any test


@given(st.text(min_size=1, max_size=20), st.binary(max_size=200), st.binary(max_size=50))
def test_what_was_sealed_opens_with_its_purpose_and_context(purpose: str, data: bytes, context: bytes) -> None:
    sealed = RING.seal(purpose, data, context=context)

    assert RING.open(purpose, sealed, context=context) == data
    with pytest.raises(SealError):
        RING.open(purpose + "x", sealed, context=context)
    with pytest.raises(SealError):
        RING.open(purpose, sealed, context=context + b"x")


def test_every_flipped_bit_is_refused() -> None:
    sealed = RING.seal("password", b"correct horse", context=b"tenant")
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealError):
            RING.open("password", bytes(flipped), context=b"tenant")


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SealError):
        RING.open("password", data)


def test_an_old_key_still_opens_what_it_sealed_and_a_new_one_seals() -> None:
    sealed = RING.seal("password", b"secret")
    rotated = KeyRing.parse(f"{NEW},{OLD}")

    assert rotated.open("password", sealed) == b"secret"
    with pytest.raises(SealError):
        RING.open("password", rotated.seal("password", b"secret"))
    with pytest.raises(SealError):
        KeyRing.parse(NEW).open("password", sealed)


@pytest.mark.parametrize(
    "text", ["", "k1", "k1:", "k1:short", "K1:" + OLD[3:], f"{OLD},{OLD}", "k1:" + base64.b64encode(bytes(31)).decode()]
)
def test_keys_that_are_none_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(ValueError, match="key") as refused:
        KeyRing.parse(text)
    assert OLD[3:] not in str(refused.value)


def test_a_key_ring_does_not_show_its_secrets() -> None:
    shown = repr(RING) + str(RING)
    assert OLD[3:] not in shown
    assert repr(bytes(range(32))) not in shown


@pytest.mark.parametrize("kind", list(TokenKind))
@pytest.mark.parametrize("trace", [None, TRACE])
@pytest.mark.parametrize("url", [None, "https://example.com/ü?a=b#c"])
def test_a_token_gives_back_what_was_put_in(kind: TokenKind, trace: str | None, url: str | None) -> None:
    made = token(kind=kind, url=url, traceparent=trace)

    text = made.seal(RING)

    assert open_token(RING, kind, text) == made
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_token_of_one_kind_is_none_of_another() -> None:
    text = token(kind=TokenKind.OPEN).seal(RING)
    for kind in (TokenKind.CLICK, TokenKind.UNSUBSCRIBE):
        with pytest.raises(TokenError):
            open_token(RING, kind, text)


def test_every_flipped_bit_of_a_token_is_refused() -> None:
    text = token(url="https://example.com/").seal(RING)
    for position in range(len(text)):
        for bit in range(7):
            spoiled = text[:position] + chr(ord(text[position]) ^ 1 << bit) + text[position + 1 :]
            with pytest.raises(TokenError):
                open_token(RING, TokenKind.CLICK, spoiled)


@given(st.text(max_size=200))
def test_arbitrary_text_is_no_token(text: str) -> None:
    with pytest.raises(TokenError):
        open_token(RING, TokenKind.OPEN, text)


def test_a_token_is_short_and_a_long_url_is_refused() -> None:
    assert len(token(kind=TokenKind.OPEN).seal(RING)) < 80
    assert len(token(kind=TokenKind.OPEN, traceparent=TRACE).seal(RING)) < 110
    token(url="https://e.com/" + "x" * (MAX_URL_BYTES - 14)).seal(RING)
    with pytest.raises(TokenTooLongError):
        token(url="https://e.com/" + "x" * (MAX_URL_BYTES - 13)).seal(RING)


def test_a_traceparent_of_another_shape_is_left_out() -> None:
    text = token(traceparent="01-future-shape").seal(RING)

    assert open_token(RING, TokenKind.CLICK, text).traceparent is None
