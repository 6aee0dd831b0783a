"""The kernel's output for a device that cannot run at the engine rate: what the device is given to call.

Owner: the engine; kept for as long as anything may call it. Units: rates in Hz; latency in engine frames.
"""

from typing import Final

import numpy as np

from audio.host import KernelHost
from audio.kernel.outlet import CALLBACK, OUTLET, ROOM, deliver
from audio.resample import Float32, resampler

_SPARE: Final = 2
"""Engine frames by which two pieces of the same length may differ."""


class Outlet:
    """A host's sound at another rate. One caller at a time: a stream, or `render`.

    Thread-safe: no. Realtime-safe: the callback is.
    """

    def __init__(self, host: KernelHost, rate: int) -> None:
        """`rate`: of the device. Raises ValueError when the two rates share no useful factor."""
        change = resampler(host.rate, rate)
        self._host, self._change = host, change
        self._record = record = np.zeros((), OUTLET)
        half = change.bank.shape[1] // 2
        record["state"], record["bank"] = host.state_pointer, change.bank.ctypes.data
        record["up"], record["down"], record["half"], record["rate"] = change.up, change.down, half, rate
        record["most"] = (ROOM - 2 * half - _SPARE) * change.up // change.down
        record["base"], record["held"] = 1 - half, half - 1
        if record["most"] < 1:
            raise ValueError(f"cannot resample from {host.rate} to {rate} Hz")
        #: Engine frames by which its sound is later than the host's own.
        self.latency = half
        #: Address of a PaStreamCallback, and of what it is given.
        self.callback_address = CALLBACK
        self.userdata_address = int(record.ctypes.data)

    def render(self, frames: int) -> Float32:
        """Return the next `frames` device frames, float32 (frames, channels)."""
        out = np.empty((frames, self._host.channels), np.float32)
        deliver(self.userdata_address, int(out.ctypes.data), frames)
        return out
