"""The main job from outside: bring a track, hear it, move its stems from every surface, and lose parts on the way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import AMPLITUDE, TONES
from tests.end_to_end.listening import Page, level
from tests.end_to_end.program import ROOT, Program, until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def loaded(program: Program, tones: Path) -> Program:
    """The program with the tones, their stems among them, on deck 1."""
    track = program.upload(tones / "mix.flac", title="Four tones", artist="Nobody")
    for stem in TONES:
        with (tones / f"{stem}.flac").open("rb") as file:
            answer = program.http.put(f"/api/tracks/{track['id']}/stems/{stem}", files={"file": (stem, file)})
        assert answer.is_success, answer.text
    program.load(1, track["id"])
    until("all stems ready", lambda: all(program.control(f"/deck/1/stem/{stem}/ready") == 1 for stem in TONES))
    return program


@pytest.fixture
def playing(loaded: Program) -> Program:
    """Deck 1 plays from near its start, nothing muted."""
    for stem in TONES:
        loaded.set(f"/deck/1/stem/{stem}/mute", 0)
    loaded.set("/deck/1/position", 1.0)
    loaded.set("/deck/1/play", 1)
    return loaded


def heard(page: Page, seconds: float = 0.5) -> dict[str, float]:
    audio = page.listen(seconds)
    return {stem: level(audio, hz) / AMPLITUDE for stem, hz in TONES.items()}


#: One deck of the crossfader in the middle, under constant power, is 3 dB down.
MIDDLE = 0.5**0.5


def test_the_mix_is_heard_and_a_mute_from_osc_takes_out_that_stem_alone(playing: Program) -> None:
    with Page(playing, "audio") as page:
        assert heard(page) == pytest.approx(dict.fromkeys(TONES, MIDDLE), abs=0.01)
        command = ["oscsend", "localhost", str(playing.osc_port), "/deck/1/stem/vocals/mute", "i", "1"]
        subprocess.run(command, check=True)
        page.until("/deck/1/stem/vocals/mute", 1)
        assert heard(page) == pytest.approx({**dict.fromkeys(TONES, MIDDLE), "vocals": 0.0}, abs=0.01)


def test_every_surface_hears_of_a_change_whoever_made_it(playing: Program) -> None:
    with Page(playing) as one, Page(playing) as other:
        one.say({"type": "set", "path": "/deck/1/volume", "value": 0.5, "id": 7})
        one.until("/deck/1/volume", 0.5)
        other.until("/deck/1/volume", 0.5)
        playing.osc.send_message("/deck/1/volume", 1.0)
        one.until("/deck/1/volume", 1.0)
        assert playing.control("/deck/1/volume") == 1.0


def test_what_makes_no_sense_is_answered_and_changes_nothing(playing: Program) -> None:
    with Page(playing) as page:
        before = {k: v for k, v in playing.controls().items() if not k.endswith("/position")}
        for number, (path, value) in enumerate(
            [
                ("/deck/1/volume", float("nan")),
                ("/deck/1/volume", float("inf")),
                ("/deck/1/volume", "loud"),
                ("/deck/9/volume", 1.0),
                ("/mixer/crossfader/curve", "bent"),
            ],
            start=1,
        ):
            page.say({"type": "set", "path": path, "value": value, "id": number})
            assert page.hear("error", answers=number)["message"]
        playing.osc.send_message("/deck/1/volume", float("nan"))
        playing.osc.send_message("/no/such/control", 1)
        page.say({"type": "ping", "sent": 1.0, "id": 99})
        page.hear("pong", id=99)
        after = {k: v for k, v in playing.controls().items() if not k.endswith("/position")}
        assert after == before


def test_the_music_plays_on_while_the_server_is_killed_and_a_new_one_takes_over(playing: Program) -> None:
    engine = playing.engine_pid()
    before = playing.control("/deck/1/position")
    playing.kill_server()
    os.kill(engine, 0)
    playing.start()
    assert playing.engine_pid() == engine
    assert playing.control("/deck/1/play") == 1
    assert playing.control("/deck/1/position") > before
    with Page(playing, "audio") as page:
        assert heard(page)["drums"] == pytest.approx(MIDDLE, abs=0.01)
        playing.set("/deck/1/stem/drums/mute", 1)
        assert heard(page)["drums"] == pytest.approx(0.0, abs=0.01)


def test_a_killed_engine_is_replaced_and_plays_on_from_where_it_was(playing: Program) -> None:
    engine, before = playing.engine_pid(), playing.control("/deck/1/position")
    os.kill(engine, signal.SIGKILL)
    until("another engine", lambda: playing.engine_pid() not in (0, engine))
    until("the deck is back", lambda: playing.control("/deck/1/status") == "ready")
    assert playing.control("/deck/1/play") == 1
    with Page(playing, "audio") as page:
        until("it plays", lambda: playing.control("/deck/1/position") > before)
        assert heard(page)["bass"] == pytest.approx(MIDDLE, abs=0.01)


def test_a_second_program_on_the_same_data_folder_says_so(program: Program) -> None:
    command = [sys.executable, "-m", "server", "run", "--data", str(program.data), "--port", "0", "--no-browser"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert str(program.data) in second.stderr
    assert "process" in second.stderr


def test_the_command_line_finds_the_running_program(program: Program, tones: Path) -> None:
    command = [sys.executable, "-m", "server", "import", "--data", str(program.data)]
    good = subprocess.run([*command, tones / "bass.flac"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert "bass" in good.stdout
    not_audio = tones / "notes.wav"
    not_audio.write_text("these are words")
    bad = subprocess.run([*command, not_audio], cwd=ROOT, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "notes.wav" in bad.stderr


def test_it_stops_and_leaves_nothing_behind(tmp_path: Path) -> None:
    program = Program(tmp_path / "data")
    program.start()
    until("a worker for each queue", lambda: len(program.find("pipeline.worker")) == 3)
    program.stop()
    with program:
        assert program.control("/deck/1/status") == "empty"
