"""Recording: what was in the ring is what is in the file, bit for bit, and a file cut off at any moment plays."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio import recorder_link, recordings
from audio.client import EngineClient
from audio.errors import StorageFull
from audio.kernel.layout import LOOK_AHEAD
from audio.launch import start_engine
from audio.recording import Recording, open_writer
from audio.rings import MASTER_CAPACITY, MASTER_RING, MasterReader
from audio.settings import AudioSettings
from audio.units import RECORDING_FORMATS
from audio.wav import FRAME_BYTES, HEADER_BYTES, header
from tests.audio.engines import deck_source, play_from, record, running_engine, until
from tests.audio.material import Audio, music

RATE = 48_000
BLOCK = 1152
"""Frames of a FLAC block: what may be missing from a file that was not ended."""

FORMATS = pytest.mark.parametrize("form", RECORDING_FORMATS)


class Ring:
    """A master ring and the kernel's hand on it."""

    def __init__(self) -> None:
        self.memory = np.zeros((), MASTER_RING)
        self.reader = MasterReader(self.memory)

    def put(self, audio: Audio) -> None:
        start = int(self.memory["written"])
        self.memory["samples"][np.arange(start, start + len(audio)) % MASTER_CAPACITY] = audio
        self.memory["written"] = start + len(audio)


def noise(frames: int, seed: int = 0, level: float = 0.4) -> Audio:
    return (np.random.default_rng(seed).standard_normal((frames, 2)) * level).astype(np.float32)


def bits(audio: Audio) -> np.ndarray:
    """Return audio as 24-bit integers."""
    return np.clip(np.rint(audio.astype(np.float64) * 2**23), -(2**23), 2**23 - 1).astype(np.int64)


def stored(path: Path) -> np.ndarray:
    """Return a whole file as 24-bit integers."""
    audio, rate = soundfile.read(path, dtype="int32", always_2d=True)
    assert rate == RATE and soundfile.info(path).subtype == "PCM_24"
    return audio.astype(np.int64) >> 8


@FORMATS
def test_what_was_in_the_ring_is_in_the_file(form: str, tmp_path: Path) -> None:
    song, ring, path = noise(300_000, level=0.6), Ring(), tmp_path / f"a.{form}"
    ring.put(song[:1000])
    writer = open_writer(path, RATE)
    recording = Recording(ring.reader, writer, 400)
    rng = np.random.default_rng(1)
    at = 1000
    while at < len(song):
        step = int(rng.choice([1, 64, 65, 128, 512, 4096, 30_000]))
        ring.put(song[at : at + step])
        at += step
        if rng.random() < 0.5:
            recording.pull()
            writer.checkpoint()
    recording.pull()
    writer.close()
    assert (recording.frames, recording.gaps) == (len(song) - 400, 0)
    assert np.abs(song).max() > 1  # some of it is clipped
    assert np.array_equal(stored(path), bits(song[400:]))
    [listed] = recordings.listing(tmp_path)
    assert listed.length_s == pytest.approx((len(song) - 400) / RATE) and listed.size == path.stat().st_size


@FORMATS
def test_silence_stays_silence(form: str, tmp_path: Path) -> None:
    ring, path = Ring(), tmp_path / f"a.{form}"
    ring.put(np.zeros((5000, 2), np.float32))
    writer = open_writer(path, RATE)
    Recording(ring.reader, writer, 0).pull()
    writer.close()
    assert not stored(path).any() and len(stored(path)) == 5000


def test_what_was_overwritten_unread_is_silence_of_its_length(tmp_path: Path) -> None:
    song, ring = noise(MASTER_CAPACITY * 3), Ring()
    writer = open_writer(tmp_path / "a.flac", RATE)
    recording = Recording(ring.reader, writer, 0)
    ring.put(song[:10_000])
    recording.pull()
    ring.put(song[10_000:MASTER_CAPACITY])
    ring.put(song[MASTER_CAPACITY : 2 * MASTER_CAPACITY])
    ring.put(song[2 * MASTER_CAPACITY :])
    recording.pull()
    writer.close()
    lost = len(song) - 3 * MASTER_CAPACITY // 4 - 10_000
    assert (recording.frames, recording.gaps, recording.gap_frames) == (len(song), 1, lost)
    meant = bits(song)
    meant[10_000 : 10_000 + lost] = 0
    assert np.array_equal(stored(tmp_path / "a.flac"), meant)


def test_time_without_an_engine_is_silence_and_the_next_one_goes_on(tmp_path: Path) -> None:
    first, second, writer = Ring(), Ring(), open_writer(tmp_path / "a.wav", RATE)
    first.put(noise(5000, 1))
    second.put(noise(7000, 2))
    recording = Recording(first.reader, writer, 0)
    recording.pull()
    recording.go_on(second.reader, 0, 40_000)
    recording.pull()
    writer.close()
    meant = np.concatenate([bits(noise(5000, 1)), np.zeros((40_000, 2), np.int64), bits(noise(7000, 2))])
    assert np.array_equal(stored(tmp_path / "a.wav"), meant)
    assert (recording.gaps, recording.gap_frames) == (1, 40_000)


@FORMATS
def test_a_file_cut_off_at_any_moment_plays_up_to_its_last_checkpoint(form: str, tmp_path: Path) -> None:
    song, cut = noise(200_000), tmp_path / f"cut.{form}"
    writer = open_writer(tmp_path / f"a.{form}", RATE)
    for step in range(10):
        writer.write(song[step * 20_000 : (step + 1) * 20_000])
        before = cut.read_bytes() if cut.exists() else b""
        writer.checkpoint()
        cut.write_bytes((tmp_path / f"a.{form}").read_bytes())
        whole = (step + 1) * 20_000
        heard = stored(cut)
        assert whole - BLOCK <= len(heard) <= whole and np.array_equal(heard, bits(song[: len(heard)]))
        if before:
            # Killed between two checkpoints: the header of the one before, and part of what came since.
            after = cut.read_bytes()
            cut.write_bytes(before + after[len(before) : len(before) + 10_001])
            heard = stored(cut)
            assert whole - 20_000 - BLOCK <= len(heard) and np.array_equal(heard, bits(song[: len(heard)]))
            cut.write_bytes(after)
    writer.close()


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let every write beyond `size` bytes of a file fail, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@FORMATS
def test_a_full_disk_leaves_what_was_recorded(form: str, tmp_path: Path) -> None:
    song, written = noise(400_000), 0
    writer = open_writer(tmp_path / f"a.{form}", RATE)
    with files_no_larger_than(500_000), pytest.raises(StorageFull):
        while written < len(song):
            writer.write(song[written : written + 9_600])
            writer.checkpoint()
            written += 9_600
    writer.give_up()
    heard = stored(tmp_path / f"a.{form}")
    assert 50_000 < written - BLOCK <= len(heard) <= written and np.array_equal(heard, bits(song[: len(heard)]))


def test_a_wav_beyond_4_gib_is_rf64(tmp_path: Path) -> None:
    path, frames = tmp_path / "long.wav", 5 * 3600 * RATE
    with path.open("wb") as file:
        file.write(header(RATE, frames))
        file.truncate(HEADER_BYTES + frames * FRAME_BYTES)  # a hole: it takes no room
    told = soundfile.info(path)
    assert (told.format, told.frames, told.samplerate) == ("RF64", frames, RATE)
    [listed] = recordings.listing(tmp_path)
    assert listed.length_s == 5 * 3600


def test_a_name_is_never_given_twice_and_only_recordings_are_found(tmp_path: Path) -> None:
    names = []
    for form in ("flac", "wav", "flac"):
        path = recordings.fresh(tmp_path, form)
        path.write_bytes(b"something else")
        names.append(path.stem)
    assert len(set(names)) == 3
    (tmp_path / "show.json").write_text("{}")
    (tmp_path / "link.flac").symlink_to(tmp_path / "show.json")
    assert {one.path.stem for one in recordings.listing(tmp_path)} == set(names)
    assert recordings.find(tmp_path, "../show.json") is None and recordings.find(tmp_path, "show.json") is None
    assert recordings.listing(tmp_path / "nowhere") == []


# --- the process, on a real engine ------------------------------------------------------------------------------------


def begin(client: EngineClient, runtime_dir: Path, folder: Path, form: str = "flac") -> "subprocess.Popen[bytes]":
    return recorder_link.spawn(runtime_dir, folder, form, client.master_cursor, folder / "log")


def noted(runtime_dir: Path) -> recorder_link.RecorderNote:
    note = recorder_link.read_note(runtime_dir)
    assert note is not None
    return note


def recorded(runtime_dir: Path, frames: int) -> bool:
    """Say whether the recorder has told of so many frames."""
    note = recorder_link.read_note(runtime_dir)
    return note is not None and note.frames >= frames


@pytest.mark.anyio
async def test_a_recorder_beside_an_engine(tmp_path: Path) -> None:
    """One engine for all of it, since starting one is what takes time: the file is the master; a killed recorder
    leaves a file that plays; a killed engine is waited for; one that quits ends the recording."""
    async with running_engine() as (client, process, runtime_dir):
        await client.load(0, 1, deck_source(tmp_path / "a.flac", music(30)))
        await play_from(client, 0, 0)

        exact = tmp_path / "exact"
        exact.mkdir()
        cursor = client.master_cursor
        recorder = recorder_link.spawn(runtime_dir, exact, "flac", cursor, tmp_path / "log")
        await until(lambda: recorded(runtime_dir, 1))
        # A recorder that took long to start has a gap at its beginning, and is at the right time all the same.
        later = client.master_cursor
        heard = await record(client, later, RATE)
        await until(lambda: recorded(runtime_dir, later - cursor + LOOK_AHEAD + RATE))
        assert recorder_link.is_recording(runtime_dir)
        refused = recorder_link.spawn(runtime_dir, exact, "flac", cursor, tmp_path / "log")
        await until(lambda: refused.poll() is not None)
        assert refused.returncode == 3
        recorder_link.end(noted(runtime_dir))
        await until(lambda: recorder.poll() is not None)
        note = noted(runtime_dir)
        assert (recorder.returncode, note.reason) == (0, recorder_link.STOPPED)
        assert note.gap_frames < later - cursor
        assert not recorder_link.is_recording(runtime_dir)
        audio = stored(exact / note.file)
        assert len(audio) == note.frames and heard.any()
        assert np.array_equal(audio[later - cursor + LOOK_AHEAD :][:RATE], bits(heard))

        for form in RECORDING_FORMATS:
            folder = tmp_path / f"killed-{form}"
            folder.mkdir()
            recorder = begin(client, runtime_dir, folder, form)
            pid = recorder.pid
            await until(lambda pid=pid: noted(runtime_dir).pid == pid and recorded(runtime_dir, RATE))
            told = noted(runtime_dir).frames
            os.kill(recorder.pid, signal.SIGKILL)
            recorder.wait()
            [left] = recordings.listing(folder)
            assert len(stored(left.path)) >= told - BLOCK and stored(left.path).any()
            assert not recorder_link.is_recording(runtime_dir) and noted(runtime_dir).reason == ""

        folder = tmp_path / "engine"
        folder.mkdir()
        recorder = begin(client, runtime_dir, folder)
        await until(lambda: noted(runtime_dir).pid == recorder.pid and recorded(runtime_dir, 1))
        process.end()
        again, second = await start_engine(
            runtime_dir, AudioSettings(device="null"), log=tmp_path / "log", parent_pid=os.getpid()
        )
        try:
            await until(lambda: noted(runtime_dir).gaps == 1)
            note = noted(runtime_dir)
            await until(lambda: recorded(runtime_dir, note.frames + RATE))
            assert recorder.poll() is None
        finally:
            await again.quit()
            second.end()
        await until(lambda: recorder.poll() is not None)
        note = noted(runtime_dir)
        assert (note.reason, note.gaps) == (recorder_link.ENGINE_ENDED, 1) and note.gap_frames > 0
        assert len(stored(folder / note.file)) == note.frames
