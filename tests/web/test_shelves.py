"""Tags and playlists in a real browser: what a hand does reaches the server, what the server refuses is said."""

from playwright.sync_api import Locator, Page, expect

from tests.web.browser import TIMEOUT_MS, Browser
from tests.web.mock_playlists import FakePlaylist
from tests.web.mock_server import FakeTrack, RunningMock

expect.set_options(timeout=TIMEOUT_MS)


def track(server: RunningMock, title: str) -> FakeTrack:
    return next(one for one in server.mock.tracks.values() if one.title.startswith(title))


def playlist(server: RunningMock, name: str) -> FakePlaylist:
    return next(one for one in server.mock.playlists.all.values() if one.name == name)


def titles(server: RunningMock, name: str) -> list[str]:
    return [server.mock.tracks[one].title for one in playlist(server, name).tracks]


def shown(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name=f"Tracks of {name}").locator(".what b")


def test_tags_are_edited(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Edit Night Bus Home").click()
    form = page.get_by_role("dialog", name="Edit track")
    expect(form.get_by_label("Artist")).to_have_value("Kofi Arden")
    form.get_by_label("Title").fill("Night Bus Home (Dub)")
    form.get_by_label("Artist").fill("")
    form.get_by_label("Year").fill("1998")
    form.get_by_label("Year").press("Enter")
    expect(form).to_have_count(0)
    row = page.get_by_role("listitem").filter(has_text="Night Bus Home (Dub)")
    expect(row).to_contain_text("Unknown artist")
    found = track(server, "Night Bus Home (Dub)")
    assert (found.artist, found.album, found.year) == ("", "Last Stop", 1998)


def test_an_edit_that_cannot_be_is_said_in_the_form(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Edit Paper Lanterns").click()
    form = page.get_by_role("dialog", name="Edit track")
    form.get_by_label("Title").fill("  ")
    form.get_by_label("Year").fill("soon")
    form.get_by_role("button", name="Save").click()
    expect(form).to_contain_text("A track needs a title.")
    expect(form).to_contain_text("A year is a number")
    server.do(setattr, server.mock, "refuse_change", "The database is away; try again in a moment.")
    form.get_by_label("Title").fill("Paper Boats")
    form.get_by_label("Year").fill("")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_have_text("The database is away; try again in a moment.")
    expect(form.get_by_label("Title")).to_have_value("Paper Boats")  # nothing typed is lost
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_have_count(0)
    assert track(server, "Paper").title == "Paper Lanterns"
    browser.complaints[:] = [text for text in browser.complaints if "400" not in text]


def test_a_playlist_is_made_filled_ordered_and_emptied(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="New playlist").click()
    form = page.get_by_role("dialog", name="New playlist")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_role("alert")).to_have_text("A playlist needs a name.")
    form.get_by_label("Name").fill("<i>Dawn</i>")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_text("This playlist is empty")).to_be_visible()
    page.get_by_role("button", name="All tracks").click()
    for title in ("Night Bus Home", "Paper Lanterns", "Broken Tape"):
        page.get_by_role("button", name=f"Add {title} to a playlist").click()
        page.get_by_role("dialog").get_by_role("button", name="<i>Dawn</i>").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Playlist <i>Dawn</i>, 3 tracks").click()
    expect(shown(page, "<i>Dawn</i>")).to_have_text(["Night Bus Home", "Paper Lanterns", "Broken Tape"])
    page.get_by_role("button", name="Move Broken Tape up").click()
    expect(shown(page, "<i>Dawn</i>")).to_have_text(["Night Bus Home", "Broken Tape", "Paper Lanterns"])
    page.get_by_role("button", name="Take Night Bus Home out of the playlist").click()
    expect(shown(page, "<i>Dawn</i>")).to_have_text(["Broken Tape", "Paper Lanterns"])
    assert titles(server, "<i>Dawn</i>") == ["Broken Tape", "Paper Lanterns"]
    page.get_by_role("button", name="Load Paper Lanterns on deck 2").click()
    expect(page.get_by_role("article", name="Deck 2").get_by_role("heading", name="Paper Lanterns")).to_be_visible()


def test_tracks_are_dragged_into_a_playlist_within_it_and_onto_a_deck(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url, height=2000)  # all rows are in sight: nothing scrolls under the hand
    row = page.get_by_role("listitem").filter(has_text="Broken Tape")
    row.locator(".what").drag_to(page.get_by_role("button", name="Playlist Friday set"))
    name = page.get_by_role("button", name="Playlist Friday set, 4 tracks")
    expect(name).to_be_visible()
    name.click()
    rows = shown(page, "Friday set")
    expect(rows).to_have_text(["Night Bus Home", "Paper Lanterns", "Concrete Ocean", "Broken Tape"])
    rows.last.drag_to(rows.first)
    expect(rows).to_have_text(["Broken Tape", "Night Bus Home", "Paper Lanterns", "Concrete Ocean"])
    expect(page.get_by_text("Drop to add to the library")).to_have_count(0)
    rows.first.drag_to(page.get_by_role("article", name="Deck 1"))
    expect(page.get_by_role("article", name="Deck 1").get_by_role("heading", name="Broken Tape")).to_be_visible()
    assert titles(server, "Friday set")[0] == "Broken Tape"


def test_a_track_is_in_a_playlist_once_and_the_page_says_so(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Add Night Bus Home to a playlist").click()
    page.get_by_role("dialog").get_by_role("button", name="Friday set").click()
    expect(page.get_by_role("log")).to_contain_text("The track is in this playlist already.")
    browser.complaints[:] = [text for text in browser.complaints if "409" not in text]


def test_a_playlist_is_renamed_searched_and_deleted_after_a_question(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    page.get_by_role("button", name="Playlist Friday set").click()
    page.get_by_role("searchbox").fill("paper mira")
    expect(shown(page, "Friday set")).to_have_text(["Paper Lanterns"])
    expect(page.get_by_role("button", name="Move Paper Lanterns up")).to_be_disabled()
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Rename").click()
    form = page.get_by_role("dialog", name="Rename playlist")
    expect(form.get_by_label("Name")).to_have_value("Friday set")
    form.get_by_label("Name").fill("Saturday set")
    form.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Saturday set")).to_be_visible()
    page.get_by_role("button", name="Delete playlist").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("heading", name="Saturday set")).to_be_visible()
    page.get_by_role("button", name="Delete playlist").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("list", name="Tracks", exact=True)).to_contain_text("Night Bus Home")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Leave it so").click()
    assert [one.name for one in server.mock.playlists.all.values()] == ["Warm-up for a very long evening by the sea"]


def test_a_new_playlist_that_is_refused_keeps_what_was_typed(browser: Browser, server: RunningMock) -> None:
    server.do(setattr, server.mock.playlists, "refuse", "The disk is full.")
    page = browser.open_page(server.url)
    page.get_by_role("button", name="New playlist").click()
    form = page.get_by_role("dialog", name="New playlist")
    form.get_by_label("Name").fill("Encore")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_role("alert")).to_have_text("The disk is full.")
    expect(form.get_by_label("Name")).to_have_value("Encore")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    browser.complaints[:] = [text for text in browser.complaints if "400" not in text]
