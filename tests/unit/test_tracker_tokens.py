"""Tokens in public URLs: damaged, of another kind or revoked, the answer is the same 404."""

import base64
import secrets
from uuid import uuid4

import pytest

from postroad_common.contracts.tokens import TokenKind, TrackingToken
from postroad_common.problems import Problem
from postroad_common.sealing import KeyRing
from postroad_tracker.handlers.tokens import Tokens

KEYS = KeyRing.parse("k1:" + base64.b64encode(secrets.token_bytes(32)).decode())
TENANT, MESSAGE = uuid4(), uuid4()
TOKENS = Tokens(KEYS, frozenset())


def opened(text: str, kind: TokenKind, tokens: Tokens = TOKENS) -> TrackingToken:
    return tokens.open(text, kind)


def is_not_found(text: str, kind: TokenKind, tokens: Tokens = TOKENS) -> bool:
    try:
        opened(text, kind, tokens)
    except Problem as problem:
        return problem.status == 404
    return False


def sealed(kind: TokenKind) -> str:
    url = "https://shop.example/spring" if kind is TokenKind.CLICK else None
    return TrackingToken(kind, TENANT, MESSAGE, url).seal(KEYS)


@pytest.mark.parametrize("kind", list(TokenKind))
def test_every_flipped_bit_of_a_token_is_not_found(kind: TokenKind) -> None:
    token = sealed(kind)
    assert opened(token, kind).message_id == MESSAGE
    for position in range(len(token)):
        for bit in range(8):
            flipped = token[:position] + chr(ord(token[position]) ^ (1 << bit)) + token[position + 1 :]
            assert is_not_found(flipped, kind), (position, bit)


@pytest.mark.parametrize("kind", list(TokenKind))
def test_cut_lengthened_and_foreign_tokens_are_not_found(kind: TokenKind) -> None:
    token = sealed(kind)
    other_keys = KeyRing.parse("k1:" + base64.b64encode(secrets.token_bytes(32)).decode())
    foreign = TrackingToken(kind, TENANT, MESSAGE).seal(other_keys)
    for text in ("", "A", token[:-1], token[1:], token + "A", token + "=", " " + token, token * 50, foreign, "é" * 90):
        assert is_not_found(text, kind), text[:20]


def test_token_of_one_kind_opens_as_no_other() -> None:
    for made in TokenKind:
        for used in TokenKind:
            assert is_not_found(sealed(made), used) == (made is not used)


def test_revoked_tenants_and_messages_are_not_found() -> None:
    for revoked in (TENANT, MESSAGE):
        tokens = Tokens(KEYS, frozenset({revoked}))
        assert is_not_found(sealed(TokenKind.OPEN), TokenKind.OPEN, tokens)
    assert not is_not_found(sealed(TokenKind.OPEN), TokenKind.OPEN, Tokens(KEYS, frozenset({uuid4()})))
