"""The rows of the strip: isolator, filter, routing, headphones and booth.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from audio.units import OUTPUTS, OWN_OUTPUTS
from control.control import Access, Control, Curve, Kind, level, telemetry, toggle

BANDS = {"low": "low band", "mid": "middle band", "high": "high band"}
"""The bands of an isolator by the name of their control, in the order of their kernel codes."""


def _eq(path: str, of: str) -> Iterator[Control]:
    for band, words in BANDS.items():
        yield Control(
            f"{path}/eq/{band}", Kind.CONTINUOUS, f"Gain of the {words} of {of}", "dB", -26.0, 12.0, 0.0,
            curve=Curve.CENTRED,
        )  # fmt: skip


def _filter(path: str, of: str) -> Control:
    return Control(
        f"{path}/filter", Kind.CONTINUOUS, f"Filter of {of}: below 0 low-pass, 0 nothing, above 0 high-pass", "",
        -1.0, 1.0, 0.0, curve=Curve.CENTRED,
    )  # fmt: skip


def _loudness(path: str, description: str) -> Control:
    return Control(path, Kind.CONTINUOUS, description, "LUFS", -70.0, None, -70.0, access=Access.TELEMETRY)


def deck_strip_rows(n: int) -> Iterator[Control]:
    """Yield the strip of deck `n` (from 1)."""
    deck = f"/deck/{n}"
    yield from _eq(deck, f"deck {n}")
    for band, words in BANDS.items():
        yield toggle(f"{deck}/eq/{band}/kill", f"Silence the {words} of deck {n}; its knob stays where it is")
    yield _filter(deck, f"deck {n}")
    yield toggle(f"{deck}/pfl", f"Hear deck {n} in the headphones, before its fader")
    yield toggle(f"{deck}/auto_gain", f"Bring the tracks of deck {n} to the target loudness, beside the trim")
    yield Control(
        f"{deck}/track_loudness", Kind.CONTINUOUS,
        f"Loudness of the track on deck {n} over all of it; -70 where it is not known",
        "LUFS", -70.0, 0.0, -70.0, access=Access.READ,
    )  # fmt: skip
    yield telemetry(f"{deck}/rms", f"RMS level of deck {n} after its fader, over 0.3 s", "gain", 0.0, None)
    yield _loudness(f"{deck}/loudness", f"Short-term loudness of deck {n} after its fader, over 3 s")
    yield Control(
        f"{deck}/output", Kind.CHOICE,
        f"Device channels of deck {n}; outside the master the crossfader does not apply",
        default=OUTPUTS[0], choices=OUTPUTS,
    )  # fmt: skip


def stem_strip_rows(n: int, stem: str) -> Iterator[Control]:
    """Yield the strip of one stem of deck `n` (from 1)."""
    path = f"/deck/{n}/stem/{stem}"
    of = f"the {stem} on deck {n}"
    yield _filter(path, of)
    yield from _eq(path, of)
    yield Control(
        f"{path}/output", Kind.CHOICE, f"Device channels of {of}; master is the deck's own way",
        default=OUTPUTS[0], choices=OUTPUTS,
    )  # fmt: skip


def mixer_strip_rows() -> Iterator[Control]:
    """Yield headphones, booth and what else the mixer sends where."""
    yield Control(
        "/mixer/auto_gain/target", Kind.CONTINUOUS, "Loudness that automatic gain brings tracks to", "LUFS",
        -24.0, -6.0, -14.0,
    )  # fmt: skip
    yield telemetry("/mixer/rms/left", "RMS level of the master, left, over 0.3 s", "gain", 0.0, None)
    yield telemetry("/mixer/rms/right", "RMS level of the master, right, over 0.3 s", "gain", 0.0, None)
    yield _loudness("/mixer/loudness", "Short-term loudness of the master, over 3 s")
    yield _loudness("/mixer/loudness/momentary", "Momentary loudness of the master, over 0.4 s")
    yield toggle("/mixer/crossfader/reverse", "Swap the sides of the crossfader")
    yield level("/mixer/headphones", "Headphone level")
    yield Control(
        "/mixer/cue_mix", Kind.CONTINUOUS, "Headphones: 0 is only what is cued, 1 only the master", "", 0.0, 1.0, 0.0
    )
    yield toggle("/mixer/split_cue", "Headphones: what is cued left, the master right, both in mono")
    yield level("/mixer/booth", "Booth level; the master's own level does not change it")
    for name, where, default in (("headphones", "the headphones", 1), ("booth", "the booth", 2)):
        yield Control(
            f"/mixer/{name}/output", Kind.CHOICE, f"Device channels of {where}",
            default=OWN_OUTPUTS[default], choices=OWN_OUTPUTS,
        )  # fmt: skip
