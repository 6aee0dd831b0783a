"""Analyse a track: tempo and beats, key, energy, spectrum, timbre, from one shared pass over the audio.

Owner: the worker thread of an analysis job. Numba and SciPy are loaded on the first call.
Units: Hz, seconds, BPM, LUFS; energy and confidence 0..1. What comes back is plain JSON: finite numbers, texts, lists.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis import barwise, beats, chords, cues, drums, harmony, loops, loudness, sections, separated
from pipeline.analysis import key as keys
from pipeline.analysis.beat_model import Listener
from pipeline.analysis.features import BASIC, FEATURES
from pipeline.analysis.frames import Frames, Progress, scan
from pipeline.errors import AudioRejected, UnknownFeature

Field = npt.NDArray[np.float32]

COLUMNS: Final = ("tempo", "key", "energy", "spectral_centroid", "spectral_rolloff", "zero_crossing_rate")
"""Names that are always in the answer, None where there is nothing to tell (no pulse, no pitch, not asked for)."""

VERSION: Final = 3
"""Version of the answer's shape and of the algorithms behind it; it grows when results are no longer comparable."""

_PITCHED: Final = frozenset({"tempo", "key", "chroma", "structure", "chords", "loops", "cues"})
_QUIET: Final = 1e-4
_LISTENING: Final = 0.8
"""Share of the time that the pass takes, for progress."""


def _quiet(share: float, stage: str) -> None:
    """Progress for nobody."""


@dataclass
class Heard:
    """What the features are told from; what several of them need is worked out once."""

    pcm: Field
    frames: Frames
    stems: separated.Separated
    model: Callable[[], beats.Beats | None] = lambda: None

    @cached_property
    def tuning(self) -> float:
        """Cents from A = 440 Hz."""
        return harmony.tuning_cents(self._pitches)

    @cached_property
    def chroma(self) -> Field:
        """Chroma (12, steps of `pitch_step_s`), of the harmony alone where stems tell it."""
        return harmony.chroma(self._pitches, self.tuning)

    @cached_property
    def beats(self) -> beats.Beats | None:
        """The pulse, None where there is none: a model's where there is one, the drums' where stems tell it."""
        by_model = self.model()
        if by_model is not None:
            return by_model
        if self.stems.drums is not None:
            found = beats.track(separated.pulse(self.frames, self.stems.drums), self.stems.harmony)
            if found is not None:
                return found
        return beats.track(self.frames)

    @property
    def _pitches(self) -> Field:
        return (self.stems.harmony or self.frames).pitches

    @cached_property
    def bars(self) -> barwise.Bars:
        """What each bar is like."""
        return barwise.of(self.frames, self.chroma, self.beats)

    @cached_property
    def sections(self) -> tuple[sections.Section, ...]:
        """The form."""
        return sections.find(self.bars)


def analyse(
    pcm: Field,
    rate: int,
    features: Iterable[str] = (),
    progress: Progress = _quiet,
    cancelled: Callable[[], bool] = lambda: False,
    stems: Mapping[str, Field] | None = None,
    beat_model: Listener | None = None,
) -> dict[str, Any]:
    """Analyse float32 (channels, frames) at `rate` Hz; give one flat, JSON-able map.

    `stems` of the same audio make it better: beats come from the drums, key and chords from what is neither drums nor
    voice, and `vocals` is told at all; `from_stems` says which were heard. With a `beat_model` beats are its.
    The `COLUMNS` are always there; docs/analysis.md lists what each feature adds. An empty `features` means the basic
    four. Gives {} once `cancelled()` is true. `pcm` may be mapped from a file: it is read a block at a time.

    Raises UnknownFeature, AudioRejected.
    """
    wanted = _wanted(features)
    if pcm.ndim != 2 or not 1 <= pcm.shape[0] <= 8:
        raise AudioRejected(f"Analysis takes audio as (channels, frames); this is {pcm.shape}.")
    found: dict[str, Any] = {"version": VERSION, "features": sorted(wanted), **dict.fromkeys(COLUMNS)}
    found["duration"] = pcm.shape[1] / rate
    frames = scan(
        pcm,
        rate,
        spectral="spectral" in wanted,
        pitched=bool(wanted & _PITCHED),
        progress=lambda share, stage: progress((0.4 if stems else 1.0) * _LISTENING * share, stage),
        cancelled=cancelled,
    )
    if frames is None:
        return {}
    told = separated.listen(
        pcm, rate, stems or {}, lambda share, stage: progress(_LISTENING * (0.4 + 0.6 * share), stage), cancelled
    )
    if told is None:
        return {}
    found["from_stems"] = list(told.names)
    heard = Heard(pcm, frames, told)
    if beat_model is not None:
        heard.model = lambda: beats.told(*beat_model(pcm, rate), frames)
    for n, (feature, part) in enumerate(_PARTS.items()):
        if feature in wanted:
            if cancelled():
                return {}
            progress(_LISTENING + (1.0 - _LISTENING) * n / len(_PARTS), feature)
            found.update(part(heard))
    progress(1.0, "done")
    plain = _plain(found)
    assert isinstance(plain, dict)
    return plain


def _wanted(features: Iterable[str]) -> set[str]:
    names = set(features) or set(BASIC)
    if unknown := sorted(names - set(FEATURES)):
        raise UnknownFeature(f"No feature is called {', '.join(unknown)}; there are {', '.join(FEATURES)}.")
    return set(FEATURES) - {"all"} if "all" in names else names


def _tempo(heard: Heard) -> dict[str, Any]:
    found = heard.beats
    if found is None:
        return {"tempo": None, "tempo_confidence": 0.0, "tempo_alternatives": [], "beats": [], "downbeats": []}
    other = found.other_octave
    return {
        "tempo": round(found.tempo, 3),
        "tempo_confidence": found.confidence,
        "tempo_other_octave": None if other is None else {"tempo": round(other[0], 3), "confidence": other[1]},
        "tempo_alternatives": [{"tempo": round(bpm, 3), "confidence": sure} for bpm, sure in found.alternatives],
        "beats": [round(float(t), 4) for t in found.beats],
        "downbeats": [round(float(t), 4) for t in found.downbeats],
        "beats_per_bar": found.beats_per_bar,
        "downbeat_confidence": found.downbeat_confidence,
        "beat_grid": {
            "kind": found.kind,
            "steady": found.kind == "steady",
            "offset": round(float(found.beats[0]), 4),
            "deviation": found.deviation_s,
            "segments": [
                {"start": round(part.start, 4), "tempo": round(part.tempo, 3), "beats": part.beats}
                for part in found.segments
            ],
        },
    }


def _key(heard: Heard) -> dict[str, Any]:
    found = keys.find(heard.chroma, heard.frames.pitch_step_s)
    if found is None:
        return {"key": None, "camelot": None, "key_confidence": 0.0, "tuning": 0.0}
    return {
        "key": found.name,
        "camelot": found.camelot,
        "key_confidence": found.confidence,
        "key_correlation": found.correlation,
        "key_runner_up": found.runner_up,
        "key_relative": found.relative,
        "tuning": round(heard.tuning, 1),
    }


def _energy(heard: Heard) -> dict[str, Any]:
    frames = heard.frames
    return {
        "energy": loudness.energy(frames.rms),
        "loudness_lufs": loudness.integrated_lufs(frames.tenths),
        "loudness_range": loudness.range_lu(frames.tenths),
        "true_peak_db": loudness.true_peak_db(heard.pcm, frames.block_peaks),
        "peak": float(frames.block_peaks.max(initial=0.0)),
        "energy_curve": {"step": loudness.CURVE_S, "values": loudness.curve(frames.rms, frames.step_s)},
    }


def _spectral(heard: Heard) -> dict[str, Any]:
    frames = heard.frames
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


def _mfcc(heard: Heard) -> dict[str, Any]:
    coefficients = heard.frames.mfcc[:, heard.frames.rms > _QUIET]
    if not coefficients.shape[1]:
        return {"mfcc": [0.0] * len(coefficients), "mfcc_std": [0.0] * len(coefficients)}
    return {
        "mfcc": [float(v) for v in coefficients.mean(axis=1, dtype=np.float64)],
        "mfcc_std": [float(v) for v in coefficients.std(axis=1, dtype=np.float64)],
    }


def _chroma(heard: Heard) -> dict[str, Any]:
    if not heard.chroma.shape[1]:
        return {"chroma": [0.0] * 12}
    return {"chroma": [float(v) for v in heard.chroma.mean(axis=1, dtype=np.float64)]}


def _structure(heard: Heard) -> dict[str, Any]:
    found = [
        {
            "start": round(part.start, 4),
            "end": round(part.end, 4),
            "label": part.label,
            "bars": part.last - part.first,
            "energy": round(part.energy, 4),
            "confidence": round(part.confidence, 4),
        }
        for part in heard.sections
    ]
    return {"sections": found}


def _chords(heard: Heard) -> dict[str, Any]:
    duration = heard.frames.duration
    pulse = heard.beats
    times = np.arange(0.0, duration, 0.5) if pulse is None else pulse.beats[pulse.beats < duration - 0.05]
    found = chords.find(heard.chroma, heard.frames.pitch_step_s, np.append(times, duration))
    return {
        "chords": [
            {"start": round(c.start, 4), "end": round(c.end, 4), "name": c.name, "confidence": round(c.confidence, 3)}
            for c in found
        ]
    }


def _drums(heard: Heard) -> dict[str, Any]:
    found = drums.find(heard.stems.drums or heard.frames)
    return {"drum_hits": [{"time": round(h.time, 4), "kind": h.kind, "strength": round(h.strength, 3)} for h in found]}


def _vocals(heard: Heard) -> dict[str, Any]:
    sung = heard.stems.sung
    told = None if sung is None else [{"start": round(start, 3), "end": round(end, 3)} for start, end in sung]
    return {"vocals": told}


def _loops(heard: Heard) -> dict[str, Any]:
    found = loops.find(heard.bars, heard.sections)
    return {
        "loops": [
            {"start": round(loop.start, 4), "end": round(loop.end, 4), "bars": loop.bars, "label": loop.label,
             "score": round(loop.score, 4)}
            for loop in found
        ]
    }  # fmt: skip


def _cues(heard: Heard) -> dict[str, Any]:
    first = 0.0 if heard.beats is None else float(heard.beats.downbeats[0])
    found = cues.find(heard.sections, first)
    return {
        "cues": [
            {"time": round(c.time, 4), "kind": c.kind, "label": c.label, "confidence": round(c.confidence, 4)}
            for c in found
        ]
    }


_PARTS: Final[dict[str, Callable[[Heard], dict[str, Any]]]] = {
    "tempo": _tempo,
    "key": _key,
    "energy": _energy,
    "spectral": _spectral,
    "mfcc": _mfcc,
    "chroma": _chroma,
    "structure": _structure,
    "chords": _chords,
    "drums": _drums,
    "vocals": _vocals,
    "loops": _loops,
    "cues": _cues,
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
