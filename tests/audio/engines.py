"""An engine process for a test: started on the null device, stopped by pid whatever happens; and tracks to load on it.

Units: frames at the rate named; deck and slot 0-based.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import numpy as np

from audio import shm
from audio.client import EngineClient
from audio.commands import CommandKind, command, join
from audio.control_messages import StatusReport
from audio.flac import FlacWriter
from audio.kernel.layout import LOOK_AHEAD
from audio.launch import start_engine
from audio.process import EngineProcess
from audio.resample import Resampler
from audio.settings import AudioSettings
from audio.source import DeckSource, StemSource
from tests.audio.material import Audio

PATIENCE_S = 60.0


@asynccontextmanager
async def running_engine(**settings: object) -> AsyncIterator[tuple[EngineClient, EngineProcess, Path]]:
    """Run an engine for the time of the block; `settings` as in AudioSettings, on the null device unless it says."""
    with tempfile.TemporaryDirectory(prefix="sfa-") as folder:
        runtime_dir = Path(folder) / "run"
        runtime_dir.mkdir()
        made = AudioSettings(**{"device": "null", **settings})  # type: ignore[arg-type]
        client, process = await start_engine(runtime_dir, made, log=Path(folder) / "log", parent_pid=os.getpid())
        try:
            yield client, process, runtime_dir
        finally:
            with anyio.CancelScope(shield=True):
                await client.quit()
            process.end()
            # An engine that the test has killed could not remove its name in shared memory.
            shm.unlink(client.segment)


def store(path: Path, audio: Audio, rate: int = 44_100, gain: float = 1.0) -> Audio:
    """Store audio as the importer would; return what is stored, float32."""
    writer = FlacWriter(path, rate, gain)
    writer.write(audio.astype(np.float32))
    writer.close()
    kept: Audio = (np.rint(audio.astype(np.float32) * (2.0**23 / gain)) * (gain / 2.0**23)).astype(np.float32)
    return kept


def deck_source(
    path: Path, audio: Audio, *, rate: int = 44_100, at_s: float = 0, stems: tuple[StemSource, ...] = ()
) -> DeckSource:
    """Store `audio` as a reference at `path` and describe it."""
    store(path, audio, rate)
    return DeckSource(path, 1.0, rate, len(audio), at_s, stems)


def at_engine(audio: Audio, rate: int = 44_100) -> Audio:
    """Return stored audio at 48 kHz, as the engine hears it."""
    return Resampler(rate, 48_000).resample(audio.astype(np.float32))


async def until(what: Callable[[], bool]) -> None:
    """Wait until `what()` holds; fail when it does not within `PATIENCE_S`."""
    with anyio.fail_after(PATIENCE_S):
        while not what():
            await anyio.sleep(0.002)


async def until_status(client: EngineClient, what: Callable[[StatusReport], bool]) -> StatusReport:
    """Wait until the engine's report satisfies `what`, and return it."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            report = await client.status()
            if what(report):
                return report
            await anyio.sleep(0.01)


async def record(client: EngineClient, start: int, frames: int) -> Audio:
    """Return what the kernel plays in `frames` frames from engine frame `start` on: the master has it a little later,
    since the limiter looks ahead."""
    start += LOOK_AHEAD
    parts: list[Audio] = []
    cursor = start
    with anyio.fail_after(PATIENCE_S):
        while cursor < start + frames:
            audio, cursor = client.read_master(cursor, start + frames - cursor)
            parts.append(audio)
            await anyio.sleep(0.005)
    got = np.concatenate(parts)
    assert len(got) == frames, "the master was not read in time"
    return got


async def play_from(client: EngineClient, deck: int, position: int, *, ahead: int = 4_800) -> int:
    """Play a loaded deck from engine-rate frame `position`; return the engine frame at which it begins."""
    frame = client.clock().frame + ahead
    client.send(
        join(
            [
                command(CommandKind.DECK_ASSIGN, deck, a=1, frame=frame),
                command(CommandKind.DECK_SEEK, deck, a=position, frame=frame),
                command(CommandKind.DECK_PLAY, deck, a=1, frame=frame),
            ]
        )
    )
    return frame
