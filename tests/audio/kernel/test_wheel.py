"""The jog wheel of a deck that stands: the record under the needle is heard, and lies where the wheel has left it."""

import numpy as np
import pytest

from audio.commands import CommandKind as Kind
from audio.commands import Commands, EventKind, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.wheel import NEEDLE_S, TURN_S, WHEEL_S
from tests.audio.kernel.grids import ask, even, host_on_grid, place, track
from tests.audio.kernel.listening import FADE, kinds, on, steps, tone

SECOND = 48_000
TICK = 240
"""Frames between two messages of a wheel that sends 200 a second."""
REST = round(WHEEL_S * SECOND) + 256


def turned(speed: float, first: int, last: int) -> list[Commands]:
    """Return a wheel turned at `speed` times the platter's own from frame `first` to `last`."""
    return [ask(Kind.JOG, speed * TICK / SECOND / TURN_S, frame) for frame in range(first, last, TICK)]


def hertz(sound: np.ndarray) -> float:
    """Return the strongest tone of the left channel."""
    level = np.abs(np.fft.rfft(sound[:, 0].astype(np.float64) * np.hanning(len(sound)), 1 << 19))
    return float(level.argmax()) * SECOND / (1 << 19)


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.0, 2.5, -0.5, -1.0, -3.0])
def test_the_record_is_heard_at_the_speed_of_the_hand(speed: float) -> None:
    host = host_on_grid(tone(20 * SECOND, 400.0), *turned(speed, 0, SECOND), position=10 * SECOND)
    out = host.render(SECOND)[SECOND // 4 :]
    assert hertz(out) == pytest.approx(abs(speed) * 400.0, rel=0.01)
    assert np.abs(out).max() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("speed", [0.1, 1.0, -2.0])
def test_it_stands_where_the_wheel_has_brought_it_and_is_silent(speed: float) -> None:
    host = host_on_grid(tone(20 * SECOND, 400.0), *turned(speed, 0, SECOND), position=10 * SECOND)
    host.render(SECOND)
    assert host.snapshot()["decks"][0]["playing"] == 0, "a deck that is searched through does not play"
    out = host.render(SECOND)
    assert place(host) == pytest.approx(10 * SECOND + speed * SECOND, abs=0.51)
    assert not out[REST:].any()
    assert EventKind.PLAY_CHANGED not in kinds(host.events())


def test_there_and_back_makes_no_click() -> None:
    hz, level = 100.0, 0.5
    sent = [*turned(2.0, 0, 12_000), *turned(-2.0, 12_000, 30_000), *turned(0.3, 60_000, 70_000)]
    host = host_on_grid(tone(20 * SECOND, hz, level), *sent, position=10 * SECOND)
    out = host.render(90_000)
    assert steps(out).max() <= 2.5 * level * 2 * np.pi * hz / SECOND + level / FADE + 0.002
    assert np.abs(out[61_000:69_000]).max() > 0.4


def test_the_needle_is_put_down_where_a_fast_wheel_is() -> None:
    host = host_on_grid(track(40 * SECOND), *turned(12.0, 0, SECOND), position=5 * SECOND)
    for _ in range(100):
        host.render(TICK * 2)
        asked = 5 * SECOND + 12.0 * min(host.frame, SECOND)
        assert abs(place(host) - asked) <= NEEDLE_S * SECOND + 12.0 * TICK * 2
    host.render(SECOND)
    assert place(host) == pytest.approx(17 * SECOND, abs=0.51)


def test_the_ends_of_the_track_hold_the_record() -> None:
    host = host_on_grid(track(2 * SECOND), *turned(-3.0, 0, SECOND), *turned(4.0, 2 * SECOND, 3 * SECOND),
                        position=SECOND)  # fmt: skip
    host.render(SECOND + REST)
    assert place(host) == 0.0
    host.render(2 * SECOND)
    assert place(host) == 2 * SECOND
    assert EventKind.DECK_ENDED not in kinds(host.events())


def test_play_starts_from_where_the_wheel_is_at_once() -> None:
    host = host_on_grid(track(20 * SECOND), *turned(1.0, 0, SECOND), on(frame=SECOND), position=5 * SECOND)
    host.render(SECOND)
    here = place(host)
    host.render(SECOND)
    assert place(host) == pytest.approx(here + SECOND, abs=300)
    assert host.snapshot()["decks"][0]["rate"] == 1.0 and host.snapshot()["decks"][0]["playing"] == 1


def test_pause_and_the_cue_button_end_it() -> None:
    host = host_on_grid(track(20 * SECOND), *turned(1.0, 0, SECOND), ask(Kind.CUE, 1, SECOND), position=5 * SECOND)
    host.render(SECOND + 512)
    told = [event for event in host.events() if event["kind"] == EventKind.CUE_MOVED]
    assert len(told) == 1 and abs(float(told[0]["a"]) - place(host)) < 1.0
    host.send(join([*turned(1.0, 0, 1), ask(Kind.DECK_PLAY, 0, host.frame + 2400)]))
    host.render(2400 + FADE + 512)
    assert not host.render(4800).any()


def test_a_hot_cue_pressed_while_the_wheel_turns_plays() -> None:
    sent = [ask(Kind.HOTCUE_PUT, 9 * SECOND, slot=1), *turned(1.0, 0, SECOND), ask(Kind.HOTCUE_GO, 1, SECOND, slot=1)]
    host = host_on_grid(track(20 * SECOND), *sent, position=5 * SECOND)
    host.render(2 * SECOND)
    assert place(host) == pytest.approx(10 * SECOND, abs=300)
    assert EventKind.PLAY_CHANGED in kinds(host.events())


def test_under_a_hand_the_record_goes_with_the_wheel() -> None:
    sent = [on(), ask(Kind.TOUCH, 1, 10_000), *turned(-1.0, 12_000, 36_000), ask(Kind.TOUCH, 0, 60_000)]
    host = host_on_grid(track(20 * SECOND), *sent, position=5 * SECOND)
    host.render(50_000)
    assert place(host) == pytest.approx(5 * SECOND + 10_000 - 24_000, abs=300)
    host.render(30_000)
    assert host.snapshot()["decks"][0]["playing"] == 1


def test_a_jump_under_a_hand_stays_there() -> None:
    sent = [on(), ask(Kind.TOUCH, 1, 10_000), ask(Kind.DECK_SEEK, 12 * SECOND, 20_000)]
    host = host_on_grid(track(20 * SECOND), *sent, position=5 * SECOND)
    host.render(60_000)
    assert place(host) == pytest.approx(12 * SECOND, abs=1)


def test_a_deck_that_is_searched_through_neither_leads_nor_follows() -> None:
    host = KernelHost()
    for deck in range(2):
        host.load(deck, deck + 1, SlotMemory.whole(track(20 * SECOND)), 5 * SECOND + 7000 * deck)
        host.set_grid(deck, deck + 1, even(40))
    host.send(join([ask(Kind.SYNC, 1, deck=1), on(0, 4800)]))
    host.send(join([ask(Kind.JOG, 0.002, frame, deck=1) for frame in range(0, SECOND, TICK)]))
    host.render(SECOND // 2)
    assert host.snapshot()["decks"][1]["synced"] == 0
    assert [int(e["slot"]) for e in host.events() if e["kind"] == EventKind.LEADER_CHANGED] == [0]
    host.render(SECOND)
    assert place(host, 1) == pytest.approx(5 * SECOND + 7000 + 200 * 0.002 * TURN_S * SECOND, abs=0.51)


def test_a_new_track_on_a_deck_that_is_searched_through_stands() -> None:
    host = host_on_grid(track(20 * SECOND), *turned(1.0, 0, 4800), position=5 * SECOND)
    host.render(4800)
    host.load(0, 2, SlotMemory.whole(track(20 * SECOND, 9)), SECOND)
    host.render(4800)
    assert not host.render(SECOND).any()
    assert place(host) == SECOND


def test_an_empty_deck_refuses_the_wheel() -> None:
    host = KernelHost()
    host.send(ask(Kind.JOG, 1.0))
    host.render(512)
    assert kinds(host.events()) == [EventKind.COMMAND_REFUSED]
