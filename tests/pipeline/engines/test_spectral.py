"""The `spectral` engine: blocks equal the whole, sums are exact, and every stem beats the mix taken for it."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline import songs
from pipeline.engines import overlap, spectral
from pipeline.engines.base import Audio, Stretch, never, nowhere
from pipeline.engines.overlap import GRID
from tests.pipeline.sdr import sdr_db


def gather(stretches: Iterator[Stretch], mix: Audio) -> dict[str, Audio]:
    stems = {name: np.full_like(mix, np.nan) for name in ("vocals", "drums", "bass", "other")}
    for stretch in stretches:
        for name, audio in stretch.stems.items():
            stems[name][:, stretch.start : stretch.stop] = audio
    return stems


@pytest.fixture(scope="module", params=songs.SONGS, ids=lambda song: song.title)
def rendered(request: pytest.FixtureRequest) -> songs.Rendered:
    return songs.render(songs.shortened(request.param, 8))


def test_every_stem_beats_the_mix_as_an_estimate(rendered: songs.Rendered) -> None:
    stems = gather(spectral.SpectralEngine().separate(rendered.mix), rendered.mix)
    for name, truth in rendered.stems.items():
        assert sdr_db(truth, stems[name]) > max(0.0, sdr_db(truth, rendered.mix) + 3.0), name


def test_the_stems_add_up_to_the_mix_exactly(rendered: songs.Rendered) -> None:
    stems = gather(spectral.SpectralEngine().separate(rendered.mix), rendered.mix)
    np.testing.assert_array_equal(np.sum(list(stems.values()), axis=0, dtype=np.float32), rendered.mix)


def test_any_order_and_any_number_of_threads_is_bit_exact(rendered: songs.Rendered) -> None:
    engine, mix = spectral.SpectralEngine(), rendered.mix
    forwards = gather(engine.separate(mix), mix)
    jumps = iter([600_000, 10, None])
    jumping = gather(
        engine.separate(mix, start_frame=300_000, focus=lambda: next(jumps, None), options={"threads": 2}), mix
    )
    for name in forwards:
        np.testing.assert_array_equal(forwards[name], jumping[name])


def test_blocks_equal_one_block_over_the_whole_file() -> None:
    class Whole(spectral._Filters):
        segment = stride = 1 << 20

    mix = songs.render(songs.shortened(songs.COPPER_LINE, 7)).mix
    assert spectral._Filters.segment * 2 < mix.shape[1] < Whole.segment
    blocks = gather(spectral.SpectralEngine().separate(mix), mix)
    whole = gather(overlap.separate(mix, Whole(1), 0, nowhere, never), mix)
    for name in blocks:
        np.testing.assert_array_equal(blocks[name], whole[name], err_msg=name)


@pytest.mark.parametrize("frames", [1, 100, 5000])
def test_silence_and_short_audio(frames: int) -> None:
    for level in (0.0, 0.5):
        mix = np.full((2, frames), level, np.float32)
        stems = gather(spectral.SpectralEngine().separate(mix), mix)
        np.testing.assert_array_equal(np.sum(list(stems.values()), axis=0, dtype=np.float32), mix)


def test_cancelled_between_its_steps() -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    mix = np.zeros((2, 1_000_000), np.float32)
    assert list(spectral.SpectralEngine().separate(mix, cancelled=cancelled)) == []


def test_stems_stay_on_the_grid_whatever_comes() -> None:
    mix = (np.random.default_rng(0).standard_normal((2, 50_000)) * 1.5).astype(np.float32)
    for audio in gather(spectral.SpectralEngine().separate(mix), mix).values():
        assert np.abs(audio).max() < 4.0
        np.testing.assert_array_equal(audio * np.float32(GRID), np.rint(audio * np.float32(GRID)))
