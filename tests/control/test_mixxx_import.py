"""Mixxx mappings: every option, control and light of a file written for this test, and files that mean harm."""

import random

import pytest

from control.contract import is_named
from control.control import Value
from control.mapping import DeviceMapping
from control.mapping_entry import Encoding, MapEntry, Mode, Takeover
from control.midi_device import MidiDevice
from control.midi_messages import decode
from control.mixxx_import import ImportReport, import_mixxx
from control.mixxx_names import every_path, target_of
from control.mixxx_xml import NotAMixxxMapping, read_mixxx
from control.registry import REGISTRY


def control(group: str, key: str, status: str, midino: str, *options: str) -> str:
    number = f"<midino>{midino}</midino>" if midino else ""
    inner = "".join(f"<{option}/>" for option in options or ("normal",))
    return (
        f"<control><group>{group}</group><key>{key}</key><status>{status}</status>{number}"
        f"<options>{inner}</options></control>"
    )


def output(group: str, key: str, status: str, midino: str, extra: str = "") -> str:
    place = f"<status>{status}</status><midino>{midino}</midino>"
    return f"<output><group>{group}</group><key>{key}</key>{place}{extra}</output>"


def document(*rows: str, head: str = "") -> bytes:
    controls = "".join(row for row in rows if row.startswith("<control>"))
    outputs = "".join(row for row in rows if row.startswith("<output>"))
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{head}<MixxxControllerPreset schemaVersion="1" mixxxVersion="2.6">'
        "<info><name>Desk 8</name><author>N. N.</author></info>"
        f'<controller id="Maker Desk8"><scriptfiles/><controls>{controls}</controls><outputs>{outputs}</outputs>'
        "</controller></MixxxControllerPreset>"
    ).encode()


def taken(*rows: str) -> tuple[DeviceMapping, ImportReport]:
    return import_mixxx(document(*rows), "Desk8.midi.xml")


def entry(*rows: str) -> MapEntry:
    mapping, report = taken(*rows)
    assert report.faults == []
    (found,) = mapping.entries
    return found


def test_plain_controls_become_lines_that_move_ours() -> None:
    mapping, report = taken(
        control("[Channel1]", "play", "0x90", "0x0B"),
        control("[Channel1]", "play", "0x80", "0x0B"),
        control("[Channel2]", "volume", "0xB1", "19", "soft-takeover"),
        control("[Master]", "crossfader", "0xB6", "037"),
        control("[Channel1_Stem4]", "mute", "0x90", "1"),
        control("[Channel1Stem1]", "volume", "0xB0", "2"),
    )
    assert (report.controls, report.faults, report.unknown) == (5, [], [])
    assert [(str(one.source), one.path, one.takeover) for one in mapping.entries] == [
        ("note 1/11", "/deck/1/play", Takeover.PICKUP),
        ("cc 2/19", "/deck/2/volume", Takeover.PICKUP),
        ("cc 7/31", "/mixer/crossfader", Takeover.JUMP),
        ("note 1/1", "/deck/1/stem/vocals/mute", Takeover.PICKUP),
        ("cc 1/2", "/deck/1/stem/drums/volume", Takeover.JUMP),
    ]
    assert mapping.fits("Desk8 MIDI 1")
    assert not mapping.fits("Other")


@pytest.mark.parametrize(
    ("options", "mode", "encoding", "accelerates", "inverted"),
    [
        (("rot64",), Mode.RELATIVE, Encoding.OFFSET, False, False),
        (("rot64inv",), Mode.RELATIVE, Encoding.OFFSET, False, True),
        (("rot64fast",), Mode.RELATIVE, Encoding.OFFSET, True, False),
        (("spread64",), Mode.RELATIVE, Encoding.OFFSET, True, False),
        (("diff",), Mode.RELATIVE, Encoding.TWOS, False, False),
        (("selectknob",), Mode.RELATIVE, Encoding.TWOS, False, False),
        (("SelectKnob", "Invert"), Mode.RELATIVE, Encoding.TWOS, False, True),
        (("hercjog",), Mode.RELATIVE, Encoding.TWOS, False, False),
        (("hercjogfast",), Mode.RELATIVE, Encoding.TWOS, False, False),
        (("invert",), Mode.ABSOLUTE, Encoding.TWOS, False, True),
    ],
)
def test_options_of_knobs(
    options: tuple[str, ...], mode: Mode, encoding: Encoding, accelerates: bool, inverted: bool
) -> None:
    found = entry(control("[Master]", "gain", "0xB0", "1", *options))
    assert (found.mode, found.encoding, found.acceleration > 1) == (mode, encoding, accelerates)
    assert (found.low > found.high) is inverted
    if options == ("hercjogfast",):
        assert found.step == pytest.approx(3 / 127, abs=1e-5)


def test_options_of_buttons() -> None:
    assert entry(control("[Channel1]", "play", "0x90", "1", "button")).mode is Mode.TOGGLE
    switch = entry(control("[Channel1]", "play", "0xB0", "1", "switch"))
    assert (switch.mode, switch.takeover) == (Mode.ABSOLUTE, Takeover.JUMP)
    assert entry(control("[Channel1]", "play", "0x90", "1", "switch")).mode is Mode.MOMENTARY
    assert entry(control("[Channel1]", "play", "0x80", "1")).gesture.value == "release"


def test_fourteen_bits_are_one_fader() -> None:
    pair = (
        control("[Channel1]", "rate", "0xB0", "0", "fourteen-bit-msb"),
        control("[Channel1]", "rate", "0xB0", "0x20", "fourteen-bit-lsb"),
    )
    assert str(entry(*pair).source) == str(entry(*reversed(pair)).source) == "cc14 1/0"
    mapping, report = taken(control("[Channel1]", "rate", "0xB0", "40", "fourteen-bit-msb"))
    assert str(mapping.entries[0].source) == "cc 1/40"
    assert "coarse" in report.notes[0]
    bend = entry(control("[Channel1]", "rate", "0xE0", ""))
    assert str(bend.source) == "pitchbend 1"


def test_what_needs_script_and_what_is_unknown_is_counted_and_named() -> None:
    mapping, report = taken(
        control("[Channel1]", "Desk.jogTurn", "0xB0", "1", "script-binding"),
        control("[Library]", "MoveVertical", "0xB0", "2"),
        control("[Channel9]", "play", "0x90", "2"),
        control("[Channel1]", "play", "0x90", "0xQ"),
        control("[Channel1]", "play", "0xB0", "3"),
    )
    assert len(mapping.entries) == report.controls == 1
    assert report.script == ["[Channel1] Desk.jogTurn"]
    assert report.unknown == ["[Library] MoveVertical", "[Channel9] play"]
    assert len(report.faults) == 1
    told = "\n".join(report.lines())
    assert "1 controls and 0 lights taken" in told
    assert "1 need script" in told


def test_controls_that_are_not_there_yet_wait() -> None:
    mapping, report = taken(
        control("[Sampler3]", "start_play", "0x90", "3"), control("[Channel1]", "hotcue_2_activate", "0x90", "4")
    )
    assert len(mapping.entries) + len(mapping.absent) == 2
    assert report.waiting == len(mapping.absent)


def test_lights_are_lit_within_their_window() -> None:
    mapping, _ = taken(
        output("[Channel1]", "play", "0x90", "0x0B"),
        output("[Channel1]", "pfl_wrong", "0x90", "1"),
        output("[Channel1]", "vu_meter", "0xB0", "2", "<on>0x05</on><off>1</off><minimum>0.9</minimum>"),
    )
    values: dict[str, Value] = {"/deck/1/play": 0, "/deck/1/level": 0.95}
    device = MidiDevice("desk", "desk", mapping, values.get)
    device.show_all("1", 0.0)
    assert set(device.feedback.due(0.0)) == {bytes((0x90, 11, 0)), bytes((0xB0, 2, 5))}
    values["/deck/1/play"] = 1
    device.changed("/deck/1/play", 1, False, "1", 1.0)
    assert device.feedback.due(1.0) == [bytes((0x90, 11, 127))]


def test_an_imported_button_moves_the_control_and_a_press_sets_a_value() -> None:
    mapping, _ = taken(control("[Channel1]", "play", "0x90", "1"))
    device = MidiDevice("desk", "desk", mapping, {"/deck/1/play": 0}.get)
    assert [move.value for move in device.hear(decode((0x90, 1, 1)), "1", 0.0)] == [1]
    target = target_of("[Channel2]", "beatjump_8_backward")
    assert target is not None
    assert (target.path, target.value) == ("/deck/2/beatjump", -8.0)


def test_every_name_in_the_tables_is_one_of_the_contract_or_of_the_registry() -> None:
    for path in every_path():
        assert is_named(path) or path in REGISTRY, path


BOMB = '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>'
THIEF = '<!DOCTYPE x SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<x/>",
        b"<MixxxControllerPreset/>",
        document(head=BOMB),
        document(head=THIEF),
        b"<MixxxControllerPreset>" + b"<a>" * 100,
        document()[:-20],
        b'<?xml version="1.0" encoding="nonsense"?><MixxxControllerPreset/>',
    ],
)
def test_what_is_no_mapping_or_means_harm_is_refused(data: bytes) -> None:
    with pytest.raises(NotAMixxxMapping):
        read_mixxx(data)


def test_no_bytes_raise_anything_else() -> None:
    good = document(
        control("[Channel1]", "rate", "0xB0", "0", "fourteen-bit-msb"),
        control("[Channel1]", "jog", "0x90", "7", "hercjog"),
        control("[Channel1]", "rate_temp_up", "0xB0", "9"),
        output("[Channel1]", "play", "0x90", "1", "<minimum>nan</minimum>"),
    )
    rng = random.Random(7)
    for _ in range(1500):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(data))
            data[place : place + rng.randrange(3)] = bytes(rng.randrange(256) for _ in range(rng.randrange(3)))
        try:
            import_mixxx(bytes(data), "fuzz.midi.xml")
        except NotAMixxxMapping:
            continue
