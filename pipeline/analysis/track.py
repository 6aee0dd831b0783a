"""Analyse a track: tempo and beats, key, energy, spectrum, timbre, from one shared pass over the audio.

Owner: the worker thread of an analysis job. librosa is loaded on the first call (a few seconds, minutes never).
Units: Hz, seconds, BPM, LUFS; energy and confidence 0..1. What comes back is plain JSON: finite numbers, texts, lists.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis import key as keys
from pipeline.analysis import loudness, tempo
from pipeline.analysis.frames import Frames, Progress, scan
from pipeline.errors import AudioRejected, UnknownFeature

Field = npt.NDArray[np.float32]

FEATURES: Final = ("tempo", "key", "energy", "spectral", "mfcc", "chroma", "all")
"""What can be asked for."""

BASIC: Final = ("tempo", "key", "energy", "spectral")
"""What is done when nothing particular is asked for."""

COLUMNS: Final = ("tempo", "key", "energy", "spectral_centroid", "spectral_rolloff", "zero_crossing_rate")
"""Names that are always in the answer, None where there is nothing to tell (no pulse, no pitch, not asked for)."""

_MFCCS: Final = 13
_QUIET: Final = 1e-4


def _quiet(share: float, stage: str) -> None:
    """Progress for nobody."""


def analyse(
    pcm: Field,
    rate: int,
    features: Iterable[str] = (),
    progress: Progress = _quiet,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Analyse float32 (channels, frames) at `rate` Hz; give one flat, JSON-able map.

    The `COLUMNS` are always there. With `tempo`: tempo_confidence, tempo_alternatives, beats, downbeats (seconds),
    downbeat_confidence, beat_grid {steady, offset, deviation}; with `key`: camelot, key_confidence, key_runner_up,
    key_relative; with `energy`: loudness_lufs, peak, energy_curve {step, values}; with `spectral`: spectral_bandwidth,
    spectral_flatness, spectral_contrast (7 bands); with `mfcc`: mfcc and mfcc_std (13); with `chroma`: chroma (12, C
    first). An empty `features` means the basic four. Gives {} once `cancelled()` is true.

    Raises UnknownFeature, AudioRejected.
    """
    wanted = _wanted(features)
    if pcm.ndim != 2 or not 1 <= pcm.shape[0] <= 8:
        raise AudioRejected(f"Analysis takes audio as (channels, frames); this is {pcm.shape}.")
    found: dict[str, Any] = {"features": sorted(wanted), **dict.fromkeys(COLUMNS)}
    found["duration"] = pcm.shape[1] / rate
    pitched = bool(wanted & {"tempo", "key", "chroma"})
    frames = scan(
        pcm,
        rate,
        spectral="spectral" in wanted,
        chroma=pitched,
        progress=lambda share, stage: progress(0.7 * share, stage),
        cancelled=cancelled,
    )
    if frames is None:
        return {}
    if not np.isfinite(frames.rms).all():
        raise AudioRejected("This audio holds numbers that are not finite (NaN or infinity); import it again.")
    for n, (feature, part) in enumerate(_PARTS.items()):
        if feature in wanted:
            if cancelled():
                return {}
            progress(0.7 + 0.3 * n / len(_PARTS), feature)
            found.update(part(frames, pcm))
    progress(1.0, "done")
    plain = _plain(found)
    assert isinstance(plain, dict)
    return plain


def _wanted(features: Iterable[str]) -> set[str]:
    names = set(features) or set(BASIC)
    if unknown := sorted(names - set(FEATURES)):
        raise UnknownFeature(f"No feature is called {', '.join(unknown)}; there are {', '.join(FEATURES)}.")
    return set(FEATURES) - {"all"} if "all" in names else names


def _tempo(frames: Frames, pcm: Field) -> dict[str, Any]:
    found = tempo.track(frames)
    if found is None:
        return {"tempo": None, "tempo_confidence": 0.0, "tempo_alternatives": [], "beats": [], "downbeats": []}
    return {
        "tempo": round(found.tempo, 3),
        "tempo_confidence": found.confidence,
        "tempo_alternatives": [{"tempo": round(bpm, 3), "confidence": sure} for bpm, sure in found.alternatives],
        "beats": [round(t, 4) for t in found.beats],
        "downbeats": [round(t, 4) for t in found.downbeats],
        "downbeat_confidence": found.downbeat_confidence,
        "beat_grid": {"steady": found.steady, "offset": round(found.beats[0], 4), "deviation": found.deviation_s},
    }


def _key(frames: Frames, pcm: Field) -> dict[str, Any]:
    found = keys.find(frames.chroma, frames.chroma_step_s)
    if found is None:
        return {"key": None, "camelot": None, "key_confidence": 0.0}
    return {
        "key": found.name,
        "camelot": found.camelot,
        "key_confidence": found.confidence,
        "key_correlation": found.correlation,
        "key_runner_up": found.runner_up,
        "key_relative": found.relative,
    }


def _energy(frames: Frames, pcm: Field) -> dict[str, Any]:
    return {
        "energy": loudness.energy(frames.rms),
        "loudness_lufs": loudness.integrated_lufs(pcm, frames.rate),
        "peak": float(np.max(np.abs(pcm), initial=0.0)),
        "energy_curve": {"step": loudness.CURVE_S, "values": loudness.curve(frames.rms, frames.step_s)},
    }


def _spectral(frames: Frames, pcm: Field) -> dict[str, Any]:
    sounding = frames.rms > _QUIET
    crossing_rate = frames.crossings / frames.frames if frames.frames else 0.0
    if not sounding.any():
        return {"spectral_centroid": 0.0, "spectral_rolloff": 0.0, "zero_crossing_rate": crossing_rate}
    return {
        "spectral_centroid": float(frames.centroid[sounding].mean(dtype=np.float64)),
        "spectral_rolloff": float(frames.rolloff[sounding].mean(dtype=np.float64)),
        "zero_crossing_rate": crossing_rate,
        "spectral_bandwidth": float(frames.bandwidth[sounding].mean(dtype=np.float64)),
        "spectral_flatness": float(frames.flatness[sounding].mean(dtype=np.float64)),
        "spectral_contrast": [float(v) for v in frames.contrast[:, sounding].mean(axis=1, dtype=np.float64)],
    }


def _mfcc(frames: Frames, pcm: Field) -> dict[str, Any]:
    import librosa

    if not (frames.rms > _QUIET).any():
        return {"mfcc": [0.0] * _MFCCS, "mfcc_std": [0.0] * _MFCCS}
    bands = librosa.feature.mfcc(S=librosa.power_to_db(frames.mel), n_mfcc=_MFCCS)
    return {
        "mfcc": [float(v) for v in bands.mean(axis=1)],
        "mfcc_std": [float(v) for v in bands.std(axis=1)],
    }


def _chroma(frames: Frames, pcm: Field) -> dict[str, Any]:
    if not frames.chroma.shape[1]:
        return {"chroma": [0.0] * 12}
    return {"chroma": [float(v) for v in frames.chroma.mean(axis=1, dtype=np.float64)]}


_PARTS: Final[dict[str, Callable[[Frames, Field], dict[str, Any]]]] = {
    "tempo": _tempo,
    "key": _key,
    "energy": _energy,
    "spectral": _spectral,
    "mfcc": _mfcc,
    "chroma": _chroma,
}


def _plain(value: Any) -> Any:
    """JSON's own types; a number that is not finite becomes None rather than lies."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
