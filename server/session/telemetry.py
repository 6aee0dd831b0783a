"""What flows from the engine without being state: places, levels, load. Asked for at most 30 times a second.

Owner: whoever asks; pure functions over one snapshot. Nothing here has a revision, and nothing is lost that the next
one does not bring.
Units: positions in seconds of the track, levels linear, the limiter in dB of reduction, loudness in LUFS.
"""

from typing import Any, Final

import numpy as np

from audio.units import DECKS, STEMS
from server.protocol import DeckMeters, EngineStatus, Meters

RATE_HZ: Final = 30
"""Telemetry a second, at most."""

SILENT: Final = DeckMeters(0.0, 1.0, False, 0.0, dict.fromkeys(STEMS, 0.0))
"""A deck that nothing is known of."""


def meters(
    snapshot: "np.void | None",
    status: EngineStatus,
    positions: tuple[float, ...],
    recorded_s: float = 0.0,
    due: tuple[int, int] = (-1, 0),
    heard: float = 0.0,
) -> Meters:
    """Return one message of telemetry.

    `snapshot` is one SNAPSHOT record, None without an engine; `positions` are the decks' places at this moment,
    `recorded_s` the length of the recording; `due`: the frame at which the setlist goes on, -1 where nobody knows, and
    the deck (from 1, 0 for none) whose beats that is told in; `heard`: the peak of the input.
    """
    if snapshot is None:
        decks = [DeckMeters(position_s, 1.0, False, 0.0, SILENT.stems) for position_s in positions]
        return Meters(0, decks, [0.0, 0.0], 0.0, status, [0.0, 0.0], recorded_s=recorded_s)
    decks = [_deck(snapshot["decks"][deck], positions[deck]) for deck in range(DECKS)]
    return Meters(
        int(snapshot["frame"]),
        decks,
        snapshot["master_peak"].tolist(),
        float(snapshot["limiter_db"]),
        status,
        snapshot["master_rms"].tolist(),
        float(snapshot["loudness"]),
        float(snapshot["momentary"]),
        recorded_s,
        int(snapshot["step"]) + 1,
        *_left(snapshot, status.rate, *due),
        heard,
    )


def _left(snapshot: Any, rate: int, frame: int, deck: int) -> tuple[float, float]:
    """Return the seconds and beats until `frame`."""
    if frame < 0:
        return -1.0, -1.0
    seconds = max(0, frame - int(snapshot["frame"])) / max(rate, 1)
    tempo = float(snapshot["decks"][deck - 1]["tempo"]) if deck else 0.0
    return seconds, seconds * tempo / 60.0 if tempo else -1.0


def _deck(record: Any, position_s: float) -> DeckMeters:
    return DeckMeters(
        position_s,
        float(record["rate"]),
        bool(record["playing"]),
        float(record["peak"].max()),
        dict(zip(STEMS, record["stem_peak"].tolist(), strict=False)),
        float(record["beat"]),
        float(record["tempo"]),
        float(record["phase"]),
        float(record["rms"].max()),
        float(record["loudness"]),
    )


def values(message: Meters) -> dict[str, float]:
    """Return the telemetry controls of the registry by path, for surfaces that speak in paths (OSC, MIDI meters)."""
    found = {
        "/mixer/level/left": message.master[0],
        "/mixer/level/right": message.master[1],
        "/mixer/limiter": message.limiter_db,
        "/mixer/loudness": message.loudness,
        "/mixer/loudness/momentary": message.momentary,
        "/mixer/record/seconds": message.recorded_s,
        "/practice/input/level": message.input,
        "/sequencer/position": float(message.step),
        "/setlist/next/seconds": message.next_s,
        "/setlist/next/beats": message.next_beats,
    }
    found.update(zip(("/mixer/rms/left", "/mixer/rms/right"), message.master_rms, strict=False))
    for number, deck in enumerate(message.decks, start=1):
        found[f"/deck/{number}/position"] = deck.position
        found[f"/deck/{number}/level"] = deck.level
        found[f"/deck/{number}/beat"] = deck.beat
        found[f"/deck/{number}/tempo"] = deck.tempo
        found[f"/deck/{number}/phase"] = deck.phase
        found[f"/deck/{number}/rms"] = deck.rms
        found[f"/deck/{number}/loudness"] = deck.loudness
        for stem, level in deck.stems.items():
            found[f"/deck/{number}/stem/{stem}/level"] = level
    return found
