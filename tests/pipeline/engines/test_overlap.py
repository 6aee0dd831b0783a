"""Laws of the overlap-add scheduler: any order gives the same result, nothing is computed twice, sums are exact."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines.base import Audio, Cancelled, Stretch, never, nowhere
from pipeline.engines.overlap import GRID, Grid, Halves, Plan, separate, settle
from pipeline.errors import AudioRejected, ModelFailed
from tests.pipeline.engines.fakes import SOURCES, FakeModel


def noise(frames: int, seed: int = 1) -> Audio:
    return (np.random.default_rng(seed).standard_normal((2, frames)) * 0.2).astype(np.float32)


def collect(stretches: Iterator[Stretch], frames: int) -> tuple[dict[str, Audio], np.ndarray]:
    stems = {name: np.full((2, frames), np.nan, np.float32) for name in SOURCES}
    count = np.zeros(frames, int)
    for stretch in stretches:
        count[stretch.start : stretch.stop] += 1
        for name, audio in stretch.stems.items():
            stems[name][:, stretch.start : stretch.stop] = audio
    return stems, count


def whole_file(mix: Audio, model: FakeModel) -> dict[str, Audio]:
    """The same result by the book: all segments in order, added into one array, divided by the sum of weights."""
    frames = mix.shape[1]
    mono = mix.mean(axis=0, dtype=np.float64)
    mean, std = np.float32(mono.mean()), np.float32(mono.std(ddof=1))
    ready = (mix - mean) / std
    rise, fall = np.arange(1, model.segment // 2 + 1), np.arange(model.segment - model.segment // 2, 0, -1)
    weight = np.concatenate([rise, fall]).astype(np.float32) / np.float32(fall[0])
    total, weights = np.zeros((4, 2, frames), np.float32), np.zeros(frames, np.float32)
    for start in range(0, frames, model.stride):
        n = min(model.segment, frames - start)
        spare = model.segment - n
        low = start - spare // 2
        chunk = np.zeros((2, model.segment), np.float32)
        a, b = max(low, 0), min(low + model.segment, frames)
        chunk[:, a - low : b - low] = ready[:, a:b]
        answer = model.run(chunk, never)
        assert answer is not None
        total[..., start : start + n] += weight[:n] * answer[..., spare // 2 : spare // 2 + n]
        weights[start : start + n] += weight[:n]
    return settle(mix, (total / weights) * std, SOURCES)


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 9000),
    start=st.integers(-10, 9500),
    walk=st.lists(st.one_of(st.none(), st.integers(-5, 9500), st.lists(st.integers(0, 9500), max_size=3)), max_size=14),
    stride=st.sampled_from([500, 750, 990, 1000]),
    elsewhere=st.booleans(),
)
def test_any_order_equals_the_whole_file_bit_for_bit(
    frames: int, start: int, walk: list[int | list[int] | None], stride: int, elsewhere: bool
) -> None:
    mix = noise(frames)
    model = FakeModel(stride=stride, elsewhere=elsewhere)
    steps = iter(walk)
    stems, count = collect(separate(mix, model, start, lambda: next(steps, None), never), frames)
    assert (count == 1).all()
    assert model.runs == Grid(frames, 1000, stride).count  # every segment once
    if frames > 1 and stride < 1000:
        for name, audio in whole_file(mix, FakeModel(stride=stride)).items():
            np.testing.assert_array_equal(stems[name], audio, err_msg=name)


def test_stems_lie_on_the_grid_and_add_up_to_the_mix() -> None:
    mix = noise(5000) * np.float32(3.0)
    stems, _ = collect(separate(mix, FakeModel(), 2000, nowhere, never), 5000)
    total = np.zeros_like(mix)
    for audio in stems.values():
        assert np.array_equal(audio * np.float32(GRID), np.rint(audio * np.float32(GRID)))
        assert np.abs(audio).max() < 4.0
        total += audio
    np.testing.assert_array_equal(total, np.rint(mix * np.float32(GRID)) / np.float32(GRID))


def test_a_mix_on_the_grid_is_restored_exactly() -> None:
    mix = np.rint(noise(3000) * np.float32(GRID)).astype(np.float32) / np.float32(GRID)
    stems, _ = collect(separate(mix, FakeModel(), 0, nowhere, never), 3000)
    np.testing.assert_array_equal(np.sum([stems[name] for name in SOURCES], axis=0, dtype=np.float32), mix)


def test_the_first_stretch_holds_the_playhead() -> None:
    for at in (0, 300, 749, 1400, 3333, 4999):
        model = FakeModel()
        first = next(iter(separate(noise(5000), model, at, nowhere, never)))
        heads_wait = at % 750 < 250 and at >= 750  # shared with the segment before: it takes that one too
        if heads_wait:
            assert model.runs == 1 and first.start > at
        else:
            assert first.start <= at < first.stop


def test_a_shared_piece_under_the_playhead_comes_second() -> None:
    model = FakeModel()
    stretches = separate(noise(5000), model, 1600, nowhere, never)
    next(stretches)
    second = next(stretches)
    assert model.runs == 2 and second.start <= 1600 < second.stop


def test_work_follows_the_playhead() -> None:
    at = [0]
    stretches = separate(noise(75_000), FakeModel(), 0, lambda: at[0], never)
    next(stretches)
    at[0] = 40_300
    jumped = next(stretches)
    assert jumped.start <= 40_300 < jumped.stop
    ahead = next(stretches)
    assert ahead.start == jumped.stop


def test_the_deck_that_runs_dry_first_is_served() -> None:
    stretches = separate(noise(75_000), FakeModel(), 0, lambda: [300, 40_300], never)
    served = [next(stretches) for _ in range(4)]
    assert {stretch.start // 30_000 for stretch in served} == {0, 1}


def test_nothing_is_computed_after_cancel() -> None:
    model = FakeModel()
    stop = False

    def cancelled() -> bool:
        return stop

    stretches = separate(noise(75_000), model, 0, nowhere, cancelled)
    next(stretches)
    stop = True
    assert list(stretches) == []
    assert model.runs == 1


def test_a_cancel_within_a_segment_ends_it_without_a_stretch() -> None:
    model = FakeModel()
    stop = False

    def cancelled() -> bool:
        return stop

    def cancel_now() -> None:
        nonlocal stop
        stop = model.runs == 3

    model.during = cancel_now
    stretches = list(separate(noise(75_000), model, 0, nowhere, cancelled))
    assert len(stretches) == 2 and model.runs == 3


def test_a_model_on_another_processor_runs_while_stems_are_taken_and_ends_with_them() -> None:
    model = FakeModel(elsewhere=True)
    begun, given_up = threading.Event(), threading.Event()
    run = model.run

    def slow(chunk: Audio, cancelled: Cancelled) -> Audio | None:
        if model.runs == 0:
            return run(chunk, cancelled)
        begun.set()
        while not cancelled():
            given_up.wait(0.001)
        given_up.set()
        return None

    model.run = slow  # type: ignore[method-assign]
    stretches = separate(noise(5000), model, 0, nowhere, never)
    assert next(stretches).start == 0
    assert begun.wait(10)
    stretches.close()  # type: ignore[attr-defined]
    assert given_up.is_set()


def test_a_fault_of_a_segment_ahead_comes_after_what_was_done_before_it() -> None:
    model = FakeModel(elsewhere=True)

    def fail() -> None:
        if model.runs == 2:
            raise ModelFailed("it fell over")

    model.during = fail
    stretches = separate(noise(5000), model, 0, nowhere, never)
    assert next(stretches).start == 0
    with pytest.raises(ModelFailed, match="fell over"):
        next(stretches)


def test_context_around_blocks_that_only_touch() -> None:
    mix = noise(3456)
    whole = FakeModel(segment=4000, stride=4000, context=64)
    blocks = FakeModel(segment=500, stride=500, context=64)
    shapes: list[int] = []
    run = blocks.run
    blocks.run = lambda chunk, cancelled: (shapes.append(chunk.shape[1]), run(chunk, cancelled))[1]  # type: ignore[method-assign]
    _, count = collect(separate(mix, blocks, 1700, nowhere, never), 3456)
    assert (count == 1).all() and set(shapes) == {628, 456 - 500 + 628}
    _, count = collect(separate(mix, whole, 0, nowhere, never), 3456)
    assert (count == 1).all()


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_and_a_constant_stay_what_they_are(level: float) -> None:
    class Deaf(FakeModel):
        def run(self, chunk: Audio, cancelled: object) -> Audio | None:
            return np.zeros((4, *chunk.shape), np.float32) + chunk[None] * 0

    mix = np.full((2, 4000), level, np.float32)
    stems, _ = collect(separate(mix, Deaf(), 0, nowhere, never), 4000)
    np.testing.assert_array_equal(stems["other"], mix)
    assert all(not stems[name].any() for name in SOURCES if name != "other")


def test_no_audio_no_stretches() -> None:
    assert list(separate(np.zeros((2, 0), np.float32), FakeModel(), 0, nowhere, never)) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_audio_that_is_not_finite_is_rejected(bad: float) -> None:
    mix = noise(4000)
    mix[1, 1234] = bad
    with pytest.raises(AudioRejected), np.errstate(invalid="ignore"):
        list(separate(mix, FakeModel(), 0, nowhere, never))


class Shelf:
    """A mix that notes which frames were asked for."""

    ndim = 2

    def __init__(self, mix: Audio) -> None:
        self.mix, self.shape = mix, mix.shape
        self.asked = np.zeros(mix.shape[1], bool)

    def __getitem__(self, key: tuple[slice, slice]) -> Audio:
        self.asked[key[1]] = True
        return self.mix[key]


def test_with_its_levels_a_mix_is_read_no_further_than_the_work_has_got() -> None:
    mix, model = noise(100_000), FakeModel()
    model.normalise = True
    mono = mix.mean(axis=0, dtype=np.float64)
    levels = float(mono.mean()), float(mono.std(ddof=1))
    shelf = Shelf(mix)
    stretches = separate(shelf, model, 50_000, nowhere, never, levels=levels)
    first = next(stretches)
    assert first.start <= 50_000 < first.stop
    assert shelf.asked.sum() <= 2 * model.segment and not shelf.asked[:48_000].any()
    whole, _ = collect(separate(mix, model, 0, nowhere, never, levels=levels), 100_000)
    stems, _ = collect(iter([first, *stretches]), 100_000)
    for name in SOURCES:
        np.testing.assert_array_equal(stems[name], whole[name])


def test_given_levels_are_those_that_would_be_found() -> None:
    mix, model = noise(9_000), FakeModel()
    model.normalise = True
    mono = mix.mean(axis=0, dtype=np.float64)
    found, _ = collect(separate(mix, model, 0, nowhere, never), 9_000)
    given_, _ = collect(separate(mix, model, 0, nowhere, never, levels=(mono.mean(), mono.std(ddof=1))), 9_000)
    for name in SOURCES:
        np.testing.assert_allclose(given_[name], found[name], atol=2 / GRID)


def test_silence_with_levels_is_not_divided_by_nothing() -> None:
    model = FakeModel()
    model.normalise = True
    silence = np.zeros((2, 4000), np.float32)
    told, _ = collect(separate(silence, model, 0, nowhere, never, levels=(0.0, 0.0)), 4000)
    found, _ = collect(separate(silence, model, 0, nowhere, never), 4000)
    for name in SOURCES:
        np.testing.assert_array_equal(told[name], found[name])


def test_a_mono_array_is_rejected() -> None:
    with pytest.raises(AudioRejected):
        list(separate(np.zeros(100, np.float32), FakeModel(), 0, nowhere, never))


def test_a_model_that_answers_nan_fails() -> None:
    class Mad(FakeModel):
        def run(self, chunk: Audio, cancelled: object) -> Audio | None:
            return np.full((4, *chunk.shape), np.nan, np.float32)

    with pytest.raises(ModelFailed, match="finite"):
        list(separate(noise(3000), Mad(), 0, nowhere, never))


def test_a_model_of_another_shape_fails() -> None:
    class Wrong(FakeModel):
        def run(self, chunk: Audio, cancelled: object) -> Audio | None:
            return np.zeros((3, *chunk.shape), np.float32)

    with pytest.raises(ModelFailed, match="answered"):
        list(separate(noise(3000), Wrong(), 0, nowhere, never))


def test_estimates_beyond_the_grid_are_cut_and_the_sum_still_holds() -> None:
    mix = noise(64)
    estimates = np.zeros((4, 2, 64), np.float32)
    estimates[0, :, :8] = 9.0
    stems = settle(mix, estimates, SOURCES)
    assert all(np.abs(audio).max() < 4.0 for audio in stems.values())
    np.testing.assert_allclose(np.sum(list(stems.values()), axis=0)[:, 8:], mix[:, 8:], atol=2.0**-22)


def test_a_model_without_other_gets_one() -> None:
    mix = noise(64)
    stems = settle(mix, np.zeros((1, 2, 64), np.float32), ("vocals",))
    assert list(stems) == ["vocals", "other"]


def test_waiting_halves_beyond_the_bound_go_to_a_file_and_come_back() -> None:
    halves = Halves(in_memory=2)
    sent = {key: noise(500 if key else 700, key)[None] for key in range(8)}
    for key, half in sent.items():
        halves.put(key, half)
    assert len(halves) == 8
    for key in (5, 0, 7, 1):
        np.testing.assert_array_equal(halves.pop(key), sent[key])
        assert halves.pop(key) is None
    halves.put(20, sent[3])  # a place that became free
    for key in (2, 3, 4, 6):
        np.testing.assert_array_equal(halves.pop(key), sent[key])
    np.testing.assert_array_equal(halves.pop(20), sent[3])
    assert len(halves) == 0
    halves.close()


def test_overlaps_of_more_than_half_are_refused() -> None:
    with pytest.raises(ValueError, match="half"):
        Grid(10_000, 1000, 499)


def test_the_plan_ends() -> None:
    plan = Plan(Grid(2000, 1000, 750), 0)
    order = []
    while (k := plan.next(1900)) is not None:
        order.append(k)
        plan.finish(k)
    assert order == [2, 0, 1]


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 9000),
    keep=st.lists(st.integers(0, 40), max_size=20),
    start=st.integers(0, 9000),
    stride=st.sampled_from([500, 750, 1000]),
)
def test_what_is_there_already_is_not_made_again(frames: int, keep: list[int], start: int, stride: int) -> None:
    mix = noise(frames)
    pieces = list(separate(mix, FakeModel(stride=stride), start, nowhere, never))
    whole, _ = collect(iter(pieces), frames)
    kept = [pieces[n] for n in keep if n < len(pieces)]
    done = [(stretch.start, stretch.stop) for stretch in kept]
    model = FakeModel(stride=stride)
    rest = list(separate(mix, model, 0, nowhere, never, done))
    _, count = collect(iter(rest), frames)
    held = np.zeros(frames, bool)
    for low, high in done:
        held[low:high] = True
    assert (count == ~held).all()
    for stretch in rest:
        for name, audio in stretch.stems.items():
            np.testing.assert_array_equal(audio, whole[name][:, stretch.start : stretch.stop])
    if held.all():
        assert model.runs == 0


def test_a_range_that_ends_within_a_piece_costs_that_piece_again() -> None:
    model = FakeModel()
    rest = list(separate(noise(3000), model, 0, nowhere, never, [(0, 1300)]))
    assert rest[0].start == 1000 and model.runs == 3
