"""What an audio device or the null timer needs of the kernel: addresses to call, and the loop that calls them.

Owner: the engine; the addresses hold as long as it lives. Units: frames at the engine rate.
"""

from audio.host import KernelHost
from audio.outlet import Outlet


class Driver:
    """A kernel host seen from the device side. One caller at a time: a stream, or `run_null`."""

    def __init__(self, host: KernelHost) -> None:
        self._host = host
        #: Address of the PaStreamCallback, and of what it is given.
        self.callback_address = host.callback
        self.userdata_address = host.state_pointer
        # All of them for good: the thread of a driver that hangs may still call one.
        self._outlets: list[Outlet] = []

    @property
    def frame(self) -> int:
        """Frames rendered since the engine began."""
        return self._host.frame

    def outlet(self, rate: int) -> Outlet:
        """Return what a device that runs at `rate` Hz calls. Raises ValueError when it cannot be resampled to that."""
        made = Outlet(self._host, rate)
        self._outlets.append(made)
        return made

    def set_latency(self, frames: int) -> None:
        """Tell the clock how many frames lie between callback and output; the limiter's own come on top."""
        self._host.block["clock"]["latency_frames"] = frames + self._host.delay_frames

    def set_channels(self, channels: int) -> None:
        """Play on `channels` channels from now on; while nothing calls the kernel."""
        self._host.set_channels(channels)

    def set_input(self, channels: int, latency_frames: int) -> None:
        """Take input of `channels` channels, 0 for none, which comes `latency_frames` after what it was played to."""
        self._host.set_input(channels, latency_frames)

    def run_null(self, block: int) -> None:
        """Call the kernel on absolute deadlines until `stop_null`; holds no lock of Python's."""
        self._host.run_null(block)

    def stop_null(self) -> None:
        """Make `run_null` return within a block."""
        self._host.stop()
