"""`make soak`: everything at once for ten minutes, against the running program.

    python -m bench.soak [MINUTES] [SEED] [jack]

Four decks play with keylock, effects and loops; a thousand changes a second come over OSC, drawn from a seed; a Python
thread burns in the server. The tracks are tones of at most 110 Hz, so a click is a step between two neighbours that no
such tone, however loud, transposed and faded, can make. The transport of deck 4 is left alone: its place tells drift.

Owner: the command line; exit status 1 when a counter is over its law. The program plays on the null device, which keeps
time on absolute deadlines, or on JACK's dummy driver; beside it runs what does nothing (`bench.beside`), so that blocks
that the machine loses are not taken for ours. At the end the same minutes are rendered under changing speed, and the
stems nulled against the mix (`bench.nulls`). Units: seconds; frames at 48 kHz; megabytes.
"""

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import soundfile

from audio import adoption
from audio.block import Block
from audio.rings import BusReader, ClockReader, SnapshotReader
from audio.units import DECKS
from bench.beside import Beside, IdleClient, IdleTimers, as_rare, idle_client, jack_environment, own_server
from bench.nulls import NULL_DB, sum_against_mix
from tests.audio.test_jack import running
from tests.end_to_end.program import Program, until

RATE: Final = 48_000
MINUTES: Final = 10.0
CHANGES_S: Final = 1000
BURST: Final = 10
"""Changes that are sent together; a hundred bursts a second."""
TONES_HZ: Final = (55, 73, 92, 110)
LEVEL: Final = 0.2
UPLOAD_S: Final = 300.0
"""For a track of that length, on a machine whose server burns."""
SETTLE_S: Final = 20.0
"""Of storm before memory counts: caches fill, every stretcher has run."""

LARGEST_STEP: Final = 0.1
"""110 Hz at full scale, an octave up at 1.25 of the speed, moves by 0.036 a frame; a gate opens in 96 frames."""
STRETCH_LATE_A_MINUTE: Final = 1.0
"""Then a deck is heard at the pitch of its speed for some hundredths of a second: what a machine that stands still
costs."""
MOST_DRIFT_S: Final = 0.005
MOST_GROWTH_MB: Final = 16.0
"""What a process may grow by, of memory that is its own."""

_PITCH: Final[tuple[tuple[str, float, float], ...]] = (("rate", 0.8, 1.25), ("pitch", -12.0, 12.0), ("bend", -1.0, 1.0))
_STRIP: Final[tuple[tuple[str, float, float], ...]] = (
    ("volume", 0.2, 1.0), ("trim_db", -6.0, 3.0), ("filter", -0.7, 0.3), ("eq/low", -12.0, 3.0),
    ("eq/mid", -26.0, 6.0), ("eq/high", -26.0, 6.0), *(
        (f"fx/{unit}/{part}", low, high) for unit in (1, 2)
        for part, low, high in (("wet", 0.0, 1.0), ("param/1", 0.0, 1.0), ("param/2", 0.0, 0.8), ("param/3", 0.3, 0.7))
    ),
)  # fmt: skip
_SWITCHES: Final = ("eq/low/kill", "eq/mid/kill", "eq/high/kill", "fx/1/on", "fx/2/on", "pfl")
_EFFECTS: Final = ("echo", "reverb", "flanger", "phaser", "gate", "repeat")
"""All but the crusher, whose sound is steps."""


def storm(chance: random.Random) -> tuple[str, float | int | str]:
    """Return the next change: nine in ten to strips and effects, the others to the transport of decks 1 to 3."""
    kind = chance.random()
    if kind < 0.02:
        return "/mixer/crossfader", chance.uniform(-1.0, 1.0)
    deck = f"/deck/{chance.randint(1, DECKS)}"
    if kind < 0.75:
        name, low, high = chance.choice(_STRIP)
        return f"{deck}/{name}", chance.uniform(low, high)
    if kind < 0.9:
        return f"{deck}/{chance.choice(_SWITCHES)}", chance.randint(0, 1)
    if kind < 0.92:
        return f"{deck}/fx/{chance.randint(1, 2)}/type", chance.choice(_EFFECTS)
    deck = f"/deck/{chance.randint(1, DECKS - 1)}"
    if kind < 0.97:
        name, low, high = chance.choice(_PITCH)
        return f"{deck}/{name}", chance.uniform(low, high)
    acts: tuple[Callable[[], tuple[str, float | int]], ...] = (
        lambda: ("keylock", int(chance.random() < 0.9)),
        lambda: ("loop/beats", chance.choice((0.125, 0.25, 0.5, 1.0, 2.0, 4.0))),
        lambda: ("loop/active", chance.randint(0, 1)),
        lambda: ("loop/roll", chance.choice((0.0, 0.25, 0.5))),
        lambda: ("loop/halve", 1),
        lambda: ("loop/double", 1),
        lambda: ("slip", chance.randint(0, 1)),
        lambda: ("position", chance.uniform(0.0, 20.0)),
        lambda: (f"hotcue/{chance.randint(1, 8)}/go", 1),
        lambda: ("beatjump", chance.choice((-4.0, 4.0))),
        lambda: ("play", 1),
    )
    name, value = chance.choice(acts)()
    return f"{deck}/{name}", value


@dataclass
class Ears:
    """Listens to the master as it goes out: the largest step, how many were too large, and what was missed."""

    reader: BusReader
    cursor: int
    heard: int = 0
    missed: int = 0
    clicks: int = 0
    largest: float = 0.0
    loudest: float = 0.0
    _last: Any = field(default_factory=lambda: np.zeros((0, 2), np.float32))

    def listen(self, stop: threading.Event) -> None:
        """Listen until `stop`, and to what is there then."""
        while not stop.wait(0.1):
            self._take()
        self._take()

    def _take(self) -> None:
        stop = self.reader.written
        while self.cursor < stop:
            sound, cursor = self.reader.read(self.cursor, min(RATE, stop - self.cursor))
            lost = cursor - len(sound) - self.cursor
            self.missed += lost
            if lost:
                self._last = self._last[:0]
            whole = np.concatenate([self._last, sound])
            steps = np.abs(np.diff(whole, axis=0)).max(axis=1, initial=0.0)
            self.clicks += int((~(steps <= LARGEST_STEP)).sum())
            self.largest = max(self.largest, float(steps.max(initial=0.0)))
            self.loudest = max(self.loudest, float(np.abs(sound).max(initial=0.0)))
            self.heard += len(sound)
            self._last, self.cursor = sound[-1:].copy(), cursor


def main(minutes: float = MINUTES, seed: float = 1, device: str = "null") -> int:
    """Play for `minutes` on `device`, null or jack, and print the counters; return 1 when one is over its law."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        length = minutes * 60 + SETTLE_S + 90
        songs = [_tone(Path(folder) / f"tone-{hz}.flac", hz, length) for hz in TONES_HZ]
        quiet = {"ALCHEMY_SEPARATE_ON_LOAD": "0", "ALCHEMY_ANALYZE_ON_IMPORT": "0"}
        server = own_server(Path(folder)) if device == "jack" else None
        if server is not None:
            stack.enter_context(running(server))
            stack.enter_context(idle_client(server.name))
            quiet |= jack_environment(server.name)
        audio = "null" if server is None else "auto"
        program = Program(Path(folder) / "data", "--no-workers", audio=audio, module="bench.burning", environment=quiet)
        stack.enter_context(program)
        program.http.timeout = UPLOAD_S
        for deck, song in enumerate(songs, start=1):
            program.load(deck, program.upload(song)["id"])
        _prepare(program)
        beside = IdleTimers(program.runtime()) if server is None else IdleClient(server)
        good = _soak(program, minutes, int(seed), beside)
    null_db = sum_against_mix(minutes, int(seed))
    return 0 if _tell("stems against the mix, dB", null_db, NULL_DB, f" after {minutes:g} min") and good else 1


def _prepare(program: Program) -> None:
    """Let all decks play with keylock, a beat and a hot cue."""
    for deck in range(1, DECKS + 1):
        program.set(f"/deck/{deck}/assign", "thru")
        program.set(f"/deck/{deck}/keylock", 1)
        program.set(f"/deck/{deck}/rate", 0.95)
        program.set(f"/deck/{deck}/play", 1)
    for _ in range(6):
        for deck in range(1, DECKS + 1):
            program.osc.send_message(f"/deck/{deck}/grid/tap", 1)
        time.sleep(0.5)
    snapshots = _snapshots(program)
    until("every deck has a grid", lambda: bool(snapshots.read()["decks"]["gridded"].all()))
    until("every deck is stretched", lambda: bool(snapshots.read()["decks"]["stretched"].all()))


def _snapshots(program: Program) -> SnapshotReader:
    return SnapshotReader(Block.attach(adoption.find(program.runtime()).segment).kernel["snapshots"])


def _soak(program: Program, minutes: float, seed: int, beside: Beside) -> bool:
    block = Block.attach(adoption.find(program.runtime()).segment)
    snapshots, clock = SnapshotReader(block.kernel["snapshots"]), ClockReader(block.kernel["clock"])
    master = BusReader(block.kernel["master"])
    ears = Ears(master, master.written)
    stop = threading.Event()
    sent = [0]
    sender = threading.Thread(target=_send, args=(program, random.Random(seed), stop, sent), name="storm")
    before, pair = snapshots.read(), clock.read()
    began_s = time.monotonic()
    engine = program.engine_pid()
    listener = threading.Thread(target=ears.listen, args=(stop,), name="ears")
    sender.start()
    listener.start()
    try:
        time.sleep(min(SETTLE_S, minutes * 15))
        memory = _own_memory(program)
        time.sleep(max(0.0, began_s + minutes * 60 - time.monotonic()))
    finally:
        stop.set()
        sender.join()
        listener.join()
    after, later = snapshots.read(), clock.read()
    late, idle, neighbours = beside.verdict()
    grown = _growth(memory, _own_memory(program))
    seconds = (later.monotonic_ns - pair.monotonic_ns) / 1e9
    clock_s = (later.frame - pair.frame) / RATE - seconds
    track_s = float(after["decks"][3]["position"] - before["decks"][3]["position"]) / 0.95 / RATE
    place_s = track_s - int(after["frame"] - before["frame"]) / RATE

    def count(name: str) -> int:
        return int(after[name]) - int(before[name])

    print(
        f"{seconds / 60:.1f} min, {sent[0]} changes sent ({sent[0] / seconds:.0f} a second), seed {seed}; the kernel "
        f"took {count('commands_applied')} commands in {count('blocks')} blocks; callback at most "
        f"{100 * float(after['load_peak']):.0f} % of a block; loudest sample {ears.loudest:.3f}",
        flush=True,
    )
    told = [
        _tell("late blocks", late, as_rare(idle), f", as what does nothing; {neighbours}"),
        _tell("stretched sound too late", count("stretch_lost"), STRETCH_LATE_A_MINUTE * minutes, ""),
        _tell("events lost", count("events_lost"), 0, ""),
        _tell("clicks in the master", ears.clicks, 0, f"; largest step {ears.largest:.4f} of {LARGEST_STEP}"),
        _tell("frames of it not heard", ears.missed, 0, f" of {ears.heard}"),
        _tell("drift of the engine's clock, ms", abs(clock_s) * 1e3 * beside.keeps_time, MOST_DRIFT_S * 1e3, ""),
        _tell("drift of deck 4 against it, ms", abs(place_s) * 1e3, MOST_DRIFT_S * 1e3, ""),
        *(_tell(f"growth of {name}, MB", size, MOST_GROWTH_MB, "") for name, size in grown.items()),
        _tell("engines that died", int(program.engine_pid() != engine), 0, ""),
    ]
    return all(told)


def _tell(what: str, value: float, law: float, more: str) -> bool:
    good = value <= law
    print(f"  {'ok  ' if good else 'OVER'} {what}: {value:.6g} (law: at most {law:g}){more}", flush=True)
    return good


def _send(program: Program, chance: random.Random, stop: threading.Event, sent: list[int]) -> None:
    """Send bursts on absolute deadlines, so that a late one is made good."""
    due = time.monotonic()
    while not stop.is_set():
        for _ in range(BURST):
            program.osc.send_message(*storm(chance))
        sent[0] += BURST
        due += BURST / CHANGES_S
        stop.wait(max(0.0, due - time.monotonic()))


def _own_memory(program: Program) -> dict[tuple[str, int], float]:
    """Return megabytes that are each process' own, by what it is and its number; stems' shared memory is not in it."""
    found = {}
    for one in program.family():
        with suppress(psutil.Error):
            words = [word for word in one.cmdline() if word.startswith(("audio", "bench"))]
            found[words[0] if words else one.name(), one.pid] = one.memory_full_info().uss / 1e6
    return found


def _growth(before: dict[tuple[str, int], float], after: dict[tuple[str, int], float]) -> dict[str, float]:
    """Return by how much the process of each kind that grew most has grown."""
    grown: dict[str, float] = {}
    for (kind, pid), size in after.items():
        if (kind, pid) in before:
            grown[kind] = max(grown.get(kind, 0.0), size - before[kind, pid])
    return grown


def _tone(path: Path, hz: int, seconds: float) -> Path:
    second = (LEVEL * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_24") as file:
        for _ in range(int(seconds) + 1):
            file.write(np.stack([second, second], axis=1))
    return path


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:] if word != "jack"]
    minutes, seed = [*given, MINUTES, 1.0][:2] if len(given) != 1 else [*given, 1.0]
    sys.exit(main(minutes, seed, "jack" if "jack" in sys.argv else "null"))
