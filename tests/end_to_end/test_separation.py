"""Stems that arrive while the track plays, made by real workers with the engine that needs no model."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.songs import COPPER_LINE, shortened, write_song
from tests.end_to_end.listening import Page
from tests.end_to_end.program import Program, until

pytestmark = pytest.mark.timeout(240)
STEMS = ("vocals", "drums", "bass", "other")


@pytest.fixture(scope="module")
def spectral(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    environment = {"ALCHEMY_ENGINE": "spectral"}
    with Program(tmp_path_factory.mktemp("data"), environment=environment) as running:
        until(
            "both workers", lambda: len(running.http.get("/health").json()["checks"]["workers"]["detail"].split()) == 2
        )
        yield running


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of a song with known tempo and key."""
    return write_song(tmp_path_factory.mktemp("song"), shortened(COPPER_LINE, 16)).mix


@pytest.fixture(scope="module")
def separated(spectral: Program, song: Path) -> dict[str, object]:
    """The song's track after it was loaded and played without stems until it had them."""
    track = spectral.upload(song)
    spectral.load(1, track["id"])
    spectral.set("/deck/1/play", 1)
    with Page(spectral, "jobs") as page:
        seen = []
        while not seen or seen[-1]["status"] not in ("completed", "failed", "cancelled"):
            seen.append(page.hear("job", kind="processing"))
    assert seen[-1]["status"] == "completed", seen[-1]
    progress = [message["progress"] for message in seen]
    assert progress == sorted(progress)
    assert len(set(progress)) > 2
    return spectral.track(track["id"])


def test_a_track_loaded_without_stems_is_separated_and_its_stems_are_chosen(separated: dict[str, object]) -> None:
    stems = separated["stems"]
    assert isinstance(stems, list)
    assert {stem["stem_type"] for stem in stems if stem["chosen"]} == set(STEMS)


def test_the_stems_on_disk_add_up_to_the_mix(spectral: Program, separated: dict[str, object], song: Path) -> None:
    mix, rate = soundfile.read(song, dtype="float64")
    folder = spectral.data / "stems" / str(separated["id"])
    [job] = list(folder.iterdir())
    until("raw files are gone", lambda: {path.name for path in job.iterdir()} == {f"{stem}.flac" for stem in STEMS})
    total = sum(soundfile.read(job / f"{stem}.flac", dtype="float64")[0] for stem in STEMS)
    assert rate == 44_100
    assert np.abs(total - mix).max() < 2**-20


def test_the_analysis_knows_tempo_and_key(spectral: Program, separated: dict[str, object]) -> None:
    analysis = until("the analysis", lambda: spectral.track(str(separated["id"]))["analysis"])
    assert analysis["tempo"] == pytest.approx(COPPER_LINE.tempo, rel=0.01)
    assert analysis["key"] == COPPER_LINE.key


def test_stems_are_under_the_fingers_where_the_deck_plays(spectral: Program, separated: dict[str, object]) -> None:
    until("ready", lambda: all(spectral.control(f"/deck/1/stem/{stem}/ready") == 1 for stem in STEMS))
    spectral.set("/deck/1/position", 2.0)
    spectral.set("/deck/1/play", 1)
    for stem in STEMS:
        spectral.set(f"/deck/1/stem/{stem}/mute", 1)
    assert spectral.control("/deck/1/gap") == 0
    with Page(spectral, "audio") as page:
        assert np.abs(page.listen(0.5)).max() < 1e-4
        spectral.set("/deck/1/stem/drums/mute", 0)
        assert np.sqrt(np.mean(page.listen(1.0) ** 2)) > 1e-3


def test_a_worker_killed_in_the_middle_loses_nothing(spectral: Program, separated: dict[str, object]) -> None:
    track = str(separated["id"])
    with Page(spectral, "jobs") as page:
        answer = spectral.http.post(f"/api/tracks/{track}/separate", json={"engine": "spectral"})
        assert answer.status_code == 202, answer.text
        job = answer.json()["id"]
        page.hear("job", id=job, status="processing")
        workers = spectral.find("pipeline.worker")
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        page.hear("job", id=job, status="completed", patience_s=90)
    after = spectral.track(track)
    assert {stem["stem_type"] for stem in after["stems"] if stem["chosen"]} == set(STEMS)
    assert not set(workers) & set(spectral.find("pipeline.worker"))


def test_cancel_stops_a_job_and_leaves_no_files(spectral: Program, separated: dict[str, object]) -> None:
    track = str(separated["id"])
    folder = spectral.data / "stems" / track
    before = sorted(folder.iterdir())
    with Page(spectral, "jobs") as page:
        job = spectral.http.post(f"/api/tracks/{track}/separate", json={"engine": "spectral"}).json()["id"]
        page.hear("job", id=job)
        spectral.http.post(f"/api/jobs/{job}/cancel")
        page.hear("job", id=job, status="cancelled")
    until("its files are gone", lambda: sorted(folder.iterdir()) == before)


def test_a_page_knows_after_a_restart_of_the_server_where_stems_are_ready(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song", shortened(COPPER_LINE, 64)).mix
    program = Program(tmp_path / "data", environment={"ALCHEMY_ENGINE": "spectral"})
    with program:
        until("the worker", lambda: program.find("pipeline.worker"))
        track = program.upload(song)
        with Page(program) as page:
            program.load(1, track["id"])
            told = page.hear("ready", track_id=track["id"])
            workers = program.find("pipeline.worker")
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            # What was on its way comes first: a stretch is noted in the database before it is told again.
            while message := page.soon("ready"):
                told = message
        program.kill_server()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        program.options = ("--no-workers",)
        program.start()
        with Page(program) as page:
            assert page.hear("ready", track_id=track["id"])["ranges"] == told["ranges"]
