"""Units and vocabulary that every package shares. The one leaf anybody may import.

Owner: nobody; constants and type names only, no imports beyond typing.
Units: frames are one sample per channel; positions count frames at the rate named beside them.
"""

from typing import Final, NewType

Frames = NewType("Frames", int)
"""A count of frames, or a position counted from frame 0 of the thing it belongs to."""

Seconds = NewType("Seconds", float)
"""Seconds of the track, of the render or of the monotonic clock, as the name around it says."""

Beats = NewType("Beats", int)
"""Musical time in micro-beats: 1_000_000 is one beat."""

DeckId = NewType("DeckId", int)
"""A deck as performers count them: 1 to `DECKS`."""

DECKS: Final = 4
"""Decks in the mixer."""

STEM_SLOTS: Final = 8
"""Labelled stem slots of one deck."""

STEMS: Final = ("vocals", "drums", "bass", "other", "guitar", "piano")
"""The named stems, in slot order; finer kinds take the slots after them."""

STEM_TYPES: Final = (
    *STEMS,
    "electric_guitar",
    "acoustic_guitar",
    "synth",
    "strings",
    "wind",
)
"""Every stem type the library knows, `STEMS` first."""

ENGINE_RATE: Final = 48_000
"""Default engine rate in Hz, fixed for a run."""

MODEL_RATE: Final = 44_100
"""Rate in Hz at which separation models hear and answer."""

REFERENCE_RATES: Final = (44_100, 48_000)
"""Rates in Hz a reference decode may have; other material is resampled to the nearer family once."""

CHANNELS: Final = 2
"""All music here is stereo: mono is doubled, more channels are folded down by the decoder."""

MOST_CHANNELS: Final = 8
"""Most channels of a device that are played on."""

OUTPUTS: Final = ("master", "3-4", "5-6", "7-8")
"""Where a deck or stem may go, by its pair of device channels."""

OWN_OUTPUTS: Final = ("off", "3-4", "5-6", "7-8")
"""Where headphones and booth may go, by their pair of device channels."""

BUSES: Final = ("headphones", "booth", *(f"deck{deck}" for deck in range(1, DECKS + 1)), "pads")
"""Buses that can be listened to and recorded beside the master, in the order of their kernel codes."""

RECORDED: Final = (*BUSES, "input")
"""What can be recorded beside the master: the buses, and what the device hears."""

BUS_CHANNELS: Final = MOST_CHANNELS + 2 * len(BUSES)
"""Channels of a kernel without a device: those that a device may have, then each of `BUSES`."""

AUDIO_SUFFIXES: Final = frozenset(
    (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".m4a", ".mp4", ".aac", ".wma", ".caf")
)
"""What counts as audio in a folder; a file that is named on its own is tried whatever its name."""

TIMECODE_RATES: Final = ("24", "25", "29.97", "30")
"""Frames a second of linear timecode, in the order of their kernel codes; 29.97 drops names."""

TIMECODE_CHANNELS: Final = tuple(str(channel) for channel in range(3, MOST_CHANNELS + 1))
"""Device channels that linear timecode may go to: never one of the master's."""

TIMECODE_DB: Final = -10.0
"""Level of linear timecode by default, in dB of full scale: what line inputs of other machines like."""

CLICK_OUTPUTS: Final = ("master", "headphones")
"""Where the click of a deck may go."""

INPUT_OUTPUTS: Final = ("headphones", "master")
"""Where the input may be heard, in the order of the kernel codes."""

RECORDING_FORMATS: Final = ("flac", "wav", "wav-float")
"""What the recorder writes, the default first: 24 bits in FLAC or WAV, 32-bit floating point in WAV."""

CROSSFADER_CURVES: Final = ("linear", "constant_power", "cut")
"""Crossfader curves, in the order of their kernel codes."""

CROSSFADER_SIDES: Final = ("left", "thru", "right")
"""Crossfader sides, in the order of their kernel codes."""

DECK_SOURCES: Final = ("mix", "stems")
"""What a deck plays, in the order of the kernel codes."""

SESSION_TEMPO_BPM: Final = 120.0
"""The session's tempo until somebody sets it or a deck leads."""

EFFECTS: Final = ("echo", "reverb", "flanger", "phaser", "crusher", "gate", "repeat")
"""Kinds of effects, in the order of their kernel codes."""

EFFECT_UNITS: Final = 2
"""Effects of a deck, one after the other; the master has one."""

EFFECT_PARAMS: Final = 3
"""Parameters of an effect."""

BANKS: Final = 8
"""Banks of the sampler."""

PADS: Final = 16
"""Pads of a bank."""

STEPS: Final = 16
"""Steps of the sequencer."""

PAD_MODES: Final = ("one-shot", "loop", "gate")
"""How a pad plays, in the order of the kernel codes."""

CHOKE_GROUPS: Final = 8
"""Choke groups of a bank, from 1; 0 is none."""

LONGEST_SAMPLE_S: Final = 60.0
"""Seconds that a pad plays at most."""
