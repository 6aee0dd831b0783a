"""Secrets at rest: AES-256-GCM envelopes, bound to the row and column they were written for.

Owner: one `Vault` per server; keys stay outside the database (`ALCHEMY_SECRET_KEY`, or `DATA/secret.key`, mode 0600).
Layout of an envelope: 1 byte version, 4 bytes key id, 12 bytes nonce, ciphertext with its 16-byte tag. The header and
`table:column:row` are authenticated with it, so an envelope that is moved to another row does not open.
Source: NIST SP 800-38D (GCM, 96-bit nonces drawn at random, far below 2^32 messages a key).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.errors import ServerError

_VERSION: Final = 1
_KEY_ID: Final = slice(1, 5)
_NONCE: Final = slice(5, 17)
_HEADER_BYTES: Final = 17
_KEY_BYTES: Final = 32
_OVERHEAD: Final = _HEADER_BYTES + 16


class SecretKeyRejected(ServerError):
    """The secret key is not base64 of 32 bytes."""

    code = "secret_key_rejected"


class SecretUnreadable(ServerError):
    """A stored secret cannot be read: its key is not here, or it was tampered with. Enter it again."""

    code = "secret_unreadable"
    http_status = 409


class Vault:
    """Seals and opens secrets. The first key seals; every key opens, so that keys can be changed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise SecretKeyRejected
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    def seal(self, secret: str | bytes, table: str, column: str, row: object) -> bytes:
        """Return the envelope to store in `column` of the row with key `row`."""
        plain = secret.encode() if isinstance(secret, str) else secret
        header = bytes((_VERSION,)) + self._current
        nonce = os.urandom(12)
        return header + nonce + self._keys[self._current].encrypt(nonce, plain, header + _bound(table, column, row))

    def open(self, envelope: bytes, table: str, column: str, row: object) -> bytes:
        """Return the secret. Raises SecretUnreadable for a wrong key, row, column, version or a changed byte."""
        if len(envelope) < _OVERHEAD or envelope[0] != _VERSION:
            raise SecretUnreadable
        cipher = self._keys.get(envelope[_KEY_ID])
        if cipher is None:
            raise SecretUnreadable
        header = envelope[:5]
        try:
            return cipher.decrypt(envelope[_NONCE], envelope[_HEADER_BYTES:], header + _bound(table, column, row))
        except InvalidTag as error:
            raise SecretUnreadable from error

    def open_text(self, envelope: bytes, table: str, column: str, row: object) -> str:
        """Return the secret as text. Raises SecretUnreadable."""
        return self.open(envelope, table, column, row).decode()

    def is_current(self, envelope: bytes) -> bool:
        """Say whether the envelope is sealed with the newest key; others are to be sealed again when read."""
        return envelope[_KEY_ID] == self._current


def open_vault(data: Path, environment_key: str = "") -> Vault:
    """Return the vault of the data folder; makes `secret.key` on first use. Blocks on files.

    `environment_key` (base64 of 32 bytes; several separated by commas, newest first) wins, and keys in the file still
    open what they sealed. Raises SecretKeyRejected.
    """
    path = data / "secret.key"
    keys = [_decode(part) for part in environment_key.split(",") if part.strip()]
    if not keys and not path.exists():
        _create(path)
    if path.exists():
        keys += [_decode(line) for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    return Vault(keys)


def _create(path: Path) -> None:
    """Write a new key so that no crash leaves half of one and no racing program writes another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".secret.key.{os.getpid()}")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(making, path)
    finally:
        making.unlink(missing_ok=True)


def _decode(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretKeyRejected from error
    if len(key) != _KEY_BYTES:
        raise SecretKeyRejected
    return key


def _key_id(key: bytes) -> bytes:
    """Name a key without giving any of it away."""
    return hashlib.sha256(b"sound-forge-alchemy key id" + key).digest()[:4]


def _bound(table: str, column: str, row: object) -> bytes:
    return f"{table}:{column}:{row}".encode()
