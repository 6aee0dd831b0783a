"""Where the music is: a straight line through engine frames, and the engine's clock under it.

Owner: whoever holds the value; frozen. Pure.
Units: engine frames, beats, seconds of the track; `tempo_bpm` in beats a minute of the engine's time.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """Frame `frame` of the engine is heard at `heard_ns` of the monotonic clock; `rate` frames go by in a second."""

    frame: int = 0
    heard_ns: int = 0
    rate: float = 48_000.0

    def ns_of(self, frame: float) -> int:
        """Return when a frame is heard, in nanoseconds of the monotonic clock."""
        return self.heard_ns + round((frame - self.frame) * 1e9 / self.rate)

    def frame_at(self, ns: int) -> float:
        """Return which frame is heard at a moment of the monotonic clock."""
        return self.frame + (ns - self.heard_ns) * self.rate / 1e9


@dataclass(frozen=True, slots=True)
class Song:
    """At `frame` the music is at `beat` and `position_s`, and goes on with `tempo_bpm` and `speed` while it runs."""

    frame: float = 0.0
    beat: float = 0.0
    tempo_bpm: float = 120.0
    position_s: float = 0.0
    speed: float = 1.0
    running: bool = False
    rate: float = 48_000.0

    def beat_at(self, frame: float) -> float:
        """Return the beat that is heard at a frame."""
        return self.beat + (frame - self.frame) * self.tempo_bpm / 60.0 / self.rate * self.running

    def frame_of_beat(self, beat: float) -> float:
        """Return the frame at which a beat is heard while it runs."""
        return self.frame + (beat - self.beat) * 60.0 * self.rate / self.tempo_bpm

    def position_at(self, frame: float) -> float:
        """Return the place in the track that is heard at a frame, in seconds."""
        return self.position_s + (frame - self.frame) * self.speed / self.rate * self.running

    def frame_of_position(self, position_s: float) -> float:
        """Return the frame at which a place in the track is heard while it runs forwards."""
        return self.frame + (position_s - self.position_s) * self.rate / self.speed
