"""The engine on a real PortAudio device: JACK's dummy driver, recorded by a JACK client of the test's own."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from audio.client import EngineClient
from audio.commands import CommandKind, command
from tests.audio.engines import deck_source, play_from, running_engine, until, until_status
from tests.audio.jack_recorder import Recorder

pytestmark = pytest.mark.anyio

SERVER = f"sfa-test-{os.getpid()}"
RATE = 48_000


def missing(what: str) -> None:
    """Skip on a laptop, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


class JackServer:
    """A private JACK server on the dummy driver, a card of four outputs."""

    def __init__(
        self, name: str = SERVER, rate: int = RATE, *, log: Path | None = None, realtime: bool = False
    ) -> None:
        self.name, self.rate, self.log, self.realtime = name, rate, log, realtime
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        priority = "-R" if self.realtime else "-r"
        dummy = ["-d", "dummy", "-r", str(self.rate), "-p", "128", "-P", "4"]
        with Path(self.log or os.devnull).open("wb") as log:
            self.process = subprocess.Popen(
                ["jackd", "-n", self.name, priority, *dummy], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        import jack

        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                pytest.fail("jackd ended at once")
            try:
                jack.Client("probe", servername=self.name, no_start_server=True).close()
                return
            except jack.JackOpenError:
                time.sleep(0.05)
        pytest.fail("jackd did not come up")

    def stop(self) -> None:
        if self.process is not None:
            # Not killed: JACK's own table of servers has eight places, and a killed one keeps its.
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@contextlib.contextmanager
def running(server: JackServer) -> Iterator[JackServer]:
    """Run `server`, and let every JACK client started meanwhile find it."""
    if shutil.which("jackd") is None:
        missing("jackd")
    earlier = {name: os.environ.get(name) for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")}
    os.environ.update(JACK_DEFAULT_SERVER=server.name, JACK_NO_START_SERVER="1")
    server.start()
    try:
        yield server
    finally:
        server.stop()
        for name, value in earlier.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@pytest.fixture(scope="module")
def jack_server() -> Iterator[JackServer]:
    with running(JackServer()) as server:
        yield server


@pytest.fixture(scope="module")
async def engine(jack_server: JackServer) -> AsyncIterator[EngineClient]:
    async with running_engine(device="auto") as (client, _, _):
        yield client


@contextlib.contextmanager
def recording(folder: Path, server: str = SERVER) -> Iterator[Recorder]:
    recorder = Recorder(server, folder / "heard.f32")
    try:
        yield recorder
    finally:
        recorder.close()


async def test_the_tone_on_the_deck_is_the_tone_at_the_ports(engine: EngineClient, tmp_path: Path) -> None:
    report = await engine.status()
    assert "JACK" in report.device and report.device_losses == 0
    t = np.arange(4 * 44_100) / 44_100
    song = np.stack((0.5 * np.sin(2 * np.pi * 1000 * t), 0.25 * np.sin(2 * np.pi * 3000 * t)), 1)
    await engine.load(0, 1, deck_source(tmp_path / "tone.flac", song))
    with recording(tmp_path) as recorder:
        outputs = recorder.outputs_of_engine()
        assert len(outputs) == 4
        recorder.listen(outputs[:2])
        await play_from(engine, 0, 0)
        await until(lambda: float(engine.snapshot()["decks"][0]["position"]) > 2 * RATE)
    heard = np.concatenate(recorder.blocks)
    onset = int(np.argmax(np.abs(heard).max(axis=1) > 0.1))
    steady = heard[onset + 2_400 : onset + 2_400 + 48_000].reshape(-1, 2_400, 2)
    # By windows and their median: the recorder, which is Python, may lose a block on a busy machine.
    for hz, levels in ((1000, (0.5, 0)), (3000, (0, 0.25))):
        turn = np.exp(-2j * np.pi * hz * np.arange(2_400) / RATE) / 1_200
        found = np.median(np.abs(np.einsum("wfc,f->wc", steady, turn)), axis=0)
        assert found == pytest.approx(levels, abs=0.005)
    await engine.eject(0)


async def test_what_is_cued_is_heard_on_the_second_pair(engine: EngineClient, tmp_path: Path) -> None:
    song = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(4 * 44_100) / 44_100)[:, None] * np.ones(2)
    await engine.load(0, 3, deck_source(tmp_path / "cued.flac", song))
    engine.send(command(CommandKind.DECK_VOLUME, 0, a=0))
    engine.send(command(CommandKind.DECK_PFL, 0, a=1))
    with recording(tmp_path) as recorder:
        outputs = recorder.outputs_of_engine()
        recorder.listen([outputs[0], outputs[2]])
        await play_from(engine, 0, 0)
        await until(lambda: float(engine.snapshot()["decks"][0]["position"]) > RATE)
    heard = np.concatenate(recorder.blocks)
    assert not heard[:, 0].any(), "the master does not play it"
    assert np.abs(heard[:, 1]).max() == pytest.approx(0.5, abs=0.005)
    engine.send(command(CommandKind.DECK_PFL, 0, a=0))
    engine.send(command(CommandKind.DECK_VOLUME, 0, a=1))
    await engine.eject(0)


async def test_a_lost_device_is_outlived(jack_server: JackServer, engine: EngineClient, tmp_path: Path) -> None:
    song = np.zeros((44_100 * 60, 2)) + 0.1
    await engine.load(0, 2, deck_source(tmp_path / "long.flac", song))
    await play_from(engine, 0, 0)
    before = engine.clock().frame
    jack_server.stop()
    report = await until_status(engine, lambda report: report.device == "null")
    assert report.device_losses == 1 and any("went away" in text for text in report.messages)
    await until(lambda: engine.clock().frame > before + RATE)
    deck = engine.snapshot()["decks"][0]
    assert int(deck["playing"]) == 1 and float(deck["position"]) > RATE / 2
    engine.send(command(CommandKind.DECK_PLAY, 0, a=0))
