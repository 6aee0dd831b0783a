"""The MIDI desk: what the page sees and changes, with a real surface and a real show; and storms through JACK."""

import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from control.errors import MappingRejected
from control.mapping_store import FileMappings
from control.midi_names import Route
from control.settings import MidiApi, MidiSettings
from server.errors import NotFound
from server.session.intent import Intent
from server.surfaces.midi_book import NothingToUndo
from server.surfaces.midi_desk import MidiDesk
from tests.control.midi_jack import Controller, jack_server
from tests.control.test_mixxx_import import control, document
from tests.server.surfaces.test_midi_surface import DESK, MUTE, VOLUME, Rig, running, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "desk.toml").write_text(DESK)
    return folder


def learn(rig: Rig, path: str, number: int) -> None:
    rig.surface.start_learn(path)
    for value in range(20, 40):
        rig.ports.play(0xB0, number, value)


async def test_the_desk_shows_ports_mappings_and_what_was_heard(folder: Path) -> None:
    async with running(folder) as rig:
        desk = MidiDesk(rig.surface)
        rig.ports.play(0x90, 36, 100)
        rig.ports.play(0x90, 36)
        await rig.settled()
        overview = desk.overview()
        (port,) = overview.ports
        assert (port.device, port.mapping, port.shows, overview.undo) == ("desk:out", "desk", True, "")
        table = desk.table("desk")
        assert [(line.source, line.path) for line in table.lines] == [
            ("note 1/36", MUTE),
            ("cc 1/21", "/deck/1/volume"),
        ]
        assert table.text == DESK
        first, second = desk.heard(0)
        assert "note on" in first.text
        assert [(moved.path, moved.value) for moved in first.moved] == [(MUTE, 1)]
        assert "unreadable" in second.text
        assert desk.heard(second.number) == []
        with pytest.raises(NotFound):
            desk.table("nothing")


async def test_a_change_is_undone_in_force_and_in_the_file(folder: Path) -> None:
    async with running(folder) as rig:
        desk = MidiDesk(rig.surface)
        with pytest.raises(NothingToUndo):
            desk.undo()
        learn(rig, VOLUME, 30)
        await until(lambda: "30" in (folder / "desk.toml").read_text())
        assert desk.overview().undo == f"cc 1/30 to {VOLUME}"
        assert desk.undo() == f"cc 1/30 to {VOLUME}"
        await until(lambda: (folder / "desk.toml").read_text() == DESK)
        stood = rig.show.controls[VOLUME]
        rig.ports.play(0xB0, 30, 127)
        rig.ports.play(0xB0, 30, 0)
        await rig.settled()
        assert rig.show.controls[VOLUME] == stood


async def test_undoing_the_first_learn_of_a_device_removes_its_file(tmp_path: Path) -> None:
    async with running(tmp_path / "new") as rig:
        learn(rig, VOLUME, 30)
        await until(lambda: (tmp_path / "new" / "desk-out.toml").exists())
        MidiDesk(rig.surface).undo()
        await until(lambda: not (tmp_path / "new" / "desk-out.toml").exists())
        assert rig.surface.mapping_of("desk:out") is None


async def test_a_line_is_taken_out(folder: Path) -> None:
    async with running(folder) as rig:
        desk = MidiDesk(rig.surface)
        await rig.settled()
        desk.forget("desk:out", "note 1/36", MUTE)
        rig.ports.play(0x90, 36, 100)
        await rig.settled()
        assert rig.show.controls[MUTE] == 0
        await until(lambda: MUTE not in (folder / "desk.toml").read_text())
        assert "/deck/1/volume" in (folder / "desk.toml").read_text()
        with pytest.raises(NotFound):
            desk.forget("desk:out", "note 1/36", MUTE)


async def test_mappings_come_in_from_elsewhere(folder: Path) -> None:
    async with running(folder) as rig:
        desk = MidiDesk(rig.surface)
        await rig.settled()
        taken = desk.take("other.toml", DESK.replace("note 1/36", "note 1/50").replace('"desk*"', '"desk:*"'))
        assert "2 controls taken" in taken.report[0]
        rig.ports.play(0x90, 50, 1)
        await rig.settled()
        assert rig.show.controls[MUTE] == 1
        xml = document(control("[Channel1_Stem4]", "mute", "0x90", "51"), control("[Channel1]", "x.y", "0x90", "1",
                       "script-binding")).decode()  # fmt: skip
        taken = desk.take("Desk8.midi.xml", xml, "desk:out")
        assert taken.name == "Desk 8"
        assert any("1 need script" in line for line in taken.report)
        rig.ports.play(0x90, 51, 1)
        await rig.settled()
        assert rig.show.controls[MUTE] == 0
        await until(lambda: len(list(folder.glob("*.toml"))) == 3)
        with pytest.raises(MappingRejected):
            desk.take("bad.toml", "[device]\n")


async def test_learning_under_shift_belongs_to_shift(folder: Path) -> None:
    (folder / "desk.toml").write_text(DESK + '\n[[layer]]\nname = "shift"\nsource = "note 1/99"\n')
    async with running(folder) as rig:
        rig.surface.start_learn("/deck/2/play")
        rig.ports.play(0x90, 99, 1)
        assert rig.surface.learning == "/deck/2/play", "shift itself is not learned"
        rig.ports.play(0x90, 36, 1)
        rig.ports.play(0x80, 99, 0)
        await rig.settled()
        await until(lambda: 'layer = "shift"' in (folder / "desk.toml").read_text())
        rig.ports.play(0x90, 36, 1)
        await rig.settled()
        assert rig.show.controls[MUTE] == 1, "without shift the pad is what it was"


async def test_what_was_chosen_for_a_device_is_kept(folder: Path) -> None:
    from control.midi_choices import PortChoices

    choices = PortChoices(folder.parent / "midi-ports.toml")
    choices.choose('desk "x"', Route(False, "other:in"))
    choices.choose("desk", Route())
    choices.save()
    again = PortChoices(folder.parent / "midi-ports.toml")
    again.load()
    assert again.route('desk "x"') == Route(False, "other:in")
    assert again.route("desk") == Route()
    (folder.parent / "midi-ports.toml").write_text("port = 3")
    broken = PortChoices(folder.parent / "midi-ports.toml")
    broken.load()
    assert broken.route("desk") == Route()
    async with running(folder) as rig:
        desk = MidiDesk(rig.surface)
        await desk.choose("desk:out", True, "none")
        assert desk.overview().ports[0].output == "none"
        with pytest.raises(NotFound):
            await desk.choose("nobody", True, "")


async def test_greetings_are_sent_and_a_long_press_comes_by_itself(folder: Path) -> None:
    text = DESK.replace('match = "desk*"', 'match = "desk*"\nhello = ["f0 01 f7"]').replace(
        f'path = "{MUTE}"', f'path = "{MUTE}"\non = "long"'
    )
    (folder / "desk.toml").write_text(text)
    async with running(folder) as rig:
        await rig.settled()
        assert rig.ports.sent[0] == (0xF0, 1, 0xF7), "before any light"
        rig.ports.play(0x90, 36, 100)
        await rig.settled()
        assert rig.show.controls[MUTE] == 0
        await until(lambda: rig.show.controls[MUTE] == 1)


async def test_two_devices_on_one_control_never_fight(folder: Path) -> None:
    (folder / "desk.toml").write_text(DESK.replace('"desk*"', '["desk*", "other*"]'))
    async with running(folder) as rig:
        rig.ports.names = ["desk:out", "other:out"]
        rig.ports.change()
        await rig.settled()
        path = "/deck/1/volume"
        for value in (127, 100, 64):
            rig.ports.play(0xB0, 21, value)
            await rig.settled()
        rig.ports.play(0xB0, 21, 120, port="other:out")
        rig.ports.play(0xB0, 21, 110, port="other:out")
        await rig.settled()
        assert rig.show.controls[path] == 0.5, "the other waits until it meets the control"
        rig.ports.play(0xB0, 21, 50, port="other:out")
        await rig.settled()
        taken = rig.show.controls[path]
        assert float(taken) < 0.4
        rig.ports.play(0xB0, 21, 65)
        await rig.settled()
        assert rig.show.controls[path] == taken, "now the first one waits"


# -- through JACK -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jack() -> Iterator[None]:
    with jack_server(f"sfa-storm-{os.getpid()}"):
        yield


async def test_a_storm_of_one_device_delays_no_other_and_loses_no_press(jack: None, folder: Path) -> None:
    """5,000 moves of a fader with 100 presses among them, as fast as they go, and a press of another device at the
    end: the fader ends where it was moved to last, every press counts, and the storm is marked."""
    (folder / "desk.toml").write_text(
        DESK.replace('match = "desk*"', 'match = ["storm*", "calm*"]').replace(
            'curve = "linear"', 'curve = "linear"\ntakeover = "jump"'
        )
        + f'\n[[map]]\nsource = "note 1/40"\npath = "{MUTE.replace("vocals", "drums")}"\n'
    )
    presses = 0
    async with running(folder, MidiSettings(api=MidiApi.JACK, poll_s=0.05)) as rig:
        storm, calm = Controller("storm"), Controller("calm")
        try:
            await until(lambda: {"storm:out", "calm:out"} <= {state.name for state in rig.surface.ports()})

            submit = rig.show.submit

            def count(intent: Intent) -> None:
                nonlocal presses
                presses += intent.path == MUTE
                submit(intent)

            rig.show.submit = count  # type: ignore[method-assign]
            for number in range(5000):
                storm.send(0xB0, 21, number % 127)
                if number % 50 == 0:
                    storm.send(0x90, 36, 100)
                    storm.send(0x80, 36, 0)
                if number % 250 == 0:
                    await anyio.sleep(0.05)  # JACK's own buffer is not endless
            storm.send(0xB0, 21, 64)
            calm.send(0x90, 40, 100)
            await until(lambda: rig.show.controls[MUTE.replace("vocals", "drums")] == 1)
            await until(lambda: rig.show.controls["/deck/1/volume"] == 0.5)
            assert presses == 100
        finally:
            storm.unplug()
            calm.unplug()


async def test_garbage_marks_its_port_and_the_show_goes_on(folder: Path) -> None:
    async with running(folder) as rig:
        await rig.settled()
        for state in (troubled := rig.ports.ports()):
            state.trouble = "sends what is no MIDI"
        rig.ports.ports = lambda: troubled  # type: ignore[method-assign]
        rig.ports.change()
        rig.ports.change()
        assert [notice.code for notice in rig.notices] == ["midi_trouble"], "told once"
        rig.ports.play(0x90, 36, 100)
        await rig.settled()
        assert rig.show.controls[MUTE] == 1


def test_the_command_lists_checks_imports_and_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.cli import main

    monkeypatch.setenv("JACK_DEFAULT_SERVER", "sfa-nobody")
    data = ["--data", str(tmp_path)]
    assert main(["midi", "list", *data]) == 0
    assert "Korg nanoKONTROL2 (shipped)" in capsys.readouterr().out
    xml = tmp_path / "Desk8.midi.xml"
    xml.write_bytes(document(control("[Channel1]", "play", "0x90", "1"), control("[Channel1]", "no", "0x90", "2")))
    assert main(["midi", "import", str(xml), "--match", "*Desk*", *data]) == 0
    told = capsys.readouterr().out
    assert "1 controls and 0 lights taken" in told
    assert "1 have no counterpart here" in told
    (mapping,) = [one for one in FileMappings(tmp_path / "mappings").load()[0] if not one.builtin]
    assert mapping.match == ("*Desk*",)
    assert main(["midi", "show", "desk 8", *data]) == 0
    assert "/deck/1/play" in capsys.readouterr().out
    assert main(["midi", "export", "Desk 8", "-o", str(tmp_path / "out.toml"), *data]) == 0
    assert (tmp_path / "out.toml").read_text() == mapping.text
    assert main(["midi", "check", str(tmp_path / "out.toml"), *data]) == 0
    (tmp_path / "bad.toml").write_text("[device]\n")
    assert main(["midi", "check", str(tmp_path / "bad.toml"), *data]) == 1
    assert main(["midi", "show", "nothing", *data]) == 1
    assert main(["midi", "import", str(tmp_path / "missing"), *data]) == 1
    assert "cannot be read" in capsys.readouterr().err
