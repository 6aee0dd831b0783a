"""Separation: a whole track against the bare model in the same run, time to the first stretch.

Owner: `make bench`. The bare model runs between the stretches of the separation, so that both meet the same machine.
Targets (design section 10): ratio <= 1.10; first stretch <= 6 s.
"""

import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from audio.units import MODEL_RATE
from pipeline import songs
from pipeline.engines import base, demucs, onnx, spectrogram
from pipeline.engines.onnx_runtimes import SEGMENT
from pipeline.settings import PRECISIONS


def main() -> None:
    """Print the numbers."""
    mix = songs.render(songs.COPPER_LINE).mix
    seconds = mix.shape[1] / MODEL_RATE
    _spectral(mix, seconds)
    if reason := onnx.OnnxEngine().available():
        print(f"   onnx: not measured: {reason}")
    else:
        _onnx(mix, seconds)
    if reason := demucs.DemucsEngine().available():
        print(f"   demucs: not measured: {reason}")
    else:
        _demucs(mix, seconds)


def _spectral(mix: base.Audio, seconds: float) -> None:
    began = time.perf_counter()
    for _ in base.engine("spectral").separate(mix):
        pass
    took = time.perf_counter() - began
    print(f"   spectral: {seconds:.0f} s of music in {took:.1f} s, {seconds / took:.1f} x real time")


def _onnx(mix: base.Audio, seconds: float) -> None:
    engine = onnx.OnnxEngine()
    middle = mix.shape[1] // 2
    for state in ("model not loaded", "model loaded"):
        began = time.perf_counter()
        first = next(iter(engine.separate(mix, start_frame=middle)))
        took = time.perf_counter() - began
        ahead = (first.stop - middle) / MODEL_RATE
        print(
            f"   onnx: first stretch at the playhead after {took:.2f} s ({state}), {ahead:.1f} s of music ahead of it"
        )
    shared = onnx.loaded(base.never)
    assert shared is not None
    chunk = np.ascontiguousarray(mix[:, :SEGMENT])[None]
    spectrum = spectrogram.spectrum(chunk[0])[None]
    whole, bare = 0.0, []
    stretches = engine.separate(mix)
    while True:
        began = time.perf_counter()
        stretch = next(stretches, None)
        whole += time.perf_counter() - began
        if stretch is None:
            break
        began = time.perf_counter()
        shared.model.run(chunk, spectrum, base.never)
        bare.append(time.perf_counter() - began)
    print(
        f"   onnx: {seconds:.0f} s of music in {whole:.1f} s, {seconds / whole:.2f} x real time; {len(bare)} segments, "
        f"bare model {sum(bare):.1f} s (median {np.median(bare):.2f} s each); ratio {whole / sum(bare):.3f}"
    )


def _demucs(mix: base.Audio, seconds: float) -> None:
    """Measure the PyTorch engine on the device it would choose, in every precision.

    Speed does not depend on the weights: a network of htdemucs' size with random ones will do.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        mix, seconds = np.tile(mix, 4), 4 * seconds
    with tempfile.TemporaryDirectory() as folder:
        bag = _random_htdemucs(Path(folder))
        engine = demucs.DemucsEngine({"random": bag})
        bare = demucs.load_file(Path(folder) / f"{bag.files[0]}.th").to(device)
        chunk = torch.from_numpy(np.ascontiguousarray(mix[:, : int(bare.segment * MODEL_RATE)]))[None].to(device)
        for precision in PRECISIONS:
            options = {"models_dir": folder, "precision": precision}
            for _ in zip(range(2), engine.separate(mix, options=options), strict=False):
                pass  # loaded and warm
            began = time.perf_counter()
            segments = sum(1 for _ in engine.separate(mix, options=options))
            whole = time.perf_counter() - began
            took = []
            for _ in range(segments):
                began = time.perf_counter()
                with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
                    bare(chunk).cpu()
                took.append(time.perf_counter() - began)
            print(
                f"   demucs on {torch.cuda.get_device_name() if device == 'cuda' else device}, {precision}: "
                f"{seconds:.0f} s of music in {whole:.2f} s, {seconds / whole:.1f} x real time; {segments} segments, "
                f"bare model {sum(took):.2f} s; ratio {whole / sum(took):.3f}"
            )
    demucs.unload()


def _random_htdemucs(folder: Path) -> demucs.Bag:
    """Write a network of the size of htdemucs, as Demucs writes its own."""
    from demucs.htdemucs import HTDemucs
    from demucs.states import get_state, save_with_checksum

    network = HTDemucs(
        ["drums", "bass", "other", "vocals"], channels=48, depth=4, dconv_mode=3, bottom_channels=512, t_layers=5,
        segment=Fraction(39, 5), samplerate=MODEL_RATE,
    )  # fmt: skip
    args, kwargs = network._init_args_kwargs
    package = {"klass": HTDemucs, "args": args, "kwargs": kwargs, "state": get_state(network, None, half=True)}
    save_with_checksum({**package, "training_args": {}}, folder / "00000000.th")
    return demucs.Bag((next(folder.glob("*.th")).stem,))
