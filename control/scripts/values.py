"""Values in the scale that Mixxx's scripts count in, and back: (group, key) to a control of ours.

Owner: nobody; pure. Names and scales are those of the Mixxx manual, chapter "Mixxx controls" (2.6).
Units: gains are linear there and dB here; the filter knob is 0..1 there and -1..1 here; other values are as they are.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from audio.units import DECKS, PADS
from control import travel
from control.control import Control, Kind, UnknownControl, Value
from control.mixxx_names import deck_keys, target_of
from control.registry import REGISTRY, resolve

ValueOf = Callable[[str], Value | None]

_SILENT_DB: Final = -100.0
_GAIN: Final = 4.0
"""What trims and equalisers reach there: four times."""

_ORIENTATION: Final = ("left", "thru", "right")


@dataclass(frozen=True, slots=True)
class Scale:
    """How one name counts: `kind` is how its travel runs ("linear", or "gain" with 1 in the middle); `to_ours`
    returns None for what does nothing, such as letting a jump go."""

    path: str
    to_ours: Callable[[float], Value | None]
    from_ours: Callable[[Value], float]
    kind: str = "linear"
    low: float = 0.0
    high: float = 1.0
    default: float = 0.0

    def row(self) -> tuple[str, float, float, float]:
        """Return what a script process is told of it."""
        return self.kind, self.low, self.high, self.default


@dataclass(frozen=True, slots=True)
class Reading:
    """A name that can only be read: what it is made of, and how."""

    paths: tuple[str, ...]
    read: Callable[..., float]


def _gain_of(decibels: Value) -> float:
    return 0.0 if float(decibels) <= _SILENT_DB else 10.0 ** (float(decibels) / 20.0)


def _scale(control: Control, name: str, value: float | str | None) -> Scale:
    key = name.rpartition(",")[2]
    path = control.path
    if value is not None:
        number = float(value)
        if path.endswith("/bend"):
            return Scale(path, lambda given: number if given > 0 else 0.0, lambda ours: float(float(ours) == number))
        return Scale(path, lambda given: number if given > 0 else None, lambda ours: 0.0)
    if control.unit == "dB":
        low, high = control.minimum or 0.0, control.maximum or 0.0

        def decibels(given: float) -> Value:
            return min(max(20.0 * math.log10(given) if given > 0 else _SILENT_DB, low), high)

        def gain(ours: Value) -> float:
            return 0.0 if float(ours) <= low else _gain_of(ours)

        return Scale(path, decibels, gain, "gain", 0.0, _GAIN, 1.0)
    if key == "super1":
        return Scale(path, lambda given: 2.0 * given - 1.0, lambda ours: (float(ours) + 1.0) / 2.0, default=0.5)
    if key == "headMix":
        return Scale(
            path, lambda given: (given + 1.0) / 2.0, lambda ours: 2.0 * float(ours) - 1.0, "linear", -1.0, 1.0, -1.0
        )
    if key == "orientation":
        return Scale(
            path, lambda given: _ORIENTATION[min(max(round(given), 0), 2)],
            lambda ours: float(_ORIENTATION.index(str(ours))), "linear", 0.0, 2.0, 1.0,
        )  # fmt: skip
    if path.endswith("/jog"):
        return Scale(path, lambda given: min(max(given / 128.0, -4.0), 4.0), float, "linear", -3.0, 3.0)
    if control.kind in (Kind.TOGGLE, Kind.TRIGGER):
        return Scale(path, lambda given: int(given > 0), lambda ours: float(bool(ours)))
    low, high = travel.limits(control)

    def clamped(given: float) -> Value:
        return min(max(given, low), high)

    default = float(control.default) if isinstance(control.default, int | float) else 0.0
    return Scale(path, clamped, float, "linear", low, min(high, 1e6), default)


def _names() -> Iterator[str]:
    for number in range(1, DECKS + 1):
        group = f"[Channel{number}]"
        yield from (f"{group},{key}" for key in deck_keys())
        yield from (f"{group},rate_temp_{way}{size}" for way in ("up", "down") for size in ("", "_small"))
        yield from (f"{group},beatjump_{way}" for way in ("forward", "backward"))
        for beats in ("0.03125", "0.0625", "0.125", "0.25", "0.5", "1", "2", "4", "8", "16", "32", "64"):
            yield from (f"{group},beatjump_{beats}_{way}" for way in ("forward", "backward"))
            yield from (f"{group},beatloop_{beats}_{way}" for way in ("toggle", "activate"))
        for cue in range(1, 9):
            for deed in ("activate", "goto", "gotoandplay", "set", "clear"):
                yield f"{group},hotcue_{cue}_{deed}"
        for stem in range(1, 5):
            yield from (f"[Channel{number}_Stem{stem}],{key}" for key in ("volume", "mute"))
            yield f"[QuickEffectRack1_[Channel{number}_Stem{stem}]],super1"
        yield f"[QuickEffectRack1_{group}],super1"
        for band in (1, 2, 3):
            yield f"[EqualizerRack1_{group}_Effect1],parameter{band}"
            yield f"[EqualizerRack1_{group}_Effect1],button_parameter{band}"
        yield from (f"[EffectRack1_EffectUnit{unit}],group_{group}_enable" for unit in (1, 2))
    for pad in range(1, PADS + 1):
        yield from (f"[Sampler{pad}],{key}" for key in ("cue_gotoandplay", "start_play", "play"))
    for key in ("crossfader", "gain", "volume", "headGain", "headVolume", "headMix", "booth_gain"):
        yield f"[Master],{key}"
    yield from ("[Recording],toggle_recording", "[InternalClock],bpm")


def _scales() -> dict[str, Scale]:
    found = {}
    for name in _names():
        group, _, key = name.rpartition(",")
        target = target_of(group, key)
        if target is None:
            continue
        try:
            found[name] = _scale(resolve(target.path, "1"), name, target.value)
        except UnknownControl:
            continue
    return found


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _readings() -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for number in range(1, DECKS + 1):
        group, deck = f"[Channel{number}]", f"/deck/{number}"
        found |= {
            f"{group},track_loaded": Reading((f"{deck}/status",), lambda status: float(status == "ready")),
            f"{group},bpm": Reading((f"{deck}/tempo",), float),
            f"{group},visual_bpm": Reading((f"{deck}/tempo",), float),
            f"{group},duration": Reading((f"{deck}/duration",), float),
            f"{group},playposition": Reading((f"{deck}/position", f"{deck}/duration"), _share),
            f"{group},beat_active": Reading((f"{deck}/beat",), lambda beat: float(float(beat) % 1.0 < 0.2)),
            f"{group},rate_ratio": Reading((f"{deck}/rate",), float),
            f"{group},rateRange": Reading((f"{deck}/pitch_range",), float),
            f"{group},play_indicator": Reading((f"{deck}/play",), lambda play: float(bool(play))),
            f"{group},cue_indicator": Reading((f"{deck}/play",), lambda play: float(not play)),
            f"{group},VuMeter": Reading((f"{deck}/level",), lambda level: min(float(level), 1.0)),
            f"{group},vu_meter": Reading((f"{deck}/level",), lambda level: min(float(level), 1.0)),
            f"{group},peak_indicator": Reading((f"{deck}/level",), lambda level: float(float(level) >= 1.0)),
        }
        for cue in range(1, 9):
            for key in ("enabled", "status"):
                path = f"{deck}/hotcue/{cue}/position"
                found[f"{group},hotcue_{cue}_{key}"] = Reading((path,), lambda place: float(float(place) >= 0))
    for side, key in (("left", "L"), ("right", "R")):
        reading = Reading((f"/mixer/level/{side}",), lambda level: min(float(level), 1.0))
        found |= {f"[Master],VuMeter{key}": reading, f"[Master],vu_meter_{side}": reading}
    found["[Master],num_decks"] = found["[App],num_decks"] = Reading((), lambda: float(DECKS))
    found["[Master],num_samplers"] = found["[App],num_samplers"] = Reading((), lambda: float(PADS))
    return {name: one for name, one in found.items() if all(path in REGISTRY for path in one.paths)}


SCALES: Final = _scales()
"""Every name that a script may write, and what it is here."""

READINGS: Final = _readings()
"""Every name that it may only read."""

NAMES_OF: Final[dict[str, list[str]]] = {}
"""The names that a control of ours makes, by its path."""
for _name, _one in SCALES.items():
    NAMES_OF.setdefault(_one.path, []).append(_name)
for _name, _reading in READINGS.items():
    for _path in _reading.paths:
        NAMES_OF.setdefault(_path, []).append(_name)


def value_of_name(name: str, value_of: ValueOf) -> float:
    """Return the value of a name, 0 where nothing is known of it. `value_of` gives those of our controls."""
    reading = READINGS.get(name)
    if reading is not None:
        found = [value_of(path) for path in reading.paths]
        known = [value for value in found if value is not None]
        return float(reading.read(*known)) if len(known) == len(found) else 0.0
    value = value_of(SCALES[name].path)
    if value is None:
        return 0.0
    return SCALES[name].from_ours(value)
