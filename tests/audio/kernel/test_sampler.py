"""The sampler as it sounds: pads, modes, chokes, pitch, hits on the beat, the step sequencer; to the frame."""

import numpy as np
import pytest

from audio.commands import CommandKind as Kind
from audio.commands import Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.units import PADS
from tests.audio.kernel.grids import host_on_grid, track
from tests.audio.kernel.listening import FADE, Sound, constant, decibels, in_blocks, noise, on, steps, tone

SECOND = 48_000
ATTACK = 48
ONE_SHOT, LOOP, GATE = range(3)


def pad(kind: Kind, a: float = 0.0, number: int = 0, frame: int = 0, bank: int = 0, b: float = 0.0) -> Commands:
    """Return one command for a pad."""
    return command(kind, bank, number, a=a, b=b, frame=frame)


def hit(frame: int = 0, velocity: float = 1.0, number: int = 0) -> Commands:
    """Return a hit."""
    return pad(Kind.PAD_HIT, velocity, number, frame)


def host_of(*sounds: Sound, lead: int = 0) -> KernelHost:
    """Return a host with a sample on each of the first pads."""
    host = KernelHost()
    for number, sound in enumerate(sounds):
        host.load_pad(0, number, SlotMemory.whole(sound), lead)
    return host


def played(host: KernelHost, frames: int, *commands: Commands) -> Sound:
    """Return what is heard of pads that the commands hit."""
    host.send(join(commands))
    return host.render(frames)


def onsets(sound: Sound) -> list[int]:
    """Return the frames at which something begins after silence."""
    heard = np.abs(sound[:, 0]) > 0.0
    return [int(frame) for frame in np.flatnonzero(heard & ~np.r_[False, heard[:-1]])]


CLICK = np.r_[constant(100), constant(400, 0.0)].astype(np.float32)


# --- hits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [0, 1, 63, 64, 127, 128, 1000])
def test_a_hit_sounds_on_its_frame_and_is_the_sample_bit_for_bit(frame: int) -> None:
    sample = noise(4000, 1)
    out = played(host_of(sample), 6000, hit(frame))
    assert not out[:frame].any()
    assert np.array_equal(out[frame : frame + 4000 - FADE], sample[: 4000 - FADE])
    assert not out[frame + 4000 :].any()


def test_velocity_gain_and_volume_are_factors() -> None:
    for velocity, gain, volume in ((1.0, 1.0, 1.0), (0.5, 1.0, 1.0), (0.5, 0.5, 1.0), (1.0, 0.25, 0.5)):
        host = host_of(constant(4000))
        commands = pad(Kind.PAD_GAIN, gain), command(Kind.SAMPLER_VOLUME, a=volume)
        out = played(host, 2000, *commands, hit(1000, velocity))
        assert out[1500] == pytest.approx(0.5 * velocity * gain * volume)


def test_pan_takes_from_the_other_side() -> None:
    out = played(host_of(constant(4000)), 1000, pad(Kind.PAD_PAN, -0.5), hit())
    assert out[500] == pytest.approx([0.5, 0.25])


def test_an_empty_pad_is_silence_and_what_cannot_be_is_refused() -> None:
    host = host_of()
    assert not played(host, 500, hit(), hit(number=15)).any()
    before = int(host.snapshot()["commands_applied"])
    bad = [pad(Kind.PAD_HIT, 1.0, 16), pad(Kind.PAD_HIT, 1.0, 0, bank=8), pad(Kind.PAD_HIT, float("nan")),
           pad(Kind.SEQUENCER_SET, 16.0, b=1.0), pad(Kind.SEQUENCER_SET, 0.0, b=float("inf"))]  # fmt: skip
    assert not played(host, 500, *bad).any()
    assert int(host.snapshot()["commands_applied"]) == before


def test_a_one_shot_overlaps_itself() -> None:
    out = played(host_of(constant(4000, 0.25)), 3000, hit(0), hit(1000))
    assert out[500, 0] == pytest.approx(0.25)
    assert out[1500, 0] == pytest.approx(0.5)


def test_start_and_end_cut_the_sample_without_a_step() -> None:
    sample = tone(10_000)
    out = played(host_of(sample), 8000, pad(Kind.PAD_START, 3000), pad(Kind.PAD_END, 7000), hit(100))
    assert np.array_equal(out[100 + ATTACK : 100 + 4000 - FADE], sample[3000 + ATTACK : 7000 - FADE])
    assert not out[4100:].any()
    assert steps(out).max() < 0.5 / ATTACK + steps(sample).max()


@pytest.mark.parametrize(("start", "end"), [(5000, 3000), (3000, 3000), (99_000, 0), (-5, -7)])
def test_a_stretch_that_cannot_be_is_silence_or_the_whole(start: float, end: float) -> None:
    out = played(host_of(constant(4000)), 5000, pad(Kind.PAD_START, start), pad(Kind.PAD_END, end), hit())
    assert out.any() == (start < 0)
    assert np.isfinite(out).all()


# --- modes -----------------------------------------------------------------------------------------------------------


def test_a_gate_sounds_while_it_is_held() -> None:
    out = played(host_of(constant(40_000)), 9000, pad(Kind.PAD_MODE, GATE), hit(100), hit(5000, 0.0))
    assert (out[100:5000] == 0.5).all()
    assert not out[5000 + FADE :].any()
    assert steps(out[200:]).max() == pytest.approx(0.5 / FADE, rel=0.01)


def test_letting_go_of_a_one_shot_is_nothing() -> None:
    out = played(host_of(constant(4000)), 3000, hit(), hit(500, 0.0))
    assert (out[:3000] == 0.5).all()


def test_a_loop_goes_round_until_it_is_hit_again() -> None:
    sample = tone(4800)  # 44 whole turns of 440 Hz
    out = played(host_of(sample), 40_000, pad(Kind.PAD_MODE, LOOP), hit(), hit(30_000))
    endless = tone(40_000)
    assert np.abs(out[:30_000] - endless[:30_000]).max() < 0.002
    assert not out[30_000 + FADE :].any()


@pytest.mark.parametrize("semitones", [0.0, 7.0, -5.0, 12.0])
@pytest.mark.parametrize("lead", [0, 240])
def test_the_seam_of_a_loop_is_no_step(semitones: float, lead: int) -> None:
    sample = tone(5000 + lead, 330.0)  # does not fit: the seam is in the middle of a turn
    host = host_of(sample, lead=lead)
    out = played(host, 30_000, pad(Kind.PAD_MODE, LOOP), pad(Kind.PAD_PITCH, semitones), hit())
    most = 0.5 * 2 * np.pi * 330.0 / SECOND * 2 ** (semitones / 12)
    # The bend moves by at most twice the level in a fade, at the speed it is played.
    assert steps(out[60:]).max() < 1.05 * most + 1.1 / FADE * 2 ** (semitones / 12)


def test_a_loop_comes_round_on_the_exact_frame() -> None:
    sample = np.zeros((1001, 2), np.float32)
    sample[500] = 0.5
    out = played(host_of(sample), 10_000, pad(Kind.PAD_MODE, LOOP), hit())
    assert onsets(out) == [500 + 1001 * turn for turn in range(10) if 500 + 1001 * turn < 10_000]


# --- chokes, polyphony -----------------------------------------------------------------------------------------------


def test_a_choke_group_silences_its_own_with_a_fade() -> None:
    host = host_of(constant(40_000), constant(400, 0.0), constant(40_000, 0.25))
    groups = [pad(Kind.PAD_CHOKE, 1, number) for number in (0, 1)]
    out = played(host, 6000, *groups, hit(0), hit(0, number=2), hit(3000, number=1))
    assert (out[:3000] == 0.75).all()
    assert (out[3000 + FADE :] == 0.25).all()
    assert steps(out).max() == pytest.approx(0.5 / FADE, rel=0.01)


def test_stopping_a_pad_and_stopping_all() -> None:
    host = host_of(constant(40_000), constant(40_000, 0.25))
    stops = pad(Kind.PAD_STOP, frame=1000), command(Kind.SAMPLER_STOP, frame=2000)
    out = played(host, 4000, hit(), hit(number=1), *stops)
    assert (out[1000 + FADE : 2000] == 0.25).all()
    assert not out[2000 + FADE :].any()
    assert steps(out).max() < 0.51 / FADE


def test_the_thirty_third_voice_lets_the_oldest_fade_out() -> None:
    host = host_of(*[constant(40_000, 0.01 if number else 0.02) for number in range(PADS)])
    hits = [hit(10 * n, number=n % PADS) for n in range(40)]
    out = played(host, 3000, *hits)
    # 40 were hit; of the 8 that went, the oldest, 1 was of pad 1.
    assert out[2000, 0] == pytest.approx(0.01 * 32 + 0.01 * 2, abs=1e-5)
    assert steps(out).max() < 0.03
    assert bin(int(host.snapshot()["pads"][0])).count("1") == PADS


def test_memory_is_kept_until_nothing_sounds_of_it() -> None:
    host = host_of(constant(40_000))
    played(host, 500, hit())
    host.load_pad(0, 0, None)
    host.render(64)
    assert not host.collect()
    out = host.render(1000)
    assert steps(out).max() < 0.51 / FADE
    assert len(host.collect()) == 1
    assert not played(host, 500, hit()).any()


# --- pitch -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("semitones", [-24.0, -12.0, -0.5, 3.0, 12.0, 24.0])
def test_pitch_moves_a_tone_by_its_ratio_and_folds_nothing_over(semitones: float) -> None:
    host = host_of(tone(40 * SECOND // 4, 1000.0))
    out = played(host, 2 * SECOND // 2, pad(Kind.PAD_PITCH, semitones), hit())[4096 : 4096 + 32_768, 0]
    spectrum = np.abs(np.fft.rfft(out * np.kaiser(32_768, 14.0)))
    peak = int(spectrum.argmax())
    assert peak * SECOND / 32_768 == pytest.approx(1000.0 * 2 ** (semitones / 12), abs=1.0)
    rest = spectrum.copy()
    rest[max(0, peak - 16) : peak + 17] = 0.0
    assert decibels(rest.max() / spectrum[peak]) < -80.0


def test_a_tone_above_half_the_rate_is_silenced_not_folded() -> None:
    out = played(host_of(tone(SECOND, 15_000.0)), 8000, pad(Kind.PAD_PITCH, 12.0), hit())[1000:]
    assert decibels(float(np.abs(out).max()) / 0.5) < -60.0


def test_pitch_and_gain_that_move_make_no_step() -> None:
    host = host_of(tone(8 * SECOND, 200.0))
    moves = [pad(Kind.PAD_PITCH, (n % 7) * 2.0 - 6.0, frame=500 * n) for n in range(1, 20)]
    moves += [pad(Kind.PAD_GAIN, n % 2, frame=700 * n) for n in range(1, 14)]
    out = played(host, 12_000, hit(), *sorted(moves, key=lambda one: int(one["frame"][0])))
    assert steps(out).max() < 0.5 * 2 * np.pi * 200 / SECOND * 2 + 0.51 / FADE


# --- the beat --------------------------------------------------------------------------------------------------------


def test_a_quantised_hit_falls_on_the_beat_of_the_session() -> None:
    host = host_of(CLICK)
    out = played(host, SECOND, command(Kind.TEMPO, a=100), pad(Kind.PAD_QUANTIZE, 0.5), hit(1000), hit(15_000))
    assert onsets(out) == [14_400, 28_800]


def test_a_quantised_hit_falls_on_the_beat_of_the_deck_that_leads() -> None:
    host = host_on_grid(track(20 * SECOND) * np.float32(0.0), on(), position=5000)
    host.load_pad(0, 0, SlotMemory.whole(CLICK))
    out = played(host, SECOND, pad(Kind.PAD_QUANTIZE, 1.0), hit(300))
    assert onsets(out) == [24_000 - 5000]


def test_a_gate_that_is_let_go_before_its_beat_is_not_heard() -> None:
    host = host_of(CLICK)
    commands = pad(Kind.PAD_MODE, GATE), pad(Kind.PAD_QUANTIZE, 1.0)
    assert not played(host, SECOND, *commands, hit(1000), hit(2000, 0.0)).any()


def pattern(*columns: int, number: int = 0, velocity: float = 1.0) -> list[Commands]:
    """Return commands that put these steps on a pad."""
    return [pad(Kind.SEQUENCER_SET, step, number, b=velocity) for step in columns]


def test_steps_fall_on_their_frames_at_the_sessions_tempo() -> None:
    host = host_of(CLICK)
    run = command(Kind.SEQUENCER_RUN, a=1, frame=777)
    out = played(host, 3 * SECOND, command(Kind.TEMPO, a=130), *pattern(0, 3, 4, 10), run)
    step = 60 * SECOND / 130 / 4
    expected = [777 + int(np.ceil((16 * bar + column) * step - 1e-6)) for bar in range(2) for column in (0, 3, 4, 10)]
    assert onsets(out) == [frame for frame in expected if frame < 3 * SECOND]


def test_steps_follow_a_change_of_tempo_from_its_frame_on() -> None:
    host = host_of(CLICK)
    change = command(Kind.TEMPO, a=240, frame=10_000)
    out = played(host, SECOND, *pattern(*range(16)), command(Kind.SEQUENCER_RUN, a=1), change)
    # 120 a minute: a step is 6,000 frames. Two thirds of the second one are over when steps become 3,000.
    assert onsets(out)[:5] == [0, 6000, 11_000, 14_000, 17_000]


def test_swing_length_step_and_velocity() -> None:
    host = host_of(CLICK)
    settings = [command(Kind.SEQUENCER_SWING, a=0.25), command(Kind.SEQUENCER_LENGTH, a=3)]
    settings += [command(Kind.SEQUENCER_STEP, a=0.5), *pattern(0), *pattern(1, velocity=0.5)]
    out = played(host, 60_000, *settings, command(Kind.SEQUENCER_RUN, a=1), command(Kind.SEQUENCER_RUN, frame=50_000))
    # Steps of 12,000; of the clock's steps 0 to 4 the odd ones come 3,000 late; the pattern has three.
    assert onsets(out) == [0, 15_000, 39_000, 48_000]
    assert out[15_050, 0] == pytest.approx(0.25)
    assert int(host.snapshot()["step"]) == -1


def test_the_sequencer_plays_in_time_with_the_deck_that_leads() -> None:
    host = host_on_grid(track(20 * SECOND) * np.float32(0.0), on(), position=5000)
    host.load_pad(0, 0, SlotMemory.whole(CLICK))
    out = played(host, 2 * SECOND, *pattern(0, 4), command(Kind.SEQUENCER_RUN, a=1, frame=100))
    # A bar is 16 steps of 6,000 frames from the downbeat on.
    assert onsets(out) == [24_000 - 5000, 96_000 - 5000]


def test_a_gate_in_the_sequencer_lasts_one_step() -> None:
    host = host_of(constant(SECOND))
    out = played(host, 20_000, pad(Kind.PAD_MODE, GATE), *pattern(0), command(Kind.SEQUENCER_RUN, a=1))
    assert (out[:6000] == 0.5).all()
    assert not out[6000 + FADE :].any()


# --- laws ------------------------------------------------------------------------------------------------------------


def busy(blocks: list[int]) -> Sound:
    """Return a busy second, rendered in such blocks."""
    host = host_on_grid(noise(4 * SECOND, 9), on(), position=3000)
    for number in range(4):
        host.load_pad(0, number, SlotMemory.whole(noise(6000 + 777 * number, number)), 240 * (number % 2))
    commands = [pad(Kind.PAD_MODE, (ONE_SHOT, LOOP, GATE, LOOP)[number], number) for number in range(4)]
    commands += [pad(Kind.PAD_PITCH, (0.0, 3.0, -4.0, 13.0)[number], number) for number in range(4)]
    commands += [pad(Kind.PAD_CHOKE, 1, 0), pad(Kind.PAD_CHOKE, 1, 2), pad(Kind.PAD_QUANTIZE, 0.25, 1)]
    commands += [*pattern(0, 1, 2, 5), *pattern(3, 4, 7, number=2), command(Kind.SEQUENCER_SWING, a=0.2)]
    commands += [command(Kind.SEQUENCER_RUN, a=1, frame=501), hit(1001, 0.7, 1), hit(1003, 0.6, 3), hit(9_001, 1.0, 3)]
    commands += [command(Kind.DECK_RATE, a=1.07, frame=12_345), pad(Kind.PAD_PITCH, 1.0, 0, 14_000)]
    commands += [hit(20_003, 0.5, 1), command(Kind.DECK_PLAY, a=0, frame=25_001), hit(26_007, 0.4, 0)]
    host.send(join(commands))
    return in_blocks(host, blocks)


def test_block_sizes_change_nothing() -> None:
    frames = 32_768
    whole = busy([frames])
    assert whole.any()
    splits = np.random.default_rng(5).integers(1, 900, 200).cumsum()
    random = np.diff(np.r_[0, splits[splits < frames], frames]).tolist()
    for blocks in ([64] * 512, [65] * 504 + [8], [128] * 256, [512] * 64, random):
        assert np.array_equal(busy(blocks), whole), f"blocks of {blocks[:3]}"
    assert np.array_equal(busy([1] * 8192), whole[:8192])


def test_silence_stays_silence_and_noise_stays_finite() -> None:
    assert not played(host_of(constant(4000, 0.0)), 4000, pad(Kind.PAD_PITCH, 5.0), hit()).any()
    sample = noise(4000, 3)
    sample[1000] = np.nan
    assert np.isfinite(played(host_of(sample), 4000, hit())).all()
