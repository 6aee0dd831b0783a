"""Practising as it sounds: the click, the count-in, the passes of a loop, stems that are mute in part; to the frame."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import pytest

from audio.commands import CommandKind as Kind
from audio.commands import Commands, EventKind, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.practice_state import LEVELS, click_frames, click_sounds
from audio.units import BUS_CHANNELS
from tests.audio.kernel.grids import BEAT, ask, drifting, even, host_on_grid, place, track
from tests.audio.kernel.listening import FADE, Sound, in_blocks, mixed, off, on, stems_of, steps, tone, whole

SECOND = 48_000
SONG = track(20 * SECOND)
SILENCE = np.zeros((20 * SECOND, 2), np.float32)
SOUNDS = click_sounds(SECOND)
LENGTH = click_frames(SECOND)
VOLUME = np.float32(0.5)


def events(host: KernelHost, kind: EventKind) -> list[np.void]:
    """Return the events of one kind that the host has not been told of yet."""
    return [event for event in host.events() if event["kind"] == kind]


def clicks(sound: Sound) -> list[tuple[int, int]]:
    """Return the frame and kind of each click in a sound of clicks alone; every one is there to its last frame."""
    found = []
    heard = np.flatnonzero(sound[:, 0])
    at = 0
    while len(heard := heard[heard >= at]):
        start = int(heard[0])
        part = sound[start : start + LENGTH, 0]
        errors = [np.abs(part - VOLUME * row[: len(part)]).max() for row in SOUNDS]
        kind = int(np.argmin(errors))
        assert errors[kind] < 1e-6, f"no click begins on frame {start}"
        found.append((start, kind))
        at = start + LENGTH
    return found


def due(beats: Sequence[float] | np.ndarray, start: float, speed: float, frames: int) -> list[int]:
    """Return the output frames on which a playhead from `start` on comes to each of `beats`."""
    return [frame for beat in beats if beat > start - 1 and (frame := max(0, ceil((beat - start) / speed))) < frames]


# --- the click -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [0.5, 0.87, 1.0, 1.31])
def test_the_click_is_on_the_frame_of_every_beat_of_a_grid_that_drifts(speed: float) -> None:
    beats = drifting(40, 117.0, 0.15, 2.0) + 5_000.25
    host = host_on_grid(SILENCE, ask(Kind.CLICK, 1), ask(Kind.DECK_RATE, speed), on(), beats=beats)
    heard = [frame for frame, _ in clicks(host.render(8 * SECOND))]
    expected = due(beats, 0.0, speed, 8 * SECOND - LENGTH)
    assert heard[: len(expected)] == expected and len(expected) > 6


def test_downbeats_have_an_accent_and_what_lies_between_is_soft() -> None:
    host = host_on_grid(
        SILENCE, ask(Kind.CLICK, 1), ask(Kind.CLICK_DIVIDE, 3), ask(Kind.CLICK_BAR, 3), on(), origin=1.0
    )
    heard = clicks(host.render(5 * BEAT))
    assert [frame for frame, _ in heard] == [n * BEAT // 3 for n in range(15)]
    assert [kind for _, kind in heard] == [1, 2, 2, 0, 2, 2, 1, 2, 2, 1, 2, 2, 0, 2, 2]
    host = host_on_grid(SILENCE, ask(Kind.CLICK, 1), ask(Kind.CLICK_ACCENT, 0), on())
    assert {kind for _, kind in clicks(host.render(5 * BEAT))} == {1}


def test_the_click_goes_on_through_jumps_and_backwards() -> None:
    host = host_on_grid(SILENCE, ask(Kind.CLICK, 1), on(), ask(Kind.DECK_SEEK, 6.25 * BEAT, frame=3 * BEAT + 6000))
    heard = [frame for frame, _ in clicks(host.render(5 * BEAT))]
    assert heard == [0, BEAT, 2 * BEAT, 3 * BEAT, 3 * BEAT + 6000 + BEAT * 3 // 4]
    host = host_on_grid(SILENCE, ask(Kind.CLICK, 1), ask(Kind.DECK_RATE, -1.0), on(), position=3 * BEAT + 100)
    assert [frame for frame, _ in clicks(host.render(3 * BEAT))] == [100, 100 + BEAT, 100 + 2 * BEAT]


def test_without_a_grid_or_a_deck_that_plays_there_is_no_click() -> None:
    host = host_on_grid(SILENCE, ask(Kind.CLICK, 1))
    assert not host.render(SECOND).any()
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(SILENCE))
    host.send(join([ask(Kind.CLICK, 1), on()]))
    assert not host.render(2 * SECOND).any()


def test_the_click_of_the_headphones_is_in_no_other_bus() -> None:
    host = KernelHost(channels=BUS_CHANNELS)
    host.load(0, 1, SlotMemory.whole(SILENCE))
    host.set_grid(0, 1, even(20))
    host.send(join([ask(Kind.CLICK, 1), ask(Kind.CLICK_OUTPUT, 1), ask(Kind.HEADPHONES, 1), on()]))
    out = host.render(SECOND)
    # The headphones have a bus of their own and the device's second pair.
    assert out[:, 8:10].any() and np.array_equal(out[:, 2:4], out[:, 8:10])
    assert not out[:, :2].any() and not out[:, 4:8].any() and not out[:, 10:].any()
    assert not host_on_grid(SILENCE, ask(Kind.CLICK, 1), ask(Kind.CLICK_OUTPUT, 1), on()).render(SECOND).any()


def test_the_click_is_louder_and_softer_without_a_step() -> None:
    host = host_on_grid(SILENCE, ask(Kind.CLICK, 1), on(), ask(Kind.CLICK_VOLUME, 1.0, frame=200))
    sound = host.render(LENGTH + 10)
    full = np.repeat(SOUNDS[0, :LENGTH, None], 2, 1)
    assert np.allclose(sound[200 + FADE : LENGTH], full[200 + FADE :], atol=1e-6)
    assert steps(sound).max() <= steps(full).max() + 1.0 / FADE
    host = host_on_grid(SILENCE, ask(Kind.CLICK_VOLUME, 0), ask(Kind.CLICK, 1))
    host.render(FADE)
    host.send(on())
    assert not host.render(3 * BEAT).any()


def test_the_song_is_the_same_under_the_click() -> None:
    with_click = host_on_grid(SONG, ask(Kind.CLICK, 1), on()).render(4 * BEAT)
    without = host_on_grid(SONG, on()).render(4 * BEAT)
    clicks_alone = host_on_grid(SILENCE, ask(Kind.CLICK, 1), on()).render(4 * BEAT)
    assert np.allclose(with_click, without + clicks_alone, atol=1e-6)


def test_a_click_has_two_pitches_and_dies_away() -> None:
    assert [float(np.abs(row).max()) for row in SOUNDS] == pytest.approx(LEVELS)
    assert not SOUNDS[:, LENGTH:].any() and np.abs(SOUNDS[:, LENGTH - 50 :]).max() < 1e-3
    tops = [np.argmax(np.abs(np.fft.rfft(row, SECOND))) for row in SOUNDS]
    assert abs(tops[0] - 1760) < 40 and abs(tops[1] - 1175) < 40 and tops[1] == tops[2]


# --- the count-in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "beats"), [(1.0, 4), (0.75, 2), (1.25, 7)])
def test_the_song_begins_on_the_beat_after_the_last_click(speed: float, beats: int) -> None:
    start = 4 * BEAT
    settings = [ask(Kind.COUNT_IN, beats), ask(Kind.DECK_RATE, speed)]
    period = BEAT / speed
    counted = host_on_grid(SILENCE, *settings, on(), position=start).render(round((beats + 2) * period))
    assert clicks(counted) == [(round(n * period), 0 if (4 - beats + n) % 4 == 0 else 1) for n in range(beats)]
    host = host_on_grid(SONG, *settings, on(), position=start)
    first = round(beats * period)
    sound = host.render(first) - counted[:first]
    assert np.abs(sound).max() < 1e-7 and host.snapshot()["decks"][0]["playing"] == 1 and place(host) == start
    assert np.array_equal(host.render(SECOND), host_on_grid(SONG, settings[1], on(), position=start).render(SECOND))


def test_a_start_off_the_beat_comes_in_where_it_belongs() -> None:
    host = host_on_grid(SILENCE, ask(Kind.COUNT_IN, 3), ask(Kind.CLICK, 1), on(), position=round(5.25 * BEAT))
    heard = [frame for frame, _ in clicks(host.render(6 * BEAT))]
    # Three clicks are the beats before; a quarter of a beat after the last the song comes in, and its beats go on.
    assert heard == [n * BEAT for n in range(6)]
    assert place(host) == 5.25 * BEAT + 6 * BEAT - 2.25 * BEAT


@pytest.mark.parametrize("speed", [0.7, 1.2])
@pytest.mark.parametrize("start", [0, 4 * BEAT])
def test_with_keylock_on_the_first_sound_after_a_count_has_its_own_pitch(speed: float, start: int) -> None:
    pitched = tone(10 * SECOND, 1000.0)
    settings = [ask(Kind.COUNT_IN, 2), ask(Kind.DECK_KEYLOCK, 1), ask(Kind.DECK_RATE, speed), ask(Kind.CLICK_VOLUME, 0)]
    host = host_on_grid(pitched, *settings, on(), position=start)
    begins = round(2 * BEAT / speed)
    host.render(begins)
    sound = host.render(SECOND // 5)
    for first in (FADE, FADE + 2400, FADE + 4800):
        part = sound[first : first + 2400, 0] * np.hanning(2400)
        assert abs(np.argmax(np.abs(np.fft.rfft(part, SECOND))) - 1000) < 25
    assert host.snapshot()["decks"][0]["stretched"] == 1 and host.snapshot()["stretch_lost"] == 0
    # Where the track begins, the cosine on its right begins with a step of its own.
    own = 0.5 if start == 0 else 0.5 * 2 * np.pi * 1000 / SECOND
    assert steps(sound[:2400]).max() < 1.5 * own


def test_a_counted_start_does_not_depend_on_the_block_size() -> None:
    settings = [ask(Kind.COUNT_IN, 1), ask(Kind.DECK_KEYLOCK, 1), ask(Kind.DECK_RATE, 0.8), on()]
    whole = host_on_grid(SONG, *settings, position=BEAT).render(2 * BEAT)
    for size in (64, 65, 512):
        host = host_on_grid(SONG, *settings, position=BEAT)
        assert np.array_equal(in_blocks(host, [size] * (2 * BEAT // size)), whole[: 2 * BEAT // size * size])


def test_pausing_ends_the_count_and_nothing_comes_in() -> None:
    host = host_on_grid(SONG, ask(Kind.COUNT_IN, 4), on(), off(frame=BEAT // 2))
    assert not host.render(6 * BEAT)[LENGTH:].any() and place(host) == 0
    assert host.snapshot()["decks"][0]["playing"] == 0


def test_without_a_grid_the_sessions_tempo_counts() -> None:
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(SILENCE))
    host.send(join([ask(Kind.TEMPO, 90), ask(Kind.COUNT_IN, 2), on()]))
    assert clicks(host.render(2 * SECOND)) == [(0, 1), (32_000, 1)]


def test_a_count_in_before_every_pass() -> None:
    lines = [ask(Kind.COUNT_IN, 2), ask(Kind.COUNT_PASSES, 1), ask(Kind.LOOP_PUT, 4 * BEAT, b=8 * BEAT),
             ask(Kind.LOOP_ACTIVE, 1), on()]  # fmt: skip
    host = host_on_grid(SONG, *lines, position=4 * BEAT)
    clicked = host_on_grid(SILENCE, *lines, position=4 * BEAT).render(20 * BEAT)
    assert [frame // BEAT for frame, _ in clicks(clicked)] == [0, 1, 6, 7, 12, 13, 18, 19]
    assert all(frame % BEAT == 0 for frame, _ in clicks(clicked))
    sound = host.render(20 * BEAT)
    for turn in range(3):
        at = (2 + 6 * turn) * BEAT
        assert np.abs(sound[at - 2 * BEAT : at] - clicked[at - 2 * BEAT : at]).max() < 1e-7
        assert np.array_equal(sound[at + FADE : at + 4 * BEAT - FADE], SONG[4 * BEAT + FADE : 8 * BEAT - FADE])
    assert len(events(host, EventKind.LOOP_PASSED)) == 3


# --- passes ----------------------------------------------------------------------------------------------------------


def looped(sound: Sound, *commands: Commands, start: float = 4 * BEAT, end: float = 8 * BEAT) -> KernelHost:
    """Return a host that loops four beats."""
    loop = [ask(Kind.LOOP_PUT, start, b=end), ask(Kind.LOOP_ACTIVE, 1)]
    return host_on_grid(sound, *loop, *commands, position=round(start))


def test_a_pre_roll_begins_every_pass_before_the_loop() -> None:
    host = looped(SONG, ask(Kind.LOOP_PRE_ROLL, 1), on())
    sound = host.render(16 * BEAT)
    assert np.array_equal(sound[FADE : 4 * BEAT - FADE], SONG[4 * BEAT + FADE : 8 * BEAT - FADE])
    for turn in range(2):
        at = (4 + 5 * turn) * BEAT
        assert np.array_equal(sound[at : at + 5 * BEAT - FADE], SONG[3 * BEAT : 8 * BEAT - FADE])
    assert [int(event["frame"]) for event in events(host, EventKind.LOOP_PASSED)] == [
        4 * BEAT - FADE, 9 * BEAT - FADE, 14 * BEAT - FADE,
    ]  # fmt: skip


def test_a_pre_roll_never_begins_before_the_track() -> None:
    host = looped(SONG, ask(Kind.LOOP_PRE_ROLL, 4), on(), start=BEAT, end=3 * BEAT)
    sound = host.render(6 * BEAT)
    assert np.array_equal(sound[2 * BEAT + FADE : 5 * BEAT - FADE], SONG[FADE : 3 * BEAT - FADE])


@pytest.mark.parametrize(("first", "then"), [(0.5, 0.55), (1.0, 0.8), (0.9, 1.5)])
def test_the_next_pass_takes_its_speed_on_the_frame_of_the_seam(first: float, then: float) -> None:
    host = looped(SONG, ask(Kind.DECK_RATE, first), ask(Kind.PASS_RATE, then), on())
    seam = ceil(4 * BEAT / first)
    host.render(seam)
    # On that frame the beginning of the loop is there, whatever the speeds are.
    assert abs(place(host) - 4 * BEAT) <= max(first, then)
    passed = events(host, EventKind.LOOP_PASSED)
    assert [int(event["slot"]) for event in passed] == [1]
    assert host.snapshot()["decks"][0]["rate"] == pytest.approx(then)
    host.render(ceil(4 * BEAT / then))
    assert abs(place(host) - 4 * BEAT) <= then and host.snapshot()["decks"][0]["rate"] == pytest.approx(then)


def test_a_change_of_speed_at_the_seam_makes_no_click() -> None:
    wave = np.sin(2 * np.pi * 110 * np.arange(len(SONG)) / SECOND).astype(np.float32)[:, None] * np.float32([0.5, 0.5])
    host = looped(np.ascontiguousarray(wave), ask(Kind.DECK_RATE, 0.8), ask(Kind.PASS_RATE, 0.84), on())
    sound = host.render(8 * BEAT)
    assert steps(sound).max() < 0.5 * 2 * np.pi * 110 / SECOND + 2 / FADE


def test_a_roll_and_a_short_loop_are_no_passes() -> None:
    host = looped(SONG, on(), ask(Kind.LOOP_ROLL, 0.5, frame=100), ask(Kind.LOOP_ROLL, 0, frame=4 * BEAT))
    host.render(4 * BEAT + 100)
    assert not events(host, EventKind.LOOP_PASSED)
    host = looped(SONG, on(), end=4 * BEAT + 8000)
    host.render(2 * BEAT)
    assert not events(host, EventKind.LOOP_PASSED)


def test_bars_are_looped_from_the_bar_that_plays() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.LOOP_BARS, 2, frame=1000), position=6 * BEAT, origin=1.0)
    host.render(2000)
    changed = events(host, EventKind.LOOP_CHANGED)[-1]
    assert (changed["a"], changed["b"]) == (5 * BEAT, 13 * BEAT) and changed["slot"] & 1


def test_again_goes_to_the_beginning_and_counts_in() -> None:
    host = looped(SONG, ask(Kind.COUNT_IN, 1), ask(Kind.LOOP_PRE_ROLL, 2), on())
    host.render(2 * BEAT)
    host.send(ask(Kind.LOOP_AGAIN))
    assert np.array_equal(host.render(BEAT)[FADE + LENGTH :], SILENCE[: BEAT - FADE - LENGTH])
    assert np.array_equal(host.render(4 * BEAT)[FADE:], SONG[2 * BEAT + FADE : 6 * BEAT])


# --- stems that are mute in part -------------------------------------------------------------------------------------

STEMS = stems_of(20 * SECOND, 3)
REST = {slot: sound for slot, sound in STEMS.items() if slot != 1}


def with_stems(*commands: Commands, position: int = 0) -> KernelHost:
    """Return a host with three stems on deck 0."""
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(mixed(STEMS)), position, whole(STEMS))
    host.set_grid(0, 1, even(42))
    host.send(join([ask(Kind.DECK_ASSIGN, 1), *commands]))
    return host


MUTED = ask(Kind.MUTE_ADD, 50_001, slot=1, b=90_003)


@pytest.mark.parametrize("speed", [1.0, 0.5])
def test_a_stem_is_mute_inside_and_all_is_there_outside(speed: float) -> None:
    rate = ask(Kind.DECK_RATE, speed)
    sound = with_stems(MUTED, rate, on()).render(int(120_000 / speed))
    plain = with_stems(rate, on()).render(len(sound))
    mute = with_stems(ask(Kind.STEM_MUTE, 1, slot=1), rate, on()).render(len(sound))
    start, end = ceil(50_001 / speed), ceil(90_003 / speed)
    assert np.array_equal(sound[:start], plain[:start])
    assert np.array_equal(sound[start + FADE : end], mute[start + FADE : end])
    assert np.array_equal(sound[end + FADE :], plain[end + FADE :])
    # The ramp begins with its first step on the frame of the edge.
    assert not np.array_equal(sound[start], plain[start]) or not STEMS[1][50_001].any()
    share = (sound[start : start + FADE] - mute[start : start + FADE]).astype(np.float64)
    whole_stem = (plain[start : start + FADE] - mute[start : start + FADE]).astype(np.float64)
    ramp = 1.0 - (np.arange(FADE) + 1) / FADE
    assert np.abs(share - whole_stem * ramp[:, None]).max() < 1e-5


def test_mute_regions_follow_a_playhead_that_jumps() -> None:
    host = with_stems(
        MUTED, on(), ask(Kind.DECK_SEEK, 60_000, frame=10_000), ask(Kind.DECK_SEEK, 200_000, frame=20_000)
    )
    sound = host.render(30_000)
    rest = mixed(REST)
    assert np.array_equal(sound[10_000 + FADE : 20_000], rest[60_000 + FADE : 70_000])
    assert np.array_equal(sound[20_000 + FADE :], mixed(STEMS)[200_000 + FADE : 210_000])
    host = with_stems(MUTED, on(), position=60_000)
    assert np.array_equal(host.render(9_000)[FADE:], rest[60_000 + FADE : 69_000])


def test_regions_are_cleared_and_refused_and_go_with_the_track() -> None:
    host = with_stems(MUTED, ask(Kind.MUTE_ADD, 60_000, slot=1, b=99_000), ask(Kind.MUTE_ADD, 5, slot=0, b=5), on())
    host.render(64)
    refused = [int(event["a"]) for event in events(host, EventKind.COMMAND_REFUSED)]
    assert refused == [Kind.MUTE_ADD, Kind.MUTE_ADD]
    host.send(join([ask(Kind.MUTES_CLEAR, slot=1), ask(Kind.DECK_SEEK, 60_000)]))
    assert np.array_equal(host.render(9_000)[FADE:], mixed(STEMS)[60_000 + FADE : 69_000])
    host.send(MUTED)
    host.render(64)
    host.load(0, 2, SlotMemory.whole(mixed(STEMS)), 60_000, whole(STEMS))
    assert np.array_equal(host.render(9_000)[FADE:], mixed(STEMS)[60_000 + FADE : 69_000])


# --- laws ------------------------------------------------------------------------------------------------------------


def busy() -> KernelHost:
    """Return a host that does all of it at once."""
    return with_stems(
        ask(Kind.CLICK, 1), ask(Kind.CLICK_DIVIDE, 4), ask(Kind.DECK_RATE, 0.83), ask(Kind.COUNT_IN, 1),
        ask(Kind.LOOP_PUT, BEAT + 0.4, b=2.5 * BEAT), ask(Kind.LOOP_ACTIVE, 1), ask(Kind.LOOP_PRE_ROLL, 0.5),
        ask(Kind.PASS_RATE, 0.97), ask(Kind.MUTE_ADD, 20_000, slot=1, b=26_000), on(),
        ask(Kind.COUNT_PASSES, 1, frame=130_000), ask(Kind.PASS_RATE, 1.13, frame=110_001),
        ask(Kind.MUTE_ADD, 40_000, slot=0, b=41_000, frame=70_001), ask(Kind.LOOP_AGAIN, frame=200_007),
    )  # fmt: skip


@pytest.mark.parametrize("block", [1, 64, 65, 128, 512, 0])
def test_the_block_size_cannot_be_heard(block: int) -> None:
    frames = 60_000 if block == 1 else 250_000
    sizes = [block] * (frames // block) if block else np.random.default_rng(5).integers(1, 700, 700).tolist()
    out = in_blocks(busy(), sizes)
    assert np.array_equal(out, busy().render(len(out))) and np.isfinite(out).all()
