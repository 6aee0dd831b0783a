"""The transport as it sounds: grids, quantise, loops, cues, hands on the record, layers; every place to the frame."""

import numpy as np
import pytest

from audio.commands import CommandKind as Kind
from audio.commands import Commands, EventKind, join
from audio.host import KernelHost, SlotMemory
from tests.audio.kernel.grids import BEAT, ask, drifting, even, host_on_grid, place, track
from tests.audio.kernel.listening import FADE, constant, in_blocks, kinds, mixed, off, on, stems_of, steps, tone, whole

SECOND = 48_000
SONG = track(20 * SECOND)


def events(host: KernelHost, kind: EventKind) -> list[np.void]:
    """Return the events of one kind that the host has not been told of yet."""
    return [event for event in host.events() if event["kind"] == kind]


# --- grid ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [0, 1, 11_999, 12_000, 24_000, 25_000, 500_000])
def test_the_beat_follows_the_grid_and_goes_on_beyond_it(frame: int) -> None:
    beats = drifting(16, 120.0, 0.1, 1.0)
    host = host_on_grid(SONG, beats=beats, position=frame, origin=2.0)
    host.render(64)
    inside = np.interp(frame, beats, np.arange(16))
    expected = inside + max(0.0, frame - beats[-1]) / (beats[-1] - beats[-2])
    assert host.snapshot()["decks"][0]["beat"] == pytest.approx(expected - 2.0, abs=1e-9)
    assert host.snapshot()["decks"][0]["gridded"] == 1


def test_the_tempo_is_the_grids_at_the_decks_speed() -> None:
    host = host_on_grid(SONG, ask(Kind.DECK_RATE, 1.1), on())
    host.render(1024)
    assert host.snapshot()["decks"][0]["tempo"] == pytest.approx(132.0)
    assert host.snapshot()["tempo"] == pytest.approx(132.0)


@pytest.mark.parametrize("bad", [[1.0], [0.0, 0.5], [3.0, 2.0, 9.0], [0.0, float("nan"), 9.0], [[0.0, 9.0]]])
def test_a_grid_that_cannot_be_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="grid"):
        KernelHost().set_grid(0, 1, bad)


def test_grids_are_let_go_when_another_comes() -> None:
    host = host_on_grid(SONG)
    for turn in range(5):
        host.set_grid(0, 1, even(10, BEAT + turn))
        host.render(64)
        host.collect()
    assert len(host._held.grids) == 1
    host.load(0, 2, SlotMemory.whole(constant(9000)))
    host.render(64)
    host.collect()
    assert not host._held.grids
    assert host.snapshot()["decks"][0]["gridded"] == 0


def test_a_grid_for_another_track_changes_nothing() -> None:
    host = host_on_grid(SONG, position=1000)
    host.set_grid(0, 99, even(10, 5000))
    host.render(64)
    assert host.snapshot()["decks"][0]["beat"] == pytest.approx(1000 / BEAT)


def test_a_place_is_told_on_the_frame_it_is_asked_for() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.PLACE_ASK, frame=12_345, slot=3))
    host.render(20_000)
    (told,) = events(host, EventKind.PLACE_TOLD)
    assert (told["slot"], told["a"], told["frame"]) == (3, 12_345, 12_345)
    assert told["b"] == pytest.approx(12_345 / BEAT)


# --- beat jump, quantise ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beats", [4, -2, 0.5, 1 / 32])
def test_a_beat_jump_keeps_its_place_in_the_beat(beats: float) -> None:
    at, start = 30_000, 5 * BEAT
    host = host_on_grid(SONG, on(), ask(Kind.BEATJUMP, beats, at), position=start)
    out = host.render(at + 4000)
    there = round(start + at + beats * BEAT)
    assert np.array_equal(out[at + FADE :], SONG[there + FADE : there + 4000])


def test_a_beat_jump_follows_a_drifting_grid() -> None:
    beats = drifting(40, 110.0, 0.1, 2.0)
    host = host_on_grid(SONG, on(), ask(Kind.BEATJUMP, 8, 10_000), beats=beats, position=20_000)
    host.render(10_000)
    host.render(FADE)
    wanted = np.interp(np.interp(30_000, beats, np.arange(40)) + 8, np.arange(40), beats)
    assert place(host) - FADE == pytest.approx(wanted, abs=0.51)


def test_hot_cues_are_set_on_the_beat_when_quantised() -> None:
    host = host_on_grid(SONG, ask(Kind.QUANTIZE, 1), on(), ask(Kind.HOTCUE_SET, frame=BEAT + 2000, slot=2))
    host.render(2 * BEAT)
    (stored,) = events(host, EventKind.HOTCUE_STORED)
    assert (stored["slot"], stored["a"]) == (2, BEAT)


def test_a_quantised_jump_goes_on_in_the_beat() -> None:
    at = 4 * BEAT + 1500
    host = host_on_grid(SONG, ask(Kind.QUANTIZE, 1), ask(Kind.HOTCUE_PUT, 20 * BEAT), on(), ask(Kind.HOTCUE_GO, 1, at))
    out = host.render(at + 2000)
    there = 20 * BEAT + 1500
    assert np.array_equal(out[at + FADE :], SONG[there + FADE : there + 2000])


# --- loops -----------------------------------------------------------------------------------------------------------


def looped(start: int, end: int, frames: int) -> np.ndarray:
    """Return the places that a loop passes from frame 0 of the render on, the deck starting at its beginning."""
    return start + np.arange(frames) % (end - start)


def heard_seams(out: np.ndarray, places: np.ndarray, sound: np.ndarray, seam: int = FADE) -> None:
    """Assert that `out` is `sound` at `places`, but for the fade before each seam."""
    expected = sound[places]
    clear = np.ones(len(places), bool)
    clear[:FADE] = False
    for at in np.flatnonzero(np.diff(places) != 1) + 1:
        clear[max(0, at - seam) : at] = False
    assert clear.mean() > 0.4
    assert np.array_equal(out[clear], expected[clear])


def test_the_seam_lands_on_its_frame() -> None:
    host = host_on_grid(SONG, ask(Kind.LOOP_PUT, 5000, b=17_345), ask(Kind.LOOP_ACTIVE, 1), on(), position=5000)
    out = host.render(80_000)
    heard_seams(out, looped(5000, 17_345, 80_000), SONG)


def test_in_and_out_make_a_loop_of_what_was_between() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.LOOP_IN, frame=10_000), ask(Kind.LOOP_OUT, frame=30_000))
    out = host.render(100_000)
    changed = events(host, EventKind.LOOP_CHANGED)
    assert [(int(e["a"]), int(e["b"]), int(e["slot"])) for e in changed] == [(10_000, 10_000, 0), (10_000, 30_000, 1)]
    # Out is pressed when the end has come: the first seam fades after it, the others before.
    places = np.concatenate([np.arange(30_000), looped(10_000, 30_000, 70_000)])
    expected, clear = SONG[places], np.ones(100_000, bool)
    clear[:FADE] = clear[30_000 : 30_000 + FADE] = False
    for at in (50_000, 70_000, 90_000):
        clear[at - FADE : at] = False
    assert np.array_equal(out[clear], expected[clear])


def test_a_quantised_out_behind_the_playhead_keeps_the_beat() -> None:
    host = host_on_grid(
        SONG,
        ask(Kind.QUANTIZE, 1),
        on(),
        ask(Kind.LOOP_IN, frame=BEAT + 100),
        ask(Kind.LOOP_OUT, frame=3 * BEAT + 5000),
    )
    host.render(3 * BEAT + 6000)
    assert events(host, EventKind.LOOP_CHANGED)[-1]["b"] == 3 * BEAT
    assert place(host) == BEAT + 6000


@pytest.mark.parametrize("beats", [1 / 32, 1 / 8, 1, 4])
def test_a_beat_loop_is_as_long_as_its_beats(beats: float) -> None:
    host = host_on_grid(SONG, on(), ask(Kind.LOOP_BEATS, beats), position=4 * BEAT)
    length = round(beats * BEAT)
    out = host.render(60_100)
    heard_seams(out, looped(4 * BEAT, 4 * BEAT + length, 60_100), SONG, min(FADE, length // 2))


def test_a_loop_of_no_whole_frames_does_not_drift() -> None:
    step = 24_000.37
    host = host_on_grid(SONG, on(), ask(Kind.LOOP_BEATS, 1.0), beats=even(40, step), position=round(4 * step))
    frames = 200 * 24_000
    host.render(frames)
    host.render(20)
    passed = (round(4 * step) + frames + 20 - 4 * step) / step
    assert (host.snapshot()["decks"][0]["beat"] - passed) % 1.0 == pytest.approx(0.0, abs=2e-4) or (
        host.snapshot()["decks"][0]["beat"] - passed
    ) % 1.0 == pytest.approx(1.0, abs=2e-4)


def test_halve_double_and_move_keep_the_beat() -> None:
    host = host_on_grid(
        SONG, on(), ask(Kind.LOOP_BEATS, 4), ask(Kind.LOOP_SCALE, 0.5, 3 * BEAT + 500),
        ask(Kind.LOOP_SCALE, 2, 5 * BEAT), ask(Kind.LOOP_MOVE, 4, 6 * BEAT), position=4 * BEAT,
    )  # fmt: skip
    host.render(3 * BEAT + 1000)
    assert place(host) == 4 * BEAT + BEAT + 1000
    host.render(4 * BEAT)
    (*_, halved, doubled, moved) = events(host, EventKind.LOOP_CHANGED)
    assert (halved["a"], halved["b"]) == (4 * BEAT, 6 * BEAT)
    assert (doubled["a"], doubled["b"]) == (4 * BEAT, 8 * BEAT)
    assert (moved["a"], moved["b"]) == (8 * BEAT, 12 * BEAT)
    assert 8 * BEAT <= place(host) < 12 * BEAT
    assert (place(host) - 1000) % BEAT == 0


def test_reloop_leaves_and_comes_back() -> None:
    host = host_on_grid(
        SONG, on(), ask(Kind.LOOP_BEATS, 1), ask(Kind.LOOP_RELOOP, frame=3 * BEAT),
        ask(Kind.LOOP_RELOOP, frame=6 * BEAT), position=2 * BEAT,
    )  # fmt: skip
    host.render(5 * BEAT)
    assert place(host) == 4 * BEAT
    host.render(BEAT + 1000)
    assert place(host) == 2 * BEAT + 1000
    host.render(4 * BEAT)
    assert place(host) == 2 * BEAT + 1000


def test_a_roll_lets_the_track_run_on() -> None:
    start, at = 4 * BEAT, 50_500
    host = host_on_grid(
        SONG, on(), ask(Kind.LOOP_ROLL, 0.25, 20_000), ask(Kind.LOOP_ROLL, 0, at), position=start
    )  # fmt: skip
    out = host.render(at + 3000)
    assert np.array_equal(out[at + FADE :], SONG[start + at + FADE : start + at + 3000])
    heard_seams(out[20_000:at], looped(start + 20_000, start + 20_000 + BEAT // 4, at - 20_000), SONG)


@pytest.mark.parametrize("length", [0, 1, 100, 255, 256])
def test_a_loop_of_no_length_is_the_shortest_one(length: int) -> None:
    host = host_on_grid(
        tone(SECOND * 4, 200.0), on(), ask(Kind.LOOP_IN, frame=9000), ask(Kind.LOOP_OUT, frame=9000 + length)
    )
    out = host.render(40_000)
    assert np.isfinite(out).all() and out[20_000:].any()
    assert 8_900 <= place(host) <= 9_600


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.97, 1.0, 1.7, 4.0, -1.0, -2.5])
@pytest.mark.parametrize("span", [(0, 256), (0, 9000), (150_000, 160_001), (191_000, 192_000), (30_000, 30_700)])
def test_the_playhead_stays_in_the_loop_without_a_click(rate: float, span: tuple[int, int]) -> None:
    sound = tone(4 * SECOND, 100.0)
    host = host_on_grid(
        sound, ask(Kind.DECK_RATE, rate), ask(Kind.LOOP_PUT, span[0], b=span[1]), ask(Kind.LOOP_ACTIVE, 1), on(),
        position=span[0] + 10,
    )  # fmt: skip
    heard = []
    for _ in range(40):
        heard.append(host.render(1000))
        slack = 4 * FADE
        assert span[0] - slack <= place(host) <= span[1] + slack
        assert host.snapshot()["decks"][0]["playing"] == 1
    out = np.concatenate(heard)
    fade = min(FADE, max(1, int((span[1] - span[0]) / (2 * abs(rate)))))
    allowed = 3 * abs(rate) * 0.5 * 2 * np.pi * 100 / SECOND + 2.2 * 0.5 / fade
    assert steps(out[FADE:]).max() <= allowed


def test_a_jump_out_of_the_loop_leaves_it_behind_and_on() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.LOOP_BEATS, 1), ask(Kind.DECK_SEEK, 10 * BEAT, 20_000), position=4 * BEAT)
    host.render(100_000)
    assert place(host) == 10 * BEAT + 80_000
    assert host.snapshot()["decks"][0]["loop_active"] == 1


def test_the_loop_is_forgotten_with_its_track() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.LOOP_BEATS, 1), ask(Kind.HOTCUE_SET, slot=1))
    host.render(1000)
    host.load(0, 2, SlotMemory.whole(track(9 * SECOND)))
    host.render(9000)
    deck = host.snapshot()["decks"][0]
    assert (deck["loop_active"], deck["loop_out"]) == (0, 0)


# --- cues ------------------------------------------------------------------------------------------------------------


def test_the_cue_button_does_what_a_cdj_does() -> None:
    sent = [
        ask(Kind.DECK_SEEK, 7000), ask(Kind.CUE, 1, 10), ask(Kind.CUE, 0, 20),  # stands elsewhere: sets
        ask(Kind.CUE, 1, 1000), ask(Kind.CUE, 0, 9000),  # on it: plays while held
        ask(Kind.CUE, 1, 20_000), on(frame=25_000), ask(Kind.CUE, 0, 26_000),  # play takes over
        ask(Kind.CUE, 1, 40_000), ask(Kind.CUE, 0, 40_100),  # back to the cue
    ]  # fmt: skip
    host = host_on_grid(SONG, *sent)
    out = host.render(50_000)
    assert not out[:1000].any()
    assert np.array_equal(out[1000 + FADE : 9000], SONG[7000 + FADE : 15_000])
    assert not out[9000 + FADE : 20_000].any()
    assert np.array_equal(out[20_000 + FADE : 40_000], SONG[7000 + FADE : 27_000])
    assert not out[40_000 + FADE :].any()
    assert place(host) == 7000
    heard = host.events()
    assert [int(e["a"]) for e in heard if e["kind"] == EventKind.CUE_MOVED] == [7000]
    assert [int(e["a"]) for e in heard if e["kind"] == EventKind.PLAY_CHANGED] == [0]


@pytest.mark.parametrize("block", [1, 64, 128, 512])
def test_a_hot_cue_starts_within_its_block(block: int) -> None:
    host = host_on_grid(SONG, on(), ask(Kind.HOTCUE_PUT, 9 * BEAT, slot=4))
    host.render(5000)
    host.send(ask(Kind.HOTCUE_GO, 1, slot=4))
    out = in_blocks(host, [block] * (2000 // block + 1))
    assert np.array_equal(out[FADE:2000], SONG[9 * BEAT + FADE : 9 * BEAT + 2000])


def test_an_empty_hot_cue_is_set_and_a_standing_deck_starts() -> None:
    sent = [ask(Kind.DECK_SEEK, 5000), ask(Kind.HOTCUE_GO, 1, 10), ask(Kind.DECK_SEEK, 0, 20)]
    host = host_on_grid(SONG, *sent, ask(Kind.HOTCUE_GO, 1, 3000))
    out = host.render(9000)
    assert not out[:3000].any()
    assert np.array_equal(out[3000 + FADE :], SONG[5000 + FADE : 11_000])
    heard = kinds(host.events())
    assert heard.index(EventKind.HOTCUE_STORED) < heard.index(EventKind.PLAY_CHANGED)


def test_a_hot_cue_of_a_loop_turns_it_on() -> None:
    host = host_on_grid(
        SONG, on(), ask(Kind.LOOP_BEATS, 1, 2 * BEAT), ask(Kind.HOTCUE_SET, frame=2 * BEAT + 100, slot=7),
        ask(Kind.LOOP_ACTIVE, 0, 3 * BEAT), ask(Kind.HOTCUE_GO, 1, 8 * BEAT, slot=7),
    )  # fmt: skip
    host.render(13 * BEAT + 500)
    assert place(host) == 2 * BEAT + 500
    assert host.snapshot()["decks"][0]["loop_active"] == 1


def test_memory_points_are_kept_in_order_and_found() -> None:
    sent = [ask(Kind.MEMORY_SET, at) for at in (90_000, 30_000, 60_000, 30_000)]
    host = host_on_grid(SONG, *sent)
    found = []
    for way in (1, 1, 1, 1, -1, -1, -1):
        host.send(ask(Kind.MEMORY_GO, way))
        host.render(512)
        found.append(place(host))
    assert found == [30_000, 60_000, 90_000, 90_000, 60_000, 30_000, 30_000]
    host.send(join([ask(Kind.DECK_SEEK, 58_000), ask(Kind.MEMORY_CLEAR, 0)]))
    host.render(512)
    assert [int(e["a"]) for e in events(host, EventKind.MEMORY_CLEARED)] == [60_000]


# --- hands -----------------------------------------------------------------------------------------------------------


def test_a_bend_is_a_push_and_lets_go() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.BEND, 1, 10_000), ask(Kind.BEND, 0, 58_000))
    host.render(100_000)
    assert place(host) == pytest.approx(100_000 + 0.08 * 48_000, abs=1)
    assert host.snapshot()["decks"][0]["rate"] == 1.0


def test_a_jog_nudges_and_dies_away() -> None:
    host = host_on_grid(SONG, on(), *[ask(Kind.JOG, 1 / 64, 10_000 + 1000 * n) for n in range(8)])
    host.render(150_000)
    assert place(host) == pytest.approx(150_000 + 8 / 64 * 1.8 * 0.1 * SECOND, rel=0.02, abs=30)
    assert host.snapshot()["decks"][0]["rate"] == pytest.approx(1.0)


def test_a_jog_moves_a_deck_that_stands() -> None:
    host = host_on_grid(SONG, ask(Kind.JOG, 0.5), position=100_000)
    host.render(512)
    assert place(host) == 100_000 + 0.9 * SECOND


def scratched(frames: int = 60_000) -> list[Commands]:
    """Return a hand that goes back and forth, told 200 times a second."""
    at = np.arange(10_000, frames, 240)
    hand = 6000 * np.sin(2 * np.pi * (at - 10_000) / 24_000)
    return [ask(Kind.TOUCH, 1, 10_000), *[ask(Kind.SCRATCH, x, int(t)) for x, t in zip(hand, at, strict=True)]]


def test_the_record_follows_the_hand() -> None:
    host = host_on_grid(SONG, on(), *scratched(), position=100_000)
    host.render(10_000)
    for _ in range(200):
        host.render(240)
        hand = 110_000 + 6000 * np.sin(2 * np.pi * (host.frame - 10_000) / 24_000)
        # A lag of HAND_S and of half a step of the hand.
        assert place(host) == pytest.approx(hand, abs=6000 * 2 * np.pi / 24_000 * 1100)


def test_a_scratch_does_not_click_and_falls_silent_at_rest() -> None:
    sound = tone(20 * SECOND, 100.0)
    host = host_on_grid(sound, on(), *scratched(), ask(Kind.TOUCH, 0, 90_000), position=100_000)
    out = host.render(120_000)
    assert steps(out[FADE:]).max() <= 4 * 0.5 * 2 * np.pi * 100 / SECOND + 0.5 / FADE + 0.002
    assert not out[80_000:90_000].any()
    assert np.abs(out[95_000:]).max() > 0.49


def test_a_hand_moves_a_deck_that_stands_and_leaves_it_standing() -> None:
    host = host_on_grid(
        SONG, ask(Kind.TOUCH, 1), *[ask(Kind.SCRATCH, 20 * n, 100 * n) for n in range(1, 200)],
        ask(Kind.TOUCH, 0, 60_000), position=50_000,
    )  # fmt: skip
    out = host.render(70_000)
    assert out[5000:15_000].any() and not out[61_000:].any()
    assert place(host) == pytest.approx(50_000 + 20 * 199, abs=30)
    assert host.snapshot()["decks"][0]["playing"] == 0


def test_slip_brings_the_deck_back_to_where_it_would_be() -> None:
    for sent in (
        [ask(Kind.REVERSE, 1, 10_000), ask(Kind.REVERSE, 0, 40_000)],
        [*scratched(39_000), ask(Kind.TOUCH, 0, 40_000)],
        [ask(Kind.HOTCUE_PUT, 9000), ask(Kind.HOTCUE_GO, 1, 10_000), ask(Kind.HOTCUE_GO, 0, 40_000)],
        [ask(Kind.LOOP_BEATS, 0.25, 10_000), ask(Kind.LOOP_ACTIVE, 0, 40_000)],
        [ask(Kind.WIND, -1, 10_000), ask(Kind.WIND, 0, 40_000)],
    ):
        host = host_on_grid(SONG, ask(Kind.SLIP, 1), on(), *sent, position=100_000)
        out = host.render(44_000)
        assert np.array_equal(out[40_000 + 2 * FADE :], SONG[140_000 + 2 * FADE : 144_000])


def test_reverse_plays_backwards() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.REVERSE, 1, 10_000), position=100_000)
    out = host.render(20_000)
    last = out[12_000:13_000]
    found = round(place(host)) + (20_000 - 12_000)
    assert np.allclose(last, SONG[found : found - 1000 : -1], atol=1e-3)


@pytest.mark.parametrize("way", [1, -1])
def test_brake_and_spin_back_come_to_a_stand(way: int) -> None:
    host = host_on_grid(tone(20 * SECOND, 100.0), on(), ask(Kind.WIND, way, 10_000), position=400_000)
    out = host.render(100_000)
    assert not out[80_000:].any()
    assert steps(out[FADE:]).max() <= 4 * 0.5 * 2 * np.pi * 100 / SECOND + 0.5 / FADE
    assert [int(e["a"]) for e in events(host, EventKind.PLAY_CHANGED)] == [0]
    stood = place(host)
    assert stood > 410_000 if way == 1 else stood < 400_000
    host.send(on())
    again = host.render(5000)
    assert np.abs(again[FADE:]).max() > 0.4
    assert host.snapshot()["decks"][0]["rate"] == 1.0


# --- layers ----------------------------------------------------------------------------------------------------------


def test_one_stem_loops_while_the_others_go_on() -> None:
    stems = stems_of(10 * SECOND)
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(mixed(stems)), 4 * BEAT, whole(stems))
    host.set_grid(0, 1, even(30))
    host.send(join([ask(Kind.DECK_ASSIGN, 1), on(), ask(Kind.STEM_LOOP, 1, BEAT, slot=2),
                    ask(Kind.STEM_LOOP, 0, 4 * BEAT + 1000, slot=2)]))  # fmt: skip
    out = host.render(6 * BEAT)
    first, ended = 5 * BEAT, 5 * BEAT + 3 * BEAT + 1000 + FADE
    clear = 0
    for at in range(FADE, 6 * BEAT - 500, 500):
        p = 4 * BEAT + at + np.arange(500)
        q = p.copy()
        inside = (p >= first) & (p < ended)
        q[inside] = first + (p[inside] - first) % BEAT
        if not inside.any() or (np.diff(q) == 1).all():
            fading = (p[-1] + FADE - first) % BEAT < FADE + 500 and p[-1] + FADE >= first
            if fading or abs(p[0] - ended) < 1500:
                continue
            want = np.sum([stems[s][q if s == 2 else p] for s in range(4)], axis=0, dtype=np.float32)
            assert np.allclose(out[at : at + 500], want, atol=2e-6), at
            clear += 1
    assert clear > 200


# --- laws ------------------------------------------------------------------------------------------------------------


def busy_host() -> KernelHost:
    """Return two decks on grids on which everything of the transport happens, also in the middle of blocks."""
    host = KernelHost()
    stems = stems_of(6 * SECOND)
    host.load(0, 1, SlotMemory.whole(mixed(stems)), 0, whole(stems))
    host.load(1, 2, SlotMemory.whole(track(6 * SECOND)), 1000)
    host.set_grid(0, 1, drifting(14, 121.0, 0.03, 1.0))
    host.set_grid(1, 2, drifting(14, 117.0, 0.02, 2.0), 1.0)
    sent = [
        on(), ask(Kind.QUANTIZE, 1), ask(Kind.SYNC, 1, deck=1), on(1, 777), ask(Kind.LOOP_BEATS, 0.25, 3001),
        ask(Kind.SLIP, 1, 5000), ask(Kind.LOOP_ROLL, 1 / 8, 9001, deck=1), ask(Kind.LOOP_ROLL, 0, 12_345, deck=1),
        ask(Kind.LOOP_SCALE, 0.5, 10_007), ask(Kind.LOOP_ACTIVE, 0, 16_001), ask(Kind.HOTCUE_SET, frame=17_000, slot=1),
        ask(Kind.TOUCH, 1, 18_001), ask(Kind.SCRATCH, 3000, 18_500), ask(Kind.SCRATCH, -2000, 20_300),
        ask(Kind.TOUCH, 0, 23_333), ask(Kind.HOTCUE_GO, 1, 25_001, slot=1), ask(Kind.HOTCUE_GO, 0, 26_001, slot=1),
        ask(Kind.STEM_LOOP, 0.25, 26_500, slot=1), ask(Kind.BEND, 0.7, 27_000, deck=1),
        ask(Kind.BEND, 0, 30_003, deck=1),
        ask(Kind.REVERSE, 1, 31_000), ask(Kind.REVERSE, 0, 33_000), ask(Kind.BEATJUMP, 1, 34_000),
        ask(Kind.JOG, 0.1, 35_005, deck=1), ask(Kind.TEMPO, 131, 36_000), ask(Kind.WIND, -1, 40_000),
        ask(Kind.STEM_LOOP, 0, 42_000, slot=1), ask(Kind.CUE, 1, 45_003, deck=1), ask(Kind.CUE, 1, 46_003, deck=1),
    ]  # fmt: skip
    host.send(join(sent))
    return host


LENGTH = 60_000


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    return busy_host().render(LENGTH)


@pytest.mark.parametrize("size", [1, 64, 65, 128, 512])
def test_block_size_changes_no_bit(size: int, reference: np.ndarray) -> None:
    sizes = [size] * (LENGTH // size) + ([LENGTH % size] if LENGTH % size else [])
    assert np.array_equal(in_blocks(busy_host(), sizes), reference)


@pytest.mark.parametrize("seed", range(3))
def test_random_blocks_change_no_bit(seed: int, reference: np.ndarray) -> None:
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, LENGTH), 300, replace=False))
    assert np.array_equal(in_blocks(busy_host(), np.diff([0, *cuts, LENGTH]).tolist()), reference)


def test_the_reference_sounds_and_nothing_was_refused(reference: np.ndarray) -> None:
    assert np.isfinite(reference).all()
    assert np.abs(reference[1000:40_000]).max() > 0.1
    host = busy_host()
    host.render(LENGTH)
    assert EventKind.COMMAND_REFUSED not in kinds(host.events())


def test_silence_stays_silence() -> None:
    host = host_on_grid(
        constant(6 * SECOND, 0.0), on(), ask(Kind.LOOP_BEATS, 1), *scratched(30_000), ask(Kind.WIND, 1, 40_000)
    )
    assert not host.render(60_000).any()


def test_a_deck_without_a_track_takes_switches_and_refuses_the_rest() -> None:
    host = KernelHost()
    switches = [Kind.QUANTIZE, Kind.SYNC, Kind.SLIP, Kind.REVERSE, Kind.BEND, Kind.LEADER]
    host.send(join([ask(kind, 1) for kind in switches]))
    host.send(join([ask(kind, 1) for kind in (Kind.LOOP_IN, Kind.CUE, Kind.HOTCUE_GO, Kind.TOUCH, Kind.BEATJUMP)]))
    host.render(512)
    assert kinds(host.events()) == [EventKind.COMMAND_REFUSED] * 5


def test_off_stops_what_moves_by_itself() -> None:
    host = host_on_grid(SONG, on(), ask(Kind.WIND, 1, 5000), off(frame=6000), on(frame=20_000))
    out = host.render(30_000)
    assert not out[6000 + FADE : 20_000].any()
    assert np.abs(out[21_000:]).max() > 0.1
    assert host.snapshot()["decks"][0]["rate"] == 1.0


def test_an_empty_deck_says_on_which_frame_it_was_asked() -> None:
    host = KernelHost()
    host.send(ask(Kind.PLACE_ASK, frame=777, slot=4))
    host.render(1024)
    (told,) = events(host, EventKind.PLACE_TOLD)
    assert (int(told["frame"]), int(told["slot"]), float(told["a"])) == (777, 4, 0.0)
