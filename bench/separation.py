"""Separation: a whole track against the bare model in the same run, time to the first stretch.

Owner: `make bench`. The bare model runs between the stretches of the separation, so that both meet the same machine.
Targets (design section 10): ratio <= 1.10; first stretch <= 6 s.
"""

import time

import numpy as np

from audio.units import MODEL_RATE
from pipeline import songs
from pipeline.engines import base, onnx, spectrogram
from pipeline.engines.onnx_runtimes import SEGMENT


def main() -> None:
    """Print the numbers."""
    mix = songs.render(songs.COPPER_LINE).mix
    seconds = mix.shape[1] / MODEL_RATE
    _spectral(mix, seconds)
    if reason := onnx.OnnxEngine().available():
        print(f"   onnx: not measured: {reason}")
    else:
        _onnx(mix, seconds)


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
