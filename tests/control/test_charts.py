"""Shipped mappings against the makers' charts, written out here a second time: no line listens to a number that the
device does not send, no light goes to one it does not show, and its main parts do what is printed on them.
"""

from pathlib import Path

import pytest

from control.control import Value
from control.mapping import DeviceMapping, parse
from control.mapping_store import BUILTIN
from control.midi_device import MidiDevice
from control.midi_messages import decode


def cc(*numbers: int, channel: int = 1) -> set[str]:
    return {f"cc {channel}/{number}" for number in numbers}


def notes(*numbers: int, channel: int = 1) -> set[str]:
    return {f"note {channel}/{number}" for number in numbers}


def _ddj() -> set[str]:
    found = {"cc14 7/8", "cc14 7/12", "cc14 7/13", "cc14 7/23", "cc14 7/24", "cc14 7/31", "cc14 5/2"}
    found |= notes(67, 71, channel=5) | notes(0, 1, channel=16)
    for deck in (1, 2):
        found |= {f"cc14 {deck}/{number}" for number in (0, 4, 7, 11, 15, 19)}  # tempo, trim, high, mid, low, fader
        found |= cc(2, 33, 34, 35, 41, channel=deck)  # meter; wheel: side, top, top without vinyl, with SHIFT
        found |= notes(
            11, 12, 14, 16, 17, 54, 57, 63, 71, 72, 76, 77, 78, 80, 81, 83, 84, 88, 92, 96, 103, 104, channel=deck
        )
        for pads in (2 * deck + 6, 2 * deck + 7):  # without and with SHIFT
            found |= notes(*range(128), channel=pads)
    return found


LAUNCHPAD = {10 * row + column for row in range(1, 9) for column in range(1, 9)}
MPC_PADS = (37, 36, 42, 82, 40, 38, 46, 44, 48, 47, 45, 43, 49, 55, 51, 53)  # pads 1 to 16
CHARTS = {
    "korg-nanokontrol2": cc(
        *range(8), *range(16, 24), *range(32, 40), *range(48, 56), *range(64, 72), *range(41, 47), *range(58, 63)
    ),
    "akai-apc-mini": notes(*range(64), *range(64, 72), *range(82, 90), 98) | cc(*range(48, 57)),
    "akai-apc-mini-mk2": notes(*range(64), *range(100, 108), *range(112, 120), 122)
    | notes(*range(64), channel=7)  # the seventh channel is full brightness
    | cc(*range(48, 57)),
    "behringer-x-touch-mini": cc(*range(16, 24), *range(48, 56))  # Mackie mode: encoders and their rings
    | notes(*range(32, 40), 89, 90, *range(40, 46), 87, 88, 91, 92, 86, 93, 94, 95, 84, 85)
    | {"pitchbend 9"},
    "novation-launchpad": notes(*LAUNCHPAD) | cc(*range(91, 99), *range(19, 90, 10)),
    "pioneer-ddj-400": _ddj(),
    "pioneer-ddj-flx4": _ddj(),
    "foot-switch": cc(4, 11, 64, 65, 66, 67),
    "akai-mpc-studio": notes(*MPC_PADS, channel=10)
    | cc(*MPC_PADS, channel=10)
    | {f"sysex 47 47 4a 65 00 04 {pad:02x}" for pad in range(16)}
    | cc(*range(16, 20), 100, 113, 114, 117, 118, 119, 9, 11, 35, 36, 37, 38, 53, 70, 73, 80, 81, 82, 83)
    | notes(9, 11, 35, 36, 37, 38, 53, 70, 73, 80, 81, 82, 83),
    "akai-mpc": notes(*range(36, 52), channel=10) | cc(*range(16, 20), 117, 118, 119),
}


def mapping(name: str) -> DeviceMapping:
    return parse((BUILTIN / f"{name}.toml").read_text(encoding="utf-8"), name, builtin=True)


@pytest.mark.parametrize("name", CHARTS)
def test_every_number_is_in_the_chart(name: str) -> None:
    made = mapping(name)
    named = {str(entry.source) for entry in made.entries} | {str(layer.source) for layer in made.layers}
    shown = {str(light.to) for light in made.lights}
    shown |= {str(light.to) for entry in made.entries if (light := entry.light()) is not None}
    assert named - CHARTS[name] == set()
    assert shown - CHARTS[name] == set()


class Hand:
    """A device with a show that does what it is asked at once."""

    def __init__(self, name: str, **values: Value) -> None:
        self.values: dict[str, Value] = {f"/{path.replace('_', '/')}": value for path, value in values.items()}
        self.device = MidiDevice("port", "port", mapping(name), self.values.get)
        self.device.show_all("1", 0.0)
        self.now = 1.0
        self.device.feedback.due(self.now)

    def send(self, *data: int) -> list[tuple[str, Value]]:
        self.now += 1.0
        moves = self.device.hear(decode(bytes(data)), "1", self.now)
        self.device.feedback.due(self.now)
        for move in moves:
            self.values[move.path] = move.value
        return [(move.path, move.value) for move in moves]

    def shows(self, path: str, value: Value) -> list[bytes]:
        self.now += 1.0
        self.values[path] = value
        self.device.changed(path, value, False, "1", self.now)
        return self.device.feedback.due(self.now)


@pytest.mark.parametrize("name", ["pioneer-ddj-400", "pioneer-ddj-flx4"])
@pytest.mark.parametrize("deck", [1, 2])
def test_a_wheel_of_a_ddj_nudges_and_scratches(name: str, deck: int) -> None:
    hand, channel = Hand(name), deck - 1
    ((path, moved),) = hand.send(0xB0 | channel, 33, 74)
    assert (path, moved) == (f"/deck/{deck}/jog", pytest.approx(10 / 720, rel=1e-3))
    for _ in range(2):  # each time the record is touched, the place is counted from there
        assert hand.send(0x90 | channel, 54, 127) == [(f"/deck/{deck}/touch", 1)]
        for turn in range(1, 4):
            ((path, place),) = hand.send(0xB0 | channel, 34, 64 + 60)
            # a twelfth of a turn, at 33 1/3 turns a minute
            assert (path, place) == (f"/deck/{deck}/scratch", pytest.approx(turn * 1.8 / 12, rel=1e-6))
        ((_, place),) = hand.send(0xB0 | channel, 34, 64 - 60)
        assert place == pytest.approx(2 * 1.8 / 12)
        assert hand.send(0x90 | channel, 54, 0) == [(f"/deck/{deck}/touch", 0)]


@pytest.mark.parametrize("name", ["pioneer-ddj-400", "pioneer-ddj-flx4"])
def test_the_pads_of_a_ddj_jump_loop_and_light_up(name: str) -> None:
    hand = Hand(name)
    jumps = [hand.send(0x97, 0x20 + pad, 127) for pad in range(8)]
    assert jumps == [[("/deck/1/beatjump", beats)] for beats in (-1.0, 1.0, -2.0, 2.0, -4.0, 4.0, -8.0, 8.0)]
    loops = [hand.send(0x99, 0x60 + pad, 127) for pad in range(8)]
    assert loops == [[("/deck/2/loop/beats", beats)] for beats in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)]
    assert hand.shows("/deck/1/hotcue/3/position", 12.5) == [bytes((0x97, 2, 127))]
    assert hand.shows("/deck/1/hotcue/3/position", -1.0) == [bytes((0x97, 2, 0))]
    assert hand.shows("/pad/9/playing", 1) == [bytes((0x99, 0x30, 127))]
    assert hand.shows("/deck/2/status", "ready") == [bytes((0x9F, 1, 127))]
    assert bytes((0x90, 11, 127)) in hand.shows("/deck/1/play", 1)


def test_pads_of_a_launchpad_show_what_sounds_and_which_hot_cues_are_set() -> None:
    hand = Hand("novation-launchpad")
    assert hand.shows("/pad/9/status", "ready") == [bytes((0x90, 21, 37))]
    assert hand.shows("/pad/9/playing", 1) == [bytes((0x90, 21, 21))]
    assert hand.shows("/pad/9/playing", 0) == [bytes((0x90, 21, 37))]
    assert hand.shows("/deck/2/hotcue/8/position", 0.0) == [bytes((0x90, 38, 3))]
    assert hand.send(0x90, 21, 100)[0] == ("/pad/9", pytest.approx(100 / 127, abs=0.01))


@pytest.mark.parametrize(("name", "shift", "status"), [("akai-apc-mini", 98, 0x90), ("akai-apc-mini-mk2", 122, 0x96)])
def test_shift_on_an_apc_mini_brings_the_pads_of_the_sampler(name: str, shift: int, status: int) -> None:
    hand = Hand(name)
    assert [path for path, _ in hand.send(0x90, 8, 127)] == ["/deck/1/play"]
    hand.send(0x90, shift, 127)
    assert [path for path, _ in hand.send(0x90, 8, 127)] == ["/pad/9"]
    assert [message[:2] for message in hand.shows("/pad/9/playing", 1)] == [bytes((status, 8))]
    assert [path for path, _ in hand.send(0x80, 8, 0)] == ["/pad/9"]
    hand.send(0x80, shift, 0)
    assert [path for path, _ in hand.send(0x90, 8, 127)] == ["/deck/1/play"]


def test_pads_of_an_mpc_studio_are_found_by_their_scattered_notes_and_lit_on_both_models() -> None:
    hand = Hand("akai-mpc-studio")
    assert [hand.send(0x99, note, 127)[0][0] for note in MPC_PADS] == [f"/pad/{pad}" for pad in range(1, 17)]
    lit = hand.shows("/pad/4/playing", 1)
    assert bytes((0xB9, 82, 63)) in lit
    assert bytes.fromhex("f047474a65000403007f00f7") in lit
    dark = hand.shows("/pad/4/playing", 0)
    assert bytes((0xB9, 82, 0)) in dark
    assert bytes.fromhex("f047474a650004030000 00f7") in dark
    for data in ((0x90, 82, 127), (0xB0, 118, 127)):
        assert [path for path, _ in hand.send(*data)] == ["/deck/1/play"]
    assert hand.send(0x90, 37, 127) == [("/pad/bank", "3")]
    assert hand.send(0xB0, 100, 127)[0][1] == -hand.send(0xB0, 100, 1)[0][1] < 0


def test_foot_switches_practise() -> None:
    hand = Hand("foot-switch", practice_speed=1.0, deck_1_rate=1.0)
    for switch, tap, held in (
        (64, "/deck/1/play", "/deck/1/loop/active"),
        (65, "/deck/1/click", "/deck/1/trainer/on"),
        (66, "/deck/1/loop/again", "/deck/1/take/record"),
        (67, "/deck/1/trainer/clean", "/deck/1/trainer/missed"),
    ):
        hand.now += 1.0
        moved = [*hand.device.hear(decode(bytes((0xB0, switch, 127))), "1", hand.now)]
        moved += hand.device.hear(decode(bytes((0xB0, switch, 0))), "1", hand.now + 0.1)
        moved += hand.device.tick("1", hand.now + 1.0)
        assert tap in [move.path for move in moved]
        assert held not in [move.path for move in moved]
        hand.now += 2.0
        moved = [*hand.device.hear(decode(bytes((0xB0, switch, 127))), "1", hand.now)]
        moved += hand.device.tick("1", hand.now + 0.6)
        moved += hand.device.hear(decode(bytes((0xB0, switch, 0))), "1", hand.now + 0.7)
        assert held in [move.path for move in moved]
        assert tap not in [move.path for move in moved]
        hand.now += 1.0
    hand.send(0xB0, 4, 127)
    ((path, speed),) = hand.send(0xB0, 4, 0)
    assert (path, speed) == ("/deck/1/rate", pytest.approx(0.5))


@pytest.mark.parametrize(
    ("name", "shift", "bank"),
    [("akai-apc-mini", (0x90, 98), (0x90, 66)), ("akai-apc-mini-mk2", (0x90, 122), (0x90, 102)),
     ("novation-launchpad", (0xB0, 19), (0xB0, 93))],
)  # fmt: skip
def test_shift_chooses_the_bank_of_the_pads(name: str, shift: tuple[int, int], bank: tuple[int, int]) -> None:
    hand = Hand(name, pad_bank="1", session_focus="1")
    hand.send(*shift, 127)
    assert hand.send(*bank, 127) == [("/pad/bank", "3")]
    hand.send(*bank, 0)
    hand.send(*shift, 0)
    assert hand.send(*bank, 127) == [("/session/focus", "3")]


def test_the_folder_is_the_shipped_one() -> None:
    assert {Path(name).stem for name in CHARTS} <= {file.stem for file in BUILTIN.glob("*.toml")}
