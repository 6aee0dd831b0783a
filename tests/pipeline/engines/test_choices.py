"""What may be chosen of a separation: checked once, and the shift trick's laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.engines import choices, overlap
from pipeline.engines.base import Audio, never, nowhere
from pipeline.engines.shifts import Shifted, shifted
from pipeline.errors import BadOptions
from pipeline.settings import PipelineSettings
from tests.pipeline.engines.fakes import FakeModel


def test_only_what_was_named_goes_into_a_job() -> None:
    assert choices.checked({}) == {}
    assert choices.checked({"shifts": 2, "overlap": 0}) == {"shifts": 2, "overlap": 0.0}
    assert choices.read({"shifts": 3, "models_dir": "/m", "done": ()}).shifts == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"shift": 1}, {"overlap": 0.6}, {"overlap": -0.1}, {"overlap": float("nan")}, {"segment": 61},
        {"shifts": 11}, {"shifts": 1.5}, {"shifts": True}, {"precision": "f8"}, {"device": "tpu"},
        {"threads": -1}, {"segment": "long"}, {"device": None},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadOptions, match=r"options do not fit.*There are device, precision"):
        choices.checked(wrong)


def test_settings_ask_for_what_they_say_and_for_nothing_else() -> None:
    assert PipelineSettings().job_options() == {}
    settings = PipelineSettings(segment=3.0, overlap=0.5, shifts=2, precision="bf16", device="cuda", threads=2)
    assert choices.checked(settings.job_options()) == {
        "segment": 3.0, "overlap": 0.5, "shifts": 2, "precision": "bf16",
    }  # fmt: skip
    assert settings.engine_options()["device"] == "cuda"
    assert len(PipelineSettings(segment=99.0, overlap=0.7, shifts=11).faults()) == 3


def mix_of(frames: int) -> Audio:
    return (np.random.default_rng(3).standard_normal((2, frames)) * 0.1).astype(np.float32)


class Exact:
    """A model that answers the same wherever a segment begins."""

    sources = ("drums", "bass", "other", "vocals")
    normalise = elsewhere = False
    segment, stride = 1000, 750

    def padded(self, frames: int) -> int:
        return self.segment

    def run(self, chunk: Audio, cancelled: object) -> Audio | None:
        assert chunk.shape == (2, self.segment) and chunk.flags.c_contiguous
        gains = np.array([0.5, 0.25, 0.125, 0.125], np.float32)[:, None, None]
        answer: Audio = gains * chunk[None]
        return answer


@pytest.mark.parametrize("frames", [1, 64, 751, 5_000])
@pytest.mark.parametrize("shifts", [2, 3, 10])
def test_shifting_a_model_that_does_not_care_changes_nothing(frames: int, shifts: int) -> None:
    mix = mix_of(frames)
    found = gather(Shifted(Exact(), shifts, span=200), mix)
    np.testing.assert_allclose(found[0], mix * 0.5, atol=2e-6)
    np.testing.assert_allclose(found.sum(axis=0), mix, atol=2.0**-21)


def gather(model: overlap.SegmentModel, mix: Audio, start: int = 0) -> Audio:
    out = np.full((4, *mix.shape), np.nan, np.float32)
    for stretch in overlap.separate(mix, model, start, nowhere, never):
        for number, name in enumerate(model.sources):
            out[number, :, stretch.start : stretch.stop] = stretch.stems[name]
    assert np.isfinite(out).all()
    return out


def test_passes_are_averaged_and_the_order_of_work_is_not_heard() -> None:
    mix = mix_of(4_000)
    plain = FakeModel()
    model = shifted(plain, 4)
    np.testing.assert_array_equal(gather(model, mix), gather(model, mix, start=2_500))
    segments = overlap.Grid(4_000, model.segment, model.stride).count
    assert plain.runs == 2 * 4 * segments
    # what depends on the place within a segment is what the mean takes away
    expected = mix * 0.5
    assert np.abs(gather(model, mix)[0] - expected).std() < np.abs(gather(plain, mix)[0] - expected).std()
    assert shifted(plain, 0) is plain and shifted(plain, 1) is plain


def test_a_cancel_ends_all_passes() -> None:
    model = Shifted(FakeModel(), 3)
    assert model.run(mix_of(model.padded(model.segment)), lambda: True) is None
