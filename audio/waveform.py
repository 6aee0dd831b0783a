"""The overview that a page draws: peaks and three bands, fine and coarse, in one small file.

Owner: `WaveformBuilder` while the track is decoded; afterwards the file never changes.
Units: frames at the reference's rate. All numbers little-endian.

`waveform.bin`, version 1:

    offset  type      what
    0       4 bytes   magic "SFAW"
    4       uint16    version, 1
    6       uint16    size of this header, 56: records start there (40 before there were levels)
    8       uint32    rate in Hz
    12      uint32    frames in one fine bin (rate / 150; the last bin may be shorter)
    16      uint64    frames of the track
    24      uint32    fine bins
    28      uint32    fine bins in one coarse bin (the last may have fewer)
    32      uint32    coarse bins, at most 2000
    36      uint32    0, reserved
    40      float64   mean of the mono sum (left + right) / 2 over the whole track
    48      float64   its standard deviation: what a separation model wants to know before it hears the first second
    56      records   coarse bins, then fine bins

    a record, 5 bytes
    0       int8      lowest sample of both channels x 127, clipped at +-127
    1       int8      highest sample x 127
    2       uint8     low band (below 200 Hz): 255 x sqrt(RMS of the mono sum), clipped
    3       uint8     middle band, the same
    4       uint8     high band (above 2,500 Hz), the same
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from audio.compiler import njit
from audio.waveform_header import HEADER_BYTES, LEVELS, MAGIC, SIZES, VERSION

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

RECORD: Final = np.dtype([("low_peak", "i1"), ("high_peak", "i1"), ("low", "u1"), ("middle", "u1"), ("high", "u1")])
BINS_PER_SECOND: Final = 150
COARSE_BINS: Final = 2000
LOW_HZ: Final = 200.0
HIGH_HZ: Final = 2500.0


class WaveformBuilder:
    """Gather the overview while blocks stream by; memory grows by 20 bytes a bin, 33 MB for three hours.

    Not thread-safe.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._bin_frames = rate // BINS_PER_SECOND
        self._frames = 0
        self._state = np.zeros(6)
        self._rest: Float32 = np.zeros((0, 2), np.float32)
        self._bins: list[Float32] = []
        self._poles = np.array([1 - math.exp(-2 * math.pi * hz / rate) for hz in (LOW_HZ, HIGH_HZ)])

    def add(self, block: Float32) -> None:
        """Take the next frames (n, 2)."""
        self._frames += len(block)
        joined = np.concatenate((self._rest, block)) if len(self._rest) else block
        whole = len(joined) // self._bin_frames * self._bin_frames
        if whole:
            self._measure(joined[:whole])
        self._rest = joined[whole:].copy()

    def finish(self) -> bytes:
        """Return the file's bytes."""
        if len(self._rest):
            self._measure(self._rest)
            self._rest = self._rest[:0]
        fine = np.concatenate(self._bins) if self._bins else np.zeros((0, 5), np.float32)
        group = max(1, -(-len(fine) // COARSE_BINS))
        coarse = _grouped(fine, group)
        header = SIZES.pack(
            MAGIC,
            VERSION,
            HEADER_BYTES,
            self._rate,
            self._bin_frames,
            self._frames,
            len(fine),
            group,
            len(coarse),
            0,
        )
        return header + LEVELS.pack(*self._levels()) + _packed(coarse) + _packed(fine)

    def _levels(self) -> tuple[float, float]:
        total, squares = float(self._state[4]), float(self._state[5])
        mean = total / max(self._frames, 1)
        return mean, math.sqrt(max(squares - total * mean, 0.0) / max(self._frames - 1, 1))

    def _measure(self, block: Float32) -> None:
        bins = np.empty((-(-len(block) // self._bin_frames), 5), np.float32)
        _measure(np.ascontiguousarray(block), self._bin_frames, self._poles, self._state, bins)
        self._bins.append(bins)


def _grouped(fine: Float32, group: int) -> Float32:
    """Merge `group` neighbours: extremes of peaks, mean square of bands."""
    starts = np.arange(0, len(fine), group)
    if not len(starts):
        return fine
    counts = np.diff(np.append(starts, len(fine)))[:, None]
    merged = np.empty((len(starts), 5), np.float32)
    merged[:, 0] = np.minimum.reduceat(fine[:, 0], starts)
    merged[:, 1] = np.maximum.reduceat(fine[:, 1], starts)
    merged[:, 2:] = np.add.reduceat(fine[:, 2:], starts) / counts
    return merged


def _packed(bins: Float32) -> bytes:
    """Peaks and mean squares to records."""
    records = np.empty(len(bins), RECORD)
    records["low_peak"] = np.clip(np.floor(bins[:, 0] * 127), -127, 127)
    records["high_peak"] = np.clip(np.ceil(bins[:, 1] * 127), -127, 127)
    for column, name in enumerate(("low", "middle", "high"), start=2):
        # The root of the root mean square: quiet music stays visible in eight bits.
        records[name] = np.rint(255 * np.minimum(1.0, bins[:, column]) ** 0.25)
    return records.tobytes()


@njit(nogil=True, cache=True)
def _measure(block: Float32, bin_frames: int, poles: Float64, state: Float64, bins: Float32) -> None:
    """Pre: `state` holds two two-pole low-passes, a sum and a sum of squares.

    Post: one row a bin: peaks, then mean squares of the bands.
    """
    low_pole, high_pole = poles[0], poles[1]
    a, b, c, d = state[0], state[1], state[2], state[3]
    total, squares = state[4], state[5]
    for index in range(bins.shape[0]):
        start = index * bin_frames
        stop = min(start + bin_frames, block.shape[0])
        lowest = block[start, 0]
        highest = lowest
        low = 0.0
        middle = 0.0
        high = 0.0
        for frame in range(start, stop):
            left = block[frame, 0]
            right = block[frame, 1]
            lowest = min(lowest, left, right)
            highest = max(highest, left, right)
            mono = 0.5 * (np.float64(left) + right)
            total += mono
            squares += mono * mono
            a += low_pole * (mono - a)
            b += low_pole * (a - b)
            c += high_pole * (mono - c)
            d += high_pole * (c - d)
            low += b * b
            middle += (d - b) * (d - b)
            high += (mono - d) * (mono - d)
        count = stop - start
        bins[index, 0] = lowest
        bins[index, 1] = highest
        bins[index, 2] = low / count
        bins[index, 3] = middle / count
        bins[index, 4] = high / count
    state[0], state[1], state[2], state[3] = a, b, c, d
    state[4], state[5] = total, squares
