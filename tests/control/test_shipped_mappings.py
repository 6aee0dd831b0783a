"""Every line of every shipped mapping is driven by the message it names, with the controls of this version and with
those that the contract promises; and every surface's page in the docs is the one that its mapping makes."""

import re
from pathlib import Path

import pytest

from control import mapping_entry
from control.control import Control, Curve, Kind, UnknownControl, Value, level, toggle, trigger
from control.mapping import DeviceMapping, parse
from control.mapping_entry import Gesture, MapEntry, Mode
from control.mapping_store import BUILTIN, FileMappings, choose
from control.midi_device import MidiDevice
from control.midi_messages import decode
from control.midi_source import Source, SourceKind
from control.registry import REGISTRY, resolve
from control.surface_page import FOLDER, page_of

FILES = sorted(BUILTIN.glob("*.toml"))
NAMES = [file.stem for file in FILES]


def promised(path: str, focus: str) -> Control:
    """Return a control of this version, or one as the contract describes it."""
    try:
        return resolve(path, focus)
    except UnknownControl:
        pass
    if re.search(
        r"/(kill|keylock|sync|leader|quantize|slip|reverse|pfl|active|on|record|click)$|/practice/loop$", path
    ):
        return toggle(path, "")
    if re.search(r"/(cue|go|set|clear|in|out|halve|double|reloop|next|previous|tap)$|^/pad/\d+$", path):
        return trigger(path, "")
    if re.search(r"/(wet|headphones|booth)$", path):
        return level(path, "")
    if re.search(r"/(filter|bend|jog|scratch|cue_mix|low|mid|high|pitch)$", path):
        return Control(path, Kind.CONTINUOUS, "", "", -1.0, 1.0, 0.0, curve=Curve.CENTRED)
    raise UnknownControl(path)


@pytest.fixture
def all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_entry, "resolve", promised)


def messages(source: Source, value: int) -> list[bytes]:
    channel = source.channel - 1
    match source.kind:
        case SourceKind.NOTE:
            return [bytes((0x90 | channel, source.number, value))]
        case SourceKind.CC:
            return [bytes((0xB0 | channel, source.number, value))]
        case SourceKind.CC14:
            return [bytes((0xB0 | channel, source.number, value)), bytes((0xB0 | channel, source.number + 32, value))]
        case SourceKind.PITCHBEND:
            return [bytes((0xE0 | channel, value, value))]
        case _:
            raise AssertionError(source)


class Driver:
    """A device whose show answers at once."""

    def __init__(self, mapping: DeviceMapping, paths: list[str]) -> None:
        self.values: dict[str, Value] = {
            path: control.default for path in paths if (control := promised(path, "1")).default is not None
        }
        self.device = MidiDevice("port", "port", mapping, self.values.get)
        self.now = 10.0

    def send(self, source: Source, *values: int, after: float = 1.0) -> list[tuple[str, Value]]:
        moved = []
        for value in values:
            self.now += after
            for data in messages(source, value):
                moved += self.take(self.device.hear(decode(data), "1", self.now))
        return moved

    def wait(self, seconds: float) -> list[tuple[str, Value]]:
        self.now += seconds
        return self.take(self.device.tick("1", self.now))

    def take(self, moves: list) -> list[tuple[str, Value]]:  # type: ignore[type-arg]
        for move in moves:
            self.values[move.path] = move.value
            self.device.changed(move.path, move.value, True, "1", self.now)
        return [(move.path, move.value) for move in moves]


def drive(mapping: DeviceMapping, entry: MapEntry) -> list[tuple[str, Value]]:
    """Return what a hand on `entry`'s source moves."""
    driver = Driver(mapping, [entry.control("1").path, "/session/focus"])
    for layer in mapping.layers:
        if layer.name == entry.layer:
            driver.send(layer.source, 127)
    if entry.mode in (Mode.RELATIVE, Mode.JOG):
        return driver.send(entry.source, 63 if entry.encoding.value == "offset" else 65, 65, 1)
    if entry.mode is Mode.ABSOLUTE:
        return driver.send(entry.source, *range(0, 128, 4), 127, 90, 40)
    match entry.gesture:
        case Gesture.LONG:
            return driver.send(entry.source, 127) + driver.wait(0.6)
        case Gesture.DOUBLE:
            return driver.send(entry.source, 127, 0, 127, after=0.05)
        case Gesture.TAP:
            return driver.send(entry.source, 127, 0, after=0.05) + driver.wait(1.0)
    return driver.send(entry.source, 127, 0)


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_line_moves_its_control(file: Path) -> None:
    mapping = parse(file.read_text(), file.name, builtin=True)
    assert mapping.entries
    for entry in mapping.entries:
        path = entry.control("1").path
        moved = drive(mapping, entry)
        assert any(one == path for one, _ in moved), f"{entry.source} does not move {path}"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_line_moves_its_control_once_all_of_them_are_there(file: Path, all_there: None) -> None:
    mapping = parse(file.read_text(), file.name, builtin=True)
    assert mapping.absent == ()
    for entry in mapping.entries:
        control = entry.control("1")
        moved = [value for path, value in drive(mapping, entry) if path == control.path]
        assert moved, f"{entry.source} ({entry.gesture}, {entry.layer}) does not move {control.path}"
        for value in moved:
            if control.kind is Kind.CONTINUOUS and entry.mode is not Mode.JOG:
                assert isinstance(value, float)
                assert (control.minimum or 0.0) <= value <= (control.maximum or 600.0)
            elif control.kind in (Kind.TOGGLE, Kind.TRIGGER):
                assert value in (0, 1)


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_light_shows_its_control(file: Path, all_there: None) -> None:
    """Each light says something when the surface is shown everything, and something else when its control changes."""
    mapping = parse(file.read_text(), file.name, builtin=True)
    lights = [light for entry in mapping.entries if (light := entry.light()) is not None]
    driver = Driver(mapping, [light.control("1").path for light in lights])
    driver.device.show_all("1", 0.0)
    shown: list[bytes] = []
    for step in range(200):
        shown += driver.device.feedback.due(float(step))
    switches = {
        light.control("1").path for light in lights if light.control("1").kind is Kind.TOGGLE and not light.layer
    }
    now = 1000.0
    for path in sorted(switches):
        for value in (1, 0):
            driver.values[path] = value
            driver.device.changed(path, value, False, "1", now)
            now += 1.0
            lit = driver.device.feedback.due(now)
            assert lit, f"nothing shows that {path} is {value}"
            shown += lit
    assert all(decode(message) for message in shown)


def test_no_two_lines_of_one_layer_share_a_place_by_mistake() -> None:
    for file in FILES:
        mapping = parse(file.read_text(), file.name, builtin=True)
        seen: dict[tuple[Source, str, str], str] = {}
        for entry in mapping.entries:
            key = (entry.source, entry.layer, entry.gesture.value)
            assert key not in seen, f"{file.name}: {entry.source} moves {seen.get(key)} and {entry.path}"
            seen[key] = entry.path


@pytest.mark.parametrize(
    ("port", "name"),
    [
        ("nanoKONTROL2:nanoKONTROL2 nanoKONTROL2 _ CTR", "Korg nanoKONTROL2"),
        ("APC MINI:APC MINI MIDI 1", "Akai APC mini"),
        ("APC mini mk2:APC mini mk2 Control", "Akai APC mini mk2"),
        ("Launchpad X:Launchpad X LPX MIDI In", "Novation Launchpad"),
        ("DDJ-400:DDJ-400 MIDI 1", "Pioneer DDJ-400"),
        ("DDJ-FLX4:DDJ-FLX4 MIDI 1", "Pioneer DDJ-FLX4"),
        ("X-TOUCH MINI:X-TOUCH MINI MIDI 1", "Behringer X-Touch Mini"),
        ("MPC Live II:MPC Live II MIDI 1", "Akai MPC"),
        ("MPC Studio:MPC Studio MIDI 1", "Akai MPC Studio"),
        ("MPC Studio mk2:MPC Studio mk2 Public", "Akai MPC Studio"),
        ("SINCO:SINCO SMC-PAD", "M-VAVE"),
        ("USB MIDI Keyboard", "Any keyboard"),
        ("Sound Forge Alchemy in", "Generic mixer of eight faders"),
        ("Launchkey Mini MK3", ""),
        ("a piano", ""),
    ],
)
def test_ports_get_the_mapping_that_is_theirs_and_unknown_ones_none(port: str, name: str) -> None:
    found, faults = FileMappings(Path("/nonexistent")).load()
    assert faults == []
    chosen = choose(found, port)
    assert (chosen.name if chosen else "") == name


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_page_of_a_surface_is_the_one_its_mapping_makes(file: Path) -> None:
    page = FOLDER / f"{file.stem}.md"
    made = page_of(file.read_text(encoding="utf-8"), file.name)
    assert page.exists(), "run: python -m control.surface_page"
    assert page.read_text(encoding="utf-8") == made, "run: python -m control.surface_page"
    assert made.splitlines()[2].startswith("# ")
    assert "\n1. " in made, "how a performer connects it"


def test_no_page_is_left_over() -> None:
    made = {page.stem for page in FOLDER.glob("*.md") if page.read_text(encoding="utf-8").startswith("<!-- made from")}
    assert made == set(NAMES)


def test_contract_paths_exist_or_are_told_as_not_yet_there() -> None:
    for file in FILES:
        mapping = parse(file.read_text(), file.name, builtin=True)
        assert not [one for one in mapping.absent if one.path in REGISTRY]
