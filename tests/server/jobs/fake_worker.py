"""A worker process with a fake engine and a fake analysis: everything else is the real one.

Run as `python tests/server/jobs/fake_worker.py` with settings on standard input. `options["fake"]` says how it behaves:
    pace     seconds each stretch takes (0.02)
    stretch  frames of a stretch (8192)
    poison   path of a file: while it exists the engine kills its own process at the first stretch
    faults   path of a file with a number n: the next n runs fail for a passing reason
    made     path of a file that gets a line per stretch made
A job with the option `shifts` of 9 fails for good.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from pipeline import actors, wire, worker
from pipeline.engines.base import Audio, Stretch
from pipeline.errors import PermanentFailure, TransientFailure
from pipeline.pcm import difference

STEMS = ("vocals", "drums", "bass", "other")


def split(mix: Audio) -> dict[str, Audio]:
    """Take a mix on the 2^-21 grid apart into four stems on the grid that add up to it; drums pass full scale."""
    steps = np.rint(mix * 2.0**21).astype(np.int64)
    parts = {"vocals": steps // 2, "drums": steps * 3, "bass": -(steps // 3)}
    parts["other"] = steps - sum(parts.values())
    return {
        name: np.clip(part, -(2**23) + 1, 2**23 - 1).astype(np.float32) / np.float32(2.0**21)
        for name, part in parts.items()
    }


class FakeEngine:
    """Splits by arithmetic, stretch by stretch, from the focus on."""

    name = "spectral"
    label = "fake"
    models = ("",)

    def stems(self, model: str = "", options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        return STEMS

    def available(self, options: Mapping[str, Any] | None = None) -> str | None:
        return None

    def separate(
        self,
        mix: Audio,
        model: str = "",
        *,
        start_frame: int = 0,
        focus: Callable[[], Any] = lambda: None,
        cancelled: Callable[[], bool] = lambda: False,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator[Stretch]:
        fake = dict((options or {}).get("fake", {}))
        if Path(fake.get("poison", "/nonexistent")).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        faults = Path(fake.get("faults", "/nonexistent"))
        if faults.exists() and (left := int(faults.read_text())):
            faults.write_text(str(left - 1))
            raise TransientFailure("The fake stumbled.")
        if (options or {}).get("shifts") == 9:
            raise PermanentFailure("The fake cannot do this track.")
        size, frames = int(fake.get("stretch", 8192)), mix.shape[1]
        todo = [(a, min(a + size, frames)) for a in range(0, frames, size)]
        todo = [piece for piece in todo if difference((piece,), (options or {}).get("done", ()))]
        work = threading.Event()
        while todo:
            at = focus()
            here = at[0] if at else start_frame
            piece = next((p for p in todo if p[1] > here), todo[0])
            todo.remove(piece)
            limit = float(fake.get("pace", 0.02))
            while limit > 0 and not cancelled():
                work.wait(min(limit, 0.02))
                limit -= 0.02
            if cancelled():
                return
            if "made" in fake:
                with Path(fake["made"]).open("a") as file:
                    file.write(f"{piece[0]}\n")
            yield Stretch(*piece, split(mix[:, slice(*piece)]))


def analyse(pcm: Audio, rate: int, features: Any, progress: Any, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Find the loudest sample."""
    progress(0.5)
    return {"tempo": 120.0, "key": "A minor", "energy": float(np.abs(pcm).max()), "nothing": float("nan"), "rate": rate}


def declare(context: actors.Context) -> None:
    """Put the fakes into the real actors."""
    actors.declare(replace(context, engine=lambda name: FakeEngine(), analyse=analyse))


if __name__ == "__main__":
    sys.exit(worker.main(declare, lambda settings: (wire.EngineOffer("spectral", ("",)),)))
