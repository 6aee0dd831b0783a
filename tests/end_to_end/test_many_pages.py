"""Fifty pages at once: all hold one show, those that sleep cost nothing and wake up right, and the music goes on."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from audio import adoption
from audio.block import Block
from audio.rings import SnapshotReader
from bench.beside import IdleTimers, as_rare
from server.outbox import OUTBOX_MESSAGES
from tests.end_to_end.crowd import Crowd, Reader
from tests.end_to_end.program import Program, until

pytestmark = pytest.mark.timeout(180)

RATE = 48_000
PAGES = 50
SLEEPERS = 10
CHANGES = 2000
MARK = "/deck/4/trim_db"
MOST_GROWTH_MB = 12.0
"""Of the server, while pages that listen do not read: a copy of what waits for each would be twice that."""
STORM_S = 4.0
CHANCE_SHARE = 0.01
"""Of all blocks: what the tests' own work may make late by chance."""


@pytest.fixture(scope="module")
def playing(program: Program, tones: Path) -> Iterator[Program]:
    """The program with the tones on deck 1, playing."""
    program.load(1, program.upload(tones / "mix.flac")["id"])
    program.set("/deck/1/play", 1)
    yield program


def own_mb(program: Program) -> float:
    """Return the memory that is the server's own."""
    return float(psutil.Process(program.process.pid).memory_full_info().uss / 1e6)


def same(page: Reader, show: dict[str, Any]) -> list[str]:
    """Return the controls that a page holds otherwise than `show`."""
    paths = set(show) | set(page.controls)
    return sorted(path for path in paths if page.controls.get(path) != show.get(path))


def storm(program: Program, seconds: float) -> None:
    """Move strips for a while, from a seed."""
    chance = random.Random(50)
    due = time.monotonic()
    for _ in range(CHANGES):
        deck = chance.randint(1, 4)
        name = chance.choice(("volume", "eq/low", "eq/mid", "filter", "stem/drums/volume", "stem/vocals/pan"))
        program.osc.send_message(f"/deck/{deck}/{name}", chance.uniform(-1.0, 1.0))
        due += seconds / CHANGES
        time.sleep(max(0.0, due - time.monotonic()))


def test_fifty_pages_hold_one_show_and_ten_asleep_cost_nothing(playing: Program) -> None:
    snapshots = SnapshotReader(Block.attach(adoption.find(playing.runtime()).segment).kernel["snapshots"])
    with Crowd(playing) as crowd:
        awake = crowd.enter(PAGES - SLEEPERS, "meters", "jobs")
        asleep = crowd.enter(SLEEPERS, "meters", "jobs", "audio", sleeper=True)
        for page in asleep:
            crowd.sleep(page)
            # each hello is answered with the whole show: their sockets are full at once
            crowd.say(page, *[{"type": "hello", "protocol": 1, "client": "asleep"}] * 100)
        crowd.expect(MARK)
        program_mb, beside, blocks = own_mb(playing), IdleTimers(playing.runtime()), int(snapshots.read()["blocks"])
        storm(playing, STORM_S)
        grown = own_mb(playing) - program_mb
        blocks = int(snapshots.read()["blocks"]) - blocks
        late, idle, told = beside.verdict()
        heard = [page.messages["meters"] for page in awake]

        playing.set(MARK, 3.0)
        until("all who read know", lambda: all((MARK, 3.0) in page.told for page in awake))
        show = playing.controls()
        before = [sum(page.messages.values()) for page in asleep]
        for page in asleep:
            crowd.wake(page)
        until("those who slept know", lambda: all(page.controls.get(MARK) == 3.0 for page in asleep))

        until("old sound is not kept for them", lambda: all(page.missed_frames > STORM_S * RATE / 2 for page in asleep))

        moved = {f"/deck/{deck}/position" for deck in range(1, 5)}
        for page in [*awake, *asleep]:
            assert [path for path in same(page, show) if path not in moved] == []
            assert not page.closed
        assert all(page.welcomes == 1 for page in awake)
        assert min(heard) > 40  # meters were not what gave way
        for page, count in zip(asleep, before, strict=True):
            assert page.welcomes >= 2
            assert sum(page.messages.values()) - count < CHANGES  # not everything that was missed
            assert page.messages.get("state", 0) < OUTBOX_MESSAGES + CHANGES // 2
    assert grown < MOST_GROWTH_MB, f"the server grew by {grown:.1f} MB"
    assert late <= as_rare(idle) + CHANCE_SHARE * blocks, f"{late} of {blocks} blocks late; {told}"
