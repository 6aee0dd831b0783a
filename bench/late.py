"""Late blocks with a Python thread burning in the server, beside a JACK client that does nothing.

    python -m bench late [MINUTES]

Owner: the command line. JACK runs on its dummy driver under a name of its own and says which client was late; a virtual
machine loses blocks by itself, so what counts is the difference between the engine and the client that does nothing.
Units: blocks of 128 frames at 48 kHz, minutes.
"""

import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import soundfile

from audio import adoption
from audio.block import Block
from audio.rings import SnapshotReader
from bench.beside import IdleClient, idle_client, jack_environment, own_server
from tests.audio.test_jack import JackServer, running
from tests.end_to_end.program import Program

RATE: Final = 48_000
BLOCK: Final = 128
MINUTES: Final = 2.0
SETTLE_S: Final = 5.0
"""After the start: decks fill, the standby engine loads."""


def main(minutes: float = MINUTES) -> int:
    """Print how many blocks were late in `minutes`."""
    with tempfile.TemporaryDirectory() as folder:
        server = own_server(Path(folder))
        sound = tone(Path(folder) / "tone.flac", minutes * 60 + 4 * SETTLE_S)
        program = Program(
            Path(folder) / "data", "--no-workers", audio="auto", module="bench.burning",
            environment=jack_environment(server.name),
        )  # fmt: skip
        with running(server), idle_client(server.name), program:
            device = program.http.get("/health").json()["checks"]["engine"]["detail"]
            assert "JACK" in device, f"the engine does not play on JACK: {device}"
            program.load(1, program.upload(sound)["id"])
            program.set("/deck/1/play", 1)
            time.sleep(SETTLE_S)
            _measure(program, server, minutes)
    return 0


def _measure(program: Program, server: JackServer, minutes: float) -> None:
    snapshots = SnapshotReader(Block.attach(adoption.find(program.runtime()).segment).kernel["snapshots"])
    burner = psutil.Process(program.process.pid)
    begun, used, before = time.monotonic(), sum(burner.cpu_times()[:2]), snapshots.read()
    beside = IdleClient(server)
    time.sleep(minutes * 60)
    late, _, text = beside.verdict()
    after = snapshots.read()
    cores = (sum(burner.cpu_times()[:2]) - used) / (time.monotonic() - begun)
    print(
        f"late blocks in {minutes:g} min of {int(after['blocks']) - int(before['blocks'])}, a Python thread burning in "
        f"the server ({cores:.2f} of a core): engine {late}; {text}; xruns of all JACK that the engine heard of "
        f"{int(after['late_blocks']) - int(before['late_blocks'])}; its callback took at most "
        f"{100 * float(after['load_peak']):.1f} % of a block",
        flush=True,
    )


def tone(path: Path, seconds: float) -> Path:
    second = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_24") as file:
        for _ in range(int(seconds) + 1):
            file.write(np.stack([second, second], axis=1))
    return path
