"""A built page, a browser and a pretended server for the tests of the page."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.web.mock_server import DIST, MockServer, RunningMock, furnish

pytest.importorskip("playwright", reason="pip install playwright")

from tests.web.browser import Browser, find_chromium

WEB = DIST.parent


def need(what: str) -> None:
    """Skip on a laptop, fail where everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def npm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run npm in web/."""
    path = shutil.which("npm")
    if path is None or not (WEB / "node_modules").is_dir():
        need("the page's tools are not installed: run `npm ci` in web/")
    return subprocess.run(
        [path or "npm", *arguments], cwd=WEB, capture_output=True, text=True, timeout=110, check=False
    )


def _newest(*places: Path) -> float:
    return max((file.stat().st_mtime for place in places for file in place.rglob("*") if file.is_file()), default=0.0)


@pytest.fixture(scope="session")
def built_page() -> Path:
    """The built page, built now if its sources are newer."""
    index = DIST / "index.html"
    if not index.exists() or index.stat().st_mtime < _newest(WEB / "src", WEB / "public"):
        done = npm("run", "build")
        assert done.returncode == 0, done.stdout + done.stderr
    return DIST


@pytest.fixture(scope="module")
def chromium(built_page: Path) -> Iterator[Browser]:
    """One browser for a module. While it lives, Playwright's event loop runs in this thread and no other can, so it
    must not outlive the module: the tests after it may be asynchronous."""
    if find_chromium() is None:
        need("no Chromium: apt-get install -y chromium")
    with Browser() as browser:
        yield browser


@pytest.fixture
def start_mock() -> Iterator[Callable[..., RunningMock]]:
    """Start a pretended server, on a port of its own or a given one; it is stopped after the test."""
    running: list[RunningMock] = []

    def start(port: int = 0, dist: Path = DIST) -> RunningMock:
        mock = MockServer(speed=20.0, dist=dist)
        furnish(mock)
        server = RunningMock(mock, port)
        running.append(server)
        return server.__enter__()

    yield start
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def browser(chromium: Browser, start_mock: Callable[..., RunningMock]) -> Iterator[Browser]:
    """The browser, which must have nothing to complain about at the end of the test.

    It depends on the server's fixture so that pages close before servers stop.
    """
    chromium.complaints.clear()
    yield chromium
    chromium.close_pages()
    assert chromium.complaints == []


@pytest.fixture
def server(start_mock: Callable[..., RunningMock]) -> RunningMock:
    """A pretended server with a furnished library."""
    return start_mock()
