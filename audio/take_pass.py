"""A pass on disk: what was played along without a break, written down while it is played.

    OpenPass.append --> FOLDER/places.raw, sound.raw, pass.json --kept_pass--> Pass

So a long pass takes no memory, and one whose server dies is there up to its last look at the rings.
Owner: whoever makes takes, one writer a folder. Units: frames at the engine rate; places in track frames.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from audio.errors import AudioError
from audio.rings import PLACE

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_PLACES: Final = "places.raw"
_SOUND: Final = "sound.raw"
_LABEL: Final = "pass.json"
_SAME: Final = 2e-3
"""Pitches that are as near as this are one: three cents."""


class Label(msgspec.Struct, frozen=True):
    """What a pass was played along with: a track of the library, by id, at an engine rate in Hz."""

    track_id: str
    rate: int


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: `sound` (n, 2) was played while the track `token` was at `places` (n,), which grow, and was heard
    `pitch` times as high as it is."""

    token: int
    places: Float64
    sound: Float32
    pitch: float

    @property
    def speed(self) -> float:
        """The mean speed of the pass, in track frames a frame."""
        return float(self.places[-1] - self.places[0]) / max(1, len(self.places) - 1)

    @property
    def stretched(self) -> bool:
        """Whether the track was heard at another pitch than its speed gives it: keylock was on, or a pitch set."""
        return abs(self.pitch / max(self.speed, 1e-9) - 1.0) > _SAME


class OpenPass:
    """A pass that is being made. Thread-safe: no."""

    def __init__(self, folder: Path, label: Label) -> None:
        """Make `folder`, which is not there yet. Raises OSError."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.frames = 0
        (folder / _LABEL).write_bytes(msgspec.json.encode(label))
        self._places = (folder / _PLACES).open("wb", buffering=0)
        self._sound = (folder / _SOUND).open("wb", buffering=0)

    def append(self, told: npt.NDArray[Any], sound: Float32) -> None:
        """Add PLACE records (n,) and the sound (n, 2) that belongs to them. Raises OSError."""
        # A disk that fills up takes a part of a write, and refuses the next.
        for file, data in ((self._places, told), (self._sound, sound)):
            left = memoryview(np.ascontiguousarray(data).tobytes())
            while left:
                left = left[file.write(left) or 0 :]
        self.frames += len(told)

    def close(self) -> None:
        """Nothing more is played."""
        self._places.close()
        self._sound.close()


def label_of(folder: Path) -> Label:
    """Return what the pass in a folder was played along with. Raises AudioError where there is none."""
    try:
        return msgspec.json.decode((folder / _LABEL).read_bytes(), type=Label)
    except (OSError, msgspec.MsgspecError, ValueError) as fault:
        raise AudioError(f"{folder.name} holds no pass: {fault}") from fault


def kept_pass(folder: Path) -> Pass:
    """Return the pass in a folder, as far as both of its files go. Raises AudioError where there is none."""
    try:
        places, sound = (folder / _PLACES).read_bytes(), (folder / _SOUND).read_bytes()
    except OSError as fault:
        raise AudioError(f"{folder.name} holds no pass: {fault.strerror}") from fault
    frames = min(len(places) // PLACE.itemsize, len(sound) // 8)
    if frames == 0:
        raise AudioError(f"{folder.name} holds an empty pass")
    told = np.frombuffer(places, PLACE, frames)
    heard = np.frombuffer(sound, "<f4", 2 * frames).reshape(-1, 2)
    return Pass(int(told["token"][0]), told["place"].astype(np.float64), heard, float(np.median(told["pitch"])))
