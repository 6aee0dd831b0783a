"""Cheap segment models with manners, and a tiny `.onnx` file written by hand: for laws that need no real network."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.engines.base import Audio, Cancelled

SOURCES = ("drums", "bass", "other", "vocals")


class FakeModel:
    """Answers depend on the place within the segment, so wrong weights or a wrong neighbour show.

    Counts its segments, refuses a chunk of the wrong size, and gives up when cancelled.
    """

    sources = SOURCES
    normalise = True

    def __init__(self, segment: int = 1000, stride: int = 750, context: int = 0, *, elsewhere: bool = False) -> None:
        self.segment, self.stride, self.context, self.elsewhere = segment, stride, context, elsewhere
        self.runs = 0
        self.during: Callable[[], None] = lambda: None

    def padded(self, frames: int) -> int:
        return self.segment if self.context == 0 else frames + 2 * self.context

    def run(self, chunk: Audio, cancelled: Cancelled) -> Audio | None:
        assert chunk.dtype == np.float32 and chunk.shape[0] == 2
        assert self.context or chunk.shape[1] == self.segment
        self.runs += 1
        self.during()
        if cancelled():
            return None
        place = np.sin(np.arange(chunk.shape[1], dtype=np.float32) * 0.37)
        gains = np.array([0.5, 0.3, 0.15, 0.05], np.float32)[:, None, None]
        answer: Audio = (gains * chunk[None] + 0.01 * place).astype(np.float32)
        return answer


def write_onnx(path: Path, gains: tuple[float, float, float, float]) -> None:
    """Write a model with htdemucs' inputs and outputs: a source is the spectrogram times a gain, plus a silent wave."""
    steps, frames = 336, 343_980
    nodes = (
        _node("Unsqueeze", ("onnx::ReduceMean_1", "one"), "deep")
        + _node("Mul", ("deep", "gains"), "spectra")
        + _node("Unsqueeze", ("input", "one"), "wide")
        + _node("Mul", ("wide", "silence"), "waves")
    )
    constants = (
        _tensor("one", (1,), 7, struct.pack("<q", 1))
        + _tensor("gains", (1, 4, 1, 1, 1), 1, struct.pack("<4f", *gains))
        + _tensor("silence", (1, 4, 1, 1), 1, struct.pack("<4f", 0.0, 0.0, 0.0, 0.0))
    )
    inputs = _port(11, "input", (1, 2, frames)) + _port(11, "onnx::ReduceMean_1", (1, 4, 2048, steps))
    outputs = _port(12, "spectra", (1, 4, 4, 2048, steps)) + _port(12, "waves", (1, 4, 2, frames))
    graph = nodes + _text(2, "fake") + constants + inputs + outputs
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, _text(1, "") + _number(2, 13)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _field(tag: int, content: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(content)) + content


def _text(tag: int, value: str) -> bytes:
    return _field(tag, value.encode())


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return _field(1, b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind))


def _tensor(name: str, shape: tuple[int, ...], kind: int, raw: bytes) -> bytes:
    dims = b"".join(_number(1, n) for n in shape)
    return _field(5, dims + _number(2, kind) + _text(8, name) + _field(9, raw))


def _port(tag: int, name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_field(1, _number(1, n)) for n in shape)
    return _field(tag, _text(1, name) + _field(2, _field(1, _number(1, 1) + _field(2, dims))))
