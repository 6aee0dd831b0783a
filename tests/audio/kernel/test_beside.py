"""A take plays beside a deck's track as the track itself would there, and changes nothing else."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, EventKind, command
from audio.host import KernelHost, SlotMemory
from tests.audio.kernel.listening import (
    FADE,
    Sound,
    host_with,
    in_blocks,
    mixed,
    noise,
    off,
    on,
    stems_of,
    steps,
    tone,
    whole,
)

KIND = CommandKind
TRACK = 60_000
FRAMES = 30_000
MOVES: dict[str, list[Commands]] = {
    "plays": [],
    "seeks": [command(KIND.DECK_SEEK, a=30_000, frame=5000), off(frame=15_000), on(frame=17_000)],
    "loops": [command(KIND.LOOP_PUT, a=2000.0, b=9000.0), command(KIND.LOOP_ACTIVE, a=1)],
    "slower": [command(KIND.DECK_RATE, a=0.83)],
    "backwards": [command(KIND.DECK_SEEK, a=40_000), command(KIND.REVERSE, a=1, frame=1000)],
}  # fmt: skip


def beside(track: Sound, take: Sound | None, *sent: Commands, stems: dict[int, Sound] | None = None) -> KernelHost:
    host = host_with(track, *sent, stems=whole(stems) if stems else None)
    if take is not None:
        host.load_take(0, 1, SlotMemory.whole(take))
    return host


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("sizes", [[1], [64], [65], [128], [512], [3, 250, 1]])
def test_it_sounds_as_if_it_were_the_track(moves: str, sizes: list[int]) -> None:
    sent, frames = [on(), *MOVES[moves]], FRAMES if sizes != [1] else 3000
    sound = noise(TRACK, 1)
    blocks = [sizes[n % len(sizes)] for n in range(frames * len(sizes) // sum(sizes))]
    alone = in_blocks(host_with(sound, *sent), blocks)
    assert alone.any()
    assert np.array_equal(in_blocks(beside(np.zeros_like(sound), sound, *sent), blocks), alone)


@pytest.mark.parametrize("moves", MOVES)
def test_it_adds_to_mix_and_to_stems_and_decides_nothing(moves: str) -> None:
    parts, sent, take = stems_of(TRACK), [on(), *MOVES[moves]], noise(20_000, 9)
    silent = np.zeros((TRACK, 2), np.float32)
    alone = beside(silent, take, *sent).render(FRAMES)
    for stems in (None, parts):
        host = beside(mixed(parts), take, *sent, stems=stems)
        both = host.render(FRAMES)
        without = beside(mixed(parts), None, *sent, stems=stems).render(FRAMES)
        assert np.abs(both - without - alone).max() < 1e-6
        assert bool(host.snapshot()["decks"][0]["stems_audible"]) is (stems is not None)
        assert EventKind.AUDIO_MISSING not in [int(kind) for kind in host.events()["kind"]]


def test_with_keylock_it_stays_with_the_track() -> None:
    rng = np.random.default_rng(1)
    sound = sum(tone(TRACK, hz, 0.05) for hz in rng.uniform(80, 4000, 8)).astype(np.float32)  # type: ignore[union-attr]
    sent = [command(KIND.DECK_KEYLOCK, a=1), command(KIND.DECK_RATE, a=0.8), on()]
    alone = host_with(sound, *sent).render(FRAMES)
    host = beside(sound, sound, *sent)
    both = host.render(FRAMES)
    assert host.snapshot()["decks"][0]["stretched"]
    assert np.abs(both[9600:] - 2 * alone[9600:]).max() < 1e-5


def test_level_mute_pan_and_a_stems_solo() -> None:
    silent, take = np.zeros((TRACK, 2), np.float32), np.full((TRACK, 2), 0.25, np.float32)
    for sent, expected in (
        (command(KIND.TAKE_VOLUME, a=0.5), (0.125, 0.125)),
        (command(KIND.TAKE_MUTE, a=1), (0.0, 0.0)),
        (command(KIND.TAKE_PAN, a=-1.0), (0.25, 0.0)),
        (command(KIND.STEM_SOLO, slot=1, a=1), (0.0, 0.0)),
    ):
        parts = dict.fromkeys(range(2), silent)
        sent["frame"] = 4000
        out = beside(silent, take, on(), sent, stems=parts).render(9000)
        assert np.array_equal(out[1000], [0.25, 0.25]) and np.allclose(out[-1], expected, atol=1e-6), sent
        assert steps(out[1000:]).max() <= 0.25 / FADE * 1.01


@pytest.mark.parametrize("locked", [0, 1])
def test_choosing_another_take_while_it_plays_makes_no_click(locked: int) -> None:
    silent, take = np.zeros((TRACK, 2), np.float32), tone(TRACK, 220.0, 0.25)
    host = beside(silent, None, command(KIND.DECK_KEYLOCK, a=locked), command(KIND.DECK_RATE, a=0.9), on())
    out = [host.render(9000)]
    for sound in (take, 0.5 * take, None):
        host.load_take(0, 1, None if sound is None else SlotMemory.whole(np.float32(sound)))
        out.append(host.render(6000))
    assert not out[0].any() and not out[-1][3000:].any()
    assert 0.2 < np.abs(out[1][4000:]).max() < 0.3 and 0.1 < np.abs(out[2][4000:]).max() < 0.15
    assert steps(np.concatenate(out)).max() < 0.25 * 2 * np.pi * 220 / 48_000 + 2 * 0.25 / FADE
    host.render(512)
    assert len(host.collect()) == 2


def test_another_track_comes_without_the_take_of_the_last() -> None:
    silent = np.zeros((TRACK, 2), np.float32)
    host = beside(silent, noise(TRACK, 1), on())
    assert host.render(2000).any()
    host.load(0, 2, SlotMemory.whole(silent))
    host.load_take(0, 1, SlotMemory.whole(noise(TRACK, 2)))
    assert not host.render(4000)[FADE + 64 :].any()
