"""The kernel's private state: one fixed-size struct, no Python object in it.

    STATE
     |- mixer: crossfader, master, its effect, limiter, meters, counters
     |- decks (4)
     |    |- strip: volume, trim, side, source, 8 stem strips, 2 effects
     |    |- heads (4): 0 is the deck's playhead, 1 to 3 finish what it left (seek, pause, swap)
     |    '- tapes (6): what a head plays: a mix slot and 8 stem slots  places kept here for loops
     |- timecode: what goes out on a channel of its own
     |- sampler: pads of all banks, voices, clock, sequencer (sampler_state.py)
     |- scheduled commands (1024)
     |- host ring: pointer commands, written by KernelHost alone
     '- scratch: buses of one segment

Owner: the kernel alone writes it while it renders; KernelHost fills it before and reads it as `audio/host.py` says.
Units: frames at the engine rate; addresses are plain integers; gains are linear.
"""

from typing import Any, Final

import numpy as np
from numba import from_dtype

from audio.commands import COMMAND, EVENT
from audio.kernel.bank import BANK
from audio.kernel.fx_state import BEAT, EFFECT
from audio.kernel.lane_filters import WEIGH_STATES
from audio.kernel.lane_isolator import FACTORS
from audio.kernel.lanes import LANES, PEAK_AHEAD, PEAK_PHASES, PEAK_TAPS
from audio.kernel.practice_state import CLICK, CLICK_ROOM, COUNT_IN, LEVELS, MUTES
from audio.kernel.ramps import RAMP, RATE_RAMP
from audio.kernel.sampler_state import SAMPLER
from audio.kernel.sinc import TAPS, TOGETHER, WIDTH
from audio.kernel.slots import SLOT
from audio.kernel.timecode_state import TIMECODE
from audio.rings import CLOCK, CONSUMED, PRODUCED
from audio.units import BUS_CHANNELS, DECKS, EFFECT_UNITS, MOST_CHANNELS, STEM_SLOTS

SEGMENT: Final = 128
"""Most frames that are rendered in one go; a block is cut into segments."""

HEADS: Final = 4
TAPES: Final = 6
SCHEDULED: Final = 1024
LOOK_BACK: Final = PEAK_TAPS
WINDOW: Final = 11
"""Frames over which the limiter's gain goes down."""
LOOK_AHEAD: Final = WINDOW + PEAK_AHEAD - 1
"""Frames that the limiter delays the master by where it looks ahead: 6, an eighth of a millisecond at 48 kHz."""

METERED: Final = DECKS + 1
"""What loudness is measured of: each deck, and the master."""
HOPS: Final = 30
"""Steps of a tenth of a second that short-term loudness is a mean of."""

OUTPUT_PAIRS: Final = MOST_CHANNELS // 2
"""Pairs of channels that a device may have."""
BUS_PAIRS: Final = BUS_CHANNELS // 2
"""Those, and the buses one by one: headphones, booth, each deck, pads."""
THROUGH: Final = 0
AROUND: Final = 1
"""The two buses of a deck: effects have their place on the first."""
HOST_CAPACITY: Final = 64
HOST_EVENTS: Final = 1024
DRAIN_LIMIT: Final = 512
"""Most commands taken from the ring in one block: bounds the block's work, and is 192,000 a second at 128 frames."""

BATCH: Final = 32
"""Frames whose weights are made before the stems are gone through."""

NONE: Final = -1
"""No tape."""
UNCHANGED: Final = -2
"""The deck keeps its tape."""

ROUTE: Final = np.dtype([("pair", "<i4"), ("wanted", "<i4"), ("level", RAMP)], align=True)
"""Where something goes: output pair `pair`; on its way to `wanted` its level falls to 0 first."""

TAPE: Final = np.dtype(
    [
        ("used", "<i4"),
        ("mask", "<i4"),
        ("token", "<u8"),
        ("mix", SLOT),
        ("stems", SLOT, (STEM_SLOTS,)),
        ("take", SLOT),
    ],
    align=True,
)
"""What a head plays. `mask` has a bit for each stem slot that is there; `take` plays beside mix and stems alike."""

HEAD: Final = np.dtype(
    [
        ("tape", "<i4"),
        ("sounding", "<i4"),
        ("index", "<i8"),
        ("fraction", "<i8"),
        ("fade", RAMP),
        ("blend", "<f4"),
        ("blend_to", "<f4"),
        ("presence", "<f4"),
        ("presence_to", "<f4"),
        ("tail", "<f4"),
        ("missing", "<i4"),
        ("missing_frames", "<i8"),
        ("missing_from", "<f8"),
        ("stretch", "<f4"),
        ("stretch_to", "<f4"),
        ("held", "<i4"),
    ],
    align=True,
)
"""A place on a tape: frame `index` and `fraction` x 2^-56 of the way to the next. `blend` 0 is the mix, 1 the stems;
`presence` falls where the mix is not in memory; `tail` at the end of the track. `stretch` 0 reads the tape, 1 plays
what the stretcher has made of it; `held` keeps it there, on a head that was left behind."""

STRETCH: Final = np.dtype(
    [
        ("line", "<i8"),
        ("keylock", "<i4"),
        ("forwards", "<i4"),
        ("pitch", "<f8"),
        ("tuning", "<f8"),
        ("factor", "<f8"),
        ("tag", "<i8"),
        ("index", "<i8"),
        ("fraction", "<i8"),
        ("token", "<u8"),
        ("mix_here", "<i4"),
        ("stems_here", "<i4"),
        ("take_here", "<i4"),
        ("late", "<i4"),
    ],
    align=True,
)
"""Keylock and pitch of a deck. `line`: address of its LINE (`stretch_layout.py`), 0 for none; `factor`: `pitch` and
`tuning` as ratio. `tag` counts jumps; `index`, `fraction`, `forwards` and `token` are where the playhead goes on unless
it jumps. `mix_here`, `stems_here`, `take_here`: the ring fits it. `late`: it ended before the next look and a fade
after that."""

GRID: Final = np.dtype([("beats", "<i8"), ("count", "<i8"), ("origin", "<f8"), ("token", "<u8")], align=True)
"""A beat grid: address of the places of its beats, float64 in track frames, growing; how many there are (0, or 2 and
more); which of them is beat 0, the first downbeat; and the track that it belongs to."""

MARK: Final = np.dtype([("kind", "<i8"), ("start", "<i8"), ("end", "<i8")], align=True)
"""A hot cue: `kind` 0 none, 1 a point, 2 a loop."""

LAYER: Final = np.dtype(
    [("active", "<i8"), ("start", "<i8"), ("end", "<i8"), ("shift", "<i8"), ("old_shift", "<i8"), ("fade", RAMP)],
    align=True,
)
"""A loop of one stem: its frame is read `shift` frames before the playhead's; while `fade` rises from 0 to 1 what was
read at `old_shift` falls."""

HOTCUES: Final = 8
MEMORIES: Final = 32

DECK: Final = np.dtype(
    [
        ("heads", HEAD, (HEADS,)),
        ("stretch", STRETCH),
        ("tapes", TAPE, (TAPES,)),
        ("play", "<i4"),
        ("want_play", "<i4"),
        ("want_seek", "<i4"),
        ("want_tape", "<i4"),
        ("seek_to", "<i8"),
        ("token", "<u8"),
        ("rate", RATE_RAMP),
        ("volume", "<f4"),
        ("trim", "<f4"),
        ("auto_gain", "<f4"),
        ("side", "<i4"),
        ("source", "<i4"),
        ("number", "<i4"),
        ("heard_until", "<i8"),
        ("trim_gain", RAMP),
        ("gain", RAMP),
        ("cross", RAMP),
        ("stand_in", RAMP),
        ("stem_volume", "<f4", (STEM_SLOTS,)),
        ("stem_pan", "<f4", (STEM_SLOTS,)),
        ("mute", "<i4", (STEM_SLOTS,)),
        ("solo", "<i4", (STEM_SLOTS,)),
        ("mute_on", "<i4", (STEM_SLOTS,)),
        ("solo_on", "<i4", (STEM_SLOTS,)),
        ("left", RAMP, (STEM_SLOTS,)),
        ("right", RAMP, (STEM_SLOTS,)),
        ("energy", "<f4", (STEM_SLOTS,)),
        ("energy_sum", "<f4", (STEM_SLOTS, LANES)),
        ("stem_peak", "<f4", (STEM_SLOTS,)),
        ("sum_peak", "<f4", (STEM_SLOTS,)),
        ("peak", "<f4", (2,)),
        ("power", "<f4", (2,)),
        ("touched", "<i4"),
        ("stems_ring", "<i4"),
        ("band_gain", "<f4", (3,)),
        ("kill", "<i4", (3,)),
        ("stem_bank", BANK),
        ("pfl", RAMP),
        ("output", ROUTE),
        ("stem_output", ROUTE, (STEM_SLOTS,)),
        ("send", RAMP, (STEM_SLOTS,)),
        ("splits", "<i4"),
        ("aside", "<i4"),
        ("pairs", "<i4"),
        # The take: how loud it shall be, whether a stem's solo hushes it, and whether it is where it is read from.
        ("take_volume", "<f4"),
        ("take_pan", "<f4"),
        ("take_mute", "<i4"),
        ("take_hushed", "<i4"),
        ("take_here", "<i4"),
        ("take_left", RAMP),
        ("take_right", RAMP),
        ("beat", "<f8"),
        ("beat_step", "<f8"),
        # Speed: what is asked for, and what it comes to.
        ("pace", "<f8"),
        ("follow", "<f8"),
        ("drive", "<f8"),
        ("bend", "<f8"),
        ("jog", "<f8"),
        ("wind", "<f8"),
        ("hand_from", "<f8"),
        ("hand_to", "<f8"),
        ("hand_step", "<f8"),
        ("hand_span", "<i8"),
        ("hand_at", "<i8"),
        ("hand", "<i4"),
        ("hand_started", "<i4"),
        ("winding", "<i4"),
        ("reverse", "<i4"),
        ("quantize", "<i4"),
        ("preview", "<i4"),
        # The loop, in track frames.
        ("loop_in", "<i8"),
        ("loop_out", "<i8"),
        ("loop_length", "<f8"),
        ("loop_debt", "<f8"),
        ("loop_beats", "<f8"),
        ("loop_active", "<i4"),
        ("loop_inside", "<i4"),
        ("loop_roll", "<i4"),
        # Slip: where the track would be.
        ("slip", "<i4"),
        ("slipping", "<i4"),
        ("slip_back", "<i4"),
        ("slip_index", "<i8"),
        ("slip_fraction", "<i8"),
        # Cues, in track frames.
        ("cue", "<i8"),
        ("hotcues", MARK, (HOTCUES,)),
        ("memory_count", "<i8"),
        ("memory", "<i8", (MEMORIES,)),
        # The grid, and what ties the deck to the leader's.
        ("grid", GRID),
        ("sync", "<i4"),
        ("locked", "<i4"),
        ("multiple", "<f8"),
        ("offset", "<f8"),
        ("phase", "<f8"),
        ("told", "<f8"),
        ("layers", LAYER, (STEM_SLOTS,)),
        ("effects", EFFECT, (EFFECT_UNITS,)),
        ("effects_until", "<i8"),
        # Practising: `pass_rate` is the speed of the loop's next pass, 0 for the same; `pre_roll` the beats before it.
        ("click", CLICK),
        ("count", COUNT_IN),
        ("pass_rate", "<f8"),
        ("pre_roll", "<f8"),
        ("region_mask", "<i4"),
        ("mutes", MUTES, (STEM_SLOTS,)),
    ],
    align=True,
)
"""A deck. `mute` and `solo` are what is asked for, `mute_on` and `solo_on` what applies; `left` and `right` are the
gains of each stem, `stand_in` the level of the mix while it stands in for stems, `sum_peak` the peaks of stems that
are summed (`summed.py`) until they are shown. `touched`: buses written this
segment. `heard_until` is the engine frame at which all that the deck leaves in its filters has died away, `stems_ring`
the frames that its stems' filters have left. `splits`: stems that do not go whole to the deck's first bus; `aside`:
whether its second bus is in use; `pairs`: output pairs that stems go to, this segment. `beat` is where the
playhead is in its beat grid, in beats since the first downbeat, and `beat_step` how far it moves in one engine frame
at the speed it has; 0 without a grid or at rest. `effects_until` is the engine frame at which the last of its
effects has died away.

Where the playhead goes next: `heads[0]` is its place, `rate` its speed, negative backwards; `loop_in`, `loop_out` and
`loop_active` the loop, which it takes while `loop_inside` is set, `loop_length` being its exact length and `loop_debt`
what whole frames have left over of it. `pace` is the speed asked for, `follow` the speed that the leader asks for, and
`drive` the speed without hand, brake and spin-back. While `slipping` the track would be at `slip_index`. `region_mask`
has a bit for each stem that is mute somewhere."""

HOST_LOAD: Final = 1
HOST_BIND: Final = 2
HOST_EJECT: Final = 3
HOST_GRID: Final = 4
HOST_PAD: Final = 5
HOST_TAKE: Final = 6

HOST_COMMAND: Final = np.dtype(
    [
        ("kind", "<i4"),
        ("deck", "<i4"),
        ("mask", "<i4"),
        ("clear", "<i4"),
        ("token", "<u8"),
        ("position", "<i8"),
        ("grid", GRID),
        ("mix", SLOT),
        ("stems", SLOT, (STEM_SLOTS,)),
    ],
    align=True,
)
"""A pointer command. `mask`: stem slots that this record brings; `clear`: stem slots that it takes away. HOST_PAD
brings `mix` to pad `mask` of bank `deck`; `position` frames of it lie before the sample. HOST_TAKE lets `mix` play
beside the track, or nothing."""

STATE: Final = np.dtype(
    [
        # What KernelHost sets before the first block.
        ("render", "<i8"),
        ("rate", "<i8"),
        ("channels", "<i8"),
        ("fade_frames", "<i8"),
        ("commands", "<i8"),
        ("command_mask", "<i8"),
        ("events", "<i8"),
        ("event_mask", "<i8"),
        ("snapshots", "<i8"),
        ("clock", "<i8"),
        ("master", "<i8"),
        ("buses", "<i8"),
        ("input", "<i8"),
        ("place_ring", "<i8"),
        ("table", "<i8"),
        # Odd while a block is rendered: KernelHost looks for memory that is still in use only between blocks.
        ("busy", "<u8"),
        ("frame", "<i8"),
        ("cursor", "<i8"),
        # The session's beat: who leads (NONE: nobody), who was made to, and the tempo in beats a minute.
        ("leader", "<i8"),
        ("leader_asked", "<i8"),
        ("tempo", "<f8"),
        # The mixer.
        ("crossfader", "<f8"),
        ("curve", "<i8"),
        ("reversed", "<i8"),
        ("deck_bank", BANK),
        ("crossovers", "<f4", (2, 2, FACTORS)),
        ("phones_level", RAMP),
        ("cue_mix", RAMP),
        ("split_cue", RAMP),
        ("booth_level", RAMP),
        # A bit for each of BUSES whose ring is kept filled.
        ("recorded", "<i4"),
        # What the device hears: channels of it, frames it is late by (as the device says, as was asked for), where it
        # is heard (as in INPUT_OUTPUTS), and what is left of the noise that measures it.
        ("input_channels", "<i4"),
        ("input_told", "<i8"),
        ("input_asked", "<i8"),
        ("input_level", RAMP),
        ("input_output", "<i4"),
        # The deck, from 1, whose places are told beside the input; 0 none.
        ("taken", "<i4"),
        ("probe_left", "<i4"),
        ("probe_noise", "<i8"),
        ("phones", ROUTE),
        ("booth", ROUTE),
        ("master_effect", EFFECT),
        ("beats", BEAT, (DECKS + 1,)),
        ("fx_lead", "<i8"),
        ("master_gain", RAMP),
        ("click_frames", "<i8"),
        ("click_sounds", "<f4", (len(LEVELS), CLICK_ROOM)),
        ("limiter_gain", "<f4"),
        ("limiter_hold", "<i4"),
        ("limiter_low", "<f4"),
        ("look_ahead", "<i4"),
        ("ahead_place", "<i4"),
        ("cue_place", "<i4"),
        ("gain_place", "<i4"),
        ("gain_sum", "<i8"),
        ("gains", "<i8", (WINDOW,)),
        ("ahead", "<f4", (2, LOOK_AHEAD)),
        ("cue_ahead", "<f4", (2, LOOK_AHEAD)),
        ("peak_weights", "<f4", (PEAK_PHASES, PEAK_TAPS)),
        ("peak_history", "<f4", (2, LOOK_BACK + SEGMENT)),
        ("hop", "<i4"),
        ("hop_frames", "<i4"),
        ("loud_until", "<i8"),
        ("upper_loud_until", "<i8"),
        ("loud_pairs", "<i8"),
        ("weighting", "<f4", (2, 6)),
        ("weigh_state", "<f4", (WEIGH_STATES, LANES)),
        ("hop_squares", "<f4", (LANES,)),
        ("hop_power", "<f4", (METERED, HOPS)),
        ("short_term", "<f4", (METERED,)),
        ("momentary", "<f4", (METERED,)),
        ("peak_fall", "<f4", (SEGMENT + 1,)),
        ("power_rise", "<f4"),
        ("master_peak", "<f4", (2,)),
        ("master_power", "<f4", (2,)),
        # Counters.
        ("blocks", "<i8"),
        ("late_blocks", "<i8"),
        ("silent_frames", "<i8"),
        ("commands_applied", "<i8"),
        ("events_lost", "<i8"),
        ("host_events_lost", "<i8"),
        ("stretch_lost", "<i8"),
        # The callback's own time.
        ("load", "<f4"),
        ("load_peak", "<f4"),
        ("stop", "<i8"),
        ("timespec", "<i8", (2,)),
        ("loop_started", "<i8"),
        ("loop_time", "<f8"),
        ("loop_next", "<f8"),
        ("loop_period", "<f8"),
        ("incoming", COMMAND),
        # Commands for later, a doubly linked list in order of frame.
        ("scheduled", COMMAND, (SCHEDULED,)),
        ("before", "<i4", (SCHEDULED,)),
        ("after", "<i4", (SCHEDULED,)),
        ("first", "<i4"),
        ("last", "<i4"),
        ("spare", "<i4"),
        ("waiting", "<i4"),
        ("decks", DECK, (DECKS,)),
        ("sampler", SAMPLER),
        ("timecode", TIMECODE),
        # Scratch of one segment.
        ("bus", "<f4", (STEM_SLOTS + 3, 2, SEGMENT)),
        ("deck_bus", "<f4", (DECKS, 2, 2, SEGMENT)),
        ("stem_pairs", "<f4", (DECKS, OUTPUT_PAIRS, 2, SEGMENT)),
        ("lanes", "<f4", (SEGMENT, LANES)),
        ("split_rows", "<f4", (2, SEGMENT, LANES)),
        ("loud_rows", "<f4", (LANES, SEGMENT)),
        ("loud_lanes", "<f4", (SEGMENT, LANES)),
        ("fx_rows", "<f4", (2, SEGMENT)),
        ("peaks", "<f4", (SEGMENT,)),
        ("curve_row", "<f4", (2, SEGMENT)),
        ("master_bus", "<f4", (2, SEGMENT)),
        ("pad_bus", "<f4", (2, SEGMENT)),
        ("cue_bus", "<f4", (2, SEGMENT)),
        ("outputs", "<f4", (BUS_PAIRS, 2, SEGMENT)),
        ("stereo", "<f4", (SEGMENT, 2)),
        ("places", "<i8", (BATCH,)),
        ("weights", "<f4", (BATCH, 2 * TAPS)),
        ("gathered", "<f4", (2 * TAPS,)),
        ("total", "<f4", (2 * (2 * BATCH + WIDTH),)),
        ("sources", "<i8", (STEM_SLOTS,)),
        ("targets", "<i8", (STEM_SLOTS,)),
        ("laid", "<f4", (BATCH, 2 * TOGETHER)),
        ("nowhere", "<f4", (2, SEGMENT)),
        # Rings between the kernel and its host.
        ("host_produced", PRODUCED),
        ("host_consumed", CONSUMED),
        ("host_commands", HOST_COMMAND, (HOST_CAPACITY,)),
        ("host_events_produced", PRODUCED),
        ("host_events_consumed", CONSUMED),
        ("host_events", EVENT, (HOST_EVENTS,)),
    ],
    align=True,
)
"""Everything the kernel remembers between blocks."""

MIX_BUS: Final = STEM_SLOTS
"""Row of `bus` that holds the mix."""
TAKE_BUS: Final = STEM_SLOTS + 1
"""Row of `bus` that holds the take."""
SUM_BUS: Final = STEM_SLOTS + 2
"""Row of `bus` that holds stems which are summed, levels and all, before they are interpolated."""

State: Any = from_dtype(STATE)
Command: Any = from_dtype(COMMAND)
Event: Any = from_dtype(EVENT)
HostCommand: Any = from_dtype(HOST_COMMAND)
Clock: Any = from_dtype(CLOCK)

ADDRESS: Final = {name: int(STATE.fields[name][1]) for name in STATE.names or ()}  # type: ignore[index]
"""Offset in bytes of each part of STATE."""
