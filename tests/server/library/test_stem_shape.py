"""The shape of a stem against what is in its file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.waveform_header import HEADER_BYTES, SIZES
from server.library.stem_shape import StemShapes, shape

RATE = 44_100


def bins_of(data: bytes) -> tuple[int, np.ndarray, np.ndarray]:
    """Return frames, coarse and fine records."""
    _, _, head, _, _, frames, fine, _, coarse, _ = SIZES.unpack_from(data)
    assert head == HEADER_BYTES and len(data) == head + 5 * (fine + coarse)
    rows = np.frombuffer(data[head:], np.uint8).reshape(-1, 5)
    return frames, rows[:coarse], rows[coarse:]


@pytest.mark.parametrize("frames", [1, 293, 294, 295, RATE, 20 * RATE + 7])
def test_peaks_and_level_are_those_of_the_file(tmp_path: Path, frames: int) -> None:
    audio = np.random.default_rng(3).uniform(-0.5, 0.5, (frames, 2)).astype(np.float32)
    path = tmp_path / "stem.flac"
    soundfile.write(path, audio, RATE, subtype="PCM_24")
    told, coarse, fine = bins_of(shape(path))
    size = RATE // 150
    assert told == frames and len(fine) == -(-frames // size) and len(coarse) <= 2000
    for index in {0, len(fine) // 2, len(fine) - 1}:
        block = audio[index * size : (index + 1) * size]
        low, high = fine[index, :2].view(np.int8)
        assert low / 127 == pytest.approx(block.min(), abs=0.01) and high / 127 == pytest.approx(block.max(), abs=0.01)
        assert (fine[index, 2] / 255) ** 2 == pytest.approx(np.sqrt(np.mean(block.mean(axis=1) ** 2)), abs=0.01)


def test_a_shape_is_read_once_and_a_broken_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "stem.flac"
    soundfile.write(path, np.zeros((RATE, 2)), RATE)
    shapes = StemShapes()
    first = shapes.of(path, "sum")
    path.write_bytes(b"no audio")
    assert shapes.of(path, "sum") is first
    with pytest.raises(RuntimeError):
        shapes.of(path, "other sum")
