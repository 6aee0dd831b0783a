"""Pads in the engine process: what is loaded is what sounds, to the bit; what cannot be loaded changes nothing."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import numpy as np
import pytest

from audio.client import EngineClient
from audio.commands import CommandKind, command
from audio.errors import LoadRefused
from audio.source import PadSource
from tests.audio.engines import at_engine, record, running_engine, store, until_status
from tests.audio.material import Audio, music

pytestmark = pytest.mark.anyio

FADE = 480


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[EngineClient]:
    async with running_engine() as (client, _, _):
        yield client


async def hit(engine: EngineClient, frames: int, pad: int = 0, bank: int = 0) -> Audio:
    """Hit a pad and return what is heard from its first frame on."""
    frame = engine.clock().frame + 4_800
    engine.send(command(CommandKind.PAD_HIT, bank, pad, a=1, frame=frame))
    heard = await record(engine, frame, frames)
    engine.send(command(CommandKind.SAMPLER_STOP))
    return heard


async def test_a_stretch_of_a_track_sounds_as_the_track_does(engine: EngineClient, tmp_path: Path) -> None:
    song = store(tmp_path / "a.flac", music(4))
    await engine.load_pad(0, 0, PadSource(tmp_path / "a.flac", 1.0, 2.5))
    heard = await hit(engine, 60_000)
    meant = at_engine(song)[48_000:120_000]
    assert np.abs(heard[FADE:] - meant[FADE:60_000]).max() < 1e-6


async def test_a_part_that_is_raw_sounds_too_and_banks_are_apart(engine: EngineClient, tmp_path: Path) -> None:
    part = music(2).astype(np.float32)
    (tmp_path / "drums.part").write_bytes(part.astype("<f4").tobytes())
    await engine.load_pad(7, 15, PadSource(tmp_path / "drums.part", 0.0, 1.5, "part"))
    heard = await hit(engine, 40_000, 15, 7)
    assert np.abs(heard[FADE:] - at_engine(part)[FADE:40_000]).max() < 1e-6
    assert not (await hit(engine, 4_800, 15, 6)).any()
    await engine.load_pad(7, 15, None)
    assert not (await hit(engine, 4_800, 15, 7)).any()


async def test_what_cannot_be_loaded_leaves_the_pad_as_it_was(engine: EngineClient, tmp_path: Path) -> None:
    store(tmp_path / "a.flac", music(3))
    good = PadSource(tmp_path / "a.flac", 0.0, 1.0)
    await engine.load_pad(1, 3, good)
    before = await hit(engine, 9_600, 3, 1)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 3])
    bad = [
        PadSource(tmp_path / "nothing.flac", 0.0, 1.0), PadSource(tmp_path / "a.flac", 2.0, 1.0),
        PadSource(tmp_path / "a.flac", float("nan"), 1.0), PadSource(tmp_path / "a.flac", 0.0, 61.0),
        PadSource(tmp_path / "cut.flac", 0.0, 3.0),
    ]  # fmt: skip
    for source in bad:
        with pytest.raises(LoadRefused):
            await engine.load_pad(1, 3, source)
    for place in ((8, 0), (0, 16), (-1, 0)):
        with pytest.raises(LoadRefused):
            await engine.load_pad(*place, good)
    after = await hit(engine, 9_600, 3, 1)
    assert before[FADE:].any()
    assert np.array_equal(before, after)


async def test_a_killed_filler_does_not_keep_a_pad_from_coming(engine: EngineClient, tmp_path: Path) -> None:
    store(tmp_path / "long.flac", np.tile(music(10), (6, 1)))
    before = await engine.status()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.load_pad, 0, 5, PadSource(tmp_path / "long.flac", 0.0, 55.0))
        os.kill(before.filler_pid, signal.SIGKILL)
    await until_status(engine, lambda report: report.filler_restarts == before.filler_restarts + 1)
    assert (await hit(engine, 9_600, 5)).any()
