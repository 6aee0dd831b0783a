"""The file a render writes appears whole, or not at all."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.errors import BadRequest, StorageFull
from server.session import sink
from server.session.sink import BATCH_FRAMES, Sink


def noise(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).uniform(-0.5, 0.5, (frames, 2)).astype(np.float32)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "A.WAV"])
@pytest.mark.parametrize("frames", [1, BATCH_FRAMES, 2 * BATCH_FRAMES + 17])
def test_what_goes_in_comes_out(tmp_path: Path, name: str, frames: int):
    audio = noise(frames)
    with Sink(tmp_path / name, 48_000) as into:
        for start in range(0, frames, 1000):
            into.write(audio[start : start + 1000])
    assert into.frames == frames and into.peak == pytest.approx(np.abs(audio).max(initial=0))
    read, rate = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)
    assert rate == 48_000 and np.abs(read - audio).max(initial=0) <= (0 if name.lower().endswith("wav") else 2**-23)


def test_nothing_is_a_wav_of_no_frames(tmp_path: Path):
    with Sink(tmp_path / "a.wav", 48_000):
        pass
    assert soundfile.info(tmp_path / "a.wav").frames == 0


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"before")
    with pytest.raises(KeyError), Sink(tmp_path / name, 48_000) as into:
        into.write(noise(3 * BATCH_FRAMES))
        raise KeyError
    assert [p.name for p in tmp_path.iterdir()] == [name] and (tmp_path / name).read_bytes() == b"before"


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(self: object, audio: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sink._Wav, "write", full)
    with pytest.raises(StorageFull), Sink(tmp_path / "a.wav", 48_000) as into:
        into.write(noise(BATCH_FRAMES))
    with pytest.raises(StorageFull), Sink(tmp_path / "a.wav", 48_000) as into:
        into.write(noise(10))
    assert list(tmp_path.iterdir()) == []


def test_a_wav_does_not_pass_four_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sink, "_LARGEST_WAV", 1000)
    with pytest.raises(BadRequest, match=r"render to \.flac"), Sink(tmp_path / "a.wav", 48_000) as into:
        into.write(noise(1000))
    assert list(tmp_path.iterdir()) == []
