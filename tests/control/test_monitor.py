"""The monitors say what a message is and what it would do, whether a server runs or not."""

import socket

import anyio
import pytest

from control import monitor
from control.mapping_store import BUILTIN, FileMappings
from control.midi_names import Arrived
from control.osc_codec import OscMessage, decode, encode
from control.osc_peers import SUBSCRIPTION_S
from control.osc_socket import OscSocket

pytestmark = pytest.mark.anyio
SENDER = ("10.0.0.7", 5000)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (OscMessage("/deck/1/volume", (0.5,)), "/deck/1/volume 0.5"),
        (OscMessage("/stem/1/mute", (1,)), "/deck/1/stem/vocals/mute 1 (of the deck that has the focus)"),
        (OscMessage("/deck/1/volume", ("loud",)), "refused: /deck/1/volume takes a number"),
        (OscMessage("/nope", (1,)), "no control is called '/nope'"),
        (OscMessage("/subscribe", (9000,)), "for the server itself"),
        (OscMessage("/deck/1/stop", ()), "/deck/1/stop 1"),
    ],
)
def test_an_osc_line_names_the_control_it_moves(message: OscMessage, says: str) -> None:
    line = monitor.osc_line(message, SENDER)
    assert message.address in line
    assert "10.0.0.7:5000" in line
    assert says in line.split("->")[1]


def test_a_midi_line_names_message_and_control() -> None:
    line = monitor.midi_line(Arrived("desk 20:0", (0xB0, 21, 64), 0.0), "desk", [("/deck/1/volume", 0.5)])
    assert "desk " in line
    assert "number 21 value 64" in line
    assert line.endswith("->  /deck/1/volume 0.5")
    assert "unreadable" in monitor.midi_line(Arrived("desk", (0x90,), 0.0), "desk")


async def until_said(lines: list[str], text: str) -> None:
    with anyio.fail_after(15):
        while not any(text in line for line in lines):
            await anyio.sleep(0.005)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


async def test_without_a_server_it_listens_itself() -> None:
    port, lines = free_port(), list[str]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(monitor._osc, port, lines.append)
        await until_said(lines, "listening on UDP port")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(encode("/deck/1/volume", 0.25), ("127.0.0.1", port))
            out.sendto(b"garbage", ("127.0.0.1", port))
        await until_said(lines, "/deck/1/volume 0.25  ->  /deck/1/volume 0.25")
        await until_said(lines, "unreadable")
        tasks.cancel_scope.cancel()


async def test_with_a_server_it_subscribes_and_prints_what_changes() -> None:
    lines = list[str]()

    def serve(data: bytes, sender: tuple[str, int]) -> None:
        (message,) = decode(data)
        if message.address == "/subscribe":
            server.send(encode("/deck/1/play", 1), sender)
            server.send(encode("/deck/1/position", 1.5), sender)
            server.send(encode("/deck/1/volume", 0.5), sender)

    server = OscSocket(serve, lambda sender: True, lambda address: False)
    server.open(0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(monitor._osc, server.port, lines.append)
            await until_said(lines, "/deck/1/volume 0.5")
            assert any("/deck/1/play 1" in line for line in lines)
            assert not any("position" in line for line in lines), "telemetry would drown everything else"
            tasks.cancel_scope.cancel()
    finally:
        server.close()
    assert monitor.RENEW_S < SUBSCRIPTION_S / 2


async def test_a_port_of_another_program_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "ANSWER_S", 0.05)
    lines = list[str]()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        assert await monitor._osc(other.getsockname()[1], lines.append) == 1
    assert "does not answer OSC" in lines[-1]


def test_the_monitor_uses_the_same_mappings_as_the_server(tmp_path: object) -> None:
    found, faults = FileMappings(tmp_path).load()  # type: ignore[arg-type]
    assert (len(found), faults) == (len(list(BUILTIN.glob("*.toml"))), [])
