"""The live socket's language reads the same on both ends."""

import math
from typing import Any, get_args

import msgpack
import msgspec
import pytest

from server import protocol, typescript

STATUS = protocol.EngineStatus(True, "null", 48_000, 128, 0.125, 3, 5.5)
SAMPLES: tuple[protocol.ServerMessage, ...] = (
    protocol.Welcome(1, "0.1.0", 7, {"/deck/1/volume": 0.5, "/deck/1/play": 1, "/deck/1/title": "Ænima"}, STATUS),
    protocol.State(8, {"/mixer/crossfader": -1.0}),
    protocol.Meters(960, [protocol.DeckMeters(1.5, 1.0, True, 0.7, {"vocals": 0.1})], [0.5, 0.6], 0.25, STATUS),
    protocol.JobChanged("j", "separate", "t", "failed", 40, "segment 2", "the model file is damaged; pull it again"),
    protocol.LibraryChanged("t", "added"),
    protocol.PlaylistChanged("p"),
    protocol.PeersChanged([protocol.Peer("192.168.1.9:5000", "waiting", 2)]),
    protocol.BatchChanged("b", "Saturday", "processing", 25, 8, 2, 0, 0, 2),
    protocol.LearnChanged("/deck/1/volume", "waiting"),
    protocol.StemsReady("t", [(0.0, 1.5), (4.0, 9.25)]),
    protocol.Notice("warning", "engine_lost", "the engine is gone and is started again"),
    protocol.Error("unknown_control", "no control is called '/x'", 4, "/x"),
    protocol.Pong(12.5, 960, 3),
    protocol.AudioBlock(960, 48_000, b"\x00\x00\x80\x3f" * 4),
)


def test_typescript_is_fresh() -> None:
    assert typescript.TARGET.read_text(encoding="utf-8") == typescript.generate(), "run: python -m server.typescript"


def test_a_change_of_the_protocol_changes_the_typescript(monkeypatch: pytest.MonkeyPatch) -> None:
    before = typescript.generate()

    class Shout(msgspec.Struct, frozen=True, tag_field="type", tag="shout"):
        """Say it louder."""

        loudness: float

    monkeypatch.setattr(protocol, "ClientMessage", protocol.Set | protocol.Ping | Shout)
    after = typescript.generate()
    assert "export interface ShoutMessage {\n  type: 'shout';\n  loudness: number;\n}" in after
    assert "ShoutMessage" not in before


def test_a_type_that_has_no_typescript_is_said() -> None:
    with pytest.raises(TypeError, match=r"teach server/typescript\.py"):
        typescript._spell(msgspec.inspect.type_info(set[int]))


def test_samples_cover_every_message() -> None:
    assert {type(sample) for sample in SAMPLES} == set(get_args(protocol.ServerMessage))


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_the_reference_package_reads_what_the_server_writes(message: protocol.ServerMessage) -> None:
    read = msgpack.unpackb(protocol.encode(message))
    plain: dict[str, Any] = msgspec.to_builtins(message, builtin_types=(bytes,))
    assert read == msgpack.unpackb(msgpack.packb(plain))  # a tuple is an array on the wire
    assert read["type"] == type(message).__struct_config__.tag


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"type": "hello", "protocol": 1}, protocol.Hello(1)),
        ({"type": "set", "path": "/x", "value": 0.5}, protocol.Set("/x", 0.5)),
        ({"type": "set", "path": "/x", "value": 1, "id": 3, "at": 960}, protocol.Set("/x", 1, 3, 960)),
        ({"type": "set", "path": "/x", "value": "mix"}, protocol.Set("/x", "mix")),
        ({"type": "set", "path": "/x", "value": True, "colour": "red"}, protocol.Set("/x", True)),
        ({"type": "trigger", "path": "/x"}, protocol.Trigger("/x")),
        ({"type": "subscribe", "topics": ["meters"]}, protocol.Subscribe(["meters"])),
        ({"type": "ping", "sent": 2}, protocol.Ping(2.0)),
    ],
)
def test_the_server_reads_what_the_reference_package_writes(
    sent: dict[str, Any], expected: protocol.ClientMessage
) -> None:
    assert protocol.decode(msgpack.packb(sent)) == expected


def test_single_precision_is_read() -> None:
    message = protocol.decode(msgpack.packb({"type": "set", "path": "/x", "value": 0.5}, use_single_float=True))
    assert message == protocol.Set("/x", 0.5)


def test_nan_survives_the_wire_so_that_the_edge_can_refuse_it() -> None:
    message = protocol.decode(msgpack.packb({"type": "set", "path": "/x", "value": math.nan}))
    assert isinstance(message, protocol.Set)
    assert math.isnan(float(message.value))


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "nonsense"},
        {},
        {"type": "set", "path": "/x"},
        {"type": "set", "path": "/x", "value": None},
        [],
        4,
        None,
    ],
)
def test_what_is_no_message_is_refused(sent: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        protocol.decode(msgpack.packb(sent))
