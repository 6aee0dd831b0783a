"""How long a performer waits: importing the server, the first start on a new data folder, the second, a load.

Owner: the command line. Units: seconds.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from tests.end_to_end.program import ROOT, Program


def main() -> int:
    """Print the times."""
    took = []
    for _ in range(5):
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", "import server.run"], cwd=ROOT, check=True)
        took.append(time.monotonic() - begun)
    print(f"import of the server, interpreter included: median of 5 {np.median(took):.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder) / "data", "--no-workers")
        for which in ("first start, with a new database", "second start"):
            begun = time.monotonic()
            program.start()
            print(f"{which}: {time.monotonic() - begun:.2f} s to the ready line", flush=True)
            if which.startswith("second"):
                _loads(program, Path(folder))
            print(f"stop: {program.stop():.2f} s")
    return 0


def _loads(program: Program, folder: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (44_100 * 240, 2))
    song = folder / "song.mp3"
    soundfile.write(song, noise, 44_100)
    begun = time.monotonic()
    track = program.upload(song)
    program.load(1, track["id"])
    print(f"a fresh 4-minute MP3, from the upload to a deck that can sound: {time.monotonic() - begun:.2f} s")
    took = []
    for deck in (2, 3, 4):
        begun = time.monotonic()
        program.load(deck, track["id"])
        took.append(time.monotonic() - begun)
    print(f"a decoded track to a deck that can sound, over HTTP with polls of 20 ms: {1e3 * np.median(took):.0f} ms")
