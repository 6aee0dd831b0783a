"""`python -m audio.recorder`: writes the master and buses to files while they play, in a process of its own.

    python -m audio.recorder --runtime-dir DIR --folder DIR [--format FORMAT] [--cursor FRAME] [--bus NAME ...]

Owner: the process. It ends on SIGTERM and when the engine has quit; a killed engine is waited for, and the time without
sound becomes silence in the files. They are whole five times a second, so a killed recorder leaves ones that play.
Units: frames at the engine rate; seconds. Exit status: 0 ended, 1 could not begin, 3 another one records.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from audio import adoption, recorder_link, recordings
from audio.block import Block
from audio.errors import AudioError, EngineMissing, StorageFull
from audio.files import is_full
from audio.recorder_link import ENGINE_ENDED, FAILED, FULL, STOPPED, RecorderNote
from audio.recording import Recording, open_writer
from audio.recordings import Lost, Recorded, Sheet
from audio.rings import BusReader, ClockPair, ClockReader
from audio.units import BUSES, RECORDED, RECORDING_FORMATS

PULL_S: Final = 0.2
"""Between two looks at the ring, which holds ten times as much; each makes the file whole."""

NOTE_S: Final = 1.0
SILENT_S: Final = 0.5
"""An engine that writes nothing for so long may have ended."""

WAIT_S: Final = 60.0
"""How long a killed engine is waited for."""

WAIT_STEP_S: Final = 0.02


class Source:
    """The master and buses of the engine that plays now. Raises EngineMissing, BlockVersionMismatch."""

    def __init__(self, runtime_dir: Path) -> None:
        self.segment = adoption.find(runtime_dir).segment
        try:
            block = Block.attach(self.segment)
        except FileNotFoundError as gone:
            raise EngineMissing from gone
        self.rate = int(block.header["rate"][0])
        self.master = BusReader(block.kernel["master"])
        self.clock = ClockReader(block.kernel["clock"])
        self._block = block

    def buses(self, names: Sequence[str]) -> list[BusReader]:
        """Return readers of the buses of these names."""
        block = self._block.kernel
        return [BusReader(block["buses"][BUSES.index(name)] if name in BUSES else block[name]) for name in names]

    def time_ns(self, frame: int) -> int:
        """Return when an engine frame began, on the monotonic clock; now where the engine's clock does not run."""
        pair: ClockPair = self.clock.read()
        if pair.monotonic_ns == 0 or pair.rate <= 0:
            return time.monotonic_ns()
        return pair.monotonic_ns + round((frame - pair.frame) * 1e9 / pair.rate)


class Recorder:
    """One recording from its first frame to its last."""

    def __init__(
        self, runtime_dir: Path, folder: Path, form: str, buses: Sequence[str], cursor: int, stop: threading.Event
    ) -> None:
        """Begin in `folder`; `cursor` is the engine frame to begin at, below 0 for now. Raises AudioError, OSError."""
        self._runtime, self._stop = runtime_dir, stop
        self._source = Source(runtime_dir)
        first = cursor if cursor >= 0 else self._source.master.written
        self._began_ns = self._source.time_ns(first)
        self._path = path = recordings.fresh(folder, form, with_buses=bool(buses))
        self._file = path.relative_to(folder).as_posix()
        self._buses = tuple(buses)
        began = datetime.now().astimezone() - timedelta(seconds=(time.monotonic_ns() - self._began_ns) / 1e9)
        names = {name: f"{name}{path.suffix}" for name in (recordings.MASTER, *buses)} if buses else {}
        self._sheet = Sheet(self._source.rate, began.isoformat(timespec="milliseconds"), names)
        writer = open_writer(path, self._source.rate, form)
        others = [open_writer(path.with_name(names[name]), self._source.rate, form) for name in buses]
        pairs = list(zip(self._source.buses(buses), others, strict=True))
        self._recording = Recording(self._source.master, writer, first, pairs)
        self._written: Sheet | None = None
        self._noted_s = 0.0

    def run(self) -> None:
        """Record until there is a reason to end; leaves it in the note."""
        self._note()
        try:
            reason = self._record()
            self._recording.close()
            self._write_sheet(self._recording.frames)
            if not self._recording.frames:
                # Nothing ever played: an empty file is none that can be heard.
                Recorded(self._file, self._path, self._parts(), None, 0, 0.0).delete()
            self._note(reason)
        except AudioError as fault:
            self._recording.give_up()
            self._note(FULL if isinstance(fault, StorageFull) else FAILED, str(fault))

    def _record(self) -> str:
        moved_s = time.monotonic()
        while True:
            told = self._stop.wait(PULL_S)
            moved = self._recording.pull()
            self._recording.checkpoint()
            self._write_sheet()
            now = time.monotonic()
            if told:
                return STOPPED
            if now - self._noted_s >= NOTE_S:
                self._note()
            if moved:
                moved_s = now
            elif now - moved_s >= SILENT_S and not adoption.is_alive(self._runtime):
                # An engine that quits takes its note away; one that was killed could not.
                if adoption.read_note(self._runtime) is None:
                    return ENGINE_ENDED
                reason = self._wait_for_engine()
                if reason:
                    return reason
                moved_s = time.monotonic()

    def _wait_for_engine(self) -> str:
        """Go on with the next engine; return why that cannot be, or nothing. Its lock is left alone meanwhile: a look
        at it could be in the way of the one that starts."""
        until_s = time.monotonic() + WAIT_S
        last = self._source
        while time.monotonic() < until_s:
            if self._stop.wait(WAIT_STEP_S):
                return STOPPED
            note = adoption.read_note(self._runtime)
            if note is None or note.segment == last.segment:
                continue
            try:
                source = Source(self._runtime)
            except AudioError:
                continue
            if source.rate != last.rate:
                return ENGINE_ENDED
            if source.clock.read().monotonic_ns == 0:
                continue
            gap_ns = source.time_ns(0) - last.time_ns(self._recording.cursor)
            gap_frames = round(gap_ns * source.rate / 1e9)
            self._recording.go_on(source.master, 0, gap_frames, source.buses(self._buses))
            self._source = source
            return ""
        return ENGINE_ENDED

    def _parts(self) -> tuple[Path, ...]:
        return tuple(self._path.with_name(self._sheet.files[name]) for name in self._buses)

    def _write_sheet(self, frames: int = 0) -> None:
        """Say beside the files what is in them, where that has changed."""
        names = (recordings.MASTER, *self._buses)
        lost = tuple(
            Lost(name, *stretch)
            for name, stretches in zip(names, self._recording.lost, strict=True)
            for stretch in stretches
        )
        sheet = msgspec.structs.replace(self._sheet, frames=frames, lost=lost)
        if not self._buses or sheet == self._written:
            return
        with contextlib.suppress(OSError):  # a full disk has no room for it either; the audio matters more
            path = self._path.with_name(recordings.SHEET_NAME)
            making = path.with_name(f".{path.name}.making")
            making.write_bytes(msgspec.json.format(msgspec.json.encode(sheet)))
            making.replace(path)
            self._written = sheet

    def _note(self, reason: str = "", message: str = "") -> None:
        made = self._recording
        with contextlib.suppress(OSError):  # a full disk has no room for the note either; the file matters more
            recorder_link.write_note(
                self._runtime,
                RecorderNote(
                    os.getpid(), self._file, self._source.rate, self._began_ns, made.frames, made.gaps,
                    made.gap_frames, reason, message, self._buses,
                ),
            )  # fmt: skip
        self._noted_s = time.monotonic()


@contextlib.contextmanager
def _locked(runtime_dir: Path) -> Iterator[bool]:
    """Hold the recorder's lock; gives False when another one has it."""
    with (runtime_dir / recorder_link.LOCK_NAME).open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def main() -> int:
    """Record; return the exit status."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="python -m audio.recorder", description="Records the master and buses.")
    parser.add_argument("--runtime-dir", type=Path, required=True, help="folder of the engine's lock and note")
    parser.add_argument("--folder", type=Path, required=True, help="where the recording goes")
    parser.add_argument("--format", choices=RECORDING_FORMATS, default=RECORDING_FORMATS[0])
    parser.add_argument("--cursor", type=int, default=-1, help="engine frame to begin at; the present one without")
    parser.add_argument("--bus", action="append", choices=RECORDED, default=[], help="what to record beside the master")
    options = parser.parse_args()
    with _locked(options.runtime_dir) as alone:
        if not alone:
            print("another recorder is at work", file=sys.stderr)
            return 3
        try:
            options.folder.mkdir(parents=True, exist_ok=True)
            buses = [name for name in RECORDED if name in options.bus]
            recorder = Recorder(options.runtime_dir, options.folder, options.format, buses, options.cursor, stop)
        except (AudioError, OSError) as fault:
            full = isinstance(fault, StorageFull) or (isinstance(fault, OSError) and is_full(fault))
            note = RecorderNote(os.getpid(), "", 0, 0, reason=FULL if full else FAILED, message=str(fault))
            with contextlib.suppress(OSError):
                recorder_link.write_note(options.runtime_dir, note)
            print(fault, file=sys.stderr)
            return 1
        recorder.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
