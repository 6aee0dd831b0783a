"""A headless Chromium for tests of the page: start it, open the page by its link, keep what it complains about.

Owner: one browser per test module, one context (its own cookies) per `open_page`. Synchronous, for plain pytest tests:
while it is open no other event loop can run in its thread, so close it before anything asynchronous does.
Units: timeouts in milliseconds, as Playwright has them.

    with Browser() as browser:
        page = browser.open_page("http://127.0.0.1:4000/?token=...")
        ...
        page.close()
        assert not browser.complaints
"""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Final

from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import BrowserContext, Page, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Commands that may be a Chromium, in the order they are looked for."""

MACOS: Final = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
)

TIMEOUT_MS: Final = 15_000


def find_chromium() -> str | None:
    """Return the browser's path: `ALCHEMY_CHROMIUM`, a command on the path, or an application; None without one."""
    named = os.environ.get("ALCHEMY_CHROMIUM")
    if named:
        return named
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    return next((str(path) for path in MACOS if path.exists()), None)


class Browser:
    """A browser process. `complaints` collects page errors and console errors of every page.

    Raises FileNotFoundError where there is no Chromium.
    """

    def __init__(self) -> None:
        path = find_chromium()
        if path is None:
            raise FileNotFoundError(
                "no Chromium found; install it (apt-get install -y chromium) or set ALCHEMY_CHROMIUM"
            )
        self.complaints: list[str] = []
        self._contexts: list[BrowserContext] = []
        self._playwright = sync_playwright().start()
        self._browser: PlaywrightBrowser = self._playwright.chromium.launch(
            executable_path=path, headless=True, args=list(FLAGS)
        )

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close_pages(self) -> None:
        """Close every page, its cookies with it."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def close(self) -> None:
        """End the browser."""
        self.close_pages()
        self._browser.close()
        self._playwright.stop()

    def open_page(
        self, url: str, *, width: int = 1440, height: int = 900, touch: bool = False, calm: bool = False,
        wait: bool = True, secure: bool = True, script: str = "", tour: bool = False,
    ) -> Page:  # fmt: skip
        """Open `url` in a context of its own and wait until the page has the show.

        A link with a login token logs in. `secure=False` takes a certificate nobody vouches for; `calm` asks for
        reduced motion; `script` runs in the page before anything else; `tour` comes for the first time.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            has_touch=touch,
            reduced_motion="reduce" if calm else "no-preference",
            ignore_https_errors=not secure,
        )
        context.set_default_timeout(TIMEOUT_MS)
        self._contexts.append(context)
        page = context.new_page()
        if not tour:
            # Where the page does not come, the browser's own document has no storage.
            page.add_init_script("if (self.origin !== 'null') localStorage.setItem('toured', '1')")
        if script:
            page.add_init_script(script)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.goto(url)
        if wait:
            self.wait_for_show(page)
        return page

    @staticmethod
    def wait_for_show(page: Page) -> None:
        """Wait until the page is connected and drawn."""
        page.get_by_role("main").locator("article, section").first.wait_for()
        page.get_by_role("status").get_by_text("Connected").wait_for()

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)
