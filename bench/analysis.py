"""Analysis of four minutes on one core: ratio to real time, beside plain librosa, feature by feature, in the same run.

Owner: `make bench`. Both sides are warm (imports and compiled code are there); the sound is a demo song, repeated.
Targets (design section 10): basic set <= 2 s, everything <= 12 s.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from audio.units import MODEL_RATE
from pipeline import songs
from pipeline.analysis.features import FEATURES
from pipeline.analysis.track import analyse
from pipeline.pcm import Audio

_SECONDS: Final = 240
_ROUNDS: Final = 3


def main() -> None:
    """Print the numbers."""
    from threadpoolctl import threadpool_limits

    mix = songs.render(songs.COPPER_LINE).mix
    frames = _SECONDS * MODEL_RATE
    four: Audio = np.tile(mix, (1, -(-frames // mix.shape[1])))[:, :frames]
    with threadpool_limits(1):
        _ours(four)
        _librosa(four)


def _best(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _ours(four: Audio) -> None:
    analyse(four[:, : 20 * MODEL_RATE], MODEL_RATE, ["all"])
    for wanted in ((), ("all",), *((name,) for name in FEATURES if name != "all")):
        took = _best(lambda wanted=wanted: analyse(four, MODEL_RATE, wanted))  # type: ignore[misc]
        name = {(): "basic set", ("all",): "everything"}.get(wanted, " ".join(wanted) + " alone")
        print(f"   {name}: {took:.2f} s, {_SECONDS / took:.0f} x real time")


def _librosa(four: Audio) -> None:
    import librosa

    mono = four.mean(axis=0)
    parts: dict[str, Callable[..., Any]] = {
        "tempo": librosa.beat.beat_track, "key (chroma)": librosa.feature.chroma_stft,
        "energy (rms)": librosa.feature.rms,
        "centroid": librosa.feature.spectral_centroid, "rolloff": librosa.feature.spectral_rolloff,
        "zero crossings": librosa.feature.zero_crossing_rate, "bandwidth": librosa.feature.spectral_bandwidth,
        "contrast": librosa.feature.spectral_contrast, "flatness": librosa.feature.spectral_flatness,
        "mfcc": librosa.feature.mfcc,
    }  # fmt: skip
    total = 0.0
    for name, function in parts.items():
        named = {} if name in ("energy (rms)", "zero crossings", "flatness") else {"sr": MODEL_RATE}
        function(y=mono[: 10 * MODEL_RATE], **named)
        took = _best(lambda function=function, named=named: function(y=mono, **named))  # type: ignore[misc]
        total += took
        print(f"   librosa, {name}: {took:.2f} s")
    print(f"   librosa, feature by feature: {total:.2f} s, {_SECONDS / total:.0f} x real time")
