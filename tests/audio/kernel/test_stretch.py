"""Laws of keylock and pitch: tempo and pitch are what was asked for, stems stay together, nothing clicks or waits."""

from collections.abc import Callable

import numpy as np
import pytest

from audio.commands import CHUNK_FRAMES, CommandKind, Commands, EventKind, command, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.layout import SEGMENT
from audio.stretcher import STEP_FRAMES
from tests.audio.kernel.listening import (
    FADE,
    Sound,
    decibels,
    host_with,
    in_blocks,
    kinds,
    mixed,
    off,
    on,
    steps,
    tone,
    whole,
)

RATE = 48_000
KIND = CommandKind
SETTLED = 4_800
"""Frames after which a deck that starts or jumps is stretched, with room."""


def keylock(value: float = 1, frame: int = 0) -> Commands:
    return command(KIND.DECK_KEYLOCK, a=value, frame=frame)


def rate(value: float, frame: int = 0) -> Commands:
    return command(KIND.DECK_RATE, a=value, frame=frame)


def pitch(value: float, frame: int = 0) -> Commands:
    return command(KIND.DECK_PITCH, a=value, frame=frame)


def seek(place: int, frame: int = 0) -> Commands:
    return command(KIND.DECK_SEEK, a=place, frame=frame)


def hertz(sound: Sound) -> float:
    """Return the frequency of a tone, left channel, far better than a cent."""
    size = 1 << 20
    level = np.abs(np.fft.rfft(sound[:, 0].astype(np.float64) * np.hanning(len(sound)), size))
    top = int(level.argmax())
    low, here, high = np.log(level[top - 1 : top + 2])
    return (top + 0.5 * (low - high) / (low - 2 * here + high)) * RATE / size


def cents(one: float, other: float) -> float:
    return 1200.0 * float(np.log2(one / other))


def voices(frames: int, count: int = 3) -> dict[int, Sound]:
    """Return stems of moving tones on a coarse grid, so that their float32 sum is exact."""
    made = {}
    t = np.arange(frames) / RATE
    for slot in range(count):
        random = np.random.default_rng(slot)
        sound = np.zeros((frames, 2))
        for hz in random.uniform(60, 6000, 6):
            tremor = 0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(0.5, 4) * t)
            sound += (np.sin(2 * np.pi * hz * t + random.uniform(0, 6)) * tremor)[:, None] * random.uniform(0.3, 1, 2)
        made[slot] = (np.round(0.02 * sound * 2**16) / 2**16).astype(np.float32)
    return made


def test_keylock_at_the_recorded_speed_is_the_track_itself_bit_for_bit() -> None:
    sound = tone(60_000)
    plain = host_with(sound, on()).render(40_000)
    locked = host_with(sound, on(), keylock(), pitch(0.0), command(KIND.DECK_TUNING, a=440)).render(40_000)
    assert np.array_equal(plain, locked)


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 0.92, 1.08, 1.5, 4.0, -1.1])
def test_a_tone_keeps_its_pitch_at_any_tempo(speed: float) -> None:
    length = int(abs(speed) * 2.6 * RATE)
    host = host_with(tone(length), on(), rate(speed), keylock(), position=0 if speed > 0 else length - 1)
    out = host.render(2 * RATE)[SETTLED:]
    assert abs(cents(hertz(out), 440.0)) < 1.0
    level = np.abs(out[:, 0])[: len(out) // 200 * 200].reshape(-1, 200).max(axis=1)
    assert level.min() > 0.45 * 0.5 and level.max() < 0.52


@pytest.mark.parametrize(("speed", "semitones"), [(1.0, 3.0), (1.0, -12.0), (1.0, 12.0), (0.8, 3.0), (1.25, -0.31)])
def test_pitch_moves_a_tone_by_so_many_semitones(speed: float, semitones: float) -> None:
    out = host_with(tone(4 * RATE), on(), rate(speed), keylock(), pitch(semitones)).render(2 * RATE)[SETTLED:]
    assert abs(cents(hertz(out), 440.0 * 2.0 ** (semitones / 12.0))) < 1.0


def test_without_keylock_pitch_is_added_to_what_the_speed_does() -> None:
    out = host_with(tone(4 * RATE), on(), rate(1.25), pitch(2.0)).render(2 * RATE)[SETTLED:]
    assert abs(cents(hertz(out), 440.0 * 1.25 * 2.0 ** (2.0 / 12.0))) < 1.0


def test_tuning_is_a_fine_shift() -> None:
    out = host_with(tone(4 * RATE), on(), command(KIND.DECK_TUNING, a=432.0)).render(2 * RATE)[SETTLED:]
    assert abs(cents(hertz(out), 432.0)) < 1.0


def test_tempo_is_the_speed_without_drift() -> None:
    """A minute of random speeds: every click of the track sounds where the playhead is."""
    every, frames = 12_000, 60 * RATE
    clicks = np.zeros((66 * RATE, 2), np.float32)
    clicks[every // 2 :: every] = 0.9
    random = np.random.default_rng(5)
    sent = [on(), keylock(), rate(0.95)]
    sent += [rate(float(random.uniform(0.92, 1.08)), frame) for frame in range(RATE, frames, 17_777)]
    host = host_with(clicks, *sent)
    places, parts = [], []
    for _ in range(frames // SEGMENT):
        parts.append(host.render(SEGMENT))
        places.append(float(host.snapshot()["decks"][0]["position"]))
    out = np.abs(np.concatenate(parts)[:, 0])
    at = np.interp(np.arange(frames), np.arange(1, len(places) + 1) * SEGMENT, places)
    errors = []
    for click in range(every // 2 + 2 * every, int(places[-1]) - every, every):
        meant = int(np.searchsorted(at, click))
        around = out[meant - 2_400 : meant + 2_400]
        assert around.max() > 0.3
        errors.append(int(around.argmax()) - 2_400)
    # An attack is spread by what a grain's step differs from the tempo's; right after a change of speed the stretcher
    # is still on its way to the playhead.
    assert np.quantile(np.abs(errors), 0.9) < 0.003 * RATE
    assert np.abs(errors).max() < 0.010 * RATE
    assert np.abs(np.mean(errors[:40]) - np.mean(errors[-40:])) < 0.001 * RATE
    assert host.snapshot()["stretch_lost"] == 0


def test_stems_add_up_to_the_mix_after_any_changes_of_speed() -> None:
    seconds = 20
    parts = voices(seconds * RATE)
    random = np.random.default_rng(6)
    sent = [on(), keylock(), pitch(1.5, 5 * RATE), pitch(0.0, 9 * RATE)]
    sent += [rate(float(random.uniform(0.6, 1.4)), frame) for frame in range(0, 15 * RATE, 11_111)]
    stems = host_with(mixed(parts), *sent, stems=whole(parts)).render(15 * RATE)
    mix = host_with(mixed(parts), command(KIND.DECK_SOURCE, a=0), *sent, stems=whole(parts)).render(15 * RATE)
    assert decibels(float((stems - mix).std() / mix.std())) < -100.0
    assert mix.std() > 0.01


def test_a_muted_stem_is_gone_and_the_others_stay() -> None:
    stems = {0: tone(4 * RATE, 440.0, 0.2), 1: tone(4 * RATE, 1_000.0, 0.2)}
    sent = [on(), keylock(), rate(1.1), command(KIND.STEM_MUTE, 0, 0, a=1, frame=RATE)]
    out = host_with(mixed(stems), *sent, stems=whole(stems)).render(2 * RATE)
    after = out[RATE + 2 * FADE :, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(after * np.hanning(len(after))))
    bins = [round(hz * len(after) / RATE) for hz in (440.0, 1_000.0)]
    assert decibels(spectrum[bins[0]] / spectrum[bins[1]]) < -80.0


def test_stems_that_are_not_ready_let_the_mix_through_the_same_stretcher() -> None:
    frames = 8 * RATE
    parts = voices(frames)
    memory = whole(parts)
    for slot in memory:
        memory[slot].ready[:20] = 0
        memory[slot].ready[40:50] = 0
    sent = [on(), keylock(), rate(1.1)]
    host = host_with(mixed(parts), *sent, stems=memory)
    out = host.render(6 * RATE)
    changes = [kind for kind in kinds(host.events()) if kind in (EventKind.STEMS_ENTERED, EventKind.STEMS_LEFT)]
    assert changes == [EventKind.STEMS_ENTERED, EventKind.STEMS_LEFT, EventKind.STEMS_ENTERED]
    plain = host_with(mixed(parts), *sent).render(6 * RATE)
    assert np.abs(out - plain).max() < 1e-5
    assert host.snapshot()["decks"][0]["stretched"] == 1


@pytest.mark.parametrize(
    "sent",
    [
        [keylock(frame=20_003)],
        [keylock(), keylock(0, frame=20_003)],
        [keylock(), rate(1.0, frame=20_003)],
        [keylock(), rate(1.4, frame=20_003), rate(0.7, frame=30_000)],
        [keylock(), pitch(4.0, frame=20_003), pitch(-4.0, frame=30_000), pitch(0.0, frame=40_000)],
        [keylock(), seek(90_123, frame=20_003), seek(30_000, frame=26_000), seek(31_000, frame=26_300)],
        [keylock(), off(frame=20_003), on(frame=22_000)],
        [keylock(), rate(-1.1, frame=30_003)],
        [keylock(), *(keylock(n % 2, frame=20_000 + 777 * n) for n in range(20))],
    ],
)
def test_nothing_clicks(sent: list[Commands]) -> None:
    hz, level = 200.0, 0.5
    out = host_with(tone(6 * RATE, hz, level), on(), rate(1.1), *sent).render(50_000)
    slew = level * 2 * np.pi * hz / RATE
    # Two sounds at once, each at most 1.4 times as fast and a third higher, and two ramps of full level.
    assert steps(out).max() < 2 * slew * 1.4 + 4 * level / FADE
    assert np.abs(out).max() < 1.0


def test_a_jump_sounds_at_once_and_is_stretched_soon() -> None:
    sound = np.concatenate([np.zeros((2 * RATE, 2), np.float32), tone(4 * RATE)])
    jump = RATE + 37
    host = host_with(sound, on(), rate(1.3), keylock(), seek(3 * RATE, frame=jump))
    out = host.render(3 * RATE)
    assert not out[:jump].any()
    assert np.abs(out[jump + 1 : jump + 128]).max() > 0.01
    assert abs(cents(hertz(out[jump + SETTLED : 2 * RATE]), 440.0)) < 1.0
    assert np.abs(out[jump + FADE : 2 * RATE].reshape(-1, 2)[:, 0]).max() > 0.45


def test_the_position_is_what_is_heard() -> None:
    """The attack of a tone is heard when the playhead is there, before and after a jump."""
    sound = np.zeros((6 * RATE, 2), np.float32)
    for start in (RATE, 4 * RATE):
        sound[start : start + RATE // 2] = tone(RATE // 2, 1_000.0)
    host = host_with(sound, on(), rate(1.25), keylock(), seek(int(3.5 * RATE), frame=RATE + RATE // 2))
    parts, places = [], []
    for _ in range(2 * RATE // SEGMENT):
        parts.append(host.render(SEGMENT))
        places.append(float(host.snapshot()["decks"][0]["position"]))
    out = np.abs(np.concatenate(parts)[:, 0])
    at = np.interp(np.arange(len(out)), np.arange(1, len(places) + 1) * SEGMENT, places)
    for start, low, high in ((RATE, 0, RATE), (4 * RATE, RATE + RATE // 2, 2 * RATE)):
        heard = low + int(np.argmax(out[low:high] > 0.25))
        assert abs(at[heard] - start) < 0.008 * RATE


def test_a_stretcher_that_stops_is_never_silence_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    host = host_with(tone(8 * RATE), on(), rate(1.2), keylock())
    parts = [host.render(RATE)]
    going: Callable[[], int] = host.stretchers.step
    monkeypatch.setattr(host.stretchers, "step", lambda: 0)
    parts.append(host.render(RATE))
    assert host.snapshot()["decks"][0]["stretched"] == 0
    assert host.snapshot()["stretch_lost"] == 1
    assert EventKind.STRETCH_LOST in kinds(host.events())
    monkeypatch.setattr(host.stretchers, "step", going)
    parts.append(host.render(RATE))
    assert host.snapshot()["decks"][0]["stretched"] == 1
    out = np.concatenate(parts)
    assert abs(cents(hertz(out[RATE + SETTLED : 2 * RATE]), 1.2 * 440.0)) < 1.0
    assert abs(cents(hertz(out[2 * RATE + SETTLED :]), 440.0)) < 1.0
    level = np.abs(out[FADE:, 0])
    assert level[: len(level) // 300 * 300].reshape(-1, 300).max(axis=1).min() > 0.2


def busy_host() -> KernelHost:
    """Return a host whose stretched decks are moved all the time, also in the middle of blocks."""
    host = KernelHost()
    parts = voices(120_000, 2)
    memory = whole(parts)
    memory[1].ready[3:5] = 0
    host.load(0, 1, SlotMemory.whole(mixed(parts)), 0, memory)
    host.load(1, 2, SlotMemory.whole(tone(90_000, 330.0)), 50_000)
    sent = [on(0), on(1, 501), keylock(), rate(1.07)]
    for number, (kind, deck, value) in enumerate([
        (KIND.DECK_PITCH, 1, 2.0), (KIND.DECK_SEEK, 0, 30_000), (KIND.DECK_RATE, 0, 0.8), (KIND.DECK_KEYLOCK, 1, 1),
        (KIND.DECK_RATE, 1, 1.3), (KIND.DECK_PITCH, 1, 0.0), (KIND.DECK_SEEK, 1, 3_333), (KIND.DECK_RATE, 0, 3.0),
        (KIND.DECK_KEYLOCK, 0, 0), (KIND.DECK_PLAY, 1, 0), (KIND.DECK_KEYLOCK, 0, 1), (KIND.DECK_PLAY, 1, 1),
        (KIND.DECK_SOURCE, 0, 0), (KIND.DECK_RATE, 1, -0.9), (KIND.DECK_RATE, 0, 1.0), (KIND.DECK_TUNING, 0, 442.0),
    ]):  # fmt: skip
        sent.append(command(kind, deck, a=value, frame=3_001 + 1_777 * number))
    host.send(join(sent))
    return host


FRAMES = 36_000


@pytest.fixture(scope="module")
def reference() -> Sound:
    return busy_host().render(FRAMES)


@pytest.mark.parametrize("size", [1, 64, 65, 128, 512, 4096])
def test_block_size_changes_no_bit(size: int, reference: Sound) -> None:
    sizes = [size] * (FRAMES // size) + ([FRAMES % size] if FRAMES % size else [])
    assert np.array_equal(in_blocks(busy_host(), sizes), reference)


@pytest.mark.parametrize("seed", range(3))
def test_random_blocks_change_no_bit(seed: int, reference: Sound) -> None:
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, FRAMES), 200, replace=False))
    sizes = np.diff(np.concatenate([[0], cuts, [FRAMES]]))
    assert np.array_equal(in_blocks(busy_host(), sizes), reference)
    assert np.isfinite(reference).all()
    assert STEP_FRAMES % SEGMENT == 0


def test_silence_stays_silence() -> None:
    host = host_with(np.zeros((2 * RATE, 2), np.float32), on(), rate(1.2), keylock(), pitch(3.0))
    assert not host.render(RATE).any()


def test_numbers_that_cannot_be_are_clamped_or_refused() -> None:
    host = host_with(tone(4 * RATE), on(), pitch(99.0), command(KIND.DECK_TUNING, a=1e9), keylock(float("nan")))
    out = host.render(RATE)
    assert np.isfinite(out).all()
    assert EventKind.COMMAND_REFUSED in kinds(host.events())
    host.send(join([pitch(-99.0), command(KIND.DECK_TUNING, a=-1.0), command(KIND.DECK_PITCH, 77, a=1.0)]))
    assert np.isfinite(host.render(RATE)).all()


def test_memory_goes_when_a_stretched_deck_is_ejected() -> None:
    parts = voices(2 * RATE)
    host = host_with(mixed(parts), on(), rate(1.2), keylock(), stems=whole(parts))
    host.render(RATE // 2)
    assert not host.collect()
    host.eject(0)
    host.render(RATE // 10)
    assert len(host.collect()) == len(parts) + 1


def test_a_stretched_deck_runs_to_its_end_and_stops() -> None:
    host = host_with(tone(RATE), on(), rate(0.8), keylock())
    out = host.render(2 * RATE)
    assert EventKind.DECK_ENDED in kinds(host.events())
    end = round(RATE / 0.8)
    assert np.abs(out[end - 2_000 : end - FADE]).max() > 0.3
    assert not out[end + 1 :].any()
    assert steps(out).max() < 0.2


def test_what_is_not_in_memory_is_played_from_the_tape_until_it_is() -> None:
    sound = tone(8 * CHUNK_FRAMES * 8)
    memory = SlotMemory.whole(sound)
    memory.ready[20:30] = 0
    host = KernelHost()
    host.load(0, 1, memory, 0)
    host.send(join([command(KIND.DECK_ASSIGN, a=1), on(), rate(1.25), keylock()]))
    out = host.render(int(36 * CHUNK_FRAMES / 1.25))
    assert steps(out).max() < 0.12
    silent = int(host.snapshot()["silent_frames"])
    assert silent == pytest.approx(10 * CHUNK_FRAMES / 1.25, abs=6 * FADE)
    assert abs(cents(hertz(out[int(31 * CHUNK_FRAMES / 1.25) :]), 440.0)) < 1.0


def loop(start: int, length: int) -> Commands:
    return join([command(KIND.LOOP_PUT, a=start, b=start + length), command(KIND.LOOP_ACTIVE, a=1)])


@pytest.mark.parametrize("speed", [0.8, 1.3, -0.8])
def test_a_keylocked_loop_stays_at_pitch_over_its_seams(speed: float) -> None:
    """A loop of no whole number of periods, many times round: each window of 50 ms holds the tone, at its level."""
    host = host_with(tone(RATE * 4, 1000.0), keylock(), rate(speed), loop(48_000, 9_613), on(), position=52_000)
    out = host.render(3 * RATE)[RATE // 2 :, 0].astype(np.float64)
    windows = out[: len(out) // 2400 * 2400].reshape(-1, 2400)
    turn = np.exp(-2j * np.pi * 1000.0 * np.arange(2400) / RATE) * np.hanning(2400)
    levels = np.abs(windows @ turn) / np.abs(windows[0] @ turn)
    assert levels.min() > 0.5, "the tape, 0.8 or 1.3 times as high, leaves nothing of it"
    assert host.snapshot()["stretch_lost"] == 0 and host.snapshot()["decks"][0]["stretched"] == 1
    assert steps(out[:, None].astype(np.float32)).max() < 2 * np.abs(np.diff(windows[0])).max()


def test_a_loop_that_is_left_goes_on_where_the_track_does() -> None:
    host = host_with(tone(RATE * 4, 500.0), keylock(), rate(0.9), loop(48_000, 9_600), on(), position=48_000)
    host.render(RATE)
    host.send(command(KIND.LOOP_ACTIVE, a=0))
    host.render(RATE)
    place = float(host.snapshot()["decks"][0]["position"])
    assert place > 48_000 + 9_600 + 0.5 * RATE
    assert host.snapshot()["decks"][0]["stretched"] == 1


def test_a_keylocked_loop_is_the_same_in_any_blocks() -> None:
    def host() -> KernelHost:
        return host_with(tone(RATE * 2, 440.0), keylock(), rate(0.9), loop(9_000, 7_001), on(), position=9_000)

    whole_ = host().render(RATE)
    for size in (1, 64, 65, 512):
        frames = 6_000 if size == 1 else RATE
        assert np.array_equal(in_blocks(host(), [size] * (frames // size)), whole_[: frames // size * size])


@pytest.mark.parametrize("ahead", [100, 250, 750, 1_000, 1_500, 2_000, 2_500])
@pytest.mark.parametrize("change", [(KIND.LOOP_ACTIVE, 0), (KIND.LOOP_SCALE, 0.5), (KIND.LOOP_MOVE, 0.3)])
def test_a_loop_changed_just_before_its_seam_makes_no_click(ahead: int, change: tuple[CommandKind, float]) -> None:
    """What the stretcher has made ahead, over the seam or up to it, is not what will be played."""
    hz, level, speed = 200.0, 0.5, 0.9
    seam = int((1_000 + 24_113) / speed)
    host = host_with(tone(6 * RATE, hz, level), keylock(), rate(speed), loop(1_000, 24_113), on())
    host.set_grid(0, 1, 24_000.0 * np.arange(12))
    host.send(command(change[0], a=change[1], frame=seam - ahead))
    out = host.render(seam + 24_000)
    assert steps(out).max() < 1.5 * level * 2 * np.pi * hz / RATE
    assert host.snapshot()["decks"][0]["stretched"] == 1
    assert host.snapshot()["stretch_lost"] == 0, "it was in time, and for something else"


def test_a_loop_that_is_switched_on_under_keylock_makes_no_click() -> None:
    hz, level = 200.0, 0.5
    for ahead in (50, 400, 900, 1_300, 1_900):
        end = 26_113
        sent = [command(KIND.LOOP_PUT, a=1_000, b=end), command(KIND.LOOP_ACTIVE, a=0)]
        switch = command(KIND.LOOP_ACTIVE, a=1, frame=int(end / 0.9) - ahead)
        host = host_with(tone(6 * RATE, hz, level), keylock(), rate(0.9), *sent, on(), switch)
        out = host.render(60_000)
        assert steps(out).max() < 2.0 * level * 2 * np.pi * hz / RATE, ahead


def test_loops_and_jumps_that_come_all_the_time_are_not_counted_as_late() -> None:
    random = np.random.default_rng(11)
    host = host_with(tone(60 * RATE, 110.0, 0.2), keylock(), rate(0.95), on())
    host.set_grid(0, 1, 24_000.0 * np.arange(120))
    for _ in range(1_500):
        kind, value = [
            (KIND.LOOP_BEATS, 2.0 ** random.integers(-3, 3)), (KIND.LOOP_ACTIVE, float(random.integers(0, 2))),
            (KIND.LOOP_SCALE, 0.5), (KIND.LOOP_SCALE, 2.0), (KIND.DECK_SEEK, random.uniform(0, 20 * RATE)),
            (KIND.DECK_RATE, random.uniform(0.8, 1.25)), (KIND.DECK_PITCH, random.uniform(-12, 12)),
        ][random.integers(0, 7)]  # fmt: skip
        host.send(command(kind, a=float(value)))
        out = host.render(480)
        assert steps(out).max() < 0.036
    assert host.snapshot()["stretch_lost"] == 0


@pytest.mark.parametrize(("first", "then"), [(0.5, 0.6), (0.9, 0.75), (0.8, 1.0)])
def test_the_passes_of_a_keylocked_loop_are_told_and_take_their_speed_at_the_seam(first: float, then: float) -> None:
    start, length = 24_000, 36_000
    loops = [command(KIND.LOOP_PUT, a=start, b=start + length), command(KIND.LOOP_ACTIVE, a=1)]
    sent = [keylock(), rate(first), *loops, command(KIND.PASS_RATE, a=then), on()]
    hz, level = 200.0, 0.5
    host = host_with(tone(4 * RATE, hz, level), *sent, position=start)
    seam = round(length / first)
    out = host.render(seam)
    host.render(round(2.5 * length / then) - 2_000)
    decks = host.snapshot()["decks"]
    passes = [event for event in host.events() if event["kind"] == EventKind.LOOP_PASSED]
    assert len(passes) == 3 and [int(event["slot"]) for event in passes] == [1, 0, 0]
    assert abs(int(passes[0]["frame"]) - seam) <= FADE + 1
    assert decks[0]["rate"] == then
    # The beginning of the loop falls on the frame of the seam, and all after it goes at the new speed.
    at = float(decks[0]["position"]) - start
    assert at == pytest.approx((host.frame - seam) * then % length, abs=3.0)
    assert steps(out).max() < 2.0 * level * 2 * np.pi * hz / RATE
    assert host.snapshot()["stretch_lost"] == 0
