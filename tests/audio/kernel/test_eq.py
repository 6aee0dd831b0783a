"""Isolator and bipolar filter, of decks and of stems: what they take away, what they leave, and how they move."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.bank import FILTER_Q, HIGH_PASS_HZ, LOW_PASS_HZ
from audio.kernel.lane_isolator import CROSSOVERS_HZ
from audio.units import DECKS, STEM_SLOTS
from tests.audio.kernel.listening import (
    FADE,
    Sound,
    constant,
    decibels,
    host_with,
    in_blocks,
    mixed,
    noise,
    off,
    on,
    steps,
    tone,
    whole,
)

KIND = CommandKind
MIDDLES = (60.0, 707.0, 10_000.0)
"""A frequency well inside each band."""
STEM_BANDS = (KIND.STEM_EQ_LOW, KIND.STEM_EQ_MID, KIND.STEM_EQ_HIGH)


def size(sound: Sound, hz: float) -> float:
    """Return the amplitude of a tone, left."""
    window = np.hanning(len(sound))
    turning = np.exp(-2j * np.pi * hz * np.arange(len(sound)) / 48_000)
    return float(2 * abs(np.sum(sound[:, 0] * window * turning)) / window.sum())


def heard(sound: Sound, *sent: Commands, frames: int = 48_000, stem: bool = False) -> Sound:
    """Return the second half of `frames` frames of `sound` with `sent` from the start; as a stem's, if `stem`."""
    stems = whole({0: sound}) if stem else None
    return host_with(sound, on(), *sent, stems=stems).render(frames)[frames // 2 :]


def gain(hz: float, *sent: Commands, stem: bool = False) -> float:
    """Return what is left of a tone, in dB."""
    return decibels(size(heard(tone(60_000, hz, 0.5), *sent, stem=stem), hz) / 0.5)


def kill(band: int, frame: int = 0, value: int = 1) -> Commands:
    return command(KIND.DECK_KILL, 0, band, a=value, frame=frame)


@pytest.mark.parametrize("band", range(3))
def test_a_killed_band_is_gone_and_the_others_stay(band: int) -> None:
    for other, hz in enumerate(MIDDLES):
        left = gain(hz, kill(band))
        assert left < -80.0 if other == band else left == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("band", range(3))
@pytest.mark.parametrize("db", [-26.0, -6.0, 6.0, 12.0])
def test_a_band_has_the_gain_of_its_knob(band: int, db: float) -> None:
    level = 10.0 ** (db / 20.0)
    sound = tone(60_000, MIDDLES[band], 0.1)
    left = size(heard(sound, command(KIND.DECK_EQ, 0, band, a=level)), MIDDLES[band]) / 0.1
    assert decibels(left) == pytest.approx(db, abs=0.3)
    as_stem = heard(sound, command(STEM_BANDS[band], 0, 0, a=level), stem=True)
    assert decibels(size(as_stem, MIDDLES[band]) / 0.1) == pytest.approx(db, abs=0.3)


@pytest.mark.parametrize("hz", [30.0, *CROSSOVERS_HZ, 300.0, 5000.0, 15_000.0])
def test_all_bands_at_one_gain_change_the_level_alone(hz: float) -> None:
    sent = [command(KIND.DECK_EQ, 0, band, a=0.5) for band in range(3)]
    assert gain(hz, *sent) == pytest.approx(decibels(0.5), abs=0.05)


def test_all_bands_killed_is_silence() -> None:
    assert not heard(noise(60_000, 1), *(kill(band) for band in range(3))).any()


def test_the_knob_is_back_after_the_kill() -> None:
    sent = [command(KIND.DECK_EQ, 0, 0, a=2.0), kill(0), kill(0, 9000, 0)]
    assert gain(60.0, *sent) == pytest.approx(6.02, abs=0.1)


def test_flat_is_the_input_bit_for_bit_before_and_after() -> None:
    sound = tone(60_000, 333.0)
    sent = [kill(0, 2000), kill(0, 9000, 0), command(KIND.DECK_FILTER, a=-0.5, frame=2500),
            command(KIND.DECK_FILTER, a=0.0, frame=9000)]  # fmt: skip
    out = host_with(sound, on(), *sent).render(30_000)
    assert np.array_equal(out[FADE:2000], sound[FADE:2000])
    assert not np.array_equal(out[3000:4000], sound[3000:4000])
    assert np.array_equal(out[20_000:], sound[20_000:30_000])


@pytest.mark.parametrize("frame", [2000, 2001, 2013, 2064])
def test_a_move_is_heard_in_its_very_frame(frame: int) -> None:
    sound = noise(20_000, 3)
    for sent in (kill(1, frame), command(KIND.DECK_FILTER, a=-0.9, frame=frame)):
        out = host_with(sound, on(), sent).render(4000)
        assert np.array_equal(out[FADE:frame], sound[FADE:frame])
        assert not np.array_equal(out[frame : frame + 2], sound[frame : frame + 2])


def test_set_before_the_start_is_there_at_the_start() -> None:
    sound = noise(20_000, 3)
    once = host_with(sound, on(), kill(0), command(KIND.DECK_FILTER, a=0.5)).render(4000)
    host = host_with(sound, kill(0), command(KIND.DECK_FILTER, a=0.5))
    host.render(5000)
    host.send(on())
    assert np.array_equal(host.render(4000), once)


# --- the bipolar filter ----------------------------------------------------------------------------------------------


def expected(hz: float, knob: float) -> float:
    """Return the gain of the filter in dB: two sections of FILTER_Q, bilinear."""
    ends = LOW_PASS_HZ if knob < 0 else HIGH_PASS_HZ
    cutoff = ends[0] * (ends[1] / ends[0]) ** abs(knob)
    s = 1j * np.tan(np.pi * hz / 48_000) / np.tan(np.pi * cutoff / 48_000)
    below = s * s + s / FILTER_Q + 1
    return decibels(float(abs((1 / below if knob < 0 else s * s / below) ** 2)))


@pytest.mark.parametrize("knob", [-1.0, -0.75, -0.3, 0.3, 0.75, 1.0])
@pytest.mark.parametrize("hz", [40.0, 200.0, 1000.0, 6000.0])
def test_the_filter_has_its_curve(knob: float, hz: float) -> None:
    wanted = expected(hz, knob)
    for stem in (False, True):
        kind = KIND.STEM_FILTER if stem else KIND.DECK_FILTER
        left = gain(hz, command(kind, 0, 0, a=knob), stem=stem)
        if wanted > -90.0:
            assert left == pytest.approx(wanted, abs=0.2)
        else:
            assert left < -85.0


def test_the_cutoff_glides() -> None:
    """A knob that jumps from end to end moves the sound no faster than the sound and its fade go."""
    hz, level = 300.0, 0.5
    slew = level * 2 * np.pi * hz / 48_000
    moves = [command(KIND.DECK_FILTER, a=(-1.0) ** n * 0.4, frame=3000 + 701 * n) for n in range(20)]
    out = host_with(tone(60_000, hz, level), on(), *moves).render(20_000)
    assert np.isfinite(out).all()
    assert steps(out[1000:]).max() <= 2.5 * slew + 2 * level / FADE


@pytest.mark.parametrize("band", range(3))
def test_kills_make_no_click(band: int) -> None:
    hz, level = 200.0, 0.5
    moves = [kill(band, 3000 + 311 * n, (n + 1) % 2) for n in range(20)]
    out = host_with(tone(60_000, hz, level), on(), *moves).render(20_000)
    # Two gains and the fade between dry and split sound move at once, each by one level in its time constant or more.
    assert steps(out[1000:]).max() <= 2 * level * 2 * np.pi * hz / 48_000 + 3 * level / 144


def test_a_thousand_moves_a_second_are_as_smooth_as_one() -> None:
    """A knob that is turned slowly, in 1,000 steps a second, leaves no tone of its steps beside the music."""
    sent = []
    for n in range(1000):
        frame = 3000 + 48 * n
        sent.append(command(KIND.DECK_FILTER, a=-0.2 - 0.0002 * n, frame=frame))
        sent.append(command(KIND.DECK_EQ, 0, 1, a=1.0 - 0.0005 * n, frame=frame))
    host = host_with(tone(120_000, 1500.0, 0.5), on())
    out = []
    for start in range(0, 60_000, 6000):
        due = [one for one in sent if start <= int(one["frame"][0]) < start + 6000]
        if due:
            host.send(join(due))
        out.append(host.render(6000))
    spectrum = np.abs(np.fft.rfft(np.concatenate(out)[9600:48_000, 0] * np.blackman(38_400)))
    spectrum[1120:1281] = 0.0  # 1500 Hz is bin 1200, and around it lies what the turn itself does
    assert decibels(float(spectrum.max() / (38_400 * 0.42 * 0.25))) < -70.0


# --- laws ------------------------------------------------------------------------------------------------------------


def busy(frames: int) -> list[Commands]:
    """Return moves of everything, at odd frames, over each other."""
    numbers = np.random.default_rng(8)
    sent: list[Commands] = [on()]
    for n in range(120):
        kind = [KIND.DECK_EQ, KIND.DECK_KILL, KIND.DECK_FILTER, *STEM_BANDS, KIND.STEM_FILTER][n % 7]
        value = numbers.uniform(-1, 1) if kind in (KIND.DECK_FILTER, KIND.STEM_FILTER) else numbers.uniform(0, 1.5)
        if n % 11 == 0:
            value = 0.0
        sent.append(command(kind, 0, n % 3, a=value, frame=int(numbers.integers(1, frames))))
    return [*sent, off(frame=frames * 3 // 4), on(frame=frames * 4 // 5)]


@pytest.fixture(scope="module")
def reference() -> Sound:
    stems = {slot: noise(40_000, slot) for slot in range(3)}
    return host_with(mixed(stems), *busy(24_000), stems=whole(stems)).render(24_000)


@pytest.mark.parametrize("size", [1, 64, 65, 128, 512, "random"])
def test_block_size_changes_no_bit(size: int | str, reference: Sound) -> None:
    if isinstance(size, int):
        sizes = [size] * (24_000 // size) + ([24_000 % size] if 24_000 % size else [])
    else:
        cuts = np.sort(np.random.default_rng(2).choice(np.arange(1, 24_000), 300, replace=False))
        sizes = list(np.diff(np.concatenate([[0], cuts, [24_000]])))
    stems = {slot: noise(40_000, slot) for slot in range(3)}
    host = host_with(mixed(stems), *busy(24_000), stems=whole(stems))
    assert np.array_equal(in_blocks(host, sizes), reference)
    assert np.isfinite(reference).all() and np.abs(reference).max() > 0.1


@pytest.mark.parametrize("slot", range(1, STEM_SLOTS))
def test_every_stem_has_the_same_filters(slot: int) -> None:
    def filtered(slot: int) -> Sound:
        sent = command(KIND.STEM_EQ_LOW, 0, slot, a=0.3), command(KIND.STEM_FILTER, 0, slot, a=0.4)
        return host_with(noise(9000, 5), on(), *sent, stems=whole({slot: noise(9000, 6)})).render(6000)

    assert np.array_equal(filtered(slot), filtered(0)) and filtered(slot).any()


@pytest.mark.parametrize("deck", range(1, DECKS))
def test_every_deck_has_the_same_filters(deck: int) -> None:
    def filtered(deck: int) -> Sound:
        host = KernelHost()
        host.load(deck, 1, SlotMemory.whole(noise(9000, 5)))
        sent = command(KIND.DECK_EQ, deck, 1, a=0.3), command(KIND.DECK_FILTER, deck, a=-0.4)
        host.send(join([command(KIND.DECK_ASSIGN, deck, a=1), on(deck), *sent]))
        return host.render(6000)

    assert np.array_equal(filtered(deck), filtered(0)) and filtered(deck).any()


@pytest.mark.parametrize("block", [1, 64, 128])
def test_what_goes_past_the_effects_goes_through_the_same_filters(block: int) -> None:
    def filtered(send: float) -> Sound:
        knobs = [command(KIND.DECK_EQ, 0, 0, a=0.3), command(KIND.DECK_FILTER, 0, a=0.4)]
        later = [command(KIND.DECK_EQ, 0, 0, a=1.5, frame=3000), command(KIND.STEM_SEND, 0, 0, a=send, frame=3007)]
        host = host_with(noise(9000, 5), on(), *knobs, *later, stems=whole({0: noise(9000, 6)}))
        return in_blocks(host, [block] * (6016 // block))

    assert np.abs(filtered(0.0) - filtered(1.0)).max() < 1e-6 and filtered(1.0).any()


def test_silence_stays_silence() -> None:
    sent = [kill(0), command(KIND.DECK_FILTER, a=-0.7), command(KIND.STEM_FILTER, 0, 0, a=0.4)]
    sound = constant(40_000, 0.0)
    assert not host_with(sound, on(), *sent, stems=whole({0: sound})).render(20_000).any()


def test_a_stop_rings_out_and_then_there_is_nothing() -> None:
    sent = [command(KIND.DECK_FILTER, a=-1.0), off(frame=9600)]
    out = host_with(constant(60_000, 0.5), on(), *sent).render(60_000)
    assert np.abs(out[9600 + FADE : 9600 + 2 * FADE]).max() > 1e-3, "the filter goes on after the deck"
    assert steps(out[9000:]).max() < 0.01
    assert not out[40_000:].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_what_is_no_sound_does_not_stay_in_the_filters(bad: float) -> None:
    sound = noise(60_000, 4)
    sound[5000:5010] = bad
    sent = [kill(0), command(KIND.DECK_FILTER, a=-0.5), command(KIND.STEM_FILTER, 0, 0, a=0.4)]
    out = host_with(sound, on(), *sent, stems=whole({0: sound})).render(20_000)
    assert np.isfinite(out).all()
    assert np.abs(out[12_000:]).max() > 1e-3


def test_a_band_or_stem_that_does_not_exist_is_refused() -> None:
    host = host_with(noise(9000, 1), command(KIND.DECK_EQ, 0, 3, a=0.5), command(KIND.STEM_FILTER, 0, 8, a=0.5))
    host.render(128)
    assert int(host.snapshot()["commands_applied"]) == 1
