"""Late blocks with a Python thread burning in the server, beside a JACK client that does nothing.

    python -m bench late [MINUTES]

Owner: the command line. JACK runs on its dummy driver under a name of its own and says which client was late; a virtual
machine loses blocks by itself, so what counts is the difference between the engine and the client that does nothing.
Units: blocks of 128 frames at 48 kHz, minutes.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jack
import numpy as np
import psutil
import soundfile

from audio import adoption
from audio.block import Block
from audio.rings import SnapshotReader
from tests.audio.test_jack import JackServer, running
from tests.end_to_end.program import ROOT, Program

RATE: Final = 48_000
BLOCK: Final = 128
MINUTES: Final = 2.0
IDLE: Final = "nothing"
SETTLE_S: Final = 5.0
"""After the start: decks fill, the standby engine loads."""

_LATE: Final = re.compile(r"JackEngine::XRun: client = (.+?) (?:was not finished|finished after)")
_DRIVER_LATE: Final = "JackTimedDriver::Process XRun"


def main(minutes: float = MINUTES) -> int:
    """Print how many blocks were late in `minutes`."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "jack.log"
        server = JackServer(f"sfa-late-{os.getpid()}", RATE, log=log, realtime=True)
        tone = _tone(Path(folder) / "tone.flac", minutes * 60 + 4 * SETTLE_S)
        program = Program(
            Path(folder) / "data", "--no-workers", audio="auto", module="bench.burning",
            environment={"JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"},
        )  # fmt: skip
        with running(server), _idle_client(server.name), program:
            device = program.http.get("/health").json()["checks"]["engine"]["detail"]
            assert "JACK" in device, f"the engine does not play on JACK: {device}"
            program.load(1, program.upload(tone)["id"])
            program.set("/deck/1/play", 1)
            time.sleep(SETTLE_S)
            _measure(program, server.name, log, minutes)
    return 0


def _measure(program: Program, server: str, log: Path, minutes: float) -> None:
    snapshots = SnapshotReader(Block.attach(adoption.find(program.runtime()).segment).kernel["snapshots"])
    engine = _client_with_sound(server)
    burner = psutil.Process(program.process.pid)
    begun, mark, used, before = time.monotonic(), log.stat().st_size, sum(burner.cpu_times()[:2]), snapshots.read()
    time.sleep(minutes * 60)
    after = snapshots.read()
    cores = (sum(burner.cpu_times()[:2]) - used) / (time.monotonic() - begun)
    text = log.read_text(errors="replace")[mark:]
    late = Counter(_LATE.findall(text))
    print(
        f"late blocks in {minutes:g} min of {int(after['blocks']) - int(before['blocks'])}, a Python thread burning in "
        f"the server ({cores:.2f} of a core): engine {late[engine]}, a client that does nothing {late[IDLE]}, the "
        f"server's MIDI ports {sum(late.values()) - late[engine] - late[IDLE]}, the driver itself "
        f"{text.count(_DRIVER_LATE)}; xruns of all JACK that the engine heard of "
        f"{int(after['late_blocks']) - int(before['late_blocks'])}; its callback took at most "
        f"{100 * float(after['load_peak']):.1f} % of a block",
        flush=True,
    )


def _client_with_sound(server: str) -> str:
    """Return the name of the JACK client that plays, which is the engine's."""
    probe = jack.Client("probe", servername=server, no_start_server=True)
    names = {port.name.split(":")[0] for port in probe.get_ports(is_audio=True, is_output=True)} - {"system", IDLE}
    probe.close()
    engine: str
    (engine,) = names
    return engine


@contextlib.contextmanager
def _idle_client(server: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.idle_client", server, IDLE],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == "active\n", "the client that does nothing did not start"
        yield
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def _tone(path: Path, seconds: float) -> Path:
    second = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_24") as file:
        for _ in range(int(seconds) + 1):
            file.write(np.stack([second, second], axis=1))
    return path
