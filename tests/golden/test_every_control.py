"""Every writable control of the registry is moved, and what it promises is heard.

A row names a family of controls by a pattern: `{n}` is each deck, `{s}` each stem, `{h}` each hot cue, `{u}` each unit.
The scene is four playing decks; it is rendered with the control moved and without. A deck's control is moved on all
four decks in one render, on each a little later than on the one before: until its moment the deck sounds bit for bit as
it did, so what is heard is that deck's own control. What has no sound stands by name in `SILENT`, with the reason.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from audio.units import DECKS, EFFECTS, PADS, RECORDED, STEMS
from control.control import Value
from control.registry import ALIASES, REGISTRY
from tests.golden.listening_desk import (
    RATE,
    SETTLED,
    Desk,
    Law,
    Line,
    appears,
    darker,
    differs,
    level,
    louder,
    quieter,
    silent,
    thinner,
    to_the_right,
)

ROOT = Path(__file__).resolve().parents[2]
FIRST_S = 0.6
STAGGER_S = 0.03
"""What each deck moves later than the one before."""

DELAY = 64
"""A render cuts the limiter's delay off the start of all buses, those that do not go through it too."""

Times = tuple[tuple[float, str, Value], ...]


@dataclass(frozen=True)
class Row:
    """One family of controls and how it is heard.

    `value` is written at the deck's moment; `before` and `after` happen in both renders, at seconds from that moment;
    `presses`: the value is written again after so many seconds. `bus`: where it is heard; `heard_s`: the part after the
    moment that `law` judges. `alone`: deck by deck, where a deck's control moves another (`{o}`, `{t}`: two others).
    `{p}` is each pad or step, `{q}` the pad after it.
    """

    pattern: str
    value: Value
    law: Law = differs
    before: Times = ()
    after: Times = ()
    presses: tuple[float, ...] = ()
    bus: str = "deck{n}"
    heard_s: tuple[float, float] = (0.02, 1.5)
    alone: bool = False
    names: tuple[str, ...] = field(default=())


ON = ((-0.5, "/deck/{n}/fx/{u}/on", 1),)
MASTER_ON = ((-0.3, "/mixer/fx/on", 1), (-0.3, "/mixer/fx/type", "crusher"))
PFL = tuple((-0.3, f"/deck/{deck}/pfl", 1) for deck in (1, 2))
LEFT = ((-0.3, "/deck/1/assign", "left"), (-0.3, "/deck/2/assign", "right"))
QUANTISED_LOOP = ((0.07, "/deck/{n}/quantize", 1), (0.1, "/deck/{n}/loop/beats", 0.5))
JUMP = ((0.2, "/deck/{n}/beatjump", 2.0),)
LOOPED = ((-0.2, "/deck/{n}/loop/beats", 0.5),)
KEPT = ((-0.5, "/deck/{n}/memory/set", 1),)
AWAY = (-0.3, "/deck/{n}/position", 3.0)
BACK = ((0.2, "/deck/{n}/position", 3.0), (0.3, "/deck/{n}/memory/previous", 1))
MARKED = ((-0.3, "/deck/{n}/hotcue/{h}/set", 1),)
BANDS = {"low": thinner, "mid": quieter, "high": darker}

DECK = (
    Row("/deck/{n}/load", "next{n}", after=((0.1, "/deck/{n}/play", 1),)),
    Row("/deck/{n}/eject", 1, silent),
    Row("/deck/{n}/play", 0, silent),
    Row("/deck/{n}/stop", 1, silent),
    Row("/deck/{n}/position", 3.0),
    Row("/deck/{n}/rate", 0.8),
    Row("/deck/{n}/pitch_fader", 0.5),
    Row("/deck/{n}/pitch_range", "0.5", before=((-0.3, "/deck/{n}/pitch_fader", 0.5),)),
    Row("/deck/{n}/volume", 0.5, quieter),
    Row("/deck/{n}/trim_db", 6.0, louder),
    Row("/deck/{n}/assign", "right", silent, before=((-0.3, "/mixer/crossfader", -1.0), *(
        (-0.3, f"/deck/{deck}/volume", 0.0) for deck in range(1, DECKS + 1)), (-0.2, "/deck/{n}/volume", 1.0)),
        bus="master", alone=True),
    Row("/deck/{n}/source", "mix", louder, before=((-0.3, "/deck/{n}/stem/vocals/mute", 1),)),
    *(Row(f"/deck/{{n}}/eq/{band}", -26.0, law) for band, law in BANDS.items()),
    *(Row(f"/deck/{{n}}/eq/{band}/kill", 1, law) for band, law in BANDS.items()),
    Row("/deck/{n}/filter", -0.6, darker),
    Row("/deck/{n}/pfl", 1, appears, bus="headphones", alone=True),
    Row("/deck/{n}/auto_gain", 1, louder),
    Row("/deck/{n}/output", "7-8", appears, bus="7-8", alone=True),
    Row("/deck/{n}/keylock", 1, before=((-0.3, "/deck/{n}/rate", 0.8),), heard_s=(0.3, 1.5)),
    Row("/deck/{n}/pitch", 5.0, heard_s=(0.3, 1.5)),
    Row("/deck/{n}/tuning", 432.0, heard_s=(0.3, 1.5)),
    Row("/deck/{n}/cue", 1, silent),
    Row("/deck/{n}/quantize", 1, after=((0.07, "/deck/{n}/loop/beats", 0.5),)),
    Row("/deck/{n}/beatjump", 2.0),
    Row("/deck/{n}/sync", 1, before=((-0.3, "/deck/{o}/leader", 1), (-0.3, "/deck/{n}/rate", 1.05)), alone=True),
    Row("/deck/{n}/leader", 1, before=((-0.4, "/deck/{t}/leader", 1), (-0.3, "/deck/{n}/rate", 1.06),
        (-0.3, "/deck/{o}/sync", 1)), bus="deck{o}", alone=True),
    Row("/deck/{n}/slip", 1, after=((0.2, "/deck/{n}/reverse", 1), (0.5, "/deck/{n}/reverse", 0))),
    Row("/deck/{n}/reverse", 1),
    Row("/deck/{n}/bend", 1.0),
    Row("/deck/{n}/jog", 1.0),
    Row("/deck/{n}/touch", 1, silent, heard_s=(0.3, 1.5)),
    Row("/deck/{n}/scratch", 0.1, louder, before=((-0.1, "/deck/{n}/touch", 1),), heard_s=(0.0, 0.2)),
    Row("/deck/{n}/brake", 1, quieter),
    Row("/deck/{n}/spinback", 1),
    Row("/deck/{n}/loop/in", 1, after=((0.3, "/deck/{n}/loop/out", 1),)),
    Row("/deck/{n}/loop/out", 1, before=((-0.2, "/deck/{n}/loop/in", 1),)),
    Row("/deck/{n}/loop/active", 0, before=LOOPED),
    Row("/deck/{n}/loop/beats", 0.5),
    Row("/deck/{n}/loop/halve", 1, before=LOOPED),
    Row("/deck/{n}/loop/double", 1, before=LOOPED),
    Row("/deck/{n}/loop/move", 2.0, before=LOOPED),
    Row("/deck/{n}/loop/reloop", 1, before=LOOPED),
    Row("/deck/{n}/loop/roll", 0.25),
    Row("/deck/{n}/memory/set", 1, after=BACK),
    Row("/deck/{n}/memory/next", 1, before=((-0.4, "/deck/{n}/position", 3.0), (-0.35, "/deck/{n}/memory/set", 1),
        (-0.3, "/deck/{n}/position", 0.2))),
    Row("/deck/{n}/memory/previous", 1, before=(*KEPT, AWAY)),
    Row("/deck/{n}/memory/clear", 1, before=KEPT, after=BACK),
    Row("/deck/{n}/grid/shift", 0.1, after=QUANTISED_LOOP),
    Row("/deck/{n}/grid/halve", 1, after=JUMP),
    Row("/deck/{n}/grid/double", 1, after=JUMP),
    Row("/deck/{n}/grid/downbeat", 1, before=((-0.5, "/deck/{n}/fx/1/type", "gate"),
        (-0.5, "/deck/{n}/fx/1/param/1", 1.0), (-0.5, "/deck/{n}/fx/1/param/3", 0.7), (-0.5, "/deck/{n}/fx/1/on", 1))),
    Row("/deck/{n}/grid/anchor", 1, after=QUANTISED_LOOP),
    Row("/deck/{n}/grid/tap", 1, presses=(0.3, 0.6, 0.9), after=((1.0, "/deck/{n}/beatjump", 2.0),)),
    Row("/deck/{n}/grid/reset", 1, before=((-0.3, "/deck/{n}/grid/double", 1),), after=JUMP),
    Row("/deck/{n}/hotcue/{h}/go", 1, before=MARKED),
    Row("/deck/{n}/hotcue/{h}/set", 1, after=((0.3, "/deck/{n}/hotcue/{h}/go", 1),)),
    Row("/deck/{n}/hotcue/{h}/clear", 1, before=MARKED, after=((0.3, "/deck/{n}/hotcue/{h}/go", 1),)),
    Row("/deck/{n}/fx/{u}/type", "crusher", before=ON),
    Row("/deck/{n}/fx/{u}/on", 1),
    Row("/deck/{n}/fx/{u}/wet", 0.0, before=ON),
    *(Row(f"/deck/{{n}}/fx/{{u}}/param/{p}", 0.0, before=ON) for p in (1, 2, 3)),
)  # fmt: skip

STEM = (
    Row("/deck/{n}/stem/{s}/volume", 0.0, quieter),
    Row("/deck/{n}/stem/{s}/mute", 1, quieter),
    Row("/deck/{n}/stem/{s}/solo", 1, quieter),
    Row("/deck/{n}/stem/{s}/pan", 1.0, to_the_right),
    Row("/deck/{n}/stem/{s}/filter", -0.8, quieter),
    *(Row(f"/deck/{{n}}/stem/{{s}}/eq/{band}", -26.0, law) for band, law in {"low": differs, "mid": quieter,
        "high": darker}.items()),
    Row("/deck/{n}/stem/{s}/output", "7-8", appears, bus="7-8", alone=True),
    Row("/deck/{n}/stem/{s}/send", 0.0, before=((-0.4, "/deck/{n}/fx/1/type", "crusher"),
        (-0.4, "/deck/{n}/fx/1/on", 1))),
    Row("/deck/{n}/stem/{s}/loop/active", 1, before=((-0.3, "/deck/{n}/stem/{s}/loop/beats", 0.5),)),
    Row("/deck/{n}/stem/{s}/loop/beats", 1.0, before=((-0.3, "/deck/{n}/stem/{s}/loop/beats", 0.25),
        (-0.1, "/deck/{n}/stem/{s}/loop/active", 1))),
)  # fmt: skip

MIXER = (
    Row("/mixer/crossfader", 1.0, before=LEFT, bus="master"),
    Row("/mixer/crossfader/curve", "linear", quieter, before=LEFT, bus="master"),
    Row("/mixer/crossfader/reverse", 1, before=(*LEFT, (-0.2, "/mixer/crossfader", 1.0)), bus="master"),
    Row("/mixer/master", 0.5, quieter, bus="master"),
    Row("/practice/input/measure", 1, louder, bus="master", heard_s=(0.0, 0.2)),
    Row("/mixer/auto_gain/target", -20.0, quieter, before=((-0.3, "/deck/1/auto_gain", 1),), bus="deck1"),
    Row("/mixer/headphones", 0.5, quieter, before=PFL, bus="headphones"),
    Row("/mixer/cue_mix", 1.0, before=PFL, bus="headphones"),
    Row("/mixer/split_cue", 1, before=PFL, bus="headphones"),
    Row("/mixer/booth", 0.5, quieter, bus="booth"),
    Row("/mixer/headphones/output", "7-8", appears, before=PFL, bus="7-8"),
    Row("/mixer/booth/output", "7-8", appears, bus="7-8"),
    Row("/mixer/fx/type", "gate", before=MASTER_ON, bus="master"),
    Row("/mixer/fx/on", 1, before=((-0.3, "/mixer/fx/type", "crusher"),), bus="master"),
    Row("/mixer/fx/wet", 1.0, before=MASTER_ON, bus="master"),
    *(Row(f"/mixer/fx/param/{p}", 1.0, before=MASTER_ON, bus="master") for p in (1, 2, 3)),
    Row("/session/tap", 1, before=((-0.45, "/session/tap", 1), (-0.3, "/deck/1/leader", 1)), bus="deck1"),
    Row("/session/tempo", 132.0, before=((-0.3, "/deck/1/leader", 1),), bus="deck1"),
    Row("/session/focus", "3", silent, after=((0.1, "/transport/stop", 1),), bus="deck3", heard_s=(0.2, 1.5)),
)

CLICKS = ((-0.5, "/deck/{n}/click/output", "headphones"), (-0.4, "/deck/{n}/click", 1))
STEPS = (
    (-0.4, "/deck/{n}/loop/beats", 0.5),
    (-0.3, "/deck/{n}/trainer/step", 0.3),
    (-0.3, "/deck/{n}/trainer/every", 1),
)
TAKEN = ((-0.5, "/deck/{n}/load", "next{n}"), (-0.4, "/deck/{n}/play", 1))
TRAINED = (*STEPS, (-0.2, "/deck/{n}/trainer/on", 1))
TRAINS = ((0.1, "/deck/{n}/trainer/on", 1),)
MUTED = ((-0.4, "/deck/{n}/stem/{s}/mutes", "0.5-2.4"),)

PRACTICE = (
    Row("/deck/{n}/take/volume", 0.3, quieter, before=TAKEN),
    Row("/deck/{n}/take/mute", 1, quieter, before=TAKEN),
    Row("/deck/{n}/take/pan", 1.0, to_the_right, before=TAKEN),
    Row("/deck/{n}/loop/start", 0.1, before=LOOPED),
    Row("/deck/{n}/loop/end", 1.2, before=LOOPED),
    Row("/deck/{n}/loop/section", 1.0),
    Row("/deck/{n}/loop/bars", 1.0),
    Row("/deck/{n}/loop/bar", 2.0),
    Row("/deck/{n}/loop/preroll", 1.0, before=LOOPED),
    Row("/deck/{n}/loop/again", 1, before=((-0.2, "/deck/{n}/loop/beats", 4.0),)),
    Row("/deck/{n}/click", 1, appears, before=((-0.5, "/deck/{n}/click/output", "headphones"),), bus="headphones",
        alone=True),
    Row("/deck/{n}/click/volume", 1.0, louder, before=CLICKS, bus="headphones", alone=True),
    Row("/deck/{n}/click/accent", 0, before=CLICKS, bus="headphones", alone=True),
    Row("/deck/{n}/click/divide", "2", louder, before=CLICKS, bus="headphones", alone=True),
    Row("/deck/{n}/click/bar", 3.0, before=CLICKS, bus="headphones", alone=True),
    Row("/deck/{n}/click/output", "headphones", appears, before=((-0.4, "/deck/{n}/click", 1),), bus="headphones",
        alone=True),
    Row("/deck/{n}/countin", 2.0, quieter, after=((0.1, "/deck/{n}/stop", 1), (0.2, "/deck/{n}/play", 1))),
    Row("/deck/{n}/countin/passes", 1, quieter, before=(*LOOPED, (-0.1, "/deck/{n}/countin", 1.0))),
    Row("/deck/{n}/trainer/on", 1, before=STEPS),
    Row("/deck/{n}/trainer/start", 0.5, before=STEPS, after=TRAINS),
    Row("/deck/{n}/trainer/stop", 0.75, before=STEPS, after=TRAINS),
    Row("/deck/{n}/trainer/step", 0.1, before=STEPS, after=TRAINS),
    Row("/deck/{n}/trainer/every", 4.0, before=STEPS, after=TRAINS),
    Row("/deck/{n}/trainer/by", "clean", before=STEPS, after=TRAINS),
    Row("/deck/{n}/trainer/clean", 1, before=(*TRAINED, (-0.25, "/deck/{n}/trainer/by", "clean"))),
    Row("/deck/{n}/trainer/missed", 1, before=TRAINED),
    Row("/deck/{n}/stem/{s}/mutes", "0.8-1.5", quieter),
    Row("/deck/{n}/stem/{s}/mutes/add", "0.8-1.5", quieter),
    Row("/deck/{n}/stem/{s}/mutes/loop", 1, quieter, before=LOOPED),
    Row("/deck/{n}/stem/{s}/mutes/section", 2.0, quieter),
    Row("/deck/{n}/stem/{s}/mutes/remove", 1.0, louder, before=MUTED),
    Row("/deck/{n}/stem/{s}/mutes/clear", 1, louder, before=MUTED),
)  # fmt: skip

PAD = ((-0.5, "/pad/{p}/source", "next1#vocals@0-0.6"),)
HIT = ((0.1, "/pad/{p}", 1.0),)
SOUNDING = (*PAD, (-0.1, "/pad/{p}", 1.0))
NEIGHBOURS = (*PAD, (-0.5, "/pad/{q}/source", "next1#bass@0-0.6"))
FIRST_PAD = ((-0.5, "/pad/1/source", "next1#vocals@0-0.2"),)
RUNNING = (*FIRST_PAD, (-0.45, "/sequencer/step_beats", "0.125"), (-0.4, "/sequencer/run", 1))
PATTERN = (*RUNNING, (-0.4, "/sequencer/pattern/1", "9595959595959595"))

PADS_AND_STEPS = (
    Row("/pad/{p}", 1.0, before=PAD, bus="master"),
    Row("/pad/{p}/stop", 1, before=SOUNDING, bus="master"),
    Row("/pad/{p}/source", "next2#vocals@0-0.6", before=PAD, after=HIT, bus="master"),
    Row("/pad/{p}/take", "1#drums", before=((-0.4, "/deck/1/loop/beats", 1.0),), after=HIT, bus="master"),
    Row("/pad/{p}/mode", "loop", before=PAD, after=HIT, bus="master"),
    Row("/pad/{p}/choke", "1", before=(*NEIGHBOURS, (-0.4, "/pad/{q}/choke", "1")),
        after=(*HIT, (0.2, "/pad/{q}", 1.0)), bus="master"),
    Row("/pad/{p}/gain", 0.2, before=PAD, after=HIT, bus="master"),
    Row("/pad/{p}/pfl", 1, appears, before=PAD, after=HIT, bus="headphones", heard_s=(0.15, 0.6)),
    Row("/pad/{p}/pan", 1.0, before=PAD, after=HIT, bus="master"),
    Row("/pad/{p}/pitch", 7.0, before=PAD, after=HIT, bus="master"),
    Row("/pad/{p}/start", 0.3, before=PAD, after=HIT, bus="master"),
    Row("/pad/{p}/end", 0.3, before=PAD, after=HIT, bus="master"),
    Row("/pad/{p}/quantize", "1", before=PAD, after=HIT, bus="master"),
    Row("/pad/bank", "2", before=FIRST_PAD, after=((0.1, "/pad/1", 1.0),), bus="master"),
    Row("/pad/volume", 0.2, before=FIRST_PAD, after=((0.1, "/pad/1", 1.0),), bus="master"),
    Row("/pad/stop", 1, before=(*FIRST_PAD, (-0.05, "/pad/1", 1.0)), bus="master"),
    Row("/sequencer/run", 0, before=PATTERN, bus="master"),
    Row("/sequencer/bank", "2", before=PATTERN, bus="master"),
    Row("/sequencer/step_beats", "0.5", before=PATTERN, bus="master"),
    Row("/sequencer/length", "3", before=PATTERN, bus="master"),
    Row("/sequencer/swing", 0.5, before=PATTERN, bus="master"),
    Row("/sequencer/clear", 1, before=PATTERN, bus="master"),
    Row("/sequencer/select", "2", before=(*RUNNING, (-0.5, "/pad/2/source", "next2#bass@0-0.2")),
        after=((0.05, "/sequencer/step/1", 1.0), (0.05, "/sequencer/step/5", 1.0)), bus="master"),
    Row("/sequencer/step/{p}", 1.0, before=RUNNING, bus="master"),
    Row("/sequencer/pattern/{p}", "9.9.9.9.9.9.9.9.", before=(*PAD, *RUNNING[1:]), bus="master"),
)  # fmt: skip

SILENT: dict[str, tuple[Value, str]] = {
    "/deck/{n}/hotcue/{h}/name": ("drop", "a label"),
    "/deck/{n}/hotcue/{h}/color": ("#112233", "a label"),
    "/deck/{n}/zoom": (4.0, "a picture"),
    "/session/mode": ("practice", "how songs are opened: tests/server/session/test_practising.py"),
    "/mixer/record": (1, "writes a file: tests/server/test_recording.py listens to it"),
    **{f"/mixer/record/bus/{bus}": (1, "writes a file: tests/server/test_recording.py") for bus in RECORDED},
    "/practice/input/volume": (1.0, "a render hears nothing: tests/audio/kernel/test_input.py"),
    "/practice/input/output": ("master", "a render hears nothing"),
    "/practice/input/latency": (0.01, "a render hears nothing"),
    # One deck at a time: each is moved in a render of its own.
    **{
        f"/deck/{n}/take/record": (1, "a render hears nothing: tests/audio/kernel/test_takes.py")
        for n in range(1, DECKS + 1)
    },
    "/link/enabled": (1, "a clock on the network: tests/control/test_clock_desk.py"),
    "/link/start_stop": (1, "a clock on the network"),
    "/clock/out": (1, "MIDI that goes out: tests/control/test_clock_lines.py"),
    "/clock/out/ports": ("IAC*", "MIDI that goes out"),
    "/clock/in": ("IAC*", "MIDI that comes in: tests/control/test_clock_in.py"),
    "/clock/in/transport": (1, "MIDI that comes in"),
    "/timecode/out": ("25", "MIDI that goes out"),
    "/timecode/ltc": ("25", "a channel of its own: tests/audio/kernel/test_timecode.py reads it"),
    "/timecode/ltc/channel": ("5", "a channel of its own"),
    "/timecode/ltc/level": (-20.0, "a channel of its own"),
    "/timecode/offset": (3600.0, "MIDI that goes out"),
    "/daw/profile": ("reaper", "OSC that goes out: tests/control/test_daw_profile.py"),
    "/daw/host": ("192.0.2.1", "OSC that goes out"),
}
"""What a render does not sound of: the value that the session then holds, and why there is no sound."""

SETS = "tests/server/test_render_setlists.py"
ELSEWHERE = {
    "/setlist/load": SETS,
    "/setlist/autopilot": SETS,
    "/setlist/next": SETS,
    "/setlist/previous": SETS,
    "/setlist/goto": SETS,
}
"""What wants a set of songs to be heard, and the test that listens to it."""

ROWS = (*DECK, *STEM, *MIXER, *PRACTICE, *PADS_AND_STEPS)
EACH = {"n": range(1, DECKS + 1), "s": STEMS, "h": range(1, 9), "u": (1, 2), "p": range(1, PADS + 1)}


def fill(text: Value, **names: object) -> Value:
    """Return a pattern with its names put in; what is no text stays."""
    return re.sub(r"\{(\w)\}", lambda found: str(names[found[1]]), text) if isinstance(text, str) else text


def expanded(pattern: str) -> Iterator[dict[str, object]]:
    """Yield the names of every control of a pattern."""
    keys = re.findall(r"\{(\w)\}", pattern)
    for values in itertools.product(*(EACH[key] for key in keys)):
        yield dict(zip(keys, values, strict=True))


CASES = [
    pytest.param(row, names, id=str(fill(row.pattern, **{**names, "n": "N"})))
    for row in ROWS
    for names in expanded(row.pattern.replace("{n}", "N"))
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("scene"))


def lines(times: Times, moment: float, names: dict[str, object]) -> list[Line]:
    return [(moment + at, str(fill(path, **names)), fill(value, **names)) for at, path, value in times]


def check(desk: Desk, row: Row, decks: tuple[int, ...], names: dict[str, object]) -> None:
    """Render with and without the control moved on `decks`, and hear each of them."""
    scene: list[Line] = []
    moved: list[Line] = []
    moments: dict[int, tuple[float, str, str]] = {}
    neighbour = int(str(names.get("p", 0))) % PADS + 1
    for place, deck in enumerate(decks):
        moment = FIRST_S + place * STAGGER_S
        these = {**names, "q": neighbour, "n": deck, "o": deck % DECKS + 1, "t": (deck + 1) % DECKS + 1}
        path = str(fill(row.pattern, **these))
        scene += [*lines(row.before, moment, these), *lines(row.after, moment, these)]
        moved += [(moment + at, path, fill(row.value, **these)) for at in (0.0, *row.presses)]
        moments[deck] = (moment, path, str(fill(row.bus, **these)))
    without, with_it = desk.hear(scene), desk.hear([*scene, *moved])
    assert np.isfinite(with_it.channels).all()
    for moment, path, bus in moments.values():
        was, now = without.bus(bus), with_it.bus(bus)
        at = round(moment * RATE)
        assert np.array_equal(was[: at - DELAY], now[: at - DELAY]), f"{path} was heard before it was moved"
        begin, end = (at + round(part * RATE) for part in row.heard_s)
        began = min(begin + SETTLED, end)
        before, after = was[began:end], now[began:end]
        assert row.law(before, after), (
            f"{path} = {row.value!r} is not heard as {row.law.__name__} on {bus}: level {level(before):.5f} -> "
            f"{level(after):.5f}, difference {level(after - before):.6f}; {with_it.warnings}"
        )


@pytest.mark.parametrize(("row", "names"), CASES)
def test_it_is_heard(desk: Desk, row: Row, names: dict[str, object]) -> None:
    everyone = tuple(range(1, DECKS + 1))
    if "{n}" not in row.pattern:
        check(desk, row, (1,), names)
    elif row.alone:
        for deck in everyone:
            check(desk, row, (deck,), names)
    else:
        check(desk, row, everyone, names)


@pytest.mark.parametrize("pattern", SILENT)
def test_what_has_no_sound_is_kept_by_the_session(desk: Desk, pattern: str) -> None:
    value, why = SILENT[pattern]
    paths = [str(fill(pattern, **names)) for names in expanded(pattern)]
    hot = [(0.2, path.rsplit("/", 1)[0] + "/set", 1) for path in paths if "hotcue" in path]
    heard = desk.hear([*hot, *((0.5, path, value) for path in paths)])
    assert why
    assert {path: heard.controls[path] for path in paths} == dict.fromkeys(paths, value)


def test_every_writable_control_has_its_row() -> None:
    written = [fill(row.pattern, **names) for row in ROWS for names in expanded(row.pattern)]
    written += [fill(pattern, **names) for pattern in SILENT for names in expanded(pattern)]
    written += ELSEWHERE
    wanted = [path for path, control in REGISTRY.items() if control.is_writable]
    assert sorted(set(wanted) - set(written)) == [], "a new control wants a row here that says how it is heard"
    assert sorted(set(written) - set(wanted)) == [], "a row names no control"
    assert len(written) == len(set(written))


@pytest.mark.parametrize("path", ELSEWHERE)
def test_what_is_heard_elsewhere_is_moved_there(path: str) -> None:
    assert f'"{path}"' in (ROOT / ELSEWHERE[path]).read_text(encoding="utf-8")


def test_an_alias_is_its_control_on_the_deck_in_focus(desk: Desk) -> None:
    for alias, value in {"/transport/play": 0, "/transport/stop": 1, "/stem/1/volume": 0.0, "/stem/2/mute": 1,
                         "/stem/3/solo": 1}.items():  # fmt: skip
        assert alias in ALIASES
        slot, part = alias.split("/")[2:] if alias.startswith("/stem") else ("", alias.split("/")[2])
        path = f"/deck/2/stem/{STEMS[int(slot) - 1]}/{part}" if slot else f"/deck/2/{part}"
        focus: list[Line] = [(0.3, "/session/focus", "2")]
        short, whole = desk.hear([*focus, (0.6, alias, value)]), desk.hear([*focus, (0.6, path, value)])
        assert np.array_equal(short.channels, whole.channels)
        assert differs(desk.hear(focus).bus("deck2")[RATE:], short.bus("deck2")[RATE:])


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("param", [1, 2, 3])
def test_every_knob_of_every_effect_is_heard(desk: Desk, name: str, param: int) -> None:
    """On a deck with a grid. A knob is moved from one third to its end, others stand in the middle."""
    unit = "/deck/1/fx/1"
    start = [(0.1, f"{unit}/type", name), (0.1, f"{unit}/wet", 1.0), (0.1, f"{unit}/param/{param}", 0.3)]
    scene: list[Line] = [*start, (0.2, f"{unit}/on", 1)]
    before, after = desk.hear(scene), desk.hear([*scene, (0.6, f"{unit}/param/{param}", 1.0)])
    at = round(0.6 * RATE)
    was, now = before.bus("deck1"), after.bus("deck1")
    assert np.array_equal(was[: at - DELAY], now[: at - DELAY]) and differs(was[at:], now[at:])


def test_an_echo_repeats_on_the_beat_of_the_grid(desk: Desk) -> None:
    """One beat is half a second: what is let in for 0.1 s comes again after it."""
    unit = "/deck/1/fx/1"
    scene: list[Line] = [(0.1, f"{unit}/type", "echo"), (0.1, f"{unit}/param/1", 0.7), (0.1, f"{unit}/param/3", 1.0)]
    dry = desk.hear([*scene, (0.7, "/deck/1/stop", 1)]).bus("deck1")[:, 0]
    wet = desk.hear([*scene, (0.5, f"{unit}/on", 1), (0.6, f"{unit}/on", 0), (0.7, "/deck/1/stop", 1)]).bus("deck1")[
        :, 0
    ]
    rest = wet - dry
    source = dry[round(0.52 * RATE) : round(0.58 * RATE)]
    found = np.correlate(rest[round(0.75 * RATE) : round(2.2 * RATE)], source, "valid")
    at = round(0.75 * RATE) + int(np.argmax(np.abs(found)))
    assert abs(at - round(1.02 * RATE)) <= 1
    assert level(rest[round(1.02 * RATE) : round(1.08 * RATE)]) > 0.1 * level(source)


def test_a_gate_opens_and_shuts_on_the_grid(desk: Desk) -> None:
    """Step 1/4 beat, half open, every step: 62.5 ms of sound, 62.5 ms of silence."""
    unit = "/deck/1/fx/1"
    heard = desk.hear(
        [(0.1, f"{unit}/type", "gate"), (0.1, f"{unit}/wet", 1.0), (0.1, f"{unit}/param/1", 0.5),
         (0.1, f"{unit}/param/2", 0.45), (0.1, f"{unit}/param/3", 0.5), (0.2, f"{unit}/on", 1)]
    ).bus("deck1")  # fmt: skip
    for step in range(4, 16):
        open_, shut = (round((step * 0.125 + part) * RATE) for part in (0.005, 0.075))
        assert level(heard[open_ : open_ + 640]) > 0.02 and level(heard[shut : shut + 640]) < 1e-4
