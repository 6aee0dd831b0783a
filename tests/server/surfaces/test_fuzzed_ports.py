"""Bytes that nobody meant, on every port: nothing leaves the decoders, nothing ends the surface, the show goes on."""

import logging
import random
from pathlib import Path

import anyio
import pytest

from control.midi_names import Arrived
from control.osc_codec import encode
from server.session.intent import Intent
from tests.server.surfaces.osc_rig import MUTE, rig_and_phone, until
from tests.server.surfaces.test_midi_surface import running as midi_running
from tests.server.surfaces.test_oscquery_surface import packed, querying

pytestmark = pytest.mark.anyio
GOOD = (
    encode(MUTE, 1), encode("/deck/*/stem/{vocals,drums}/volume", 0.5), encode("/subscribe", 0), encode("/ping", "x"),
    b"#bundle\0" + bytes(7) + b"\1" + bytes((0, 0, 0, 12)) + encode("/ping"), encode("/deck/1/load", "song"),
)  # fmt: skip


def packets(seed: int, count: int) -> list[bytes]:
    """Return noise, and good packets with bytes changed, cut out and put in."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        data = bytearray(dice.choice(GOOD) if dice.random() < 0.8 else dice.randbytes(dice.randrange(200)))
        for _ in range(dice.randrange(1, 5)):
            at = dice.randrange(len(data) + 1)
            data[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
        found.append(bytes(data))
    return found


@pytest.fixture(autouse=True)
def nothing_is_logged_as_a_fault(caplog: pytest.LogCaptureFixture) -> object:
    """Surfaces keep going after a fault of ours, and log it: there must be none."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("seed", range(3))
async def test_osc_by_udp(seed: int) -> None:
    async with rig_and_phone() as (rig, phone):
        for number, data in enumerate(packets(seed, 600)):
            phone.raw(data)
            if number % 50 == 49:
                phone.send(MUTE, number // 50 % 2)
                await rig.value(MUTE, number // 50 % 2)
        counts = rig.surface.counts()
        assert counts.lost == 0


@pytest.mark.parametrize("seed", range(3))
async def test_osc_by_tcp(seed: int) -> None:
    dice = random.Random(seed)
    async with rig_and_phone() as (rig, phone):
        for data in packets(seed, 40):
            framed = dice.choice((data, len(data).to_bytes(4, "big") + data, b"\xc0" + data + b"\xc0"))
            async with await anyio.connect_tcp("127.0.0.1", rig.port) as stream:
                with anyio.move_on_after(5):
                    await stream.send(framed or b"\0")
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)


async def test_oscquery_by_http() -> None:
    dice = random.Random(1)
    async with querying() as made:
        for _ in range(20):
            request = bytearray(b"GET /deck/1/volume?VALUE HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            for _ in range(dice.randrange(1, 6)):
                request[dice.randrange(len(request))] = dice.randrange(256)
            async with await anyio.connect_tcp("127.0.0.1", made.query.port) as stream:
                with anyio.move_on_after(0.3), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await stream.send(bytes(request))
                    while True:
                        await stream.receive()
        for path in ("/%00", "/..%2f..", "/deck/1/volume?NOPE", "/" + "x" * 3000, "/deck/[", "/?HOST_INFO&x=%ff"):
            assert (await made.get(path)).status_code < 500
        assert (await made.get("/deck/1/volume?VALUE")).status_code == 200


async def test_oscquery_by_socket() -> None:
    dice = random.Random(1)
    async with querying() as made, made.connect() as socket:
        for data in packets(1, 60):
            await socket.send(data)
            text = '{"COMMAND": "LISTEN", "DATA": "/deck/1/volume"}'
            at = dice.randrange(len(text))
            await socket.send(text[:at] + chr(dice.randrange(32, 127)) + text[at + dice.randrange(3) :])
        await socket.send(packed(MUTE, 1))
        await made.rig.value(MUTE, 1)


@pytest.mark.parametrize("seed", range(3))
async def test_midi(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    async with midi_running(tmp_path) as rig:
        for number in range(3000):
            data = tuple(dice.randrange(256) for _ in range(dice.randrange(6)))
            rig.surface._hear(Arrived(f"port {number % 5}", data, 0.0))
        rig.show.submit(Intent(MUTE, 1))
        await until(lambda: rig.show.value(MUTE) == 1)
