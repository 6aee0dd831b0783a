"""The environment of spotdl and yt-dlp: where it is, how it is made, what is in it.

Owner: the command `alchemy fetcher` makes it; workers run what is in it (`pipeline/fetcher_run.py`).

spotdl pins web libraries that do not go together with ours, so both live in a virtual environment of their own. It is
there when its note is there, and the note is written last: half an environment is none. spotdl's own pins do not
always agree with one another (yt-dlp asks for a newer certifi than there may be), so `uv` installs it, which can be
told to look past one.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import DiskFull, PermanentFailure, TransientFailure

INSTALL_LINE: Final = "alchemy fetcher install"
"""What the performer runs to get it."""

SIZE_MB: Final = 210
"""What it takes on the disk, in MB."""

REQUIREMENTS: Final = ("spotdl==4.6.0", "yt-dlp")
"""spotdl is driven by its command line, so it is one that is known; yt-dlp has to follow the sites, so it is the
newest."""

OVERRIDES: Final = ("certifi>=2025.1",)

_VERSION_S: Final = 30.0
_INSTALL_S: Final = 900.0


class FetcherMissing(PermanentFailure):
    """spotdl and yt-dlp are not installed on this machine; install them with: alchemy fetcher install"""

    code = "fetcher_missing"


class FetcherBusy(TransientFailure):
    """spotdl and yt-dlp are being installed already."""

    code = "fetcher_busy"


class FetcherFailed(TransientFailure):
    """spotdl and yt-dlp could not be installed."""

    code = "fetcher_failed"


class Note(msgspec.Struct, frozen=True):
    """What was installed."""

    spotdl: str
    yt_dlp: str


@dataclass(frozen=True, slots=True)
class Environment:
    """The folder `DATA/fetcher`."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.folder / "venv" / "bin"

    def note(self) -> Note | None:
        """Return what is installed; None when there is nothing, or only a part."""
        try:
            note = msgspec.json.decode((self.folder / "installed.json").read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError):
            return None
        return note if all((self.bin / name).is_file() for name in ("spotdl", "yt-dlp")) else None

    def program(self, name: str) -> str:
        """Return the path of `spotdl` or `yt-dlp`. Raises FetcherMissing."""
        if self.note() is None:
            raise FetcherMissing
        return str(self.bin / name)


def install(environment: Environment, tell: Callable[[str], None], python: str = sys.executable) -> Note:
    """Make the environment, or bring it up to date; return what is in it.

    Whatever goes wrong, what is left counts as not installed. Raises FetcherBusy, FetcherFailed, DiskFull.
    """
    with _alone(environment.folder):
        note = environment.folder / "installed.json"
        venv = environment.folder / "venv"
        overrides = environment.folder / "overrides.txt"
        try:
            note.unlink(missing_ok=True)
            overrides.write_text("\n".join(OVERRIDES) + "\n", encoding="ascii")
            tell(f"Making {venv} (about {SIZE_MB} MB) ...")
            _do([python, "-m", "venv", "--clear", str(venv)])
            inner = str(environment.bin / "python")
            _do([inner, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"])
            tell(f"Installing {' and '.join(REQUIREMENTS)} ...")
            _do([
                str(environment.bin / "uv"), "pip", "install", "--quiet", "--python", inner,
                "--override", str(overrides), *REQUIREMENTS,
            ])  # fmt: skip
            made = Note(_version(environment.bin / "spotdl"), _version(environment.bin / "yt-dlp"))
            note.write_bytes(msgspec.json.encode(made))
        except OSError as error:
            raise DiskFull(f"{venv} cannot be written: {error.strerror}.") from error
    return made


def helpers() -> dict[str, str | None]:
    """Return what yt-dlp uses of this machine, and where it is: ffmpeg to convert, a runtime for the sites' scripts."""
    return {
        "ffmpeg": shutil.which("ffmpeg"),
        "javascript": next((found for name in ("deno", "node", "bun") if (found := shutil.which(name))), None),
    }


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second installation away from the same folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DiskFull(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise FetcherBusy from None
    else:
        yield
    finally:
        os.close(lock)


def _do(command: list[str]) -> None:
    """Run one step; its words are part of the failure."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_INSTALL_S
        )
    except subprocess.TimeoutExpired as error:
        raise FetcherFailed(f"{Path(command[0]).name} did not come to an end; check the network.") from error
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())[-600:]
        raise FetcherFailed(f"spotdl and yt-dlp could not be installed: {words or 'no reason was given'}")


def _version(program: Path) -> str:
    """Return what a program calls its version; that it answers at all shows that it can be imported."""
    try:
        done = subprocess.run(
            [str(program), "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_VERSION_S
        )
    except subprocess.TimeoutExpired as error:
        raise FetcherFailed(f"{program.name} was installed and does not start.") from error
    if done.returncode:
        raise FetcherFailed(f"{program.name} was installed and does not start: {done.stderr.strip()[-300:]}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "?"
