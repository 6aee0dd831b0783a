"""Stem files: written, read by ourselves and by FFmpeg."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.formats.boxes import NotMp4, boxes_in, find, top_boxes
from pipeline.formats.stem_mp4 import ORDER, Float32, NotAStemFile, Read, fold, read_stems, write_stem_mp4

RATE = 44_100
FRAMES = 2 * RATE + 77
TONES = {"vocals": 440.0, "drums": 880.0, "bass": 110.0, "other": 1760.0, "guitar": 660.0, "piano": 990.0}


def tone(hz: float, level: float = 0.12) -> Read:
    def read(start: int, stop: int) -> Float32:
        wave = level * np.sin(2 * np.pi * hz * np.arange(start, stop) / RATE)
        return np.stack([wave, wave], axis=1).astype(np.float32)

    return read


def mix(start: int, stop: int) -> Float32:
    total: Float32 = sum((tone(hz)(start, stop) for hz in TONES.values()), np.zeros((stop - start, 2), np.float32))
    return total


def decoded(path: Path, number: int) -> Float32:
    pieces = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="stereo", rate=RATE)
        for frame in container.decode(container.streams.audio[number]):
            pieces += [piece.to_ndarray().reshape(-1, 2) for piece in resampler.resample(frame)]
    return np.concatenate(pieces)


def level(audio: Float32, hz: float) -> float:
    middle = audio[RATE // 2 : RATE // 2 + RATE, 0]
    return float(abs(np.exp(-2j * np.pi * hz * np.arange(RATE) / RATE) @ middle) * 2 / RATE)


def test_names_and_colours_from_elsewhere_come_along(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    stems = {name: tone(TONES[name]) for name in ("drums", "bass", "other", "guitar")}
    shown = {"drums": ("Beats", "#112233"), "bass": ("Sub", ""), "other": ("Pads", "#445566"), "guitar": ("Gtr", "")}
    write_stem_mp4(path, mix, stems, RATE, RATE, "alac", shown)
    found = [(stem.name, stem.colour) for stem in read_stems(path)]
    assert found == [("Beats", "#112233"), ("Sub", "#D55E00"), ("Other", "#CC79A7"), ("Vocals", "#56B4E9")]


@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_a_stem_file_holds_the_mix_and_four_stems(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "song.stem.mp4"
    write_stem_mp4(path, mix, {name: tone(hz) for name, hz in TONES.items()}, FRAMES, RATE, codec)
    assert [stem.name for stem in read_stems(path)] == [name.capitalize() for name in ORDER]
    assert list(tmp_path.iterdir()) == [path]
    with av.open(str(path)) as container:
        assert len(container.streams.audio) == 5
    inside = {"drums": ["drums"], "bass": ["bass"], "other": ["other", "guitar", "piano"], "vocals": ["vocals"]}
    for number, names in enumerate([list(TONES), *(inside[name] for name in ORDER)]):
        audio = decoded(path, number)
        assert abs(len(audio) - FRAMES) <= 2048
        for name, hz in TONES.items():
            assert level(audio, hz) == pytest.approx(0.12 if name in names else 0.0, abs=0.005)


def test_lossless_stems_are_the_stems(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    write_stem_mp4(path, tone(440.0), {"vocals": tone(440.0)}, FRAMES, RATE, "alac")
    audio = decoded(path, 4)[:FRAMES]
    assert len(audio) == FRAMES
    assert np.abs(audio - tone(440.0)(0, FRAMES)).max() < 1 / 32_000
    assert not decoded(path, 1).any()


def test_only_the_mix_is_enabled_and_the_description_is_bare_json(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    write_stem_mp4(path, mix, {"drums": tone(880.0)}, RATE // 2, RATE)
    with path.open("rb") as file:
        boxes = top_boxes(file)
        assert boxes[0].kind == b"ftyp" and boxes[-1].kind == b"moov"
        file.seek(boxes[0].body)
        assert file.read(4) == b"M4A "
    data = path.read_bytes()
    moov = boxes[-1]
    flags = []
    for box in boxes_in(data, moov.body, moov.end):
        if box.kind == b"trak":
            header = find(data, b"tkhd", start=box.body, end=box.end)
            assert header is not None
            flags.append(int.from_bytes(data[header.body + 1 : header.body + 4], "big"))
    assert flags == [1, 0, 0, 0, 0]
    stem = find(data, b"udta", b"stem", start=moov.body, end=moov.end)
    assert stem is not None
    told = json.loads(data[stem.body : stem.end])
    assert told["version"] == 1 and told["stems"][0] == {"name": "Drums", "color": "#009E73"}


def test_a_missing_stem_is_silent_and_unknown_ones_are_other() -> None:
    folded = fold({"strings": tone(440.0), "vocals": tone(220.0)})
    assert not folded["drums"](0, 100).any()
    assert np.array_equal(folded["other"](0, 100), tone(440.0)(0, 100))


def test_a_reader_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(start: int, stop: int) -> Float32:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_stem_mp4(tmp_path / "x.stem.mp4", mix, {"vocals": broken}, RATE, RATE)
    with pytest.raises(ValueError, match="opus"):
        write_stem_mp4(tmp_path / "x.stem.mp4", mix, {}, RATE, RATE, "opus")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_stem_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    write_stem_mp4(path, mix, {}, RATE, RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NotMp4):
        read_stems(path)
    path.write_bytes(b"RIFF....WAVEfmt ")
    with pytest.raises(NotMp4):
        read_stems(path)
    path.write_bytes(whole.replace(b'"stems"', b'"stamm"'))
    with pytest.raises(NotAStemFile):
        read_stems(path)
    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo", format="fltp")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4096), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(NotAStemFile):
        read_stems(path)


def test_trailing_zeros_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    write_stem_mp4(path, mix, {}, RATE, RATE)
    data = path.read_bytes()
    at = data.index(b'{"version"')
    end = data.index(b"}}}", at) + 3
    shorter = data[at:end].replace(b'"dry_wet": 50', b'"dry_wet": 5')
    path.write_bytes(data[:at] + shorter + b"\0" + data[end:])
    assert len(read_stems(path)) == 4
