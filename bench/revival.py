"""How soon a killed engine is back: from the blow to the first sound of the engine in its place, seen from outside.

    python -m bench revival [KILLS]

A deck plays noise; its engine is killed; the next one is found by its note, and its master ring and clock tell when it
sounded first, its snapshot where in the track. Between two blows the program has time to get the next one ready, as on
a stage. Owner: the command line. Units: seconds and milliseconds; frames at 48 kHz.
"""

import os
import signal
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from audio import adoption
from audio.block import Block
from audio.errors import AudioError
from audio.rings import BUS_CAPACITY, BusReader, ClockReader, SnapshotReader
from audio.units import ENGINE_RATE
from tests.end_to_end.program import Program, until

KILLS: Final = 12
REST_S: Final = 4.0
"""Between two blows: the engine in reserve needs as long to be ready again."""
SONG_S: Final = 240
SOUNDS: Final = 1e-4


class Engine:
    """What one engine shows of itself."""

    def __init__(self, runtime: Path) -> None:
        """Raises AudioError, FileNotFoundError where none is there yet."""
        note = adoption.find(runtime)
        self.pid = note.pid
        self._block = Block.attach(note.segment)
        self.snapshots = SnapshotReader(self._block.kernel["snapshots"])
        self.clock = ClockReader(self._block.kernel["clock"])
        self.master = BusReader(self._block.kernel["master"])

    def place_s(self) -> float:
        """Return where in its track deck 1 is at this moment."""
        snapshot, pair = self.snapshots.read(), self.clock.read()
        ahead = (time.monotonic_ns() - pair.monotonic_ns) * 1e-9 + (pair.frame - int(snapshot["frame"])) / ENGINE_RATE
        return float(snapshot["decks"][0]["position"]) / ENGINE_RATE + ahead

    def first_sound_s(self) -> float | None:
        """Return when its master sounded first, on the monotonic clock; None while it has not."""
        audio, after = self.master.read(0, BUS_CAPACITY)
        loud = np.flatnonzero(np.abs(audio).max(axis=1, initial=0.0) > SOUNDS)
        pair = self.clock.read()
        if not len(loud) or not pair.monotonic_ns:
            return None
        frame = after - len(audio) + int(loud[0])
        return pair.monotonic_ns * 1e-9 + (frame - pair.frame) / pair.rate


def main(kills: float = KILLS) -> int:
    """Kill as often as asked for, and print how long it was silent and where it went on."""
    silent: list[float] = []
    off: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "noise.flac"
        soundfile.write(song, np.random.default_rng(1).normal(0, 0.1, (ENGINE_RATE * SONG_S, 2)), ENGINE_RATE)
        quiet = {"ALCHEMY_SEPARATE_ON_LOAD": "0", "ALCHEMY_ANALYZE_ON_IMPORT": "0"}
        with Program(Path(folder) / "data", "--no-workers", environment=quiet) as program:
            program.load(1, program.upload(song)["id"])
            program.set("/deck/1/assign", "thru")
            program.set("/deck/1/play", 1)
            for _ in range(int(kills)):
                engine = _playing(program)
                time.sleep(REST_S)
                place_s, killed_s = engine.place_s(), time.monotonic()
                os.kill(engine.pid, signal.SIGKILL)
                sounded_s = until("the next engine sounds", partial(_sounded, program, engine.pid))
                silent.append(1e3 * (sounded_s - killed_s))
                after = Engine(program.runtime())
                # Where the deck was when it sounded first, against where it was killed.
                off.append(1e3 * (after.place_s() - (time.monotonic() - sounded_s) - place_s))
    print(f"{len(silent)} kills of the engine on the null device, from the blow to sound: {_spread(silent)}")
    print(f"  where it went on, against where it was killed: {_spread(off)}")
    behind = [wait - ahead for wait, ahead in zip(silent, off, strict=True)]
    print(f"  how far that is behind where it would have been: {_spread(behind)}")
    return int(max(silent) > 1000.0)


def _spread(values: Sequence[float]) -> str:
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"median {middle:.0f} ms, {low:.0f} to {high:.0f} ms"


def _engine(program: Program) -> Engine | None:
    try:
        return Engine(program.runtime())
    except (AudioError, OSError):
        return None


def _playing(program: Program) -> Engine:
    def look() -> Engine | None:
        engine = _engine(program)
        return engine if engine is not None and bool(engine.snapshots.read()["decks"][0]["playing"]) else None

    found: Engine = until("the deck plays", look)
    return found


def _sounded(program: Program, dead: int) -> float | None:
    engine = _engine(program)
    return engine.first_sound_s() if engine is not None and engine.pid != dead else None
