"""scsynth on the graph of `bench.kernel`, without a device: how many times faster than real time it renders.

    buffer player (cubic) x gain --> deck bus [--> low shelf, peak, high shelf] --> x crossfade --> out

Owner: `bench.kernel`. Two scores of different length are rendered, so that starting and loading are taken out. The
player is scsynth's own; synthesizers are written in its file format (SCgf 2) and sent in the score.
Units: seconds of music per second of processor time; rates as ratio; EQ in Hz and dB.
"""

import resource
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from pythonosc.osc_message_builder import OscMessageBuilder

RATE: Final = 48_000
SHORT_S: Final = 10.0
STEM_S: Final = 20.0
MOVE_S: Final = 0.05
FIRST_BUS: Final = 16
_LAG_S: Final = 0.01
_EQ: Final = (("BLowShelf", 250.0, "low"), ("BPeakEQ", 1000.0, "mid"), ("BHiShelf", 4000.0, "high"))
_EQ_DB: Final = {"low": -3.0, "mid": 2.0, "high": -4.0}

_CONTROL, _AUDIO = 1, 2
_TIMES: Final = 2
"""BinaryOpUGen's number of multiplication."""

Source = tuple[int, int]
"""A unit generator and which of its outputs; -1 and the number of a constant."""


def available() -> bool:
    """Say whether scsynth is installed (Debian: supercollider-server)."""
    return shutil.which("scsynth") is not None


@dataclass
class _Graph:
    """One synthesizer in the making."""

    name: str
    controls: dict[str, float]
    constants: list[float] = field(default_factory=list)
    units: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add("Control", _CONTROL, (), len(self.controls))

    def control(self, name: str) -> Source:
        return 0, list(self.controls).index(name)

    def number(self, value: float) -> Source:
        if value not in self.constants:
            self.constants.append(value)
        return -1, self.constants.index(value)

    def add(self, kind: str, rate: int, inputs: Iterable[Source], outputs: int, special: int = 0) -> list[Source]:
        """Append a unit generator and return its outputs."""
        wired = list(inputs)
        unit = _text(kind) + struct.pack(">biih", rate, len(wired), outputs, special)
        self.units.append(unit + b"".join(struct.pack(">ii", *source) for source in wired) + bytes([rate]) * outputs)
        return [(len(self.units) - 1, channel) for channel in range(outputs)]

    def smooth(self, name: str) -> Source:
        return self.add("Lag", _CONTROL, (self.control(name), self.number(_LAG_S)), 1)[0]

    def times(self, channels: Sequence[Source], gain: Source) -> list[Source]:
        return [self.add("BinaryOpUGen", _AUDIO, (channel, gain), 1, _TIMES)[0] for channel in channels]

    def bytes(self) -> bytes:
        """Return the file."""
        made = [b"SCgf", struct.pack(">ih", 2, 1), _text(self.name)]
        made += [struct.pack(f">i{len(self.constants)}f", len(self.constants), *self.constants)]
        made += [struct.pack(f">i{len(self.controls)}f", len(self.controls), *self.controls.values())]
        made += [struct.pack(">i", len(self.controls))]
        made += [_text(name) + struct.pack(">i", index) for index, name in enumerate(self.controls)]
        made += [struct.pack(">i", len(self.units)), *self.units, struct.pack(">h", 0)]
        return b"".join(made)


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _stem() -> bytes:
    graph = _Graph("stem", {"buffer": 0, "rate": 1, "gain": 1, "bus": FIRST_BUS})
    zero, one = graph.number(0), graph.number(1)
    # Buffer, rate, trigger, start, loop, what is done at the end.
    sound = graph.add("PlayBuf", _AUDIO, (graph.control("buffer"), graph.control("rate"), one, zero, one, zero), 2)
    graph.add("Out", _AUDIO, (graph.control("bus"), *graph.times(sound, graph.smooth("gain"))), 0)
    return graph.bytes()


def _deck(eq: bool) -> bytes:
    graph = _Graph("deck", {"bus": FIRST_BUS, "cross": 1, **_EQ_DB})
    sound = graph.add("In", _AUDIO, (graph.control("bus"),), 2)
    for kind, hz, name in _EQ if eq else ():
        fixed = (graph.number(hz), graph.number(1), graph.control(name))
        sound = [graph.add(kind, _AUDIO, (channel, *fixed), 1)[0] for channel in sound]
    graph.add("Out", _AUDIO, (graph.number(0), *graph.times(sound, graph.smooth("cross"))), 0)
    return graph.bytes()


def _message(address: str, *arguments: object) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    made: bytes = builder.build().dgram
    return made


def _bundle(at_s: float, messages: Iterable[bytes]) -> bytes:
    """Return a bundle for `at_s`, with its length before it, as a score holds it."""
    stamp = struct.pack(">II", int(at_s), int(at_s % 1 * 2**32))
    body = b"#bundle\0" + stamp + b"".join(struct.pack(">i", len(one)) + one for one in messages)
    return struct.pack(">i", len(body)) + body


def _score(seconds: float, files: Sequence[Sequence[Path]], rate: float, eq: bool) -> bytes:
    stems = [path for deck in files for path in deck]
    load = [_message("/d_recv", _stem()), _message("/d_recv", _deck(eq))]
    load += [_message("/b_allocRead", number, str(path)) for number, path in enumerate(stems)]
    begin = []
    for number, deck in enumerate(files):
        bus = FIRST_BUS + 2 * number
        begin.append(_message("/s_new", "deck", 2000 + number, 1, 0, "bus", bus))
        for which in range(len(deck)):
            buffer = number * len(deck) + which
            begin.append(
                _message("/s_new", "stem", 1000 + buffer, 0, 0, "buffer", buffer, "rate", rate, "gain", 0.8, "bus", bus)
            )
    made = [_bundle(0.0, load), _bundle(0.0, begin)]
    for move in range(1, int(seconds / MOVE_S)):
        at_s = move * MOVE_S
        cross = 0.5 + 0.5 * np.sin(0.7 * at_s)
        turns = [
            _message("/n_set", 2000 + number, "cross", float(np.cos((cross - number % 2) * np.pi / 2)))
            for number in range(len(files))
        ]
        turns.append(_message("/n_set", 1001, "gain", 0.5 + 0.5 * float(np.cos(1.1 * at_s))))
        made.append(_bundle(at_s, turns))
    made.append(_bundle(seconds, [_message("/c_set", 0, 0.0)]))
    return b"".join(made)


def measure(decks: int, stems: int, rate: float, block: int, seconds: float, *, eq: bool, rounds: int) -> float:
    """Return how many times faster than real time scsynth renders `decks` x `stems` of noise. Raises RuntimeError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = []
        for deck in range(decks):
            noise = np.random.default_rng(deck)
            files.append([folder / f"{deck}-{stem}.wav" for stem in range(stems)])
            for path in files[-1]:
                sound = 0.1 * noise.standard_normal((int(STEM_S * RATE), 2), np.float32)
                soundfile.write(path, sound, RATE, subtype="FLOAT")
        least = {length: float("inf") for length in (SHORT_S, SHORT_S + seconds)}
        for _ in range(rounds):
            for length in least:
                least[length] = min(least[length], _render(folder, _score(length, files, rate, eq), block))
        short_s, long_s = least.values()
        return seconds / (long_s - short_s)


def _render(folder: Path, score: bytes, block: int) -> float:
    """Render a score and return the processor's seconds in scsynth's own code, the system's left out."""
    (folder / "score").write_bytes(score)
    command = ["scsynth", "-N", "score", "_", "out.wav", str(RATE), "WAV", "float", "-i", "0", "-o", "2"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [*command, "-z", str(block), "-m", "65536"], cwd=folder, capture_output=True, text=True, check=False
    )
    taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    if done.returncode or "FAILURE" in done.stdout or not soundfile.read(folder / "out.wav")[0].any():
        raise RuntimeError(f"scsynth did not render: {done.stdout[-300:]}{done.stderr[-300:]}")
    return taken
