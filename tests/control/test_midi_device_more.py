"""What a device understands beyond single messages: gestures, layers, pages, scenes, NRPN, SysEx, acceleration, jog
wheels, rings and meters; and that no bytes whatever break it."""

import random

import pytest

from control.control import Value
from control.errors import BadMessage, MappingRejected
from control.gestures import DOUBLE_S, LONG_S
from control.mapping import parse
from control.midi_device import MidiDevice
from control.midi_messages import decode
from control.relative import Acceleration
from tests.control.test_midi_device import HEAD, MUTE, Desk

SOLO = "/deck/1/stem/vocals/solo"
PLAY = "/deck/1/play"
VOLUME = "/deck/1/volume"


def ticked(desk: Desk, after: float) -> list[tuple[str, Value]]:
    desk.now += after
    return [(move.path, move.value) for move in desk.device.tick(desk.focus, desk.now)]


# -- gestures ---------------------------------------------------------------------------------------------------------


def test_press_release_tap_long_and_double_of_one_button() -> None:
    desk = Desk(
        f'source = "note 1/1"\npath = "{MUTE}"\non = "tap"',
        f'source = "note 1/1"\npath = "{SOLO}"\non = "long"',
        f'source = "note 1/1"\npath = "{PLAY}"\non = "double"',
    )
    assert desk.send(0x90, 1, 1, after=1) == []
    assert desk.send(0x80, 1, 0, after=0.1) == [], "a second press may come"
    assert desk.device.next_at() is not None
    assert ticked(desk, DOUBLE_S) == [(MUTE, 1)]
    assert desk.send(0x90, 1, 1, after=1) == []
    assert ticked(desk, LONG_S - 0.01) == []
    assert ticked(desk, 0.02) == [(SOLO, 1)]
    assert desk.send(0x80, 1, 0) == [], "a long press is no tap"
    assert ticked(desk, 1) == []
    desk.send(0x90, 1, 1, after=1)
    desk.send(0x80, 1, 0, after=0.05)
    assert desk.send(0x90, 1, 1, after=0.1) == [(PLAY, 1)]
    assert desk.send(0x80, 1, 0, after=0.05) == []
    assert ticked(desk, 1) == [], "a double press is neither a tap nor long"
    assert desk.device.next_at() is None


def test_a_plain_press_waits_for_nothing() -> None:
    desk = Desk(f'source = "note 1/1"\npath = "{MUTE}"', f'source = "note 1/1"\npath = "{SOLO}"\non = "long"')
    assert desk.send(0x90, 1, 1) == [(MUTE, 1)]
    assert ticked(desk, LONG_S) == [(SOLO, 1)]


def test_a_momentary_long_press_holds_until_the_release() -> None:
    desk = Desk(f'source = "note 1/1"\npath = "{MUTE}"\non = "long"\nmode = "momentary"')
    assert desk.send(0x90, 1, 1) == []
    assert ticked(desk, LONG_S) == [(MUTE, 1)]
    assert desk.send(0x80, 1, 0) == [(MUTE, 0)]


def test_one_button_sets_many_controls_as_a_scene() -> None:
    desk = Desk(
        f'source = "note 1/9"\npath = "{MUTE}"\nvalue = 1',
        f'source = "note 1/9"\npath = "{VOLUME}"\nvalue = 0.25',
        'source = "note 1/9"\npath = "/deck/1/source"\nvalue = "mix"',
        'source = "note 1/8"\npath = "/session/focus"\nvalue = 3',
    )
    assert desk.send(0x90, 9, 1) == [(MUTE, 1), (VOLUME, 0.25), ("/deck/1/source", "mix")]
    assert desk.send(0x90, 8, 1) == [("/session/focus", "3")]
    assert (0x90, 8, 127) in desk.shown(), "a button that sets a value is lit while it stands"


def test_a_foot_switch_nudges_by_steps() -> None:
    desk = Desk(
        f'source = "note 1/1"\npath = "{VOLUME}"\nmode = "relative"\nstep = 0.1\ncurve = "linear"\ninvert = true'
    )
    assert desk.send(0x90, 1, 1) == [(VOLUME, 0.9)]
    assert desk.send(0x80, 1, 0) == []


def test_a_program_change_acts_once() -> None:
    desk = Desk(f'source = "program 1/4"\npath = "{MUTE}"', f'source = "program 1/4"\npath = "{SOLO}"\non = "long"')
    assert desk.send(0xC0, 4) == [(MUTE, 1)]
    assert ticked(desk, LONG_S) == [], "nothing is held"


# -- layers -----------------------------------------------------------------------------------------------------------

SHIFT = '[[layer]]\nname = "shift"\nsource = "note 1/99"\n'


def layered(layers: str, *rows: str) -> Desk:
    desk = Desk()
    text = HEAD + layers + "".join(f"[[map]]\n{row}\n" for row in rows)
    desk.device = MidiDevice("desk", "desk", parse(text), desk.values.get)
    desk.device.show_all("1", desk.now)
    return desk


def test_shift_changes_the_lines_it_has_and_leaves_the_others() -> None:
    desk = layered(
        SHIFT,
        f'source = "note 1/1"\npath = "{MUTE}"',
        f'source = "note 1/1"\npath = "{SOLO}"\nlayer = "shift"',
        f'source = "note 1/2"\npath = "{PLAY}"',
    )
    assert desk.send(0x90, 1, 1) == [(MUTE, 1)]
    desk.send(0x90, 99, 1)
    assert desk.send(0x90, 1, 1) == [(SOLO, 1)]
    assert desk.send(0x90, 2, 1) == [(PLAY, 1)]
    desk.send(0x80, 99, 0)
    assert desk.send(0x90, 1, 1) == [(MUTE, 0)]


def test_what_was_pressed_under_shift_is_let_go_though_shift_came_up_first() -> None:
    desk = layered(SHIFT, f'source = "note 1/1"\npath = "{MUTE}"\nlayer = "shift"\nmode = "momentary"')
    desk.send(0x90, 99, 1)
    assert desk.send(0x90, 1, 1) == [(MUTE, 1)]
    desk.send(0x80, 99, 0)
    assert desk.send(0x80, 1, 0) == [(MUTE, 0)]


def test_a_fader_that_moved_under_shift_does_not_jump_when_it_comes_back() -> None:
    desk = layered(
        SHIFT,
        f'source = "cc 1/1"\npath = "{VOLUME}"\ncurve = "linear"',
        'source = "cc 1/1"\npath = "/deck/2/volume"\nlayer = "shift"\ncurve = "linear"',
    )
    assert desk.send(0xB0, 1, 127)
    assert desk.send(0xB0, 1, 64) == [(VOLUME, 0.5)]
    desk.send(0x90, 99, 1)
    for value in (30, 20, 10):
        assert desk.send(0xB0, 1, value) == []
    desk.send(0x80, 99, 0)
    assert desk.send(0xB0, 1, 11) == []
    assert desk.send(0xB0, 1, 9) == []
    assert desk.send(0xB0, 1, 70), "it met its control again"


def test_pages_exclude_each_other_and_light_their_keys() -> None:
    pages = "".join(
        f'[[layer]]\nname = "{name}"\nsource = "note 1/{90 + n}"\nkind = "page"\nstart = {str(not n).lower()}\n'
        for n, name in enumerate(("one", "two"))
    )
    desk = layered(
        pages,
        f'source = "note 1/1"\npath = "{MUTE}"\nlayer = "one"',
        f'source = "note 1/1"\npath = "{SOLO}"\nlayer = "two"\nlit = 5\ndark = 1',
    )
    assert set(desk.shown()) == {(0x90, 90, 127), (0x90, 91, 0), (0x90, 1, 0)}
    assert desk.send(0x90, 91, 1) == []
    assert set(desk.shown()) >= {(0x90, 90, 0), (0x90, 91, 127), (0x90, 1, 1)}
    assert desk.send(0x90, 1, 1) == [(SOLO, 1)]
    assert (0x90, 1, 5) in desk.shown()
    desk.send(0x90, 91, 1)
    assert desk.send(0x90, 1, 1) == [(MUTE, 1)], "the same key again goes back to the first page"


# -- messages in several parts ---------------------------------------------------------------------------------------


def test_the_show_turns_to_a_page_by_its_name() -> None:
    pages = "".join(
        f'[[layer]]\nname = "{name}"\nsource = "note 1/{90 + n}"\nkind = "page"\nstart = {str(not n).lower()}\n'
        for n, name in enumerate(("mix", "stems"))
    )
    desk = Desk(
        f'source = "note 1/1"\npath = "{MUTE}"\nlayer = "mix"\n{pages}',
        f'source = "note 1/1"\npath = "{SOLO}"\nlayer = "stems"',
    )
    desk.device.turn_to("Stems")
    assert desk.device.layers.on == {"stems"} and desk.send(0x90, 1, 1) == [(SOLO, 1)]
    desk.device.turn_to("Stems")
    desk.device.turn_to("no page of this name")
    assert desk.device.layers.on == {"stems"}
    desk.device.turn_to("mix")
    assert desk.device.layers.on == {"mix"}


def test_nrpn_and_rpn_move_controls_and_plain_control_changes_stay_what_they_are() -> None:
    desk = Desk(
        'source = "nrpn 1/300"\npath = "/mixer/crossfader"\ntakeover = "jump"',
        f'source = "rpn 1/2"\npath = "{VOLUME}"\ntakeover = "jump"\ncurve = "linear"',
        'source = "cc 2/6"\npath = "/mixer/master"\ntakeover = "jump"\ncurve = "linear"',
    )
    assert desk.send(0xB0, 99, 300 >> 7) == []
    assert desk.send(0xB0, 98, 300 & 127) == []
    assert desk.send(0xB0, 6, 64) == [("/mixer/crossfader", 0.0)]
    assert desk.send(0xB0, 38, 127)[0][1] == pytest.approx(127 / 8191)
    assert desk.send(0xB0, 96, 0)[0][1] == pytest.approx(128 / 8191), "one more"
    assert desk.send(0xB0, 97, 0)[0][1] == pytest.approx(127 / 8191), "one less"
    assert desk.send(0xB0, 6, 127) == [("/mixer/crossfader", 1.0)]
    desk.send(0xB0, 101, 0)
    desk.send(0xB0, 100, 2)
    assert desk.send(0xB0, 6, 127) == [(VOLUME, 1.0)]
    desk.send(0xB0, 101, 127)
    desk.send(0xB0, 100, 127)
    assert desk.send(0xB0, 6, 0) == [], "no parameter is chosen"
    assert desk.send(0xB1, 6, 127) == [("/mixer/master", 1.0)], "no NRPN on this channel"


def test_system_exclusive_is_mapped_by_its_beginning() -> None:
    desk = Desk(
        f'source = "sysex 47 7f 15 01"\npath = "{MUTE}"',
        f'source = "sysex 47 7f"\npath = "{SOLO}"',
    )
    assert desk.send(0xF0, 0x47, 0x7F, 0x15, 1, 1, 0xF7) == [(MUTE, 1)], "the longest beginning wins"
    assert desk.send(0xF0, 0x47, 0x7F, 0x15, 1, 0, 0xF7) == [], "a value of 0 lets go"
    assert desk.send(0xF0, 0x47, 0x7F, 0xF7) == [(SOLO, 1)]
    assert desk.send(0xF0, 0x48, 0xF7) == []


def test_pressure_of_one_key() -> None:
    desk = Desk(f'source = "keypressure 1/60"\npath = "{VOLUME}"\ntakeover = "jump"\ncurve = "linear"')
    assert desk.send(0xA0, 60, 64) == [(VOLUME, 0.5)]
    assert desk.send(0xA0, 61, 1) == []


# -- turning ----------------------------------------------------------------------------------------------------------


def test_acceleration_counts_fast_clicks_more_and_slow_ones_once() -> None:
    turning = Acceleration()
    assert turning.factor(1, 4.0, 0.0) == 1.0
    assert turning.factor(1, 4.0, 1.0) == 1.0
    fast = turning.factor(1, 4.0, 1.005)
    assert fast == 4.0
    assert 1.0 < turning.factor(1, 4.0, 1.03) < fast
    assert turning.factor(-1, 4.0, 1.031) == 1.0, "turning back starts slowly"


def test_a_jog_wheel_sends_each_movement_itself() -> None:
    desk = Desk('source = "cc 1/33"\npath = "/deck/1/rate"\nmode = "jog"\nencoding = "offset"\nstep = 0.5')
    assert [desk.send(0xB0, 33, value) for value in (65, 63, 64, 67)] == [
        [("/deck/1/rate", 0.5)], [("/deck/1/rate", -0.5)], [], [("/deck/1/rate", 1.5)],
    ]  # fmt: skip


def test_scale_never_jumps_and_reaches_both_ends() -> None:
    desk = Desk(f'source = "cc 1/1"\npath = "{VOLUME}"\ncurve = "linear"\ntakeover = "scale"')
    desk.values[VOLUME] = 0.5
    desk.send(0xB0, 1, 100)
    seen = [desk.send(0xB0, 1, value) for value in range(101, 128)]
    values = [float(moves[0][1]) for moves in seen]
    assert all(0 < after - before < 0.06 for before, after in zip([0.5, *values], values, strict=False))
    assert values[-1] == 1.0


# -- lights -----------------------------------------------------------------------------------------------------------


def test_one_pad_shows_two_controls_in_colours() -> None:
    desk = Desk(
        f'source = "note 1/1"\npath = "{MUTE}"\nlit = 5\ndark = 21',
        f'source = "note 1/2"\npath = "{SOLO}"\nlight = "note 1/1"\nlit = 45',
    )
    desk.set(MUTE, 0)
    assert desk.shown() == [(0x90, 1, 21)]
    desk.set(SOLO, 1)
    assert desk.shown() == [(0x90, 1, 45)]
    desk.set(MUTE, 1)
    assert desk.shown() == [(0x90, 1, 5)]


def test_rings_meters_and_windows() -> None:
    text = HEAD + (
        '[[map]]\nsource = "cc 1/16"\npath = "/mixer/crossfader"\nmode = "relative"\n'
        'light = "cc 1/48"\nsteps = [1, 11]\n'
        '[[light]]\nlight = "pressure 1"\npath = "/deck/1/level"\nsteps = [0, 12]\n'
        '[[light]]\nlight = "note 1/50"\npath = "/deck/1/level"\nwhen = [0.99, 8.0]\n'
        '[[light]]\nlight = "note 1/51"\npath = "/deck/1/source"\nwhen = "mix"\nlit = "#ff8000"\n'
        '[[light]]\nlight = "sysex 47 00 40 65 00 04 00"\npath = "/deck/1/play"\nlit = "#00ff00"\ndark = "#000000"\n'
    )
    desk = Desk()
    desk.device = MidiDevice("desk", "desk", parse(text), desk.values.get)
    assert desk.device.meters == {"/deck/1/level"}
    desk.set("/mixer/crossfader", 0.0)
    desk.set(PLAY, 1)
    assert desk.shown() == [(0xB0, 48, 6), (0xF0, 0x47, 0, 0x40, 0x65, 0, 4, 0, 0, 127, 0, 0xF7)]
    desk.device.meter("/deck/1/level", 1.0)
    assert (0x90, 50, 127) in desk.shown()
    desk.device.meter("/deck/1/level", 0.5)
    assert (0x90, 50, 0) in desk.shown()
    desk.set("/deck/1/source", "mix")
    assert desk.shown() == [], "a note has no room for a colour of three bytes"


def test_the_focused_deck_is_shown_and_moved() -> None:
    desk = Desk('source = "note 1/1"\npath = "/deck/focus/play"')
    assert desk.send(0x90, 1, 1) == [(PLAY, 1)]
    desk.focus = "4"
    desk.device.show_all("4", desk.now)
    assert desk.send(0x90, 1, 1) == [("/deck/4/play", 1)]


# -- robustness -------------------------------------------------------------------------------------------------------


def test_no_bytes_whatever_break_a_device_or_name_a_value_that_does_not_fit() -> None:
    rng = random.Random(4)
    kinds = ["note", "cc", "cc14", "nrpn", "rpn", "program", "keypressure"]
    rows = []
    for number in range(32):
        kind = rng.choice(kinds)
        path = rng.choice(
            [MUTE, SOLO, VOLUME, "/mixer/crossfader", "/deck/1/assign", "/deck/1/stop", "/deck/1/position"]
        )
        extra = rng.choice(["", '\nmode = "relative"', '\ntakeover = "scale"', '\non = "long"', '\nlayer = "shift"'])
        row = f'source = "{kind} {rng.randint(1, 2)}/{number}"\npath = "{path}"{extra}'
        try:
            parse(HEAD + SHIFT + f"[[map]]\n{row}\n")
        except MappingRejected:
            continue
        rows.append(row)
    assert len(rows) > 12
    desk = layered(SHIFT, *rows, 'source = "sysex 01"\npath = "/deck/2/play"')
    heard = 0
    numbers = [*range(34), 96, 97, 98, 99, 100, 101, 127]
    for _ in range(20_000):
        desk.now += rng.random() * 0.1
        if rng.random() < 0.5:
            data = bytes(rng.randrange(256) for _ in range(rng.randrange(6)))
        else:
            status = rng.choice([0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0]) | rng.randrange(2)
            data = bytes((status, rng.choice(numbers), rng.randrange(128)))[: 2 if status & 0xE0 == 0xC0 else 3]
        desk.device.fader_of(data)
        try:
            message = decode(data)
        except BadMessage:
            continue
        for move in (*desk.device.hear(message, "1", desk.now), *desk.device.tick("1", desk.now)):
            assert isinstance(move.value, int | float | str)
            heard += 1
        desk.device.feedback.due(desk.now)
    assert heard > 150
