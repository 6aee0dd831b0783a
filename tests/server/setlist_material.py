"""Songs for setlists: a click on one side for each beat, steady tones beside it, an analysis that knows the grid."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.server.render_material import RATE, TONES, Audio, tone, write

CLICK_HZ = 6_000.0
CLICK_FRAMES = 480
APART_S = 0.1
"""What is nearer to the one before belongs to it: a stretched click comes in pieces."""


def gridded(
    folder: Path,
    tempo: float,
    seconds: float,
    side: int,
    stems: tuple[str, ...] = ("vocals", "bass"),
    first: float = 0.0,
) -> Path:
    """Write a folder of stems: drums are clicks on `side` (0 left, 1 right) on every beat, the others are tones."""
    beats = np.arange(first, seconds, 60.0 / tempo)
    drums = np.zeros((round(seconds * RATE), 2), np.float32)
    burst = np.sin(2 * np.pi * CLICK_HZ * np.arange(CLICK_FRAMES) / RATE) * np.hanning(CLICK_FRAMES)
    for beat in beats:
        at = round(beat * RATE)
        part = drums[at : at + CLICK_FRAMES, side]
        part += (0.4 * burst[: len(part)]).astype(np.float32)
    write(folder / "drums.wav", drums)
    for stem in stems:
        write(folder / f"{stem}.wav", tone(TONES[stem], seconds))
    half = seconds / 2
    analysis = {
        "beats": beats.tolist(),
        "downbeats": beats[::4].tolist(),
        "sections": [
            {"start": 0.0, "end": half, "label": "verse"},
            {"start": half, "end": seconds, "label": "chorus"},
        ],
    }
    (folder / "analysis.json").write_text(json.dumps(analysis))
    return folder


def clicks(audio: Audio, side: int, start_s: float, stop_s: float) -> npt.NDArray[np.float64]:
    """Return when the clicks on one side begin, in seconds, found by how sharp they are, whatever their pitch."""
    first = round(start_s * RATE)
    part = np.diff(audio[first : round(stop_s * RATE), side], 2, append=0.0, prepend=0.0)
    window = np.hanning(CLICK_FRAMES)
    level = np.convolve(np.abs(part), window / window.sum(), "same")
    loud = level > 0.4 * level.max()
    edges = np.flatnonzero(np.diff(loud.astype(int)))
    if loud[0]:
        edges = edges[1:]
    pairs = edges[: len(edges) // 2 * 2].reshape(-1, 2)
    places = []
    for rise, fall in pairs:
        span = np.arange(rise, fall + 1)
        places.append((span * level[span]).sum() / level[span].sum())
    found = (np.array(places) + first - CLICK_FRAMES / 2) / RATE
    return found[np.diff(found, prepend=-1.0) > APART_S] if len(found) else found
