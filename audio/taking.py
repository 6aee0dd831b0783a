"""Taking: what was played along with a deck, pass by pass, with where in the track each frame of it belongs.

    ring of places --frame f--> track place, speed --.
    ring of the input --frame f + delay--> sound ----+--> passes --> laid in track time (`take_laying.py`)
    a jump, a seam, a stop, another track, a way backwards ends a pass; so does sound that was overwritten unread

Owner: whoever makes takes. Units: engine frames number both rings; places in track frames at the engine rate.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.rings import BusReader, PlaceReader

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SHORTEST_S: Final = 0.1
"""A pass that is shorter is none: a deck that was only touched."""
LONGEST_S: Final = 1800.0
"""A pass that is longer goes on as another one."""
_SAME: Final = 2e-3
"""Pitches that are as near as this are one: three cents."""
_JUMP: Final = 1.0
"""Track frames by which a playhead that only moves is never off."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: `sound` (n, 2) was played while the track `token` was at `places` (n,), which grow, and was heard
    `pitch` times as high as it is."""

    token: int
    places: Float64
    sound: Float32
    pitch: float

    @property
    def speed(self) -> float:
        """The mean speed of the pass, in track frames a frame."""
        return float(self.places[-1] - self.places[0]) / max(1, len(self.places) - 1)

    @property
    def stretched(self) -> bool:
        """Whether the track was heard at another pitch than its speed gives it: keylock was on, or a pitch set."""
        return abs(self.pitch / max(self.speed, 1e-9) - 1.0) > _SAME


class Taker:
    """Reads both rings from the frame on where the places begin. Thread-safe: no."""

    def __init__(self, places: PlaceReader, heard: BusReader, rate: int, first: int) -> None:
        """`first`: engine frame to begin at; how late the input is is asked once, now."""
        self._places, self._heard, self._rate = places, heard, rate
        self._cursor, self._delay = first, heard.delay_frames
        self._parts: list[tuple[npt.NDArray[Any], Float32]] = []
        self._frames = 0

    @property
    def waiting(self) -> int:
        """Frames that were played to and that the input has not brought yet."""
        return max(0, self._places.written - self._cursor)

    def pull(self) -> list[Pass]:
        """Take what has come by now; return the passes that have ended with it."""
        ready = min(self._places.written, self._heard.written - self._delay)
        count = ready - self._cursor
        if count <= 0:
            return []
        told, after = self._places.read(self._cursor, count)
        sound, heard = self._heard.read(self._cursor + self._delay, count)
        # Both may begin later than was asked for, and end at the same frame.
        count = min(len(told), len(sound)) if (after, heard) == (ready, ready + self._delay) else 0
        done = self.end() if ready - count > self._cursor else []
        self._cursor = ready
        if count:
            done += self._split(told[len(told) - count :], sound[len(sound) - count :])
        return done

    def end(self) -> list[Pass]:
        """End the pass that is being made; return it, if it is one."""
        parts, self._parts, frames, self._frames = self._parts, [], self._frames, 0
        if frames < SHORTEST_S * self._rate:
            return []
        told = np.concatenate([part[0] for part in parts])
        sound = np.concatenate([part[1] for part in parts])
        pitch = float(np.median(told["pitch"]))
        return [Pass(int(told["token"][0]), told["place"].astype(np.float64), sound, pitch)]

    def _split(self, told: npt.NDArray[Any], sound: Float32) -> list[Pass]:
        """Put frames that follow each other where they belong; return the passes that end before or in them."""
        done: list[Pass] = []
        last = self._parts[-1][0][-1:] if self._parts else told[:0]
        joined = np.concatenate([last, told])
        goes = (joined["token"] != 0) & (joined["speed"] > 0)
        same = (joined["token"][1:] == joined["token"][:-1]) & goes[1:] & goes[:-1]
        same &= np.abs(np.diff(joined["place"]) - joined["speed"][:-1]) < _JUMP
        breaks = np.flatnonzero(~same) + 1 - len(last)
        edges = [0, *breaks.tolist(), len(told)]
        if len(breaks) and breaks[0] == 0:
            edges = edges[1:]
            done += self.end()
        for start, stop in pairwise(edges):
            if start > 0:
                done += self.end()
            if stop > start and told["token"][start] != 0 and told["speed"][start] > 0:
                self._parts.append((told[start:stop], sound[start:stop]))
                self._frames += stop - start
                if self._frames > LONGEST_S * self._rate:
                    done += self.end()
        return done
