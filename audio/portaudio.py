"""PortAudio, by way of sounddevice: the one file that knows either.

Owner: the engine's device keeper. The callback is compiled code; Python is never entered from it.
Units: rate in Hz, block in frames, latency in seconds.
"""

import functools
import threading
from dataclasses import dataclass
from typing import Any, Final

from audio.errors import DeviceLost, FormatRejected
from audio.units import CHANNELS, MOST_CHANNELS

AUTO: Final = "auto"
NULL: Final = "null"

MIXING: Final = ("default", "pulse", "pipewire", "dmix", "front", "surround", "microsoft sound mapper")
"""Parts of the names of devices that mix what they are given."""

CLOSE_S: Final = 0.4
"""A device that needs longer to close has hung."""


@dataclass(frozen=True, slots=True)
class Device:
    """An output that PortAudio offers."""

    index: int
    name: str
    api: str
    channels: int
    rate: float
    is_default: bool

    @property
    def usable_channels(self) -> int:
        """How many channels there are to play on, in pairs. A mixing device claims dozens and would fold all of them
        into two loudspeakers: it counts as stereo."""
        mixes = any(word in self.name.lower() for word in MIXING)
        return CHANNELS if mixes else min(MOST_CHANNELS, self.channels // 2 * 2)


@functools.cache
def _library() -> Any:
    """Return sounddevice, None where the PortAudio library is missing; `doctor` says so.

    Loaded when it is first needed: PortAudio joins JACK's graph and lists the devices as it loads, which an engine in
    standby should not do.
    """
    try:
        import sounddevice
    except OSError:
        return None
    return sounddevice


def available() -> bool:
    """Say whether the PortAudio library is there."""
    return _library() is not None


def rescan() -> None:
    """Look again for devices. Only while no stream is open."""
    sounddevice = _library()
    if sounddevice is not None:
        sounddevice._terminate()
        sounddevice._initialize()


def outputs() -> list[Device]:
    """Return the outputs with two channels or more, the default first."""
    sounddevice = _library()
    if sounddevice is None:
        return []
    apis = sounddevice.query_hostapis()
    defaults = {api["default_output_device"] for api in apis if api["default_output_device"] >= 0}
    best = sounddevice.default.device[1]
    found = [
        Device(
            index,
            str(entry["name"]),
            str(apis[entry["hostapi"]]["name"]),
            int(entry["max_output_channels"]),
            float(entry["default_samplerate"]),
            index == best,
        )
        for index, entry in enumerate(sounddevice.query_devices())
        if entry["max_output_channels"] >= CHANNELS
    ]
    return sorted(found, key=lambda device: (not device.is_default, device.index not in defaults, device.index))


def choose(wanted: str) -> list[Device]:
    """Return the devices to try for `wanted` (`auto` or part of a name, case ignored), best first."""
    found = outputs()
    if wanted == AUTO:
        return found
    exact = [device for device in found if device.name.lower() == wanted.lower()]
    part = [device for device in found if wanted.lower() in f"{device.name}, {device.api}".lower()]
    return exact + [device for device in part if device not in exact]


class Output:
    """An open output stream that calls compiled code.

    Thread-safe: no. Realtime-safe: the callback is; the methods are not.
    """

    def __init__(self, device: Device, *, rate: int, block: int, channels: int, callback: int, userdata: int) -> None:
        """Open and start, on the first `channels` channels. `callback`: address of a PaStreamCallback; `userdata`: the
        address it is given.

        Raises FormatRejected, with PortAudio's words, when the device refuses.
        """
        self.device = device
        sounddevice = _library()
        pointer = sounddevice._ffi.cast("PaStreamCallback*", callback)
        context = sounddevice._ffi.cast("void*", userdata)
        try:
            self._stream: Any = sounddevice._StreamBase(
                kind="output",
                samplerate=rate,
                blocksize=block,
                device=device.index,
                channels=channels,
                dtype="float32",
                latency="low",
                callback=pointer,
                userdata=context,
                wrap_callback=None,
            )
            self._stream.start()
        except sounddevice.PortAudioError as refused:
            raise FormatRejected(
                f"{device.name} refuses {channels} channels at {rate} Hz in blocks of {block}: {refused}"
            ) from refused

    @property
    def active(self) -> bool:
        """Whether the stream still runs."""
        return bool(self._stream.active)

    @property
    def latency_s(self) -> float:
        """Seconds from the callback to the output, as the device says."""
        return float(self._stream.latency)

    def close(self) -> None:
        """Stop and close. Raises DeviceLost when the device is beyond that; it is left alone then, for good."""
        # PortAudio waits ten minutes for a JACK server that has died, so somebody else does the waiting.
        closer = threading.Thread(target=self._close, name="close-device", daemon=True)
        closer.start()
        closer.join(timeout=CLOSE_S)
        if closer.is_alive():
            raise DeviceLost(f"{self.device.name} does not answer any more")

    def _close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)
