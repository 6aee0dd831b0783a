"""Ableton Link: tempo, beat and start/stop shared with every program on the network. The one file that knows aalink.

Owner: one task of the clock surface; everything is called on the event loop.
Units: BPM, beats; a bar is `QUANTUM` beats.

aalink is GPL and so no part of the program: `pip install sound-forge-alchemy[link]` is the performer's own choice.
Where it is missing, Link is off and says how it is had.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from control.control import ControlError

QUANTUM: Final = 4.0


class LinkMissing(ControlError):
    """Ableton Link is not installed: `pip install aalink` (GPLv3) and start again."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").strip())


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the session is at this moment."""

    tempo_bpm: float
    beat: float
    phase: float
    playing: bool
    peers: int


class LinkPort:
    """A member of the Link session. Raises LinkMissing where aalink is not installed.

    `on_tempo` is told the tempo another member sets, `on_playing` whether another starts or stops.
    """

    def __init__(
        self,
        tempo_bpm: float,
        on_tempo: Callable[[float], None] = lambda tempo: None,
        on_playing: Callable[[bool], None] = lambda playing: None,
    ) -> None:
        try:
            import aalink
        except ImportError as error:
            raise LinkMissing from error
        self._link: Any = aalink.Link(tempo_bpm)
        self._link.quantum = QUANTUM
        self._link.set_tempo_callback(on_tempo)
        self._link.set_start_stop_callback(on_playing)
        self._link.start_stop_sync_enabled = False
        self._link.enabled = True

    def state(self) -> LinkState:
        """Return how the session is."""
        link = self._link
        return LinkState(
            float(link.tempo), float(link.beat), float(link.phase), bool(link.playing), int(link.num_peers)
        )

    def set_tempo(self, tempo_bpm: float) -> None:
        """Set everybody's tempo."""
        if abs(self._link.tempo - tempo_bpm) > 1e-6:
            self._link.tempo = tempo_bpm

    def share_start_stop(self, shared: bool) -> None:
        """Whether start and stop are everybody's."""
        self._link.start_stop_sync_enabled = shared

    def set_playing(self, playing: bool) -> None:
        """Start or stop everybody who shares that."""
        if bool(self._link.playing) != playing:
            self._link.playing = playing

    def align(self, beat: float) -> None:
        """Bring our beat to `beat`: at once when alone, else at the next place where the bar of the others fits."""
        self._link.request_beat(beat)

    def close(self) -> None:
        """Leave the session."""
        self._link.enabled = False
