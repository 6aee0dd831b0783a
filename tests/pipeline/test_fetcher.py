"""Downloads by spotdl and yt-dlp: what children are told, what is made of what they say, and that none is left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import fetcher, fetcher_run
from pipeline.errors import DiskFull, PipelineError
from pipeline.fetcher import Environment, FetcherBusy, FetcherFailed, FetcherMissing
from pipeline.fetching import Fetched, FileTooLarge, LinkFails, LinkGone
from pipeline.links import Link, parse
from tests.pipeline.fetcher_site import GOOD, HANGS, PLACE, URL, asked, environment, says
from tests.pipeline.remote_site import RemoteSite, audio

VIDEO = parse("https://youtu.be/dQw4w9WgXcQ")
SONG = parse("spotify:track:6rqhFgbbKwnb9MLmUQDhG6")
LIMIT = 1 << 20


class Got:
    """One fetch and what it told."""

    def __init__(self, tmp_path: Path) -> None:
        self.spool = tmp_path / "spool"
        self.spool.mkdir()
        self.told: list[tuple[int, str]] = []
        self.check: Callable[[], None] = lambda: None

    def fetch(self, made: Environment, link: Link = VIDEO, form: str = "best", quality: str = "best") -> Fetched:
        return fetcher_run.fetch(
            link, made, self.spool, limit=LIMIT, form=form, quality=quality, check=lambda: self.check(),
            progress=lambda percent, stage: self.told.append((percent, stage)),
        )  # fmt: skip


@pytest.fixture
def got(tmp_path: Path) -> Got:
    return Got(tmp_path)


def test_a_video_comes_with_true_progress_into_its_own_spool(got: Got, tmp_path: Path) -> None:
    fetched = got.fetch(environment(tmp_path))
    assert fetched.path == got.spool / "fetched" / "audio.webm" and fetched.path.read_bytes() == b"sound"
    assert fetched.name == "A   Song.webm"
    assert [percent for percent, stage in got.told if stage.startswith("fetching")] == [5, 26, 47, 90]


def test_a_song_of_spotify_is_looked_for_and_fetched_where_it_was_found(got: Got, tmp_path: Path) -> None:
    made = environment(tmp_path, spotdl=says("Processing query: x", "INFO A song: found", URL, status=0))
    got.fetch(made, SONG)
    (looked,), (fetched,) = asked(made, "spotdl"), asked(made, "yt-dlp")
    assert looked["argv"][:2] == ["url", SONG.url]  # type: ignore[index]
    assert fetched["argv"][-2:] == ["--", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"]  # type: ignore[index]


def test_nothing_of_ours_leaks_into_a_child(got: Got, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCHEMY_SECRET_KEY", "secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    made = environment(tmp_path)
    got.fetch(made, SONG)
    for name in ("spotdl", "yt-dlp"):
        ((call),) = asked(made, name)
        env = call["env"]
        assert isinstance(env, dict) and "secret" not in repr(env) and "PYTHONPATH" not in env
        assert env["HOME"].startswith(str(got.spool)) and env["PATH"].split(os.pathsep)[0] == str(made.bin)


@pytest.mark.parametrize(
    ("form", "quality", "wanted"),
    [
        ("best", "320k", []),
        ("mp3", "320k", ["--extract-audio", "--audio-format", "mp3", "--audio-quality", "320K"]),
        ("ogg", "best", ["--extract-audio", "--audio-format", "vorbis", "--audio-quality", "0"]),
    ],
)
def test_format_and_quality_are_asked_for(
    got: Got, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, quality: str, wanted: list[str]
) -> None:
    monkeypatch.setattr(fetcher_run, "helpers", lambda: {"ffmpeg": "/x/ffmpeg", "javascript": "/x/node"})
    made = environment(tmp_path)
    got.fetch(made, form=form, quality=quality)
    argv = asked(made, "yt-dlp")[0]["argv"]
    assert isinstance(argv, list) and argv[-2 - len(wanted) - 2 : -4] == wanted
    assert argv[-4:-2] == ["--js-runtimes", "node:/x/node"]


def test_converting_without_ffmpeg_is_refused_before_anything_comes(
    got: Got, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher_run, "helpers", lambda: {"ffmpeg": None, "javascript": None})
    made = environment(tmp_path)
    with pytest.raises(fetcher_run.NeedsFfmpeg):
        got.fetch(made, form="mp3")
    assert not asked(made, "yt-dlp")


@pytest.mark.parametrize(
    ("program", "error", "words"),
    [
        (
            says("ERROR: [youtube] x: Unable to download webpage: HTTP Error 429: Too Many Requests"),
            LinkFails,
            "patience",
        ),
        (says("ERROR: [youtube] x: Sign in to confirm you’re not a bot. Use --cookies"), LinkFails, "patience"),
        (says("ERROR: [youtube] dQw4w9WgXcQ: Video unavailable. This video is private"), LinkGone, "Video unavailable"),
        (says("ERROR: Unsupported URL: https://vimeo.com/x"), LinkGone, "Unsupported"),
        (says("ERROR: [youtube] x: Unable to download API page: HTTP Error 503"), LinkFails, "503"),
        (says("ERROR: Postprocessing: ffprobe and ffmpeg not found"), fetcher_run.NeedsFfmpeg, "ffmpeg"),
        (says("ERROR: unable to write data: [Errno 28] No space left on device"), DiskFull, "disk"),
        (
            says("[download] File is larger than max-filesize (9 bytes > 8 bytes). Aborting.", status=0),
            FileTooLarge,
            "taken|larger|MiB",
        ),
        (says("\x00\xff@progress x y z", "@info {broken", "@progress nan inf -1", status=0), LinkFails, "no audio"),
        (says(status=0), LinkFails, "nothing"),
        (says('@info {"title": "List", "playlist_count": 12}', status=0), fetcher_run.NamesAList, "12"),
        (PLACE + "(folder / 'audio.webm').write_bytes(bytes(1100000))", FileTooLarge, "taken|larger|MiB"),
    ],
)
def test_what_yt_dlp_says_becomes_a_clear_failure(
    got: Got, tmp_path: Path, program: str, error: type[PipelineError], words: str
) -> None:
    with pytest.raises(error, match=words):
        got.fetch(environment(tmp_path, yt_dlp=program))


@pytest.mark.parametrize(
    ("program", "error"),
    [
        (says("LookupError: No results found for song: Somebody - A Song", status=0), fetcher_run.NotMatched),
        (says("SpotifyException: http status: 429, code:-1 - Max Retries, reason: too many 404"), LinkFails),
        (says("https://evil.example/x", "file:///etc/passwd", status=0), LinkFails),
        (says("Traceback (most recent call last):", "ConnectionError: no network"), LinkFails),
    ],
)
def test_what_spotdl_says_becomes_a_clear_failure(
    got: Got, tmp_path: Path, program: str, error: type[PipelineError]
) -> None:
    made = environment(tmp_path, spotdl=program)
    with pytest.raises(error):
        got.fetch(made, SONG)
    assert not asked(made, "yt-dlp")


class Enough(Exception):
    """The job is not wanted any more."""


def test_a_cancelled_job_leaves_no_process(got: Got, tmp_path: Path) -> None:
    made = environment(tmp_path, yt_dlp=HANGS)

    def check() -> None:
        if got.told and got.told[-1][1].startswith("fetching"):
            raise Enough

    got.check = check
    with pytest.raises(Enough):
        got.fetch(made)
    child = asked(made, "yt-dlp")[0]["pid"]
    grandchild = int((made.bin / "grandchild").read_text())
    assert isinstance(child, int) and not _lives(child) and not _lives(grandchild)


def test_a_child_that_hangs_is_ended(got: Got, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher_run, "SILENCE_S", 0.3)
    made = environment(tmp_path, yt_dlp=HANGS)
    with pytest.raises(LinkFails, match="says nothing"):
        got.fetch(made)
    child = asked(made, "yt-dlp")[0]["pid"]
    assert isinstance(child, int) and not _lives(child)


def test_the_next_attempt_finds_what_the_last_one_left(got: Got, tmp_path: Path) -> None:
    half = PLACE + "(folder / 'audio.webm.part').write_bytes(b'so')\n" + says("ERROR: HTTP Error 500")
    with pytest.raises(LinkFails):
        got.fetch(environment(tmp_path, yt_dlp=half))
    there = PLACE + "assert (folder / 'audio.webm.part').read_bytes() == b'so'\n" + GOOD
    assert got.fetch(environment(tmp_path, yt_dlp=there)).path.read_bytes() == b"sound"


def test_what_is_not_installed_names_the_line_that_installs_it(got: Got, tmp_path: Path) -> None:
    with pytest.raises(FetcherMissing, match="alchemy fetcher install"):
        got.fetch(Environment(tmp_path / "nothing"))
    made = environment(tmp_path)
    (made.bin / "spotdl").unlink()
    assert made.note() is None


def test_half_an_installation_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = environment(tmp_path)

    def breaks(command: list[str]) -> None:
        raise FetcherFailed("no network")

    monkeypatch.setattr(fetcher, "_do", breaks)
    with pytest.raises(FetcherFailed):
        fetcher.install(made, lambda words: None)
    assert made.note() is None


def test_an_installation_is_noted_last_and_done_by_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = environment(tmp_path, spotdl=says("4.6.0", status=0), yt_dlp=says("2026.10.26", status=0))
    steps: list[list[str]] = []

    def step(command: list[str]) -> None:
        steps.append(command)
        assert made.note() is None
        with pytest.raises(FetcherBusy):
            fetcher.install(made, lambda words: None)

    monkeypatch.setattr(fetcher, "_do", step)
    note = fetcher.install(made, lambda words: None)
    assert made.note() == note == fetcher.Note("4.6.0", "2026.10.26")
    assert [step[1:3] for step in steps] == [["-m", "venv"], ["-m", "pip"], ["pip", "install"]]


@pytest.fixture
def real() -> Environment:
    made = Environment(Path(os.environ.get("ALCHEMY_TEST_FETCHER", "/nonexistent")))
    if made.note() is None:
        pytest.skip("ALCHEMY_TEST_FETCHER names no folder made by `alchemy fetcher install`")
    return made


def test_the_real_yt_dlp_brings_a_file_from_a_local_server(got: Got, real: Environment) -> None:
    body = bytes(range(256)) * 2000
    with RemoteSite([audio(body)]) as site:
        fetched = got.fetch(real, Link("video", f"http://127.0.0.1:{site.port}/Somebody.wav", name="x"))
    assert fetched.path.read_bytes() == body and fetched.name == "Somebody.wav"
    assert max(percent for percent, _ in got.told) == 90


def test_the_real_programs_take_our_command_lines(real: Environment, got: Got) -> None:
    for form in fetcher_run.FORMATS:
        command = fetcher_run.fetch_command(real.program("yt-dlp"), URL, got.spool, LIMIT, form, "192k")
        done = subprocess.run([*command[:-2], "--version"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    command = fetcher_run.find_command(real.program("spotdl"), SONG.url)
    parsed = "import sys; from spotdl.utils.arguments import parse_arguments; print(vars(parse_arguments()))"
    done = subprocess.run(
        [str(real.bin / "python"), "-c", parsed, *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "'operation': 'url'" in done.stdout, done.stderr


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
