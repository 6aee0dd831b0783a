"""What a device hears: in the ring as it came, late by what was told; among the sound as loud as asked for."""

import ctypes

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost
from audio.kernel.input import PROBE_FRAMES
from audio.kernel.layout import LOOK_AHEAD
from audio.rings import BusReader
from audio.round_trip import find_delay
from tests.audio.kernel.listening import FADE, Sound, constant, noise, steps, tone
from tests.audio.kernel.test_callback import CALLBACK

KIND = CommandKind
LENGTH = 4000


def hear(host: KernelHost, sound: Sound, sizes: list[int]) -> Sound:
    """Call the callback as a device does that hears `sound`; return what it played."""
    played, at, turn = [], 0, 0
    while at < len(sound):
        block = np.ascontiguousarray(sound[at : at + sizes[turn % len(sizes)]], np.float32)
        out = np.full((len(block), host.channels), np.nan, np.float32)
        source = ctypes.c_void_p(block.ctypes.data)
        assert CALLBACK(host.callback)(source, out.ctypes.data, len(block), None, 0, host.state_pointer) == 0
        played.append(out)
        at, turn = at + len(block), turn + 1
    return np.concatenate(played)


def host_hearing(*sent: Commands, channels: int = 2, outputs: int = 2) -> KernelHost:
    host = KernelHost(channels=outputs)
    host.set_input(channels, 300)
    if sent:
        host.send(join(sent))
    return host


def ring(host: KernelHost) -> BusReader:
    return BusReader(host.block["input"])


@pytest.mark.parametrize("sizes", [[1], [64], [65], [128], [512], [3, 500, 1]])
def test_what_is_heard_is_in_the_ring_and_not_in_the_sound(sizes: list[int]) -> None:
    sound, host = noise(LENGTH, 1), host_hearing()
    assert not hear(host, sound, sizes).any()
    assert np.array_equal(ring(host).read(0, LENGTH)[0], sound)
    assert (ring(host).since, ring(host).written) == (0, LENGTH)


def test_one_channel_is_both() -> None:
    sound, host = noise(LENGTH, 1), host_hearing(channels=1)
    hear(host, sound[:, :1], [128])
    assert np.array_equal(ring(host).read(0, LENGTH)[0], np.repeat(sound[:, :1], 2, 1))


def test_an_input_that_was_away_begins_anew() -> None:
    host = host_hearing()
    hear(host, noise(1000, 1), [128])
    host.render(500)
    hear(host, noise(1000, 2), [128])
    assert (ring(host).since, ring(host).written) == (1500, 2500)
    host.set_input(0)
    hear(host, noise(1000, 3), [128])
    assert ring(host).written == 2500


def test_how_late_it_is_is_what_the_device_says_until_somebody_knows_better() -> None:
    host = host_hearing()
    hear(host, noise(100, 1), [100])
    assert ring(host).delay_frames == 300
    host.send(command(KIND.INPUT_DELAY, a=0.01))
    hear(host, noise(200, 1), [100])
    assert ring(host).delay_frames == 480
    host = KernelHost(looks_ahead=True)
    host.set_input(2, 300)
    hear(host, noise(100, 1), [100])
    assert ring(host).delay_frames == 300 + LOOK_AHEAD


def test_it_is_heard_on_the_master_as_loud_as_asked_for() -> None:
    sound = tone(LENGTH, level=0.3)
    sent = [command(KIND.INPUT_OUTPUT, a=1), command(KIND.INPUT_LEVEL, a=0.5)]
    out = hear(host_hearing(*sent), sound, [128])
    assert np.allclose(out[FADE:], 0.5 * sound[FADE:], atol=1e-6)
    assert steps(out).max() <= steps(sound).max() + 0.3 * 0.5 / FADE


def test_it_is_heard_in_the_headphones_and_by_nobody_else() -> None:
    sound = tone(LENGTH, level=0.3)
    out = hear(host_hearing(command(KIND.INPUT_LEVEL, a=1.0), outputs=4), sound, [128])
    assert not out[:, :2].any() and np.allclose(out[FADE:, 2:4], sound[FADE:], atol=1e-6)
    assert not hear(host_hearing(command(KIND.INPUT_LEVEL, a=1.0)), sound, [128]).any()


def test_what_is_no_sound_is_silence() -> None:
    sound = constant(1000, 0.1)
    sound[200:300] = np.nan
    sound[400:500] = np.inf
    host = host_hearing(command(KIND.INPUT_OUTPUT, a=1), command(KIND.INPUT_LEVEL, a=1.0))
    assert np.isfinite(hear(host, sound, [128])).all() and np.isfinite(ring(host).read(0, 1000)[0]).all()


@pytest.mark.parametrize("delay", [0, 1, 700, 12_345])
def test_the_probe_finds_how_long_the_way_is(delay: int) -> None:
    host = host_hearing(command(KIND.INPUT_PROBE))
    sent = host.render(24_000)
    assert sent[:PROBE_FRAMES].any() and not sent[PROBE_FRAMES:].any() and np.abs(sent).max() < 0.26
    heard = 0.001 * noise(24_000, 5)
    heard[delay:] -= 0.05 * sent[: len(sent) - delay]
    assert find_delay(sent, heard, 24_000) == delay
    assert find_delay(sent, 0.01 * noise(24_000, 6), 24_000) is None
    assert find_delay(sent, np.zeros_like(sent), 24_000) is None
