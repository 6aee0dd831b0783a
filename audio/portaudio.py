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
    """An output or input that PortAudio offers; `channels` of output, `inputs` of input."""

    index: int
    name: str
    api: str
    channels: int
    rate: float
    is_default: bool
    inputs: int = 0

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
    defaults = {api["default_output_device"] for api in sounddevice.query_hostapis()}
    found = [device for device in _devices(sounddevice, sounddevice.default.device[1]) if device.channels >= CHANNELS]
    return sorted(found, key=lambda device: (not device.is_default, device.index not in defaults, device.index))


def input_for(device: Device, wanted: str) -> Device | None:
    """Return the input to open together with an output: `auto` takes the same device where it hears, else the default
    input of its programming interface; otherwise part of a name, case ignored. None where there is none.

    PortAudio joins only devices of one programming interface.
    """
    sounddevice = _library()
    if sounddevice is None:
        return None
    usual = {api["default_input_device"] for api in sounddevice.query_hostapis()}
    found = [one for one in _devices(sounddevice, -1) if one.inputs > 0 and one.api == device.api]
    if wanted != AUTO:
        return next((one for one in found if wanted.lower() in one.name.lower()), None)
    found.sort(key=lambda one: (one.index != device.index, one.index not in usual))
    return found[0] if found and (found[0].index == device.index or found[0].index in usual) else None


def _devices(sounddevice: Any, best: int) -> list[Device]:
    apis = sounddevice.query_hostapis()
    return [
        Device(
            index,
            str(entry["name"]),
            str(apis[entry["hostapi"]]["name"]),
            int(entry["max_output_channels"]),
            float(entry["default_samplerate"]),
            index == best,
            int(entry["max_input_channels"]),
        )
        for index, entry in enumerate(sounddevice.query_devices())
    ]


def choose(wanted: str) -> list[Device]:
    """Return the devices to try for `wanted` (`auto` or part of a name, case ignored), best first."""
    found = outputs()
    if wanted == AUTO:
        return found
    exact = [device for device in found if device.name.lower() == wanted.lower()]
    part = [device for device in found if wanted.lower() in f"{device.name}, {device.api}".lower()]
    return exact + [device for device in part if device not in exact]


def heard_channels(source: Device) -> int:
    """Return how many channels of an input are taken: one or two."""
    return min(CHANNELS, source.inputs)


class Output:
    """An open stream that calls compiled code: of an output, or of an output and an input together.

    Thread-safe: no. Realtime-safe: the callback is; the methods are not.
    """

    def __init__(
        self,
        device: Device,
        *,
        rate: int,
        block: int,
        channels: int,
        callback: int,
        userdata: int,
        source: Device | None = None,
    ) -> None:
        """Open and start, on the first `channels` channels, and those of `source` that `heard_channels` says.
        `callback`: address of a PaStreamCallback; `userdata`: the address it is given.

        Raises FormatRejected, with PortAudio's words, when the device refuses.
        """
        self.device = device
        sounddevice = _library()
        pointer = sounddevice._ffi.cast("PaStreamCallback*", callback)
        context = sounddevice._ffi.cast("void*", userdata)
        try:
            self._stream: Any = sounddevice._StreamBase(
                kind="output" if source is None else "duplex",
                samplerate=rate,
                blocksize=block,
                device=device.index if source is None else (source.index, device.index),
                channels=channels if source is None else (heard_channels(source), channels),
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
        return self._latencies()[1]

    @property
    def round_trip_s(self) -> float:
        """Seconds from the callback to the output and from the input to the callback, as the device says."""
        return sum(self._latencies())

    def _latencies(self) -> tuple[float, float]:
        """Return the latency of the input, 0 without one, and of the output."""
        told = self._stream.latency
        return (float(told[0]), float(told[1])) if isinstance(told, tuple) else (0.0, float(told))

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
