"""Laws of the one decode: frame 0 is frame 0 in every format, bad files are told apart, nothing is left behind."""

import itertools
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from audio.errors import DecoderCrashed, DecodeTimeout, NotAudio, StorageFull
from audio.importer import Importer
from audio.reference import Reference
from audio.resample import Resampler
from audio.waveform import RECORD, WaveformBuilder
from audio.waveform_header import SIZES, read_levels
from tests.audio.engines import until
from tests.audio.material import Audio, decibels, encode, has_ffmpeg, music, offset_of, write_wav

pytestmark = pytest.mark.anyio

#: File ending, ffmpeg options, and how far (dB) the codec may stray from the source.
FORMATS = {
    "wav": ((), -70),
    "flac": ((), -70),
    "aiff": ((), -70),
    "mp3": (("-b:a", "256k"), -25),
    "ogg": (("-c:a", "libvorbis", "-q:a", "7"), -20),
    "opus": (("-c:a", "libopus", "-b:a", "192k"), -20),
    "m4a": (("-c:a", "aac", "-b:a", "256k"), -25),
}


@pytest.fixture(scope="module")
async def importer() -> AsyncIterator[Importer]:
    made = Importer()
    await made.start()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("source") / "song.wav", music(3))


def stored(reference: Reference) -> Audio:
    audio, rate = soundfile.read(str(reference.path), dtype="float64")
    assert rate == reference.rate
    return audio * reference.gain


@pytest.mark.parametrize("ending", FORMATS)
async def test_frame_0_is_the_first_audible_frame(
    ending: str, importer: Importer, source: Path, tmp_path: Path
) -> None:
    if not has_ffmpeg():
        if os.environ.get("CI"):
            pytest.fail("ffmpeg is missing")
        pytest.skip("ffmpeg is missing")
    options, tolerance_db = FORMATS[ending]
    encode(source, tmp_path / f"song.{ending}", *options)
    reference = await importer.decode(tmp_path / f"song.{ending}", tmp_path / "out")
    meant = music(3)
    if reference.rate != 44_100:
        meant = Resampler(44_100, reference.rate).resample(meant.astype(np.float32)).astype(np.float64)
    heard = stored(reference)
    assert offset_of(heard[:, 0], meant[:, 0]) == 0
    assert len(heard) == len(meant)
    residue = np.sqrt(np.mean((heard - meant) ** 2) / np.mean(meant**2))
    assert decibels(float(residue)) < tolerance_db
    assert not reference.truncated and reference.warnings == ()
    assert reference.frames == len(heard) and reference.duration == pytest.approx(3, abs=1e-3)


async def test_the_same_audio_has_the_same_hash_and_other_audio_another(importer: Importer, tmp_path: Path) -> None:
    song = np.round(music(1) * 2**20) / 2**20
    a = await importer.decode(write_wav(tmp_path / "a.wav", song), tmp_path / "a")
    soundfile.write(str(tmp_path / "b.flac"), song, 44_100, subtype="PCM_24")
    b = await importer.decode(tmp_path / "b.flac", tmp_path / "b")
    song[1000, 0] += 1e-4
    c = await importer.decode(write_wav(tmp_path / "c.wav", song), tmp_path / "c")
    assert a.sha256 == b.sha256 != c.sha256


async def test_peaks_above_full_scale_survive(importer: Importer, tmp_path: Path) -> None:
    song = music(1) * 4
    reference = await importer.decode(write_wav(tmp_path / "loud.wav", song, subtype="FLOAT"), tmp_path / "out")
    assert reference.gain == 4 and reference.peak == pytest.approx(2.8, abs=1e-3)
    assert np.abs(stored(reference) - song).max() < 4 * 2**-23


async def test_what_is_not_a_number_is_silent_and_counted(importer: Importer, tmp_path: Path) -> None:
    song = music(0.5).astype(np.float32)
    song[100, 0], song[200, 1], song[300, 0] = np.nan, np.inf, -np.inf
    reference = await importer.decode(write_wav(tmp_path / "nan.wav", song, subtype="FLOAT"), tmp_path / "out")
    heard = stored(reference)
    assert reference.not_finite == 3 and len(reference.warnings) == 1
    assert heard[100, 0] == heard[200, 1] == heard[300, 0] == 0
    assert heard[100, 1] == pytest.approx(song[100, 1], abs=1e-6)


async def test_mono_is_doubled(importer: Importer, tmp_path: Path) -> None:
    song = music(0.5)[:, 0]
    reference = await importer.decode(write_wav(tmp_path / "mono.wav", song), tmp_path / "out")
    heard = stored(reference)
    assert reference.channels_in == 1
    assert np.array_equal(heard[:, 0], heard[:, 1]) and np.abs(heard[:, 0] - song).max() < 2**-22


async def test_eight_channels_at_192_khz_are_folded_and_resampled_once(importer: Importer, tmp_path: Path) -> None:
    rate = 192_000
    t = np.arange(rate // 2) / rate
    channels = np.zeros((len(t), 8))
    for index, hz in enumerate((500, 700, 900, 50, 1100, 1300, 1500, 1700)):
        channels[:, index] = 0.5 * np.sin(2 * np.pi * hz * t)
    path = write_wav(tmp_path / "surround.wav", channels, rate)
    reference = await importer.decode(path, tmp_path / "out")
    heard = stored(reference)
    assert (reference.rate, reference.channels_in, reference.rate_in) == (48_000, 8, rate)
    assert reference.frames == 24_000
    at = np.arange(24_000) / 48_000
    half = 0.5**0.5
    left = 0.5 * sum(g * np.sin(2 * np.pi * hz * at) for hz, g in ((500, 1), (900, half), (1100, half), (1500, half)))
    right = 0.5 * sum(g * np.sin(2 * np.pi * hz * at) for hz, g in ((700, 1), (900, half), (1300, half), (1700, half)))
    middle = slice(1000, -1000)
    assert np.abs(heard[middle] - np.stack((left, right), 1)[middle]).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.wav", b"Dear diary, today I sang.\n" * 40, "holds text"),
        ("empty.mp3", b"", "is empty"),
        ("noise.flac", bytes(np.random.default_rng(1).integers(0, 256, 5000, np.uint8)), "not audio"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:9,\n/etc/passwd\n", "not audio"),
        ("head.wav", b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x44\xac\x00\x00"
         b"\x10\xb1\x02\x00\x04\x00\x10\x00data\x00\x00\x00\x00", "no sound"),
    ],
)  # fmt: skip
async def test_what_is_not_audio_is_refused_by_name(
    name: str, content: bytes, says: str, importer: Importer, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NotAudio, match=says) as refusal:
        await importer.decode(tmp_path / name, tmp_path / "out")
    assert name in str(refusal.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
async def test_a_file_cut_short_gives_what_is_there_and_says_so(
    ending: str, importer: Importer, source: Path, tmp_path: Path
) -> None:
    if not has_ffmpeg():
        pytest.skip("ffmpeg is missing")
    whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
    encode(source, whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    reference = await importer.decode(cut, tmp_path / "out")
    full = await importer.decode(whole, tmp_path / "full")
    assert reference.truncated
    assert "cut short" in reference.warnings[0]
    assert 0.4 * full.frames < reference.frames < 0.7 * full.frames
    # MP3 frames at the cut lean on bits that are gone.
    sure = reference.frames - 3 * 1152
    assert np.array_equal(stored(reference)[:sure], stored(full)[:sure])


async def test_an_m4a_whose_index_is_cut_off_says_so(importer: Importer, source: Path, tmp_path: Path) -> None:
    if not has_ffmpeg():
        pytest.skip("ffmpeg is missing")
    encode(source, tmp_path / "whole.m4a", "-c:a", "aac")
    data = (tmp_path / "whole.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])
    with pytest.raises(NotAudio, match=r"cut\.m4a .* cut short"):
        await importer.decode(tmp_path / "cut.m4a", tmp_path / "out")


async def test_a_hostile_name_is_only_a_name(importer: Importer, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "-i \n'$(rm)'\u202e.raw.wav", music(0.2))
    hostile = path.rename(tmp_path / "-y; concat:|x\u202e.raw")
    reference = await importer.decode(hostile, tmp_path / "out")
    assert reference.frames == 8820


async def test_a_full_disk_leaves_nothing_behind(source: Path, tmp_path: Path) -> None:
    importer = Importer(file_limit_bytes=100_000)
    try:
        with pytest.raises(StorageFull):
            await importer.decode(source, tmp_path / "library" / "out")
    finally:
        await importer.close()
    assert not (tmp_path / "library" / "out").exists()


async def test_a_decoder_that_is_killed_is_reported_and_replaced(source: Path, tmp_path: Path) -> None:
    importer = Importer()
    long = write_wav(tmp_path / "long.wav", np.zeros((44_100 * 120, 2), np.float32))
    try:
        await importer.start()
        first = importer.decoder_pid
        assert first is not None
        with pytest.raises(DecoderCrashed, match=r"long\.wav stopped the decoder \(signal 9"):
            async with anyio.create_task_group() as group:

                async def kill() -> None:
                    await until((tmp_path / "out").exists)
                    os.kill(first, 9)

                group.start_soon(kill)
                with anyio.CancelScope():
                    try:
                        await importer.decode(long, tmp_path / "out")
                    except DecoderCrashed as crash:
                        group.cancel_scope.cancel()
                        crashed = crash
            raise crashed
        assert not (tmp_path / "out").exists()
        assert (await importer.decode(source, tmp_path / "again")).frames > 0
        assert importer.decoder_pid not in (None, first)
    finally:
        await importer.close()


async def test_a_decode_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    importer = Importer(timeout_s=0.05)
    long = write_wav(tmp_path / "long.wav", np.zeros((44_100 * 60, 2), np.float32))
    try:
        with pytest.raises(DecodeTimeout):
            await importer.decode(long, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    finally:
        await importer.close()


async def test_pcm_of_any_range_equals_the_whole(importer: Importer, source: Path, tmp_path: Path) -> None:
    reference = await importer.decode(source, tmp_path / "out")

    async def pcm(start: int, stop: int, rate: int = 48_000) -> bytes:
        return await importer.pcm(reference.path, reference.gain, reference.rate, rate, start, stop)

    whole = await pcm(0, 1 << 40)
    frames = len(whole) // 8
    assert frames == -(-reference.frames * 160 // 147)
    cuts = [0, 1, 777, 48_000, 48_001, frames]
    assert b"".join([await pcm(a, b) for a, b in itertools.pairwise(cuts)]) == whole
    same = np.frombuffer(await pcm(0, 1 << 40, 44_100), "<f4").reshape(-1, 2)
    assert np.array_equal(same, stored(reference).astype(np.float32))


async def test_the_overview_shows_where_the_sound_is(importer: Importer, tmp_path: Path) -> None:
    rate = 44_100
    t = np.arange(rate) / rate
    song = np.zeros((3 * rate, 2))
    song[:rate] = (0.5 * np.sin(2 * np.pi * 60 * t))[:, None]
    song[2 * rate :] = (0.5 * np.sin(2 * np.pi * 9000 * t))[:, None]
    reference = await importer.decode(write_wav(tmp_path / "bands.wav", song), tmp_path / "out")
    data = reference.waveform.read_bytes()
    magic, version, start, file_rate, bin_frames, frames, fine, group, coarse, _ = SIZES.unpack_from(data)
    assert (magic, version, start, file_rate, frames) == (b"SFAW", 1, 56, rate, 3 * rate)
    assert (bin_frames, fine, group, coarse) == (294, 450, 1, 450)
    assert len(data) == start + (fine + coarse) * RECORD.itemsize
    bins = np.frombuffer(data, RECORD, fine, start + coarse * RECORD.itemsize)
    low, silent, high = bins[20:140], bins[160:290], bins[320:440]
    assert low["high_peak"].max() == 64 and low["low_peak"].min() == -64
    assert (low["low"] > 100).all() and (low["high"] < 40).all()
    assert (high["high"] > 100).all() and (high["low"] < 40).all()
    assert (silent["high_peak"] == 0).all() and (silent["low"] < 5).all()


async def test_the_overview_keeps_the_levels_of_the_whole(importer: Importer, tmp_path: Path) -> None:
    song = music(2.0) + 0.01
    reference = await importer.decode(write_wav(tmp_path / "a.wav", song), tmp_path / "out")
    levels = read_levels(reference.waveform)
    mono = stored(reference).astype(np.float64).mean(axis=1)
    assert levels is not None
    assert levels.mean == pytest.approx(mono.mean(), rel=1e-5) and levels.std == pytest.approx(
        mono.std(ddof=1), rel=1e-5
    )


def test_levels_do_not_depend_on_how_the_stream_is_cut(tmp_path: Path) -> None:
    song = np.random.default_rng(3).normal(0.02, 0.3, (10_000, 2)).astype(np.float32)
    found = []
    for size in (1, 64, 65, 128, 512, 10_000):
        builder = WaveformBuilder(44_100)
        for start in range(0, len(song), size):
            builder.add(song[start : start + size])
        path = tmp_path / f"{size}.bin"
        path.write_bytes(builder.finish())
        found.append(read_levels(path))
    assert found[0] is not None and set(found) == {found[0]}


@pytest.mark.parametrize("data", [b"", b"SFAW", b"x" * 100, SIZES.pack(b"SFAW", 1, 40, 48_000, 320, 0, 0, 1, 0, 0)])
def test_an_overview_without_levels_has_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "waveform.bin"
    path.write_bytes(data)
    assert read_levels(path) is None
    assert read_levels(tmp_path / "gone.bin") is None


async def test_a_wav_that_lies_about_its_size_is_bounded_by_the_file(importer: Importer, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "liar.wav", music(0.5), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", 0x7FFFFFF0)
    path.write_bytes(data)
    reference = await importer.decode(path, tmp_path / "out")
    assert reference.truncated and reference.frames == 22_050
