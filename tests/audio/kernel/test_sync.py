"""Sync as it plays: tempo and beats of two decks, the leader, and what a performer does to a deck that follows."""

import numpy as np
import pytest

from audio.commands import CommandKind as Kind
from audio.commands import EventKind, join
from audio.host import KernelHost, SlotMemory
from tests.audio.kernel.grids import ask, drifting, even, track
from tests.audio.kernel.listening import on, tone

SECOND = 48_000


def pair(first: np.ndarray, second: np.ndarray, frames: int, positions: tuple[int, int] = (0, 0)) -> KernelHost:
    """Return two decks of silence-free sound on two grids."""
    host = KernelHost()
    sound = SlotMemory.whole(tone(frames, 100.0, 0.1))
    for deck, beats in enumerate((first, second)):
        host.load(deck, deck + 1, sound, positions[deck])
        host.set_grid(deck, deck + 1, beats)
    return host


def off_by(host: KernelHost, multiple: float = 1.0, period: float = 1.0) -> float:
    """Return how far deck 1 is ahead of deck 0's beat, in deck 0's beats."""
    decks = host.snapshot()["decks"]
    period = min(period, multiple)
    gap = decks[1]["beat"] * multiple - decks[0]["beat"]
    return float(gap - np.rint(gap / period) * period)


@pytest.mark.parametrize(
    ("bpm", "other", "multiple"), [(120, 126, 1.0), (140, 71, 2.0), (70, 138, 0.5), (128, 128, 1.0)]
)
def test_a_follower_takes_tempo_and_beat(bpm: float, other: float, multiple: float) -> None:
    host = pair(even(200, 2_880_000 / bpm), even(200, 2_880_000 / other, 3000.0), 40 * SECOND, (10_000, 90_000))
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1, 9000)]))
    host.render(9000)
    host.render(SECOND)
    decks = host.snapshot()["decks"]
    assert decks[1]["tempo"] * multiple == pytest.approx(decks[0]["tempo"], rel=1e-3)
    assert abs(off_by(host, multiple)) * 60 / bpm < 0.001
    assert (decks[0]["leads"], decks[1]["leads"], decks[1]["synced"]) == (1, 0, 1)


def test_ten_minutes_on_drifting_grids_stay_within_a_millisecond() -> None:
    minutes = 10
    first, second = drifting(1300, 122.0, 0.03, 9.0), drifting(1300, 125.0, 0.025, 14.0)
    host = pair(first, second, (minutes * 60 + 60) * SECOND, (0, 5000))
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1, 20_000)]))
    host.render(20_000 + SECOND)
    places = []
    worst = 0.0
    while host.frame < minutes * 60 * SECOND:
        host.render(4801)
        worst = max(worst, abs(off_by(host)) * 60.0 / float(host.snapshot()["decks"][0]["tempo"]))
        places.append(float(host.snapshot()["decks"][1]["position"]))
    assert worst < 0.001
    assert max(np.diff(places)) < 4801 * 1.15 and min(np.diff(places)) > 4801 * 0.85


def test_once_locked_nothing_jumps() -> None:
    host = pair(drifting(100, 122.0, 0.03, 3.0), drifting(100, 118.0, 0.03, 2.0), 40 * SECOND)
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1)]))
    host.render(2000)
    before = float(host.snapshot()["decks"][1]["position"])
    for _ in range(2000):
        host.render(256)
        now = float(host.snapshot()["decks"][1]["position"])
        assert 0.85 * 256 < now - before < 1.15 * 256
        before = now


def test_a_bend_moves_a_follower_and_the_distance_is_kept() -> None:
    host = pair(even(100), even(100), 40 * SECOND)
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1)]))
    host.send(join([ask(Kind.BEND, 1, SECOND, deck=1), ask(Kind.BEND, 0, 2 * SECOND, deck=1)]))
    host.render(3 * SECOND)
    moved = off_by(host) * 24_000
    assert moved == pytest.approx(0.08 * SECOND, rel=0.02)
    host.render(5 * SECOND)
    assert off_by(host) * 24_000 == pytest.approx(moved, abs=24)
    host.send(ask(Kind.SYNC, 1, deck=1))
    host.render(SECOND)
    assert abs(off_by(host)) * 24_000 < 48


def test_a_deck_that_is_let_go_keeps_its_speed() -> None:
    host = pair(even(100), even(100, 2_880_000 / 110), 40 * SECOND)
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1), ask(Kind.SYNC, 0, SECOND, deck=1)]))
    host.render(2 * SECOND)
    told = [e for e in host.events() if e["kind"] == EventKind.RATE_FOLLOWED]
    assert told[-1]["deck"] == 1 and told[-1]["a"] == pytest.approx(120 / 110, rel=1e-3)
    assert host.snapshot()["decks"][1]["rate"] == pytest.approx(120 / 110, rel=1e-3)


def test_the_leader_is_the_one_asked_for_or_the_one_that_plays() -> None:
    host = pair(even(100), even(100, 23_000), 40 * SECOND)

    def leaders() -> list[int]:
        return [int(e["slot"]) for e in host.events() if e["kind"] == EventKind.LEADER_CHANGED]

    host.send(join([on(1, 100), on(0, 9000)]))
    host.render(SECOND)
    assert leaders() == [1]
    host.send(ask(Kind.LEADER, 1, deck=0))
    host.render(SECOND)
    assert leaders() == [0]
    host.send(ask(Kind.DECK_PLAY, 0, deck=0))
    host.render(SECOND)
    assert leaders() == [1]
    host.send(ask(Kind.DECK_PLAY, 0, deck=1))
    host.render(SECOND)
    assert leaders() == [255]


def test_the_sessions_tempo_moves_the_leader_and_all_who_follow() -> None:
    host = pair(even(100), even(100, 23_000), 40 * SECOND)
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1), ask(Kind.TEMPO, 132, SECOND)]))
    host.render(3 * SECOND)
    decks = host.snapshot()["decks"]
    assert decks[0]["tempo"] == pytest.approx(132) and decks[1]["tempo"] == pytest.approx(132, rel=1e-3)
    assert host.snapshot()["tempo"] == pytest.approx(132)
    assert abs(off_by(host)) * 60 / 132 < 0.001


def test_a_quantised_start_falls_on_the_leaders_beat() -> None:
    host = pair(even(100), even(100), 40 * SECOND, (0, 50_000))
    host.send(join([ask(Kind.QUANTIZE, 1, deck=1), on(), on(1, 33_333)]))
    host.render(2 * SECOND)
    assert off_by(host) == pytest.approx(0.0, abs=1e-4)
    assert host.snapshot()["decks"][1]["synced"] == 0


def test_a_follower_that_jumps_stays_on_the_beat() -> None:
    host = pair(even(100), even(100, 23_100), 40 * SECOND)
    sent = [ask(Kind.DECK_SEEK, 500_001, SECOND, deck=1), ask(Kind.BEATJUMP, 8, 2 * SECOND, deck=1)]
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1), *sent, ask(Kind.LOOP_BEATS, 0.5, 3 * SECOND, deck=1)]))
    for turn in range(4):
        host.render(SECOND + 4000)
        # A loop of half a beat comes round twice a beat.
        assert abs(off_by(host, 1.0, 0.5 if turn >= 2 else 1.0)) * 0.5 < 0.001


def test_a_follower_without_a_grid_plays_as_it_is() -> None:
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(track(4 * SECOND)))
    host.load(1, 2, SlotMemory.whole(track(4 * SECOND)))
    host.set_grid(0, 1, even(10))
    host.send(join([on(), ask(Kind.SYNC, 1, deck=1), on(1)]))
    host.render(SECOND)
    assert host.snapshot()["decks"][1]["rate"] == 1.0
    assert host.snapshot()["decks"][1]["position"] == SECOND
