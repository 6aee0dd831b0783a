"""Settings of the control surfaces; filled by `server/settings.py`, read by nobody else from the environment.

Owner: nobody changes them after the start.
Units: seconds, ports as numbers.
"""

from dataclasses import dataclass
from enum import StrEnum


class MidiApi(StrEnum):
    """Which system carries MIDI. `auto`: ALSA, or JACK where there is no ALSA sequencer; CoreMIDI on macOS."""

    AUTO = "auto"
    ALSA = "alsa"
    JACK = "jack"
    COREMIDI = "coremidi"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class MidiSettings:
    """Which MIDI ports are opened: those that fit a pattern of `ports` and none of `ignore` (* and ?, any case)."""

    api: MidiApi = MidiApi.AUTO
    ports: tuple[str, ...] = ("*",)
    ignore: tuple[str, ...] = ("Midi Through*", "*:Midi Through*")
    virtual: bool = True
    poll_s: float = 1.0


@dataclass(frozen=True, slots=True)
class OscSettings:
    """Where OSC is heard. `lan` also from other machines, each of which is asked about."""

    port: int = 8000
    lan: bool = False
