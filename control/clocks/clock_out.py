"""MIDI clock out: which message is due at which frame. Drift-free, since every tick is reckoned from the song's line.

Owner: the clock process. Pure: no I/O, no clock.
Units: engine frames; 24 ticks a beat; song position in sixteenths.

The clock goes on while the music stands, as drum machines and arpeggiators expect. Start is sent where the music begins
(within its first sixteenth); from anywhere else song position and Continue are sent ahead of the next sixteenth, whose
tick is the next to come. A jump of more than half a tick is Stop, song position, Continue; less is taken up by the next
ticks.
"""

import math
from typing import Final

from control.clocks.song import Song

TICKS: Final = 24
"""Ticks a beat."""

CLOCK: Final = b"\xf8"
START: Final = b"\xfa"
CONTINUE: Final = b"\xfb"
STOP: Final = b"\xfc"

LEAD_S: Final = 0.001
"""What Start and Continue come ahead of their tick: receivers need a millisecond."""

HALF_TICK: Final = 1.0 / TICKS / 2

Event = tuple[float, bytes]
"""Frame and message."""


class ClockOut:
    """What one receiver is sent. `follow` what the music does, then take what is `due`, again and again."""

    def __init__(self, song: Song, frame: float) -> None:
        self._song = Song(frame, tempo_bpm=song.tempo_bpm, rate=song.rate)
        self._tick = 0
        self._free = self._floor = frame
        self._waiting: list[Event] = []
        self.follow(song, frame)

    def follow(self, song: Song, now: float) -> None:
        """Take the song's line from frame `now` on."""
        before, self._song = self._song, song
        self._floor = max(self._floor, now)
        if song.running and not before.running:
            self._begin(now)
        elif before.running and not song.running:
            self._waiting = [(now, STOP)]
            self._free = now
        elif song.running and abs(song.beat_at(now) - before.beat_at(now)) > HALF_TICK:
            self._begin(now, after=STOP)

    def _begin(self, now: float, after: bytes = b"") -> None:
        song = self._song
        beat = song.beat_at(now)
        self._waiting = [(now, after)] if after else []
        if beat < 0.25:
            self._tick = 0
            self._waiting.append((max(now, song.frame_of_beat(0) - LEAD_S * song.rate), START))
            return
        sixteenth = max(math.ceil(beat * 4 + LEAD_S), 0)
        self._tick = sixteenth * TICKS // 4
        at = max(now, song.frame_of_beat(sixteenth / 4) - LEAD_S * song.rate)
        self._waiting += [(at, song_position(sixteenth)), (at, CONTINUE)]

    def due(self, until: float) -> list[Event]:
        """Return what is to be sent before frame `until`, in order, and forget it."""
        found = [event for event in self._waiting if event[0] < until]
        self._waiting = self._waiting[len(found) :]
        if self._waiting:
            return found  # ticks come after Start or Continue
        spacing = 60.0 * self._song.rate / self._song.tempo_bpm / TICKS
        while (at := self.next_at()) < until:
            found.append((at, CLOCK))
            self._floor = at
            self._tick += 1
            self._free = at + spacing
        return found

    def next_at(self) -> float:
        """Return the frame of the next message."""
        if self._waiting:
            return self._waiting[0][0]
        at = self._song.frame_of_beat(self._tick / TICKS) if self._song.running else self._free
        return max(at, self._floor)  # what is late comes at once, and never before what came before


def song_position(sixteenths: int) -> bytes:
    """Return the message that names a place in the song; beyond 16,383 sixteenths it is the last that can be named."""
    place = min(max(sixteenths, 0), 16_383)
    return bytes((0xF2, place & 0x7F, place >> 7))
