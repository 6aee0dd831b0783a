"""The page in a performer's hands, heard: a DJ mixes two tracks with their stems, a player learns a passage.

Every stem is a tone of its own; `other` is a ladder that climbs a step a second, so that the sound tells which part of
which track is heard where.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from playwright.sync_api import Page as Tab

from tests.end_to_end.listening import ENGINE_RATE, Page, level
from tests.end_to_end.program import Program, until
from tests.web.browser import Browser
from tests.web.conftest import built_page, chromium

__all__ = ["built_page", "chromium"]
pytestmark = pytest.mark.timeout(240)

RATE = 44_100
SECONDS = 24
LOUD = 0.1
SONGS = {
    "First Song": {"vocals": 440.0, "drums": 1000.0, "bass": 110.0, "other": 2000.0},
    "Second Song": {"vocals": 587.0, "drums": 1300.0, "bass": 165.0, "other": 5000.0},
}
STEP_HZ = 100.0
"""Between two rungs of the ladder."""
HEARD = 0.3 * LOUD
SILENT = 0.01 * LOUD


def write(folder: Path, tones: dict[str, float]) -> dict[str, Path]:
    """Write stems and their sum."""
    time = np.arange(RATE * SECONDS) / RATE
    waves = {}
    for stem, hz in tones.items():
        pitch = hz + STEP_HZ * np.floor(time) if stem == "other" else np.full(len(time), hz)
        waves[stem] = LOUD * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
    waves["mix"] = np.sum(list(waves.values()), axis=0)
    folder.mkdir()
    for name, wave in waves.items():
        soundfile.write(folder / f"{name}.flac", np.stack([wave, wave], axis=1), RATE, subtype="PCM_24")
    return {name: folder / f"{name}.flac" for name in waves}


@pytest.fixture(scope="module")
def furnished(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program with both songs and their stems in the library."""
    for title, tones in SONGS.items():
        files = write(tmp_path_factory.mktemp("songs") / "song", tones)
        track = program.upload(files["mix"], title=title, artist="Nobody")
        for stem in tones:
            with files[stem].open("rb") as file:
                answer = program.http.put(f"/api/tracks/{track['id']}/stems/{stem}", files={"file": (stem, file)})
            assert answer.is_success, answer.text
    return program


@pytest.fixture(scope="module")
def tab(chromium: Browser, furnished: Program) -> Iterator[Tab]:
    """The page, logged in by the printed link."""
    page = chromium.open_page(furnished.login_url)
    yield page
    assert chromium.complaints == []


def heard(sound: npt.NDArray[np.float32]) -> dict[str, set[str]]:
    """Return which steady stems of which song sound; those between a third and nothing fail."""
    found: dict[str, set[str]] = {}
    for title, tones in SONGS.items():
        levels = {stem: level(sound, hz) for stem, hz in tones.items() if stem != "other"}
        assert all(one > HEARD or one < SILENT for one in levels.values()), levels
        found[title] = {stem for stem, one in levels.items() if one > HEARD}
    return found


def rungs(sound: npt.NDArray[np.float32], title: str) -> list[int]:
    """Return where in a song the sound is, every tenth of a second, in whole seconds of the track."""
    first, size = SONGS[title]["other"], ENGINE_RATE // 10
    places = range(SECONDS)
    pieces = [sound[start : start + size] for start in range(0, len(sound) - size + 1, size)]
    return [max(places, key=lambda place: level(piece, first + STEP_HZ * place)) for piece in pieces]


def press(tab: Tab, name: str) -> None:
    """Press a button by its exact name."""
    tab.get_by_role("button", name=name, exact=True).click()


def test_a_dj_mixes_two_tracks_with_their_stems(tab: Tab, furnished: Program) -> None:
    show = furnished
    for deck, title in enumerate(SONGS, start=1):
        press(tab, f"Load {title} on deck {deck}")
        until("stems", lambda deck=deck: show.control(f"/deck/{deck}/stem/other/ready") == 1)
        press(tab, f"Play deck {deck}")
    fader = tab.get_by_role("slider", name="Crossfader", exact=True)
    with Page(show, "audio") as ears:
        fader.press("Home")
        until("left", lambda: show.control("/mixer/crossfader") == -1.0)
        everything = {"vocals", "drums", "bass"}
        assert heard(ears.listen(0.5)) == {"First Song": everything, "Second Song": set()}

        # the second comes in without its bass, under the first without its voice
        press(tab, "Mute Vocals, deck 1")
        press(tab, "Mute Bass, deck 2")
        fader.dblclick()
        until("both", lambda: show.control("/mixer/crossfader") == 0.0)
        until("muted", lambda: show.control("/deck/2/stem/bass/mute") == 1)
        assert heard(ears.listen(0.5)) == {"First Song": {"drums", "bass"}, "Second Song": {"vocals", "drums"}}

        # a hot cue where it is, and back to it from elsewhere; its name then says where it leads
        press(tab, "Set hot cue 1 of deck 1")
        until("cue", lambda: show.control("/deck/1/hotcue/1/position") >= 0)
        cue = show.control("/deck/1/hotcue/1/position")
        show.set("/deck/1/position", 18.0)
        assert min(rungs(ears.listen(0.3), "First Song")) >= 18
        tab.get_by_role("button", name="Go to hot cue 1 of deck 1").click()
        until("there", lambda: show.control("/deck/1/position") < 18.0)
        assert int(cue) <= rungs(ears.listen(0.3), "First Song")[0] <= cue + 5

        # a loop by hand: in, out, and it goes round
        tab.get_by_role("tablist", name="Panels of deck 1").get_by_role("tab", name="Loops & grid").click()
        tab.get_by_role("button", name="IN: Loop of deck 1 begins here").click()
        until("in", lambda: show.control("/deck/1/loop/start") >= 0)
        begin = show.control("/deck/1/loop/start")
        until("the next rung", lambda: show.control("/deck/1/position") > int(begin) + 1.5)
        tab.get_by_role("button", name="OUT: Loop of deck 1 ends here").click()
        until("loop", lambda: show.control("/deck/1/loop/active") == 1)
        end = show.control("/deck/1/loop/end")
        places = rungs(ears.listen(end - begin + 0.5), "First Song")
        assert int(begin) <= min(places) < max(places) <= end
        assert min(np.diff(places)) < 0  # it went back
        tab.get_by_role("button", name="RELOOP: Leave or take up the loop of deck 1").click()
        until("out of it", lambda: show.control("/deck/1/loop/active") == 0)

        fader.press("End")
        until("right", lambda: show.control("/mixer/crossfader") == 1.0)
        assert heard(ears.listen(0.5)) == {"First Song": set(), "Second Song": {"vocals", "drums"}}
        press(tab, "Mute Bass, deck 2")
        until("its bass", lambda: show.control("/deck/2/stem/bass/mute") == 0)
        assert heard(ears.listen(0.5))["Second Song"] == everything
        press(tab, "Stop deck 2 and return to the start")
        until("stopped", lambda: show.control("/deck/2/play") == 0)


def test_a_player_loops_a_passage_slows_it_down_and_mutes_a_stem(tab: Tab, furnished: Program) -> None:
    show = furnished
    show.set("/mixer/crossfader", -1.0)
    for stem in ("vocals", "bass"):
        show.set(f"/deck/1/stem/{stem}/mute", 0)
    tab.get_by_role("navigation", name="Views").get_by_role("button", name="Practice").click()
    song = tab.get_by_role("slider", name="Position of deck 1")
    box = song.bounding_box()
    assert box is not None
    x, y = box["x"], box["y"] + box["height"] / 2
    tab.mouse.move(x + box["width"] * 6.3 / SECONDS, y)
    tab.mouse.down()
    tab.mouse.move(x + box["width"] * 8.6 / SECONDS, y, steps=10)
    tab.mouse.up()
    until("loop", lambda: show.control("/deck/1/loop/active") == 1)
    begin, end = show.control("/deck/1/loop/start"), show.control("/deck/1/loop/end")
    assert (begin, end) == pytest.approx((6.3, 8.6), abs=0.15)
    press(tab, "Keep the key: speed and key of deck 1")
    tab.get_by_role("button", name="Again from A").click()
    if show.control("/deck/1/play") != 1:
        press(tab, "Play deck 1")
    until("in it", lambda: begin <= show.control("/deck/1/position") <= end)
    speed = tab.get_by_role("slider", name="Speed: speed and key of deck 1")
    with Page(show, "audio") as ears:
        quick = rungs(ears.listen(3.0), "First Song")
        assert set(quick) == {6, 7, 8}
        assert min(np.diff(quick)) <= -1  # it went round
        speed.press("Home")
        until("slower", lambda: show.control("/deck/1/rate") < 0.95)
        rate = show.control("/deck/1/rate")
        slow = rungs(ears.listen(2.0), "First Song")
        assert {6, 7, 8} >= set(slow)  # the same pitch: a rung lower would be another place
        sound = ears.listen(1.0)
        assert heard(sound)["First Song"] == {"vocals", "drums", "bass"}
        assert longest(slow) > longest(quick)  # and each rung longer
        press(tab, "Mute Vocals, deck 1")
        until("muted", lambda: show.control("/deck/1/stem/vocals/mute") == 1)
        assert heard(ears.listen(1.0))["First Song"] == {"drums", "bass"}
    assert rate == pytest.approx(0.25)
    press(tab, "Pause deck 1")
    until("still", lambda: show.control("/deck/1/play") == 0)


def longest(places: list[int]) -> int:
    """Return for how many pieces one place lasted at the most."""
    edges = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
    return max(b - a for a, b in itertools.pairwise(edges))
