"""The kernel's language: commands in, events and snapshots out.

Owner: whoever writes the record; the kernel owns what it has read. Every record is a fixed-size C struct,
so that a ring in shared memory needs no parser.
Units: `frame` is the engine's frame counter; positions are track frames at the engine rate; gains are linear.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.units import BANKS

NOW: Final = 0
"""`frame` of a command that applies at the first frame of the next block."""

CHUNK_FRAMES: Final = 4096
"""Frames that one byte of a readiness map stands for."""

FADE_S: Final = 0.005
"""Seconds that every ramp and fade of the kernel takes: gains, play, pause, seek, swap, mix to stems and back."""

RATE_LIMITS: Final = (0.25, 4.0)
"""Slowest and fastest speed ratio; the same backwards."""

TRIM_LIMITS: Final = (0.0, 16.0)
"""Linear gain a trim may have; a value outside is clamped."""

PITCH_LIMITS: Final = (-12.0, 12.0)
"""Furthest shift of pitch in semitones; a value outside is clamped."""

TUNING_HZ: Final = 440.0
"""What the a' of a track is taken to be."""

TUNING_LIMITS: Final = (400.0, 480.0)
"""Lowest and highest a' in Hz; a value outside is clamped."""

BAND_LIMITS: Final = (0.0, 4.0)
"""Linear gain a band of an isolator may have; a value outside is clamped."""

HORIZON_FRAMES: Final = 1 << 31
"""A command further ahead than this is refused (12 hours at 48 kHz)."""

Commands = npt.NDArray[np.void]
"""An array of COMMAND records, in the order they were given."""


class CommandKind(IntEnum):
    """What a command asks for. `deck` is 0-based, `slot` 0-based; `a` and `b` as each line says."""

    DECK_PLAY = 1
    """a: 1 plays, 0 pauses."""
    DECK_SEEK = 2
    """a: position in track frames, rounded to a whole frame."""
    DECK_RATE = 3
    """a: speed ratio, 0.25 to 4; negative plays backwards."""
    DECK_VOLUME = 4
    """a: fader gain, 0 to 1."""
    DECK_TRIM = 5
    """a: linear gain."""
    DECK_ASSIGN = 6
    """a: index into CROSSFADER_SIDES."""
    DECK_SOURCE = 7
    """a: index into DECK_SOURCES."""
    STEM_VOLUME = 16
    """a: gain, 0 to 1."""
    STEM_MUTE = 17
    """a: 0 or 1."""
    STEM_SOLO = 18
    """a: 0 or 1."""
    STEM_PAN = 19
    """a: -1 left to 1 right."""
    CROSSFADER = 32
    """a: -1 left to 1 right."""
    CROSSFADER_CURVE = 33
    """a: index into CROSSFADER_CURVES."""
    MASTER_VOLUME = 34
    """a: gain, 0 to 1."""
    QUANTIZE = 48
    """a: 1 lets what is done to the deck fall on its beat grid."""
    BEATJUMP = 49
    """a: beats to jump, negative backwards; without a grid by the session's tempo."""
    LOOP_IN = 50
    """The loop begins here."""
    LOOP_OUT = 51
    """The loop ends here and is on."""
    LOOP_ACTIVE = 52
    """a: 1 turns the loop on where the playhead is, 0 off."""
    LOOP_BEATS = 53
    """a: beats; a loop of that length from here, or from its beginning when one is on."""
    LOOP_SCALE = 54
    """a: factor on the length of the loop."""
    LOOP_MOVE = 55
    """a: beats to move the loop by; a playhead inside goes along."""
    LOOP_RELOOP = 56
    """Leaves the loop, or goes back to its beginning and turns it on."""
    LOOP_ROLL = 57
    """a: beats of a loop that the track runs on under; 0 ends it."""
    LOOP_PUT = 58
    """a, b: in and out in track frames, off; b not above a: no loop."""
    CUE = 59
    """a: 1 presses the cue button, 0 lets it go."""
    CUE_PUT = 60
    """a: the main cue, in track frames."""
    HOTCUE_GO = 61
    """slot: hot cue; a: 1 presses its pad, 0 lets it go. An empty one is set."""
    HOTCUE_SET = 62
    """slot: hot cue; here, or the loop that is on."""
    HOTCUE_CLEAR = 63
    """slot: hot cue."""
    HOTCUE_PUT = 64
    """slot: hot cue; a, b: from and to in track frames; b not above a: a point."""
    MEMORY_SET = 65
    """a: a memory point in track frames; negative: where the playhead is."""
    MEMORY_GO = 66
    """a: 1 goes to the next memory point, -1 to the one before."""
    MEMORY_CLEAR = 67
    """a: 0 forgets the memory point nearest to the playhead, 1 all of them."""
    PLACE_ASK = 68
    """slot: any number; PLACE_TOLD with the same slot says where the playhead is on this frame."""
    SYNC = 69
    """a: 1 lets the deck follow the leader's tempo and beats."""
    LEADER = 70
    """a: 1 makes the deck the leader, 0 leaves the choice to the engine."""
    TEMPO = 71
    """a: beats a minute of the session; moves the leader."""
    BEND = 72
    """a: -1 to 1, a push on the speed while it is held."""
    JOG = 73
    """a: turns of a platter: a nudge while the deck plays, a move while it stands."""
    TOUCH = 74
    """a: 1 lays a hand on the record, 0 takes it off."""
    SCRATCH = 75
    """a: where the hand has the record, in track frames from where it touched it."""
    SLIP = 76
    """a: 1 lets the track run on silently under loops, reverse, scratches and hot cues."""
    REVERSE = 77
    """a: 1 plays backwards."""
    WIND = 78
    """a: 1 brakes to a stand, -1 spins back, 0 lets go."""
    STEM_LOOP = 79
    """slot: stem; a: beats of a loop of this stem alone, 0 ends it."""
    DECK_KEYLOCK = 80
    """a: 1 keeps the pitch at any speed, 0 lets it go with the speed."""
    DECK_PITCH = 81
    """a: semitones, -12 to 12, at unchanged tempo; cents are the fraction."""
    DECK_TUNING = 82
    """a: what the track's a' of 440 Hz shall be, in Hz."""
    DECK_EQ = 96
    """slot: band, 0 low, 1 middle, 2 high; a: linear gain."""
    DECK_KILL = 97
    """slot: band; a: 1 silences it, 0 brings it back to its gain."""
    DECK_FILTER = 98
    """a: -1 low-pass, 0 nothing, 1 high-pass."""
    STEM_EQ_LOW = 99
    """a: linear gain."""
    STEM_EQ_MID = 100
    """a: linear gain."""
    STEM_EQ_HIGH = 101
    """a: linear gain."""
    STEM_FILTER = 102
    """a: as DECK_FILTER."""
    STEM_SEND = 103
    """a: share of the stem that goes through the deck's effects, 0 to 1."""
    DECK_PFL = 104
    """a: 1 sends the deck to the headphones, before its fader."""
    DECK_OUTPUT = 105
    """a: index into OUTPUTS."""
    STEM_OUTPUT = 106
    """a: index into OUTPUTS; 0 is the deck."""
    DECK_AUTO_GAIN = 107
    """a: linear gain beside the trim."""
    HEADPHONES = 112
    """a: gain, 0 to 1."""
    CUE_MIX = 113
    """a: 0 only what is cued, 1 only the master."""
    SPLIT_CUE = 114
    """a: 1 puts what is cued left and the master right."""
    BOOTH = 115
    """a: gain, 0 to 1."""
    CROSSFADER_REVERSE = 116
    """a: 1 swaps the crossfader's sides."""
    HEADPHONES_OUTPUT = 117
    """a: index into OWN_OUTPUTS."""
    BOOTH_OUTPUT = 118
    """a: index into OWN_OUTPUTS."""
    RECORD_BUS = 119
    """slot: index into BUSES; a: 1 keeps the ring of that bus filled, 0 no longer."""
    INPUT_LEVEL = 120
    """a: gain of the input where it is heard, 0 to 1."""
    INPUT_OUTPUT = 121
    """a: index into INPUT_OUTPUTS."""
    INPUT_DELAY = 122
    """a: seconds from the master to the input, 0 what the device says."""
    INPUT_PROBE = 123
    """Sounds a short noise on the master, to measure that."""
    INPUT_TAKE = 124
    """a: the deck, from 1, whose places are told beside the input, frame by frame; 0 none."""
    FX_TYPE = 128
    """slot: unit of the deck, or deck DECKS and slot 0 for the master's, as in all FX kinds; a: index into EFFECTS."""
    FX_ON = 129
    """a: 1 lets the deck in, 0 no more; what is in it dies away."""
    FX_WET = 130
    """a: 0 only the deck, 1 only the effect."""
    FX_PARAM_1 = 131
    """a: 0 to 1, as docs/effects.md says for each kind."""
    FX_PARAM_2 = 132
    """a: as FX_PARAM_1."""
    FX_PARAM_3 = 133
    """a: as FX_PARAM_1."""
    PAD_HIT = 144
    """deck: bank, slot: pad, as in all PAD kinds; a: velocity above 0 to 1 hits it, 0 lets it go."""
    PAD_STOP = 145
    """What the pad plays fades out, and what waits for its beat is forgotten."""
    PAD_MODE = 146
    """a: index into PAD_MODES."""
    PAD_CHOKE = 147
    """a: choke group, 1 to CHOKE_GROUPS, 0 none."""
    PAD_GAIN = 148
    """a: gain, 0 to 1."""
    PAD_PAN = 149
    """a: -1 left to 1 right."""
    PAD_PITCH = 150
    """a: semitones, -24 to 24; length and speed go with it."""
    PAD_START = 151
    """a: frames into the sample at which it begins."""
    PAD_END = 152
    """a: frames into the sample at which it ends; 0 its own end."""
    PAD_QUANTIZE = 153
    """a: beats on whose multiples a hit sounds; 0 at once."""
    SAMPLER_VOLUME = 154
    """a: gain of all pads, 0 to 1."""
    SAMPLER_STOP = 155
    """All pads fade out; the sequencer goes on."""
    SEQUENCER_RUN = 156
    """a: 1 runs the sequencer, 0 stops it."""
    SEQUENCER_BANK = 157
    """a: the bank whose pattern and pads it plays."""
    SEQUENCER_STEP = 158
    """a: beats of one step."""
    SEQUENCER_LENGTH = 159
    """a: steps until the pattern begins again, 1 to STEPS."""
    SEQUENCER_SWING = 160
    """a: part of a step by which every second step comes late, 0 to 0.5."""
    SEQUENCER_SET = 161
    """deck: bank, slot: pad; a: step, b: velocity, 0 none."""
    PAD_PFL = 162
    """a: 1 sends the pad to the headphones, before all pads' volume, and no longer to the master."""

    CLICK = 176
    """a: 1 clicks on the deck's beat grid."""
    CLICK_VOLUME = 177
    """a: gain, 0 to 1; of the count-in too."""
    CLICK_ACCENT = 178
    """a: 1 lets the first beat of a bar sound higher."""
    CLICK_DIVIDE = 179
    """a: clicks a beat, 1 to 4."""
    CLICK_BAR = 180
    """a: beats a bar, 1 to 16, for accents and for loops in bars."""
    CLICK_OUTPUT = 181
    """a: index into CLICK_OUTPUTS."""
    COUNT_IN = 182
    """a: clicks before DECK_PLAY starts the deck, 0 to 16."""
    COUNT_PASSES = 183
    """a: 1 counts in before each pass of the loop, too."""
    LOOP_PRE_ROLL = 184
    """a: beats by which each pass begins before the loop."""
    PASS_RATE = 185
    """a: speed of the loop's next pass, taken at its seam; 0: the same."""
    LOOP_BARS = 186
    """a: bars; a loop of that length from the beginning of the bar where the playhead is."""
    LOOP_AGAIN = 187
    """Goes to the beginning of the loop (its pre-roll) and turns it on, counting in; without a loop to the start."""
    MUTE_ADD = 188
    """slot: stem, which is mute from a to b, in track frames, behind its other regions."""
    MUTES_CLEAR = 189
    """slot: stem, which is mute nowhere."""

    TAKE_VOLUME = 190
    """a: gain of the take beside the track, 0 to 1."""
    TAKE_MUTE = 191
    """a: 1 mutes it."""
    TAKE_PAN = 192
    """a: -1 left to 1 right."""

    TIMECODE_RATE = 200
    """a: index into TIMECODE_RATES, of linear timecode; -1 sends none."""
    TIMECODE_DECK = 201
    """a: the deck that it follows."""
    TIMECODE_OFFSET = 202
    """a: seconds that it shows at the start of the track."""
    TIMECODE_CHANNEL = 203
    """a: index into TIMECODE_CHANNELS."""
    TIMECODE_LEVEL = 204
    """a: linear gain, 0 to 1."""


COMMAND: Final = np.dtype(
    [
        ("kind", "<u2"),
        ("deck", "u1"),
        ("slot", "u1"),
        ("flags", "<u4"),
        ("frame", "<i8"),
        ("a", "<f8"),
        ("b", "<f8"),
        ("token", "<u8"),
        ("reserved", "<u8", (3,)),
    ],
    align=True,
)
"""One record of the command ring, 64 bytes. `token` of 0 addresses whatever the deck holds.

Numbers outside their range are clamped; a number that is not finite, an unknown kind, a deck or slot that does not
exist, or a `token` the deck does not hold is refused with COMMAND_REFUSED. Commands for the same frame apply in the
order sent.
"""


def command(
    kind: CommandKind, deck: int = 0, slot: int = 0, a: float = 0.0, b: float = 0.0, frame: int = NOW, token: int = 0
) -> Commands:
    """Return one COMMAND record as an array of shape (1,).

    Raises OverflowError or ValueError for a number that the record cannot hold; the kernel judges the rest.
    """
    record = np.zeros(1, COMMAND)
    record["kind"] = int(kind)
    record["deck"] = deck
    record["slot"] = slot
    record["frame"] = frame
    record["a"] = a
    record["b"] = b
    record["token"] = token
    return record


def join(commands: Iterable[Commands]) -> Commands:
    """Return the records of `commands` as one array, in order; no records give an array of length 0."""
    parts: list[npt.NDArray[Any]] = list(commands)
    return np.concatenate(parts) if parts else np.zeros(0, COMMAND)


class EventKind(IntEnum):
    """What happened in the kernel, past tense."""

    DECK_LOADED = 1
    """The deck holds `token` and can sound at once; a: position in track frames."""
    DECK_EJECTED = 2
    """The deck no longer holds `token`; its memory may go."""
    DECK_ENDED = 3
    """Playback reached the end of the track; a: position."""
    STEMS_ENTERED = 4
    """The deck changed from the mix to its stems; a: position."""
    STEMS_LEFT = 5
    """The deck fell back to the mix because a stretch is not ready; a: position."""
    AUDIO_MISSING = 6
    """A stretch to be played was not in memory and was silent; a: position, b: frames of silence."""
    COMMAND_REFUSED = 7
    """A command was out of range or for a deck that holds something else; a: its kind."""
    PLACE_TOLD = 16
    """Answer to PLACE_ASK with the same slot; a: position, b: beat."""
    PLAY_CHANGED = 17
    """The deck starts or stops by something else than DECK_PLAY; a: 1 or 0, b: position."""
    CUE_MOVED = 18
    """The main cue was set; a: position."""
    HOTCUE_STORED = 19
    """Hot cue `slot` was set; a: from, b: to (not above a: a point)."""
    HOTCUE_CLEARED = 20
    """Hot cue `slot` was cleared."""
    LOOP_CHANGED = 21
    """The deck's loop; slot: 1 it is on, 2 it rolls, 3 both; a: in, b: out (not above a: none)."""
    MEMORY_STORED = 22
    """A memory point was set; a: position."""
    MEMORY_CLEARED = 23
    """A memory point is gone; a: position."""
    LEADER_CHANGED = 24
    """The leader is the deck `slot`, or nobody where there is no such deck."""
    RATE_FOLLOWED = 25
    """The deck's own speed was set by something else than DECK_RATE; a: the speed."""
    STEM_LOOP_CHANGED = 26
    """The loop of stem `slot`; a: in, b: out (not above a: none)."""
    STRETCH_LOST = 40
    """The stretcher did not keep up, and the deck sounds at the pitch of its speed until it does; a: position."""
    PAD_ENDED = 64
    """A hit of pad `slot` of bank `deck` has come to its end."""

    LOOP_PASSED = 80
    """The loop has come to its end; slot: 1 where the next pass takes another speed; a: in, b: out."""


EVENT: Final = np.dtype(
    [
        ("kind", "<u2"),
        ("deck", "u1"),
        ("slot", "u1"),
        ("reserved", "<u4"),
        ("frame", "<i8"),
        ("a", "<f8"),
        ("b", "<f8"),
        ("token", "<u8"),
    ],
    align=True,
)
"""One record of the event ring."""

DECK_SNAPSHOT: Final = np.dtype(
    [
        ("token", "<u8"),
        ("position", "<f8"),
        ("duration", "<i8"),
        ("rate", "<f8"),
        ("playing", "u1"),
        ("source", "u1"),
        ("stems_audible", "u1"),
        ("gap", "u1"),
        ("pending_mask", "u1"),
        ("stem_mask", "u1"),
        ("stretched", "u1"),
        ("padding", "u1", (1,)),
        ("peak", "<f4", (2,)),
        ("rms", "<f4", (2,)),
        ("loudness", "<f4"),
        ("stem_peak", "<f4", (8,)),
        ("beat", "<f8"),
        ("tempo", "<f8"),
        ("phase", "<f8"),
        ("loop_in", "<f8"),
        ("loop_out", "<f8"),
        ("loop_active", "u1"),
        ("leads", "u1"),
        ("synced", "u1"),
        ("gridded", "u1"),
        ("spare", "u1", (4,)),
    ],
    align=True,
)
"""A deck at the end of a block. `position` is what is heard, in track frames; `pending_mask` has a bit for each
stem whose mute or solo waits for a ready stretch; `gap` is 1 while the mix stands in for stems that are asked for;
`stretched` is 1 while keylock or a shift of pitch is heard. `beat` counts from the first downbeat, `tempo` is in beats
a minute at the speed the deck has (0 without a grid), `phase` how far the deck is ahead of the leader's beat, in
beats; `loudness` is short-term, in LUFS."""

SNAPSHOT: Final = np.dtype(
    [
        ("frame", "<i8"),
        ("decks", DECK_SNAPSHOT, (4,)),
        ("master_peak", "<f4", (2,)),
        ("master_rms", "<f4", (2,)),
        ("loudness", "<f4"),
        ("momentary", "<f4"),
        ("limiter_db", "<f4"),
        ("load", "<f4"),
        ("load_peak", "<f4"),
        ("blocks", "<u8"),
        ("late_blocks", "<u8"),
        ("silent_frames", "<u8"),
        ("commands_applied", "<u8"),
        ("events_lost", "<u8"),
        ("tempo", "<f8"),
        ("stretch_lost", "<u8"),
        ("pads", "<u2", (BANKS,)),
        ("pads_ending", "<i4"),
        ("step", "<i4"),
    ],
    align=True,
)
"""The whole kernel at the end of a block. `loudness` is short-term, over 3 s, and `momentary` over 0.4 s, in LUFS.
`pads` has a bit for each pad of a bank that sounds, `pads_ending` is how many voices and waiting hits there are that
end by themselves, `step` where the sequencer is, -1 when it stands.
`load` is busy time over block time, averaged over about a second; `stretch_lost` counts the times that a stretcher did
not keep up."""
