"""Sealing: authenticated, deterministic encryption of small secrets and tokens, with keys that rotate.

AES-SIV (RFC 5297) needs no nonce, so there is no count of messages after which a key must go; equal inputs give
equal outputs, which is harmless here and keeps tokens stable across resends.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from postroad_common.errors import SealError

_KEY_ID: Final = re.compile(r"[a-z0-9]{1,8}")
_MIN_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Named secrets, the first one current. Each purpose has a key of its own, derived by HKDF."""

    secrets: tuple[tuple[str, bytes], ...] = field(repr=False)
    _ciphers: dict[tuple[str, str], AESSIV] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read "k2:<base64>,k1:<base64>" (32 bytes or more each); raises ValueError without quoting a secret."""
        secrets = tuple(_parse_secret(part.strip()) for part in text.split(","))
        if len({key_id for key_id, _ in secrets}) != len(secrets):
            raise ValueError("each key needs a name of its own")
        return cls(secrets)

    def seal(self, purpose: str, data: bytes, *, context: bytes = b"") -> bytes:
        """Encrypt with the current key. Opening needs the same purpose and context."""
        key_id = self.secrets[0][0]
        name = key_id.encode()
        return bytes([len(name)]) + name + self._cipher(key_id, purpose).encrypt(data, [context])

    def open(self, purpose: str, sealed: bytes, *, context: bytes = b"") -> bytes:
        """Decrypt what seal() made; raises SealError for everything else."""
        try:
            end = 1 + sealed[0]
            key_id = sealed[1:end].decode("ascii")
            return self._cipher(key_id, purpose).decrypt(sealed[end:], [context])
        except (IndexError, UnicodeDecodeError, InvalidTag, ValueError) as error:
            raise SealError("not sealed by us for this purpose") from error

    def _cipher(self, key_id: str, purpose: str) -> AESSIV:
        cipher = self._ciphers.get((key_id, purpose))
        if cipher is None:
            cipher = AESSIV(_derive(self._secret(key_id), purpose))
            self._ciphers[key_id, purpose] = cipher
        return cipher

    def _secret(self, key_id: str) -> bytes:
        for known, secret in self.secrets:
            if known == key_id:
                return secret
        raise SealError("sealed with a key that is not in the ring")


def _parse_secret(part: str) -> tuple[str, bytes]:
    key_id, colon, encoded = part.partition(":")
    if not colon or not _KEY_ID.fullmatch(key_id):
        raise ValueError("a key is <name>:<base64>, the name 1 to 8 characters of a-z and 0-9")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"key {key_id} is not base64") from error
    if len(secret) < _MIN_SECRET_BYTES:
        raise ValueError(f"key {key_id} has {len(secret)} bytes, not {_MIN_SECRET_BYTES} or more")
    return key_id, secret


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=64, salt=b"postroad", info=purpose.encode()).derive(secret)
