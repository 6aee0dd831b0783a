"""Taking: what was played along with a deck, pass by pass, with where in the track each frame of it belongs.

    ring of places --frame f--> track place, speed --.
    ring of the input --frame f + delay--> sound ----+--> passes --> laid in track time (`take_laying.py`)
    a jump, a seam, a stop, another track, a way backwards ends a pass; so does sound that was overwritten unread

Owner: whoever makes takes. Units: engine frames number both rings; places in track frames at the engine rate.
"""

import shutil
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.rings import BusReader, PlaceReader
from audio.take_pass import Float32, OpenPass

SHORTEST_S: Final = 0.1
"""A pass that is shorter is none: a deck that was only touched."""
LONGEST_S: Final = 1800.0
"""A pass that is longer goes on as another one."""
_JUMP: Final = 1.0
"""Track frames by which a playhead that only moves is never off."""


class Taker:
    """Reads both rings from the frame on where the places begin. Thread-safe: no."""

    def __init__(
        self, places: PlaceReader, heard: BusReader, rate: int, first: int, begin: Callable[[int], OpenPass]
    ) -> None:
        """`first`: engine frame to begin at; how late the input is is asked once, now. `begin` makes a pass for a
        track's token."""
        self._places, self._heard, self._rate, self._begin = places, heard, rate, begin
        self._cursor, self._delay = first, heard.delay_frames
        #: The pass that is being made, if any.
        self.open_pass: OpenPass | None = None
        self._last: npt.NDArray[Any] | None = None

    @property
    def waiting(self) -> int:
        """Frames that were played to and that the input has not brought yet."""
        return max(0, self._places.written - self._cursor)

    def pull(self) -> list[OpenPass]:
        """Take what has come by now; return the passes that have ended with it, too short ones left out.

        Raises OSError where the disk takes no more; what has been taken stays in its folder.
        """
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

    def end(self) -> list[OpenPass]:
        """End the pass that is being made; return it, if it is one."""
        made, self.open_pass, self._last = self.open_pass, None, None
        if made is None:
            return []
        made.close()
        if made.frames < SHORTEST_S * self._rate:
            shutil.rmtree(made.folder, ignore_errors=True)
            return []
        return [made]

    def _split(self, told: npt.NDArray[Any], sound: Float32) -> list[OpenPass]:
        """Put frames that follow each other where they belong; return the passes that end before or in them."""
        done: list[OpenPass] = []
        last = told[:0] if self._last is None else self._last
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
                if self.open_pass is None:
                    self.open_pass = self._begin(int(told["token"][start]))
                self.open_pass.append(told[start:stop], sound[start:stop])
                self._last = told[stop - 1 : stop]
                if self.open_pass.frames > LONGEST_S * self._rate:
                    done += self.end()
        return done
