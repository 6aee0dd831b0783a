"""Audio from Spotify's and video sites' links: spotdl finds the song, yt-dlp brings it, each as a child process.

Owner: the thread of the download job. A child has an environment of its own (nothing of ours but PATH), a home and
temporary files in the job's spool, and a process group that is killed when the job is over, however it ends.
Units: bytes; seconds; progress in percent.

    Spotify link -> `spotdl url` -> address of a video -> `yt-dlp` -> spool/fetched/audio.EXT
    video link   ----------------------------------------^

spotdl alone would fetch too, but its command line tells no progress and ends well when it failed.
"""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.errors import DiskFull, PermanentFailure
from pipeline.fetcher import Environment, helpers
from pipeline.fetching import Fetched, FileTooLarge, LinkFails, LinkGone, Progress
from pipeline.links import Link, LinkRejected, parse

FORMATS: Final = ("best", "mp3", "flac", "ogg", "opus", "m4a", "wav")
"""What a download becomes; `best` is what the site has, as it is."""

QUALITIES: Final = ("best", "128k", "192k", "256k", "320k")
"""Bit rate of a download that is converted."""

SILENCE_S: Final = 120.0
"""How long a child may say nothing while it looks or fetches."""

CONVERT_S: Final = 1800.0
"""How long it may say nothing while it converts."""

LOOK_S: Final = 0.1
"""How often a wait looks whether the job is still wanted."""

LONGEST_LINE: Final = 1 << 16

_END_S: Final = 0.5
_DIES_WITH_US: Final = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""On Linux a child asks the kernel to go when its worker does, before it becomes the program."""


class NotMatched(PermanentFailure):
    """No recording of this song was found on the sites that spotdl knows; add a file of your own."""

    code = "not_matched"


class NeedsFfmpeg(PermanentFailure):
    """Converting a download needs ffmpeg, which is not installed; install it, or set download_format = "best"."""

    code = "needs_ffmpeg"


class NamesAList(PermanentFailure):
    """This link names a list; paste the link of one piece."""

    code = "names_a_list"


_BUSY: Final = re.compile(r"\b429\b|too many requests|rate.?limit|max retries|not a bot|try again later", re.I)
_NO_FFMPEG: Final = re.compile(r"ffmpeg.{0,40}not (found|installed)|ffprobe and ffmpeg not found", re.I)
_NO_SPACE: Final = re.compile(r"no space left|disk quota", re.I)
_TOO_LARGE: Final = re.compile(r"larger than max-filesize", re.I)
_NO_MATCH: Final = re.compile(r"no results found|could not find a match|couldn't find a match", re.I)
_GONE: Final = re.compile(
    r"unavailable|not available|removed|does not exist|private|terminated|copyright|sign in|log ?in|members?.only|"
    r"confirm your age|unsupported url|HTTP Error (401|403|404|410|451)|no video formats|requested format",
    re.I,
)


class Child:
    """One program, run to its end: `line` gets what it says. `check` raises to give up."""

    def __init__(self, command: Sequence[str], folder: Path, check: Callable[[], None], limit: int) -> None:
        self._command = list(command)
        self._folder = folder
        self._check = check
        self._limit = limit
        self.silence_s = SILENCE_S
        self.tail: deque[str] = deque(maxlen=40)

    def run(self, line: Callable[[str], None]) -> int:
        """Return the exit status. Raises as `check` and `line` do, LinkFails for one that hangs, FileTooLarge."""
        home = self._folder / "home"
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DiskFull(f"The download cannot be kept: {error.strerror}.") from error
        command = self._command
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-c", _DIES_WITH_US, *command]
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                cwd=self._folder, env=_environment(Path(self._command[0]).parent, home), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise LinkFails(f"{Path(self._command[0]).name} cannot be started: {error.strerror}.") from error
        try:
            self._follow(child, line)
            return child.wait(timeout=self.silence_s)
        except subprocess.TimeoutExpired:
            raise LinkFails(f"{Path(self._command[0]).name} does not come to an end.") from None
        finally:
            _end(child)

    def _follow(self, child: subprocess.Popen[bytes], line: Callable[[str], None]) -> None:
        """Hand on what it says until it has said everything."""
        assert child.stdout is not None
        fd, rest, heard = child.stdout.fileno(), b"", time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            while True:
                self._check()
                if not selector.select(LOOK_S):
                    if child.poll() is not None and not selector.select(0):
                        return  # a grandchild holds the pipe; it goes with the group
                    if time.monotonic() - heard > self.silence_s:
                        raise LinkFails(f"{Path(self._command[0]).name} says nothing any more.")
                    self._measure()
                    continue
                heard = time.monotonic()
                block = os.read(fd, LONGEST_LINE)
                *lines, rest = (rest + block).replace(b"\r", b"\n").split(b"\n")
                for raw in [*lines, rest] if not block else lines:
                    if text := raw.decode("utf-8", "replace").strip():
                        self.tail.append(text[:500])
                        line(text)
                rest = rest[-LONGEST_LINE:]
                if not block:
                    return
                self._measure()

    def _measure(self) -> None:
        """See that it takes no more of the disk than it may. Raises FileTooLarge."""
        held = 0
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                held += path.stat().st_size if path.is_file() else 0
        if held > 2 * self._limit:  # the file as it came, and what it is converted to
            raise FileTooLarge(f"What comes from this link has more than {self._limit >> 20} MiB.")


def fetch(
    link: Link, environment: Environment, spool: Path, *, limit: int, form: str = "best", quality: str = "best",
    check: Callable[[], None], progress: Progress,
) -> Fetched:  # fmt: skip
    """Bring the audio behind a link of Spotify or of a video. What came of an earlier attempt is gone on with.

    Raises FetcherMissing, NotMatched, LinkGone, NamesAList, NeedsFfmpeg, FileTooLarge, DiskFull, LinkFails, as `check`.
    """
    folder = spool / "fetched"
    url = link.url
    if link.kind == "spotify":
        progress(1, "looking for the song")
        url = find(link, environment, folder, check=check, limit=limit)
    program = environment.program("yt-dlp")
    if form != "best" and helpers()["ffmpeg"] is None:
        raise NeedsFfmpeg
    progress(4, "reaching the site")
    child = Child(fetch_command(program, url, folder, limit, form, quality), folder, check, limit)
    said = _Said(child, progress)
    status = child.run(said.line)
    found = [path for path in folder.glob("audio.*") if path.suffix not in (".part", ".ytdl") and path.is_file()]
    if status or not found:
        raise _why(said.errors, child.tail, "yt-dlp")
    whole = max(found, key=lambda path: path.stat().st_mtime)
    if whole.stat().st_size > limit:
        raise FileTooLarge(f"The file from this link has {whole.stat().st_size >> 20} MiB; {limit >> 20} are taken.")
    return Fetched(whole, f"{_name(said.info, link)}{whole.suffix}")


def find(link: Link, environment: Environment, folder: Path, *, check: Callable[[], None], limit: int) -> str:
    """Ask spotdl where a song of Spotify can be had; return the address of a video. Raises as `fetch`."""
    child = Child(find_command(environment.program("spotdl"), link.url), folder, check, limit)
    urls: list[str] = []

    def line(text: str) -> None:
        with contextlib.suppress(LinkRejected):
            if text.startswith("https://") and (found := parse(text)).kind == "video":
                urls.append(found.url)

    child.run(line)
    if urls:
        return urls[0]
    words = " ".join(child.tail)
    if _NO_MATCH.search(words) and not _BUSY.search(words):
        raise NotMatched
    raise _why([text for text in child.tail if text != link.url], child.tail, "spotdl")


def find_command(program: str, url: str) -> list[str]:
    """Return how spotdl is asked for the address of a song."""
    return [
        program, "url", url, "--audio", "youtube-music", "youtube", "--simple-tui", "--headless", "--no-cache",
        "--log-level", "INFO", "--threads", "1",
    ]  # fmt: skip


def fetch_command(program: str, url: str, folder: Path, limit: int, form: str, quality: str) -> list[str]:
    """Return how yt-dlp is asked for the audio of a page. No settings file of anybody's is read."""
    command = [
        program, "--ignore-config", "--no-cache-dir", "--no-playlist", "--color", "never", "--no-quiet", "--newline",
        "--progress", "--no-simulate", "--socket-timeout", "30", "--retries", "3", "--no-mtime",
        "--max-filesize", str(limit), "--format", "bestaudio/best",
        "--progress-template",
        "download:@progress %(progress.downloaded_bytes)s %(progress.total_bytes)s %(progress.total_bytes_estimate)s",
        "--progress-template", "postprocess:@converting",
        "--print", "before_dl:@info %(.{title,artist,track,playlist_count})j",
        "--paths", str(folder), "--output", "audio.%(ext)s",
    ]  # fmt: skip
    if form != "best":
        command += ["--extract-audio", "--audio-format", "vorbis" if form == "ogg" else form]
        command += ["--audio-quality", "0" if quality == "best" else quality.upper()]
    runtime = helpers()["javascript"]
    if runtime is not None:
        command += ["--js-runtimes", f"{Path(runtime).name}:{runtime}"]
    return [*command, "--", url]


class _Said:
    """What yt-dlp tells, understood. A line that is not understood changes nothing."""

    def __init__(self, child: Child, progress: Progress) -> None:
        self._child = child
        self._progress = progress
        self.info: dict[str, Any] = {}
        self.errors: list[str] = []

    def line(self, text: str) -> None:
        """Take one line. Raises NamesAList."""
        if text.startswith("@progress "):
            numbers = [_number(word) for word in text.split()[1:4]]
            done, whole = numbers[0], next((number for number in numbers[1:] if number), 0)
            share = min(1.0, done / whole) if whole else 0.0
            self._progress(5 + int(85 * share), f"fetching, {done / 1e6:.1f} MB")
        elif text.startswith(("@converting", "[ExtractAudio]")):
            self._child.silence_s = CONVERT_S
            self._progress(91, "converting")
        elif text.startswith("@info "):
            with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
                self.info = msgspec.json.decode(text[6:], type=dict[str, Any])
            count = self.info.get("playlist_count")
            if isinstance(count, int) and count > 1:
                raise NamesAList(f"This link names a list of {count} pieces; paste the link of one of them.")
        elif text.startswith("ERROR:") or _TOO_LARGE.search(text):
            self.errors.append(text)


def _why(errors: Sequence[str], tail: Sequence[str], program: str) -> Exception:
    """Return what a failure means, from what the program said last."""
    words = " ".join(errors) or " ".join(tail)
    last = re.sub(r"^ERROR:\s*(\[[^\]]*\]\s*)?", "", (list(errors) or list(tail) or ["nothing"])[-1])[:300].rstrip(".")
    if _TOO_LARGE.search(words):
        return FileTooLarge("The file behind the link is larger than this server takes.")
    if _NO_SPACE.search(words):
        return DiskFull()
    if _NO_FFMPEG.search(words):
        return NeedsFfmpeg()
    if _BUSY.search(words):
        return LinkFails(f"The site asks for patience: {last}.")
    if errors and _GONE.search(words):
        return LinkGone(f"The site does not give this: {last}.")
    return LinkFails(f"{program} brought no audio: {last}.")


def _name(info: dict[str, Any], link: Link) -> str:
    """Return what to call the file: words for people, never a path."""
    artist, track, title = (str(info.get(name) or "") for name in ("artist", "track", "title"))
    shown = f"{artist} - {track}" if artist and track else title or link.name
    return re.sub(r"[/\\\x00-\x1f]", " ", shown)[:200].strip() or link.name


def _number(word: str) -> float:
    try:
        return max(0.0, float(word)) if word not in ("nan", "inf", "-inf") else 0.0
    except ValueError:
        return 0.0


def _environment(programs: Path, home: Path) -> dict[str, str]:
    """Return the whole environment of a child: a wide terminal, because spotdl breaks lines, and no secret."""
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "XDG_CACHE_HOME": str(home / ".cache"),
        "TMPDIR": str(home), "LANG": "C.UTF-8", "COLUMNS": "1000", "TERM": "dumb", "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
    }  # fmt: skip


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and all it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_END_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
