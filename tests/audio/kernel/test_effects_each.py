"""What each effect does: where its repeats land, what it leaves, and the beat it follows."""

import numpy as np
import pytest

from audio.commands import CommandKind, command
from audio.host import SlotMemory
from audio.kernel import fx_beat
from audio.kernel.compiled import plain
from audio.kernel.fx_crusher import HOLD_FRAMES
from audio.kernel.fx_echo import ECHO_BEATS, MOST_FEEDBACK
from audio.kernel.fx_gate import GATE_BEATS, PATTERNS
from audio.kernel.fx_repeat import REPEAT_BEATS
from audio.kernel.fx_reverb import DECAY_S
from audio.kernel.fx_state import BEAT, line_frames
from tests.audio.kernel.listening import FADE, Sound, constant, decibels, host_with, noise, off, on, tone
from tests.audio.kernel.test_effects import MASTER, effect, switch

BEAT_FRAMES = 24_000
"""A beat of a deck without a grid: 120 a minute."""


def knob(choices: tuple[object, ...], index: int) -> float:
    return index / (len(choices) - 1)


def played(sound: Sound, *sent: np.ndarray, frames: int) -> Sound:
    """Return the sound with `sent` set before it begins."""
    return host_with(sound, on(), *sent).render(frames)


# --- echo ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(ECHO_BEATS)))
@pytest.mark.parametrize("deck", [0, MASTER])
def test_repeats_land_on_the_beat_to_the_frame(index: int, deck: int) -> None:
    burst = np.zeros((150_000, 2), np.float32)
    burst[1000:1400] = noise(400, 1)
    delay = round(ECHO_BEATS[index] * BEAT_FRAMES)
    out = played(burst, *effect("echo", knob(ECHO_BEATS, index), 0.5, 1.0, wet=1.0, deck=deck), frames=3 * delay + 2000)
    assert not out[:1000].any() and not out[1000:1400].any(), "wet 1 is the echo alone"
    first = out[1000 + delay : 1400 + delay]
    assert np.array_equal(first, burst[1000:1400])
    second = out[1000 + 2 * delay : 1400 + 2 * delay]
    assert np.allclose(second, first * MOST_FEEDBACK * 0.5, atol=1e-7)


def test_the_middle_of_wet_has_all_of_both() -> None:
    sound = noise(30_000, 1)
    out = played(sound, *effect("echo", 0.0, 0.0, 1.0, wet=0.5), frames=9000)
    faded = sound.copy()
    faded[:FADE] = out[:FADE]
    assert np.allclose(out[3000:], sound[3000:9000] + faded[:6000], atol=1e-6)


def test_a_dark_tone_takes_the_top_off() -> None:
    def top(value: float) -> float:
        out = played(noise(40_000, 1), *effect("echo", 0.0, 0.0, value, wet=1.0), frames=30_000)
        return float(np.abs(np.fft.rfft(out[10_000:26_384, 0]))[4096:].mean())

    assert decibels(top(0.0) / top(1.0)) < -15.0


def test_an_echo_out_is_the_tail_alone() -> None:
    """Switched off and stopped in one move, the repeats go on in time and come to an end."""
    sent = [*effect("echo", 0.0, 0.6, 1.0), switch(0, 12_000), off(frame=12_000)]
    out = played(noise(60_000, 1), *sent, frames=48_000 * 6)
    levels = [float(out[12_000 + FADE + 3000 * n : 12_000 + 3000 * (n + 1)].std()) for n in range(1, 6)]
    assert levels[0] > 0.01
    assert np.allclose(np.divide(levels[1:], levels[:-1]), MOST_FEEDBACK * 0.6, atol=0.03)
    assert not out[48_000 * 5 :].any()


# --- reverb ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.2, 0.5, 0.7])
def test_the_decay_is_what_the_knob_says(value: float) -> None:
    burst = np.zeros((48_000 * 5, 2), np.float32)
    burst[1000:6000] = noise(5000, 1, 0.3)
    out = played(burst, *effect("reverb", value, 1.0, 0.0, wet=1.0), frames=48_000 * 5)
    seconds = DECAY_S[0] * (DECAY_S[1] / DECAY_S[0]) ** value
    early = 6000 + 4800
    late = early + int(48_000 * seconds / 3)
    fall = decibels(float(out[late : late + 4800].std() / out[early : early + 4800].std()))
    assert fall == pytest.approx(-20.0, abs=2.5)


def test_a_reverb_is_wide_and_dense() -> None:
    click = np.zeros((60_000, 2), np.float32)
    click[1000] = 0.5
    out = played(click, *effect("reverb", 0.5, 1.0, 0.0, wet=1.0), frames=48_000)
    tail = out[12_000:24_000].astype(np.float64)
    assert abs(np.corrcoef(tail[:, 0], tail[:, 1])[0, 1]) < 0.3, "one click in both channels comes from all around"
    assert np.mean(np.abs(tail[:, 0]) > 0.1 * tail[:, 0].std()) > 0.8, "no single echo is heard"


# --- flanger, phaser -------------------------------------------------------------------------------------------------


def test_a_flanger_without_depth_is_a_millisecond_late() -> None:
    sound = noise(20_000, 1)
    out = played(sound, *effect("flanger", 0.5, 0.0, 0.5, wet=1.0), frames=9000)
    assert np.allclose(out[FADE + 48 :], sound[FADE : 9000 - 48], atol=1e-6)


def test_a_flanger_moves() -> None:
    out = played(tone(200_000, 500.0), *effect("flanger", 1.0, 0.5, 0.5), frames=96_000)
    levels = out[4800:, 0].reshape(-1, 960).std(axis=1)
    assert levels.max() > 3 * levels.min()


@pytest.mark.parametrize("hz", [100.0, 800.0, 5000.0])
def test_a_phaser_alone_turns_phases_only(hz: float) -> None:
    out = played(tone(30_000, hz), *effect("phaser", 0.5, 0.0, 0.5, wet=1.0), frames=20_000)
    assert out[10_000:, 0].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_a_phaser_beside_the_sound_makes_notches() -> None:
    """Six all-passes at 800 Hz turn it by three half turns, which is a notch."""
    out = played(tone(30_000, 800.0), *effect("phaser", 0.5, 0.0, 0.5, wet=0.5), frames=20_000)
    assert decibels(float(out[10_000:, 0].std() * np.sqrt(2) / 0.5)) < -40.0


# --- crusher ---------------------------------------------------------------------------------------------------------


def test_two_bits_are_few_steps() -> None:
    out = played(tone(20_000, 300.0, 0.9), *effect("crusher", 1.0, 0.0, 1.0, wet=1.0), frames=9000)
    assert set(np.unique(out[FADE:]).tolist()) == {-1.0, -0.5, 0.0, 0.5, 1.0}


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_samples_are_held(value: float) -> None:
    out = played(noise(60_000, 1), *effect("crusher", 0.0, value, 1.0, wet=1.0), frames=40_000)
    changes = np.count_nonzero(np.diff(out[1000:39_400, 0]))
    assert 38_400 / changes == pytest.approx(HOLD_FRAMES**value, rel=0.05)


# --- gate, repeat ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(PATTERNS)))
@pytest.mark.parametrize("deck", [0, MASTER])
def test_a_gate_opens_on_the_beat_to_the_frame(index: int, deck: int) -> None:
    length = round(GATE_BEATS[2] * BEAT_FRAMES)
    sent = effect("gate", 0.5, 4 / 9, knob(PATTERNS, index), wet=1.0, deck=deck)
    out = played(constant(120_000), *sent, frames=16 * length)
    for step in range(1, 16):
        before, after = out[step * length - 1, 0], out[step * length, 0]
        if PATTERNS[index][step] == "x":
            assert before == 0.0 and after > 0.0, "half a step is open"
            assert np.all(out[step * length + 100 : step * length + length // 2 - 10] == 0.5)
        else:
            assert not out[step * length : (step + 1) * length].any()


def test_a_slice_is_repeated() -> None:
    length = round(REPEAT_BEATS[2] * BEAT_FRAMES)
    sound = noise(120_000, 1)
    sent = effect("repeat", knob(REPEAT_BEATS, 2), 0.0, 1.0, wet=1.0, frame=4801)
    out = host_with(sound, on(), command(CommandKind.FX_PARAM_3, a=1.0), *sent).render(48_000)
    inner = slice(FADE, length)
    first = sound[4800 + FADE : 4800 + length]
    assert np.array_equal(out[4800:][inner], first), "the slice itself is heard while it is taken"
    for time in range(1, 5):
        assert np.array_equal(out[4800 + time * length :][inner], first)


def test_a_repeat_can_fade() -> None:
    length = round(REPEAT_BEATS[2] * BEAT_FRAMES)
    out = played(constant(120_000), *effect("repeat", knob(REPEAT_BEATS, 2), 1.0, 1.0, wet=1.0), frames=5 * length)
    heard = [float(out[time * length + 1000, 0]) for time in range(5)]
    assert np.allclose(heard, [0.5 * 10 ** (-12 * time / 20) for time in range(5)], rtol=1e-4)


def test_a_new_slice_is_taken_on_the_beat() -> None:
    sound = noise(120_000, 1)
    sent = effect("repeat", knob(REPEAT_BEATS, 2), 0.0, 0.0, wet=1.0)
    out = host_with(sound, on(), *sent).render(30_000)
    assert np.array_equal(out[BEAT_FRAMES + FADE : BEAT_FRAMES + 5000], sound[BEAT_FRAMES + FADE : BEAT_FRAMES + 5000])


# --- the beat --------------------------------------------------------------------------------------------------------


def test_the_masters_effect_follows_the_deck_that_leads() -> None:
    burst = np.zeros((150_000, 2), np.float32)
    burst[30_000:30_400] = noise(400, 1)
    sent = [*effect("echo", 0.0, 0.5, 1.0, wet=1.0, deck=MASTER), command(CommandKind.LEADER, 1, a=1), on(1)]
    host = host_with(burst, on(), *sent)
    host.load(1, 2, SlotMemory.whole(np.zeros((150_000, 2), np.float32)))
    for deck, beat in ((0, 24_000.0), (1, 20_000.0)):
        host.set_grid(deck, deck + 1, beat * np.arange(12))
    out = host.render(60_000)
    assert int(np.flatnonzero(out[:, 0])[0]) == 30_000 + round(ECHO_BEATS[0] * 20_000)


beat_at, frames_of, keep_beat = plain(fx_beat.beat_at), plain(fx_beat.frames_of), plain(fx_beat.keep_beat)


def test_a_deck_that_stops_keeps_its_tempo_and_one_without_grid_has_120() -> None:
    kept = np.zeros(1, BEAT).view(np.recarray)[0]
    keep_beat(kept, 7.25, 1 / 30_000, 1, 1280, 48_000)
    assert frames_of(kept, 0.5, 1 << 18) == 15_000
    keep_beat(kept, 0.0, 0.0, 0, 2560, 48_000)
    assert frames_of(kept, 0.5, 1 << 18) == 15_000 and beat_at(kept, 1280 + 30_000) == pytest.approx(8.25)
    keep_beat(kept, 0.0, 0.0, 1, 3840, 48_000)
    assert frames_of(kept, 1.0, 1 << 18) == 30_000, "a deck's step is known one segment after its start"
    keep_beat(kept, 0.0, 0.0, 1, 3968, 48_000)
    assert frames_of(kept, 1.0, 1 << 18) == BEAT_FRAMES


def test_a_delay_that_does_not_fit_is_halved() -> None:
    kept = np.zeros(1, BEAT).view(np.recarray)[0]
    keep_beat(kept, 0.0, -1 / 200_000, 1, 0, 48_000)
    assert frames_of(kept, 2.0, line_frames(48_000)) == 200_000
