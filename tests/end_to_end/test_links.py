"""A link from outside: pasted, followed by a real worker, imported, analysed; cancelled while nothing comes."""

import io
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.end_to_end.program import ROOT, TOKEN, Program, until
from tests.pipeline.fetcher_site import PLACE, environment
from tests.pipeline.remote_site import Asked, RemoteSite, audio, head, plain
from tests.server.library.conftest import tone

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def song() -> bytes:
    made = io.BytesIO()
    soundfile.write(made, tone(seconds=4.0), 44_100, format="WAV")
    return made.getvalue()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory, watched: Path) -> Iterator[Program]:
    """The running program with workers, whose links may lead to this machine, and what stands for yt-dlp."""
    data = tmp_path_factory.mktemp("data")
    (data / "alchemy.toml").write_text(f'fetch_private = true\nwatch = ["{watched}"]\n')
    soundfile.write(data / "video.wav", tone(seconds=3.0, hz=330.0), 44_100)
    environment(
        data, yt_dlp=f"{PLACE}(folder / 'audio.wav').write_bytes(open({str(data / 'video.wav')!r}, 'rb').read())"
    )
    with Program(data) as running:
        yield running


def test_a_link_on_the_command_line_becomes_an_analysed_track(fetching: Program, song: bytes) -> None:
    broken, whole = audio(song, breaks_after=200_000), audio(song)

    def answer(asked: Asked, line: socket.socket) -> None:
        if asked.target == "/song.wav":
            plain("302 Found", Location="/x/Nobody%20-%20Tone.wav")(asked, line)
        else:
            (whole if asked.start else broken)(asked, line)

    with RemoteSite([answer]) as site:
        command = [
            sys.executable, "-m", "server", "import", site.url(), "--wait", "--server", fetching.url, "--token", TOKEN,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert again.returncode == 0 and "already" in again.stdout
    track = fetching.http.get(f"/api/tracks/{done.stdout.split()[0]}").json()
    assert (track["title"], track["artist"], track["duration"]) == ("Tone", "Nobody", pytest.approx(4.0, abs=0.01))
    assert track["analysis"] is not None and {job["kind"] for job in track["jobs"]} == {"download", "analysis"}
    assert [asked.start for asked in site.asked if "Tone" in asked.target] == [0, 200_000]


def test_cancel_is_heard_while_nothing_comes(fetching: Program, song: bytes) -> None:
    held, sent, gone = threading.Event(), threading.Event(), threading.Event()

    def silent(_asked: Asked, line: socket.socket) -> None:
        line.sendall(head("200 OK", Content_Length=len(song)) + song[: len(song) // 2])
        sent.set()
        if line.recv(1) == b"":
            gone.set()
        held.wait(60)

    with RemoteSite([silent]) as site:
        job = fetching.http.post("/api/links", json={"url": site.url("/slow.wav")}).json()["tracks"][0]["job"]["id"]
        look = f"/api/jobs/{job}"
        assert sent.wait(60), "no worker followed the link"
        until("the job to run", lambda: fetching.http.get(look).json()["status"] == "downloading")
        assert fetching.http.post(f"{look}/cancel").json()["status"] == "cancelled"
        assert gone.wait(20), "the worker did not hang up"
        held.set()
    until("no spool left", lambda: not list(Path(fetching.data / "spool" / "jobs").glob(job)))


def test_what_is_no_audio_fails_with_a_sentence_and_can_be_tried_again(fetching: Program) -> None:
    with RemoteSite([plain("200 OK", b"no music" * 500)]) as site:
        job = fetching.http.post("/api/links", json={"url": site.url("/words.wav")}).json()["tracks"][0]["job"]["id"]
        failed = until(
            "the job to fail",
            lambda: (found := fetching.http.get(f"/api/jobs/{job}").json())["status"] == "failed" and found,
        )
        assert "words.wav" in failed["error"] and failed["attempts"] == 1
        assert fetching.http.post(f"/api/jobs/{job}/retry").json()["status"] == "queued"


def test_a_video_is_fetched_by_a_worker_and_linked_when_it_comes_again(fetching: Program) -> None:
    made = fetching.http.post("/api/links", json={"url": "https://youtu.be/dQw4w9WgXcQ?t=3"}).json()
    where = f"/api/jobs/{made['tracks'][0]['job']['id']}"
    done = until("the video", lambda: (job := fetching.http.get(where).json())["status"] == "completed" and job)
    assert [one["outcome"] for one in done["history"]] == ["completed"] and done["ran_s"] > 0
    track = fetching.http.get(f"/api/tracks/{done['track_id']}").json()
    assert track["duration"] == pytest.approx(3.0, abs=0.01)
    again = fetching.http.post("/api/links", json={"url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"}).json()
    assert again["tracks"][0] == {"track_id": done["track_id"], "existing": True, "job": None}
    metrics = fetching.http.get("/metrics").text
    assert "alchemy_engine_up 1" in metrics and 'alchemy_workers{queue="download"} 1' in metrics


def test_a_file_in_a_watched_folder_comes_by_itself(fetching: Program, watched: Path) -> None:
    soundfile.write(watched / "Nobody - Watched.wav", tone(seconds=1.0, hz=550.0), 44_100)
    found = until("the file", lambda: fetching.http.get("/api/tracks", params={"q": "Watched"}).json()["tracks"])
    assert (found[0]["title"], found[0]["artist"]) == ("Watched", "Nobody")
