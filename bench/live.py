"""Control to sound in the running program: from the OSC message's send call to the first frame that differs.

Owner: the command line. The program runs on the null device; frames are placed in time by the engine's own clock, which
is the time at which the device would ask for them. Units: blocks of 128 frames at 48 kHz, milliseconds.
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from audio import adoption
from audio.block import Block
from audio.rings import BusReader, ClockReader
from tests.end_to_end.listening import Page
from tests.end_to_end.program import Program

RATE: Final = 48_000
BLOCK: Final = 128
TONE_HZ: Final = 1000
"""A period of a whole number of frames, so that steady sound repeats exactly."""

MESSAGES: Final = 200
PAUSE_S: Final = (0.06, 0.12)


def main() -> int:
    """Print the distributions, at rest and at work."""
    with tempfile.TemporaryDirectory() as folder:
        tone = Path(folder) / "tone.flac"
        wave = 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(RATE * 300) / RATE)
        soundfile.write(tone, np.stack([wave, wave], axis=1), RATE, subtype="PCM_24")
        with Program(Path(folder) / "data", environment={"ALCHEMY_SEPARATE_ON_LOAD": "0"}) as program:
            track = program.upload(tone)
            program.load(1, track["id"])
            program.set("/deck/1/play", 1)
            while any(job["status"] in ("queued", "processing") for job in program.track(track["id"])["jobs"]):
                time.sleep(0.5)
            _tell("nothing else to do", _measure(program))
            with Page(program, "meters", "jobs"):
                program.http.post(f"/api/tracks/{track['id']}/separate", json={})
                time.sleep(3.0)
                _tell("a page open and a separation running", _measure(program))
    return 0


def _measure(program: Program) -> npt.NDArray[np.float64]:
    """Return the delays in seconds."""
    block = Block.attach(adoption.find(program.runtime()).segment)
    clock, master = ClockReader(block.kernel["clock"]), BusReader(block.kernel["master"])
    choose = random.Random(1)
    delays = []
    for number in range(MESSAGES):
        time.sleep(choose.uniform(*PAUSE_S))
        cursor = max(0, master.written - 4 * BLOCK)
        sent_ns = time.monotonic_ns()
        program.osc.send_message("/deck/1/volume", float(number % 2))
        time.sleep(PAUSE_S[0])
        sound, end = master.read(cursor, RATE)
        pair = clock.read()
        period = RATE // TONE_HZ
        left = sound[:, 0]
        changed = np.flatnonzero(np.abs(left[period:] - left[:-period]) > 0.002 * np.abs(left).max())
        if len(changed):
            frame = end - len(left) + period + int(changed[0])
            heard_ns = pair.monotonic_ns + (frame - pair.frame) * 1e9 / RATE
            delays.append((heard_ns - sent_ns) / 1e9)
    return np.array(delays)


def _tell(when: str, delays: npt.NDArray[np.float64]) -> None:
    blocks = delays * RATE / BLOCK
    print(
        f"control to sound, OSC, {when}: {len(delays)} of {MESSAGES} heard, blocks: median {np.median(blocks):.2f}, "
        f"p99 {np.quantile(blocks, 0.99):.2f}, worst {blocks.max():.2f} "
        f"(ms: {1e3 * np.median(delays):.2f}, {1e3 * np.quantile(delays, 0.99):.2f}, {1e3 * delays.max():.2f})",
        flush=True,
    )
