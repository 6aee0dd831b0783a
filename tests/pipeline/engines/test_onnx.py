"""The `onnx` engine: on both runtimes with a tiny file of the same shape, and with the real model for its quality."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline import models
from pipeline.engines import onnx
from pipeline.engines.base import Audio, Stretch, has_module
from pipeline.engines.overlap import GRID
from pipeline.errors import BadOptions, ModelCorrupt, ModelMissing, UnknownModel
from tests.pipeline import gm_song
from tests.pipeline.engines.fakes import write_onnx
from tests.pipeline.sdr import sdr_db

BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(not has_module(name), reason=f"{name} is not installed"))
    for name in ("openvino", "onnxruntime")
]
GAINS = (0.5, 0.25, 0.125, 0.0625)
FRAMES = 600_000  # three segments


@pytest.fixture(autouse=True)
def _nothing_stays_loaded() -> Iterator[None]:
    yield
    onnx.unload()


@pytest.fixture
def tiny(tmp_path: Path) -> onnx.OnnxEngine:
    write_onnx(tmp_path / "tiny.onnx", GAINS)
    return onnx.OnnxEngine(tmp_path / "tiny.onnx")


def tones(frames: int = FRAMES) -> Audio:
    t = np.arange(frames) / 44_100
    wave = np.stack([np.sin(2 * np.pi * 220 * t), np.sin(2 * np.pi * 331 * t) * np.sin(t)]) * 0.3
    return (np.rint(wave * GRID) / GRID).astype(np.float32)


def gather(stretches: Iterator[Stretch], mix: Audio) -> dict[str, Audio]:
    stems = {name: np.full_like(mix, np.nan) for name in onnx.SOURCES}
    for stretch in stretches:
        for name, audio in stretch.stems.items():
            stems[name][:, stretch.start : stretch.stop] = audio
    return stems


@pytest.mark.parametrize("backend", BACKENDS)
def test_audio_goes_through_the_runtime_and_back(tiny: onnx.OnnxEngine, backend: str) -> None:
    mix = tones()
    options = {"backend": backend, "precision": "f32", "threads": 1}
    stems = gather(tiny.separate(mix, options=options), mix)
    inside = slice(4096, FRAMES - 4096)
    for name, gain in zip(onnx.SOURCES, GAINS, strict=True):
        if name != "other":
            np.testing.assert_allclose(stems[name][:, inside], gain * mix[:, inside], atol=2e-4, err_msg=name)
    np.testing.assert_array_equal(np.sum([stems[n] for n in onnx.SOURCES], axis=0, dtype=np.float32), mix)


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_order_is_bit_exact(tiny: onnx.OnnxEngine, backend: str) -> None:
    mix = tones()
    options = {"backend": backend, "threads": 1}
    forwards = gather(tiny.separate(mix, options=options), mix)
    jumps = iter([550_000, 100_000, None])
    jumping = gather(tiny.separate(mix, start_frame=400_000, focus=lambda: next(jumps, None), options=options), mix)
    for name in onnx.SOURCES:
        np.testing.assert_array_equal(forwards[name], jumping[name])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cancel_while_the_model_runs_gives_nothing_and_leaves_it_usable(
    tiny: onnx.OnnxEngine, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix, options = tones(), {"backend": backend, "threads": 1}
    before = gather(tiny.separate(mix, options=options), mix)
    started = False

    def cancelled() -> bool:
        return started

    shared = onnx._CACHE.get(tiny.key(options), cancelled)
    assert shared is not None
    inner = shared.model.run

    def run(wave: Audio, spectrum: Audio, asked: object) -> object:
        nonlocal started
        started = True  # from here on the answer to "cancelled?" is yes
        return inner(wave, spectrum, cancelled)

    monkeypatch.setattr(shared.model, "run", run)
    stretches = list(tiny.separate(mix, cancelled=cancelled, options=options))
    assert len(stretches) <= 1  # a tiny model may be done before it is asked
    monkeypatch.undo()
    after = gather(tiny.separate(mix, options=options), mix)
    for name in onnx.SOURCES:
        np.testing.assert_array_equal(before[name], after[name])


def test_cancelled_before_it_began(tiny: onnx.OnnxEngine) -> None:
    assert list(tiny.separate(tones(), cancelled=lambda: True)) == []


def test_two_separations_share_one_model_and_take_turns(tiny: onnx.OnnxEngine) -> None:
    mix, options = tones(1_500_000), {"threads": 1}
    order: list[int] = []
    both = threading.Barrier(2)
    results: dict[int, dict[str, Audio]] = {}

    def work(number: int) -> None:
        def watched() -> Iterator[Stretch]:
            for stretch in tiny.separate(mix, options=options):
                order.append(number)
                yield stretch

        both.wait(30)
        results[number] = gather(watched(), mix)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(order) == 12 and set(order[:6]) == {0, 1}
    for name in onnx.SOURCES:
        np.testing.assert_array_equal(results[0][name], results[1][name])
    assert len(onnx._CACHE) == 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("content", [b"", b"this is no model", b"\x08\x08" + bytes(500)])
def test_garbage_is_a_permanent_failure_that_says_what_to_do(tmp_path: Path, backend: str, content: bytes) -> None:
    path = tmp_path / "htdemucs.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match="alchemy models pull"):
        list(onnx.OnnxEngine(path).separate(tones(5000), options={"backend": backend}))


def test_a_file_of_the_right_size_with_the_wrong_content_is_refused_on_load(tmp_path: Path) -> None:
    with (tmp_path / "htdemucs.onnx").open("wb") as file:
        file.truncate(models.HTDEMUCS.size)
    with pytest.raises(ModelCorrupt, match="damaged"):
        list(onnx.OnnxEngine().separate(tones(5000), options={"models_dir": str(tmp_path)}))


def test_no_file_no_engine(tmp_path: Path) -> None:
    options = {"models_dir": str(tmp_path)}
    reason = onnx.OnnxEngine().available(options)
    assert reason is not None and "alchemy models pull htdemucs" in reason
    with pytest.raises(ModelMissing):
        onnx.OnnxEngine().separate(tones(5000), options=options)


def test_unknown_names_are_refused(tiny: onnx.OnnxEngine) -> None:
    with pytest.raises(UnknownModel, match="htdemucs"):
        tiny.separate(tones(5000), "mdx_extra")
    with pytest.raises(BadOptions, match="abacus"):
        tiny.separate(tones(5000), options={"backend": "abacus"})


@pytest.fixture(scope="session")
def band(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audio]:
    """Sixteen seconds of a General MIDI band."""
    if reason := gm_song.missing():
        _skip_or_fail(reason)
    return gm_song.render(tmp_path_factory.mktemp("band"), bars=7)


def _skip_or_fail(reason: str) -> None:
    """Skip on a laptop; in CI, where everything is to be there, fail."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.model
@pytest.mark.timeout(600)
def test_the_real_model_separates_drums_and_bass(band: dict[str, Audio]) -> None:
    if reason := onnx.OnnxEngine().available():
        _skip_or_fail(reason)
    mix = np.sum(list(band.values()), axis=0, dtype=np.float32)
    stems = gather(onnx.OnnxEngine().separate(mix, start_frame=mix.shape[1] // 2), mix)
    quality = {name: sdr_db(band[name], stems[name]) for name in band}
    print({name: round(value, 2) for name, value in quality.items()})
    assert quality["drums"] > 8.0 and quality["bass"] > 8.0
    for name, value in quality.items():
        assert value > sdr_db(band[name], mix) + 6.0, name
    on_grid = np.rint(mix * np.float32(GRID)) / np.float32(GRID)
    np.testing.assert_array_equal(np.sum(list(stems.values()), axis=0, dtype=np.float32), on_grid)


@pytest.mark.model
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_real_model_stops_at_the_first_word(backend: str) -> None:
    if reason := onnx.OnnxEngine().available():
        _skip_or_fail(reason)
    mix, options = tones(1_000_000), {"backend": backend}
    engine = onnx.OnnxEngine()
    onnx.loaded(lambda: False, options)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 8  # the first segment runs by then, and goes on for a good second if it is let

    assert list(engine.separate(mix, cancelled=cancelled, options=options)) == []
    assert asked <= 10  # asked every 30 ms: the word was heard at once
