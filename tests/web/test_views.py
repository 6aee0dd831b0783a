"""The views beyond the decks, each driven as a performer would: pads, setlist, stage, practice, analysis, system."""

import json

import pytest
from playwright.sync_api import Page, expect

from audio.commands import CommandKind
from tests.web.browser import Browser
from tests.web.conftest import WEB
from tests.web.mock_server import RunningMock
from tests.web.test_page import set_control, track_id, until

VIEWS = ("play", "practice", "pads", "setlist", "library", "system", "system/engine", "system/settings", "stage")
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


def go(page: Page, view: str) -> None:
    """Turn to a view by its address, as a bookmark would."""
    page.evaluate("view => { location.hash = view }", view)


def sent(server: RunningMock, kind: CommandKind) -> list[float]:
    """Return the first argument of every command of a kind that the engine was sent."""
    return [command.a for command in server.mock.deckhand.sent if command.kind is kind]


def test_a_sound_goes_on_a_pad_by_drag_and_is_hit(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    go(page, "pads")
    pad = page.get_by_role("button", name="Pad 6: empty")
    page.get_by_role("button", name="Paper Lanterns, Drums on pad 1").drag_to(pad)
    lantern = track_id(server, "Paper")
    until(page, server, "/pad/6/source", f"{lantern}#drums")
    pad = page.get_by_role("button", name="Pad 6: Paper Lanterns")
    expect(pad).to_be_visible()
    hits = len(sent(server, CommandKind.PAD_HIT))
    page.keyboard.press("s")  # the key of pad 6
    page.wait_for_function("() => true")
    for _ in range(200):
        if len(sent(server, CommandKind.PAD_HIT)) > hits:
            break
        page.wait_for_timeout(25)
    assert len(sent(server, CommandKind.PAD_HIT)) > hits
    expect(page.get_by_role("region", name="Settings of pad 6")).to_contain_text("Paper Lanterns")
    page.get_by_role("button", name="Mode of pad 6: Loop").click()
    until(page, server, "/pad/6/mode", "loop")
    page.get_by_role("button", name="Bank 2").click()
    until(page, server, "/pad/bank", "2")
    expect(page.get_by_role("button", name="Pad 6: empty")).to_be_visible()


def test_steps_are_set_walked_and_cleared(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    go(page, "pads")
    step = page.get_by_role("button", name="Step 1 of pad 2", exact=True)
    step.click()
    until(page, server, "/sequencer/pattern/2", "9...............")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.keyboard.press("-")
    until(page, server, "/sequencer/pattern/2", "98..............")
    box = step.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 37, steps=6)
    page.mouse.up()
    until(page, server, "/sequencer/pattern/2", "58..............")
    page.get_by_role("button", name="Run steps").click()
    until(page, server, "/sequencer/run", 1)
    page.get_by_role("button", name="Clear all steps").click()
    until(page, server, "/sequencer/pattern/2", "................")


def test_a_setlist_says_what_is_missing_and_takes_another_order(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    go(page, "setlist")
    page.get_by_role("button", name="Friday 3").click()
    entries = page.get_by_role("list", name="Entries").get_by_role("listitem")
    expect(entries).to_have_count(3)
    expect(entries.nth(2)).to_contain_text("'Nobody - Nothing' is not in the library")
    page.get_by_role("button", name="Move Paper Lanterns up").click()
    expect(entries.nth(0)).to_contain_text("Paper Lanterns")
    text = server.mock.views.setlists["friday"]
    assert text.index("Paper Lanterns") < text.index("Night Bus Home") < text.index("Softly.")
    page.get_by_role("button", name="Take Nobody - Nothing out of the setlist").click()
    expect(entries).to_have_count(2)
    page.get_by_role("button", name="Edit text").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("volme = 1")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Line 3: volme: is not known here")
    dialog.get_by_role("button", name="Cancel").click()
    assert "volme" not in server.mock.views.setlists["friday"]
    browser.complaints[:] = [text for text in browser.complaints if "422" not in text]


def test_practice_loops_by_typing_by_section_and_by_drag(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    set_control(server, "/deck/1/load", track_id(server, "Night"))
    go(page, "practice")
    expect(page.get_by_role("heading", name="Night Bus Home")).to_be_visible()
    loop = page.get_by_role("group", name="Loop from A to B")
    loop.get_by_label("A", exact=True).fill("nonsense")
    loop.get_by_label("A", exact=True).press("Enter")
    expect(loop.get_by_role("alert")).to_contain_text("“nonsense” is no time")
    asked: list[tuple[str, object]] = []
    submit = server.mock.show.submit

    def hear(intent: object) -> None:
        asked.append((intent.path, intent.value))  # type: ignore[attr-defined]
        submit(intent)  # type: ignore[arg-type]

    server.do(setattr, server.mock.show, "submit", hear)
    loop.get_by_label("A", exact=True).fill("0:10.250")
    loop.get_by_label("A", exact=True).press("Enter")
    page.get_by_role("button", name="Loop section 2").click()
    lane = page.locator(".long .lane.stem").first
    box = lane.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 100, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, y, steps=8)
    page.mouse.up()
    page.get_by_role("button", name="Again from A").click()
    for _ in range(200):
        if asked and asked[-1][0] == "/deck/1/loop/again":
            break
        page.wait_for_timeout(25)
    paths = dict(asked)
    assert paths["/deck/1/loop/start"] == 10.25
    assert paths["/deck/1/loop/section"] == 2
    first, last = map(float, str(paths["/deck/1/stem/vocals/mutes/add"]).split("-"))
    duration = server.mock.tracks[track_id(server, "Night")].duration
    assert last - first == pytest.approx(200 / box["width"] * duration, abs=1.0)
    assert "/deck/1/loop/again" in paths
    expect(page.get_by_role("table")).to_contain_text("80 %")


def test_what_goes_with_this_is_one_press_from_a_deck(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    set_control(server, "/deck/1/load", track_id(server, "Night"))
    page.get_by_role("button", name="Goes with this").click()
    row = page.get_by_role("list", name="Goes with this").get_by_role("listitem")
    expect(row).to_contain_text("87")
    row.get_by_role("button", name="Load Concrete Ocean on deck 2").click()
    until(page, server, "/deck/2/load", track_id(server, "Concrete"))


def test_the_analysis_is_clicked_to_seek(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    night = track_id(server, "Night")
    set_control(server, "/deck/1/load", night)
    page.get_by_role("button", name="Analysis of Night Bus Home").click()
    line = page.get_by_role("slider", name="Place in the track")
    expect(line).to_be_visible()
    box = line.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 66 + (box["width"] - 74) / 2, box["y"] + 100)
    page.wait_for_timeout(200)
    assert sent(server, CommandKind.DECK_SEEK)[-1] / 48_000 == pytest.approx(241.8 / 2, abs=1.5)
    page.get_by_role("button", name="F: ").click()
    page.wait_for_timeout(200)
    assert sent(server, CommandKind.DECK_SEEK)[-1] / 48_000 == pytest.approx(8.0, abs=0.1)
    for chart in ("Features", "Chroma", "Spectrum", "Timbre (MFCC)"):
        expect(page.get_by_role("heading", name=chart)).to_be_visible()


def test_jobs_tell_their_history_and_settings_refuse_nonsense(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    go(page, "system/jobs")
    page.get_by_role("button", name="Separation: Broken Tape").first.click()
    expect(page.get_by_text("No memory.")).to_be_visible()
    expect(page.get_by_text("Segment 3 of 9")).to_be_visible()
    go(page, "system/settings")
    port = page.get_by_label("port", exact=True)
    port.fill("99999")
    port.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("99999 is not between 0 and 65535")
    port.fill("4100")
    port.press("Enter")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert server.mock.views.settings["port"] == 4100
    page.get_by_label("Search settings").fill("engine")
    expect(page.get_by_role("list", name="Settings").get_by_role("listitem")).to_have_count(1)
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("tab", name="Einstellungen")).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab", name="Einstellungen")).to_be_visible()
    browser.complaints[:] = [text for text in browser.complaints if "400" not in text]


def test_the_stage_shows_what_plays(browser: Browser, server: RunningMock) -> None:
    set_control(server, "/deck/2/load", track_id(server, "Paper"))
    page = browser.open_page(server.url + "#stage", wait=False)
    set_control(server, "/deck/2/play", 1)
    expect(
        page.get_by_role("region", name="Stage screen").get_by_role("heading", name="Paper Lanterns")
    ).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Views")).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_serious(browser: Browser, server: RunningMock, theme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci` in web/")
    night = track_id(server, "Night")
    set_control(server, "/deck/1/load", night)
    page = browser.open_page(server.url, script=f"localStorage.setItem('theme', '{theme}')", calm=True)
    found = []
    for view in (*VIEWS, f"track/{night}"):
        go(page, view)
        page.wait_for_timeout(400)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        rows = page.evaluate(
            """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
                .filter(one => one.impact === 'serious' || one.impact === 'critical')
                .map(one => ({ id: one.id, nodes: one.nodes.slice(0, 4).map(node => node.html.slice(0, 160)) }))"""
        )
        found += [{"view": view, **row} for row in rows]
    assert not found, json.dumps(found, indent=1)


def test_a_title_of_five_megabytes_does_not_stop_the_page(browser: Browser, server: RunningMock) -> None:
    long = server.do(lambda: server.mock.add("<img src=x onerror=alert(1)>" + "A" * 5_000_000, "Someone", 60.0))
    page = browser.open_page(server.url)
    set_control(server, "/deck/1/load", long.id)
    deck = page.get_by_role("article", name="Deck 1")
    expect(deck.get_by_role("heading", level=2)).to_contain_text("<img src=x onerror=alert(1)>AAA")
    assert page.locator("main img").count() == 0
    play = page.get_by_role("button", name="Play deck 1")
    play.click()
    until(page, server, "/deck/1/play", 1)


def test_a_socket_that_flaps_is_taken_up_each_time(browser: Browser, server: RunningMock) -> None:
    keep = """(() => { const Real = WebSocket; window.sockets = [];
        window.WebSocket = class extends Real { constructor(...a) { super(...a); window.sockets.push(this); } }; })()"""
    page = browser.open_page(server.url, script=keep)
    for volume in (0.2, 0.4, 0.6):
        page.evaluate("() => window.sockets.forEach(socket => socket.close())")
        expect(page.get_by_role("status").first).to_contain_text("Reconnecting")
        set_control(server, "/deck/1/volume", volume)
        expect(page.get_by_role("status").first).to_contain_text("Connected")
        expect(page.get_by_role("slider", name="Volume of deck 1")).to_have_attribute("aria-valuenow", str(volume))
    page.get_by_role("slider", name="Volume of deck 1").press("End")
    until(page, server, "/deck/1/volume", 1.0)
    assert page.evaluate("() => window.sockets.filter(socket => socket.readyState === 1).length") == 1
