"""MIDI timecode out: quarter frames while the music runs, a full frame wherever it is put.

Owner: the clock process. Pure: no I/O, no clock.
Units: engine frames for when; video frames and quarters of them for what.

Four quarter frames go out in a video frame. Eight make one timecode, that of the frame in which the first was sent, so
a receiver knows where it is two frames later. A jump of more than a frame is a full-frame message, and the quarters
begin anew with the next pair of frames. Backwards nothing is sent but where it stands in the end.
"""

import math
from typing import Final

from control.clocks.clock_out import Event
from control.clocks.song import Song
from control.clocks.timecode import Rate, Timecode, at, of_frame

_LOWEST_SPEED: Final = 0.05
"""Slower than this is taken for standing."""


class MtcOut:
    """What one receiver is sent. `offset_s` is added to the place in the track."""

    def __init__(self, rate: Rate, song: Song, now: float, offset_s: float = 0.0) -> None:
        self._rate = rate
        self._offset_s = offset_s
        self._song = Song(now, rate=song.rate)
        self._quarter = 0
        self._floor = now
        self._waiting: list[Event] = []
        self._located = -1.0
        self.follow(song, now)

    def follow(self, song: Song, now: float) -> None:
        """Take the song's line from frame `now` on."""
        before, self._song = self._song, song
        self._floor = max(self._floor, now)
        place, expected = self._place(song, now), self._place(before, now)
        moves, moved = _moves(song), _moves(before)
        jumped = abs(place - expected) > 1 / float(self._rate.per_second) or self._located < 0
        if jumped or (moved and not moves):
            self._waiting = [(now, full_frame(at(place, self._rate)))]
            self._located = place
        if moves and (jumped or not moved):
            self._quarter = math.ceil(place * 4 * float(self._rate.per_second) / 8 - 1e-6) * 8

    def due(self, until: float) -> list[Event]:
        """Return what is to be sent before frame `until`, in order, and forget it."""
        found = [event for event in self._waiting if event[0] < until]
        self._waiting = self._waiting[len(found) :]
        while (at_frame := self.next_at()) < until:
            found.append((at_frame, quarter_frame(self._quarter, self._rate)))
            self._floor = at_frame
            self._quarter += 1
        return found

    def next_at(self) -> float:
        """Return the frame of the next message, infinity for none."""
        if self._waiting:
            return self._waiting[0][0]
        if not _moves(self._song):
            return math.inf
        seconds = self._quarter / (4 * float(self._rate.per_second)) - self._offset_s
        return max(self._song.frame_of_position(seconds), self._floor)

    def _place(self, song: Song, frame: float) -> float:
        return max(song.position_at(frame) + self._offset_s, 0.0)


def _moves(song: Song) -> bool:
    return song.running and song.speed > _LOWEST_SPEED


def quarter_frame(quarter: int, rate: Rate) -> bytes:
    """Return quarter frame number `quarter`, counted from 0 at 00:00:00:00."""
    code = of_frame(quarter // 8 * 2, rate)
    piece = quarter % 8
    value = (
        code.frames & 0xF,
        code.frames >> 4,
        code.seconds & 0xF,
        code.seconds >> 4,
        code.minutes & 0xF,
        code.minutes >> 4,
        code.hours & 0xF,
        code.hours >> 4 | rate.code << 1,
    )[piece]
    return bytes((0xF1, piece << 4 | value))


def full_frame(code: Timecode) -> bytes:
    """Return the message that puts every receiver at `code`."""
    hours = code.rate.code << 5 | code.hours
    return bytes((0xF0, 0x7F, 0x7F, 0x01, 0x01, hours, code.minutes, code.seconds, code.frames, 0xF7))
