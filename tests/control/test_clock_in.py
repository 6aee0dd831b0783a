"""Laws of following a MIDI clock: the tempo is found, jitter is let pass, steps are taken up, silence is noticed."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.clocks.clock_in import LOST_S, TICKS, ClockIn, ClockStatus


def feed(clock: ClockIn, tempo: float, ticks: int, start: float = 0.0, jitter_s: float = 0.0, seed: int = 1) -> float:
    """Feed ticks and return the time of the one that would come next."""
    dice = random.Random(seed)
    period = 60 / tempo / TICKS
    for number in range(ticks):
        clock.tick(start + number * period + dice.uniform(-jitter_s, jitter_s))
    return start + ticks * period


@pytest.mark.parametrize("tempo", [20.5, 60.0, 97.31, 120.0, 174.0, 399.0])
def test_a_steady_clock_is_followed_exactly(tempo: float) -> None:
    clock = ClockIn()
    clock.start()
    now = feed(clock, tempo, 240)
    state = clock.state(now)
    assert state.status is ClockStatus.RUNNING
    assert state.tempo_bpm == pytest.approx(tempo, rel=1e-6)
    assert state.beat == pytest.approx(10.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_jitter_of_a_cable_passes_by(seed: int) -> None:
    """USB MIDI delivers once a millisecond: ticks up to 1 ms off make less than a tenth of a BPM."""
    clock = ClockIn()
    now = feed(clock, 120.0, 1000, jitter_s=0.001, seed=seed)
    heard = [clock.state(now).tempo_bpm]
    for beat in range(20):
        now = feed(clock, 120.0, 24, now, 0.001, seed * 100 + beat)
        heard.append(clock.state(now).tempo_bpm)
    assert max(abs(tempo - 120.0) for tempo in heard) < 0.3
    assert sum(heard) / len(heard) == pytest.approx(120.0, abs=0.1)


def test_a_new_tempo_is_taken_up_within_two_beats() -> None:
    clock = ClockIn()
    now = feed(clock, 120.0, 480)
    now = feed(clock, 140.0, 48, now)
    assert clock.state(now).tempo_bpm == pytest.approx(140.0, abs=0.5)


def test_start_stop_continue_and_song_position() -> None:
    clock = ClockIn()
    now = feed(clock, 120.0, 48)
    assert clock.state(now - 0.001).status is ClockStatus.STOPPED
    clock.start()
    now = feed(clock, 120.0, 48, now)
    assert clock.state(now).beat == pytest.approx(2.0, abs=0.01)
    clock.stop()
    now = feed(clock, 120.0, 24, now)
    assert clock.state(now - 0.001).beat == pytest.approx(47 / 24, abs=0.01), "the clock ticks on, the song stands"
    clock.put(64)
    clock.go_on()
    now = feed(clock, 120.0, 24, now)
    assert clock.state(now).beat == pytest.approx(17.0, abs=0.01)


def test_silence_is_noticed_and_mended() -> None:
    clock = ClockIn()
    assert clock.state(0.0).status is ClockStatus.WAITING
    clock.start()
    now = feed(clock, 120.0, 240)
    assert clock.state(now + LOST_S).status is ClockStatus.LOST
    assert clock.state(now + LOST_S).tempo_bpm == 0.0
    now = feed(clock, 90.0, 240, now + 5)
    assert clock.state(now).status is ClockStatus.RUNNING
    assert clock.state(now).tempo_bpm == pytest.approx(90.0, rel=1e-3)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["tick", "start", "stop", "go_on", "put"]), st.floats(0, 1)), max_size=60))
def test_no_order_of_messages_breaks_it(events: list[tuple[str, float]]) -> None:
    clock, now = ClockIn(), 0.0
    for name, wait in events:
        now += wait
        if name == "tick":
            clock.tick(now)
        elif name == "put":
            clock.put(int(wait * 16_383))
        else:
            getattr(clock, name)()
        state = clock.state(now)
        assert 0 <= state.tempo_bpm <= 400
        assert -1 <= state.beat < 5000
