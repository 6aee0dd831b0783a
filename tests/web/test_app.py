"""The page as an app: it opens without the server, takes up new builds, can be installed, keeps the stage's screen on."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import Browser
from tests.web.mock_server import DIST, RunningMock

AWAY = "The server cannot be reached"
KEPT = """async () => { await navigator.serviceWorker.ready; const shelf = await caches.open('shell-2');
    return (await shelf.keys()).map(key => new URL(key.url).pathname); }"""
SCREEN = """(() => { window.locks = 0;
    const request = async () => { window.locks += 1; const lock = new EventTarget();
        lock.release = async () => { window.locks -= 1; lock.dispatchEvent(new Event('release')); }; return lock; };
    Object.defineProperty(navigator, 'wakeLock', { value: { request } }); })()"""


@pytest.fixture
def next_build(tmp_path: Path) -> Path:
    """The page as another build: the same, but its script has another name."""
    dist = tmp_path / "dist"
    shutil.copytree(DIST, dist)
    index = dist / "index.html"
    text = index.read_text()
    found = re.search(r'src="(/assets/[^"]+\.js)"', text)
    assert found is not None
    (dist / found[1].lstrip("/")).rename(dist / "assets" / "index-next.js")
    index.write_text(text.replace(found[1], "/assets/index-next.js"))
    return dist


def shelved(page: Page) -> None:
    """Wait until the browser has kept the page."""
    for _ in range(200):
        kept = page.evaluate(KEPT)
        if "/" in kept and any(path.endswith(".js") for path in kept):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"the page was not kept: {kept}")


def script_of(page: Page) -> str:
    """Return the name of the script that runs."""
    return str(page.evaluate("document.querySelector('script[type=module]').src.split('/').pop()"))


def becomes(page: Page, script: str) -> None:
    """Wait until another build runs."""
    page.wait_for_function("name => document.querySelector('script[type=module]')?.src.endsWith(name)", arg=script)


def forgive(browser: Browser) -> None:
    """Forget what a browser says about a server that is away."""
    browser.complaints[:] = [text for text in browser.complaints if "ERR_" not in text and "WebSocket" not in text]


def test_it_opens_without_the_server_says_what_is_lost_and_comes_back(
    browser: Browser, start_mock: Callable[..., RunningMock]
) -> None:
    server = start_mock()
    page = browser.open_page(server.url)
    shelved(page)
    server.__exit__(None, None, None)
    for address in ("", "?token=spent", "stage", "#pads"):
        page.goto("about:blank")
        page.goto(server.url + address)
        expect(page.get_by_role("main")).to_contain_text(AWAY)
        expect(page.get_by_role("main")).to_contain_text("This page comes back by itself")
    start_mock(server.port)
    browser.wait_for_show(page)
    expect(page.get_by_role("button", name="Pad 1: empty")).to_be_visible()
    page.close()
    forgive(browser)


def test_a_new_build_is_taken_and_the_page_looks_as_before(
    browser: Browser, start_mock: Callable[..., RunningMock], next_build: Path
) -> None:
    server = start_mock()
    page = browser.open_page(server.url)
    shelved(page)
    page.get_by_role("button", name="Show decks 3–4").click()
    server.__exit__(None, None, None)
    again = start_mock(server.port, next_build)
    becomes(page, "index-next.js")
    browser.wait_for_show(page)
    expect(page.get_by_role("article", name="Deck 3")).to_be_visible()
    for _ in range(200):
        if "/assets/index-next.js" in page.evaluate(KEPT):
            break
        page.wait_for_timeout(25)
    again.__exit__(None, None, None)
    page.goto("about:blank")
    page.goto(server.url)  # what is kept is the new one
    expect(page.get_by_role("main")).to_contain_text(AWAY)
    assert script_of(page) == "index-next.js"
    page.close()
    forgive(browser)


def test_a_kept_page_of_an_earlier_build_is_replaced_once_the_server_is_there(
    browser: Browser, start_mock: Callable[..., RunningMock], next_build: Path
) -> None:
    server = start_mock()
    page = browser.open_page(server.url)
    shelved(page)
    server.__exit__(None, None, None)
    page.reload()
    expect(page.get_by_role("main")).to_contain_text(AWAY)
    start_mock(server.port, next_build)
    becomes(page, "index-next.js")
    browser.wait_for_show(page)
    page.close()
    forgive(browser)


def test_a_new_build_waits_for_the_hand_that_types(
    browser: Browser, start_mock: Callable[..., RunningMock], next_build: Path
) -> None:
    server = start_mock()
    page = browser.open_page(server.url)
    before = script_of(page)
    page.get_by_role("searchbox").first.fill("half a tit")
    server.__exit__(None, None, None)
    start_mock(server.port, next_build)
    offer = page.get_by_role("status").filter(has_text="A new version of this page is there")
    expect(offer).to_be_visible()
    assert script_of(page) == before
    expect(page.get_by_role("searchbox").first).to_have_value("half a tit")
    offer.get_by_role("button", name="Reload").click()
    becomes(page, "index-next.js")
    browser.wait_for_show(page)
    expect(offer).to_have_count(0)
    page.close()
    forgive(browser)


def test_it_can_be_installed(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url)
    shelved(page)
    session = page.context.new_cdp_session(page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["url"] == server.url + "manifest.webmanifest"
    assert manifest["errors"] == []
    faults = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Playwright's contexts are private windows, which install nothing
    assert [one["errorId"] for one in faults if one["errorId"] != "in-incognito"] == []


def test_the_stage_keeps_the_screen_on_while_it_is_looked_at(browser: Browser, server: RunningMock) -> None:
    page = browser.open_page(server.url, script=SCREEN)
    assert page.evaluate("window.locks") == 0
    page.evaluate("location.hash = 'stage'")
    page.wait_for_function("window.locks === 1")
    expect(page.get_by_text("The screen may go dark")).to_have_count(0)
    page.keyboard.press("Escape")
    page.wait_for_function("window.locks === 0")
