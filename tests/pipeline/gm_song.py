"""A General MIDI band with true stems: a score of our own, written as MIDI and played by FluidSynth, stem by stem.

Owner: the tests of separation; needs the command `fluidsynth` and a General MIDI sound font.
Units: beats in the score, frames at 44.1 kHz in what comes out; audio is float32 (2, frames).
"""

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Audio = npt.NDArray[np.float32]

RATE = 44_100
TEMPO = 112.0
TICKS = 480
FONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/opt/homebrew/share/sounds/sf2/FluidR3_GM.sf2",
)

KICK, SNARE, HAT, OPEN_HAT, CRASH = 36, 38, 42, 46, 49
CHORDS = ((45, (57, 60, 64)), (41, (57, 60, 65)), (48, (55, 60, 64)), (43, (55, 59, 62)))
"""Am F C G: bass note and voicing."""

Note = tuple[float, float, int, int]
"""Start and length in beats, pitch, velocity."""


def missing() -> str | None:
    """Why a band cannot play here, or None."""
    if shutil.which("fluidsynth") is None:
        return "fluidsynth is not installed"
    return None if any(Path(font).exists() for font in FONTS) else "no General MIDI sound font is installed"


def render(folder: Path, bars: int = 8) -> dict[str, Audio]:
    """Play the song and give its four true stems, all of one length; their sum is the mix and peaks below 1."""
    parts = {
        # stem: (MIDI program and channel with its notes) per instrument
        "drums": [(0, 9, _drums(bars))],
        "bass": [(33, 0, _bass(bars))],
        "other": [(0, 1, _piano(bars)), (27, 2, _guitar(bars))],
        "vocals": [(52, 3, _choir(bars))],
    }
    font = next(font for font in FONTS if Path(font).exists())
    stems = {name: _play(folder / name, instruments, font) for name, instruments in parts.items()}
    frames = max(audio.shape[1] for audio in stems.values())
    stems = {name: np.pad(audio, ((0, 0), (0, frames - audio.shape[1]))) for name, audio in stems.items()}
    peak = float(np.abs(np.sum(list(stems.values()), axis=0)).max())
    return {name: (audio * np.float32(0.9 / peak)).astype(np.float32) for name, audio in stems.items()}


def _drums(bars: int) -> list[Note]:
    notes: list[Note] = [(0.0, 1.0, CRASH, 100)]
    for bar in range(bars):
        at = bar * 4.0
        notes += [(at + beat, 0.25, KICK, 115) for beat in (0.0, 1.5, 2.0)]
        notes += [(at + beat, 0.25, SNARE, 110) for beat in (1.0, 3.0)]
        notes += [(at + n / 2, 0.2, HAT, 95 if n % 2 == 0 else 70) for n in range(8)]
        if bar % 2:
            notes += [(at + 3.5, 0.4, OPEN_HAT, 90)]
    return notes


def _bass(bars: int) -> list[Note]:
    steps = ((0.0, 0.9, 0), (1.0, 0.4, 0), (1.5, 0.9, 0), (2.5, 0.4, 7), (3.0, 0.9, 0))
    return [
        (bar * 4.0 + at, length, CHORDS[bar % 4][0] - 12 + interval, 105)
        for bar in range(bars)
        for at, length, interval in steps
    ]


def _piano(bars: int) -> list[Note]:
    return [
        (bar * 4.0 + at, 0.8, pitch, 80)
        for bar in range(bars)
        for at in (0.0, 1.0, 2.5)
        for pitch in CHORDS[bar % 4][1]
    ]  # fmt: skip


def _guitar(bars: int) -> list[Note]:
    return [
        (bar * 4.0 + n / 2, 0.45, CHORDS[bar % 4][1][(n * 2) % 3] + 12, 75) for bar in range(bars) for n in range(8)
    ]


def _choir(bars: int) -> list[Note]:
    melody = (
        (0.0, 1.9, 69),
        (2.0, 1.9, 72),
        (4.0, 2.9, 69),
        (7.0, 0.9, 67),
        (8.0, 1.9, 64),
        (10.0, 1.9, 67),
        (12.0, 3.8, 62),
    )
    return [
        (turn + at, length, pitch, 110)
        for turn in range(0, bars * 4, 16)
        for at, length, pitch in melody
        if turn + at < bars * 4
    ]  # fmt: skip


def _play(base: Path, instruments: list[tuple[int, int, list[Note]]], font: str) -> Audio:
    score, sound = base.with_suffix(".mid"), base.with_suffix(".wav")
    score.write_bytes(_midi(instruments))
    command = ["fluidsynth", "-n", "-i", "-q", "-g", "0.6", "-R", "0", "-C", "0", "-r", str(RATE)]
    command += ["-F", str(sound), font, str(score)]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=100)
    audio, rate = soundfile.read(sound, dtype="float32", always_2d=True)
    assert rate == RATE and audio.shape[1] == 2
    return np.ascontiguousarray(audio.T)


def _midi(instruments: list[tuple[int, int, list[Note]]]) -> bytes:
    """A type 1 MIDI file: the tempo, then a track per instrument."""
    tracks = [b"\x00\xff\x51\x03" + round(60_000_000 / TEMPO).to_bytes(3, "big")]
    for program, channel, notes in instruments:
        events: list[tuple[int, bytes]] = [(0, bytes((0xC0 | channel, program)))]
        for start, length, pitch, velocity in notes:
            events.append((round(start * TICKS), bytes((0x90 | channel, pitch, velocity))))
            events.append((round((start + length) * TICKS), bytes((0x80 | channel, pitch, 0))))
        body, now = b"", 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            body += _varint(tick - now) + message
            now = tick
        tracks.append(body)
    out = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS)
    for body in tracks:
        body += b"\x00\xff\x2f\x00"
        out += b"MTrk" + struct.pack(">I", len(body)) + body
    return out


def _varint(value: int) -> bytes:
    out = bytes((value & 0x7F,))
    while value := value >> 7:
        out = bytes((value & 0x7F | 0x80,)) + out
    return out
