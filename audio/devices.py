"""Who calls the kernel: an audio device, or a timer when there is none; one of them at any moment.

    auto / NAME --> device --lost--> next device --lost--> null timer --every few seconds--> the device again
                      '-- at another rate than the engine's: through an outlet, which resamples

Owner: the engine's loop; opening and closing happen in a worker thread, one at a time.
Units: rate in Hz, block in frames, seconds. The frame counter is the kernel's, so it goes on whoever calls.
"""

import threading
import time
from collections.abc import Callable
from itertools import product
from typing import Final, Protocol

from audio import portaudio
from audio.errors import AudioError, DeviceLost, FormatRejected
from audio.portaudio import AUTO, NULL
from audio.realtime import TIMER, ask_for_realtime
from audio.settings import RATES
from audio.units import CHANNELS, MOST_CHANNELS

STALL_S: Final = 0.5
"""A device whose frame counter stands still this long is lost."""

RETRY_S: Final = 5.0
"""How often a lost device is looked for again."""


class Callback(Protocol):
    """What a device calls, for a device that has another rate than the engine. `latency`: engine frames it adds to the
    output, `heard_late` to the input."""

    callback_address: int
    userdata_address: int
    latency: int
    heard_late: int


class Kernel(Protocol):
    """What drives sound: the host of the kernel."""

    callback_address: int
    userdata_address: int

    def run_null(self, block: int) -> None:
        """Call the kernel on absolute deadlines until `stop_null`; returns when stopped."""

    def stop_null(self) -> None:
        """Make `run_null` return within a block."""

    def outlet(self, rate: int) -> Callback:
        """Return what a device at `rate` Hz calls. Raises ValueError when there is no way to that rate."""

    def set_channels(self, channels: int) -> None:
        """Play on `channels` channels from now on; nothing calls the kernel meanwhile."""

    def set_input(self, channels: int, latency_frames: int) -> None:
        """Take input of `channels` channels, 0 for none, which comes `latency_frames` after what it was played to."""

    def set_latency(self, frames: int) -> None:
        """Tell the clock how many frames lie between callback and output."""

    @property
    def frame(self) -> int:
        """Frames rendered since the engine began."""


class NullOutput:
    """A compiled loop on absolute deadlines in a thread of its own; for machines and moments without a device."""

    name = "null"
    api = ""
    latency_s = 0.0
    source: str = ""

    def __init__(self, kernel: Kernel, block: int) -> None:
        self.realtime = False
        self._kernel = kernel
        self._thread = threading.Thread(target=self._run, args=(block,), name="null-output", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        self._kernel.stop_null()
        self._thread.join(timeout=5)
        if self._thread.is_alive():
            raise DeviceLost("the null output does not stop")

    def _run(self, block: int) -> None:
        self.realtime = ask_for_realtime(TIMER)
        self._kernel.run_null(block)


class DeviceOutput:
    """A PortAudio stream that calls the kernel, or what resamples for it."""

    realtime = True

    def __init__(
        self,
        kernel: Kernel,
        device: portaudio.Device,
        engine_rate: int,
        rate: int,
        block: int,
        channels: int,
        source: portaudio.Device | None = None,
    ) -> None:
        """Open `device` at `rate` Hz with `channels` channels, and `source` with it.

        Raises FormatRejected.
        """
        self.name, self.api = f"{device.name}, {device.api}", device.api
        kernel.set_channels(channels)
        callback, userdata, latency_s = kernel.callback_address, kernel.userdata_address, 0.0
        heard_late = 0
        if rate != engine_rate:
            try:
                outlet = kernel.outlet(rate)
            except ValueError as fault:
                raise FormatRejected(str(fault)) from fault
            callback, userdata = outlet.callback_address, outlet.userdata_address
            latency_s, heard_late = outlet.latency / engine_rate, outlet.heard_late
            self.name += f" at {rate} Hz"
        # Before the stream calls: how late it is is known only after.
        kernel.set_input(portaudio.heard_channels(source) if source is not None else 0, 0)
        self._stream = portaudio.Output(
            device, rate=rate, block=block, channels=channels, callback=callback, userdata=userdata, source=source
        )
        self.latency_s = self._stream.latency_s + latency_s
        #: What is heard, empty for nothing.
        self.source = source.name if source is not None else ""
        if source is not None:
            late = round(self._stream.round_trip_s * engine_rate) + heard_late
            kernel.set_input(portaudio.heard_channels(source), late)

    @property
    def active(self) -> bool:
        return self._stream.active

    def close(self) -> None:
        self._stream.close()


class DeviceKeeper:
    """Keep something calling the kernel. Methods block: call them from one worker thread at a time."""

    def __init__(
        self,
        kernel: Kernel,
        wanted: str,
        rate: int,
        block: int,
        say: Callable[[str], None],
        *,
        channels: int = 0,
        source: str = "",
    ) -> None:
        """`channels`: how many to play on, or 0 for as many as the device has; `source`: what is heard, if anything."""
        self._kernel, self.wanted, self._rate, self._block = kernel, wanted, rate, block
        self._channels, self._source = channels, source
        self.say = say
        self.output: NullOutput | DeviceOutput | None = None
        #: Times a device went away.
        self.losses = 0
        self._frame, self._moved_s, self._tried_s = -1, 0.0, 0.0
        #: The programming interface (JACK, ALSA...) whose driver hung at closing: not to be touched again.
        self._hung_api = ""

    @property
    def name(self) -> str:
        """Name of what calls the kernel now."""
        return self.output.name if self.output is not None else "none"

    def start(self) -> None:
        """Open the wanted device, or the null timer."""
        if self.wanted != NULL and self._open_device(first=True):
            return
        self._open_null()

    def check(self, now_s: float) -> None:
        """Notice a lost device and replace it; with the null timer in a device's place, look for the device again."""
        output = self.output
        if output is None:
            self._open_null()
            return
        if isinstance(output, NullOutput) and self.losses and now_s - self._tried_s > RETRY_S:
            self._try_again(now_s)
            return
        frame = self._kernel.frame
        if frame != self._frame:
            self._frame, self._moved_s = frame, now_s
        if output.active and now_s - self._moved_s < STALL_S:
            return
        self.say(f"audio device {output.name} went away: the music goes on")
        self.losses += 1
        self._close()
        self._tried_s = now_s
        if isinstance(output, NullOutput) or not self._open_device(first=False):
            self._open_null()

    def close(self) -> None:
        """Stop calling the kernel."""
        self._close()

    def _try_again(self, now_s: float) -> None:
        # PortAudio sees new devices only when it starts anew, which is safe here: no stream is open.
        self._tried_s = now_s
        if self._hung_api or not self._find():
            return
        self._close()
        if not self._open_device(first=False):
            self._open_null()

    def _find(self) -> list[portaudio.Device]:
        try:
            if not self._hung_api:
                portaudio.rescan()
            return [device for device in portaudio.choose(self.wanted) if device.api != self._hung_api]
        except Exception as fault:
            self.say(f"audio devices cannot be listed: {fault}")
            return []

    def _open_device(self, *, first: bool) -> bool:
        found = portaudio.choose(self.wanted) if first else self._find()
        if not found and first:
            what = "no output device was found" if self.wanted == AUTO else f"no output device is called {self.wanted}"
            reason = what if portaudio.available() else "the PortAudio library is missing"
            self.say(f"{reason}: the engine runs on a timer; the page can play the sound")
        return any(self._open(device, first) for device in found)

    def _open(self, device: portaudio.Device, first: bool) -> bool:
        """Open one device with the input that is wanted: at the engine rate, else at its own, else at any, with the
        channels wanted, or with two where it refuses more; without the input where that cannot be. Say so, and why one
        cannot be had."""
        refusals: list[str] = []
        source = portaudio.input_for(device, self._source) if self._source else None
        if self._source and source is None:
            self.say(f"no input for {device.name} is called {self._source}: nothing is heard")
        if source is not None and self._open_stream(device, source, refusals):
            return True
        if source is not None and refusals:
            self.say(f"nothing is heard: {refusals[0]}")
            refusals.clear()
        if self._open_stream(device, None, refusals):
            return True
        if first:
            self.say(refusals[0])
        return False

    def _open_stream(self, device: portaudio.Device, source: portaudio.Device | None, refusals: list[str]) -> bool:
        """Open a device, and an input with it or none; what is in the way goes to `refusals`."""
        channels = min(self._channels or device.usable_channels, max(CHANNELS, device.channels // 2 * 2))
        own = () if source is None else (round(source.rate),)
        rates = dict.fromkeys((self._rate, round(device.rate), *own, *RATES))
        for rate, count in product(rates, dict.fromkeys((channels, CHANNELS))):
            try:
                self._adopt(DeviceOutput(self._kernel, device, self._rate, rate, self._block, count, source))
            except FormatRejected as refused:
                refusals.append(str(refused))
                continue
            if rate != self._rate:
                self.say(f"{device.name} does not run at {self._rate} Hz: its sound is resampled to {rate} Hz")
            return True
        return False

    def _open_null(self) -> None:
        self._kernel.set_input(0, 0)
        self._kernel.set_channels(self._channels or MOST_CHANNELS)
        self._adopt(NullOutput(self._kernel, self._block))

    def _adopt(self, output: NullOutput | DeviceOutput) -> None:
        self.output = output
        self._kernel.set_latency(round(output.latency_s * self._rate))
        self._frame, self._moved_s = self._kernel.frame, time.monotonic()
        self._tried_s = self._moved_s

    def _close(self) -> None:
        output, self.output = self.output, None
        if output is None:
            return
        try:
            output.close()
        except AudioError as fault:
            self._hung_api = output.api
            self.say(f"{fault}: restart the engine to use it again")
