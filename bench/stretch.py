"""What keylock costs: the stretcher's and the kernel's share of one core, `python -m bench.stretch`.

Owner: whoever asks. The load: one deck of noise whose stems and mix are stretched, 10 s of music, in step. Prints one
line a case: the part of a core that the stretcher takes, the kernel's share with and without it, and the memory of its
line.
Units: seconds of processor time per second of music.
"""

import sys
import time
from typing import Final

import numpy as np

from audio.commands import CommandKind, command, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.render import render
from audio.stretcher import STEP_FRAMES

SECONDS: Final = 10.0
LEAD_S: Final = 0.5


def make_host(stems: int, speed: float, semitones: float, keylock: bool) -> KernelHost:
    """Return a host whose first deck plays `stems` stems, or the mix alone."""
    host = KernelHost()
    frames = int((SECONDS + 2.0) * host.rate * speed)
    random = np.random.default_rng(1)
    parts = {slot: SlotMemory.whole(0.1 * random.standard_normal((frames, 2), np.float32)) for slot in range(stems)}
    mix = np.zeros((frames, 2), np.float32)
    for part in parts.values() or [SlotMemory.whole(0.1 * random.standard_normal((frames, 2), np.float32))]:
        mix += part.audio
    host.load(0, 1, SlotMemory.whole(mix), 0, parts)
    host.send(join([
        command(CommandKind.DECK_RATE, 0, a=speed),
        command(CommandKind.DECK_KEYLOCK, 0, a=float(keylock)),
        command(CommandKind.DECK_PITCH, 0, a=semitones),
        command(CommandKind.DECK_PLAY, 0, a=1.0),
    ]))  # fmt: skip
    host.render(int(LEAD_S * host.rate))
    return host


def measure(host: KernelHost) -> tuple[float, float, float]:
    """Return the share of a core that stretcher and kernel take, and the longest step in milliseconds."""
    out = np.zeros((STEP_FRAMES, 2), np.float32)
    address = int(out.ctypes.data)
    stretching = rendering = longest = 0.0
    for _ in range(int(SECONDS * host.rate) // STEP_FRAMES):
        begun = time.thread_time()
        host.stretchers.step()
        stepped = time.thread_time()
        render(host.state_pointer, address, STEP_FRAMES)
        stretching += stepped - begun
        rendering += time.thread_time() - stepped
        longest = max(longest, stepped - begun)
    return stretching / SECONDS, rendering / SECONDS, 1e3 * longest


def main() -> int:
    """Print the load."""
    for stems, speed, semitones in ((0, 1.05, 0.0), (4, 1.05, 0.0), (4, 1.05, 2.0), (8, 1.05, 0.0), (4, 4.0, 0.0)):
        plain = measure(make_host(stems, speed, 0.0, False))[1]
        host = make_host(stems, speed, semitones, True)
        stretching, rendering, longest_ms = measure(host)
        line_mib = host.stretchers.lines[0].nbytes / 2**20
        print(
            f"stretch: mix and {stems} stems ({2 + 2 * stems} channels), speed {speed:g}, {semitones:+g} semitones: "
            f"{stretching:.3f} of a core, longest step {longest_ms:.1f} ms; kernel {rendering:.4f} "
            f"(without keylock {plain:.4f}); {line_mib:.1f} MiB a deck",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
