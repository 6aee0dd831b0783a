"""Laws of all effects: at rest they are not there, blocks change nothing, tails end, nothing clicks."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command
from audio.kernel.fx_unit import QUIET
from audio.units import DECKS, EFFECTS
from tests.audio.kernel.listening import (
    FADE,
    Sound,
    constant,
    host_with,
    in_blocks,
    kinds,
    mixed,
    noise,
    off,
    on,
    steps,
    tone,
    whole,
)

KIND = CommandKind
PARAMS = (KIND.FX_PARAM_1, KIND.FX_PARAM_2, KIND.FX_PARAM_3)
MASTER = DECKS
ADDS = ("echo", "reverb")


def switch(value: int, frame: int = 0, unit: int = 0, deck: int = 0) -> Commands:
    return command(KIND.FX_ON, deck, unit, a=value, frame=frame)


def effect(name: str, *params: float, wet: float = 0.5, unit: int = 0, deck: int = 0, frame: int = 0) -> list[Commands]:
    """Return what sets a unit and switches it on."""
    return [
        command(KIND.FX_TYPE, deck, unit, a=EFFECTS.index(name), frame=frame),
        command(KIND.FX_WET, deck, unit, a=wet, frame=frame),
        *(command(kind, deck, unit, a=value, frame=frame) for kind, value in zip(PARAMS, params, strict=False)),
        switch(1, frame, unit, deck),
    ]


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("deck", [0, MASTER])
def test_off_or_without_wet_it_is_the_input_bit_for_bit(name: str, deck: int) -> None:
    sound = noise(30_000, 1, 0.05)
    for sent in (effect(name, wet=0.0, deck=deck), [*effect(name, deck=deck), switch(0, deck=deck)]):
        out = host_with(sound, on(), *sent).render(20_000)
        assert np.array_equal(out[FADE:], sound[FADE:20_000])


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("deck", [0, MASTER])
def test_it_is_heard_and_gone_again(name: str, deck: int) -> None:
    frames = 48_000 * 8
    sound = noise(frames + 9600, 1, 0.05)
    sent = [*effect(name, 0.5, 0.1, deck=deck), switch(0, 40_000, deck=deck)]
    out = host_with(sound, on(), *sent).render(frames)
    assert not np.array_equal(out[30_000:31_000], sound[30_000:31_000])
    rings = not np.array_equal(out[42_000:60_000], sound[42_000:60_000])
    assert rings == (name in ADDS), "echo and reverb die away, the others are gone at once"
    assert np.array_equal(out[-9600:], sound[frames - 9600 : frames])


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("deck", [0, MASTER])
def test_silence_stays_silence(name: str, deck: int) -> None:
    sound = constant(60_000, 0.0)
    assert not host_with(sound, on(), *effect(name, 0.3, 0.9, 0.5, wet=1.0, deck=deck)).render(50_000).any()


@pytest.mark.parametrize("name", EFFECTS)
def test_after_a_stop_it_rings_out_and_then_there_is_nothing(name: str) -> None:
    out = host_with(tone(60_000), on(), *effect(name, 0.5, 0.1), off(frame=20_000)).render(48_000 * 10)
    assert np.isfinite(out).all()
    assert steps(out[19_000:]).max() < 0.1
    if name in ADDS:
        assert np.abs(out[30_000:40_000]).max() > 0.01
    last = int(np.nonzero(np.abs(out).max(axis=1))[0][-1])
    fade = 0.0 if name in ADDS else 2 * 0.5 / FADE
    assert last < len(out) - 48_000 and np.abs(out[last]).max() < 10 * QUIET + fade


def test_a_deck_whose_effects_have_rung_out_starts_afresh() -> None:
    sound = noise(60_000, 2)
    host = host_with(sound, on(), *effect("echo"), *effect("flanger", 0.9, 1.0, 0.9, unit=1), off(frame=9000))
    host.render(48_000 * 10)
    host.send(command(KIND.DECK_SEEK, 0, a=0))
    host.render(48_000)
    host.send(on())
    again = host.render(9000)
    once = host_with(sound, on(), *effect("echo"), *effect("flanger", 0.9, 1.0, 0.9, unit=1)).render(9000)
    assert np.array_equal(again, once)


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_what_is_no_sound_does_not_stay(name: str, bad: float) -> None:
    sound = noise(48_000 * 6, 4, 0.05)
    sound[5000:5010] = bad
    sent = [*effect(name, 0.5, 0.5, 0.9), *effect(name, 0.5, 0.5, 0.1, deck=MASTER)]
    out = host_with(sound, on(), *sent).render(48_000 * 3)
    assert np.isfinite(out).all() and np.abs(out[-4800:]).max() > 1e-3


@pytest.mark.parametrize("name", EFFECTS)
def test_loud_input_stays_bounded(name: str) -> None:
    """Full scale noise at full feedback for ten seconds: the master limits it, nothing grows without end."""
    sound = noise(48_000 * 10, 4, 0.3)
    host = host_with(sound, on(), *effect(name, 0.5, 1.0, 1.0, wet=1.0), *effect(name, 0.5, 1.0, 1.0, unit=1, wet=1.0))
    host.render(48_000 * 10)
    assert float(host.snapshot()["decks"][0]["peak"].max()) < 60.0


# --- no clicks -------------------------------------------------------------------------------------------------------

SMOOTH = [name for name in EFFECTS if name != "crusher"]
LEVEL, HZ = 0.25, 100.0
SLEW = LEVEL * 2 * np.pi * HZ / 48_000


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("deck", [0, MASTER])
def test_on_and_off_and_wet_make_no_click(name: str, deck: int) -> None:
    clean = (0.0, 0.0, 1.0) if name == "crusher" else (0.5, 0.3, 0.9)
    sent = [on(), *effect(name, *clean, deck=deck)]
    for n in range(16):
        sent.append(switch(n % 2, 5000 + 701 * n, deck=deck))
        sent.append(command(KIND.FX_WET, deck, 0, a=(0.0, 0.9, 0.2, 1.0)[n % 4], frame=5301 + 701 * n))
    out = host_with(tone(60_000, HZ, LEVEL), *sent).render(30_000)
    assert steps(out[300:]).max() <= 4 * SLEW + 4 * LEVEL / 96


@pytest.mark.parametrize("deck", [0, MASTER])
def test_another_type_makes_no_click(deck: int) -> None:
    sent = [on(), *effect("echo", 0.3, 0.3, 0.9, wet=0.8, deck=deck)]
    for n in range(24):
        name = SMOOTH[(n * 5) % len(SMOOTH)]
        sent.append(command(KIND.FX_TYPE, deck, 0, a=EFFECTS.index(name), frame=5000 + 1501 * n))
    out = host_with(tone(60_000, HZ, LEVEL), *sent).render(45_000)
    assert steps(out[300:]).max() <= 4 * SLEW + 4 * LEVEL / 96


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("which", range(3))
def test_a_parameter_makes_no_click(name: str, which: int) -> None:
    sent = [on(), *effect(name, 0.5, 0.3, 0.6, wet=0.7)]
    values = (0.0, 1.0, 0.3, 0.7)
    sent += [command(PARAMS[which], 0, 0, a=values[n % 4], frame=5000 + 1103 * n) for n in range(20)]
    out = host_with(tone(60_000, HZ, LEVEL), *sent).render(30_000)
    # A flanger's feedback of 0.9 brings the tone itself to ten times its size.
    size = 10 if name == "flanger" and which == 2 else 4
    assert steps(out[300:]).max() <= size * (SLEW + LEVEL / 96)


# --- blocks ----------------------------------------------------------------------------------------------------------

FRAMES = 24_000


def busy() -> list[Commands]:
    """Return moves of everything at odd frames, over each other, on both units of a deck and on the master."""
    numbers = np.random.default_rng(8)
    sent: list[Commands] = [on()]
    for deck, unit in ((0, 0), (0, 1), (MASTER, 0)):
        sent += effect(EFFECTS[unit], 0.1, 0.8, 0.7, deck=deck, unit=unit)
        for n in range(60):
            kind = (KIND.FX_TYPE, KIND.FX_ON, KIND.FX_WET, *PARAMS)[n % 6]
            value = float(numbers.uniform(0, 1))
            if kind == KIND.FX_TYPE:
                value = float(numbers.integers(len(EFFECTS)))
            if kind == KIND.FX_WET and n % 4 == 0:
                value = 0.0
            sent.append(command(kind, deck, unit, a=value, frame=int(numbers.integers(1, FRAMES))))
    for slot in range(3):
        sent.append(command(KIND.STEM_SEND, 0, slot, a=0.3 * slot, frame=4001 + slot))
    return [*sent, off(frame=FRAMES // 2), on(frame=FRAMES * 4 // 5)]


@pytest.fixture(scope="module")
def reference() -> Sound:
    stems = {slot: noise(40_000, slot) for slot in range(3)}
    return host_with(mixed(stems), *busy(), stems=whole(stems)).render(FRAMES)


@pytest.mark.parametrize("size", [1, 64, 65, 128, 512, "random"])
def test_block_size_changes_no_bit(size: int | str, reference: Sound) -> None:
    if isinstance(size, int):
        sizes = [size] * (FRAMES // size) + ([FRAMES % size] if FRAMES % size else [])
    else:
        cuts = np.sort(np.random.default_rng(2).choice(np.arange(1, FRAMES), 300, replace=False))
        sizes = list(np.diff(np.concatenate([[0], cuts, [FRAMES]])))
    stems = {slot: noise(40_000, slot) for slot in range(3)}
    host = host_with(mixed(stems), *busy(), stems=whole(stems))
    assert np.array_equal(in_blocks(host, sizes), reference)
    assert np.isfinite(reference).all() and np.abs(reference).max() > 0.1


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("size", [1, 65])
def test_block_size_changes_no_bit_of_a_stop_and_a_new_start(name: str, size: int) -> None:
    sent = [on(), *effect(name, 0.0, 0.2, 0.4), off(frame=3001), on(frame=11_003), switch(0, 13_001)]
    sound = noise(60_000, 3)
    once = host_with(sound, *sent).render(16_250)
    assert np.array_equal(in_blocks(host_with(sound, *sent), [size] * (16_250 // size)), once)


# --- the stems' sends ------------------------------------------------------------------------------------------------


def test_a_stem_that_is_not_sent_stays_dry() -> None:
    stems = {0: noise(30_000, 1), 1: noise(30_000, 2)}
    sent = [*effect("echo", 0.0, 0.5, 1.0, wet=1.0), command(KIND.STEM_SEND, 0, 1, a=0.0)]
    out = host_with(mixed(stems), on(), *sent, stems=whole(stems)).render(12_000)
    delay = 3000
    assert np.allclose(out[FADE:delay], stems[1][FADE:delay], atol=1e-7), "wet 1 leaves nothing dry of what is sent"
    late = slice(delay + FADE, 2 * delay)
    assert np.allclose(out[late] - stems[1][late], stems[0][FADE:delay], atol=1e-6)


def test_half_a_send_is_half_of_it() -> None:
    stems = {0: constant(30_000, 0.5)}
    sent = [*effect("echo", 1.0, wet=1.0), command(KIND.STEM_SEND, 0, 0, a=0.5)]
    out = host_with(mixed(stems), on(), *sent, stems=whole(stems)).render(9000)
    assert np.allclose(out[1000:], 0.25)


@pytest.mark.parametrize(("deck", "unit"), [(0, 2), (MASTER, 1), (MASTER + 1, 0)])
def test_a_unit_that_does_not_exist_is_refused(deck: int, unit: int) -> None:
    host = host_with(noise(9000, 1), *effect("gate", deck=deck, unit=unit))
    host.render(128)
    assert kinds(host.events()).count(7) == 3 and int(host.snapshot()["commands_applied"]) == 1
