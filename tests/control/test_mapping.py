"""Mapping files: what fits is read, what does not is named with its line, and learning leaves people's lines alone."""

from pathlib import Path

import pytest

from control.control import Curve, Kind
from control.errors import MappingRejected
from control.mapping import parse
from control.mapping_entry import Encoding, Mode, Takeover, entry_for
from control.mapping_store import BUILTIN, FileMappings, choose, new_mapping, with_entry
from control.mapping_text import to_toml
from control.midi_source import Source, SourceKind, parse_source
from control.registry import REGISTRY

GOOD = """
# my desk
[device]
name = "Desk"
match = ["*nanoKONTROL2*"]

[[map]]
source = "cc 1/21"      # the first fader
path = "/deck/1/volume"
takeover = "jump"
range = [0.0, 0.8]
curve = "linear"

# the big button
[[map]]
source = "note 10/36"
path = "/deck/1/play"

[[map]]
source = "cc 1/16"
path = "/mixer/crossfader"
mode = "relative"
encoding = "offset"
step = 0.02
invert = true
"""


def test_a_good_file() -> None:
    mapping = parse(GOOD, "desk.toml")
    assert mapping.name == "Desk"
    fader, button, knob = mapping.entries
    assert (fader.source, fader.path, fader.mode) == (Source(SourceKind.CC, 1, 21), "/deck/1/volume", Mode.ABSOLUTE)
    assert (fader.low, fader.high, fader.curve, fader.takeover) == (0.0, 0.8, Curve.LINEAR, Takeover.JUMP)
    assert (button.mode, button.takeover) == (Mode.TOGGLE, Takeover.PICKUP)
    assert (knob.low, knob.high, knob.encoding, knob.step) == (1.0, -1.0, Encoding.OFFSET, 0.02)


@pytest.mark.parametrize("text", ["cc 1/21", "cc14 16/31", "note 10/127", "pitchbend 1", "pressure 3", "program 2/5"])
def test_sources_read_as_they_are_written(text: str) -> None:
    assert str(parse_source(text)) == text


@pytest.mark.parametrize(
    ("line", "bad", "says"),
    [
        (8, 'source = "cc 17/21"', "channels are 1 to 16"),
        (8, 'source = "cc 1/128"', "0 to 127"),
        (8, 'source = "cc14 1/40"', "0 to 31"),
        (8, 'source = "cc 1"', "CHANNEL/NUMBER"),
        (8, 'source = "knob 1/2"', "is no source"),
        (8, "source = 12", "takes a text"),
        (9, 'path = "/deck/1/volum"', "/deck/1/volume"),
        (9, 'path = "/deck/1/title"', "can only be read"),
        (9, 'path = "/deck/1/load"', "takes a text"),
        (10, 'takeover = "maybe"', "pickup, scale, jump"),
        (10, 'takover = "jump"', "did you mean 'takeover'"),
        (11, "range = [0.0, 1.5]", "from 0 to 1"),
        (11, "range = [0.5, 0.5]", "two different"),
        (11, "range = [0.5]", "two different"),
        (11, "range = [0.1, inf]", "two different"),
        (12, 'curve = "wavy"', "linear, audio, centred"),
        (12, "invert = 1", "true or false"),
        (12, "step = 0", "above 0"),
        (12, "step = nan", "above 0"),
        (12, 'mode = "sideways"', "absolute, toggle, momentary, relative, jog, set"),
    ],
)
def test_a_fault_is_named_with_its_line(line: int, bad: str, says: str) -> None:
    lines = GOOD.splitlines()
    lines[line - 1] = bad
    with pytest.raises(MappingRejected) as caught:
        parse("\n".join(lines), "desk.toml")
    (fault,) = caught.value.faults
    assert fault.startswith(f"desk.toml line {line}: "), fault
    assert says in fault


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(MappingRejected) as caught:
        parse(
            GOOD.replace("cc 1/21", "cc 99/21")
            .replace("/mixer/crossfader", "/mixer/crosfader")
            .replace('"Desk"', '"D"\nx = 1')
        )
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize(
    "text", ["", "[device]", "[[map]]", "device = 3", "[device]\nmatch = []", "not toml at all", "map = 3"]
)
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(MappingRejected):
        parse(text)


def test_the_same_source_twice_for_the_same_control_is_a_fault() -> None:
    with pytest.raises(MappingRejected, match="already"):
        parse(GOOD + '\n[[map]]\nsource = "cc 1/21"\npath = "/deck/1/volume"\n')


def test_what_is_written_reads_the_same() -> None:
    for entry in parse(GOOD).entries:
        text = '[device]\nmatch = "x"\n' + to_toml(entry)
        assert parse(text).entries == (entry,)


def test_every_movable_control_can_be_mapped() -> None:
    for control in REGISTRY.values():
        if control.is_writable and control.kind is not Kind.TEXT:
            entry = entry_for(Source(SourceKind.CC, 1, 2), control.path)
            assert parse('[device]\nmatch = "x"\n' + to_toml(entry)).entries == (entry,)


# -- choosing and learning --------------------------------------------------------------------------------------------


def test_the_best_pattern_wins_and_the_performers_own_before_the_shipped() -> None:
    any_desk = parse('[device]\nname = "any"\nmatch = "*"')
    nano = parse('[device]\nname = "nano"\nmatch = "*NANO*"')
    exact = parse('[device]\nname = "shipped"\nmatch = "nanoKONTROL2"', builtin=True)
    assert choose([any_desk, nano, exact], "nanoKONTROL2") is nano
    assert choose([any_desk, exact], "nanoKONTROL2") is any_desk
    assert choose([exact], "nanoKONTROL2") is exact
    assert choose([nano, exact], "Launchpad") is None


def test_learning_replaces_what_gives_way_and_keeps_every_other_line() -> None:
    mapping = parse(GOOD)
    changed, gone = with_entry(mapping, entry_for(Source(SourceKind.CC, 1, 21), "/deck/1/stem/bass/volume"))
    assert [entry.path for entry in gone] == ["/deck/1/volume"]
    assert [entry.path for entry in changed.entries] == [
        "/deck/1/play",
        "/mixer/crossfader",
        "/deck/1/stem/bass/volume",
    ]
    assert "# my desk" in changed.text
    assert "# the big button" in changed.text
    assert parse(changed.text).entries == changed.entries

    again, gone = with_entry(changed, entry_for(Source(SourceKind.NOTE, 1, 5), "/deck/1/play"))
    assert [str(entry.source) for entry in gone] == ["note 10/36"], "a control learned anew leaves its old button"
    assert len(again.entries) == 3


def test_a_new_device_starts_with_what_moved_it_before(tmp_path: Path) -> None:
    generic = parse((BUILTIN / "generic.toml").read_text(), "generic.toml", builtin=True)
    mapping = new_mapping('Odd "name" [x]*', generic)
    assert mapping.entries == generic.entries
    assert mapping.fits('Odd "name" [x]*')
    assert not mapping.fits("Other")


def test_files_are_saved_whole_and_read_again(tmp_path: Path) -> None:
    store = FileMappings(tmp_path / "mappings")
    before = store.signature()
    mapping, _ = with_entry(new_mapping("My Desk"), entry_for(Source(SourceKind.NOTE, 1, 5), "/deck/1/play"))
    path = store.save("My Desk", mapping)
    assert path.name == "my-desk.toml"
    assert store.signature() != before
    more, _ = with_entry(mapping, entry_for(Source(SourceKind.NOTE, 1, 6), "/deck/2/play"))
    assert store.save("My Desk", more) == path, "the same device, the same file"
    found, faults = store.load()
    assert faults == []
    chosen = choose(found, "My Desk")
    assert chosen is not None
    assert chosen.entries == more.entries
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]


def test_a_device_name_is_never_a_path(tmp_path: Path) -> None:
    store = FileMappings(tmp_path / "mappings")
    for name in ("../../etc/passwd", "/abs", "..", "CON:", "ä/ö"):
        assert store.save(name, new_mapping(name)).parent == tmp_path / "mappings"


def test_a_faulty_file_is_told_and_the_others_hold(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text("[device]\nmatch = 3\n")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    found, faults = FileMappings(tmp_path).load()
    assert [mapping.name for mapping in found if not mapping.builtin] == ["Desk"]
    assert [fault.split(".toml")[0] for fault in faults] == ["b", "c"]


def test_a_control_of_the_contract_that_is_not_there_yet_waits_and_a_spelling_mistake_does_not() -> None:
    row = '\n[[map]]\nsource = "note 1/90"\npath = "{}"\n'
    mapping = parse(GOOD + row.format("/deck/1/stem/vocals/loop/roll"))
    assert [(one.source, one.path) for one in mapping.absent] == [("note 1/90", "/deck/1/stem/vocals/loop/roll")]
    assert len(mapping.entries) == 3
    with pytest.raises(MappingRejected, match="no control is called"):
        parse(GOOD + row.format("/deck/1/stem/vocals/loop/rol"))
