"""The laws that hold for every unit of the kernel, one after another: blocks of any size change no bit, silence stays
silence, noise stays finite, a slow tone makes no step that the unit is not made of.

A scene is a unit at work: it is switched on, moved and switched off on odd frames, while a deck of four stems plays on
a beat grid. What each unit does beside that has tests of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from audio.commands import CommandKind as Kind
from audio.commands import Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.units import BUS_CHANNELS, DECKS, EFFECTS, ENGINE_RATE
from tests.audio.kernel.listening import Sound, noise, off, on, steps

FRAMES = 14_000
BEAT = 6_000
SIZES: tuple[int | str, ...] = (1, 64, 65, 128, 512, "random 1", "random 2")
MASTER = DECKS
HZ = 60.0
LEVEL = 0.05
LARGEST = 0.02
"""A step that four stems of such a tone, two at once in a fade, do not make in any scene without a click."""

Maker = Callable[[int], Sound]


@dataclass(frozen=True)
class Scene:
    """A unit at work. `sources`: it makes sound of its own, so silence is none of its laws; `steps`: it is made of
    steps; `pads`: there are samples on four pads."""

    name: str
    sent: tuple[Commands, ...]
    looks_ahead: bool = False
    channels: int = 2
    pads: bool = False
    sources: bool = False
    steps: bool = False


def at(frame: int, kind: Kind, a: float = 0.0, slot: int = 0, b: float = 0.0, deck: int = 0) -> Commands:
    """Return a command for a frame."""
    return command(kind, deck, slot, a, b, frame)


def effect(name: str, deck: int) -> tuple[Commands, ...]:
    """Return one effect switched on, moved, and off again."""
    moves = [at(0, Kind.FX_TYPE, EFFECTS.index(name), deck=deck), at(0, Kind.FX_PARAM_1, 0.2, deck=deck),
             at(333, Kind.FX_ON, 1, deck=deck), at(4_001, Kind.FX_PARAM_2, 0.7, deck=deck),
             at(5_003, Kind.FX_PARAM_3, 0.3, deck=deck), at(6_007, Kind.FX_WET, 0.8, deck=deck),
             at(9_001, Kind.FX_ON, 0, deck=deck)]  # fmt: skip
    return tuple(moves)


def wheel(first: int, last: int, turns: float) -> list[Commands]:
    return [at(frame, Kind.JOG, turns) for frame in range(first, last, 211)]


SCENES = (
    Scene("copy", (on(),)),
    Scene("resampler", (on(), at(1_001, Kind.DECK_RATE, 1.07), at(7_001, Kind.DECK_RATE, 0.6))),
    Scene("keylock", (on(), at(0, Kind.DECK_KEYLOCK, 1), at(0, Kind.DECK_RATE, 1.1), at(6_001, Kind.DECK_PITCH, 3.0))),
    Scene("keylock in a loop", (on(), at(0, Kind.DECK_KEYLOCK, 1), at(0, Kind.DECK_RATE, 0.9),
        at(0, Kind.LOOP_PUT, 100, b=5_777), at(0, Kind.LOOP_ACTIVE, 1), at(9_001, Kind.LOOP_ACTIVE, 0))),
    Scene("loop", (on(), at(501, Kind.LOOP_BEATS, 0.5), at(8_003, Kind.LOOP_SCALE, 0.5), at(11_001, Kind.LOOP_ACTIVE))),
    Scene("roll", (on(), at(1_501, Kind.LOOP_ROLL, 0.25), at(9_003, Kind.LOOP_ROLL, 0))),
    Scene("stem loop", (on(), at(2_001, Kind.STEM_LOOP, 0.5, slot=1), at(10_003, Kind.STEM_LOOP, 0, slot=1))),
    Scene("beat jump", (on(), at(3_001, Kind.BEATJUMP, 1), at(8_001, Kind.BEATJUMP, -1))),
    Scene("hot cue", (on(), at(1_003, Kind.HOTCUE_SET, slot=2), at(7_001, Kind.HOTCUE_GO, 1, slot=2))),
    Scene("hand", (on(), at(2_001, Kind.TOUCH, 1), at(3_001, Kind.SCRATCH, 2_000), at(5_001, Kind.SCRATCH, -900),
        at(9_001, Kind.TOUCH, 0))),
    Scene("wheel", (*wheel(501, 4_000, 0.004), *wheel(5_001, 7_000, -0.003))),
    Scene("brake", (on(), at(2_001, Kind.WIND, 1), at(9_001, Kind.WIND, 0))),
    Scene("spin-back", (on(), at(2_001, Kind.WIND, -1))),
    Scene("reverse with slip", (on(), at(0, Kind.SLIP, 1), at(3_001, Kind.REVERSE, 1), at(8_001, Kind.REVERSE, 0))),
    Scene("bend and jog", (on(), at(901, Kind.BEND, 1), at(4_001, Kind.BEND, 0), at(5_001, Kind.JOG, 0.1))),
    Scene("equaliser", (on(), at(901, Kind.DECK_EQ, 0.1), at(3_001, Kind.DECK_KILL, 1, slot=1),
        at(6_001, Kind.DECK_EQ, 2.0, slot=2), at(9_001, Kind.DECK_KILL, 0, slot=1))),
    Scene("filter", (on(), at(901, Kind.DECK_FILTER, -0.7), at(5_001, Kind.DECK_FILTER, 0.6),
        at(9_001, Kind.DECK_FILTER, 0))),
    Scene("stem filters", (on(), at(901, Kind.STEM_FILTER, -0.7, slot=1), at(2_001, Kind.STEM_EQ_LOW, 0.0, slot=2),
        at(5_001, Kind.STEM_EQ_HIGH, 2.0, slot=3), at(9_001, Kind.STEM_FILTER, 0, slot=1))),
    Scene("faders", (on(), at(901, Kind.DECK_VOLUME, 0.3), at(2_001, Kind.DECK_TRIM, 1.5), at(3_001, Kind.DECK_ASSIGN),
        at(4_001, Kind.CROSSFADER, 0.6), at(6_001, Kind.CROSSFADER_CURVE, 2), at(8_001, Kind.CROSSFADER_REVERSE, 1),
        at(9_001, Kind.MASTER_VOLUME, 0.5), at(10_001, Kind.DECK_AUTO_GAIN, 0.7))),
    Scene("stem mixer", (on(), at(901, Kind.STEM_MUTE, 1, slot=0), at(2_001, Kind.STEM_SOLO, 1, slot=2),
        at(4_001, Kind.STEM_PAN, -0.8, slot=2), at(6_001, Kind.STEM_SOLO, 0, slot=2),
        at(7_001, Kind.STEM_VOLUME, 0.2, slot=1), at(9_001, Kind.DECK_SOURCE, 0))),
    Scene("outputs", (on(), at(901, Kind.DECK_PFL, 1), at(2_001, Kind.CUE_MIX, 0.5), at(3_001, Kind.SPLIT_CUE, 1),
        at(4_001, Kind.STEM_OUTPUT, 3, slot=1), at(6_001, Kind.DECK_OUTPUT, 2), at(8_001, Kind.BOOTH, 0.4)),
        channels=BUS_CHANNELS),
    *(Scene(f"{name} on a deck", (on(), *effect(name, 0)), steps=name == "crusher") for name in EFFECTS),
    *(Scene(f"{name} on the master", (on(), *effect(name, MASTER)), steps=name == "crusher") for name in EFFECTS),
    Scene("send", (on(), *effect("reverb", 0), at(2_001, Kind.STEM_SEND, 0, slot=1))),
    Scene("limiter", (on(), at(0, Kind.DECK_TRIM, 4.0), at(5_001, Kind.DECK_VOLUME, 0.2)), looks_ahead=True),
    Scene("click", (on(), at(0, Kind.CLICK, 1), at(0, Kind.CLICK_DIVIDE, 3), at(7_001, Kind.CLICK_VOLUME, 0.9)),
        sources=True, steps=True),
    Scene("count-in", (at(0, Kind.COUNT_IN, 1), at(701, Kind.DECK_PLAY, 1)), sources=True, steps=True),
    Scene("passes", (on(), at(0, Kind.LOOP_PUT, 100, b=4_003), at(0, Kind.LOOP_ACTIVE, 1),
        at(0, Kind.LOOP_PRE_ROLL, 0.1), at(0, Kind.PASS_RATE, 0.9))),
    Scene("mute regions", (on(), at(0, Kind.MUTE_ADD, 3_001, slot=1, b=6_003), at(9_001, Kind.MUTES_CLEAR, slot=1))),
    Scene("sampler", (at(0, Kind.PAD_MODE, 1, slot=1), at(0, Kind.PAD_PITCH, 5.0, slot=2), at(501, Kind.PAD_HIT, 1),
        at(1_501, Kind.PAD_HIT, 0.7, slot=1), at(3_001, Kind.PAD_HIT, 0.5, slot=2), at(9_001, Kind.SAMPLER_STOP)),
        pads=True),
    Scene("sequencer", (at(0, Kind.TEMPO, 240), at(0, Kind.SEQUENCER_SET, 0, b=1.0),
        at(0, Kind.SEQUENCER_SET, 3, b=0.5), at(0, Kind.SEQUENCER_SWING, 0.2), at(333, Kind.SEQUENCER_RUN, 1),
        at(11_001, Kind.SEQUENCER_RUN, 0)), pads=True),
    Scene("start and stop", (on(frame=901), off(frame=4_001), on(frame=4_100), off(frame=11_001))),
    Scene("sync", (on(), at(0, Kind.SYNC, 1, deck=1), on(1, 1_501), at(7_001, Kind.TEMPO, 420.0))),
)  # fmt: skip
NAMES = [scene.name for scene in SCENES]


def tone_of(slot: int) -> Sound:
    """Return a slow tone, on a coarse grid."""
    times = np.arange(2 * FRAMES) / ENGINE_RATE
    wave = LEVEL * np.sin(2 * np.pi * HZ * times + slot)
    coarse: Sound = (np.round(np.stack([wave, wave], axis=1) * 2**16) / 2**16).astype(np.float32)
    return coarse


def noise_of(slot: int) -> Sound:
    coarse: Sound = (np.round(noise(2 * FRAMES, slot, 0.1) * 2**14) / 2**14).astype(np.float32)
    return coarse


def silence_of(slot: int) -> Sound:
    return np.zeros((2 * FRAMES, 2), np.float32)


def make(scene: Scene, sound: Maker) -> KernelHost:
    """Return a host on which the scene is about to be played."""
    host = KernelHost(channels=scene.channels, looks_ahead=scene.looks_ahead)
    stems = {slot: sound(slot) for slot in range(4)}
    mix: Sound = np.sum(list(stems.values()), axis=0, dtype=np.float32)
    for deck in range(2):
        host.load(deck, deck + 1, SlotMemory.whole(mix), 1_000 * deck,
                  {slot: SlotMemory.whole(one) for slot, one in stems.items()})  # fmt: skip
        host.set_grid(deck, deck + 1, (BEAT + 100 * deck) * np.arange(5))
        host.send(command(Kind.DECK_ASSIGN, deck, a=1))
    for pad in range(4 if scene.pads else 0):
        faded = sound(pad)[: 3_000 + 500 * pad] * np.minimum(1.0, np.arange(3_000 + 500 * pad) / 200.0)[:, None]
        host.load_pad(0, pad, SlotMemory.whole(faded.astype(np.float32)), 240 * (pad % 2))
    host.send(join(scene.sent))
    return host


def play(scene: Scene, sound: Maker, size: int | str = FRAMES) -> tuple[Sound, tuple[float, ...]]:
    """Return what is heard in blocks of `size`, and what the meters and decks show at the end."""
    host = make(scene, sound)
    if isinstance(size, str):
        random = np.random.default_rng(int(size.split()[1]))
        cuts = np.sort(random.choice(np.arange(1, FRAMES), 90, replace=False))
        sizes = np.diff([0, *cuts, FRAMES]).tolist()
    else:
        sizes = [size] * (FRAMES // size) + [FRAMES % size] * (FRAMES % size > 0)
    out = np.concatenate([host.render(block) for block in sizes])
    shown = host.snapshot()
    decks = [float(deck[name]) for deck in shown["decks"] for name in ("position", "rate", "beat", "loudness")]
    return out, (float(shown["loudness"]), float(shown["momentary"]), *decks)


@pytest.mark.parametrize("scene", SCENES, ids=NAMES)
def test_block_sizes_change_no_bit_of_sound_or_of_what_is_shown(scene: Scene) -> None:
    heard, shown = play(scene, noise_of)
    assert np.isfinite(heard).all() and np.abs(heard[:, :2]).max() > 0.01, "it is heard"
    for size in SIZES:
        again, then = play(scene, noise_of, size)
        assert np.array_equal(again, heard), f"blocks of {size}: frame {int(np.flatnonzero(again != heard)[0])}"
        assert then == shown, f"blocks of {size}"


@pytest.mark.parametrize("scene", [s for s in SCENES if not s.sources], ids=[s.name for s in SCENES if not s.sources])
def test_silence_stays_silence(scene: Scene) -> None:
    assert not play(scene, silence_of)[0].any()


@pytest.mark.parametrize("scene", [s for s in SCENES if not s.steps], ids=[s.name for s in SCENES if not s.steps])
def test_a_slow_tone_makes_no_step(scene: Scene) -> None:
    assert steps(play(scene, tone_of)[0]).max() < LARGEST


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_what_is_no_sound_harms_no_unit(bad: float) -> None:
    def broken(slot: int) -> Sound:
        sound = noise_of(slot)
        sound[3_000:3_010] = bad
        return sound

    for scene in SCENES:
        assert np.isfinite(play(scene, broken)[0]).all(), scene.name
