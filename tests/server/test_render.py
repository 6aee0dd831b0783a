"""Laws of the offline renderer: exact in time, the same every time, and heard."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.commands import FADE_S
from audio.flac import FlacWriter
from audio.source import DeckSource, PadSource, StemSource
from server.errors import BadRequest, NotFound
from server.render import TAIL_S, render
from server.session.material import LibraryTrack
from server.session.script import ScriptRejected
from tests.server.render_material import CENTRE, RATE, TONES, level, levels, read, script, song, tone, write

FADE = round(FADE_S * RATE)


def bounce(folder: Path, lines, name: str = "out.wav", **options) -> np.ndarray:
    made = render(script(folder / "script.jsonl", lines), folder / name, **options)
    audio = read(made.path)
    assert len(audio) == made.frames and np.isfinite(audio).all()
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []
    return audio


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [64, 128, 512])
@pytest.mark.parametrize("at", [0.0, 0.25, 1 / 3, 0.500_01])
def test_play_begins_at_its_very_frame(tmp_path: Path, at: float, block: int):
    noise = np.random.default_rng(1).uniform(0.1, 0.5, (RATE, 2)).astype(np.float32)
    write(tmp_path / "noise.wav", noise)
    out = bounce(tmp_path, [(0, "/deck/1/load", "noise.wav"), (at, "/deck/1/play", 1)], block=block)
    start = round(at * RATE)
    assert not out[:start].any()
    heard = out[start + FADE : start + RATE - FADE]
    assert np.allclose(heard, noise[FADE : RATE - FADE] * CENTRE, atol=1e-6), "frame k of the track at frame start + k"
    assert out[start : start + FADE].any()


def test_lines_may_stand_in_any_order(tmp_path: Path):
    song(tmp_path / "song", 1.0)
    lines = [
        (0, "/deck/1/load", "song"),
        (0.1, "/deck/1/play", 1),
        (0.3, "/deck/1/volume", 0.5),
        (0.6, "/deck/1/stem/bass/mute", 1),
    ]
    once = bounce(tmp_path, lines)
    assert np.array_equal(once, bounce(tmp_path, lines[::-1]))


def test_lines_of_one_time_keep_their_order(tmp_path: Path):
    song(tmp_path / "song", 1.0)
    start = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1)]
    low = bounce(tmp_path, [*start, (0.2, "/deck/1/volume", 1.0), (0.2, "/deck/1/volume", 0.25)])
    high = bounce(tmp_path, [*start, (0.2, "/deck/1/volume", 0.25), (0.2, "/deck/1/volume", 1.0)])
    assert levels(high, 0.4, 0.8)["bass"] == pytest.approx(4 * levels(low, 0.4, 0.8)["bass"], rel=1e-3)


def test_the_file_ends_when_everything_has_played(tmp_path: Path):
    song(tmp_path / "song", 1.0)
    out = bounce(tmp_path, [(0, "/deck/1/load", "song"), (0.5, "/deck/1/play", 1), (0.5, "/deck/1/rate", 2.0)])
    assert abs(len(out) - (0.5 + 0.5 + TAIL_S) * RATE) <= FADE
    assert not out[-round(TAIL_S * RATE / 2) :].any()


def test_seconds_set_the_length(tmp_path: Path):
    song(tmp_path / "song", 1.0)
    play = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1), (5, "/deck/1/play", 1)]
    assert len(bounce(tmp_path, play, seconds=0.7)) == round(0.7 * RATE)
    assert len(bounce(tmp_path, play, seconds=2.5)) == round(2.5 * RATE)
    assert len(bounce(tmp_path, [], seconds=0.1)) == round(0.1 * RATE)


def test_a_set_of_nothing_is_silence(tmp_path: Path):
    out = bounce(tmp_path, [])
    assert len(out) == round(TAIL_S * RATE) and not out.any()


# --- the same every time ---------------------------------------------------------------------------------------------

BUSY = [
    (0.0, "/deck/1/load", "song"),
    (0.0, "/deck/2/load", "other/song.wav"),
    (0.05, "/deck/1/play", 1),
    (0.1, "/deck/1/rate", 1.1),
    (0.2, "/deck/1/stem/vocals/mute", 1),
    (0.25, "/deck/2/play", 1),
    (0.3, "/mixer/crossfader", 0.4),
    (0.333, "/deck/1/position", 1.0),
    (0.4, "/deck/2/pitch_fader", -0.7),
    (0.45, "/deck/1/load", "other/song.wav"),
    (0.5, "/deck/1/play", 1),
    (0.51, "/deck/1/trim_db", 6.0),
    (0.55, "/deck/1/stem/drums/solo", 1),
    (0.6, "/deck/2/eject", 1),
    (0.7, "/deck/1/stop", 1),
    (0.8, "/deck/1/play", 1),
]


def busy(folder: Path) -> None:
    song(folder / "song", 2.0)
    write(folder / "other" / "song.wav", tone(777.0, 0.5, 44_100, 0.3), 44_100)


def test_the_same_script_gives_the_same_bytes(tmp_path: Path):
    busy(tmp_path)
    for name in ("out.wav", "out.flac"):
        bounce(tmp_path, BUSY, name)
        once = (tmp_path / name).read_bytes()
        bounce(tmp_path, BUSY, name)
        assert (tmp_path / name).read_bytes() == once


def test_the_block_size_cannot_be_heard(tmp_path: Path):
    busy(tmp_path)
    whole = bounce(tmp_path, BUSY, block=128)
    assert whole.any()
    for block in (1, 64, 65, 512, 4096):
        assert np.array_equal(whole, bounce(tmp_path, BUSY, block=block)), block


def test_flac_holds_the_same_sound(tmp_path: Path):
    busy(tmp_path)
    assert np.abs(bounce(tmp_path, BUSY) - bounce(tmp_path, BUSY, "out.flac")).max() < 2**-22


# --- heard -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", TONES)
def test_a_mute_is_heard_in_its_stem_alone(tmp_path: Path, stem: str):
    song(tmp_path / "song")
    lines = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1), (0.8, f"/deck/1/stem/{stem}/mute", 1)]
    out = bounce(tmp_path, [*lines, (1.4, f"/deck/1/stem/{stem}/mute", 0)])
    before, during, after = levels(out, 0.1, 0.7), levels(out, 0.9, 1.4), levels(out, 1.5, 1.9)
    for name in TONES:
        assert before[name] == pytest.approx(0.1 * CENTRE, rel=1e-3)
        assert after[name] == pytest.approx(0.1 * CENTRE, rel=1e-3)
        assert during[name] == pytest.approx(0.0 if name == stem else 0.1 * CENTRE, rel=1e-3, abs=1e-5)


def test_solo_volume_and_pan_of_stems_are_heard(tmp_path: Path):
    song(tmp_path / "song")
    lines = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1)]
    lines += [(0, "/deck/1/stem/bass/solo", 1), (0, "/deck/1/stem/piano/solo", 1)]
    lines += [(0, "/deck/1/stem/bass/volume", 0.5), (0, "/deck/1/stem/piano/pan", -1)]
    out = bounce(tmp_path, lines)
    left, right = levels(out, 0.2, 1.8, 0), levels(out, 0.2, 1.8, 1)
    assert right["bass"] == pytest.approx(0.05 * CENTRE, rel=1e-3)
    assert right["piano"] < 1e-5 < left["piano"]
    assert max(left[s] for s in ("vocals", "drums", "other", "guitar")) < 1e-5


def test_trim_volume_and_master_multiply(tmp_path: Path):
    song(tmp_path / "song")
    start = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1)]
    lines = [(0, "/deck/1/trim_db", -6.0), (0, "/deck/1/volume", 0.5), (0, "/mixer/master", 0.8)]
    heard = levels(bounce(tmp_path, start + lines), 0.2, 1.8)["drums"]
    assert heard == pytest.approx(0.1 * CENTRE * 10 ** (-6 / 20) * 0.5 * 0.8, rel=1e-3)


@pytest.mark.parametrize(
    ("curve", "law"),
    [
        ("linear", lambda a, b: a + b == pytest.approx(1.0, abs=1e-3)),
        ("constant_power", lambda a, b: a * a + b * b == pytest.approx(1.0, abs=1e-3)),
        ("cut", lambda a, b: max(a, b) == pytest.approx(1.0, abs=1e-3)),
    ],
)
def test_the_crossfader_keeps_its_law(tmp_path: Path, curve: str, law):
    write(tmp_path / "left.wav", tone(440.0, 3.2))
    write(tmp_path / "right.wav", tone(1_000.0, 3.2))
    lines = [(0, "/deck/1/load", "left.wav"), (0, "/deck/2/load", "right.wav"), (0, "/mixer/crossfader/curve", curve)]
    lines += [(0, "/deck/1/play", 1), (0, "/deck/2/play", 1)]
    places = [-1.0, -0.5, 0.0, 0.25, 1.0]
    lines += [(0.6 * n, "/mixer/crossfader", place) for n, place in enumerate(places)]
    out = bounce(tmp_path, lines)
    heard = [levels(out, 0.6 * n + 0.05, 0.6 * n + 0.55) for n in range(len(places))]
    gains = [(h["vocals"] / 0.1, h["drums"] / 0.1) for h in heard]
    assert all(law(a, b) for a, b in gains), gains
    assert gains[0] == (pytest.approx(1.0, abs=1e-3), pytest.approx(0.0, abs=1e-3))
    assert gains[-1] == (pytest.approx(0.0, abs=1e-3), pytest.approx(1.0, abs=1e-3))
    assert gains[2][0] == pytest.approx(gains[2][1], abs=1e-3)
    assert all(a[0] >= b[0] - 1e-6 and a[1] <= b[1] + 1e-6 for a, b in itertools.pairwise(gains))


def test_a_deck_on_thru_ignores_the_crossfader(tmp_path: Path):
    song(tmp_path / "song")
    lines = [(0, "/deck/1/load", "song"), (0, "/deck/1/assign", "thru"), (0, "/mixer/crossfader", 1)]
    assert levels(bounce(tmp_path, [*lines, (0, "/deck/1/play", 1)]), 0.2, 1.8)["bass"] == pytest.approx(0.1, rel=1e-3)


def test_rate_moves_pitch_and_length(tmp_path: Path):
    write(tmp_path / "a.wav", tone(500.0, 2.0))
    out = bounce(tmp_path, [(0, "/deck/1/load", "a.wav"), (0, "/deck/1/rate", 2.0), (0, "/deck/1/play", 1)])
    assert abs(len(out) - (1.0 + TAIL_S) * RATE) <= FADE
    assert levels(out, 0.1, 0.9)["drums"] == pytest.approx(0.1 * CENTRE, rel=1e-2)


def test_keylock_keeps_the_pitch_and_gives_the_same_bytes(tmp_path: Path):
    song(tmp_path / "song", 4.0)
    lines = [
        (0, "/deck/1/load", "song"), (0, "/deck/1/keylock", 1), (0, "/deck/1/rate", 0.8), (0, "/deck/1/play", 1),
        (2.0, "/deck/1/pitch", 3), (2.5, "/deck/1/position", 0.5), (3.0, "/deck/1/stem/drums/mute", 1),
    ]  # fmt: skip
    once = bounce(tmp_path, lines, seconds=4.0)
    heard = levels(once, 0.5, 1.5)
    assert all(heard[stem] == pytest.approx(0.1 * CENTRE, rel=0.05) for stem in TONES)
    shifted = once[round(3.5 * RATE) : round(3.9 * RATE), 0]
    assert level(shifted, TONES["bass"] * 2**0.25) == pytest.approx(0.1 * CENTRE, rel=0.05)
    assert level(shifted, TONES["drums"] * 2**0.25) < 1e-4
    for block in (64, 500):
        assert np.array_equal(once, bounce(tmp_path, lines, seconds=4.0, block=block))


def test_nothing_clicks(tmp_path: Path):
    write(tmp_path / "a.wav", tone(200.0, 3.0, level=0.5))
    lines = [(0, "/deck/1/load", "a.wav"), (0.1, "/deck/1/play", 1), (0.5, "/deck/1/position", 1.2345)]
    lines += [(0.7, "/deck/1/volume", 0.0), (0.8, "/deck/1/volume", 1.0), (0.9, "/mixer/crossfader", 1.0)]
    lines += [(1.0, "/mixer/crossfader", -1.0), (1.2, "/deck/1/load", "a.wav"), (1.3, "/deck/1/play", 1)]
    lines += [(1.5, "/deck/1/stop", 1), (1.7, "/deck/1/play", 1), (2.0, "/deck/1/eject", 1)]
    out = bounce(tmp_path, lines)
    steepest = 0.5 * 2 * np.pi * 200.0 / RATE
    assert np.abs(np.diff(out, axis=0)).max() < steepest + 1.6 / FADE


# --- loads -----------------------------------------------------------------------------------------------------------


def test_a_load_over_a_playing_deck_stops_it_there_unless_play_follows(tmp_path: Path):
    write(tmp_path / "a.wav", tone(440.0, 2.0))
    write(tmp_path / "b.wav", tone(1_000.0, 2.0))
    start = [(0, "/deck/1/load", "a.wav"), (0, "/deck/1/play", 1), (0.5, "/deck/1/load", "b.wav")]
    made = render(script(tmp_path / "s.jsonl", start), tmp_path / "out.wav")
    assert made.warnings and made.warnings[0].startswith("line 3: Deck 1 is playing")
    out = read(tmp_path / "out.wav")
    assert not out[round(0.5 * RATE) + 2 * FADE :].any()
    out = bounce(tmp_path, [*start, (0.8, "/deck/1/play", 1)])
    at = round(0.8 * RATE)
    whole = tone(1_000.0, 2.0) * CENTRE
    assert np.allclose(out[at + FADE : at + RATE], whole[FADE:RATE], atol=1e-6), "from its first frame"


def test_a_folder_without_a_mix_is_the_sum_of_its_stems(tmp_path: Path):
    song(tmp_path / "song", 1.0)
    start = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1)]
    stems, mix = bounce(tmp_path, start), bounce(tmp_path, [(0, "/deck/1/source", "mix"), *start])
    assert stems.any() and np.abs(stems - mix).max() < 1e-6


def test_a_mix_beside_the_stems_is_what_source_mix_plays(tmp_path: Path):
    song(tmp_path / "song", 1.0, ["vocals", "bass"])
    write(tmp_path / "song" / "mix.wav", tone(TONES["drums"], 1.0))
    start = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1), (0.5, "/deck/1/source", "mix")]
    out = bounce(tmp_path, start)
    before, after = levels(out, 0.1, 0.45), levels(out, 0.55, 0.95)
    assert before["vocals"] > 0.05 > 1e-4 > before["drums"] and after["drums"] > 0.05 > 1e-4 > after["vocals"]


def test_stems_of_other_rates_lengths_and_channels_stay_in_step(tmp_path: Path):
    folder = tmp_path / "song"
    beat = np.zeros((RATE, 2), np.float32)
    beat[12_000:12_040] = 0.5
    write(folder / "drums.wav", beat)
    slow = np.zeros((44_100 // 2, 1), np.float32)
    slow[11_025:11_060] = 0.5
    soundfile.write(folder / "bass.wav", slow, 44_100, subtype="FLOAT")
    out = bounce(tmp_path, [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1)])
    assert len(out) >= RATE
    spot = np.abs(out[:, 0])
    assert 11_990 <= np.flatnonzero(spot > 0.2)[0] <= 12_005, "both begin at a quarter of a second"
    assert spot[12_000:12_040].max() > 0.6, "and add up"


def test_a_track_of_the_library_plays_as_the_engine_would(tmp_path: Path):
    rate = 44_100
    mix = np.round(sum(tone(hz, 1.0, rate) for hz in TONES.values()) * 2**22) / 2**22
    vocals = tone(TONES["vocals"], 1.0, rate)
    other = np.zeros_like(vocals)
    files = {"reference": mix, "vocals": vocals, "other": other}
    for name, audio in files.items():
        writer = FlacWriter(tmp_path / f"{name}.flac", rate, 1.0)
        writer.write(audio.astype(np.float32))
        writer.close()
    stems = (
        StemSource(0, "vocals", tmp_path / "vocals.flac"),
        StemSource(3, "other", tmp_path / "other.flac"),
    )
    source = DeckSource(tmp_path / "reference.flac", 1.0, rate, rate, 0.0, stems)

    def resolver(name: str) -> LibraryTrack:
        if name == "Someone - Title":
            return LibraryTrack(source, "Title")
        raise NotFound(f"there is no track {name!r}")

    lines = [(0, "/deck/1/load", "Someone - Title"), (0, "/deck/1/play", 1), (0.5, "/deck/1/stem/vocals/mute", 1)]
    out = bounce(tmp_path, lines, resolver=resolver)
    before, after = levels(out, 0.1, 0.45), levels(out, 0.55, 0.95)
    assert before == pytest.approx(dict.fromkeys(TONES, 0.1 * CENTRE), rel=1e-2), "faders up is the mix"
    assert after["vocals"] < 1e-4 and after["drums"] == pytest.approx(0.1 * CENTRE, rel=1e-2)
    with pytest.raises(ScriptRejected, match="line 1: load: there is no track 'nobody'"):
        bounce(tmp_path, [(0, "/deck/1/load", "nobody")], resolver=resolver)


def test_a_take_plays_beside_its_track_from_a_folder_and_from_the_library(tmp_path: Path):
    """Alone it is what is left when the stems are mute: so it is a stem of the mix."""
    song(tmp_path / "song", 1.0, ["vocals"])
    played = np.concatenate([np.zeros((RATE // 4, 2), np.float32), tone(TONES["piano"], 0.5)])
    write(tmp_path / "song" / "take.wav", played)
    writer = FlacWriter(tmp_path / "mix.flac", RATE, 1.0)
    writer.write(tone(TONES["vocals"], 1.0))
    writer.close()
    writer = FlacWriter(tmp_path / "take.flac", RATE, 2.0)
    writer.write(played)
    writer.close()
    take = PadSource(tmp_path / "take.flac", 0.0, 0.75, "flac", 2.0)
    source = DeckSource(tmp_path / "mix.flac", 1.0, RATE, RATE, take=take)
    for name in ("song", "from the library"):
        start = [(0, "/deck/1/load", name), (0, "/deck/1/play", 1), (0, "/deck/1/assign", "thru")]
        out = bounce(tmp_path, start, resolver=lambda _: LibraryTrack(source))
        both, before = levels(out, 0.3, 0.7), levels(out, 0.05, 0.2)
        assert both["vocals"] == pytest.approx(0.1, rel=1e-2) and both["piano"] == pytest.approx(0.1, rel=1e-2)
        assert before["piano"] < 1e-4
    alone = bounce(tmp_path, [(0, "/deck/1/load", "song"), (0, "/deck/1/assign", "thru"),
                              (0, "/deck/1/stem/vocals/mute", 1), (0, "/deck/1/play", 1)], bus="deck1")  # fmt: skip
    middle = slice(round(0.3 * RATE), round(0.7 * RATE))
    assert np.abs(alone[middle] - played[middle]).max() < 1e-4


# --- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"at": 0, "path": "/deck/1/play", "value": 1}\n{"at": 1}', "line 2: path: is missing"),
        ("nonsense", "line 1: is not JSON"),
        ("[1, 2]", "line 1: is not an object"),
        ('\n\n{"at": -1, "path": "/deck/1/play", "value": 1}', "line 3: at: lies between 0"),
        ('{"at": "soon", "path": "/deck/1/play", "value": 1}', "line 1: at: takes a time"),
        ('{"at": NaN, "path": "/deck/1/play", "value": 1}', "line 1: at: lies between"),
        ('{"at": 1e999, "path": "/deck/1/play", "value": 1}', "line 1: at: lies between"),
        ('{"at": 0, "path": "/deck/1/volumee", "value": 1}', "did you mean /deck/1/volume"),
        ('{"at": 0, "path": "/deck/1/volume", "value": NaN}', "line 1: value: /deck/1/volume takes a finite number"),
        ('{"at": 0, "path": "/deck/1/volume", "value": "x"}', "line 1: value: /deck/1/volume takes a number"),
        ('{"at": 0, "path": "/deck/1/title", "value": "x"}', "can only be read"),
        ('{"at": 0, "path": 7, "value": 1}', "line 1: path: takes the name of a control"),
        ('{"at": 0, "path": "/deck/1/play", "valeu": 1}', "line 1: valeu: is not known here; did you mean value?"),
        ('{"at": 0, "path": "/deck/1/load", "value": "gone.wav"}', "line 1: load: there is no file or folder"),
        ('{"at": 0.2, "path": "/deck/1/load", "value": "text.wav"}', "line 1: load: text.wav is not audio"),
        ('{"at": 0.2, "path": "/deck/1/load", "value": "empty"}', "line 1: load: empty has no audio"),
        ('{"at": 0, "path": "/deck/1/load", "value": "odd"}', "odd/vocal.wav is no stem's name; did you mean vocals?"),
        ('{"at": 0, "path": "/deck/1/load", "value": "a\\u0000b"}', "line 1: load: "),
        ("[" * 200_000, "line 1: is not JSON"),
    ],
)
def test_a_bad_script_names_its_line_and_writes_nothing(tmp_path: Path, lines: str, message: str):
    (tmp_path / "text.wav").write_text("this is no audio")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "odd" / "vocal.wav", tone(440, 0.1))
    path = tmp_path / "script.jsonl"
    path.write_text(lines)
    out = tmp_path / "out.wav"
    out.write_bytes(b"what was here before")
    with pytest.raises(ScriptRejected) as caught:
        render(path, out)
    assert message in str(caught.value)
    assert out.read_bytes() == b"what was here before"
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_every_fault_is_told_at_once(tmp_path: Path):
    path = tmp_path / "script.jsonl"
    path.write_text("a\n" * 30)
    with pytest.raises(ScriptRejected) as caught:
        render(path, tmp_path / "out.wav")
    assert len(caught.value.problems) == 30 and "... and 10 more" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": -1}, "length"),
        ({"seconds": float("nan")}, "length"),
        ({"rate": 100}, "rate"),
        ({"block": 0}, "block"),
        ({"bus": "aux"}, "bus"),
        ({"name": "out.mp3"}, "ends in .wav or .flac"),
        ({"name": "no/folder.wav"}, "no folder"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, options: dict, message: str):
    with pytest.raises(BadRequest, match=message):
        bounce(tmp_path, [], **options)


def test_a_script_that_is_not_there_says_so(tmp_path: Path):
    with pytest.raises(ScriptRejected, match="cannot be read: No such file"):
        render(tmp_path / "gone.jsonl", tmp_path / "out.wav")
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9\xff")
    with pytest.raises(ScriptRejected, match="is not UTF-8"):
        render(tmp_path / "latin.jsonl", tmp_path / "out.wav")


def test_play_on_an_empty_deck_is_a_warning_with_its_line(tmp_path: Path):
    made = render(script(tmp_path / "s.jsonl", [(0, "/deck/1/play", 1)]), tmp_path / "out.wav")
    assert made.warnings == ("line 1: Deck 1 is empty: load a track on it first",)


def test_a_wav_is_what_other_programs_read(tmp_path: Path):
    song(tmp_path / "song", 0.5)
    bounce(tmp_path, [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1)])
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.samplerate, info.channels, info.subtype, info.format) == (RATE, 2, "FLOAT", "WAV")
    assert info.extra_info.count("data") == 1 and "PEAK" not in info.extra_info


def test_importing_the_renderer_compiles_nothing():
    code = "import sys, server.render, server.session.show; print({'numba', 'av', 'soundfile'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
