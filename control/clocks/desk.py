"""The work of the clock process without its ports and its sleep: what is due when, and what was heard.

Owner: the clock process. Pure: time is an argument.
Units: nanoseconds of the monotonic clock.
"""

import heapq
from collections import deque
from collections.abc import Callable
from typing import Final

from control.clocks.clock_in import ClockIn
from control.clocks.clock_out import ClockOut
from control.clocks.mtc_out import MtcOut
from control.clocks.song import Pair, Song
from control.clocks.timecode import RATES
from control.clocks.wire import OFF, FollowEngine, FollowSong, Heard, Pressed, Sent, ToProcess, Wanted

REPORT_NS: Final = 100_000_000
ANOTHER_S: Final = 0.5
"""A clock that is off by more than this is another engine's."""

POLL_NS: Final = 2_000_000
"""Between two looks at what was heard."""

IDLE_NS: Final = 50_000_000
"""How long nothing can be due."""


class ClockDesk:
    """Takes messages of the server and of the wire, gives what is to be sent and told."""

    def __init__(self) -> None:
        self._pair = Pair()
        self._song = Song()
        self.wanted = Wanted()
        self._clock: ClockOut | None = None
        self._timecode: MtcOut | None = None
        self._in = ClockIn()
        self._pressed: deque[Pressed] = deque(maxlen=64)
        self._told: Heard | None = None
        self._told_ns = 0
        self._late: list[float] = []

    # -- from the server ----------------------------------------------------------------------------------------------

    def obey(self, message: ToProcess, now_ns: int) -> None:
        """Take a message of the server."""
        match message:
            case FollowEngine(pair=pair):
                jump = pair.frame_at(now_ns) - self._pair.frame_at(now_ns)
                self._pair = pair
                if abs(jump) > ANOTHER_S * pair.rate:
                    self._begin_anew(now_ns)
            case FollowSong(song=song):
                self._song = song
                self._each(lambda out: out.follow(song, self._pair.frame_at(now_ns)))
            case Wanted():
                self._want(message, now_ns)

    def _want(self, wanted: Wanted, now_ns: int) -> None:
        before, self.wanted = self.wanted, wanted
        frame = self._pair.frame_at(now_ns)
        if wanted.clock != before.clock:
            self._clock = ClockOut(self._song, frame) if wanted.clock else None
        if (wanted.timecode, wanted.offset_s) != (before.timecode, before.offset_s):
            rate = RATES.get(wanted.timecode)
            self._timecode = MtcOut(rate, self._song, frame, wanted.offset_s) if rate else None
        if wanted.inputs != before.inputs:
            self._in = ClockIn()

    def _begin_anew(self, now_ns: int) -> None:
        """Another engine, with a clock of its own: what the old one's frames said is worth nothing."""
        frame = self._pair.frame_at(now_ns)
        self._song = Song(frame, tempo_bpm=self._song.tempo_bpm, rate=self._pair.rate)
        wanted, self.wanted = self.wanted, Wanted(inputs=self.wanted.inputs)
        self._clock = self._timecode = None
        self._want(wanted, now_ns)

    def _each(self, deed: Callable[[ClockOut | MtcOut], None]) -> None:
        for out in (self._clock, self._timecode):
            if out is not None:
                deed(out)

    @property
    def sends(self) -> bool:
        """Whether anything is to be sent at all."""
        return self.wanted.clock or self.wanted.timecode != OFF

    # -- to the wire --------------------------------------------------------------------------------------------------

    def next_ns(self, now_ns: int) -> int:
        """Return when to look again, at most IDLE_NS from now."""
        frames = [out.next_at() for out in (self._clock, self._timecode) if out is not None]
        limit = now_ns + (POLL_NS if self.wanted.inputs else IDLE_NS)
        due = min(frames, default=float("inf"))
        return limit if due == float("inf") else min(limit, self._pair.ns_of(due))

    def due(self, now_ns: int) -> list[bytes]:
        """Return what is to be sent now, and note how late it is."""
        until = self._pair.frame_at(now_ns)
        outs = [out.due(until) for out in (self._clock, self._timecode) if out is not None]
        events = list(heapq.merge(*outs, key=lambda event: event[0]))
        self._late += [until - frame for frame, _ in events]
        return [data for _, data in events]

    def punctuality(self) -> Sent | None:
        """Return how late messages were handed over since the last question, None if there were none."""
        late, self._late = sorted(self._late), []
        return Sent(len(late), late[len(late) // 2], late[-1]) if late else None

    # -- from the wire ------------------------------------------------------------------------------------------------

    def hear(self, data: bytes, at_ns: int) -> None:
        """Take a MIDI message; what is no clock is left."""
        if not data:
            return
        deeds = {0xFA: "start", 0xFB: "continue", 0xFC: "stop"}
        clock = self._in
        match data[0]:
            case 0xF8:
                clock.tick(at_ns / 1e9)
                return
            case 0xFA:
                clock.start()
            case 0xFB:
                clock.go_on()
            case 0xFC:
                clock.stop()
            case 0xF2 if len(data) == 3:
                clock.put(data[1] | data[2] << 7)
            case _:
                return
        beat = clock.state(at_ns / 1e9).beat
        self._pressed.append(Pressed(deeds.get(data[0], "position"), beat, at_ns))

    def told(self, now_ns: int) -> list[Heard | Pressed]:
        """Return what the server does not know yet."""
        found: list[Heard | Pressed] = []
        while self._pressed:
            found.append(self._pressed.popleft())
        if not self.wanted.inputs:
            return found
        state = self._in.state(now_ns / 1e9)
        heard = Heard(state.status.value, state.tempo_bpm, state.beat, now_ns)
        changed = self._told is None or heard.status != self._told.status
        if changed or (state.tempo_bpm > 0 and now_ns - self._told_ns >= REPORT_NS):
            self._told, self._told_ns = heard, now_ns
            found.append(heard)
        return found
