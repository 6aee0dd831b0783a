"""The controls that are one number in the engine: which command carries each, and how its value becomes that number.

Owner: nobody; one table. Pure. Adding such a control is one row.
Units: as `audio.commands` says for each kind; decks and slots count from 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from audio.commands import CommandKind
from audio.units import (
    BUSES,
    CLICK_OUTPUTS,
    CROSSFADER_CURVES,
    CROSSFADER_SIDES,
    DECK_SOURCES,
    DECKS,
    EFFECT_UNITS,
    EFFECTS,
    INPUT_OUTPUTS,
    OUTPUTS,
    OWN_OUTPUTS,
    STEMS,
    TIMECODE_CHANNELS,
    TIMECODE_RATES,
)
from control.control import Value
from server.session.draft import Draft


@dataclass(frozen=True, slots=True)
class Row:
    """A control the engine holds as it stands: which command carries it, and how its value becomes `a`."""

    path: str
    kind: CommandKind
    deck: int
    slot: int
    convert: Callable[[Value], float]

    def apply(self, draft: Draft, value: Value, at: int) -> None:
        """Set the control and tell the engine, at frame `at`."""
        draft.set(self.path, value)
        draft.send(self.kind, self.deck, self.slot, self.convert(value), at)


def _gain_of_db(value: Value) -> float:
    return float(10.0 ** (float(value) / 20.0))


def _index_in(choices: tuple[str, ...]) -> Callable[[Value], float]:
    indices = {choice: float(index) for index, choice in enumerate(choices)}
    return lambda value: indices[str(value)]


def _deck_index(value: Value) -> float:
    return float(value) - 1.0


def _timecode_rate(value: Value) -> float:
    """Return the index of a rate, -1 where there is none."""
    return float(TIMECODE_RATES.index(str(value))) if value in TIMECODE_RATES else -1.0


def _step_beats(value: Value) -> float:
    """Return the exact length of a step: a third has no end in decimals."""
    return round(float(value) * 24) / 24


def _effect(path: str, deck: int, unit: int) -> list[Row]:
    kinds = CommandKind
    return [
        Row(f"{path}/type", kinds.FX_TYPE, deck, unit, _index_in(EFFECTS)),
        Row(f"{path}/on", kinds.FX_ON, deck, unit, float),
        Row(f"{path}/wet", kinds.FX_WET, deck, unit, float),
        Row(f"{path}/param/1", kinds.FX_PARAM_1, deck, unit, float),
        Row(f"{path}/param/2", kinds.FX_PARAM_2, deck, unit, float),
        Row(f"{path}/param/3", kinds.FX_PARAM_3, deck, unit, float),
    ]


def _rows() -> list[Row]:
    kinds = CommandKind
    rows = [
        Row("/mixer/crossfader", kinds.CROSSFADER, 0, 0, float),
        Row("/mixer/crossfader/curve", kinds.CROSSFADER_CURVE, 0, 0, _index_in(CROSSFADER_CURVES)),
        Row("/mixer/crossfader/reverse", kinds.CROSSFADER_REVERSE, 0, 0, float),
        Row("/mixer/master", kinds.MASTER_VOLUME, 0, 0, float),
        Row("/mixer/headphones", kinds.HEADPHONES, 0, 0, float),
        Row("/mixer/cue_mix", kinds.CUE_MIX, 0, 0, float),
        Row("/mixer/split_cue", kinds.SPLIT_CUE, 0, 0, float),
        Row("/mixer/booth", kinds.BOOTH, 0, 0, float),
        Row("/mixer/headphones/output", kinds.HEADPHONES_OUTPUT, 0, 0, _index_in(OWN_OUTPUTS)),
        Row("/mixer/booth/output", kinds.BOOTH_OUTPUT, 0, 0, _index_in(OWN_OUTPUTS)),
        *(Row(f"/mixer/record/bus/{bus}", kinds.RECORD_BUS, 0, slot, float) for slot, bus in enumerate(BUSES)),
        *_effect("/mixer/fx", DECKS, 0),
        Row("/practice/input/volume", kinds.INPUT_LEVEL, 0, 0, float),
        Row("/practice/input/output", kinds.INPUT_OUTPUT, 0, 0, _index_in(INPUT_OUTPUTS)),
        Row("/practice/input/latency", kinds.INPUT_DELAY, 0, 0, float),
        Row("/pad/volume", kinds.SAMPLER_VOLUME, 0, 0, float),
        Row("/sequencer/step_beats", kinds.SEQUENCER_STEP, 0, 0, _step_beats),
        Row("/sequencer/length", kinds.SEQUENCER_LENGTH, 0, 0, float),
        Row("/sequencer/swing", kinds.SEQUENCER_SWING, 0, 0, float),
        Row("/sequencer/run", kinds.SEQUENCER_RUN, 0, 0, float),
        Row("/session/focus", kinds.TIMECODE_DECK, 0, 0, _deck_index),
        Row("/timecode/ltc", kinds.TIMECODE_RATE, 0, 0, _timecode_rate),
        Row("/timecode/ltc/channel", kinds.TIMECODE_CHANNEL, 0, 0, _index_in(TIMECODE_CHANNELS)),
        Row("/timecode/ltc/level", kinds.TIMECODE_LEVEL, 0, 0, _gain_of_db),
        Row("/timecode/offset", kinds.TIMECODE_OFFSET, 0, 0, float),
    ]
    for deck in range(DECKS):
        path = f"/deck/{deck + 1}"
        rows += [
            Row(f"{path}/rate", kinds.DECK_RATE, deck, 0, float),
            Row(f"{path}/keylock", kinds.DECK_KEYLOCK, deck, 0, float),
            Row(f"{path}/pitch", kinds.DECK_PITCH, deck, 0, float),
            Row(f"{path}/tuning", kinds.DECK_TUNING, deck, 0, float),
            Row(f"{path}/volume", kinds.DECK_VOLUME, deck, 0, float),
            Row(f"{path}/trim_db", kinds.DECK_TRIM, deck, 0, _gain_of_db),
            Row(f"{path}/assign", kinds.DECK_ASSIGN, deck, 0, _index_in(CROSSFADER_SIDES)),
            Row(f"{path}/source", kinds.DECK_SOURCE, deck, 0, _index_in(DECK_SOURCES)),
            Row(f"{path}/quantize", kinds.QUANTIZE, deck, 0, float),
            Row(f"{path}/sync", kinds.SYNC, deck, 0, float),
            Row(f"{path}/slip", kinds.SLIP, deck, 0, float),
            Row(f"{path}/reverse", kinds.REVERSE, deck, 0, float),
            Row(f"{path}/bend", kinds.BEND, deck, 0, float),
            Row(f"{path}/filter", kinds.DECK_FILTER, deck, 0, float),
            Row(f"{path}/pfl", kinds.DECK_PFL, deck, 0, float),
            Row(f"{path}/output", kinds.DECK_OUTPUT, deck, 0, _index_in(OUTPUTS)),
            Row(f"{path}/click", kinds.CLICK, deck, 0, float),
            Row(f"{path}/click/volume", kinds.CLICK_VOLUME, deck, 0, float),
            Row(f"{path}/click/accent", kinds.CLICK_ACCENT, deck, 0, float),
            Row(f"{path}/click/divide", kinds.CLICK_DIVIDE, deck, 0, float),
            Row(f"{path}/click/bar", kinds.CLICK_BAR, deck, 0, float),
            Row(f"{path}/click/output", kinds.CLICK_OUTPUT, deck, 0, _index_in(CLICK_OUTPUTS)),
            Row(f"{path}/countin", kinds.COUNT_IN, deck, 0, float),
            Row(f"{path}/countin/passes", kinds.COUNT_PASSES, deck, 0, float),
            Row(f"{path}/take/volume", kinds.TAKE_VOLUME, deck, 0, float),
            Row(f"{path}/take/mute", kinds.TAKE_MUTE, deck, 0, float),
            Row(f"{path}/take/pan", kinds.TAKE_PAN, deck, 0, float),
            Row(f"{path}/loop/preroll", kinds.LOOP_PRE_ROLL, deck, 0, float),
        ]
        for band, name in enumerate(("low", "mid", "high")):
            rows += [
                Row(f"{path}/eq/{name}", kinds.DECK_EQ, deck, band, _gain_of_db),
                Row(f"{path}/eq/{name}/kill", kinds.DECK_KILL, deck, band, float),
            ]
        for unit in range(EFFECT_UNITS):
            rows += _effect(f"{path}/fx/{unit + 1}", deck, unit)
        for slot, stem in enumerate(STEMS):
            rows += [
                Row(f"{path}/stem/{stem}/volume", kinds.STEM_VOLUME, deck, slot, float),
                Row(f"{path}/stem/{stem}/mute", kinds.STEM_MUTE, deck, slot, float),
                Row(f"{path}/stem/{stem}/solo", kinds.STEM_SOLO, deck, slot, float),
                Row(f"{path}/stem/{stem}/pan", kinds.STEM_PAN, deck, slot, float),
                Row(f"{path}/stem/{stem}/filter", kinds.STEM_FILTER, deck, slot, float),
                Row(f"{path}/stem/{stem}/eq/low", kinds.STEM_EQ_LOW, deck, slot, _gain_of_db),
                Row(f"{path}/stem/{stem}/eq/mid", kinds.STEM_EQ_MID, deck, slot, _gain_of_db),
                Row(f"{path}/stem/{stem}/eq/high", kinds.STEM_EQ_HIGH, deck, slot, _gain_of_db),
                Row(f"{path}/stem/{stem}/send", kinds.STEM_SEND, deck, slot, float),
                Row(f"{path}/stem/{stem}/output", kinds.STEM_OUTPUT, deck, slot, _index_in(OUTPUTS)),
            ]
    return rows


ROWS: Final = {row.path: row for row in _rows()}
"""The controls that are one number in the engine, by path; sent whole to an engine that has just come."""
