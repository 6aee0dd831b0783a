"""The program's own certificates: a client that trusts the authority can talk, and only to the addresses named."""

import asyncio
import ssl
from pathlib import Path

import pytest

from server.tls import server_context

pytestmark = pytest.mark.anyio


async def _handshake(folder: Path, addresses: list[str], hostname: str) -> bytes:
    context = server_context(folder, addresses)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        trusted = ssl.create_default_context(cafile=str(folder / "authority.crt"))
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname=hostname)
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_a_client_that_trusts_the_authority_reaches_the_addresses_named(tmp_path: Path) -> None:
    assert await _handshake(tmp_path, ["127.0.0.1"], "127.0.0.1") == b"hello"
    with pytest.raises(ssl.SSLCertVerificationError):
        await _handshake(tmp_path, ["127.0.0.1"], "127.0.0.2")


async def test_a_new_address_gets_a_new_certificate_from_the_same_authority(tmp_path: Path) -> None:
    server_context(tmp_path, ["127.0.0.1"])
    authority, first = (tmp_path / "authority.crt").read_bytes(), (tmp_path / "server.crt").read_bytes()
    server_context(tmp_path, ["127.0.0.1"])
    assert (tmp_path / "server.crt").read_bytes() == first
    assert await _handshake(tmp_path, ["127.0.0.1", "127.0.0.2"], "127.0.0.2") == b"hello"
    assert (tmp_path / "authority.crt").read_bytes() == authority


async def test_damaged_files_are_made_anew(tmp_path: Path) -> None:
    server_context(tmp_path, ["127.0.0.1"])
    for name in ("authority.key", "server.crt"):
        (tmp_path / name).write_bytes(b"garbage")
    assert await _handshake(tmp_path, ["127.0.0.1"], "127.0.0.1") == b"hello"


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    server_context(tmp_path / "tls", ["127.0.0.1"])
    assert {(tmp_path / "tls" / name).stat().st_mode & 0o077 for name in ("authority.key", "server.key")} == {0}
