"""The kernel's host: it owns the kernel's memory, hands it tracks and stems, and renders.

Owner: one KernelHost per engine or per offline render; it keeps every buffer alive until the kernel has let go of it.
Units: positions and lengths in frames at the engine rate; audio float32 (frames, 2), full scale 1.0.

The same host plays live (its `state_pointer` is the callback's user data) and offline (`render`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.commands import CHUNK_FRAMES, FADE_S, TUNING_HZ, Commands
from audio.errors import AudioError
from audio.holdings import Holdings
from audio.kernel import layout, stretch_layout
from audio.kernel.bank import rest_bank
from audio.kernel.callback import CALLBACK, null_loop
from audio.kernel.fx_state import line_frames
from audio.kernel.lane_isolator import crossover_factors
from audio.kernel.layout import (
    HOST_BIND,
    HOST_CAPACITY,
    HOST_COMMAND,
    HOST_EJECT,
    HOST_GRID,
    HOST_LOAD,
    HOST_PAD,
    HOST_TAKE,
    LOOK_AHEAD,
    NONE,
    SCHEDULED,
    SEGMENT,
    STATE,
)
from audio.kernel.limiter import peak_weights
from audio.kernel.loudness import QUIETEST, weighting_factors
from audio.kernel.practice_state import click_frames, click_sounds
from audio.kernel.render import RENDER
from audio.kernel.render import render as _render
from audio.kernel.sampler_state import rest_sampler
from audio.kernel.sinc import table
from audio.rings import (
    KERNEL_BLOCK,
    LINE,
    BusReader,
    ClockReader,
    CommandProducer,
    EventConsumer,
    Record,
    SnapshotReader,
    fence,
)
from audio.stretcher import STEP_FRAMES, Stretchers
from audio.units import (
    BANKS,
    BUS_CHANNELS,
    BUSES,
    DECKS,
    EFFECT_UNITS,
    ENGINE_RATE,
    MOST_CHANNELS,
    PADS,
    SESSION_TEMPO_BPM,
    STEM_SLOTS,
    TIMECODE_CHANNELS,
    TIMECODE_DB,
)

PEAK_FALL_DB_S: Final = 24.0
"""Peak meters fall by this many dB a second."""
POWER_S: Final = 0.3
"""Time constant of the rms meters."""


CHANNEL_COUNTS: Final = (*range(2, MOST_CHANNELS + 1, 2), BUS_CHANNELS)
"""How many channels a frame of output may have."""


class HostBusy(AudioError):
    """The engine does not take loads at the moment: try again shortly."""


@dataclass(frozen=True, slots=True, eq=False)
class SlotMemory:
    """A mix or a stem in memory: `audio` float32 (frames, 2), C order; `ready` one uint8 per CHUNK_FRAMES frames, 1 =
    there.

    Whoever fills a chunk writes the audio first and its byte after. Both arrays stay mapped until the host has let go.
    Raises ValueError for arrays of another type or shape.
    """

    audio: npt.NDArray[np.float32]
    ready: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.audio.dtype != np.float32 or self.audio.ndim != 2 or self.audio.shape[1] != 2:
            raise ValueError(f"audio is float32 (frames, 2), not {self.audio.dtype} {self.audio.shape}")
        if self.ready.dtype != np.uint8 or self.ready.shape != (chunks_of(len(self.audio)),):
            raise ValueError(
                f"ready is uint8 ({chunks_of(len(self.audio))},), not {self.ready.dtype} {self.ready.shape}"
            )
        if not (self.audio.flags.c_contiguous and self.ready.flags.c_contiguous):
            raise ValueError("audio and ready lie in one piece")

    @classmethod
    def whole(cls, audio: npt.NDArray[np.float32]) -> "SlotMemory":
        """Return a slot that is all there."""
        made = np.ascontiguousarray(audio, np.float32)
        return cls(made, np.ones(chunks_of(len(made)), np.uint8))

    @classmethod
    def empty(cls, frames: int) -> "SlotMemory":
        """Return a slot of `frames` frames of which nothing is there yet."""
        return cls(np.zeros((frames, 2), np.float32), np.zeros(chunks_of(frames), np.uint8))


def chunks_of(frames: int) -> int:
    """Return how many readiness bytes `frames` frames take."""
    return -(-frames // CHUNK_FRAMES)


def _aligned(dtype: np.dtype[Any]) -> Record:
    """Return zeroed memory for one `dtype` that starts on a cache line."""
    raw = np.zeros(dtype.itemsize + LINE, np.uint8)
    offset = -raw.ctypes.data % LINE
    return np.ndarray((), dtype, raw.data, offset)


def private_block() -> Record:
    """Return a KERNEL_BLOCK in this process' own memory."""
    return _aligned(KERNEL_BLOCK)


class KernelHost:
    """Stands between the kernel and everything that has Python objects.

    Thread-safe: methods that hand over memory (`load`, `bind_stems`, `eject`, `collect`) from one thread at a time;
    `render` and the callback are one other. Realtime-safe: no, but nothing here ever makes the kernel wait.
    """

    def __init__(
        self, rate: int = ENGINE_RATE, channels: int = 2, block: Record | None = None, *, looks_ahead: bool = False
    ) -> None:
        """Make a kernel at `rate` Hz with `channels` outputs: 2, 4, 6 or 8 of a device, or BUS_CHANNELS for every bus.

        `looks_ahead`: the limiter holds the true peak, and the master and headphones come `delay_frames` later.
        `block`: a zeroed KERNEL_BLOCK, shape (), in shared memory; private memory when there is none.
        Raises ValueError for a rate, a channel count or a block that cannot be.
        """
        if not 8_000 <= rate <= 384_000:
            raise ValueError(f"an engine rate lies between 8000 and 384000 Hz, not {rate}")
        _check_channels(channels)
        if block is None:
            block = private_block()
        if block.dtype != KERNEL_BLOCK or block.shape != () or block.ctypes.data % 8:
            raise ValueError("the block is one KERNEL_BLOCK, aligned to 8 bytes")
        self.rate = rate
        self.block = block
        self._state = _aligned(STATE)
        self._table = table()
        self._lines = np.empty((DECKS * EFFECT_UNITS + 1, 2 * line_frames(rate)), np.float32)
        self._lines.fill(0.0)  # so that every page is there before the callback writes it
        self._producer: CommandProducer | None = None
        self._events = EventConsumer(_ring_of_host_events(self._state))
        self._snapshots = SnapshotReader(block["snapshots"])
        self.master = BusReader(block["master"])
        """Reads back what went out."""
        self.clock = ClockReader(block["clock"])
        """Reads the clock pair."""
        self.stretchers = Stretchers([_aligned(stretch_layout.LINE) for _ in range(DECKS)])
        """Keylock and pitch: live, somebody has to `tend` them; `render` makes them step itself."""
        self._held: Holdings[SlotMemory] = Holdings(self._state, self.stretchers)
        self._fill_state(channels)
        self._state["look_ahead"] = looks_ahead
        self._fill_rings()

    @property
    def state_pointer(self) -> int:
        """Address of the kernel's state: the callback's user data. Valid as long as the host lives."""
        return int(self._state.ctypes.data)

    @property
    def callback(self) -> int:
        """Address of a PaStreamCallback: output, float32, interleaved, `channels` channels, user data
        `state_pointer`."""
        return CALLBACK

    @property
    def frame(self) -> int:
        """The engine's frame counter: frames rendered so far."""
        return int(self._state["frame"])

    @property
    def channels(self) -> int:
        """How many channels a frame of output has."""
        return int(self._state["channels"])

    @property
    def delay_frames(self) -> int:
        """How many frames after its own frame the master leaves the limiter."""
        return LOOK_AHEAD if self._state["look_ahead"] else 0

    def set_channels(self, channels: int) -> None:
        """Go on with another number of channels. Pre: nobody renders meanwhile. Raises ValueError."""
        _check_channels(channels)
        self._state["channels"] = channels

    def set_input(self, channels: int, latency_frames: int = 0) -> None:
        """Take input of `channels` channels, 0 for none, from now on; what is played is back in it after
        `latency_frames`, as the device says. Pre: nobody renders meanwhile."""
        self._state["input_channels"], self._state["input_told"] = channels, latency_frames

    def set_frame(self, frame: int) -> None:
        """Let the engine's frame counter go on from `frame`. Pre: nothing has been rendered."""
        if int(self._state["blocks"]):
            raise ValueError("the frame counter is set before the first block")
        self._state["frame"] = frame
        self.block["master"]["written"] = frame

    def load(
        self,
        deck: int,
        token: int,
        mix: SlotMemory,
        position_frames: int = 0,
        stems: Mapping[int, SlotMemory] | None = None,
    ) -> None:
        """Put a track on `deck` (0-based) at the next block; a deck that plays goes on playing it, cross-faded.

        `token` names the track in events and commands, and is not 0. DECK_LOADED follows, DECK_EJECTED for what was
        there. Raises HostBusy, ValueError.
        """
        record = self._record(HOST_LOAD, deck, token, stems or {})
        _name(record["mix"], mix)
        record["position"] = max(0, min(int(position_frames), len(mix.audio)))
        self._put(record, [mix, *(stems or {}).values()])

    def bind_stems(self, deck: int, token: int, stems: Mapping[int, SlotMemory]) -> None:
        """Give the track `token` on `deck` the stems by slot, all at once: stems sound where all that are bound are
        ready.

        A slot that had another memory is cross-faded. Without effect when the deck holds another track by then.
        Raises HostBusy, ValueError.
        """
        self._put(self._record(HOST_BIND, deck, token, stems), list(stems.values()))

    def bind_stem(self, deck: int, token: int, slot: int, memory: SlotMemory) -> None:
        """Give the track `token` on `deck` one stem; as `bind_stems`."""
        self.bind_stems(deck, token, {slot: memory})

    def unbind_stems(self, deck: int, token: int, slots: tuple[int, ...] = tuple(range(STEM_SLOTS))) -> None:
        """Take stems from the track `token` on `deck`; the mix takes over, cross-faded. Raises HostBusy, ValueError."""
        record = self._record(HOST_BIND, deck, token, {})
        for slot in slots:
            record["clear"] |= 1 << _slot_checked(slot)
        self._put(record, [])

    def eject(self, deck: int, token: int = 0) -> None:
        """Take the track off `deck`, faded; only if it is `token`, when that is not 0. Raises HostBusy, ValueError."""
        self._put(self._record(HOST_EJECT, deck, token, {}), [])

    def load_take(self, deck: int, token: int, take: SlotMemory | None) -> None:
        """Let a take that is all there, or none, play beside the track `token` on `deck`, frame for frame on its place;
        what sounds of the one before fades out. Without effect when the deck holds another track by then.
        Raises HostBusy, ValueError.
        """
        record = self._record(HOST_TAKE, deck, token, {})
        if take is not None:
            _name(record["mix"], take)
        self._put(record, [] if take is None else [take])

    def load_pad(self, bank: int, pad: int, sample: SlotMemory | None, lead_frames: int = 0) -> None:
        """Give a pad (both 0-based) a sample that is all there, or none; what sounds of the one before fades out.

        The first `lead_frames` frames lie before the sample's beginning: loops fade over to them.
        Raises HostBusy, ValueError.
        """
        if not (0 <= bank < BANKS and 0 <= pad < PADS):
            raise ValueError(f"pads are 0 to {PADS - 1} of banks 0 to {BANKS - 1}, not {pad} of {bank}")
        record: Record = np.zeros((), HOST_COMMAND)
        record["kind"] = HOST_PAD
        record["deck"] = bank
        record["mask"] = pad
        if sample is not None:
            _name(record["mix"], sample)
            record["position"] = max(0, min(lead_frames, len(sample.audio)))
        self._put(record, [] if sample is None else [sample])

    def set_grid(self, deck: int, token: int, beats: npt.ArrayLike, origin: float = 0.0) -> None:
        """Give the track `token` on `deck` its beat grid, or none with no beats.

        `beats`: float64 (n,), n of 0 or from 2 on, the places of the beats in track frames, finite and growing;
        `origin`: the number of the beat, from 0, that counts as beat 0, the first downbeat. Without effect when the
        deck holds another track by then. Raises HostBusy, ValueError.
        """
        places = np.array(beats, np.float64)
        if places.ndim != 1 or len(places) == 1 or not np.isfinite(places).all() or not np.isfinite(origin):
            raise ValueError("a grid has no beats or two and more, each a number")
        if len(places) and np.diff(places).min() < 1.0:
            raise ValueError("the beats of a grid follow each other by a frame or more")
        record = self._record(HOST_GRID, deck, token, {})
        record["grid"]["beats"] = places.ctypes.data if len(places) else 0
        record["grid"]["count"] = len(places)
        record["grid"]["origin"] = origin
        self._put(record, [])
        if len(places):
            self._held.grids[int(places.ctypes.data)] = places

    def send(self, commands: Commands) -> None:
        """Put commands into the command ring as its producer, in order: for offline use, where no server does.

        Raises EngineBusy when they do not fit.
        """
        if self._producer is None:
            self._producer = CommandProducer(self.block["commands"])
        self._producer.send(commands)

    def render(self, frames: int) -> npt.NDArray[np.float32]:
        """Render the next `frames` frames and return them, float32 (frames, channels). Not while a device plays."""
        out = np.empty((frames, self.channels), np.float32)
        done = 0
        while done < frames:
            to_step = STEP_FRAMES - self.frame % STEP_FRAMES
            if to_step == STEP_FRAMES:
                self.stretchers.step()
            count = min(frames - done, to_step)
            _render(self.state_pointer, int(out[done:].ctypes.data), count)
            done += count
        return out

    def run_null(self, block_frames: int = 128) -> int:
        """Play to nowhere in real time until `stop`; return the blocks played. To be called in a thread of its own.

        The thread does not hold the GIL meanwhile.
        """
        out = np.zeros((block_frames, self.channels), np.float32)
        try:
            return int(null_loop(self.state_pointer, int(out.ctypes.data), block_frames))
        finally:
            self._state["stop"] = 0

    def stop(self) -> None:
        """End the `run_null` that plays or is about to, after its block. Pre: there is one. Thread-safe: yes."""
        self._state["stop"] = 1

    def snapshot(self) -> np.void:
        """Return a copy of the newest SNAPSHOT."""
        return self._snapshots.read()

    def events(self) -> npt.NDArray[np.void]:
        """Return the events since the last call, from the host's own ring: the server's is untouched."""
        return self._events.read()

    @property
    def holds(self) -> int:
        """How many slot memories the host keeps alive."""
        return len(self._held.memories)

    def collect(self) -> list[SlotMemory]:
        """Return the memories that the kernel has let go of since the last call; the host forgets them.

        What is not yet taken from the host's ring, or is still fading, is not among them. Call it now and then.
        """
        return self._held.collect()

    def _record(self, kind: int, deck: int, token: int, stems: Mapping[int, SlotMemory]) -> Record:
        if not 0 <= deck < DECKS:
            raise ValueError(f"decks are 0 to {DECKS - 1}, not {deck}")
        if not 0 <= token < 1 << 64 or (token == 0 and kind != HOST_EJECT):
            raise ValueError(f"a token is a number from 1 that fits 64 bits, not {token}")
        record: Record = np.zeros((), HOST_COMMAND)
        record["kind"] = kind
        record["deck"] = deck
        record["token"] = token
        for slot, memory in stems.items():
            _name(record["stems"][_slot_checked(slot)], memory)
            record["mask"] |= 1 << slot
        return record

    def _put(self, record: Record, memories: list[SlotMemory]) -> None:
        tail = int(self._state["host_produced"]["tail"])
        if tail - int(self._state["host_consumed"]["head"]) >= HOST_CAPACITY:
            raise HostBusy
        for memory in memories:
            self._held.memories[int(memory.audio.ctypes.data)] = memory
        self._state["host_commands"][tail % HOST_CAPACITY] = record
        fence()
        self._state["host_produced"]["tail"] = tail + 1

    def _fill_rings(self) -> None:
        block = self.block
        for name in ("buses", "input", "places"):
            block[name]["samples"].view(np.uint8).fill(0)  # so that every page is there before the callback writes it
        for ring in (block["master"], block["buses"][BUSES.index("headphones")]):
            ring["delay_frames"] = self.delay_frames

    def _fill_state(self, channels: int) -> None:
        state, block = self._state, self.block
        state["render"] = RENDER
        state["rate"] = self.rate
        state["channels"] = channels
        state["fade_frames"] = max(1, round(FADE_S * self.rate))
        state["table"] = self._table.ctypes.data
        for name in ("commands", "events", "snapshots", "clock", "master", "buses", "input"):
            state[name] = block[name].ctypes.data
        state["place_ring"] = block["places"].ctypes.data
        state["command_mask"] = len(block["commands"]["records"]) - 1
        state["event_mask"] = len(block["events"]["records"]) - 1
        state["peak_fall"] = 10.0 ** (-PEAK_FALL_DB_S / 20.0 / self.rate * np.arange(SEGMENT + 1))
        state["power_rise"] = 1.0 / (POWER_S * self.rate)
        state["limiter_gain"] = state["limiter_low"] = 1.0
        state["curve"] = 1
        state["leader"] = state["leader_asked"] = NONE
        state["tempo"] = SESSION_TEMPO_BPM
        state["gains"] = 1 << 30
        state["gain_sum"] = layout.WINDOW << 30
        state["peak_weights"] = peak_weights()
        state["click_sounds"] = click_sounds(self.rate)
        state["click_frames"] = click_frames(self.rate)
        state["weighting"] = weighting_factors(self.rate)
        state["short_term"] = state["momentary"] = QUIETEST
        state["crossovers"] = crossover_factors(self.rate)
        rest_bank(state["deck_bank"])
        for name in ("master_gain", "phones_level", "booth_level"):
            _rest(state[name], 1.0)
        for name, pair in (("phones", 1), ("booth", 2)):
            state[name]["pair"] = state[name]["wanted"] = pair
            _rest(state[name]["level"], 1.0)
        state["timecode"]["rate"] = NONE
        state["timecode"]["channel"] = int(TIMECODE_CHANNELS[0]) - 1
        _rest(state["timecode"]["level"], 10.0 ** (TIMECODE_DB / 20.0))
        units = [deck["effects"][unit] for deck in state["decks"] for unit in range(EFFECT_UNITS)]
        for number, (unit, line) in enumerate(zip([*units, state["master_effect"]], self._lines, strict=True)):
            _rest_effect(unit, line)
            unit["kind"] = unit["wanted"] = 0 if number == len(units) else number % EFFECT_UNITS
        rest_sampler(state["sampler"], self.rate)
        state["beats"]["step"] = 2.0 / self.rate
        state["first"] = state["last"] = NONE
        state["after"] = np.append(np.arange(1, SCHEDULED), NONE)
        lines = self.stretchers.addresses()
        for number in range(DECKS):
            deck = state["decks"][number]
            deck["want_tape"] = layout.UNCHANGED
            deck["heads"]["tape"] = NONE
            deck["stretch"]["line"] = lines[number]
            deck["stretch"]["tuning"], deck["stretch"]["factor"] = TUNING_HZ, 1.0
            deck["number"] = number
            deck["heard_until"] = deck["effects_until"] = -1
            deck["volume"] = deck["trim"] = deck["auto_gain"] = 1.0
            deck["band_gain"] = 1.0
            rest_bank(deck["stem_bank"])
            _rest(deck["trim_gain"], 1.0)
            _rest(deck["output"]["level"], 1.0)
            deck["source"] = 1
            deck["side"] = 0 if number % 2 == 0 else 2
            deck["stem_volume"] = 1.0
            deck["take_volume"] = deck["take_here"] = 1
            _rest(deck["take_left"], 1.0)
            _rest(deck["take_right"], 1.0)
            deck["pace"] = deck["follow"] = deck["drive"] = deck["multiple"] = 1.0
            deck["loop_beats"] = 4.0
            deck["click"]["accent"] = deck["click"]["divide"] = 1
            deck["click"]["bar"] = 4
            _rest(deck["click"]["volume"], 0.5)
            _rest(deck["rate"], 1.0)
            _rest(deck["gain"], 1.0)
            _rest(deck["cross"], np.sin(np.pi / 4))
            _rest(deck["stand_in"], 1.0)
            for slot in range(STEM_SLOTS):
                _rest(deck["layers"][slot]["fade"], 1.0)
                _rest(deck["left"][slot], 1.0)
                _rest(deck["right"][slot], 1.0)
                _rest(deck["send"][slot], 1.0)
                _rest(deck["stem_output"][slot]["level"], 1.0)


def _check_channels(channels: int) -> None:
    if channels not in CHANNEL_COUNTS:
        raise ValueError(f"the kernel has {', '.join(map(str, CHANNEL_COUNTS))} output channels, not {channels}")


def _rest(ramp: Any, value: float) -> None:
    ramp["value"] = ramp["target"] = value


def _rest_effect(unit: Any, line: npt.NDArray[np.float32]) -> None:
    unit["memory"] = line.ctypes.data
    unit["line"] = len(line) // 2
    unit["amount"] = unit["goal"] = 0.5
    _rest(unit["dry"], 1.0)


def _name(slot: Any, memory: SlotMemory) -> None:
    slot["audio"] = memory.audio.ctypes.data
    slot["ready"] = memory.ready.ctypes.data
    slot["frames"] = len(memory.audio)
    slot["chunks"] = len(memory.ready)


def _slot_checked(slot: int) -> int:
    if not 0 <= slot < STEM_SLOTS:
        raise ValueError(f"stem slots are 0 to {STEM_SLOTS - 1}, not {slot}")
    return slot


def _ring_of_host_events(state: Record) -> Record:
    """Return the state's private events in the shape of a ring."""
    names = ("host_events_produced", "host_events_consumed", "host_events")
    fields = [STATE.fields[name] for name in names] if STATE.fields else []
    view = np.dtype(
        {
            "names": ["produced", "consumed", "records"],
            "formats": [field[0] for field in fields],
            "offsets": [field[1] for field in fields],
            "itemsize": STATE.itemsize,
        }
    )
    ring: Record = state.view(view)
    return ring
