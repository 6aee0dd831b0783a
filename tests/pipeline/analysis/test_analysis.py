"""Analysis against songs whose truth is known, and laws: finite, plain, calm about silence and scraps."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pipeline import songs
from pipeline.analysis.features import FEATURES
from pipeline.analysis.track import COLUMNS, analyse
from pipeline.errors import AudioRejected, UnknownFeature

RATE = 44_100


@pytest.fixture(scope="module", params=songs.SONGS, ids=lambda song: song.title)
def heard(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """What analysis finds in a demo song, and the truth."""
    rendered = songs.render(request.param)
    return analyse(rendered.mix, RATE, ["all"]), songs.truth(request.param)


def numbers(value: Any) -> Iterator[float]:
    """All numbers in a JSON-able value; fails on what JSON does not know."""
    if isinstance(value, dict):
        assert all(isinstance(name, str) for name in value)
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float | int):
        yield float(value)
    else:
        assert value is None or isinstance(value, str), type(value)


def off_the_beat(found: list[float], truth: list[float]) -> float:
    """Median distance of found beats from the nearest true one."""
    times = np.array(truth)
    return float(np.median([np.abs(times - t).min() for t in found if t <= times[-1]]))


def test_the_tempo_is_right_within_a_thousandth(heard: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found, truth = heard
    assert abs(found["tempo"] / truth["tempo"] - 1) < 0.001
    assert found["beat_grid"]["steady"] and found["tempo_confidence"] > 0.3
    for other in found["tempo_alternatives"]:
        assert abs(math.log2(other["tempo"] / found["tempo"])) > 0.04


def test_beats_and_bars_fall_where_they_are(heard: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found, truth = heard
    assert off_the_beat(found["beats"], truth["beats"]) < 0.012
    assert off_the_beat(truth["beats"], found["beats"]) < 0.012  # and none is missing
    assert off_the_beat(found["downbeats"], truth["downbeats"]) < 0.012
    assert set(found["downbeats"]) <= set(found["beats"])


def test_the_key_is_right(heard: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found, truth = heard
    assert found["key"] == truth["key"]
    assert found["camelot"] == {"A minor": "8A", "F major": "7B"}[truth["key"]]
    assert found["key_relative"] == {"A minor": "C major", "F major": "D minor"}[truth["key"]]


def test_every_feature_is_there_plain_and_finite(heard: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found, _ = heard
    assert json.loads(json.dumps(found)) == found
    assert all(math.isfinite(number) for number in numbers(found))
    assert all(found[name] is not None for name in COLUMNS)
    assert 0.0 < found["energy"] < 1.0 and 0.0 < found["zero_crossing_rate"] < 1.0
    assert 500 < found["spectral_centroid"] < found["spectral_rolloff"] < RATE / 2
    assert len(found["mfcc"]) == len(found["mfcc_std"]) == 13 and len(found["chroma"]) == 12
    assert len(found["spectral_contrast"]) == 7
    assert -30 < found["loudness_lufs"] < -5
    curve = found["energy_curve"]
    assert len(curve["values"]) == pytest.approx(found["duration"] / curve["step"], abs=2)
    assert all(0.0 <= value <= 1.0 for value in curve["values"])


def test_the_break_is_quieter_than_the_chorus_in_the_energy_curve() -> None:
    song = songs.COPPER_LINE
    found, truth = analyse(songs.render(song).mix, RATE, ["energy"]), songs.truth(song)
    step, values = found["energy_curve"]["step"], np.array(found["energy_curve"]["values"])

    def level(label: str) -> float:
        section = next(s for s in truth["sections"] if s["label"] == label)
        return float(values[int(section["start"] / step) + 1 : int(section["end"] / step)].mean())

    assert level("break") < level("chorus")


@pytest.mark.parametrize("tempo", [84.0, 97.3, 110.0, 128.0, 133.7, 150.0, 160.0])
def test_other_tempi(tempo: float) -> None:
    song = replace(songs.shortened(songs.COPPER_LINE, 12), tempo=tempo)
    found = analyse(songs.render(song).mix, RATE, ["tempo"])
    octaves = {round(math.log2(found["tempo"] / tempo))}
    assert abs(found["tempo"] / tempo / 2.0 ** octaves.pop() - 1) < 0.002
    if tempo >= 90.0:  # below, twice the tempo of four-to-the-floor with sixteenths is as good an answer
        assert abs(found["tempo"] / tempo - 1) < 0.002


@pytest.mark.parametrize("semitones", [0, 3, 7, 10])
@pytest.mark.parametrize("song", songs.SONGS, ids=lambda song: song.title)
def test_transposed_songs_have_transposed_keys(song: songs.Song, semitones: int) -> None:
    from pipeline.analysis.key import NAMES

    def up(note: int) -> int:
        return note + semitones

    chords = tuple(replace(c, root=up(c.root), notes=tuple(map(up, c.notes))) for c in song.chords)
    melody = tuple((at, length, up(note), vowel) for at, length, note, vowel in song.melody)
    moved = replace(songs.shortened(song, 8), chords=chords, melody=melody)
    found = analyse(songs.render(moved).mix, RATE, ["key"])
    tonic, mode = song.key.split()
    place = (NAMES.index(tonic) + semitones) % 12
    found_tonic, found_mode = found["key"].split()
    assert found_mode == mode
    assert {"G#": 8, **{name: n for n, name in enumerate(NAMES)}}[found_tonic] == place


def test_the_rate_hardly_matters() -> None:
    import soxr

    mix = songs.render(songs.shortened(songs.NIGHT_FERRY, 8)).mix
    at_48k = np.ascontiguousarray(soxr.resample(mix.T, 44_100, 48_000).T)
    one, two = analyse(mix, 44_100, ["all"]), analyse(at_48k, 48_000, ["all"])
    assert one["key"] == two["key"]
    assert two["tempo"] == pytest.approx(one["tempo"], rel=0.002)
    assert two["loudness_lufs"] == pytest.approx(one["loudness_lufs"], abs=0.1)
    assert two["energy"] == pytest.approx(one["energy"], abs=0.01)


def test_only_what_was_asked_for_is_done() -> None:
    mix = songs.render(songs.shortened(songs.COPPER_LINE, 4)).mix
    found = analyse(mix, RATE, ["key"])
    assert found["key"] == "A minor" and found["features"] == ["key"]
    assert all(found[name] is None for name in COLUMNS if name != "key") and "mfcc" not in found
    basic = analyse(mix, RATE)
    assert all(basic[name] is not None for name in COLUMNS) and "mfcc" not in basic


def test_unknown_features_and_strange_arrays_are_refused() -> None:
    with pytest.raises(UnknownFeature, match="danceability"):
        analyse(np.zeros((2, 100), np.float32), RATE, ["danceability"])
    with pytest.raises(AudioRejected):
        analyse(np.zeros(100, np.float32), RATE)
    for bad in (np.nan, np.inf):
        pcm = np.zeros((2, 50_000), np.float32)
        pcm[0, 77] = bad
        with pytest.raises(AudioRejected, match="finite"), np.errstate(all="ignore"):
            analyse(pcm, RATE, ["all"])


@pytest.mark.parametrize("frames", [0, 1, 511, 2048, 30_000, 100_000, 500_000])
@pytest.mark.parametrize("kind", ["silence", "constant", "noise", "click", "sine", "faint"])
def test_scraps_and_silence_are_finite_and_say_nothing_false(frames: int, kind: str) -> None:
    t = np.arange(frames) / RATE
    mono = {
        "silence": np.zeros(frames),
        "constant": np.full(frames, 0.5),
        "noise": np.random.default_rng(1).standard_normal(frames) * 0.1,
        "click": (np.arange(frames) == frames // 2) * 1.0,
        "sine": 0.5 * np.sin(2 * np.pi * 440 * t),
        "faint": 1e-7 * np.sin(2 * np.pi * 440 * t),
    }[kind]
    found = analyse(np.stack([mono, mono]).astype(np.float32), RATE, FEATURES)
    assert all(math.isfinite(number) for number in numbers(found))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    beats = found["beats"]
    assert all(a < b for a, b in pairwise(beats))
    assert not beats or (beats[0] >= 0.0 and beats[-1] <= frames / RATE)
    if kind == "silence" or frames < 2 * RATE:
        assert found["tempo"] is None and beats == []
    if kind == "silence":
        assert found["key"] is None and found["energy"] == 0.0 and found["loudness_lufs"] is None


def test_progress_moves_forward_to_the_end() -> None:
    shares: list[float] = []
    analyse(np.zeros((2, RATE * 60), np.float32), RATE, ["all"], lambda share, stage: shares.append(share))
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0 and len(shares) > 10


@pytest.mark.parametrize("after", [0, 1, 3])
def test_cancelled_it_gives_nothing(after: int) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    assert analyse(np.zeros((2, RATE * 60), np.float32), RATE, ["all"], cancelled=cancelled) == {}
    assert asked == after + 1


def test_more_channels_and_one_channel() -> None:
    mix = songs.render(songs.shortened(songs.COPPER_LINE, 4)).mix
    one = analyse(mix.mean(axis=0, keepdims=True), RATE)
    both = analyse(mix, RATE)
    assert one["tempo"] == both["tempo"] and one["key"] == both["key"]
