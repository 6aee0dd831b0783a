"""The page in a real browser, with the real show and live socket; only engine, library and jobs are pretended."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from audio.commands import CommandKind
from server import protocol
from server.session.intent import Intent, Refused
from tests.web.browser import TIMEOUT_MS, Browser
from tests.web.mock_server import RunningMock

VOLUME = "/deck/1/volume"
expect.set_options(timeout=TIMEOUT_MS)


def set_control(server: RunningMock, path: str, value: object) -> None:
    """Move a control as another surface would."""
    server.do(server.mock.show.submit, Intent(path, value, "test"))


def until(page: Page, server: RunningMock, path: str, value: object) -> None:
    """Wait until the show holds `value`."""
    for _ in range(400):
        if server.do(lambda: server.mock.show.controls[path]) == value:
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"{path} is {server.mock.show.controls[path]!r}, not {value!r}")


def track_id(server: RunningMock, title: str) -> str:
    """Return the id of the track whose title starts so."""
    return next(track.id for track in server.mock.tracks.values() if track.title.startswith(title))


def volume(page: Page) -> float:
    """Return where the volume fader of deck 1 stands."""
    return float(page.get_by_role("slider", name="Volume of deck 1").get_attribute("aria-valuenow") or "nan")


def test_moving_a_fader_moves_the_show(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    fader = page.get_by_role("slider", name="Volume of deck 1")
    fader.press("Home")
    until(page, server, VOLUME, 0.0)
    box = fader.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 12)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    expect(fader).not_to_have_attribute("aria-valuenow", "0")
    page.wait_for_timeout(800)  # an unconfirmed value would have gone by now
    now = server.do(lambda: server.mock.show.controls[VOLUME])
    assert 0.1 < now < 0.5  # half the travel of a gain fader is a quarter
    assert volume(page) == pytest.approx(now)
    fader.dblclick()
    until(page, server, VOLUME, 1.0)


def test_a_change_of_the_show_moves_the_fader_on_every_page(browser: Browser, server: RunningMock) -> None:
    first, second = browser.open_page(server.url), browser.open_page(server.url)
    set_control(server, VOLUME, 0.25)
    for page in (first, second):
        expect(page.get_by_role("slider", name="Volume of deck 1")).to_have_attribute("aria-valuenow", "0.25")
    first.get_by_role("button", name="Mute Vocals, deck 2").click()
    expect(second.get_by_role("button", name="Mute Vocals, deck 2")).to_have_attribute("aria-pressed", "true")


def test_a_refused_change_snaps_back_and_says_why(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    submit = server.mock.show.submit

    def refuse(intent: Intent) -> None:
        if intent.path == VOLUME and intent.reply is not None:
            intent.reply(Refused("locked", "The fader is locked by the setlist.", intent.path))
        else:
            submit(intent)

    server.do(setattr, server.mock.show, "submit", refuse)
    page.get_by_role("slider", name="Volume of deck 1").press("Home")
    expect(page.get_by_role("log")).to_contain_text("The fader is locked by the setlist.")
    assert volume(page) == 1.0


def test_a_track_is_loaded_played_and_sought(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    deck = page.get_by_role("article", name="Deck 1")
    page.get_by_role("button", name="Load Paper Lanterns on deck 1").click()
    expect(deck.get_by_role("heading", name="Paper Lanterns")).to_be_visible()
    expect(deck.get_by_role("heading", name="Piano")).to_be_visible()  # a stem only some decks have
    play = deck.get_by_role("button", name="Play deck 1")
    play.focus()
    page.keyboard.press("Space")
    until(page, server, "/deck/1/play", 1)
    expect(deck.locator(".clock b")).not_to_have_text("0:00.0")
    expect(deck.get_by_text("Drawing")).to_have_count(0)
    drawn = deck.locator("canvas").first.evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    )
    assert drawn
    overview = deck.get_by_role("slider", name="Position of deck 1")
    overview.scroll_into_view_if_needed()
    box = overview.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(deck.locator(".clock b")).to_contain_text("1:4")
    seeks = [command.a for command in server.mock.deckhand.sent if command.kind is CommandKind.DECK_SEEK]
    assert seeks[-1] / 48_000 == pytest.approx(203.1 / 2, abs=1.0)
    deck.get_by_role("button", name="Stop deck 1").click()
    until(page, server, "/deck/1/play", 0)


def test_a_hostile_title_is_text(browser: Browser, server: RunningMock) -> None:
    title = "<b>Hostile</b> <script>document.title='owned'</script>"
    page = browser.open_page(server.url)
    expect(page.get_by_text(title)).to_be_visible()
    page.get_by_role("button", name="Load <b>Hostile").first.click()
    expect(page.get_by_role("article", name="Deck 1").get_by_role("heading", name=title)).to_be_visible()
    server.do(server.mock.hub.publish, protocol.Notice("error", "x", "<img src=x onerror=alert(1)>"))
    expect(page.get_by_role("log")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.title() == "Sound Forge Alchemy"
    assert page.locator("main b > script, main img, [role=log] img").count() == 0


def test_the_page_comes_back_after_a_server_restart(browser: Browser, start_mock: Callable[..., RunningMock]) -> None:
    server = start_mock()
    page = browser.open_page(server.url)
    port = server.port
    server.__exit__(None, None, None)
    expect(page.get_by_role("status").first).to_contain_text("Reconnecting")
    page.get_by_role("slider", name="Volume of deck 1").press("Home")
    expect(page.get_by_role("log")).to_contain_text("Not connected")
    assert volume(page) == 1.0
    again = start_mock(port)
    set_control(again, VOLUME, 0.5)
    set_control(again, "/deck/2/load", track_id(again, "Night"))
    browser.wait_for_show(page)
    expect(page.get_by_role("slider", name="Volume of deck 1")).to_have_attribute("aria-valuenow", "0.5")
    expect(page.get_by_role("article", name="Deck 2").get_by_role("heading", name="Night Bus Home")).to_be_visible()
    page.close()
    browser.complaints[:] = [text for text in browser.complaints if "ERR_" not in text and "WebSocket" not in text]


def test_a_dead_engine_is_said(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    server.do(setattr, server.mock, "engine_running", False)
    expect(page.get_by_role("status").first).to_contain_text("Engine is down")
    server.do(setattr, server.mock, "engine_running", True)
    expect(page.get_by_role("status").first).to_contain_text("Connected")


def test_files_are_uploaded_worked_on_and_listed(browser: Browser, server: RunningMock, tmp_path: Path) -> None:
    page = browser.open_page(server.url)
    song = tmp_path / "A New Song.wav"
    song.write_bytes(b"RIFF" + bytes(4000))
    page.locator("input[type=file]").set_input_files(song)
    expect(page.get_by_role("list", name="Tracks")).to_contain_text("A New Song")
    expect(page.get_by_role("list", name="Tracks")).to_contain_text("124.0 BPM")
    page.get_by_role("button", name="Load A New Song on deck 2").click()
    page.get_by_role("button", name="Separate A New Song").click()
    deck = page.get_by_role("article", name="Deck 2")
    expect(deck).to_contain_text("Stems ready")
    row = page.get_by_role("listitem").filter(has_text="A New Song")
    expect(row).to_contain_text("4 stems")


def test_files_are_dropped_anywhere(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    transfer = page.evaluate_handle(
        "() => { const t = new DataTransfer(); t.items.add(new File(['x'.repeat(500)], 'Dropped.mp3')); return t; }"
    )
    target = page.get_by_role("article", name="Deck 1")
    target.dispatch_event("dragenter", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop to add to the library")).to_be_visible()
    target.dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.get_by_role("list", name="Tracks")).to_contain_text("Dropped")
    expect(page.get_by_text("Drop to add to the library")).to_have_count(0)


def test_what_is_no_audio_is_said_beside_the_file(browser: Browser, server: RunningMock, tmp_path: Path) -> None:
    page = browser.open_page(server.url)
    reason = "This is not audio: a text file named .wav."
    server.do(setattr, server.mock, "refuse_upload", reason)
    file = tmp_path / "notes.wav"
    file.write_text("dear diary")
    page.locator("input[type=file]").set_input_files(file)
    row = page.get_by_role("list", name="Files on their way in").get_by_role("listitem")
    expect(row).to_contain_text("notes.wav")
    expect(row).to_contain_text(reason)
    row.get_by_role("button").click()
    expect(row).to_have_count(0)
    browser.complaints[:] = [text for text in browser.complaints if "422" not in text]


def test_a_job_is_cancelled_and_a_failed_one_retried(browser: Browser, server: RunningMock) -> None:
    server.mock.speed = 0.05
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Separate Concrete Ocean").click()
    row = page.get_by_role("listitem").filter(has_text="Concrete Ocean")
    row.get_by_role("button", name="Cancel").click()
    expect(row.get_by_role("progressbar")).to_have_count(0)
    broken = page.get_by_role("listitem").filter(has_text="Broken Tape")
    expect(broken).to_contain_text("alchemy models pull htdemucs")
    server.mock.speed = 50.0
    broken.get_by_role("button", name="Retry").click()
    expect(broken).to_contain_text("4 stems")


def test_a_track_is_deleted_only_after_a_question_and_can_be_taken_back(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    rows = page.get_by_role("list", name="Tracks").get_by_role("listitem")
    before = rows.count()
    page.get_by_role("button", name="Delete Paper Lanterns").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(rows).to_have_count(before)
    page.get_by_role("button", name="Delete Paper Lanterns").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(before - 1)
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(before)
    assert any(track.title == "Paper Lanterns" for track in server.mock.tracks.values())
    page.get_by_role("button", name="Delete Paper Lanterns").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Leave it so").click()
    expect(rows).to_have_count(before - 1)
    assert not any(track.title == "Paper Lanterns" for track in server.mock.tracks.values())


def test_search_narrows_the_list(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("searchbox").fill("arden bus")
    rows = page.get_by_role("list", name="Tracks").get_by_role("listitem")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.get_by_text("Nothing in the library matches")).to_be_visible()


def test_a_phone_that_knocks_is_allowed(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    server.do(server.mock.knock, "192.168.1.23")
    page.get_by_role("button", name="Phones · 1 waiting").click()
    page.get_by_role("button", name="Allow 192.168.1.23").click()
    expect(page.get_by_role("dialog")).to_contain_text("Allowed")
    assert server.mock.peers["192.168.1.23"].status == "allowed"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_network_is_opened_and_a_phone_gets_a_code(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Phones", exact=True).click()
    panel = page.get_by_role("dialog")
    expect(panel).to_contain_text("Only this machine is heard")
    panel.get_by_role("button", name="Allow phones").click()
    expect(panel).to_contain_text("192.168.1.5, port 8000")
    expect(panel.get_by_role("img", name="Code that opens this page on a phone")).to_be_visible()
    assert server.mock.lan_open
    panel.get_by_role("button", name="Shut out").click()
    expect(panel).to_contain_text("Only this machine is heard")
    assert not server.mock.lan_open


def test_learn_mode_chooses_controls_instead_of_moving_them(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="MIDI learn").click()
    page.get_by_role("button", name="Mute Drums, deck 1").click()
    expect(page.get_by_text("Now move a knob")).to_be_visible()
    assert server.mock.learned == ["/deck/1/stem/drums/mute"]
    assert server.mock.show.controls["/deck/1/stem/drums/mute"] == 0
    server.do(
        server.mock.hub.publish, protocol.LearnChanged("/deck/1/stem/drums/mute", "mapped", "nanoKONTROL", "CC 48")
    )
    expect(page.get_by_role("log")).to_contain_text("Now under CC 48 of nanoKONTROL")
    page.get_by_role("button", name="End learn").click()
    page.get_by_role("button", name="Mute Drums, deck 1").click()
    until(page, server, "/deck/1/stem/drums/mute", 1)


@pytest.mark.parametrize("script", ["", "delete BaseAudioContext.prototype.audioWorklet"], ids=["worklet", "buffers"])
def test_the_page_plays_the_master(browser: Browser, server: RunningMock, script: str) -> None:
    set_control(server, "/deck/1/load", track_id(server, "Night"))
    set_control(server, "/deck/1/play", 1)
    page = browser.open_page(server.url, script=script)
    listen = page.get_by_role("button", name="Listen here")
    listen.click()
    on = page.get_by_role("button", name="Listening")
    expect(on).to_be_visible()
    expect(on).to_have_attribute("aria-pressed", "true")
    on.click()
    expect(page.get_by_role("button", name="Listen here")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1180, 820), (1024, 768), (820, 1180), (390, 844)])
def test_everything_fits_and_can_be_touched(browser: Browser, server: RunningMock, width: int, height: int) -> None:
    set_control(server, "/deck/1/load", track_id(server, "Paper"))
    page = browser.open_page(server.url, width=width, height=height, touch=True)
    expect(page.get_by_role("article", name="Deck 1").get_by_role("heading", name="Paper Lanterns")).to_be_visible()
    views = ["Mixer", "Library", "Deck 1"] if width < 600 else [""]
    for view in views:
        if view:
            page.get_by_role("navigation").get_by_role("button", name=view, exact=True).click()
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        faults = page.evaluate(
            """() => [...document.querySelectorAll('button, [role=slider], select')].filter(e => e.checkVisibility())
              .map(e => [e, e.getBoundingClientRect()])
              .filter(([e, r]) => r.height < 28 || r.width < 24 || Math.max(r.height, r.width) < 36
                || !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')))
              .map(([e, r]) => `${e.outerHTML.slice(0, 90)} ${r.width}x${r.height}`)"""
        )
        assert faults == []


def test_reduced_motion_pages_the_waveform_and_still_plays(browser: Browser, server: RunningMock) -> None:
    set_control(server, "/deck/1/load", track_id(server, "Night"))
    set_control(server, "/deck/1/play", 1)
    page = browser.open_page(server.url, calm=True)
    expect(page.get_by_role("article", name="Deck 1").locator(".clock b")).not_to_have_text("0:00.0")


def test_every_view_of_decks_can_be_reached(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Show decks 3–4").click()
    expect(page.get_by_role("article", name="Deck 3")).to_be_visible()
    expect(page.get_by_role("button", name="Load Night Bus Home on deck 4")).to_be_visible()
    page.get_by_role("button", name="Show decks all").click()
    expect(page.get_by_role("article")).to_have_count(4)
