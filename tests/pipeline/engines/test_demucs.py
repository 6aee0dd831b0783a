"""The `demucs` engine with a tiny network in Demucs's own file format, made here. Skips without the extra."""

import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.engines import demucs, spectrogram
from pipeline.engines.base import Audio, has_module
from pipeline.engines.demucs import BAGS, Bag, DemucsEngine, load_file, unload
from pipeline.errors import EngineUnavailable, ModelCorrupt, OutOfMemory, PullFailed, UnknownModel

FRAMES = 200_000


def tones(frames: int = FRAMES) -> Audio:
    rng = np.random.default_rng(5)
    return (rng.standard_normal((2, frames)) * 0.1).astype(np.float32)


def test_without_the_extra_it_says_how_to_get_it() -> None:
    engine = DemucsEngine()
    reason = engine.available()
    if has_module("torch") and has_module("demucs"):
        assert reason is None
    else:
        assert reason is not None and "[demucs]" in reason
        with pytest.raises(EngineUnavailable, match="demucs"):
            engine.separate(tones())
    assert engine.stems("htdemucs_6s")[-2:] == ("guitar", "piano")
    with pytest.raises(UnknownModel, match="mdx_extra"):
        engine.stems("nothing")


def test_the_table_of_models_is_consistent() -> None:
    for bag in BAGS.values():
        assert all(len(file) == 17 and file[8] == "-" for file in bag.files)
        assert not bag.weights or {len(row) for row in bag.weights} == {len(bag.sources)}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemucsEngine, Path]:
    """A bag of two tiny networks with random weights, 2 s segments."""
    torch = pytest.importorskip("torch", reason="the extra [demucs] is not installed")
    pytest.importorskip("demucs", reason="the extra [demucs] is not installed")
    from demucs.htdemucs import HTDemucs
    from demucs.states import get_state, save_with_checksum

    folder = tmp_path_factory.mktemp("models")
    for number in range(2):
        torch.manual_seed(number)
        network = HTDemucs(
            list("dbov"), channels=8, growth=2, depth=4, t_layers=1, t_heads=2, dconv_comp=4, bottom_channels=0,
            dconv_mode=3, segment=Fraction(2), samplerate=44100,
        )  # fmt: skip
        network.sources = ["drums", "bass", "other", "vocals"]
        _, kwargs = network._init_args_kwargs
        package = {"klass": HTDemucs, "args": (network.sources,), "kwargs": kwargs, "training_args": {}}
        save_with_checksum({**package, "state": get_state(network, None, half=True)}, folder / f"{number:08d}.th")
    names = tuple(sorted(path.stem for path in folder.glob("*.th")))
    bags = {
        "one": Bag(names[:1]),
        "two": Bag(names, weights=((1, 0, 1, 0), (0, 1, 1, 3))),
    }
    yield DemucsEngine(bags), folder
    unload()


def gather(
    engine: DemucsEngine,
    folder: Path,
    mix: Audio,
    model: str,
    *,
    chosen: dict[str, object] | None = None,
    **more: object,
) -> dict[str, Audio]:
    stems = {name: np.full_like(mix, np.nan) for name in engine.stems(model)}
    options = {"models_dir": str(folder), "device": "cpu"} | (chosen or {})
    for stretch in engine.separate(mix, model, options=options, **more):  # type: ignore[arg-type]
        for name, audio in stretch.stems.items():
            stems[name][:, stretch.start : stretch.stop] = audio
    return stems


@pytest.mark.parametrize("model", ["one", "two"])
def test_stems_are_those_of_demucs_itself(tiny: tuple[DemucsEngine, Path], model: str) -> None:
    import torch
    from demucs.apply import BagOfModels, apply_model

    engine, folder = tiny
    mix = tones()
    stems = gather(engine, folder, mix, model)
    bag = engine._bags[model]
    networks = [load_file(folder / f"{name}.th") for name in bag.files]
    peer = BagOfModels(networks, [list(row) for row in bag.weights] or None)
    wave = torch.from_numpy(mix)
    mean, std = wave.mean(0).mean(), wave.mean(0).std()
    answer = apply_model(peer, ((wave - mean) / std)[None], shifts=0, overlap=0.25)[0] * std
    for name, expected in zip(bag.sources, answer.numpy(), strict=True):
        if name != "other":
            np.testing.assert_allclose(stems[name], expected, atol=2e-6, err_msg=name)
    np.testing.assert_allclose(np.sum(list(stems.values()), axis=0), mix, atol=2.0**-22)


def test_any_order_is_bit_exact(tiny: tuple[DemucsEngine, Path]) -> None:
    engine, folder = tiny
    mix = tones()
    forwards = gather(engine, folder, mix, "two")
    jumps = iter([180_000, 20_000])
    jumping = gather(engine, folder, mix, "two", start_frame=100_000, focus=lambda: next(jumps, None))
    for name in forwards:
        np.testing.assert_array_equal(forwards[name], jumping[name])


@pytest.mark.parametrize(
    "chosen",
    [{"segment": 1.0}, {"overlap": 0.5}, {"overlap": 0.0}, {"shifts": 2}, {"precision": "bf16"}, {"threads": 1}],
)
def test_every_choice_changes_how_it_is_done_and_never_the_sum(
    tiny: tuple[DemucsEngine, Path], chosen: dict[str, object]
) -> None:
    engine, folder = tiny
    mix = tones(100_000)
    plain, other = gather(engine, folder, mix, "one"), gather(engine, folder, mix, "one", chosen=chosen)
    again = gather(engine, folder, mix, "one", start_frame=60_000, chosen=chosen)
    for name in plain:
        np.testing.assert_array_equal(other[name], again[name])
    np.testing.assert_allclose(np.sum(list(other.values()), axis=0), mix, atol=2.0**-22)
    if "threads" not in chosen:
        assert np.abs(plain["bass"] - other["bass"]).max() > 1e-6


def test_where_memory_runs_out_segments_get_shorter_and_what_was_made_stays(
    tiny: tuple[DemucsEngine, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, folder = tiny
    mix = tones()
    options = {"models_dir": str(folder), "device": "cpu"}
    expected = gather(engine, folder, mix, "one")
    run = demucs._Networks.run
    heard: list[int] = []

    def tight(self: object, chunk: Audio, segment: int, cancelled: object) -> Audio | None:
        heard.append(segment)
        if segment > 44_100 and len(heard) > 1:
            return run(_Starved(self), chunk, segment, cancelled)  # type: ignore[arg-type]
        return run(self, chunk, segment, cancelled)  # type: ignore[arg-type]

    class _Starved:
        """The networks on a machine that has no memory left."""

        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            if name == "_networks":
                return [_Hungry()]
            return getattr(self._inner, name)

    class _Hungry:
        def __call__(self, _heard: object) -> object:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(demucs._Networks, "run", tight)
    stretches = list(engine.separate(mix, "one", options=options))
    covered = np.zeros(mix.shape[1], int)
    for stretch in stretches:
        covered[stretch.start : stretch.stop] += 1
        np.testing.assert_allclose(
            np.sum(list(stretch.stems.values()), axis=0), mix[:, stretch.start : stretch.stop], atol=2.0**-22
        )
    assert (covered == 1).all()
    assert heard[0] == heard[1] == 88_200 and set(heard[2:]) == {44_100}
    first = stretches[0]
    np.testing.assert_array_equal(first.stems["bass"], expected["bass"][:, : first.stop])
    monkeypatch.setattr(demucs._Networks, "run", lambda self, *rest: run(_Starved(self), *rest))  # type: ignore[arg-type]
    with pytest.raises(OutOfMemory, match=r"even in segments of 1\.0 s; choose the device cpu"):
        list(engine.separate(mix, "one", options=options))


def test_a_cancel_is_noticed_within_a_segment(tiny: tuple[DemucsEngine, Path]) -> None:
    engine, folder = tiny
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40  # some layers into the first segment

    options = {"models_dir": str(folder), "device": "cpu"}
    list(engine.separate(tones(44100), "two", options=options))  # loads, so that waiting for it asks nothing
    assert list(engine.separate(tones(), "two", cancelled=cancelled, options=options)) == []
    assert asked < 60


def test_a_damaged_file_is_refused(tiny: tuple[DemucsEngine, Path], tmp_path: Path) -> None:
    engine, folder = tiny
    name = engine._bags["one"].files[0]
    content = bytearray((folder / f"{name}.th").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / f"{name}.th").write_bytes(content)
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        gather(engine, tmp_path, tones(), "one")


class Evil:
    """Unpickled carelessly, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_file_with_code_in_it_is_refused_and_nothing_runs(tiny: tuple[DemucsEngine, Path], tmp_path: Path) -> None:
    import hashlib

    import torch

    for number, save in enumerate((torch.save, lambda what, path: path.write_bytes(pickle.dumps(what, protocol=2)))):
        raw, touched = tmp_path / f"{number}", tmp_path / "touched"
        save({"klass": Evil(touched), "args": (), "kwargs": {}, "state": {}}, raw)
        path = tmp_path / f"evil{number}-{hashlib.sha256(raw.read_bytes()).hexdigest()[:8]}.th"
        raw.rename(path)
        with pytest.raises(ModelCorrupt, match="no network"):
            load_file(path)
        assert not touched.exists()


def test_a_missing_file_is_fetched_once_and_checked(
    tiny: tuple[DemucsEngine, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from demucs import pretrained

    engine, folder = tiny
    name = engine._bags["one"].files[0]
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / "files.txt").write_text(f"# a list\nroot: deep/\n{name}.th\nroot: other/\n")
    monkeypatch.setattr(pretrained, "REMOTE_ROOT", tmp_path / "remote")
    monkeypatch.setattr(pretrained, "ROOT_URL", (tmp_path / "host").as_uri() + "/")
    (tmp_path / "host" / "deep").mkdir(parents=True)
    here = tmp_path / "models"
    with pytest.raises(PullFailed, match=str(here)):
        gather(engine, here, tones(), "one")
    source = folder / f"{name}.th"
    (tmp_path / "host" / "deep" / source.name).write_bytes(source.read_bytes()[:-1])
    with pytest.raises(ModelCorrupt):
        gather(engine, here, tones(), "one")
    assert list(here.iterdir()) == []
    (tmp_path / "host" / "deep" / source.name).write_bytes(source.read_bytes())
    stems = gather(engine, here, tones(), "one")
    assert [path.name for path in here.iterdir()] == [source.name]
    np.testing.assert_array_equal(stems["bass"], gather(engine, folder, tones(), "one")["bass"])


def test_no_gpu_is_said(tiny: tuple[DemucsEngine, Path]) -> None:
    import torch

    engine, folder = tiny
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(EngineUnavailable, match="CUDA"):
        list(engine.separate(tones(), "one", options={"models_dir": str(folder), "device": "cuda"}))


def test_our_spectrogram_is_that_of_demucs(tiny: tuple[DemucsEngine, Path]) -> None:
    import torch
    from demucs.htdemucs import HTDemucs

    network = HTDemucs(["a", "b", "c", "d"], channels=8, dconv_comp=4, bottom_channels=0, t_layers=1, t_heads=2)
    wave = tones(343_980)
    with torch.inference_mode():
        spectrum = network._spec(torch.from_numpy(wave)[None])
        expected = network._magnitude(spectrum)[0].numpy()
        found = spectrogram.spectrum(wave)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        answer = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 4, 4, 2048, 336)).astype(np.float32))
        back = network._ispec(network._mask(spectrum, answer), 343_980)[0].numpy()
    np.testing.assert_allclose(spectrogram.wave(answer[0].numpy(), 343_980), back, atol=1e-4)
