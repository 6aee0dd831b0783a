"""The MIDI panel in a real browser: devices and their mappings, what was heard, what is taken out, undone, imported.

The answers are those of the real routes, given by a pretended desk with one controller.
"""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.browser import Browser
from tests.web.mock_server import RunningMock

MUTE = {
    "source": "cc 1/48", "path": "/deck/1/stem/vocals/mute", "mode": "toggle", "on": "press", "layer": "",
    "takeover": "pickup", "note": "MUTE 1",
}  # fmt: skip
VOLUME = {**MUTE, "source": "cc 1/0", "path": "/deck/1/volume", "mode": "absolute", "note": "slider 1"}


class Desk:
    """A MIDI desk with a nanoKONTROL2 and its lights."""

    def __init__(self) -> None:
        self.lines = [MUTE, VOLUME]
        self.undo = ""
        self.hear = True
        self.heard: list[dict[str, Any]] = []
        self.taken: list[str] = []

    def answer(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        what, method = url.path.removeprefix("/api/midi").strip("/"), route.request.method
        sent = route.request.post_data_json if method in ("POST", "DELETE") and route.request.post_data else {}
        found: object = self.overview()
        match what, method:
            case "heard", _:
                after = int(parse_qs(url.query)["after"][0])
                found = [one for one in self.heard if one["number"] > after]
            case "mapping", "GET":
                found = self.table()
            case "mapping", "POST":
                self.taken.append(sent["file"])
                found = {"name": "Desk", "report": ["Desk: 12 controls and 3 lights taken."]}
            case "undo", _:
                self.lines, self.undo = [MUTE, VOLUME], ""
                found = self.overview()
            case "port" | "route" | "choose", _:
                self.hear = bool(sent["hear"])
                found = self.overview()
            case _, "POST" | "DELETE":
                self.lines = [line for line in self.lines if line["source"] != sent.get("source")]
                self.undo = "cc 1/0 to /deck/1/volume taken out"
                found = self.overview()
        route.fulfill(status=200, content_type="application/json", body=json.dumps(found))

    def overview(self) -> dict[str, Any]:
        plain = {"ident": "", "status": "open", "error": "", "trouble": "", "output": "", "layers": []}
        name = "nanoKONTROL2:CTRL"
        control = {
            **plain, "name": name, "device": "nanoKONTROL2", "is_input": True, "messages": 7, "shows": True,
            "hear": self.hear, "mapping": "Korg nanoKONTROL2",
        }  # fmt: skip
        lights = {**control, "is_input": False, "mapping": ""}
        return {"ports": [control, lights], "mappings": ["Korg nanoKONTROL2"], "learning": "", "undo": self.undo}

    def table(self) -> dict[str, Any]:
        return {
            "name": "Korg nanoKONTROL2", "match": ["*nano*"], "builtin": True, "lines": self.lines, "absent": [],
            "text": "[device]\n",
        }  # fmt: skip


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def panel(browser: Browser, server: RunningMock, desk: Desk) -> Page:
    page = browser.open_page(server.url)
    page.route("**/api/midi**", desk.answer)
    page.route("**/api/midi/**", desk.answer)
    page.get_by_role("button", name="MIDI", exact=True).click()
    expect(page.get_by_role("dialog", name="MIDI")).to_be_visible()
    return page


def test_a_device_shows_its_mapping_and_a_line_is_taken_out_and_brought_back(panel: Page, desk: Desk) -> None:
    dialog = panel.get_by_role("dialog", name="MIDI")
    expect(dialog).to_contain_text("nanoKONTROL2")
    expect(dialog).to_contain_text("7 messages")
    expect(dialog.get_by_role("button", name="Undo")).to_be_disabled()
    dialog.get_by_role("button", name="Korg nanoKONTROL2").click()
    expect(dialog).to_contain_text("/deck/1/volume")
    dialog.get_by_role("button", name="Take out cc 1/0").click()
    expect(dialog).not_to_contain_text("/deck/1/volume")
    expect(dialog).to_contain_text("/deck/1/stem/vocals/mute")
    dialog.get_by_role("button", name="Undo").click()
    expect(dialog).to_contain_text("/deck/1/volume")
    expect(dialog.get_by_role("button", name="Undo")).to_be_disabled()


def test_what_is_heard_is_told_in_words_with_what_it_moved(panel: Page, desk: Desk) -> None:
    dialog = panel.get_by_role("dialog", name="MIDI")
    moved = [{"path": "/deck/1/volume", "value": 0.25}]
    desk.heard.append(
        {"number": 1, "device": "nanoKONTROL2", "text": "control change 0 = 64", "moved": moved, "learned": False}
    )
    expect(dialog).to_contain_text("control change 0 = 64")
    expect(dialog).to_contain_text("/deck/1/volume 0.25")


def test_a_mapping_is_imported_and_its_report_is_read(panel: Page, desk: Desk) -> None:
    dialog = panel.get_by_role("dialog", name="MIDI")
    file = {"name": "Desk.midi.xml", "mimeType": "text/xml", "buffer": b"<MixxxControllerPreset/>"}
    dialog.get_by_label("Import").set_input_files(files=[file])  # type: ignore[list-item]
    expect(dialog.get_by_role("status")).to_contain_text("12 controls and 3 lights taken")
    assert desk.taken == ["Desk.midi.xml"]


def test_a_device_can_be_left_unheard(panel: Page, desk: Desk) -> None:
    dialog = panel.get_by_role("dialog", name="MIDI")
    dialog.get_by_role("button", name="Heard", exact=True).click()
    expect(dialog.get_by_role("button", name="Not heard")).to_be_visible()
    assert not desk.hear
