"""Laws of the queue between ports and the loop: fair, merging only what nobody hears, never losing a press."""

import random

from control.mapping import parse
from control.midi_device import MidiDevice
from control.midi_health import FLOOD, GARBAGE, Health
from control.midi_identity import ident_of
from control.midi_names import Arrived, numbered
from control.midi_queue import MidiQueue


def push(queue: MidiQueue, port: str, *data: int, fader: object = None) -> bool:
    return queue.push(Arrived(port, data, 0.0), fader)  # type: ignore[arg-type]


def drain(queue: MidiQueue) -> list[tuple[str, tuple[int, ...]]]:
    found = []
    while (arrived := queue.pop()) is not None:
        found.append((arrived.port, arrived.data))
    return found


def test_a_storm_on_one_port_lets_the_others_take_their_turn() -> None:
    queue = MidiQueue()
    for value in range(5000):
        push(queue, "storm", 0x90, value % 128, 1)
    push(queue, "calm", 0xB0, 7, 1)
    first = [queue.pop() for _ in range(2)]
    assert [arrived.port for arrived in first if arrived] == ["storm", "calm"]


def test_newer_values_of_a_fader_replace_older_ones_but_never_across_a_press() -> None:
    queue = MidiQueue()
    for value in (1, 2, 3):
        push(queue, "desk", 0xB0, 7, value, fader=7)
    push(queue, "desk", 0x90, 36, 127)
    for value in (4, 5):
        push(queue, "desk", 0xB0, 7, value, fader=7)
    push(queue, "desk", 0xB0, 8, 9, fader=8)
    assert [data for _, data in drain(queue)] == [(0xB0, 7, 3), (0x90, 36, 127), (0xB0, 7, 5), (0xB0, 8, 9)]
    assert queue.superseded == 3


def test_what_no_longer_fits_is_refused_and_a_port_that_has_gone_is_forgotten() -> None:
    queue = MidiQueue(capacity=3)
    assert [push(queue, "desk", 0x90, 1, value) for value in range(4)] == [True, True, True, False]
    assert push(queue, "other", 0x90, 1, 1), "the others have room"
    queue.forget("desk")
    assert drain(queue) == [("other", (0x90, 1, 1))]


MAPPED = """
[device]
match = "x"
[[layer]]
name = "shift"
source = "cc 1/99"
[[map]]
source = "cc 1/1"
path = "/deck/1/volume"
takeover = "jump"
[[map]]
source = "cc14 1/2"
path = "/mixer/crossfader"
takeover = "jump"
[[map]]
source = "cc 1/3"
path = "/deck/1/stem/vocals/mute"
[[map]]
source = "cc 1/4"
path = "/mixer/master"
mode = "relative"
[[map]]
source = "note 1/5"
path = "/deck/1/stem/drums/mute"
"""


def test_a_storm_ends_where_it_would_have_ended_without_merging_and_keeps_every_press_and_click() -> None:
    """The law of merging: replay the same messages with and without; presses and clicks are the same, faders end at
    the same value."""
    rng = random.Random(8)
    storm: list[tuple[int, ...]] = []
    for _ in range(5000):
        number = rng.choice([1, 1, 1, 2, 34, 3, 4, 99])
        storm.append((0xB0, number, rng.randrange(128)))
        if rng.random() < 0.1:
            storm.append((rng.choice([0x80, 0x90]), 5, 64))
    outcomes = []
    for merging in (False, True):
        values: dict[str, object] = {"/deck/1/stem/vocals/mute": 0, "/deck/1/stem/drums/mute": 0, "/mixer/master": 0.5}
        device = MidiDevice("desk", "desk", parse(MAPPED), values.get)  # type: ignore[arg-type]
        queue = MidiQueue()
        for data in storm:
            push(queue, "desk", *data, fader=device.fader_of(data) if merging else None)
        presses = 0
        now = 0.0
        from control.midi_messages import decode

        for _, data in drain(queue):
            now += 0.0002
            for move in device.hear(decode(data), "1", now):
                presses += move.path.endswith("mute")
                values[move.path] = move.value
                device.changed(move.path, move.value, True, "1", now)
        outcomes.append((presses, values))
        if merging:
            assert queue.superseded > 500
    assert outcomes[0] == outcomes[1]


# -- health and names -------------------------------------------------------------------------------------------------


def test_a_port_that_floods_or_sends_garbage_is_marked_until_it_stops() -> None:
    health = Health()
    changes = [health.hear(True, 0.0001 * n) for n in range(FLOOD)]
    assert changes.count(True) == 1
    assert "floods" in health.trouble
    assert not health.look(1.5), "the window after the last bad one"
    assert health.look(2.6)
    assert health.trouble == ""
    for n in range(GARBAGE):
        health.hear(False, 10 + n * 0.01)
    assert "no MIDI" in health.trouble
    calm = Health()
    assert not any(calm.hear(True, n * 0.002) for n in range(5000)), "500 a second is a busy hand"


def test_twins_are_numbered_by_where_they_are_plugged_in() -> None:
    ports = {"nano 28:0": ("nano", "nano @ usb 1-1"), "nano 20:0": ("nano", "nano @ usb 1-2"), "pad": ("pad", "")}
    assert numbered(ports) == {"nano 28:0": "nano", "nano 20:0": "nano (2)", "pad": "pad"}


def test_a_stable_id_is_read_from_the_sound_cards_device(tmp_path) -> None:  # type: ignore[no-untyped-def]
    usb = tmp_path / "devices" / "usb1" / "1-2.4"
    interface = usb / "1-2.4:1.0"
    interface.mkdir(parents=True)
    card = tmp_path / "class" / "card1"
    card.mkdir(parents=True)
    (card / "device").symlink_to(interface)
    port = "nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0"
    assert ident_of(port, tmp_path / "class") == "nanoKONTROL2:nanoKONTROL2 MIDI 1 @ usb 1-2.4"
    (usb / "serial").write_text("A1B2\n")
    assert ident_of(port, tmp_path / "class").endswith("@ serial A1B2")
    for other in ("desk:out", "Midi Through 14:0", "nano 24:0", "nano 999:0"):
        assert ident_of(other, tmp_path / "class") == ""
