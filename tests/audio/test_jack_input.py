"""The engine hears on a real PortAudio device: JACK's dummy driver, with the master led back to the input by a cable.

What is recorded of the input lies on the master it was played to, to the frame, once the way has been measured.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio import recorder_link, recordings
from audio.client import EngineClient
from audio.commands import CommandKind, command
from audio.round_trip import find_delay
from tests.audio.engines import deck_source, play_from, running_engine, until, until_status
from tests.audio.material import music
from tests.audio.test_jack import JackServer, running

pytestmark = pytest.mark.anyio
RATE = 48_000


@pytest.fixture(scope="module")
def jack_server() -> Iterator[JackServer]:
    with running(JackServer()) as server:
        yield server


@pytest.fixture(scope="module")
async def engine(jack_server: JackServer) -> AsyncIterator[tuple[EngineClient, Path]]:
    async with running_engine(device="auto", source="auto") as (client, _, runtime_dir):
        yield client, runtime_dir


def lead_back(server: JackServer) -> None:
    """Connect the engine's first two outputs to its inputs."""
    import jack

    client = jack.Client("cable", servername=server.name, no_start_server=True)
    ports = client.get_ports(is_audio=True)
    outputs = [port for port in ports if port.is_output and not port.name.startswith("system")]
    inputs = [port for port in ports if port.is_input and not port.name.startswith("system")]
    assert len(outputs) >= 2 and len(inputs) == 2
    for source, target in zip(outputs, inputs, strict=False):
        client.connect(source, target)
    client.close()


async def test_a_recording_of_the_input_lies_on_what_it_was_played_to(
    jack_server: JackServer, engine: tuple[EngineClient, Path], tmp_path: Path
) -> None:
    client, runtime_dir = engine
    report = await until_status(client, lambda report: "JACK" in report.device)
    assert not any("heard" in text for text in report.messages), report.messages
    lead_back(jack_server)
    cursor = client.master_cursor
    client.send(command(CommandKind.INPUT_PROBE))
    await until(lambda: client.master_cursor > cursor + RATE)
    frames = client.master_cursor - cursor
    delay = find_delay(client.read_master(cursor, frames)[0], client.read_input(cursor, frames)[0], RATE // 2)
    assert delay is not None and 0 < delay < RATE // 4
    client.send(command(CommandKind.INPUT_DELAY, a=delay / RATE))

    await client.load(0, 1, deck_source(tmp_path / "song.flac", music(20)))
    await play_from(client, 0, 0)
    await until(lambda: float(client.snapshot()["master_peak"].max()) > 0.1)
    folder = tmp_path / "recordings"
    folder.mkdir()
    recorder = recorder_link.spawn(
        runtime_dir, folder, "wav-float", client.master_cursor, tmp_path / "recorder.log", ["input"]
    )
    reached = lambda: (note := recorder_link.read_note(runtime_dir)) is not None and note.frames >= 2 * RATE  # noqa: E731
    await until(reached)
    note = recorder_link.read_note(runtime_dir)
    assert note is not None
    recorder_link.end(note)
    await until(lambda: recorder.poll() is not None)
    [left] = recordings.listing(folder)
    master, heard = (soundfile.read(path, dtype="float32", always_2d=True)[0] for path in (left.path, *left.parts))
    assert len(master) == len(heard) >= 2 * RATE
    # A cable changes nothing; by stretches, since a busy machine may lose a block of the driver's.
    same = [
        np.array_equal(master[start : start + 2400], heard[start : start + 2400])
        for start in range(0, len(master) - 2400, 2400)
    ]
    assert np.mean(same) > 0.8 and master.any()
    assert find_delay(master, heard, 2000) == 0
