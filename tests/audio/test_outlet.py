"""A device at another rate than the engine's: what it is given is the engine's sound, resampled by the reference."""

import ctypes
from collections.abc import Iterable

import numpy as np
import pytest

from audio.commands import CommandKind, command
from audio.host import KernelHost
from audio.outlet import Outlet
from audio.resample import Resampler
from audio.rings import BusReader
from tests.audio.kernel.listening import constant, host_with, on
from tests.audio.material import Audio

CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
)
UNDERFLOW = 4
RATES = (44_100, 88_200, 96_000)
FRAMES = 12_000


def playing() -> KernelHost:
    """Return a host that plays noise up to half the rate, sped up."""
    noise = np.random.default_rng(3).uniform(-0.4, 0.4, (60_000, 2)).astype(np.float32)
    return host_with(noise, on(), command(CommandKind.DECK_RATE, a=1.037))


def delivered(outlet: Outlet, sizes: Iterable[int]) -> Audio:
    return np.concatenate([outlet.render(size) for size in sizes])


@pytest.mark.parametrize("rate", RATES)
def test_a_device_at_another_rate_hears_what_the_reference_resampler_makes(rate: int) -> None:
    outlet = Outlet(playing(), rate)
    heard = delivered(outlet, [128] * (FRAMES // 128))
    change = Resampler(48_000, rate)
    meant = change.resample(playing().render(change.needs(0, len(heard))[1]))[: len(heard)]
    assert np.abs(meant).max() > 0.2
    # The sums are of doubles, in another order; what is left is the last bit of a float.
    assert np.abs(heard - meant).max() < 1e-7


@pytest.mark.parametrize("rate", RATES)
def test_what_is_heard_does_not_depend_on_how_much_is_asked_for(rate: int) -> None:
    meant = delivered(Outlet(playing(), rate), [FRAMES])
    random = np.random.default_rng(rate)
    splits = [[size] * (FRAMES // size) for size in (64, 65, 128, 512)]
    splits += [[1] * 700, [20_000], list(random.integers(1, 900, 20))]
    for sizes in splits:
        heard = delivered(Outlet(playing(), rate), sizes)
        common = min(len(heard), len(meant))
        assert np.array_equal(heard[:common], meant[:common])


@pytest.mark.parametrize("rate", RATES)
def test_the_engine_is_as_far_ahead_as_the_latency_says(rate: int) -> None:
    host = playing()
    outlet = Outlet(host, rate)
    for turn in range(1, 40):
        outlet.render(128)
        at = (turn * 128 - 1) * 48_000 / rate
        assert 0 < host.frame - at <= outlet.latency + 1


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_device_at_another_rate_is_heard_as_the_reference_resampler_makes_it(rate: int, channels: int) -> None:
    """In pieces of every size, on the frames that `heard_late` says."""
    random = np.random.default_rng(rate)
    heard = random.uniform(-0.4, 0.4, (FRAMES, channels)).astype(np.float32)
    both = np.repeat(heard, 2, axis=1) if channels == 1 else heard
    for sizes in ([128], [64], [65], [512], [1, 3, 700, 128], [5000]):
        host = KernelHost()
        host.set_input(channels, 0)
        outlet = Outlet(host, rate)
        done, turn = 0, 0
        while done < min(FRAMES, 6000):
            size = min(sizes[turn % len(sizes)], FRAMES - done)
            outlet.render(size, heard[done : done + size])
            done, turn = done + size, turn + 1
        ring = BusReader(host.block["input"])
        assert ring.written == host.frame
        made, _ = ring.read(0, host.frame)
        assert outlet.heard_late == round(outlet.silence * 48_000 / rate)
        exact = Resampler(rate, 48_000).resample(np.concatenate([np.zeros((outlet.silence, 2), np.float32), both]))
        frames = min(len(made), len(exact))
        assert frames > 1000 and np.abs(exact[:frames]).max() > 0.2
        assert np.abs(made[:frames] - exact[:frames]).max() < 1e-6


def test_what_a_device_hears_that_is_no_number_is_silence() -> None:
    host = KernelHost()
    host.set_input(2, 0)
    outlet = Outlet(host, 44_100)
    outlet.render(2000, np.full((2000, 2), np.nan, np.float32))
    outlet.render(1000)
    outlet.render(2000, np.full((2000, 2), 1e30, np.float32))
    ring = BusReader(host.block["input"])
    assert not ring.read(0, host.frame)[0].any()


def test_silence_stays_silence_and_a_constant_stays_constant() -> None:
    assert not Outlet(KernelHost(), 44_100).render(5_000).any()
    heard = Outlet(host_with(constant(60_000, 0.25), on()), 44_100).render(20_000)
    assert np.abs(heard[2_000:] - heard[-1]).max() < 1e-6 and abs(heard[-1, 0]) > 0.05


def test_the_callback_delivers_counts_underflows_and_keeps_the_clock() -> None:
    host = playing()
    outlet = Outlet(host, 44_100)
    meant = Outlet(playing(), 44_100)
    out = np.full((128, 2), np.nan, np.float32)
    for turn in range(20):
        flags = UNDERFLOW if turn % 4 == 0 else 0
        before = host.frame
        assert CALLBACK(outlet.callback_address)(None, out.ctypes.data, 128, None, flags, outlet.userdata_address) == 0
        assert np.array_equal(out, meant.render(128))
        assert host.clock.read().frame == before
    snapshot = host.snapshot()
    assert int(snapshot["late_blocks"]) == 5
    assert 0.0 < float(snapshot["load"]) <= float(snapshot["load_peak"])


def test_rates_without_a_useful_factor_are_refused() -> None:
    with pytest.raises(ValueError, match="no useful factor"):
        Outlet(KernelHost(), 44_101)
