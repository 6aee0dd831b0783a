"""The clock surface: tempo and transport of the show go out as MIDI clock, timecode and Link, and come in from there.

Owner: the event loop; `ClockSurface.run` is one task. Units: BPM, beats, seconds of the track, engine frames.

    Show (tempo, focus, play) + engine clock --> a line through frames --> clock process --> MIDI clock, MTC
    MIDI clock in --> clock process --> /session/tempo, and with /clock/in/transport the deck in focus
    Link <--> /session/tempo, and with /link/start_stop the deck in focus

Where the deck has a beat grid, the clock's beats are the grid's and its tempo is the deck's; elsewhere beats are
counted from the start of the track. The line is told anew only when the music does something else: where the playhead
is is known to a millisecond or so, and a line that followed that would make the clock tremble.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import anyio

from control.clocks.song import Pair, Song
from control.clocks.wire import OFF, Fault, FollowEngine, FollowSong, FromProcess, Heard, Pressed, Sent, Wanted
from control.link_port import LinkMissing, LinkPort
from server.session.effects import Notice
from server.session.facts import Reported
from server.session.intent import Changes, Intent
from server.session.show import Show
from server.surfaces.clock_process import ClockLine, clock_process
from server.surfaces.show_port import Clock

log = logging.getLogger(__name__)

SONG_S: Final = 0.02
"""Between two looks at where the music is."""

ENGINE_S: Final = 0.5
"""Between two words about the engine's clock."""

JUMP_S: Final = 0.03
"""The playhead is somewhere else when it is off by more than this; less is how exactly its place is known."""

DRIFT_S: Final = 0.004
"""A line that is off by more than this on the whole is drawn anew."""

JUMP_BEATS: Final = 0.1
"""The grid lies elsewhere when its beat is off by more than this."""

SAME_BPM: Final = 0.02
"""A tempo of a grid that differs by less is the same."""

SMOOTH: Final = 0.05
"""How much of each look counts for the drift."""

TEMPO_STEP: Final = 0.05
"""BPM by which a tempo that comes in must differ to be taken: less is jitter."""

AGAIN_S: Final = 1.0
LINK_S: Final = 0.1

_Connect = Callable[[], AbstractAsyncContextManager[ClockLine]]


class ClockSurface:
    """Clocks out and in for one show. `clock` is the engine's clock pair, `telemetry` the controls that flow."""

    def __init__(
        self,
        show: Show,
        *,
        telemetry: Callable[[], Mapping[str, float]],
        clock: Callable[[], Clock | None],
        connect: _Connect = clock_process,
        link: Callable[..., LinkPort] = LinkPort,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._show = show
        self._telemetry = telemetry
        self._clock = clock
        self._connect = connect
        self._make_link = link
        self._now_ns = monotonic_ns
        self._changed = anyio.Event()
        self._link: LinkPort | None = None
        self._song = Song()
        self._drift = 0.0
        self._beat_drift = 0.0
        self._reported: dict[str, int | float | str] = {}

    async def run(self) -> None:
        """Serve until cancelled."""
        self._report({"/clock/in/status": OFF, "/clock/in/tempo": 0.0, "/clock/out/late": 0.0, "/link/peers": 0.0})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_show)
            tasks.start_soon(self._keep_process)
            tasks.start_soon(self._keep_link)

    # -- the show -----------------------------------------------------------------------------------------------------

    def _value(self, path: str) -> Any:
        return self._show.controls[path]

    @property
    def _deck(self) -> str:
        return f"/deck/{self._value('/session/focus')}"

    def _wanted(self) -> Wanted:
        return Wanted(
            bool(self._value("/clock/out")),
            str(self._value("/timecode/out")),
            float(self._value("/timecode/offset")),
            str(self._value("/clock/out/ports")),
            str(self._value("/clock/in")),
        )

    def _ask(self, path: str, value: object, source: str) -> None:
        self._show.submit(Intent(path, value, source))

    def _report(self, values: Mapping[str, int | float | str]) -> None:
        fresh = {path: value for path, value in values.items() if self._reported.get(path) != value}
        if fresh:
            self._reported |= fresh
            self._show.report(Reported(tuple(fresh.items())))

    async def _follow_show(self) -> None:
        async with self._show.subscribe("clocks") as changes:
            async for change in changes:
                self._tell_link(change)
                changed, self._changed = self._changed, anyio.Event()
                changed.set()

    # -- the process --------------------------------------------------------------------------------------------------

    async def _keep_process(self) -> None:
        """Run the process while something is to be sent or heard; start it again when it ends."""
        while True:
            changed = self._changed
            if not _is_needed(self._wanted()):
                await changed.wait()
                continue
            try:
                async with self._connect() as line, anyio.create_task_group() as tasks:
                    tasks.start_soon(self._listen, line, tasks.cancel_scope)
                    await self._speak(line)
                    tasks.cancel_scope.cancel()
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                log.warning("the clock process is gone: %s", error)
            self._report({"/clock/in/status": OFF, "/clock/in/tempo": 0.0})
            if _is_needed(self._wanted()):
                self._show.notice(Notice("warning", "clock_restarted", "The clock had stopped and is started again"))
                await anyio.sleep(AGAIN_S)

    async def _speak(self, line: ClockLine) -> None:
        """Tell the process what is wanted and where the music is, until nothing is wanted."""
        told: Wanted | None = None
        pair_due = 0
        self._song = Song()
        first = True
        while _is_needed(wanted := self._wanted()):
            now = self._now_ns()
            clock = self._clock()
            pair = _heard(clock) if clock is not None else Pair()
            if now >= pair_due:
                pair_due = now + round(ENGINE_S * 1e9)
                await line.tell(FollowEngine(pair))
            if self._look(pair, clock, now) or first:
                first = False
                await line.tell(FollowSong(self._song))
            if wanted != told:
                told = wanted
                await line.tell(wanted)
            changed = self._changed
            with anyio.move_on_after(SONG_S):
                await changed.wait()

    def _look(self, pair: Pair, clock: Clock | None, now_ns: int) -> bool:
        """Draw the line anew if the music does something else; return whether it does."""
        deck, before = self._deck, self._song
        frame = pair.frame_at(now_ns) + (clock.latency_frames if clock is not None else 0)  # what is rendered now
        tempo = float(self._value("/session/tempo"))
        speed = float(self._value(f"{deck}/rate"))
        running = bool(self._value(f"{deck}/play"))
        flow = self._telemetry()
        position = float(flow.get(f"{deck}/position", 0.0))
        beat, expected = before.beat_at(frame), before.position_at(frame)
        off = position - expected
        self._drift += (off - self._drift) * SMOOTH
        grid_bpm = float(flow.get(f"{deck}/tempo", 0.0))
        on_grid = running and grid_bpm > 0 and self._link is None
        beat_off = 0.0
        if on_grid:
            tempo = before.tempo_bpm if abs(grid_bpm - before.tempo_bpm) <= SAME_BPM else grid_bpm
            beat_off = float(flow.get(f"{deck}/beat", 0.0)) - beat
            self._beat_drift += (beat_off - self._beat_drift) * SMOOTH
        same = (tempo, speed, running, pair.rate) == (before.tempo_bpm, before.speed, before.running, before.rate)
        jumps = abs(off) > JUMP_S or abs(beat_off) > JUMP_BEATS or (running and not before.running)
        steady = abs(self._drift) <= DRIFT_S and abs(self._beat_drift) * 60 <= DRIFT_S * tempo
        if jumps:
            beat = beat + beat_off if on_grid else position / speed * tempo / 60
        elif same and steady and not self._link_is_off(beat, pair, now_ns, frame):
            return False
        else:
            position = expected + self._drift if same else position
            beat += self._beat_drift if on_grid else 0.0
        if self._link is not None:
            beat = self._link_beat(pair, now_ns, frame, tempo)
        self._drift = self._beat_drift = 0.0
        self._song = Song(frame, beat, tempo, position, speed, running, pair.rate)
        return True

    def _link_beat(self, pair: Pair, now_ns: int, frame: float, tempo: float) -> float:
        """Return Link's beat at `frame`: what it says is now, and what is rendered now is heard later."""
        assert self._link is not None
        ahead_s = (frame - pair.frame_at(now_ns)) / pair.rate
        return self._link.state().beat + ahead_s * tempo / 60

    def _link_is_off(self, beat: float, pair: Pair, now_ns: int, frame: float) -> bool:
        if self._link is None or not self._song.running:
            return False
        return abs(self._link_beat(pair, now_ns, frame, self._song.tempo_bpm) - beat) > 0.02

    async def _listen(self, line: ClockLine, scope: anyio.CancelScope) -> None:
        async for message in line.told():
            self._hear(message)
        scope.cancel()

    def _hear(self, message: FromProcess) -> None:
        match message:
            case Heard():
                tempo = round(message.tempo_bpm, 2)
                self._report({"/clock/in/status": message.status, "/clock/in/tempo": tempo})
                if tempo and abs(tempo - float(self._value("/session/tempo"))) >= TEMPO_STEP:
                    self._ask("/session/tempo", tempo, "clock")
            case Pressed() if self._value("/clock/in/transport"):
                self._press(message)
            case Sent():
                self._report({"/clock/out/late": round(message.worst_frames, 1)})
            case Fault():
                self._show.notice(Notice("warning", "clock", message.message))

    def _press(self, pressed: Pressed) -> None:
        deck = self._deck
        if pressed.deed in ("start", "position"):
            self._ask(f"{deck}/position", pressed.beat * 60 / float(self._value("/session/tempo")), "clock")
        if pressed.deed != "position":
            self._ask(f"{deck}/play", int(pressed.deed != "stop"), "clock")

    # -- Link ---------------------------------------------------------------------------------------------------------

    async def _keep_link(self) -> None:
        """Be in the Link session while that is wanted."""
        while True:
            changed = self._changed
            if self._value("/link/enabled") and self._link is None:
                self._enter_link()
            elif not self._value("/link/enabled") and self._link is not None:
                self._link.close()
                self._link = None
                self._report({"/link/peers": 0.0})
            if self._link is not None:
                self._report({"/link/peers": float(self._link.state().peers)})
            with anyio.move_on_after(LINK_S if self._link is not None else None):
                await changed.wait()

    def _enter_link(self) -> None:
        try:
            self._link = self._make_link(float(self._value("/session/tempo")), self._link_tempo, self._link_playing)
        except LinkMissing as error:
            self._show.notice(Notice("warning", "link_missing", str(error)))
            self._ask("/link/enabled", 0, "link")
        else:
            self._link.share_start_stop(bool(self._value("/link/start_stop")))

    def _link_tempo(self, tempo_bpm: float) -> None:
        self._ask("/session/tempo", round(tempo_bpm, 4), "link")

    def _link_playing(self, playing: bool) -> None:
        if self._value("/link/start_stop"):
            self._ask(f"{self._deck}/play", int(playing), "link")

    def _tell_link(self, change: Changes) -> None:
        link = self._link
        if link is None or change.source == "link":
            return
        if "/session/tempo" in change.changes:
            link.set_tempo(float(self._value("/session/tempo")))
        if "/link/start_stop" in change.changes:
            link.share_start_stop(bool(self._value("/link/start_stop")))
        if self._value("/link/start_stop") and f"{self._deck}/play" in change.changes:
            link.set_playing(bool(self._value(f"{self._deck}/play")))


def _is_needed(wanted: Wanted) -> bool:
    return wanted.clock or wanted.timecode != OFF or bool(wanted.inputs)


def _heard(clock: Clock) -> Pair:
    """Return the engine's pair as it is heard: later by the output's latency."""
    return Pair(clock.frame, clock.monotonic_ns + round(clock.latency_frames * 1e9 / clock.rate), clock.rate)
