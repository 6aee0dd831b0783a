"""Laws of the stream framings: packets come out as they went in, however the stream is cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.errors import BadMessage
from control.osc_codec import encode
from control.osc_stream import MAX_PACKET, Framing, LengthPrefix, Slip, framing_of

PACKETS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@pytest.mark.parametrize("framing", [Slip, LengthPrefix])
@given(packets=PACKETS, cuts=st.lists(st.integers(0, 300), max_size=8))
def test_packets_survive_any_cut(framing: type[Framing], packets: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framing().frame(packet) for packet in packets)
    places = [0, *sorted(cut for cut in cuts if cut <= len(stream)), len(stream)]
    reader, found = framing(), list[bytes]()
    for start, stop in itertools.pairwise(places):
        found += reader.feed(stream[start:stop])
    assert found == packets


def test_the_first_byte_tells_the_framing() -> None:
    packet = encode("/x", 1)
    for framing in (Slip(), LengthPrefix()):
        first = framing.frame(packet)
        reader = framing_of(first)
        assert type(reader) is type(framing)
        assert reader.feed(first) == [packet]
    assert framing_of(packet + b"\xc0").feed(packet + b"\xc0") == [packet], "SLIP without the leading END"


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x10\x00\x00"])
def test_a_length_that_cannot_be_loses_the_stream(data: bytes) -> None:
    with pytest.raises(BadMessage):
        LengthPrefix().feed(data)


def test_slip_is_bounded_and_checked() -> None:
    with pytest.raises(BadMessage):
        Slip().feed(b"a\xdbb\xc0")
    with pytest.raises(BadMessage):
        Slip().feed(b"\xc0a\xdb\xc0")
    with pytest.raises(BadMessage):
        Slip().feed(bytes(2 * MAX_PACKET + 1))


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_no_bytes_raise_anything_else(pieces: list[bytes]) -> None:
    for reader in (Slip(), LengthPrefix()):
        try:
            for piece in pieces:
                reader.feed(piece)
        except BadMessage:
            continue
