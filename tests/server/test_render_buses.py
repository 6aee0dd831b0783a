"""Every bus of a script can be heard by itself, and the strip works from a script."""

from pathlib import Path

import numpy as np
import pytest

from server.errors import BadRequest
from server.render import render
from tests.server.render_material import CENTRE, RATE, TONES, level, levels, read, script, song, tone, write

START = [(0, "/deck/1/load", "song"), (0, "/deck/1/play", 1)]


def bounce(folder: Path, lines, bus: str = "master") -> np.ndarray:
    return read(render(script(folder / "script.jsonl", lines), folder / f"{bus}.wav", bus=bus).path)


def test_the_buses_hold_what_they_are_called(tmp_path: Path):
    song(tmp_path / "song", 1.0, ("vocals",))
    write(tmp_path / "two.wav", tone(777.0, 1.0))
    lines = [*START, (0, "/deck/2/load", "two.wav"), (0, "/deck/2/play", 1), (0, "/deck/2/pfl", 1),
             (0, "/mixer/booth", 0.5), (0, "/deck/1/volume", 0.5)]  # fmt: skip
    heard = {}
    for bus in ("master", "headphones", "booth", "deck1", "deck2", "deck3"):
        part = bounce(tmp_path, lines, bus)[RATE // 4 : RATE * 3 // 4, 0]
        heard[bus] = (level(part, TONES["vocals"]), level(part, 777.0))
    assert heard["master"] == pytest.approx((0.05 * CENTRE, 0.1 * CENTRE), rel=1e-3)
    assert heard["booth"] == pytest.approx((0.025 * CENTRE, 0.05 * CENTRE), rel=1e-3)
    assert heard["headphones"] == pytest.approx((0.0, 0.1), abs=1e-4)
    assert heard["deck1"] == pytest.approx((0.05, 0.0), abs=1e-4)
    assert heard["deck2"] == pytest.approx((0.0, 0.1), abs=1e-4)
    assert heard["deck3"] == (0.0, 0.0)


@pytest.mark.parametrize("bus", ["master", "headphones", "deck1"])
def test_every_bus_is_exact_in_time(tmp_path: Path, bus: str):
    noise = np.random.default_rng(1).uniform(0.1, 0.5, (RATE, 2)).astype(np.float32)
    write(tmp_path / "noise.wav", noise)
    lines = [(0, "/deck/1/load", "noise.wav"), (0, "/deck/1/pfl", 1), (0, "/deck/1/assign", "thru"),
             (0.25, "/deck/1/play", 1)]  # fmt: skip
    out = bounce(tmp_path, lines, bus)
    assert not out[: RATE // 4].any()
    assert np.allclose(out[RATE // 4 + 240 : RATE], noise[240 : RATE * 3 // 4], atol=1e-6)


def test_an_unknown_bus_is_named(tmp_path: Path):
    with pytest.raises(BadRequest, match="there is no bus 'aux', only master, headphones, booth, deck1"):
        render(script(tmp_path / "script.jsonl", []), tmp_path / "out.wav", bus="aux")


def test_kill_filter_and_stem_filter_are_heard(tmp_path: Path):
    song(tmp_path / "song", 4.0, ("vocals", "drums", "bass", "other"))
    lines = [*START, (1, "/deck/1/eq/low/kill", 1), (2, "/deck/1/eq/low/kill", 0), (2, "/deck/1/filter", -0.6),
             (3, "/deck/1/filter", 0), (3, "/deck/1/stem/vocals/filter", 1)]  # fmt: skip
    out = bounce(tmp_path, lines)
    open_, killed, dark, voiceless = (levels(out, n + 0.3, n + 0.9) for n in range(4))
    # 110 Hz is 0.86 octaves below the crossover: 41 dB.
    assert killed["bass"] < 0.01 * open_["bass"] and killed["drums"] == pytest.approx(open_["drums"], rel=0.01)
    assert dark["other"] < 0.01 * open_["other"] and dark["bass"] == pytest.approx(open_["bass"], rel=0.05)
    assert voiceless["vocals"] < 0.001 * open_["vocals"] and voiceless["bass"] == pytest.approx(open_["bass"], rel=1e-3)


def test_automatic_gain_is_heard(tmp_path: Path):
    write(tmp_path / "quiet.wav", tone(1000.0, 2.0, level=0.02))
    write(tmp_path / "loud.wav", tone(1000.0, 2.0, level=0.2))
    heard = []
    for name in ("quiet.wav", "loud.wav"):
        lines = [(0, "/deck/1/load", name), (0, "/mixer/auto_gain/target", -23.0), (0, "/deck/1/auto_gain", 1),
                 (0, "/deck/1/assign", "thru"), (0, "/deck/1/play", 1)]  # fmt: skip
        heard.append(level(bounce(tmp_path, lines)[RATE // 2 : RATE, 0], 1000.0))
    assert heard == pytest.approx([10 ** (-23 / 20)] * 2, rel=0.02)
