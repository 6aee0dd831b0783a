"""The page against the running program: drop a file, see its stems arrive, move a fader, hear the change."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page as PlaywrightPage

from pipeline.songs import COPPER_LINE, shortened, write_song
from tests.end_to_end.listening import Page
from tests.end_to_end.program import Program, until
from tests.web.browser import Browser
from tests.web.conftest import built_page, chromium

__all__ = ["built_page", "chromium"]

STEMS = ("Vocals", "Drums", "Bass", "Other")
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def spectral(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("data"), environment={"ALCHEMY_ENGINE": "spectral"}) as running:
        yield running


def rms(audio: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


@pytest.fixture(scope="module")
def page(chromium: Browser, spectral: Program) -> PlaywrightPage:
    """The page, logged in by the printed link."""
    return chromium.open_page(spectral.login_url)


def drop(page: PlaywrightPage, file: Path) -> None:
    """Drop a file on the page, as a hand would."""
    transfer = page.evaluate_handle(
        """([name, data]) => {
            const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [file.name, base64.b64encode(file.read_bytes()).decode()],
    )
    page.get_by_role("article", name="Deck 1").dispatch_event("drop", {"dataTransfer": transfer})


def test_a_song_from_the_drop_to_a_muted_stem(
    page: PlaywrightPage, chromium: Browser, spectral: Program, tmp_path: Path
) -> None:
    drop(page, write_song(tmp_path, shortened(COPPER_LINE, 16)).mix)
    page.get_by_role("button", name="Load Copper Line on deck 1").click(timeout=60_000)
    until("loaded", lambda: spectral.control("/deck/1/status") == "ready")
    page.get_by_role("button", name="Play deck 1").click()
    until("playing", lambda: spectral.control("/deck/1/play") == 1)
    page.get_by_text("Stems ready").first.wait_for(timeout=90_000)

    with Page(spectral, "audio") as ears:
        spectral.set("/deck/1/position", 4.0)
        spectral.set("/deck/1/play", 1)  # on a busy machine the song may have ended before its stems came
        loud = rms(ears.listen(1.0))
        for stem in STEMS:
            page.get_by_role("button", name=f"Mute {stem}, deck 1").click()
        until("all muted", lambda: all(spectral.control(f"/deck/1/stem/{s.lower()}/mute") for s in STEMS))
        assert rms(ears.listen(0.5)) < 1e-4 < loud
        page.get_by_role("button", name="Mute Drums, deck 1").click()
        until("drums", lambda: spectral.control("/deck/1/stem/drums/mute") == 0)
        assert 1e-3 < rms(ears.listen(1.0)) < loud
        page.get_by_role("slider", name="Volume of deck 1", exact=True).press("Home")
        until("the fader is down", lambda: spectral.control("/deck/1/volume") == 0.0)
        assert rms(ears.listen(0.5)) < 1e-4
    assert chromium.complaints == []


def test_a_pad_is_filled_and_heard_and_a_loop_typed_in_practice_plays(
    page: PlaywrightPage, chromium: Browser, spectral: Program
) -> None:
    spectral.set("/deck/1/play", 0)
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Pads").click()
    page.get_by_role("button", name="Copper Line, Mix on pad 1", exact=True).click()
    until("the pad", lambda: spectral.control("/pad/1/status") == "ready")
    with Page(spectral, "audio") as ears:
        assert rms(ears.listen(0.5)) < 1e-4
        page.get_by_role("button", name="Full level").click()
        page.get_by_role("button", name="Pad 1: Copper Line").click()
        assert rms(ears.listen(1.0)) > 1e-3
        page.get_by_role("button", name="Stop pads").click()
        until("silence", lambda: rms(ears.listen(0.3)) < 1e-4)
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Practice").click()
    loop = page.get_by_role("group", name="Loop from A to B")
    for field, text in (("A", "0:04.000"), ("B", "0:06.500")):
        loop.get_by_label(field, exact=True).fill(text)
        loop.get_by_label(field, exact=True).press("Enter")
    until("B", lambda: spectral.control("/deck/1/loop/end") == 6.5)
    loop.get_by_role("button", name="Loop of deck 1").click()
    page.get_by_role("button", name="Again from A").click()
    until("two passes", lambda: spectral.control("/deck/1/loop/passes") >= 2)
    assert 4.0 <= spectral.control("/deck/1/position") <= 6.5
    assert chromium.complaints == []
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Play").click()


def test_a_file_that_is_no_audio_is_refused_where_it_was_dropped(
    page: PlaywrightPage, chromium: Browser, spectral: Program, tmp_path: Path
) -> None:
    words = tmp_path / "words.wav"
    words.write_text("these are words, not sound")
    before = spectral.http.get("/api/tracks").json()["total"]
    drop(page, words)
    page.get_by_text("not audio").first.wait_for()
    assert spectral.http.get("/api/tracks").json()["total"] == before
    chromium.complaints.clear()  # the browser logs the 422 that this is about
