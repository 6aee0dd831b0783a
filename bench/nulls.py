"""The stems of a stretched deck against its mix, after minutes of changing speed.

    python -m bench nulls [MINUTES]

Two decks of the same song go through the same changes of speed and pitch, one as its stems and one as its mix, offline
and faster than real time. What is left of their difference after all that time says whether the stems have drifted
apart. Owner: the command line. Units: minutes; dB of the difference below the mix, over the last ten seconds.
"""

import time
from typing import Final

import numpy as np
import numpy.typing as npt

from audio.commands import CommandKind, command, join
from audio.host import KernelHost, SlotMemory

RATE: Final = 48_000
MINUTES: Final = 2.0
NULL_DB: Final = -100.0
HEARD_S: Final = 10.0
LOOP_S: Final = 40.0
"""Of song, round which the deck goes."""
STEMS: Final = 4


def main(minutes: float = MINUTES) -> int:
    """Print what is left."""
    begun = time.monotonic()
    left = sum_against_mix(minutes, 1)
    print(
        f"stems of a stretched deck against its mix, the last {HEARD_S:g} s of {minutes:g} min of changing speed and "
        f"pitch: {left:.1f} dB ({minutes * 60 / (time.monotonic() - begun):.0f} x real time for both)",
        flush=True,
    )
    return 0 if left < NULL_DB else 1


def sum_against_mix(minutes: float, seed: int) -> float:
    """Return the difference between stems and mix in dB of the mix, at the end of `minutes`."""
    parts = [_voice(seed * STEMS + number) for number in range(STEMS)]
    mix: npt.NDArray[np.float32] = np.add.reduce(parts, dtype=np.float32)
    frames = round(minutes * 60 * RATE)
    heard = []
    for source in (1, 0):
        host = KernelHost()
        host.load(0, 1, SlotMemory.whole(mix), 0, {slot: SlotMemory.whole(part) for slot, part in enumerate(parts)})
        end = len(mix) - 2 * RATE
        host.send(
            join([
                command(CommandKind.DECK_ASSIGN, a=1), command(CommandKind.DECK_KEYLOCK, a=1),
                command(CommandKind.DECK_SOURCE, a=source), command(CommandKind.LOOP_PUT, a=RATE, b=end),
                command(CommandKind.LOOP_ACTIVE, a=1), command(CommandKind.DECK_PLAY, a=1),
            ])
        )  # fmt: skip
        chance = np.random.default_rng(seed)
        tail = []
        while host.frame < frames:
            host.send(command(CommandKind.DECK_RATE, a=float(chance.uniform(0.6, 1.4))))
            if chance.random() < 0.1:
                host.send(command(CommandKind.DECK_PITCH, a=float(chance.uniform(-3.0, 3.0))))
            out = host.render(int(chance.integers(5_000, 20_000)))
            if host.frame > frames - HEARD_S * RATE:
                tail.append(out)
        heard.append(np.concatenate(tail).astype(np.float64))
    stems, whole = heard
    return 20.0 * float(np.log10(max((stems - whole).std(), 1e-12) / whole.std()))


def _voice(seed: int) -> npt.NDArray[np.float32]:
    """Return a stem of moving tones, on a coarse grid, so that the sum of stems is exact."""
    random = np.random.default_rng(seed)
    times = np.arange(round(LOOP_S * RATE)) / RATE
    sound = np.zeros((len(times), 2))
    for hz in random.uniform(60, 6000, 6):
        tremor = 0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(0.5, 4) * times)
        sound += (np.sin(2 * np.pi * hz * times + random.uniform(0, 6)) * tremor)[:, None] * random.uniform(0.3, 1, 2)
    coarse: npt.NDArray[np.float32] = (np.round(0.02 * sound * 2**16) / 2**16).astype(np.float32)
    return coarse
