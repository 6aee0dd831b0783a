"""From play on a track that was never separated to stems at the playhead, and whether they stay ahead of it.

Owner: the command line. The program separates with whatever `auto` finds here. Playhead and ready stretches come over
one socket, in the order in which they happened: asked for one by one, a playhead of now would be held against stretches
of a while ago, and the lead would look smaller than it is. Units: seconds.
"""

import os
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipeline.songs import SONGS, write_song
from tests.end_to_end.listening import Page
from tests.end_to_end.program import Program, until

PATIENCE_S = 60.0


@dataclass
class Watch:
    """What a page sees of deck 1 from play on."""

    track_id: str
    duration_s: float
    begun: float
    waited_s: float | None = None
    least_lead_s: float = float("inf")
    gap_s: float = 0.0
    position_s: float = 0.0
    ranges: list[tuple[float, float]] = field(default_factory=list)
    _in_gap: bool = False
    _heard: float = 0.0

    def hear(self, message: dict[str, object]) -> None:
        """Take in a message; times count while the deck plays."""
        now = time.monotonic()
        match message:
            case {"type": "ready", "track_id": self.track_id, "ranges": list(ranges)}:
                self.ranges = ranges
            case {"type": "state", "changes": {"/deck/1/gap": gap}}:
                self._in_gap = bool(gap)
            case {"type": "meters", "decks": [{"playing": True, "position": float(position)}, *_]}:
                self.position_s = position
                ahead = max((stop - position for start, stop in self.ranges if start <= position < stop), default=0.0)
                if self.waited_s is None:
                    self.waited_s = now - self.begun if ahead and not self._in_gap else None
                else:
                    self.least_lead_s = min(self.least_lead_s, ahead)
                    self.gap_s += (now - self._heard) * self._in_gap
                self._heard = now

    @property
    def over(self) -> bool:
        """Whether all is separated, or the track has played to its end."""
        there = sum(stop - start for start, stop in self.ranges)
        return there > 0.95 * self.duration_s or self.position_s > self.duration_s - 1.0


def main() -> int:
    """Print the waiting time, warm, the smallest lead that stems had over the playhead, and how long the mix played."""
    with tempfile.TemporaryDirectory() as folder, Program(Path(folder) / "data") as program:
        until("workers", lambda: program.http.get("/health").json()["checks"]["workers"]["status"] == "ok")
        time.sleep(10.0)  # a program that has just started is not what a performer plays on
        for song in SONGS:
            track = program.upload(write_song(Path(folder) / song.title, song).mix)
            until("the analysis", partial(_analysed, program, track["id"]))
            with Page(program, "meters") as page:
                program.load(1, track["id"])
                watch = Watch(track["id"], track["duration"], time.monotonic())
                program.set("/deck/1/play", 1)
                while not watch.over:
                    watch.hear(page.next(PATIENCE_S))
            took_s = time.monotonic() - watch.begun
            there = sum(stop - start for start, stop in watch.ranges)
            waited = "never" if watch.waited_s is None else f"{watch.waited_s:.1f} s after play"
            print(
                f"{song.title}: stems at the playhead {waited}; least lead since {watch.least_lead_s:.1f} s, the mix "
                f"stood in for {watch.gap_s:.1f} s; separated at {there / took_s:.1f} x real time while it played, "
                f"under a load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                flush=True,
            )
            program.set("/deck/1/stop", 1)
            until("separated", partial(_separated, program, track["id"]), patience_s=300.0)
    return 0


def _analysed(program: Program, track_id: str) -> bool:
    return program.track(track_id)["analysis"] is not None


def _separated(program: Program, track_id: str) -> bool:
    return len(program.track(track_id)["stems"]) == 4
