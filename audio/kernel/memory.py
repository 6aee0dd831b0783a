"""Reading slots: what is ready, and frames that may be touched.

Owner: the slot's audio belongs to KernelHost, its readiness bytes to whoever fills the audio (data first, then the
byte). A frame is read only when the byte of its chunk is 1 and it lies inside the slot; anything else counts as 0.
Units: frames at the engine rate.
"""

from typing import Any, Final

import numpy as np

from audio.commands import CHUNK_FRAMES
from audio.kernel.atomics import float_at, load_acquire_byte, put_float
from audio.kernel.compiled import Single, compiled
from audio.kernel.sinc import interpolate

_SILENCE: Final = np.float32(0.0)


@compiled
def put_slot(slot: Any, given: Any) -> None:
    """Let `slot` name what `given` names."""
    slot.audio = given.audio
    slot.ready = given.ready
    slot.frames = given.frames
    slot.chunks = given.chunks


@compiled
def is_ready(slot: Any, first: int, last: int) -> bool:
    """Say whether all frames `first` to `last` (cut to the slot) may be read.

    Pre: last - first is bounded by the caller (a few chunks).
    """
    low = max(first, 0)
    high = min(last, slot.frames - 1)
    chunk = low // CHUNK_FRAMES
    while chunk * CHUNK_FRAMES <= high:
        if chunk >= slot.chunks or load_acquire_byte(slot.ready + chunk) != 1:
            return False
        chunk += 1
    return True


@compiled
def ready_ahead(slot: Any, index: int, forwards: bool, limit: int) -> int:
    """Return how many frames from `index` on, in the direction of travel, may be read; at most `limit`.

    The ends of the slot do not count: beyond them is silence, which is always ready.
    """
    if forwards:
        at = max(index, 0)
        while at < min(index + limit, slot.frames):
            chunk = at // CHUNK_FRAMES
            if chunk >= slot.chunks or load_acquire_byte(slot.ready + chunk) != 1:
                return at - index
            at = (chunk + 1) * CHUNK_FRAMES
        return limit
    at = min(index, slot.frames - 1)
    while at > index - limit and at >= 0:
        chunk = at // CHUNK_FRAMES
        if chunk >= slot.chunks or load_acquire_byte(slot.ready + chunk) != 1:
            return index - at
        at = chunk * CHUNK_FRAMES - 1
    return limit


@compiled
def may_read(slot: Any, first: int, last: int) -> bool:
    """Say whether all frames `first` to `last` are inside the slot and ready."""
    return first >= 0 and last < slot.frames and is_ready(slot, first, last)


@compiled
def frame_at(slot: Any, index: int) -> tuple[Single, Single]:
    """Return left and right of one frame, 0 where it may not be read."""
    if index < 0 or index >= slot.frames:
        return _SILENCE, _SILENCE
    chunk = index // CHUNK_FRAMES
    if chunk >= slot.chunks or load_acquire_byte(slot.ready + chunk) != 1:
        return _SILENCE, _SILENCE
    return float_at(slot.audio, 2 * index), float_at(slot.audio, 2 * index + 1)


@compiled
def between_frames(slot: Any, index: int, width: int, weights: int, gathered: int) -> tuple[Single, Single]:
    """Return left and right at a place after `index`, from the doubled weights at `weights`.

    Frames that may not be read count as 0. `gathered`: address of room for 2 x width float32.
    """
    first = index - width // 2 + 1
    if may_read(slot, first, first + width - 1):
        return interpolate(slot.audio + 8 * first, weights, width)
    for tap in range(width):
        left, right = frame_at(slot, first + tap)
        put_float(gathered, 2 * tap, left)
        put_float(gathered, 2 * tap + 1, right)
    return interpolate(gathered, weights, width)
