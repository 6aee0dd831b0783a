"""What a reference decode is, as the importer reports it.

Owner: the decoder child that made it; frozen.
Units: frames at the reference's rate; `gain` is a power of two: sample value = stored value x gain.
"""

from pathlib import Path
from typing import Final

import msgspec

REFERENCE_NAME: Final = "reference.flac"
WAVEFORM_NAME: Final = "waveform.bin"


class Reference(msgspec.Struct, frozen=True):
    """What a decode made, and what it learnt on the way."""

    #: Length in frames at `rate`.
    frames: int
    #: 44100 or 48000 Hz.
    rate: int
    #: Power of two by which stored samples are multiplied.
    gain: float
    #: Channels of the file; the reference is always stereo.
    channels_in: int
    #: Sample rate of the file in Hz.
    rate_in: int
    #: Short name of the codec, for people: `mp3`, `aac`, `flac`, `pcm_s24le`...
    codec: str
    #: Hash of the reference's samples, gain and rate: the same audio twice has the same.
    sha256: str
    #: Largest sample, linear; may pass 1.
    peak: float
    #: Length in seconds.
    duration: float
    #: True when the file ends, or turns unreadable, before its own header says it should.
    truncated: bool = False
    #: Sentences for the performer about what was wrong with the file and was mended.
    warnings: tuple[str, ...] = ()
    #: Samples that were not finite and are silence now.
    not_finite: int = 0
    #: Where the files are.
    path: Path = Path()
    waveform: Path = Path()
