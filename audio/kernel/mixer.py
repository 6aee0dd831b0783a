"""Mixer: the decks' buses on their way to the master, the headphones and outputs of their own.

    deck bus, first ---> x trim --> EQ, filter --> effects -------.
    deck bus, second --> x trim --> EQ, filter ----------------------+--> x fader --> x crossfader --> master bus
                                                                     |       '-- or --> output of its own
                                                                     '--> x pfl --> cue bus
    stem buses of other outputs --> x trim, fader --> that output

Owner: the kernel. A deck that is silent, and whose filters have nothing left, is not gone through.
Units: frames at the engine rate; gains linear, float32.
"""

from typing import Any

import numpy as np

from audio.kernel.bank import bus_pair, forget_pair, gather, is_on, run_bank, scatter
from audio.kernel.compiled import Single, compiled
from audio.kernel.fx_unit import run_deck_effects, sleep_deck_effects
from audio.kernel.lane_rows import TOO_LOUD
from audio.kernel.layout import AROUND, OUTPUT_PAIRS, SEGMENT, THROUGH
from audio.kernel.loudness import listen
from audio.kernel.outputs import FIRST_DECK_PAIR, has_buses, has_phones
from audio.kernel.ramps import advance
from audio.kernel.strip import follow_route, gain_both, is_awake, is_steady, meter, pair_of, pass_by
from audio.units import DECKS


@compiled
def _draw(row: Any, ramp: Any, count: int) -> bool:
    """Write the next `count` values of a ramp that moves to `row`; return whether it does."""
    if ramp.left == 0:
        return False
    for n in range(count):
        row[n] = np.float32(advance(ramp))
    return True


@compiled
def _scale(part: Any, row: Any, moves: bool, value: Single, count: int) -> None:
    """Multiply two channels by `row` where it moves, else by `value`."""
    left, right = part[0], part[1]
    if moves:
        for n in range(count):
            left[n] *= row[n]
            right[n] *= row[n]
    elif value != 1.0:
        for n in range(count):
            left[n] *= value
            right[n] *= value


@compiled
def _add(part: Any, to: Any, count: int) -> None:
    left, right, to_left, to_right = part[0], part[1], to[0], to[1]
    for n in range(count):
        to_left[n] += left[n]
        to_right[n] += right[n]


@compiled
def _clean(part: Any, count: int) -> None:
    """Silence what is no sound."""
    left, right = part[0], part[1]
    for n in range(count):
        a, b = left[n], right[n]
        left[n] = a if abs(a) < TOO_LOUD else np.float32(0.0)
        right[n] = b if abs(b) < TOO_LOUD else np.float32(0.0)


@compiled
def _empty(part: Any, count: int) -> None:
    left, right = part[0], part[1]
    for n in range(count):
        left[n] = np.float32(0.0)
        right[n] = np.float32(0.0)


@compiled
def _trim(k: Any, deck: Any, count: int) -> None:
    """Clean what the deck's strip has made and bring it to its trim."""
    row = k.curve_row[0]
    moves = _draw(row, deck.trim_gain, count)
    value = deck.trim_gain.value
    for part in range(2):
        if part == THROUGH or deck.aside:
            bus = k.deck_bus[deck.number, part]
            _clean(bus, count)
            _scale(bus, row, moves, value, count)
    for pair in range(1, OUTPUT_PAIRS):
        if deck.pairs >> pair & 1:
            bus = k.stem_pairs[deck.number, pair]
            _clean(bus, count)
            _scale(bus, row, moves, value, count)


@compiled
def _filter_decks(k: Any, count: int) -> None:
    """Take all decks that sound through the bank at once."""
    bank, rows = k.deck_bank, k.lanes
    pairs = bank.eq_pairs | bank.filter_pairs
    longest, used = 0, 0
    for number in range(DECKS):
        deck = k.decks[number]
        run = min(count, deck.heard_until - k.frame)
        for part in range(2):
            pair = bus_pair(number, part)
            if run > 0 and pairs >> pair & 1 and (part == THROUGH or deck.aside):
                longest = max(longest, run)
                used |= 1 << pair
    if longest == 0:
        return
    buses = k.deck_bus[0].ctypes.data
    gather(bank, rows, buses, 2 * SEGMENT, 4 * SEGMENT, SEGMENT, used, longest)
    run_bank(k, bank, rows, used, longest)
    scatter(rows, buses, 2 * SEGMENT, 4 * SEGMENT, SEGMENT, used, longest)
    # A bus that is not heard for so long is silent to the end.
    for number in range(DECKS):
        run = min(count, k.decks[number].heard_until - k.frame)
        for part in range(2):
            if used >> bus_pair(number, part) & 1:
                bus = k.deck_bus[number, part]
                for n in range(run, longest):
                    bus[0, n] = np.float32(0.0)
                    bus[1, n] = np.float32(0.0)


@compiled
def _route(k: Any, deck: Any, bus: Any, count: int) -> None:
    """Send the deck to the crossfader and the master, or to an output of its own."""
    route = deck.output
    if is_steady(route) and pair_of(k, route) == 0:
        gain_both(bus[0], bus[1], deck.cross, count)
        _add(bus, k.master_bus[:], count)
        return
    for n in range(count):
        pair = pair_of(k, route)
        level = np.float32(follow_route(k, route))
        cross = np.float32(advance(deck.cross))
        if pair == 0:
            k.master_bus[0, n] += bus[0, n] * level * cross
            k.master_bus[1, n] += bus[1, n] * level * cross
        else:
            k.outputs[pair, 0, n] += bus[0, n] * level
            k.outputs[pair, 1, n] += bus[1, n] * level


@compiled
def _send(k: Any, deck: Any, count: int) -> None:
    """Take a deck from its filters to wherever it is heard, and leave its buses empty."""
    bus, around = k.deck_bus[deck.number, THROUGH], k.deck_bus[deck.number, AROUND]
    run_deck_effects(k, deck, bus, count)
    if deck.aside:
        _add(around, bus, count)
        _empty(around, count)
    if has_phones(k) and (deck.pfl.left > 0 or deck.pfl.value > 0.0):
        moves = _draw(k.curve_row[0], deck.pfl, count)
        value = deck.pfl.value
        for n in range(count):
            level = k.curve_row[0, n] if moves else value
            k.cue_bus[0, n] += bus[0, n] * level
            k.cue_bus[1, n] += bus[1, n] * level
    else:
        pass_by(deck.pfl, count)
    row = k.curve_row[1]
    moves = _draw(row, deck.gain, count)
    value = deck.gain.value
    _scale(bus, row, moves, value, count)
    for pair in range(1, OUTPUT_PAIRS):
        if deck.pairs >> pair & 1:
            own = k.stem_pairs[deck.number, pair]
            _scale(own, row, moves, value, count)
            _add(own, k.outputs[pair], count)
            _empty(own, count)
    deck.pairs = 0
    meter(k, bus[0], bus[1], count, deck.peak, deck.power)
    listen(k, deck.number, bus[0], bus[1], count)
    if has_buses(k):
        _add(bus, k.outputs[FIRST_DECK_PAIR + deck.number], count)
    _route(k, deck, bus, count)
    _empty(bus, count)
    if deck.heard_until <= k.frame + count:
        for part in range(2):
            forget_pair(k.deck_bank, bus_pair(deck.number, part))
        deck.aside = 0
    sleep_deck_effects(k, deck, count)


@compiled
def _pass_deck(k: Any, deck: Any, count: int) -> None:
    """Let `count` frames pass on a deck of which nothing is heard."""
    pass_by(deck.trim_gain, count)
    pass_by(deck.pfl, count)
    pass_by(deck.gain, count)
    pass_by(deck.cross, count)
    fall = k.peak_fall[count]
    for channel in range(2):
        deck.peak[channel] *= fall
        deck.power[channel] *= fall


@compiled
def mix_decks(k: Any, count: int) -> None:
    """Add `count` frames (at most SEGMENT) of the decks' buses to the master, the cue bus and the outputs."""
    for number in range(DECKS):
        if is_awake(k, k.decks[number]):
            _trim(k, k.decks[number], count)
    if is_on(k.deck_bank):
        _filter_decks(k, count)
    for number in range(DECKS):
        deck = k.decks[number]
        if is_awake(k, deck):
            _send(k, deck, count)
        else:
            _pass_deck(k, deck, count)
