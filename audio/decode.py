"""The canonical decode: a file becomes `reference.flac` and `waveform.bin`, in one pass (two when it is loud).

Owner: the decoder child. Memory is bounded by a few blocks plus the overview.
Units: frames at the reference's rate.

    file -> stream -> finite -> fold to stereo -> resample -> 24-bit FLAC + hash
                                                          '-> overview, peak
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile

from audio.errors import AudioError, NotAudio, StorageFull, TooLong
from audio.files import is_full, sync_folder, write_durably
from audio.flac import FlacWriter, gain_for
from audio.fold import fold
from audio.reference import REFERENCE_NAME, WAVEFORM_NAME, Reference
from audio.resample import Resampler, resampler
from audio.streams import BLOCK_FRAMES, Stream, open_stream
from audio.waveform import WaveformBuilder

Float32 = npt.NDArray[np.float32]

LONGEST_S: Final = 12 * 3600
RATE_RANGE: Final = (1_000, 768_000)
LOUDEST: Final = 65_536.0
"""Samples beyond this are clipped: no recording is meant so, and gains stay sane."""

_SLACK_S: Final = 0.1
"""A file may be this much shorter than promised (last MP3 or AAC frames) without being called truncated."""


def reference_rate(rate_in: int) -> int:
    """Return the reference rate for material at `rate_in`: 44.1 kHz for its family, else 48 kHz."""
    return 44_100 if rate_in % 11_025 == 0 else 48_000


def decode(path: Path, out_dir: Path) -> Reference:
    """Decode `path` into `out_dir`; both files appear, or neither.

    Raises: NotAudio, TooLong, StorageFull, AudioError.
    """
    making = out_dir / f".{REFERENCE_NAME}.making", out_dir / f".{WAVEFORM_NAME}.making"
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        first = _Pass(path, making[0], 1.0)
        result, overview = first.run()
        if result is None:
            second = _Pass(path, making[0], gain_for(first.peak))
            result, overview = second.run()
        if result is None:
            raise AudioError(f"{path.name} gives another signal each time it is decoded")
        write_durably(making[1], overview)
        final = out_dir / REFERENCE_NAME, out_dir / WAVEFORM_NAME
        making[1].replace(final[1])
        making[0].replace(final[0])
        sync_folder(out_dir)
    except OSError as fault:
        if is_full(fault):
            raise StorageFull() from fault
        raise AudioError(f"{path.name} could not be imported: {fault.strerror}") from fault
    finally:
        for leftover in making:
            leftover.unlink(missing_ok=True)
    return msgspec.structs.replace(result, path=final[0], waveform=final[1])


class _Pass:
    """One run through the file at a given gain; it stops writing, and only measures, when a peak passes the gain."""

    def __init__(self, path: Path, out: Path, gain: float) -> None:
        self._path, self._out, self._gain = path, out, gain
        self.peak = 0.0
        self._not_finite = 0
        self._clipped = 0

    def run(self) -> tuple[Reference | None, bytes]:
        """Return the reference, None when a peak passed the gain, and the overview."""
        stream = open_stream(self._path)
        try:
            return self._run(stream)
        finally:
            stream.close()

    def _run(self, stream: Stream) -> tuple[Reference | None, bytes]:
        name = self._path.name
        if not RATE_RANGE[0] <= stream.rate <= RATE_RANGE[1]:
            raise NotAudio(f"{name} is not usable audio: its sample rate is {stream.rate} Hz")
        rate = stream.rate if stream.rate in (44_100, 48_000) else reference_rate(stream.rate)
        try:
            change = resampler(stream.rate, rate)
        except ValueError as fault:
            raise NotAudio(f"{name} is not usable audio: its sample rate is {stream.rate} Hz") from fault
        counted = [0]
        writer = FlacWriter(self._out, rate, self._gain)
        overview = WaveformBuilder(rate)
        fits = True
        try:
            for block in resampled(self._stereo(stream, counted), change):
                self.peak = max(self.peak, float(np.max(np.abs(block))))
                if gain_for(self.peak) > self._gain:
                    fits = False
                    continue
                writer.write(block)
                overview.add(block)
                if writer.frames > LONGEST_S * rate:
                    raise TooLong()
            if not counted[0]:
                raise NotAudio(f"{name} has no sound in it: its length is zero")
            if not fits:
                return None, b""
            writer.close()
        finally:
            writer.abandon()
        if soundfile.info(str(self._out)).frames != writer.frames:
            raise StorageFull()
        short = stream.promised is not None and stream.promised - counted[0] > _SLACK_S * stream.rate
        reference = Reference(
            frames=writer.frames,
            rate=rate,
            gain=self._gain,
            channels_in=stream.channels,
            rate_in=stream.rate,
            codec=stream.codec,
            sha256=writer.sha256,
            peak=self.peak,
            duration=writer.frames / rate,
            truncated=short or stream.fault is not None,
            warnings=self._warnings(stream, counted[0], short),
            not_finite=self._not_finite,
        )
        return reference, overview.finish()

    def _stereo(self, stream: Stream, counted: list[int]) -> Iterator[Float32]:
        for block in stream.blocks():
            counted[0] += len(block)
            if counted[0] > LONGEST_S * stream.rate:
                raise TooLong()
            if not np.isfinite(block).all():
                self._not_finite += int(np.count_nonzero(~np.isfinite(block)))
                block = np.nan_to_num(block, copy=True, nan=0.0, posinf=0.0, neginf=0.0)
            two = fold(block, stream.layout)
            if two.size and float(np.max(np.abs(two))) > LOUDEST / 2:
                self._clipped += int(np.count_nonzero(np.abs(two) > LOUDEST / 2))
                two = np.clip(two, -LOUDEST / 2, LOUDEST / 2)
            yield two

    def _warnings(self, stream: Stream, frames: int, short: bool) -> tuple[str, ...]:
        name, found = self._path.name, []
        if short or stream.fault:
            length = f"{frames / stream.rate:.1f} s"
            if stream.promised and stream.promised > frames:
                length += f" of {stream.promised / stream.rate:.1f} s"
            why = stream.fault or "the file ends before its header says it should"
            found.append(f"{name} is damaged or cut short ({why}): {length} could be read")
        if self._not_finite:
            found.append(f"{name} holds {self._not_finite} samples that are not numbers: they are silent now")
        if self._clipped:
            found.append(f"{name} holds {self._clipped} samples of absurd size: they are clipped now")
        return tuple(found)


def resampled(blocks: Iterator[Float32], change: Resampler) -> Iterator[Float32]:
    """Yield the stream at the resampler's other rate; equals resampling the whole, whatever the blocks are."""
    if change.identity:
        yield from (block for block in blocks if len(block))
        return
    held: Float32 = np.zeros((0, 2), np.float32)
    base = total = done = 0

    def render(stop: int) -> Float32:
        return change.resample_range(lambda a, b: held[a - base : b - base], total, done, stop)

    for block in blocks:
        held = np.concatenate((held, block))
        total += len(block)
        if total - base < BLOCK_FRAMES // 4:
            continue
        # The last output whose whole window has arrived.
        ready = max(done, (total - change.context - 1) * change.up // change.down)
        if ready > done:
            yield render(ready)
            done = ready
            keep = max(0, change.needs(done, done + 1)[0])
            held, base = held[keep - base :], keep
    stop = change.frames_out(total)
    while done < stop:
        part = min(stop, done + BLOCK_FRAMES)
        yield render(part)
        done = part
