"""The routes of MIDI, with a real surface that has no ports."""

from pathlib import Path

import httpx2
import pytest

from control.mapping_store import FileMappings
from control.midi_names import Arrived
from server.session.show import Show
from server.surfaces.midi import MidiSurface
from server.surfaces.midi_desk import MidiDesk
from tests.control.test_mixxx_import import control, document
from tests.server.http.conftest import Parts
from tests.server.session.fake_deckhand import FakeDeckhand

pytestmark = pytest.mark.anyio
MAPPING = '[device]\nname = "Desk"\nmatch = "desk"\n[[map]]\nsource = "cc 1/1"\npath = "/deck/1/volume"\n'


@pytest.fixture
async def surface(parts: Parts, tmp_path: Path) -> MidiSurface:
    surface = MidiSurface(Show(FakeDeckhand({})), FileMappings(tmp_path / "mappings"))
    await surface.reload()
    parts.midi = MidiDesk(surface)  # type: ignore[assignment]
    return surface


async def test_mappings_come_in_are_shown_and_are_taken_back(api: httpx2.AsyncClient, surface: MidiSurface) -> None:
    taken = await api.post("/api/midi/mapping", json={"file": "desk.toml", "text": MAPPING})
    assert taken.status_code == 200
    assert taken.json()["name"] == "Desk"
    overview = (await api.get("/api/midi")).json()
    assert "Desk" in overview["mappings"]
    assert "Korg nanoKONTROL2" in overview["mappings"]
    assert overview["undo"] == "import of Desk"
    table = (await api.get("/api/midi/mapping", params={"name": "Desk"})).json()
    assert table["lines"][0]["source"] == "cc 1/1"
    assert table["text"] == MAPPING
    assert (await api.post("/api/midi/undo")).json() == {"undone": "import of Desk"}
    assert (await api.get("/api/midi/mapping", params={"name": "Desk"})).status_code == 404
    again = await api.post("/api/midi/undo")
    assert again.status_code == 422
    assert "Nothing was changed" in again.json()["error"]["message"]


async def test_a_mixxx_mapping_is_reported_and_a_broken_one_is_refused(
    api: httpx2.AsyncClient, surface: MidiSurface
) -> None:
    xml = document(control("[Channel1]", "play", "0x90", "1"), control("[Library]", "x", "0x90", "2")).decode()
    report = (await api.post("/api/midi/mapping", json={"file": "Desk8.midi.xml", "text": xml})).json()["report"]
    assert report[0] == "Desk 8: 1 controls and 0 lights taken."
    for text in ("<x/>", "[device]\n", ""):
        refused = await api.post("/api/midi/mapping", json={"file": "x", "text": text})
        assert refused.status_code == 422


async def test_scripts_of_a_mapping_come_in_by_the_same_route(
    api: httpx2.AsyncClient, surface: MidiSurface, tmp_path: Path
) -> None:
    script = "var Desk = { init: function () {} };\n"
    text = MAPPING + '[[script]]\nfile = "Desk.js"\nprefix = "Desk"\n'
    assert (await api.post("/api/midi/mapping", json={"file": "desk.toml", "text": text})).status_code == 200
    taken = await api.post("/api/midi/mapping", json={"file": "Desk.js", "text": script})
    assert taken.status_code == 200
    assert taken.json()["report"] == ["Desk.js is there.", "Desk runs it now."]
    assert (tmp_path / "mappings" / "scripts" / "Desk.js").read_text() == script
    for name in ("../Desk.js", "a/b.js", ".js", "x" * 300 + ".js"):
        refused = await api.post("/api/midi/mapping", json={"file": name, "text": script})
        assert refused.status_code == 422, name
    assert [file.name for file in (tmp_path / "mappings" / "scripts").iterdir()] == ["Desk.js"]


async def test_the_monitor_and_what_does_not_exist(api: httpx2.AsyncClient, surface: MidiSurface) -> None:
    surface._hear(Arrived("desk", (0x90, 36, 100), 0.0))
    (heard,) = (await api.get("/api/midi/heard")).json()
    assert "note on" in heard["text"]
    assert (await api.get("/api/midi/heard", params={"after": heard["number"]})).json() == []
    gone = await api.post("/api/midi/forget", json={"port": "desk", "source": "cc 1/9", "path": "/deck/1/play"})
    assert gone.status_code == 404
    assert (await api.post("/api/midi/port", json={"device": "nobody"})).status_code == 404


async def test_strangers_are_told_nothing(stranger: httpx2.AsyncClient, surface: MidiSurface) -> None:
    for path in ("/api/midi", "/api/midi/heard", "/api/midi/mapping?name=Desk"):
        assert (await stranger.get(path)).status_code == 401
