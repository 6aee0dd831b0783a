"""The engine on a real device that cannot run at its rate: JACK's dummy driver at 44.1 kHz."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audio.commands import CommandKind, command
from audio.round_trip import find_delay
from tests.audio.engines import deck_source, play_from, running_engine, until
from tests.audio.test_jack import JackServer, recording, running
from tests.audio.test_jack_input import lead_back

pytestmark = pytest.mark.anyio

RATE = 44_100
WINDOW = RATE // 20


@pytest.fixture
def slow_server() -> Iterator[JackServer]:
    with running(JackServer(f"sfa-slow-{os.getpid()}", RATE)) as server:
        yield server


async def test_a_tone_keeps_its_pitch_and_level_on_a_device_of_another_rate(
    slow_server: JackServer, tmp_path: Path
) -> None:
    async with running_engine(device="auto") as (engine, _, _):
        report = await engine.status()
        assert "JACK" in report.device and report.device.endswith(f"at {RATE} Hz") and report.rate == 48_000
        assert any(f"resampled to {RATE} Hz" in text for text in report.messages)
        t = np.arange(6 * 44_100) / 44_100
        song = np.stack((0.5 * np.sin(2 * np.pi * 1000 * t), 0.25 * np.sin(2 * np.pi * 3000 * t)), 1)
        await engine.load(0, 1, deck_source(tmp_path / "tone.flac", song))
        with recording(tmp_path, slow_server.name) as recorder:
            recorder.listen(recorder.outputs_of_engine()[:2])
            await play_from(engine, 0, 0)
            await until(lambda: float(engine.snapshot()["decks"][0]["position"]) > 3 * 48_000)
        engine.send(command(CommandKind.DECK_PLAY, 0, a=0))
    heard = np.concatenate(recorder.blocks)
    onset = int(np.argmax(np.abs(heard).max(axis=1) > 0.1))
    steady = heard[onset + WINDOW : onset + WINDOW + 40 * WINDOW].reshape(-1, WINDOW, 2)
    # By windows and their median: the recorder, which is Python, may lose a block on a busy machine.
    for hz, levels in ((1000, (0.5, 0)), (3000, (0, 0.25))):
        turn = np.exp(-2j * np.pi * hz * np.arange(WINDOW) / RATE) * 2 / WINDOW
        found = np.median(np.abs(np.einsum("wfc,f->wc", steady, turn)), axis=0)
        assert found == pytest.approx(levels, abs=0.005)


async def test_what_a_device_of_another_rate_hears_is_on_the_frames_that_its_delay_says(
    slow_server: JackServer,
) -> None:
    async with running_engine(device="auto", source="auto") as (engine, _, _):
        report = await engine.status()
        assert report.device.endswith(f"at {RATE} Hz") and not any("heard" in text for text in report.messages)
        lead_back(slow_server)
        cursor = engine.master_cursor
        engine.send(command(CommandKind.INPUT_PROBE))
        await until(lambda: engine.input_peak(4800) > 0.05)
        await until(lambda: engine.master_cursor > cursor + 48_000)
        frames = engine.master_cursor - cursor
        sent, heard = engine.read_master(cursor, frames)[0], engine.read_input(cursor, frames)[0]
        delay = find_delay(sent, heard, 24_000)
        assert delay is not None
        # Of what it hears, the noise is left that the device can hold.
        level = np.sqrt(np.mean(heard**2) / np.mean(sent**2))
        assert 0.85 < level < 1.05 and 0 < delay < 4800
        await until(lambda: engine.input_peak(4800) == 0.0)
