"""Recording: starts and ends the recorder as `/mixer/record` says, and tells the show how it goes.

    /mixer/record --> RecordingKeeper --spawn, SIGTERM--> recorder process --> recordings/*.flac, *.wav
    /mixer/record/file <----'  '--track list--> recordings/*.cue     '--note, once a second--> RecordingKeeper

Owner: the lifespan's task group. The recorder outlives this task: a server that comes back takes up the one that runs.
Units: seconds; nanoseconds of the monotonic clock.
"""

import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from audio import recorder_link
from audio.client import EngineClient
from audio.recorder_link import ENGINE_ENDED, FULL, STOPPED, RecorderNote
from audio.units import RECORDED
from server.session.effects import Notice
from server.session.facts import Reported
from server.session.show import Show
from server.track_list import TrackList

_log = logging.getLogger(__name__)

SWITCH: Final = "/mixer/record"
ARMED: Final = {bus: f"/mixer/record/bus/{bus}" for bus in RECORDED}
"""The switch of each bus, and of the input."""
FILE: Final = "/mixer/record/file"

LOOK_S: Final = 0.25
"""Between two looks at the recorder."""

SHORT_S: Final = 5.0
"""A recorder that died sooner than this is not started again."""

STOP_S: Final = 2.0
"""How long a recorder may take to finish its file when the server stops."""


class RecordingKeeper:
    """See the module. `seconds` is how long the recording is, 0 without one. Thread-safe: no."""

    def __init__(
        self, show: Show, client: Callable[[], EngineClient | None], runtime: Path, folder: Path, form: str, log: Path
    ) -> None:
        """`client` gives the engine that plays; recordings go to `folder` as `form`, the recorder's words to `log`."""
        self._show, self._client = show, client
        self._runtime, self._folder, self._form, self._log_file = runtime, folder, form, log
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._told = False
        self._note: RecorderNote | None = None
        self._began_ns = 0
        self._gaps = 0
        self._tracks = TrackList("")
        self._buses: tuple[str, ...] = ()
        self._late: frozenset[str] = frozenset()
        self._wake = anyio.Event()

    def seconds(self) -> float:
        """Return how much has been recorded at this moment, in seconds."""
        return (time.monotonic_ns() - self._began_ns) / 1e9 if self._note is not None else 0.0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; leaves the recorder running."""
        await self._adopt()
        async with self._show.subscribe("recording") as changes, anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            task_status.started()
            async for _ in changes:
                changes.drain()
                self._wake.set()

    async def stop(self) -> None:
        """End the recorder and wait for its file to be finished. Call after `run` has ended."""
        with anyio.move_on_after(STOP_S):
            while True:
                alive, note = await anyio.to_thread.run_sync(self._look)
                if not alive:
                    return
                if note is not None:
                    recorder_link.end(note)
                await anyio.sleep(0.05)
        if self._process is not None:
            self._process.kill()
            await anyio.to_thread.run_sync(self._process.wait)

    # --- what is and what is wanted ----------------------------------------------------------------------------------

    async def _adopt(self) -> None:
        """Take up the recorder that ran without a server; a show that was saved while recording does not begin one."""
        note = await anyio.to_thread.run_sync(recorder_link.read_note, self._runtime)
        alive = await anyio.to_thread.run_sync(recorder_link.is_recording, self._runtime)
        if alive and note is not None and not note.reason:
            self._pid, self._gaps, self._began_ns = note.pid, note.gaps, note.began_ns
            self._tracks = await anyio.to_thread.run_sync(TrackList.resume, self._folder, note.file)
            self._buses = note.buses
        await self._switch(int(self._pid != 0))

    async def _watch(self) -> None:
        while True:
            with anyio.move_on_after(LOOK_S):
                await self._wake.wait()
            self._wake = anyio.Event()
            await self._settle()

    async def _settle(self) -> None:
        wanted = bool(self._show.value(SWITCH))
        if self._pid:
            alive, note = await anyio.to_thread.run_sync(self._look)
            await self._hear()
            self._tell_late()
            if note is not None and note.file:
                await self._follow(note)
            if alive:
                if note is not None and not wanted and not self._told:
                    recorder_link.end(note)
                    self._told = True
                return
            self._process, self._pid, self._note = None, 0, None
            wanted = await self._ended(note)
        if wanted:
            await self._begin()

    def _look(self) -> tuple[bool, RecorderNote | None]:
        """Return whether our recorder lives, and what it last said."""
        if self._process is not None:
            alive = self._process.poll() is None
        else:
            alive = bool(self._pid) and recorder_link.is_recording(self._runtime)
        note = recorder_link.read_note(self._runtime)
        return alive, note if note is not None and note.pid == self._pid else None

    async def _begin(self) -> None:
        client = self._client()
        if client is None:
            await self._switch(0)
            self._say("error", "Nothing can be recorded: no engine plays")
            return
        cursor = client.master_cursor
        self._began_ns, self._gaps, self._told, self._tracks = time.monotonic_ns(), 0, False, TrackList("")
        self._tracks.hear(self._show.controls, 0.0)
        self._buses, self._late = tuple(self._armed()), frozenset()
        try:
            self._process = await anyio.to_thread.run_sync(
                recorder_link.spawn, self._runtime, self._folder, self._form, cursor, self._log_file, self._buses
            )
        except OSError as error:
            await self._switch(0)
            self._say("error", f"Nothing can be recorded: {error}")
            return
        self._pid = self._process.pid

    async def _follow(self, note: RecorderNote) -> None:
        """Take in what the recorder said."""
        if self._note is None:
            self._began_ns, self._tracks.file = note.began_ns, note.file
            self._show.report(Reported(((FILE, note.file),)))
            await self._write_tracks()
        self._note = note
        if note.gaps > self._gaps:
            self._gaps = note.gaps
            lost_s = note.gap_frames / note.rate
            self._say("warning", f"{lost_s:.1f} s of the recording could not be had; silence stands in their place")

    async def _ended(self, note: RecorderNote | None) -> bool:
        """Say how the recording ended; return whether another is to begin."""
        reason = note.reason if note is not None else None
        if note is None:
            self._say("error", f"Nothing was recorded; {self._log_file.name} says why")
        elif reason == STOPPED:
            more = f" and {len(note.buses)} more" if note.buses else ""
            self._say("info", f"Recorded {note.file}{more}, {_length(note)}")
            if self._told:
                return bool(self._show.value(SWITCH))
        elif reason == ENGINE_ENDED:
            self._say("warning", f"The engine has ended, and the recording with it: {note.file}, {_length(note)}")
        elif reason == FULL:
            plays = f". {note.file} plays up to there" if note.file else ""
            self._say("error", f"The disk is full: recording has stopped{plays}")
        elif reason:
            self._say("error", f"Recording has stopped: {note.message}")
        else:
            again = not self._told and time.monotonic_ns() - self._began_ns >= SHORT_S * 1e9
            more = "; another recording begins" if again else ""
            self._say("error", f"The recorder died. {note.file} plays up to there{more}")
            if again:
                return True
        await self._switch(0)
        return False

    def _armed(self) -> list[str]:
        return [bus for bus, switch in ARMED.items() if self._show.value(switch)]

    def _tell_late(self) -> None:
        """Say of a bus that is armed while a recording runs that it has no file there."""
        late = frozenset(self._armed()) - frozenset(self._buses)
        for bus in sorted(late - self._late):
            self._say("warning", f"{bus} is not in this recording: it is from the next one on")
        self._late = late

    async def _switch(self, value: int) -> None:
        """Let the switch show what is."""
        self._show.report(Reported(((SWITCH, value),)))
        await self._show.settle()

    def _say(self, level: str, sentence: str) -> None:
        _log.info("%s", sentence)
        self._show.notice(Notice(level, "recording", sentence, SWITCH))

    # --- the track list ----------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        at_s = (time.monotonic_ns() - self._began_ns) / 1e9
        if self._tracks.hear(self._show.controls, at_s) and self._tracks.file:
            await self._write_tracks()

    async def _write_tracks(self) -> None:
        path, text = (self._folder / self._tracks.file).with_suffix(".cue"), self._tracks.sheet()

        def write() -> None:
            making = path.with_name(f".{path.name}.making")
            making.write_text(text, encoding="utf-8")
            making.replace(path)

        if self._tracks.tracks:
            try:
                await anyio.to_thread.run_sync(write)
            except OSError as error:
                _log.warning("the track list of %s could not be written: %s", path.stem, error)


def _length(note: RecorderNote) -> str:
    seconds = round(note.frames / note.rate)
    return f"{seconds // 60}:{seconds % 60:02d}"
