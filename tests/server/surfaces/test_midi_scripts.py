"""Scripts of a mapping with a real process and a real show: a Mixxx mapping, imported as a performer does."""

from pathlib import Path

import anyio.lowlevel
import pytest

from control.midi_command import run_midi_command
from server.surfaces.midi_desk import MidiDesk
from tests.server.surfaces.test_midi_surface import running, until

pytest.importorskip("quickjs")
pytestmark = pytest.mark.anyio

XML = """<?xml version="1.0" encoding="utf-8"?><MixxxControllerPreset schemaVersion="1" mixxxVersion="2.4">
<info><name>Desk</name></info><controller id="desk">
<scriptfiles><file filename="midi-components-0.0.js"/><file filename="Desk.js" functionprefix="Desk"/></scriptfiles>
<controls>
<control><group>[Channel1]</group><key>Desk.mute</key><status>0x90</status><midino>0x10</midino>
  <options><script-binding/></options></control>
<control><group>[Channel1]</group><key>Desk.endless</key><status>0x90</status><midino>0x11</midino>
  <options><script-binding/></options></control>
<control><group>[Channel1]</group><key>volume</key><status>0xB0</status><midino>0x15</midino>
  <options><normal/></options></control>
</controls><outputs/></controller></MixxxControllerPreset>"""
SCRIPT = """
var Desk = {};
Desk.init = function () {
    Desk.led = engine.makeConnection("[Channel1Stem4]", "mute", function () {});
    Desk.volume = engine.makeConnection("[Channel1]", "volume", function (value) {
        midi.sendShortMsg(0xB0, 0x20, Math.round(value * 127));
    });
    midi.sendShortMsg(0x90, 0x7F, 1);
};
Desk.mute = function (channel, control, value, status, group) {
    if (value > 0) { engine.setValue("[Channel1_Stem4]", "mute", 1 - engine.getValue("[Channel1_Stem4]", "mute")); }
};
Desk.endless = function () { while (true) {} };
Desk.shutdown = function () { midi.sendShortMsg(0x90, 0x7F, 0); };
"""
MUTE = "/deck/1/stem/vocals/mute"


def imported(folder: Path, source: Path) -> None:
    source.mkdir()
    (source / "Desk.midi.xml").write_text(XML, encoding="utf-8")
    (source / "Desk.js").write_text(SCRIPT, encoding="utf-8")
    said: list[str] = []
    names = [str(source / "Desk.midi.xml")]
    assert run_midi_command("import", names, folder, None, "desk*", said.append) == 0
    assert any("Desk.js is now" in line for line in said)


async def test_a_script_moves_the_show_shows_it_and_says_goodbye(tmp_path: Path) -> None:
    imported(tmp_path / "mappings", tmp_path / "from")
    async with running(tmp_path / "mappings") as rig:
        assert rig.fake is not None
        await until(lambda: (0x90, 0x7F, 1) in rig.fake.sent)
        rig.fake.play(0x90, 0x10, 127)
        await until(lambda: rig.show.value(MUTE) == 1)
        rig.fake.play(0x90, 0x10, 0)
        rig.fake.play(0x90, 0x10, 127)
        await until(lambda: rig.show.value(MUTE) == 0)
        # a plain line of the same mapping moves the volume, and the script shows it
        rig.fake.play(0xB0, 0x15, 127)
        rig.fake.play(0xB0, 0x15, 64)
        await until(lambda: any(message[:2] == (0xB0, 0x20) and message[2] < 127 for message in rig.fake.sent))


async def test_an_endless_loop_is_told_and_the_plain_lines_never_wait(tmp_path: Path) -> None:
    imported(tmp_path / "mappings", tmp_path / "from")
    async with running(tmp_path / "mappings") as rig:
        assert rig.fake is not None
        await until(lambda: (0x90, 0x7F, 1) in rig.fake.sent)
        rig.fake.play(0x90, 0x11, 127)
        rig.fake.play(0xB0, 0x15, 127)
        rig.fake.play(0xB0, 0x15, 100)
        await anyio.lowlevel.checkpoint()
        await until(lambda: float(rig.show.value("/deck/1/volume") or 1.0) < 1.0)
        await until(lambda: any("took too long" in notice.message for notice in rig.notices))
        rig.fake.play(0x90, 0x10, 127)
        await until(lambda: rig.show.value(MUTE) == 1)


async def test_a_script_is_imported_on_the_page_and_runs_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / "mappings") as rig:
        assert rig.fake is not None
        desk = MidiDesk(rig.surface)
        report = desk.take("Desk.midi.xml", XML, "desk*").report
        assert "2 messages call functions of midi-components-0.0.js, Desk.js; import those files too." in report
        await until(lambda: any("Desk.js is not there" in notice.message for notice in rig.notices))
        taken = await desk.take_script("Desk.js", SCRIPT)
        assert taken.report == ["Desk.js is there.", "Desk runs it now."]
        await until(lambda: (0x90, 0x7F, 1) in rig.fake.sent)
        # another version is taken up, and the one before has said goodbye
        await desk.take_script("Desk.js", SCRIPT.replace("0x7F, 1", "0x7E, 1"))
        await until(lambda: (0x90, 0x7E, 1) in rig.fake.sent)
        await until(lambda: (0x90, 0x7F, 0) in rig.fake.sent)
