"""`make bench-quality`: how right analysis and separation are, on music whose truth is known.

Owner: the command line. Analysis is printed beside plain librosa on the same sound; separation beside the bare model's
time in the same run, on a General MIDI band with true stems where FluidSynth and a sound font are installed.
Measures: tempo within 1 % (and within 1 % of an octave of it), beat F-measure with a window of 70 ms, median distance
of the beats, key exact and with relatives counted; SDR in dB as in the Music Demixing Challenge.
Name `analysis` or `separation` on the command line to run only that; `--quick` takes less of each.
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.units import MODEL_RATE
from pipeline import songs
from pipeline.analysis.key import number, relative
from pipeline.analysis.track import analyse
from pipeline.engines import base
from pipeline.errors import PipelineError
from pipeline.settings import PRECISIONS
from tests.pipeline import gm_song
from tests.pipeline.analysis import music
from tests.pipeline.sdr import sdr_db

_WINDOW_S: Final = 0.07

Told = tuple[float, npt.NDArray[np.float64]]


def main() -> int:
    """Run what is named on the command line, or both."""
    quick = "--quick" in sys.argv[1:]
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")] or ["analysis", "separation"]
    for name in wanted:
        print(f"== quality of {name}", flush=True)
        {"analysis": _analysis, "separation": _separation}[name](quick)
    return 0


def _pieces(quick: bool) -> Iterator[tuple[str, Callable[[], music.Piece]]]:
    club, soul = songs.COPPER_LINE, songs.NIGHT_FERRY
    bars = 16 if quick else 32
    for song, style in ((club, "club"), (soul, "soul")):
        short = songs.shortened(song, bars)

        def made(clock: music.Clock, name: str, short: songs.Song = short) -> Callable[[], music.Piece]:
            return lambda: music.on_clock(short, clock, name)

        for tempo in (92.0, 128.0) if quick else (70.0, 84.0, 97.3, 104.0, 120.0, 128.0, 140.0, 150.0, 174.0):
            yield "steady", made(music.steady(tempo), f"{style} {tempo:g}")
        for tempo in (120.0,) if quick else (90.0, 120.0, 150.0):
            yield "swung", made(music.swung(tempo), f"{style} swung {tempo:g}")
            yield "drifting", made(music.drifting(tempo, 0.04, 80.0), f"{style} drifting {tempo:g}")
            yield "by hand", made(music.by_hand(tempo, bars * 4, int(tempo)), f"{style} by hand {tempo:g}")
            pieces = ((bars * 2, tempo), (bars * 2, tempo * 1.08))
            yield "two tempi", made(music.changing(pieces), f"{style} two tempi {tempo:g}")
    for tempo in (140.0,) if quick else (130.0, 140.0, 150.0):
        yield "half-time", lambda tempo=tempo: music.half_time(tempo, bars)  # type: ignore[misc]


def _analysis(quick: bool) -> None:
    scores: dict[tuple[str, str], list[tuple[float, float, float, float]]] = defaultdict(list)
    for kind, make in _pieces(quick):
        piece = make()
        tellers: tuple[tuple[str, Callable[[music.Piece], Told]], ...] = (
            ("ours", _our_beats), ("by stems", _beats_by_stems), ("librosa", _librosa_beats),
        )  # fmt: skip
        for who, tell in tellers:
            tempo, beats = tell(piece)
            scores[kind, who].append(_judged(piece, tempo, beats))
    for (kind, who), rows in scores.items():
        exact, octave, f_measure, off = np.mean(rows, axis=0)
        print(
            f"   {kind:10s} {who:8s} tempo {exact:4.0%} (octaves allowed {octave:4.0%}), beats F {f_measure:.3f}, "
            f"median {1000 * off:5.1f} ms off, {len(rows)} songs"
        )
    _keys(quick)


def _judged(piece: music.Piece, tempo: float, beats: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    exact = float(abs(tempo / piece.tempo - 1.0) < 0.01)
    octave = float(any(abs(tempo / piece.tempo / factor - 1.0) < 0.01 for factor in (0.5, 1.0, 2.0)))
    inside = beats[beats < piece.beats[-1] + _WINDOW_S]
    if not len(inside):
        return exact, octave, 0.0, 1.0
    nearest = np.array([np.abs(inside - t).min() for t in piece.beats])
    hit = float(np.sum(nearest < _WINDOW_S))
    return exact, octave, 2.0 * hit / (len(inside) + len(piece.beats)), float(np.median(nearest))


def _our_beats(piece: music.Piece) -> Told:
    found = analyse(piece.mix, MODEL_RATE, ["tempo"])
    return found["tempo"] or 1.0, np.array(found["beats"])


def _beats_by_stems(piece: music.Piece) -> Told:
    """With true stems, which is more than a separation gives."""
    found = analyse(piece.mix, MODEL_RATE, ["tempo"], stems=piece.stems)
    return found["tempo"] or 1.0, np.array(found["beats"])


def _librosa_beats(piece: music.Piece) -> Told:
    import librosa

    tempo, steps = librosa.beat.beat_track(y=piece.mix.mean(axis=0), sr=MODEL_RATE)
    return float(np.ravel(tempo)[0]), librosa.frames_to_time(steps, sr=MODEL_RATE)


def _keys(quick: bool) -> None:
    rows: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for song in songs.SONGS:
        for semitones in range(0, 12, 4 if quick else 1):
            moved, true = music.in_key(song, semitones)
            mix = songs.render(moved).mix
            want = number(true)
            assert want is not None
            for who, told in (
                ("ours", number(analyse(mix, MODEL_RATE, ["key"])["key"])),
                ("librosa", _librosa_key(mix)),
            ):
                rows[who].append((told == want, told in (want, relative(want))))
    for who, told_of in rows.items():
        exact, near = np.mean(told_of, axis=0)
        print(f"   key        {who:8s} exact {exact:4.0%}, relative allowed {near:4.0%}, {len(told_of)} songs")


def _librosa_key(mix: base.Audio) -> int:
    """Plain librosa has no key: its mean chroma against Krumhansl's profiles, as most programs on it do."""
    import librosa

    from pipeline.analysis.key import profile

    chroma = librosa.feature.chroma_stft(y=mix.mean(axis=0), sr=MODEL_RATE).mean(axis=1)
    return int(np.argmax([np.corrcoef(chroma, profile(key))[0, 1] for key in range(24)]))


def _separation(quick: bool) -> None:
    if reason := gm_song.missing():
        print(f"   not measured: {reason}")
        return
    with tempfile.TemporaryDirectory() as folder:
        stems = gm_song.render(Path(folder), bars=4 if quick else 16)
    mix: base.Audio = np.zeros_like(stems["drums"])
    for audio in stems.values():
        mix += audio
    print(f"   a General MIDI band, {mix.shape[1] / MODEL_RATE:.0f} s; SDR in dB, then speed")
    quarter: base.Audio = mix * np.float32(0.25)
    silent = {name: sdr_db(true, quarter) for name, true in stems.items()}
    print(f"   {'a quarter of the mix as each stem':44s} {_told(silent)}")
    for engine in ("spectral", "onnx", "demucs"):
        made = base.engine(engine)
        if reason := made.available():
            print(f"   {engine}: not measured: {reason}")
            continue
        try:
            for options in _variants(engine, quick):
                _one(made, options, mix, stems)
        except PipelineError as error:
            print(f"   {engine}: not measured: {error}")


def _variants(engine: str, quick: bool) -> Iterator[dict[str, Any]]:
    if engine == "spectral":
        yield {}
        return
    for precision in ("auto",) if quick else PRECISIONS:
        yield {"precision": precision}
    if not quick:
        yield from ({"overlap": overlap} for overlap in (0.1, 0.5))
        yield {"shifts": 2}


def _one(engine: base.SeparationEngine, options: dict[str, Any], mix: base.Audio, stems: dict[str, base.Audio]) -> None:
    out = {name: np.zeros_like(mix) for name in stems}
    began = time.perf_counter()
    for stretch in engine.separate(mix, options=options):
        for name, audio in stretch.stems.items():
            if name in out:
                out[name][:, stretch.start : stretch.stop] = audio
    took = time.perf_counter() - began
    told = {name: sdr_db(true, out[name]) for name, true in stems.items()}
    label = f"{engine.name} {' '.join(f'{key} {value}' for key, value in options.items())}"
    print(f"   {label:44s} {_told(told)}  {mix.shape[1] / MODEL_RATE / took:.2f} x real time", flush=True)


def _told(told: dict[str, float]) -> str:
    return (
        "  ".join(f"{name} {value:5.1f}" for name, value in told.items())
        + f"  mean {np.mean(list(told.values())):5.1f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
