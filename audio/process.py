"""The engine as a process that somebody started: its command line, its beginning and its end.

Owner: whoever started it; the engine does not end with it. Loads nothing heavy, so that an engine can be on its way up
before the rest of the server is read. Units: none.
"""

import json
import subprocess
from pathlib import Path
from typing import IO

from audio import children
from audio.errors import AudioError
from audio.settings import AudioSettings


def arguments(runtime_dir: Path, settings: AudioSettings, *, parent_pid: int = 0) -> list[str]:
    """Return the command-line arguments of `python -m audio` for these settings."""
    return [
        f"--runtime-dir={runtime_dir}",
        f"--audio={settings.device}",
        f"--input={settings.source}",
        f"--block={settings.block}",
        f"--channels={settings.channels}",
        f"--rate={settings.rate}",
        f"--memory-mib={settings.memory_mib}",
        f"--orphan-s={settings.orphan_s}",
        *([f"--parent-pid={parent_pid}"] if parent_pid else []),
    ]


class EngineProcess:
    """An engine that this process started, maybe still in standby. Leaving it does not end it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path | None) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended; reaps it when it has."""
        return self._process.poll() is None

    def go(self, runtime_dir: Path, settings: AudioSettings, *, parent_pid: int = 0) -> None:
        """Let a standby engine begin. Raises AudioError when it has ended."""
        assert self._process.stdin is not None
        order = json.dumps(arguments(runtime_dir, settings, parent_pid=parent_pid)) + "\n"
        try:
            self._process.stdin.write(order.encode())
            self._process.stdin.close()
        except OSError as ended:
            raise AudioError("the standby engine has ended") from ended

    def end(self) -> None:
        """End it, whatever it does, and wait for that."""
        self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """Return the end of what it wrote to its log."""
        if self._log is None or not self._log.exists():
            return ""
        return self._log.read_text(errors="replace").strip()[-1000:]


def spawn(*options: str, log: Path | None = None, standby: bool = False) -> EngineProcess:
    """Start `python -m audio` in a session of its own; its output goes to `log`."""
    output: IO[bytes] | int = subprocess.DEVNULL if log is None else log.open("ab")
    try:
        process = subprocess.Popen(
            children.command("audio", *options, *(["--standby"] if standby else [])),
            stdin=subprocess.PIPE if standby else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=children.environment(),
            start_new_session=True,
        )
    finally:
        if not isinstance(output, int):
            output.close()
    return EngineProcess(process, log)
