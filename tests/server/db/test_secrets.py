"""Secrets at rest open only where they were put, with a key that is here."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.db import Database
from server.secrets import SecretKeyRejected, SecretUnreadable, Vault, open_vault

KEY, OLD = bytes(range(32)), bytes(reversed(range(32)))
PLACE = ("user_settings", "lalalai_api_key", 7)


@given(st.text())
def test_what_is_sealed_opens_again_and_shows_nothing(secret: str) -> None:
    vault = Vault([KEY])
    envelope = vault.seal(secret, *PLACE)
    assert vault.open_text(envelope, *PLACE) == secret
    assert envelope != vault.seal(secret, *PLACE)
    assert len(secret) < 4 or secret.encode() not in envelope


@pytest.mark.parametrize(
    "place",
    [("user_settings", "lalalai_api_key", 8), ("user_settings", "other", 7), ("llm_providers", "lalalai_api_key", 7)],
)
def test_an_envelope_that_was_moved_does_not_open(place: tuple[str, str, int]) -> None:
    vault = Vault([KEY])
    with pytest.raises(SecretUnreadable):
        vault.open(vault.seal("secret", *PLACE), *place)


def test_no_byte_can_be_changed() -> None:
    vault = Vault([KEY])
    envelope = vault.seal("secret", *PLACE)
    for at in range(len(envelope)):
        changed = bytearray(envelope)
        changed[at] ^= 1
        with pytest.raises(SecretUnreadable):
            vault.open(bytes(changed), *PLACE)
    for cut in range(len(envelope)):
        with pytest.raises(SecretUnreadable):
            vault.open(envelope[:cut], *PLACE)


def test_keys_can_be_changed() -> None:
    old = Vault([OLD]).seal("secret", *PLACE)
    both = Vault([KEY, OLD])
    assert both.open_text(old, *PLACE) == "secret" and not both.is_current(old)
    new = both.seal("secret", *PLACE)
    assert both.is_current(new) and Vault([KEY]).open_text(new, *PLACE) == "secret"
    with pytest.raises(SecretUnreadable):
        Vault([KEY]).open(old, *PLACE)


def test_the_key_file_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = open_vault(tmp_path)
    path = tmp_path / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    envelope = first.seal("x", *PLACE)
    path.chmod(0o644)
    assert open_vault(tmp_path).open_text(envelope, *PLACE) == "x"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_of_the_environment_wins_and_the_file_still_opens(tmp_path: Path) -> None:
    from_file = open_vault(tmp_path).seal("x", *PLACE)
    vault = open_vault(tmp_path, base64.b64encode(KEY).decode())
    assert vault.open_text(from_file, *PLACE) == "x"
    assert Vault([KEY]).open_text(vault.seal("y", *PLACE), *PLACE) == "y"


def test_with_a_key_in_the_environment_no_file_is_made(tmp_path: Path) -> None:
    open_vault(tmp_path, base64.b64encode(KEY).decode())
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("bad", ["short", base64.b64encode(b"x" * 31).decode(), "not base64!!"])
def test_a_bad_key_is_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(SecretKeyRejected):
        open_vault(tmp_path, bad)
    (tmp_path / "secret.key").write_text(bad)
    with pytest.raises(SecretKeyRejected):
        open_vault(tmp_path)


@pytest.mark.anyio
async def test_no_secret_is_in_the_database_in_clear(db: Database) -> None:
    vault = Vault([KEY])
    user = await db.value("INSERT INTO users (email) VALUES ('a@b') RETURNING id")
    row = await db.value("INSERT INTO user_settings (user_id) VALUES ($1) RETURNING id", user)
    sealed = vault.seal("lalal-key-123", "user_settings", "lalalai_api_key", row)
    await db.execute("UPDATE user_settings SET lalalai_api_key = $2 WHERE id = $1", row, sealed)
    kept = await db.value("SELECT lalalai_api_key FROM user_settings WHERE id = $1", row)
    assert b"lalal-key-123" not in kept
    assert vault.open_text(kept, "user_settings", "lalalai_api_key", row) == "lalal-key-123"
