"""Laws of the OSC codec: what was sent is what is read, and no bytes make it raise anything but BadMessage."""

import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage as PeerMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from control.errors import BadMessage
from control.osc_codec import (
    IMMEDIATELY,
    MAX_ARGUMENTS,
    MAX_DEPTH,
    MAX_MESSAGES,
    Char,
    Colour,
    Impulse,
    MidiBytes,
    OscMessage,
    Symbol,
    TimeTag,
    decode,
    encode,
    encode_bundle,
    timetag_of,
    unix_of,
)

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40)
PLAIN = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=32, allow_nan=False)
    | TEXT
    | st.binary(min_size=1, max_size=20)
    | st.none()
    | st.just(Impulse.IMPULSE)
    | st.integers(0, 2**64 - 1).map(TimeTag)
    | st.integers(0, 2**32 - 1).map(Colour)
    | st.binary(min_size=4, max_size=4).map(MidiBytes)
    | st.characters(max_codepoint=127, blacklist_characters="\0").map(Char)
    | TEXT.map(Symbol)
)
ARGUMENT = PLAIN | st.lists(PLAIN | st.lists(PLAIN, max_size=2).map(tuple), max_size=3).map(tuple)
ADDRESS = TEXT.map(lambda text: "/" + text)
PACKET = st.builds(lambda address, args: encode(address, *args), ADDRESS, st.lists(ARGUMENT, max_size=6))


@given(ADDRESS, st.lists(ARGUMENT, max_size=8))
def test_what_was_encoded_is_decoded(address: str, args: list[object]) -> None:
    (message,) = decode(encode(address, *args))  # type: ignore[arg-type]
    assert message == OscMessage(address, tuple(args), IMMEDIATELY)  # type: ignore[arg-type]
    assert [type(arg) for arg in message.args] == [type(arg) for arg in args]


@given(st.lists(PACKET, max_size=5), st.integers(0, 2**64 - 1))
def test_a_bundle_keeps_order_and_time(packets: list[bytes], timetag: int) -> None:
    messages = decode(encode_bundle(packets, timetag))
    assert [message.timetag for message in messages] == [timetag] * len(packets)
    assert [(m.address, m.args) for m in messages] == [(m.address, m.args) for p in packets for m in decode(p)]


def test_a_bundle_inside_has_its_own_time() -> None:
    inner = encode_bundle([encode("/b", 2)], 77)
    messages = decode(encode_bundle([encode("/a", 1), inner, encode("/c", 3)], 55))
    assert [(message.address, message.timetag) for message in messages] == [("/a", 55), ("/b", 77), ("/c", 55)]


def test_every_type_of_the_contract_is_read() -> None:
    data = (
        b"/x\0\0,ifsTFhdN[ii]\0\0\0" + struct.pack(">if", 7, 0.5) + b"ab\0\0" + struct.pack(">qdii", 2**40, 0.25, 1, 2)
    )
    (message,) = decode(data)
    assert message.args == (7, 0.5, "ab", True, False, 2**40, 0.25, None, (1, 2))


def test_python_osc_writes_what_is_read_here() -> None:
    builder = OscMessageBuilder("/x")
    typed = {"i": 7, "f": 0.5, "s": "ab", "b": b"xyz", "h": 2**40, "d": 0.1, "r": 0xFF00FF80, "m": (1, 0x90, 60, 100)}
    for tag, value in [*typed.items(), ("T", True), ("F", False), ("N", None), (None, [1, [2.0, "x"]])]:
        builder.add_arg(value, tag)
    (message,) = decode(builder.build().dgram)
    assert message.args == (
        7, 0.5, "ab", b"xyz", 2**40, 0.1, Colour(0xFF00FF80), MidiBytes((1, 0x90, 60, 100)), True, False, None,
        (1, (2.0, "x")),
    )  # fmt: skip


def test_python_osc_reads_what_is_written_here() -> None:
    data = encode(
        "/x", 7, 0.5, "ab", b"xyz", 2**40, Colour(5), MidiBytes((1, 0x90, 60, 100)), True, False, None, (1, (2, "x"))
    )
    message = PeerMessage(data)
    assert (message.address, message.params) == (
        "/x", [7, 0.5, "ab", b"xyz", 2**40, 5, (1, 0x90, 60, 100), True, False, None, [1, [2, "x"]]],
    )  # fmt: skip


def test_a_message_without_type_tags_has_no_arguments() -> None:
    assert decode(b"/deck/1/stop\0\0\0\0") == [OscMessage("/deck/1/stop", ())]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"/",
        b"/abc",
        b"hello",
        b"#bundle\0",
        b"#bundle\0" + bytes(8) + b"\0\0",
        b"#bundle\0" + bytes(8) + struct.pack(">i", -4),  # python-osc itself would loop for ever here
        b"#bundle\0" + bytes(8) + struct.pack(">i", 0),
        b"#bundle\0" + bytes(8) + struct.pack(">i", 400) + b"/x\0\0",
        b"#bundle\0" + bytes(8) + struct.pack(">i", 4) + b"nope",
        b"/x\0\0,f",
        b"/x\0\0,f\0\0",
        b"/x\0\0,if\0" + bytes(4),
        b"/x\0\0f\0\0\0",
        b"/x\0\0,q\0\0" + bytes(8),
        b"/x\0\0,s\0\0\xff\xfe\xfd\0",
        b"/x\0\0,b\0\0" + struct.pack(">i", -9),
        b"/x\0\0,b\0\0" + struct.pack(">i", 2**31 - 1),
        b"/\xff\xfe\0,i\0\0" + bytes(4),
        b"/x\0\0,[[[i\0\0\0" + bytes(4),
        b"/x\0\0,]]\0",
    ],
)
def test_garbage_is_a_bad_message_that_keeps_the_bytes(data: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(data)
    assert caught.value.data == data
    assert str(caught.value)


def test_bundles_are_bounded() -> None:
    data = encode("/x", 1)
    for _ in range(MAX_DEPTH):
        data = encode_bundle([data])
    assert decode(data)[0].address == "/x"
    with pytest.raises(BadMessage):
        decode(encode_bundle([data]))
    assert len(decode(encode_bundle([encode("/x")] * MAX_MESSAGES))) == MAX_MESSAGES
    with pytest.raises(BadMessage):
        decode(encode_bundle([encode("/x")] * (MAX_MESSAGES + 1)))
    with pytest.raises(BadMessage):
        decode(encode("/x", *[True] * (MAX_ARGUMENTS + 1)))


@settings(max_examples=400)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for packet in (data, b"/" + data, b"/x\0\0," + data, b"#bundle\0" + data):
        try:
            decode(packet)
        except BadMessage as error:
            assert error.data == packet


def test_no_mutation_of_a_good_packet_raises_anything_else() -> None:
    dice = random.Random(20)
    seeds = [
        encode("/deck/1/stem/vocals/volume", 0.5),
        encode("/deck/1/load", "a track", b"blob", True, None, 3),
        encode_bundle([encode("/a", 1), encode_bundle([encode("/b", 0.5, "x")], 9)], timetag_of(1e9)),
    ]
    read = refused = 0
    for _ in range(20_000):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            match dice.randrange(3):
                case 0:
                    data[dice.randrange(len(data))] = dice.randrange(256)
                case 1:
                    del data[dice.randrange(len(data)) :]
                case _:
                    place = dice.randrange(len(data) + 1)
                    data[place:place] = dice.randbytes(dice.randint(1, 8))
            if not data:
                break
        try:
            decode(bytes(data))
            read += 1
        except BadMessage:
            refused += 1
    assert read and refused


@given(st.floats(0, 4e9))
def test_time_tags_go_there_and_back(moment: float) -> None:
    assert math.isclose(unix_of(timetag_of(moment)), moment, abs_tol=1e-6)


def test_what_osc_cannot_carry_is_refused() -> None:
    with pytest.raises(BadMessage):
        encode("/x", 2**80)
    with pytest.raises(BadMessage):
        encode("/x", object())  # type: ignore[arg-type]
