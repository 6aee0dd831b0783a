"""Ranges and raw files: laws, not examples, where there are laws."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pcm import RawFile, chunks, difference, from_bytes, on_grid, to_bytes, total, union

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def frames_of(ranges: object) -> set[int]:
    return {frame for start, stop in ranges for frame in range(start, stop)}  # type: ignore[attr-defined]


@given(spans)
def test_a_union_holds_the_same_frames_in_the_fewest_pieces(ranges: list[tuple[int, int]]) -> None:
    joined = union(ranges)
    assert frames_of(joined) == frames_of(ranges)
    assert total(joined) == len(frames_of(ranges))
    assert all(before[1] < after[0] for before, after in pairwise(joined))


@given(spans, spans)
def test_a_difference_holds_what_is_in_the_first_only(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    assert frames_of(difference(one, other)) == frames_of(one) - frames_of(other)


@given(spans, st.integers(1, 9))
def test_chunks_cover_the_same_and_are_short(ranges: list[tuple[int, int]], longest: int) -> None:
    pieces = list(chunks(union(ranges), longest))
    assert frames_of(pieces) == frames_of(ranges) and all(0 < stop - start <= longest for start, stop in pieces)


def test_audio_comes_back_from_any_order_of_writing(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    audio = (rng.integers(-(2**23) + 1, 2**23, (2, 200_000)) / 2.0**21).astype(np.float32)
    raw = to_bytes(audio)
    file = RawFile(tmp_path / "x")
    pieces = list(chunks(((0, 200_000),), 7_001))
    rng.shuffle(pieces)
    for start, stop in pieces:
        file.write(start, raw[start * 8 : stop * 8])
    assert file.read(0, 200_000) == raw and np.array_equal(from_bytes(file.read(0, 200_000)), audio)
    assert file.sha256(200_000) == hashlib.sha256(raw).hexdigest()
    assert file.peak(200_000) == np.abs(audio).max()
    with pytest.raises(EOFError):
        file.read(199_999, 200_001)


def test_what_24_bits_cannot_hold_is_not_on_the_grid() -> None:
    edge = (2**23 - 1) / 2.0**21
    for value, holds in ((0.0, True), (edge, True), (-edge, True), (2.0**-21, True), (4.0, False), (-4.0, False),
                         (2.0**-22, False), (np.nan, False), (np.inf, False)):  # fmt: skip
        assert on_grid(np.array([0.0, value], "<f4").tobytes()) is holds, value
