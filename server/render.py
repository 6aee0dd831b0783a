"""`alchemy render`: play a script without hardware or server, on a virtual clock, into a file.

    script --> timed intents --> the live session's step --> commands --> KernelHost --> WAV, FLAC
                                       ^------- facts -------------------------'

Owner: one call; everything happens in it. The sound is made by the kernel that plays live. The clock is the kernel's
frame counter: rendering goes up to the very frame of the next intent and stops there, so a time is exact whatever the
block size, and the result is the same bytes for any block size. A load takes no virtual time.
Units: seconds from the start of the render; frames at the engine rate.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from audio.commands import EventKind
from audio.errors import AudioError
from audio.source import stretch_frames
from audio.units import BUS_CHANNELS, BUSES, CHANNELS, DECKS, ENGINE_RATE, MOST_CHANNELS, STEMS
from control.control import Value
from server.errors import BadRequest, ServerError
from server.pads import read_source, stretch_of
from server.practice import Rehearsal
from server.session.effects import EjectDeck, EngineCommand, LoadPad, LoadTrack, Notice, OpenSetlist, SetGrid
from server.session.facts import (
    AudibleDeck,
    DeckEnded,
    DeckLoaded,
    EngineRestored,
    Fact,
    PadLoaded,
    PadLoadFailed,
    SetlistOpened,
    SetlistTick,
    StemsReady,
    TrackMeasured,
)
from server.session.hearing import fact_of
from server.session.intent import Intent, Refused
from server.session.records import records
from server.session.script import Problem, ScriptRejected, TimedIntent, read_log
from server.session.setlist import Entry, Setlist
from server.session.setlist_file import read_setlist
from server.session.setlist_state import Planned
from server.session.setlist_timing import TICK_S
from server.session.sink import Sink
from server.session.state import initial
from server.session.step import step

if TYPE_CHECKING:
    from server.session.material import Material, Resolver

RENDERED: Final = ("master", *BUSES)
"""What can be rendered."""

DELAYED: Final = ("master", "headphones")
"""What comes through the limiter's delay."""

TAIL_S: Final = 0.1
"""Rendered after the last sound, so that every fade ends."""

LONGEST_S: Final = 24 * 3600.0

LARGEST_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was made. `warnings` are what a performer would have been told, with the script's lines."""

    path: Path
    frames: int
    rate: int
    peak: float
    warnings: tuple[str, ...] = ()
    controls: dict[str, Value] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length of the file."""
        return self.frames / self.rate


def render(
    script: Path,
    out: Path,
    *,
    seconds: float | None = None,
    rate: int = ENGINE_RATE,
    block: int = 128,
    bus: str = "master",
    resolver: "Resolver | None" = None,
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> Rendered:
    """Render `script` (a setlist `.toml`, else a log of intents) to `out` (`.wav` float32, `.flac` 24 bit).

    Without `seconds` the file ends when everything has played. `resolver` finds tracks of the library; without one a
    script can only play files. `on_progress` hears the seconds rendered, about once a second of them.
    Raises ScriptRejected (with lines), BadRequest, StorageFull; then `out` is untouched.
    """
    faults = []
    if bus not in RENDERED:
        faults.append(f"there is no bus {bus!r}, only {', '.join(RENDERED)}")
    if not 8_000 <= rate <= 192_000:
        faults.append(f"the rate lies between 8000 and 192000 Hz, not {rate}")
    if not 1 <= block <= LARGEST_BLOCK:
        faults.append(f"a block has 1 to {LARGEST_BLOCK} frames, not {block}")
    if seconds is not None and not (math.isfinite(seconds) and 0 < seconds <= LONGEST_S):
        faults.append(f"the length lies between 0 and {LONGEST_S:g} seconds, not {seconds:g}")
    if faults:
        raise BadRequest("; ".join(faults))
    sink = Sink(out, rate)
    house = _House(script, rate, resolver)
    if script.suffix.lower() == ".toml":
        intents = [TimedIntent(0.0, "/setlist/load", script.name), TimedIntent(0.0, "/setlist/autopilot", 1)]
    else:
        intents = read_log(script)
    with sink:
        player = _Player(house, rate, block, bus, sink, on_progress)
        player.play(intents, None if seconds is None else max(1, round(seconds * rate)))
    return Rendered(out, sink.frames, rate, sink.peak, tuple(player.warnings), dict(player.state.controls))


class _House:
    """The script's material, decoded when it is needed; the last few are kept."""

    KEPT: Final = 2

    def __init__(self, script: Path, rate: int, resolver: "Resolver | None") -> None:
        self._script = script
        self._rate = rate
        self._resolver = resolver
        self._recent: dict[str, Material] = {}

    def get(self, name: str, line: int) -> "Material":
        """Return the material called `name`. Raises ScriptRejected."""
        from server.session.material import material

        found = self._recent.pop(name, None)
        if found is None:
            try:
                found = material(name, self._script.parent, self._rate, self._resolver)
            except (AudioError, ServerError, OSError) as error:
                raise ScriptRejected(self._script, [Problem(line, str(error), "load")]) from error
        self._recent[name] = found
        while len(self._recent) > self.KEPT:
            del self._recent[next(iter(self._recent))]
        return found

    def entries(self, setlist: Setlist) -> tuple[Entry, ...]:
        """Return what of a setlist is played."""
        return setlist.entries

    def setlist(self, name: str, *, endless: bool) -> SetlistOpened:
        """Return the setlist called `name`, beside the script, every track of it found; `endless` lets it wait for a
        performer. Raises ScriptRejected."""
        path = self._script.parent / name
        if not path.exists() and path.suffix != ".toml":
            path = path.with_name(path.name + ".toml")
        setlist = read_setlist(path)
        problems, planned = [], []
        for entry in self.entries(setlist):
            found = self.get(entry.track, entry.line)
            length = found.frames / self._rate
            start = entry.start.number + entry.start.by if entry.start.kind == "seconds" else 0.0
            if start >= length:
                text = f"the track is {length:g} s long and cannot begin at {start:g} s"
                problems.append(Problem(entry.line, text, "start"))
            if not endless and any(loop.passes == 0 for loop in entry.loops):
                text = "waits for you to go on, and nobody does in a render: give it a number, or render with --seconds"
                problems.append(Problem(entry.line, text, "passes"))
            planned.append(Planned(entry, entry.track, found.title))
        if problems:
            raise ScriptRejected(path, problems)
        return SetlistOpened(name, setlist.title, tuple(planned), setlist.crossfader)


class _Player:
    """The session's step and a kernel on one clock."""

    def __init__(
        self, house: _House, rate: int, block: int, bus: str, sink: Sink, on_progress: Callable[[float], None]
    ) -> None:
        from audio.host import KernelHost

        self._house = house
        self._rate = rate
        self._block = block
        self._sink = sink
        self._on_progress = on_progress
        self._told = 0
        first = MOST_CHANNELS + 2 * BUSES.index(bus) if bus in BUSES else 0
        self._host = KernelHost(rate, BUS_CHANNELS if first else CHANNELS, looks_ahead=True)
        self._heard_channels = slice(first, first + CHANNELS)
        # The limiter's delay is cut off at the start and made good at the end: a file is exact in time.
        self._delay = self._host.delay_frames if bus in DELAYED else 0
        self._skip = self._delay
        self._materials: dict[int, tuple[int, Material]] = {}
        self._line = 0
        self._heard = 0
        self._last_sound = 0
        self._tick_frames = round(TICK_S * rate)
        self._tick_due = 0
        self._endless = False
        self.warnings: list[str] = []
        self.state = initial()
        self._take(EngineRestored((AudibleDeck(),) * DECKS, rate))

    def play(self, intents: Iterable[TimedIntent], frames: int | None) -> None:
        """Render until `frames`, or until everything has played."""
        self._endless = frames is not None
        for intent in intents:
            at = round(intent.at_s * self._rate)
            if frames is not None and at >= frames:
                break
            self._render_to(at)
            self._line = intent.line
            self._take(Intent(intent.path, intent.value, "script"))
            if intent.path.endswith("/auto_gain"):
                for deck in self._materials:
                    self._take(self._measured(deck))
            self._last_sound = max(self._last_sound, at)
        if frames is not None:
            self._render_to(frames + self._delay)
            return
        tail = max(1, round(TAIL_S * self._rate))
        while self._is_playing() and self._host.frame < LONGEST_S * self._rate:
            self._render_to(self._host.frame + min(self._block, tail))
        self._render_to(max(self._host.frame, self._last_sound + tail) + self._delay)

    def _is_playing(self) -> bool:
        """Whether any deck moves, a setlist means to go on, or a pad sounds that comes to an end by itself.

        The session says so, and the kernel too once it has heard of it.
        """
        if self.state.setlist is not None and self.state.controls["/setlist/autopilot"]:
            return True
        memories = enumerate(self.state.decks, start=1)
        wanted = any(memory.token and self.state.controls[f"/deck/{number}/play"] for number, memory in memories)
        heard = self._host.frame == self._heard or bool(self._host.snapshot()["decks"]["playing"].any())
        told = self._host.frame > self._heard
        return (wanted and heard) or not told or int(self._host.snapshot()["pads_ending"]) > 0

    def _render_to(self, frame: int) -> None:
        while self._host.frame < frame:
            count = min(self._block, frame - self._host.frame)
            if self.state.setlist is not None:
                count = min(count, self._tick())
            block = self._host.render(count)
            self._sink.write(block[self._skip :, self._heard_channels])
            self._skip = max(0, self._skip - len(block))
            for event in self._host.events():
                fact = fact_of(event, self._rate)
                if isinstance(fact, DeckEnded) or event["kind"] == EventKind.PAD_ENDED:
                    self._last_sound = max(self._last_sound, int(event["frame"]))
                if fact is not None:
                    self._take(fact)
            if self._host.frame - self._told >= self._rate:
                self._told = self._host.frame
                self._host.collect()
                self._on_progress(self._host.frame / self._rate)

    def _tick(self) -> int:
        """Tell an open setlist the time where that is due; return how many frames may be rendered now.

        Ticks lie on frames of their own and the answer is fetched at once, so the size of a block changes nothing.
        """
        frame = self._host.frame
        if frame < self._tick_due:
            return self._tick_due - frame
        self._tick_due = (frame // self._tick_frames + 1) * self._tick_frames
        self._take(SetlistTick(frame))
        return 1

    def _take(self, event: Intent | Fact) -> None:
        """Make one step and perform what it asks for."""
        self.state, effects = step(self.state, event, self._host.frame / self._rate)
        commands: list[EngineCommand] = []
        facts: list[Fact] = []
        for effect in effects:
            match effect:
                case EngineCommand():
                    commands.append(effect)
                    self._last_sound = max(self._last_sound, effect.frame)
                case OpenSetlist():
                    facts.append(self._house.setlist(effect.name, endless=self._endless))
                case LoadTrack():
                    facts += self._load(effect)
                case LoadPad():
                    facts += self._load_pad(effect)
                case SetGrid():
                    places = [beat * self._rate for beat in effect.beats]
                    self._host.set_grid(effect.deck, effect.token, places, effect.origin)
                case EjectDeck():
                    self._host.eject(effect.deck)
                case Refused() | Notice():
                    where = f"line {self._line}: " if self._line else ""
                    self.warnings.append(where + effect.message)
        if commands:
            self._heard = self._host.frame
            self._host.send(records(commands))
        for fact in facts:
            self._take(fact)

    def _measured(self, deck: int) -> TrackMeasured:
        """Measure the track on a deck, as analysis would."""
        from pipeline.analysis.loudness import lufs_of

        token, material = self._materials[deck]
        return TrackMeasured(deck, token, lufs_of(material.mix.audio.T, self._rate))

    def _load_pad(self, wish: LoadPad) -> list[Fact]:
        from audio.host import SlotMemory

        if not wish.source:
            self._host.load_pad(wish.bank, wish.pad, None)
            return []
        try:
            source = read_source(wish.source)
            found = self._house.get(source.name, self._line)
            slot = found.mix
            if source.stem:
                if source.stem not in STEMS or STEMS.index(source.stem) not in found.stems:
                    raise ValueError(f"{source.name} has no {source.stem} stem")
                slot = found.stems[STEMS.index(source.stem)]
            start_s, stop_s = stretch_of(source, found.frames / self._rate)
        except ValueError as fault:
            return [PadLoadFailed(wish.bank, wish.pad, wish.token, "pad_failed", str(fault))]
        first, lead, stop = stretch_frames(start_s, stop_s, self._rate)
        self._host.load_pad(wish.bank, wish.pad, SlotMemory.whole(slot.audio[first:stop]), lead)
        name = f"{found.title} ({source.stem})" if source.stem else found.title
        return [PadLoaded(wish.bank, wish.pad, wish.token, wish.source, name, stop_s - start_s)]

    def _load(self, wish: LoadTrack) -> list[Fact]:
        material = self._house.get(wish.track_id, self._line)
        position = round(wish.position_s * self._rate)
        self._host.load(wish.deck, wish.token, material.mix, position, material.stems)
        if material.take is not None:
            self._host.load_take(wish.deck, wish.token, material.take)
        facts: list[Fact] = [
            DeckLoaded(
                wish.deck,
                wish.token,
                material.title,
                material.artist,
                material.frames / self._rate,
                material.grid,
                material.marks,
                Rehearsal(material.sections),
            )
        ]
        self._materials[wish.deck] = (wish.token, material)
        if self.state.controls[f"/deck/{wish.deck + 1}/auto_gain"]:
            facts.append(self._measured(wish.deck))
        for slot, memory in material.stems.items():
            facts.append(StemsReady(wish.deck, wish.token, slot, float(memory.ready.mean())))
        return facts
