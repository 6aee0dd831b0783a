"""Takes in the engine process: a file beside a track sounds on the track's frames; what cannot be loaded changes
nothing, and memory goes with the track."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from audio.client import EngineClient
from audio.errors import LoadRefused
from audio.source import PadSource
from audio.take_laying import store as store_take
from tests.audio.engines import deck_source, play_from, record, running_engine
from tests.audio.material import music

pytestmark = pytest.mark.anyio
RATE = 48_000
FADE = 480


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[EngineClient]:
    async with running_engine() as (client, _, _):
        yield client


async def test_a_take_sounds_on_the_frames_of_its_track_and_goes_with_it(engine: EngineClient, tmp_path: Path) -> None:
    silent = np.zeros((6 * RATE, 2), np.float32)
    await engine.load(0, 1, deck_source(tmp_path / "silence.flac", silent))
    played = (0.1 * np.random.default_rng(1).standard_normal((2 * RATE, 2))).astype(np.float32)
    gain = store_take(tmp_path / "take.flac", RATE, played, RATE)
    take = PadSource(tmp_path / "take.flac", 0.0, 3.0, "flac", gain)
    await engine.load_take(0, 1, take)
    for bad in (PadSource(tmp_path / "none.flac", 0.0, 3.0), PadSource(tmp_path / "take.flac", 0.0, 1e9)):
        with pytest.raises(LoadRefused):
            await engine.load_take(0, 1, bad)
    frame = await play_from(engine, 0, 0)
    heard = await record(engine, frame, 4 * RATE)
    found = int(np.flatnonzero(np.abs(heard).max(1) > 0)[0])
    assert abs(found - RATE) <= 64
    meant = played[: 2 * RATE]
    assert np.abs(heard[found : found + 2 * RATE] - 10 ** (0 / 20) * meant).max() < 1e-5
    await engine.load_take(0, 99, take)
    await engine.load(0, 2, deck_source(tmp_path / "song.flac", music(3)))
    await engine.load_take(0, 2, take)
    await engine.load_take(0, 2, None)
