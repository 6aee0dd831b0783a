"""A client that hangs up while its upload is worked on: the work stops and leaves nothing."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from audio.reference import Reference
from server.http.upload import while_connected
from tests.server.http.conftest import TOKEN, Parts, upload
from tests.server.library.conftest import files_under, write_wav

pytestmark = pytest.mark.anyio


class Stuck:
    """A decoder that is at it until somebody stops it."""

    def __init__(self) -> None:
        self.began = anyio.Event()
        self.stopped = anyio.Event()

    async def decode(self, path: Path, out_dir: Path) -> Reference:
        self.began.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.stopped.set()
        raise AssertionError

    async def pcm(self, *_: object) -> bytes:
        raise AssertionError


def form(content: bytes) -> tuple[bytes, bytes]:
    """Return content type and body of an upload."""
    request = httpx2.Request("POST", "http://localhost", files={"file": ("a.wav", content)})
    return request.headers["content-type"].encode(), request.read()


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_hanging_up_stops_the_decode_and_removes_what_it_had(
    parts: Parts, api: httpx2.AsyncClient, tmp_path: Path, method: str
) -> None:
    track = (await upload(api, write_wav(tmp_path / "first.wav"))).json()
    path = "/api/tracks" if method == "POST" else f"/api/tracks/{track['id']}/stems/vocals"
    before = files_under(parts.library.storage.data)
    decoder = Stuck()
    parts.library._importing.decoder = decoder
    kind, body = form(write_wav(tmp_path / "b.wav", hz=500.0).read_bytes())
    left = [body]

    async def receive() -> MutableMapping[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        await decoder.began.wait()
        return {"type": "http.disconnect"}

    async def send(_message: MutableMapping[str, Any]) -> None:
        return

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
        "client": ("127.0.0.1", 5), "server": ("localhost", 4000),
        "headers": [
            (b"host", b"localhost:4000"), (b"authorization", f"Bearer {TOKEN}".encode()), (b"content-type", kind),
        ],
    }  # fmt: skip
    with anyio.fail_after(20):
        await parts.app(scope, receive, send)
    assert decoder.stopped.is_set()
    assert files_under(parts.library.storage.data) == before
    assert not [*(parts.library.storage.path("library/staging")).iterdir()]
    assert await parts.db.value("SELECT count(*) FROM tracks") == 1


class Connected:
    """A request whose client stays."""

    async def receive(self) -> MutableMapping[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError


async def test_with_a_client_that_stays_the_answer_or_the_error_comes_out_as_it_is() -> None:
    async def answers() -> int:
        await anyio.lowlevel.checkpoint()
        return 5

    async def fails() -> int:
        raise ZeroDivisionError

    assert await while_connected(Connected(), answers()) == 5  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await while_connected(Connected(), fails())  # type: ignore[arg-type]
