"""Frame times of the page with four decks that scroll, in headless Chromium, against an empty page in the same browser.

Owner: `make bench`. The page is the built one on the tests' pretended server, so that neither engine nor workers take
part.
Units: milliseconds between two frames. Headless Chromium without a graphics card draws by the processor: what a machine
with one shows is better than this.
"""

import statistics
from typing import Final

from playwright.sync_api import CDPSession, Page

from server.session.intent import Intent
from tests.web.browser import Browser
from tests.web.mock_server import MockServer, RunningMock, furnish

SECONDS: Final = 8.0
_SPENT: Final = {
    "ScriptDuration": "script",
    "LayoutDuration": "layout",
    "RecalcStyleDuration": "style",
    "TaskDuration": "of all work",
}
"""What is asked of the browser, and how it is said."""
_WATCH: Final = """seconds => new Promise(done => {
    const times = []; let before = performance.now(); const end = before + seconds * 1000;
    const step = now => {
        times.push(now - before); before = now; now < end ? requestAnimationFrame(step) : done(times);
    };
    requestAnimationFrame(step);
})"""


def main(seconds: float = SECONDS) -> None:
    """Print both distributions."""
    mock = MockServer()
    furnish(mock)
    with RunningMock(mock) as server, Browser() as browser:
        empty = browser.open_page("about:blank", wait=False)
        _say("empty page", _frames(empty, seconds))
        empty.close()
        track = next(one.id for one in mock.tracks.values() if one.title == "Night Bus Home")
        page = browser.open_page(server.url, width=1920, height=1080)
        for path, value in [(f"/deck/{deck}/load", track) for deck in range(1, 5)]:
            server.do(mock.show.submit, Intent(path, value, "bench"))
        page.get_by_role("button", name="Show decks all").click()
        page.wait_for_timeout(2500)  # waveforms come
        _say("four decks standing", _frames(page, seconds))
        for deck in range(1, 5):
            server.do(mock.show.submit, Intent(f"/deck/{deck}/play", 1, "bench"))
        page.wait_for_timeout(1500)
        _say("four decks scrolling", _frames(page, seconds))


def _frames(page: Page, seconds: float) -> tuple[list[float], dict[str, float]]:
    """Return the times of frames, sorted, and what the page's thread spent meanwhile, in milliseconds a frame."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = _spent(session)
    found: list[float] = page.evaluate(_WATCH, seconds)
    after = _spent(session)
    session.detach()
    return sorted(found[1:]), {what: 1000 * (after[what] - before[what]) / max(1, len(found)) for what in _SPENT}


def _spent(session: CDPSession) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def _say(name: str, measured: tuple[list[float], dict[str, float]]) -> None:
    times, spent = measured
    if not times:
        print(f"   {name}: no frame came")
        return

    def part(share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))]

    slow = sum(time > 1.5 * 1000 / 60 for time in times) / len(times)
    print(
        f"   {name:22} {1000 / statistics.fmean(times):5.1f} frames/s; median {part(0.5):.1f}, p95 {part(0.95):.1f}, "
        f"p99 {part(0.99):.1f}, worst {times[-1]:.1f} ms; {slow:.1%} later than a frame and a half; a frame takes "
        + ", ".join(f"{spent[name]:.2f} ms {what}" for name, what in _SPENT.items())
    )
