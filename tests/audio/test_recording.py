"""Recording: what was in the ring is what is in the file, bit for bit, and a file cut off at any moment plays."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from audio import recorder_link, recordings
from audio.client import EngineClient
from audio.commands import CommandKind, command, join
from audio.errors import StorageFull
from audio.kernel.layout import LOOK_AHEAD
from audio.launch import start_engine
from audio.recording import Recording, open_writer
from audio.rings import BUS_CAPACITY, BUS_RING, BusReader
from audio.settings import AudioSettings
from audio.units import BUSES, RECORDING_FORMATS
from audio.wav import FLOAT_FRAME_BYTES, FRAME_BYTES, HEADER_BYTES, header
from tests.audio.engines import deck_source, play_from, record, running_engine, until
from tests.audio.material import Audio, music

RATE = 48_000
BLOCK = 1152
"""Frames of a FLAC block: what may be missing from a file that was not ended."""

FORMATS = pytest.mark.parametrize("form", RECORDING_FORMATS)
SUFFIXES = {form: recordings.suffix_of(form) for form in RECORDING_FORMATS}


class Ring:
    """A master ring and the kernel's hand on it."""

    def __init__(self) -> None:
        self.memory = np.zeros((), BUS_RING)
        self.reader = BusReader(self.memory)

    def put(self, audio: Audio) -> None:
        start = int(self.memory["written"])
        self.memory["samples"][np.arange(start, start + len(audio)) % BUS_CAPACITY] = audio
        self.memory["written"] = start + len(audio)


def noise(frames: int, seed: int = 0, level: float = 0.4) -> Audio:
    return (np.random.default_rng(seed).standard_normal((frames, 2)) * level).astype(np.float32)


def bits(audio: Audio, form: str = "flac") -> np.ndarray:
    """Return audio as a file of that format holds it: as 24-bit integers, or as it is."""
    if form == "wav-float":
        return audio
    return np.clip(np.rint(audio.astype(np.float64) * 2**23), -(2**23), 2**23 - 1).astype(np.int64)


def stored(path: Path) -> np.ndarray:
    """Return a whole file as 24-bit integers, or as floats where it holds such."""
    told = soundfile.info(path)
    assert told.samplerate == RATE and told.subtype in ("PCM_24", "FLOAT")
    if told.subtype == "FLOAT":
        return np.asarray(soundfile.read(path, dtype="float32", always_2d=True)[0])
    audio, _ = soundfile.read(path, dtype="int32", always_2d=True)
    return audio.astype(np.int64) >> 8


@FORMATS
def test_what_was_in_the_ring_is_in_the_file(form: str, tmp_path: Path) -> None:
    song, ring, path = noise(300_000, level=0.6), Ring(), tmp_path / f"a.{SUFFIXES[form]}"
    ring.put(song[:1000])
    writer = open_writer(path, RATE, form)
    recording = Recording(ring.reader, writer, 400)
    rng = np.random.default_rng(1)
    at = 1000
    while at < len(song):
        step = int(rng.choice([1, 64, 65, 128, 512, 4096, 30_000]))
        ring.put(song[at : at + step])
        at += step
        if rng.random() < 0.5:
            recording.pull()
            recording.checkpoint()
    recording.pull()
    recording.close()
    assert (recording.frames, recording.gaps) == (len(song) - 400, 0)
    assert np.abs(song).max() > 1  # some of it is clipped
    assert np.array_equal(stored(path), bits(song[400:], form))
    [listed] = recordings.listing(tmp_path)
    assert listed.length_s == pytest.approx((len(song) - 400) / RATE) and listed.size == path.stat().st_size


@FORMATS
def test_silence_stays_silence(form: str, tmp_path: Path) -> None:
    ring, path = Ring(), tmp_path / f"a.{SUFFIXES[form]}"
    ring.put(np.zeros((5000, 2), np.float32))
    writer = open_writer(path, RATE, form)
    Recording(ring.reader, writer, 0).pull()
    writer.close()
    assert not stored(path).any() and len(stored(path)) == 5000


def test_what_was_overwritten_unread_is_silence_of_its_length(tmp_path: Path) -> None:
    song, ring = noise(BUS_CAPACITY * 3), Ring()
    writer = open_writer(tmp_path / "a.flac", RATE, "flac")
    recording = Recording(ring.reader, writer, 0)
    ring.put(song[:10_000])
    recording.pull()
    ring.put(song[10_000:BUS_CAPACITY])
    ring.put(song[BUS_CAPACITY : 2 * BUS_CAPACITY])
    ring.put(song[2 * BUS_CAPACITY :])
    recording.pull()
    writer.close()
    lost = len(song) - 3 * BUS_CAPACITY // 4 - 10_000
    assert (recording.frames, recording.gaps, recording.gap_frames) == (len(song), 1, lost)
    meant = bits(song)
    meant[10_000 : 10_000 + lost] = 0
    assert np.array_equal(stored(tmp_path / "a.flac"), meant)


def test_time_without_an_engine_is_silence_and_the_next_one_goes_on(tmp_path: Path) -> None:
    first, second, writer = Ring(), Ring(), open_writer(tmp_path / "a.wav", RATE, "wav")
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
    song, cut = noise(200_000), tmp_path / f"cut.{SUFFIXES[form]}"
    writer = open_writer(tmp_path / f"a.{SUFFIXES[form]}", RATE, form)
    for step in range(10):
        writer.write(song[step * 20_000 : (step + 1) * 20_000])
        before = cut.read_bytes() if cut.exists() else b""
        writer.checkpoint()
        cut.write_bytes((tmp_path / f"a.{SUFFIXES[form]}").read_bytes())
        whole = (step + 1) * 20_000
        heard = stored(cut)
        assert whole - BLOCK <= len(heard) <= whole and np.array_equal(heard, bits(song[: len(heard)], form))
        if before:
            # Killed between two checkpoints: the header of the one before, and part of what came since.
            after = cut.read_bytes()
            cut.write_bytes(before + after[len(before) : len(before) + 10_001])
            heard = stored(cut)
            assert whole - 20_000 - BLOCK <= len(heard) and np.array_equal(heard, bits(song[: len(heard)], form))
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
    writer = open_writer(tmp_path / f"a.{SUFFIXES[form]}", RATE, form)
    with files_no_larger_than(500_000), pytest.raises(StorageFull):
        while written < len(song):
            writer.write(song[written : written + 9_600])
            writer.checkpoint()
            written += 9_600
    writer.give_up()
    heard = stored(tmp_path / f"a.{SUFFIXES[form]}")
    assert 50_000 < written - BLOCK <= len(heard) <= written and np.array_equal(heard, bits(song[: len(heard)], form))


@pytest.mark.parametrize("floats", [False, True])
def test_a_wav_beyond_4_gib_is_rf64(floats: bool, tmp_path: Path) -> None:
    path, frames = tmp_path / "long.wav", 5 * 3600 * RATE
    with path.open("wb") as file:
        file.write(header(RATE, frames, floats=floats))
        size = FLOAT_FRAME_BYTES if floats else FRAME_BYTES
        file.truncate(HEADER_BYTES + frames * size)  # a hole: it takes no room
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


@pytest.mark.anyio
async def test_buses_are_recorded_in_step_with_the_master(tmp_path: Path) -> None:
    """Buses beside the master: the files are equally long and the decks add up to the master on the very frame; killed,
    all of them play; and a killed engine leaves the same gap in each."""
    names = ["headphones", "deck1", "deck2", "pads"]
    armed = join([command(CommandKind.RECORD_BUS, 0, BUSES.index(name), a=1) for name in names])
    async with running_engine() as (client, process, runtime_dir):
        client.send(armed)
        for deck in (0, 1):
            await client.load(deck, deck + 1, deck_source(tmp_path / f"{deck}.flac", 0.3 * music(30, seed=deck)))
            await play_from(client, deck, 1000 * deck)
        await until(lambda: float(client.snapshot()["master_peak"].max()) > 0.05)

        recorder, folder = begin_all(client, runtime_dir, tmp_path / "whole", "wav-float", names)
        await until(lambda: recorded_by(recorder, runtime_dir, 3 * RATE))
        recorder_link.end(noted(runtime_dir))
        await until(lambda: recorder.poll() is not None)
        note = noted(runtime_dir)
        assert (recorder.returncode, note.reason, note.buses) == (0, recorder_link.STOPPED, tuple(names))
        left, audio = heard_in(folder)
        assert left.name == note.file and left.name.endswith("/master.wav")
        assert list(audio) == ["master", *names] and {len(sound) for sound in audio.values()} == {note.frames}
        assert audio["deck1"].any() and audio["deck2"].any() and not audio["headphones"].any()
        assert not np.allclose(audio["deck1"][1:], audio["deck1"][:-1], atol=1e-3)
        assert adds_up(audio, sheet_of(left)) > RATE
        sheet = sheet_of(left)
        assert (sheet.rate, sheet.frames) == (RATE, note.frames)
        assert sheet.files == {name: f"{name}.wav" for name in ("master", *names)}

        recorder, folder = begin_all(client, runtime_dir, tmp_path / "killed", "flac", names)
        await until(lambda: recorded_by(recorder, runtime_dir, RATE))
        os.kill(recorder.pid, signal.SIGKILL)
        recorder.wait()
        left, audio = heard_in(folder)
        length = min(len(sound) for sound in audio.values())
        assert length >= RATE - BLOCK
        assert adds_up({name: sound[:length] for name, sound in audio.items()}, sheet_of(left)) > 0

        recorder, folder = begin_all(client, runtime_dir, tmp_path / "lost", "wav", names)
        await until(lambda: recorded_by(recorder, runtime_dir, RATE))
        before = noted(runtime_dir).gaps
        process.end()
        again, second = await start_engine(
            runtime_dir, AudioSettings(device="null"), log=tmp_path / "log", parent_pid=os.getpid()
        )
        try:
            again.send(armed)
            await again.load(0, 1, deck_source(tmp_path / "0.flac", 0.3 * music(30, seed=0)))
            await play_from(again, 0, 0)
            await until(lambda: noted(runtime_dir).gaps > before)
            reached = noted(runtime_dir).frames + 3 * RATE
            await until(lambda: recorded(runtime_dir, reached))
        finally:
            await again.quit()
            second.end()
        await until(lambda: recorder.poll() is not None)
        left, audio = heard_in(folder)
        assert {len(sound) for sound in audio.values()} == {noted(runtime_dir).frames}
        assert adds_up(audio, sheet_of(left)) > RATE and audio["master"][-RATE:].any()
        # The time without an engine, the first that was lost after the start, is the same in every file.
        later = [one for one in sheet_of(left).lost if one.start >= RATE]
        gaps = [next(one for one in later if one.bus == name) for name in audio]
        assert len({(gap.start, gap.frames) for gap in gaps}) == 1
        gap = slice(gaps[0].start, gaps[0].start + gaps[0].frames)
        assert not any(sound[gap].any() for sound in audio.values())


def adds_up(audio: dict[str, np.ndarray], sheet: recordings.Sheet) -> int:
    """Check that the decks are the master, frame by frame, wherever nothing was lost; return how many frames that is.

    A recorder on a busy machine may take longer to start than the rings reach back."""
    there = np.ones(len(audio["master"]), bool)
    for lost in sheet.lost:
        there[lost.start : lost.start + lost.frames] = False
    assert np.abs(audio["deck1"] + audio["deck2"] - audio["master"])[there].max() < 1e-6
    return int(there.sum())


def recorded_by(recorder: "subprocess.Popen[bytes]", runtime_dir: Path, frames: int) -> bool:
    """Say whether this recorder, and not one before it, has told of so many frames."""
    note = recorder_link.read_note(runtime_dir)
    return note is not None and note.pid == recorder.pid and note.frames >= frames


def begin_all(
    client: EngineClient, runtime_dir: Path, folder: Path, form: str, names: list[str]
) -> tuple["subprocess.Popen[bytes]", Path]:
    """Begin a recording with buses in a new folder."""
    folder.mkdir()
    log = folder.with_suffix(".log")
    return recorder_link.spawn(runtime_dir, folder, form, client.master_cursor, log, names), folder


def heard_in(folder: Path) -> tuple[recordings.Recorded, dict[str, np.ndarray]]:
    """Return the one recording of a folder, and what is in its files, full scale 1."""
    [left] = recordings.listing(folder)
    sounds = {path.stem: stored(path) for path in (left.path, *left.parts)}
    return left, {name: sound / (1 if sound.dtype == np.float32 else 2**23) for name, sound in sounds.items()}


def sheet_of(recorded: recordings.Recorded) -> recordings.Sheet:
    assert recorded.sheet is not None
    return msgspec.json.decode(recorded.sheet.read_bytes(), type=recordings.Sheet)


# --- buses, without an engine -----------------------------------------------------------------------------------------


def beside(tmp_path: Path, master: Ring, deck: Ring, cursor: int = 0) -> Recording:
    """Return a recording of two rings into two WAV files."""
    writers = [open_writer(tmp_path / f"{name}.wav", RATE, "wav") for name in ("master", "deck1")]
    return Recording(master.reader, writers[0], cursor, [(deck.reader, writers[1])])


def test_a_bus_that_is_not_filled_is_silence_and_nothing_is_lost(tmp_path: Path) -> None:
    """Armed late, and no longer: the file keeps step all the same."""
    master, deck, song = Ring(), Ring(), noise(9000)
    deck.memory["since"] = deck.memory["written"] = 2000
    recording = beside(tmp_path, master, deck)
    master.put(song[:1000])
    recording.pull()
    deck.put(song[2000:5000])
    master.put(song[1000:5000])
    recording.pull()
    master.put(song[5000:])
    recording.pull()
    recording.close()
    meant = song.copy()
    meant[:2000], meant[5000:] = 0, 0
    assert np.array_equal(stored(tmp_path / "deck1.wav"), bits(meant))
    assert np.array_equal(stored(tmp_path / "master.wav"), bits(song)) and recording.gaps == 0


def test_a_bus_that_waits_for_no_limiter_is_read_from_earlier(tmp_path: Path) -> None:
    master, deck, song = Ring(), Ring(), noise(5000)
    master.memory["delay_frames"] = 24
    deck.put(song)
    master.put(np.r_[np.zeros((24, 2), np.float32), song[:-24]])
    recording = beside(tmp_path, master, deck, 1000)
    recording.pull()
    recording.close()
    assert np.array_equal(stored(tmp_path / "deck1.wav"), stored(tmp_path / "master.wav"))
    assert np.array_equal(stored(tmp_path / "deck1.wav"), bits(song[976:-24]))


def test_what_is_heard_lies_on_what_it_was_played_to(tmp_path: Path) -> None:
    """An input that comes 500 frames late is waited for, whatever has come of it by each look."""
    master, heard, song, late = Ring(), Ring(), noise(20_000), 500
    heard.memory["delay_frames"] = late
    recording = beside(tmp_path, master, heard, 1000)
    echo = np.r_[np.zeros((late, 2), np.float32), song[:-late]]
    for start in range(0, len(song), 700):
        heard.put(echo[start : start + 700])
        master.put(song[start : start + 700])
        recording.pull()
    recording.close()
    assert recording.frames == len(song) - 1000 - late and recording.gaps == 0
    assert np.array_equal(stored(tmp_path / "deck1.wav"), stored(tmp_path / "master.wav"))
    assert np.array_equal(stored(tmp_path / "master.wav"), bits(song[1000:-late]))


def test_a_recorder_that_falls_behind_leaves_the_same_gap_in_every_file(tmp_path: Path) -> None:
    master, deck, song = Ring(), Ring(), noise(3 * BUS_CAPACITY)
    recording = beside(tmp_path, master, deck)
    for start in range(0, len(song), BUS_CAPACITY):
        deck.put(song[start : start + BUS_CAPACITY])
        master.put(song[start : start + BUS_CAPACITY])
    recording.pull()
    recording.close()
    assert recording.lost == (((0, len(song) - 3 * BUS_CAPACITY // 4),),) * 2
    assert np.array_equal(stored(tmp_path / "deck1.wav"), stored(tmp_path / "master.wav"))


def test_a_full_disk_leaves_every_file_whole(tmp_path: Path) -> None:
    master, deck, song = Ring(), Ring(), noise(200_000)
    recording = beside(tmp_path, master, deck)
    with files_no_larger_than(500_000), pytest.raises(StorageFull):
        for start in range(0, len(song), 9_600):
            deck.put(song[start : start + 9_600])
            master.put(song[start : start + 9_600])
            recording.pull()
            recording.checkpoint()
    recording.give_up()
    for name in ("master", "deck1"):
        heard = stored(tmp_path / f"{name}.wav")
        assert len(heard) > 60_000 and np.array_equal(heard, bits(song[: len(heard)]))


def test_a_recording_with_buses_has_a_folder_which_goes_with_it(tmp_path: Path) -> None:
    paths = [recordings.fresh(tmp_path, "wav-float", with_buses=True) for _ in range(2)]
    assert len({path.parent for path in paths}) == 2 and {path.name for path in paths} == {"master.wav"}
    for name in ("master.wav", "deck2.wav", "master.cue", "recording.json", "mine.txt"):
        (paths[0].parent / name).write_bytes(b"something")
    paths[1].write_bytes(b"something")
    found = recordings.find(tmp_path, f"{paths[0].parent.name}/master.wav")
    assert found is not None and [part.name for part in found.parts] == ["deck2.wav"]
    assert {name.split("/")[1] for name in found.files()} == {"master.wav", "deck2.wav", "master.cue", "recording.json"}
    found.delete()
    assert [path.name for path in paths[0].parent.iterdir()] == ["mine.txt"]
    other = recordings.find(tmp_path, f"{paths[1].parent.name}/master.wav")
    assert other is not None
    other.delete()
    assert not paths[1].parent.exists()
