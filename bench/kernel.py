"""How many times faster than real time the kernel renders, on one core: `python -m bench.kernel`.

Owner: whoever asks. The load: decks that play stems of noise at rate 1.0003 (every frame is interpolated), a
crossfader and a stem fader that move every 50 ms, blocks of 128 frames, meters and limiter on. Fully loaded: EQ and
filter of every deck and of every stem too, some of them moving, an echo and a reverb on every deck, and the limiter at
work. Prints one line a case, and where scsynth is installed what that does on the same graph.
Units: seconds of music per second of processor time.
"""

import sys
import time
from typing import Final

import numpy as np

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.render import render
from audio.kernel.sinc import WIDTH
from audio.units import EFFECT_UNITS
from bench import scsynth

BLOCK: Final = 128
RATE: Final = 1.0003
MOVE_S: Final = 0.05
SECONDS: Final = 20.0
ROUNDS: Final = 3
SCSYNTH_S: Final = 120.0
EQ_GAINS: Final = (0.71, 1.26, 0.63)
"""Gains of the deck's bands in the comparison, what `bench.scsynth` has in dB: -3, 2, -4."""


def make_host(
    decks: int, stems: int, rate: float, seconds: float, *, loaded: bool = False, eq: bool = False
) -> KernelHost:
    """Return a host whose first `decks` decks play `stems` stems each; `loaded` with all that the mixer has, `eq` with
    the EQ of the decks alone."""
    host = KernelHost(looks_ahead=True)
    frames = int((seconds + 5.0) * host.rate * rate)
    for deck in range(decks):
        noise = np.random.default_rng(deck)
        parts = {slot: SlotMemory.whole(0.1 * noise.standard_normal((frames, 2), np.float32)) for slot in range(stems)}
        host.load(deck, deck + 1, SlotMemory.whole(np.sum([part.audio for part in parts.values()], axis=0)), 0, parts)
        host.send(join([
            command(CommandKind.DECK_RATE, deck, a=rate),
            command(CommandKind.DECK_VOLUME, deck, a=0.8),
            command(CommandKind.DECK_PLAY, deck, a=1.0),
        ]))  # fmt: skip
        if loaded:
            host.send(everything(deck, stems))
        if eq:
            bands = [command(CommandKind.DECK_EQ, deck, band, a=gain) for band, gain in enumerate(EQ_GAINS)]
            host.send(join(bands))
    host.render(host.rate // 2)
    return host


def everything(deck: int, stems: int) -> Commands:
    """Return what puts the whole strip of a deck to work, and the master into its limiter."""
    kind = CommandKind
    return join([
        command(kind.DECK_TRIM, deck, a=2.0),
        *(command(kind.DECK_EQ, deck, band, a=1.2 - 0.1 * band) for band in range(3)),
        command(kind.DECK_FILTER, deck, a=0.2),
        *(command(kind.STEM_FILTER, deck, stem, a=-0.3) for stem in range(stems)),
        *(command(kind.STEM_EQ_HIGH, deck, stem, a=0.5) for stem in range(stems)),
        *(command(kind.FX_TYPE, deck, unit, a=unit) for unit in range(EFFECT_UNITS)),
        *(command(kind.FX_ON, deck, unit, a=1.0) for unit in range(EFFECT_UNITS)),
    ])  # fmt: skip


def moves(at_s: float, *, loaded: bool = False) -> Commands:
    """Return the hand movements at `at_s`; `loaded` with knobs of the strip among them."""
    knobs = [
        command(CommandKind.DECK_FILTER, 0, a=float(np.sin(0.9 * at_s))),
        command(CommandKind.DECK_EQ, 1, 0, a=1.0 + float(np.sin(1.3 * at_s))),
        command(CommandKind.STEM_FILTER, 2, 1, a=float(np.cos(0.8 * at_s))),
    ]
    return join([
        *(knobs if loaded else ()),
        command(CommandKind.CROSSFADER, a=float(np.sin(0.7 * at_s))),
        command(CommandKind.STEM_VOLUME, 0, 1, a=0.5 + 0.5 * float(np.cos(1.1 * at_s))),
    ])  # fmt: skip


def measure(
    decks: int, stems: int, rate: float = RATE, seconds: float = SECONDS, *, loaded: bool = False, eq: bool = False
) -> tuple[float, float]:
    """Return how many times faster than real time `decks` x `stems` render, and microseconds per block.

    What rendering takes is timed, with the commands that it takes in; that a Python program packs them is not.
    """
    best = 0.0
    for _ in range(ROUNDS):
        host = make_host(decks, stems, rate, seconds, loaded=loaded, eq=eq)
        out = np.zeros((BLOCK, host.channels), np.float32)
        state, target = host.state_pointer, int(out.ctypes.data)
        step = int(MOVE_S * host.rate) // BLOCK
        blocks = int(seconds * host.rate / BLOCK)
        taken = 0.0
        for first in range(0, blocks, step):
            host.send(moves(first * BLOCK / host.rate, loaded=loaded))
            begun = time.process_time()
            for _ in range(step):
                render(state, target, BLOCK)
            taken += time.process_time() - begun
        blocks = -(-blocks // step) * step
        best = max(best, blocks * BLOCK / host.rate / taken)
    return best, 1e6 * BLOCK / KernelHost().rate / best


def main() -> int:
    """Print the kernel's speed."""
    for decks, stems, rate in ((2, 4, RATE), (4, 4, RATE), (2, 4, 1.08), (2, 4, 1.0), (4, 6, 2.0)):
        factor, block_us = measure(decks, stems, rate)
        print(
            f"kernel: {decks} decks x {stems} stems, rate {rate:g}, block {BLOCK}: "
            f"{factor:.0f} x real time on one core, {block_us:.1f} us a block",
            flush=True,
        )
    factor, block_us = measure(4, 4, loaded=True)
    print(
        f"kernel, fully loaded: 4 decks x 4 stems, rate {RATE:g}, EQ and filter of all, "
        f"echo and reverb on each deck, limiter at work, "
        f"block {BLOCK}: {factor:.0f} x real time on one core, {block_us:.1f} us a block",
        flush=True,
    )
    _compare()
    return 0


def _compare() -> None:
    """Print the kernel's speed beside scsynth's, one measured right after the other."""
    if not scsynth.available():
        print("scsynth is not installed (Debian: supercollider-server): nothing to compare with")
        return
    for eq in (True, False):
        ours, _ = measure(2, 4, eq=eq)
        theirs = scsynth.measure(2, 4, RATE, BLOCK, SCSYNTH_S, eq=eq, rounds=ROUNDS)
        print(
            f"2 decks x 4 stems at rate {RATE}, gains, crossfade, {'three-band EQ' if eq else 'no EQ'}: "
            f"kernel {ours:.0f} x real time, {ours / theirs:.2f} times scsynth -N with {theirs:.0f} x; the kernel "
            f"interpolates over {WIDTH} frames (windowed sinc), scsynth over 4 (cubic); only the kernel has meters and "
            f"a limiter on",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
