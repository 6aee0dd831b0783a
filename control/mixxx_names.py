"""Names of Mixxx's controls in ours: (group, key) to a path, and how the value is meant.

Owner: nobody; pure. The names are those of the Mixxx manual, chapter "Mixxx controls" (2.6). The order of stems is that
of the stem file format: drums, bass, other, vocals.
Units: none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from audio.units import DECKS


@dataclass(frozen=True, slots=True)
class Target:
    """One of our controls. `value`: what a press sets; `inverted`: Mixxx counts the other way; `is_wheel`: takes
    movements."""

    path: str
    value: float | str | None = None
    inverted: bool = False
    is_wheel: bool = False


_STEMS: Final = ("drums", "bass", "other", "vocals")

_DECK: Final = {
    "play": "play", "cue_default": "cue", "cue_cdj": "cue", "stop": "stop", "start_stop": "stop", "eject": "eject",
    "volume": "volume", "pregain": "trim_db", "pfl": "pfl", "rate": "pitch_fader", "keylock": "keylock",
    "pitch": "pitch", "pitch_adjust": "pitch", "sync_enabled": "sync", "beatsync": "sync", "sync_leader": "leader",
    "sync_master": "leader", "quantize": "quantize", "slip_enabled": "slip", "reverse": "reverse",
    "reverseroll": "reverse", "filterLow": "eq/low", "filterMid": "eq/mid", "filterHigh": "eq/high",
    "filterLowKill": "eq/low/kill", "filterMidKill": "eq/mid/kill", "filterHighKill": "eq/high/kill",
    "loop_in": "loop/in", "loop_out": "loop/out", "loop_enabled": "loop/active", "beatloop_activate": "loop/active",
    "reloop_toggle": "loop/reloop", "reloop_exit": "loop/reloop", "loop_halve": "loop/halve",
    "loop_double": "loop/double", "orientation": "assign", "beats_translate_curpos": "grid/downbeat",
    "bpm_tap": "grid/tap", "play_indicator": "play", "VuMeter": "level", "vu_meter": "level",
}  # fmt: skip

_WHEELS: Final = {"jog": "jog", "wheel": "jog", "scratch2": "scratch"}

_OUTPUT_ONLY: Final = ("play_indicator", "VuMeter", "vu_meter")

_MAIN: Final = {
    "crossfader": "/mixer/crossfader", "gain": "/mixer/master", "volume": "/mixer/master",
    "headGain": "/mixer/headphones", "headVolume": "/mixer/headphones", "headMix": "/mixer/cue_mix",
    "booth_gain": "/mixer/booth", "VuMeterL": "/mixer/level/left", "VuMeterR": "/mixer/level/right",
    "vu_meter_left": "/mixer/level/left", "vu_meter_right": "/mixer/level/right",
}  # fmt: skip

_EQ: Final = {"1": "low", "2": "mid", "3": "high"}
_STEM: Final = {"volume": "volume", "mute": "mute", "vu_meter": "level", "VuMeter": "level"}


def target_of(group: str, key: str) -> Target | None:
    """Return our control for one of Mixxx, None if there is none."""
    for pattern, make in _PATTERNS:
        match = pattern.fullmatch(f"{group},{key}")
        if match is not None:
            return make(match)
    return None


def is_output_only(key: str) -> bool:
    """Return whether a control of Mixxx is only ever shown."""
    return key in _OUTPUT_ONLY


def _deck(n: str, rest: str, value: float | None = None, is_wheel: bool = False) -> Target | None:
    return Target(f"/deck/{n}/{rest}", value, False, is_wheel) if 1 <= int(n) <= DECKS else None


def _of_deck(match: re.Match[str]) -> Target | None:
    n, key = match.groups()
    if key in _WHEELS:
        return _deck(n, _WHEELS[key], is_wheel=True)
    return _deck(n, _DECK[key]) if key in _DECK else None


def _bend(match: re.Match[str]) -> Target | None:
    up = match[2] == "up"
    small = match[3] is not None
    return _deck(match[1], "bend", (1 if up else -1) * (0.5 if small else 1.0))


def _jump(match: re.Match[str]) -> Target | None:
    beats = float(match[2]) if match[2] else 4.0
    return _deck(match[1], "beatjump", beats if match[3] == "forward" else -beats)


def _hotcue(match: re.Match[str]) -> Target | None:
    deeds = {"activate": "go", "goto": "go", "gotoandplay": "go", "set": "set", "clear": "clear"}
    return _deck(match[1], f"hotcue/{match[2]}/{deeds[match[3]]}") if 1 <= int(match[2]) <= 8 else None


def _stem(match: re.Match[str]) -> Target | None:
    n, stem, key = match.groups()
    return _deck(n, f"stem/{_STEMS[int(stem) - 1]}/{_STEM[key]}") if key in _STEM else None


_PATTERNS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Target | None]], ...]] = (
    (re.compile(r"\[Channel(\d)\],rate_temp_(up|down)(_small)?"), _bend),
    (re.compile(r"\[Channel(\d)\],beatjump_(?:(\d+(?:\.\d+)?)_)?(forward|backward)"), _jump),
    (re.compile(r"\[Channel(\d)\],hotcue_(\d+)_(activate|goto|gotoandplay|set|clear)"), _hotcue),
    (
        re.compile(r"\[Channel(\d)\],beatloop_(\d+(?:\.\d+)?)_(?:toggle|activate)"),
        lambda match: _deck(match[1], "loop/beats", float(match[2])),
    ),
    (re.compile(r"\[Channel(\d)\],(\w+)"), _of_deck),
    (re.compile(r"\[Channel(\d)_?Stem([1-4])\],(\w+)"), _stem),
    (
        re.compile(r"\[QuickEffectRack1_\[Channel(\d)_?Stem([1-4])\]\],super1"),
        lambda match: _deck(match[1], f"stem/{_STEMS[int(match[2]) - 1]}/filter"),
    ),
    (re.compile(r"\[QuickEffectRack1_\[Channel(\d)\]\],super1"), lambda match: _deck(match[1], "filter")),
    (
        re.compile(r"\[EqualizerRack1_\[Channel(\d)\]_Effect1\],parameter([123])"),
        lambda match: _deck(match[1], f"eq/{_EQ[match[2]]}"),
    ),
    (
        re.compile(r"\[EqualizerRack1_\[Channel(\d)\]_Effect1\],button_parameter([123])"),
        lambda match: _deck(match[1], f"eq/{_EQ[match[2]]}/kill"),
    ),
    (
        re.compile(r"\[EffectRack1_EffectUnit([12])\],group_\[Channel(\d)\]_enable"),
        lambda match: _deck(match[2], f"fx/{match[1]}/on"),
    ),
    (re.compile(r"\[EffectRack1_EffectUnit([12])\],mix"), lambda match: Target(f"/mixer/fx/{match[1]}/wet")),
    (
        re.compile(r"\[Sampler(\d|1[0-6])\],(?:cue_gotoandplay|start_play|play)"),
        lambda match: Target(f"/pad/{match[1]}") if match[1] != "0" else None,
    ),
    (re.compile(r"\[Master\],(\w+)"), lambda match: Target(_MAIN[match[1]]) if match[1] in _MAIN else None),
    (re.compile(r"\[Recording\],(?:toggle_recording|status)"), lambda match: Target("/mixer/record")),
    (re.compile(r"\[InternalClock\],bpm"), lambda match: Target("/session/tempo")),
)  # fmt: skip


def deck_keys() -> tuple[str, ...]:
    """Return the keys of a deck's group that have a counterpart by themselves."""
    return (*_DECK, *_WHEELS)


def every_path() -> list[str]:
    """Return a path for every name in the tables, for those who check them."""
    decks = [target for key in (*_DECK, *_WHEELS) if (target := target_of("[Channel1]", key))]
    main = [target for key in _MAIN if (target := target_of("[Master]", key))]
    return [target.path for target in (*decks, *main)]
