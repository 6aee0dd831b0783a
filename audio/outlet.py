"""The kernel for a device that cannot run at the engine rate: what the device is given to call, to play and to hear.

Owner: the engine; kept for as long as anything may call it. Units: rates in Hz; latency in engine frames.
"""

from typing import Final

import numpy as np

from audio.host import KernelHost
from audio.kernel.inlet import INLET
from audio.kernel.outlet import CALLBACK, OUTLET, ROOM, deliver
from audio.resample import Float32, resampler

_SPARE: Final = 2
"""Engine frames by which two pieces of the same length may differ."""

_PIECE: Final = 4096
"""Device frames that are made in one piece, at most: as many fit into what the input keeps."""


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
        back = resampler(rate, host.rate)
        back_half = back.bank.shape[1] // 2
        # Whatever the outlet renders ahead has to be heard before.
        late = -(-half * rate // host.rate) + back_half + 1
        self._back, self._inlet = back, np.zeros((), INLET)
        inlet = self._inlet
        inlet["bank"], inlet["up"], inlet["down"], inlet["half"] = back.bank.ctypes.data, back.up, back.down, back_half
        inlet["base"], inlet["held"] = 1 - back_half, back_half - 1 + late
        record["inlet"] = inlet.ctypes.data
        record["most"] = (ROOM - 2 * half - _SPARE) * change.up // change.down
        record["base"], record["held"] = 1 - half, half - 1
        record["most"] = min(_PIECE, int(record["most"]))
        if record["most"] < 1:
            raise ValueError(f"cannot resample from {host.rate} to {rate} Hz")
        #: Engine frames by which its sound is later than the host's own.
        self.latency = half
        #: By how much what it hears is later than the device's own input: in its frames, and in the engine's.
        self.silence = late
        self.heard_late = round(late * host.rate / rate)
        #: Address of a PaStreamCallback, and of what it is given.
        self.callback_address = CALLBACK
        self.userdata_address = int(record.ctypes.data)

    def render(self, frames: int, heard: Float32 | None = None) -> Float32:
        """Return the next `frames` device frames, float32 (frames, channels); `heard`, float32 (frames, input
        channels), is what the device heard meanwhile."""
        out = np.empty((frames, self._host.channels), np.float32)
        source = None if heard is None else np.ascontiguousarray(heard, np.float32)
        deliver(self.userdata_address, 0 if source is None else source.ctypes.data, int(out.ctypes.data), frames)
        return out
