"""`python -m scripts.charts`: the charts of docs/mixer.md, drawn from what the kernel plays.

Owner: the command line. Writes SVG, so that a chart is a few kilobytes of text and the same on every machine.
Units: dB, Hz, milliseconds.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.layout import LOOK_AHEAD

PICTURES: Final = Path(__file__).resolve().parent.parent / "docs" / "pictures"
COLOURS: Final = ("#e0663c", "#3c8de0", "#3ca667", "#9a62d6")
WIDTH: Final = 760
HEIGHT: Final = 300
LEFT: Final = 52
BOTTOM: Final = 34
TOP: Final = 26

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def play(sound: npt.NDArray[np.float32], *sent: Commands, looks_ahead: bool = False) -> npt.NDArray[np.float32]:
    """Return what the master makes of `sound`, float32 (frames, 2), on deck 1 with `sent` from the start."""
    host = KernelHost(looks_ahead=looks_ahead)
    host.load(0, 1, SlotMemory.whole(sound))
    host.send(join([command(CommandKind.DECK_ASSIGN, 0, a=1), command(CommandKind.DECK_PLAY, 0, a=1), *sent]))
    return host.render(len(sound) - 4800)


def response(*sent: Commands) -> Curve:
    """Return frequencies and what is left of them, in dB, by a click through the deck."""
    sound = np.zeros((60_000, 2), np.float32)
    sound[4800] = 0.5
    spectrum = np.abs(np.fft.rfft(play(sound, *sent)[4800:, 0].astype(np.float64))) / 0.5
    hertz = np.fft.rfftfreq(len(sound) - 9600, 1 / 48_000)
    wanted = np.geomspace(20.0, 20_000.0, 240)
    return wanted, 20.0 * np.log10(np.maximum(np.interp(wanted, hertz, spectrum), 1e-6))


def chart(
    title: str, curves: Mapping[str, Curve], across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]],
    *, logarithmic: bool,
) -> str:  # fmt: skip
    """Return an SVG of `curves` by name. `across` and `up` are the marks of the axes: value and words, in order."""

    def x(value: float) -> float:
        low, high, at = (np.log(v) if logarithmic else v for v in (across[0][0], across[-1][0], value))
        return float(LEFT + (WIDTH - LEFT - 12) * (at - low) / (high - low))

    def y(value: float) -> float:
        low, high = up[0][0], up[-1][0]
        held = min(high, max(low, value))
        return float(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (held - low) / (high - low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><title>{title}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    ]
    for value, words in across:
        parts.append(f'<path d="M{x(value):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        anchor = "end" if value == across[-1][0] else "middle"
        parts.append(f'<text x="{x(value):.1f}" y="{HEIGHT - 14}" text-anchor="{anchor}">{words}</text>')
    for value, words in up:
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - 12}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{words}</text>')
    for number, (name, (xs, ys)) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, ys, strict=True))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(f'<text x="{LEFT + 6 + 170 * number}" y="16" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def isolator() -> str:
    """Draw what kills and filter leave of every frequency."""
    kind = CommandKind
    curves = {
        "low killed": response(command(kind.DECK_KILL, 0, 0, a=1)),
        "mid killed": response(command(kind.DECK_KILL, 0, 1, a=1)),
        "high killed": response(command(kind.DECK_KILL, 0, 2, a=1)),
        "filter half to the left": response(command(kind.DECK_FILTER, 0, a=-0.5)),
    }
    across = [(hz, f"{hz} Hz" if hz < 1000 else f"{hz // 1000} kHz") for hz in (20, 200, 1000, 2500, 20_000)]
    up = [(db, f"{db} dB") for db in (-90, -60, -30, 0)]
    return chart("What kills and filter leave", curves, across, up, logarithmic=True)


def limiter() -> str:
    """Draw a tone that comes in 12 dB too loud, and what the limiter makes of it."""
    frames = np.arange(24_000)
    wave = np.where(frames < 6000, 0.25, 4.0 * 0.9) * np.sin(2 * np.pi * 400 * frames / 48_000)
    sound = np.stack([wave, wave], 1).astype(np.float32)
    out = play(sound, looks_ahead=True)[:, 0].astype(np.float64)
    shown = slice(5700, 6700)
    at = (frames[shown] - 6000) / 48.0
    curves = {"before": (at, wave[shown]), "after, held at -1 dBTP": (at, out[5700 + LOOK_AHEAD : 6700 + LOOK_AHEAD])}
    across = [(ms, f"{ms} ms") for ms in (-6, 0, 6, 14)]
    up = [(level, f"{level}") for level in (-4, -1, 0, 1, 4)]
    return chart("A tone 12 dB too loud", curves, across, up, logarithmic=False)


def main() -> int:
    """Write the charts."""
    for name, draw in (("isolator", isolator), ("limiter", limiter)):
        path = PICTURES / f"{name}.svg"
        path.write_text(draw(), encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
