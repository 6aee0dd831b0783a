"""Pointer commands into the kernel: tapes arrive, are given stems, and go.

Owner: KernelHost writes the private ring, and only what it has checked; memory stays its own until no tape names it.
Units: addresses; positions in frames at the engine rate.
"""

from typing import Any, Final

from audio.kernel.atomics import load_acquire, record_at, store_release
from audio.kernel.compiled import compiled
from audio.kernel.cues import stop_playing
from audio.kernel.decks import reconcile
from audio.kernel.layout import (
    ADDRESS,
    HOST_BIND,
    HOST_CAPACITY,
    HOST_COMMAND,
    HOST_EJECT,
    HOST_GRID,
    HOST_LOAD,
    HOST_PAD,
    HOST_TAKE,
    NONE,
    TAPES,
    UNCHANGED,
    HostCommand,
)
from audio.kernel.memory import put_slot
from audio.kernel.requests import is_heard, others_heard
from audio.kernel.sampler import silence_pad
from audio.kernel.sequencer import forget_hit
from audio.units import PADS, STEM_SLOTS

_TAIL: Final = ADDRESS["host_produced"]
_HEAD: Final = ADDRESS["host_consumed"]
_RECORDS: Final = ADDRESS["host_commands"]
_SIZE: Final = HOST_COMMAND.itemsize


@compiled
def _spare_tape(deck: Any) -> int:
    """Return a tape nobody uses; there is one, since heads hold at most four and a wish one more."""
    for tape in range(TAPES):
        if not deck.tapes[tape].used:
            return tape
    return NONE


@compiled
def _drop_wish(deck: Any) -> None:
    """Forget a tape that waited to be played."""
    if deck.want_tape >= 0:
        deck.tapes[deck.want_tape].used = 0
    deck.want_tape = UNCHANGED


@compiled
def _take_stems(tape: Any, command: Any) -> None:
    for slot in range(STEM_SLOTS):
        if command.mask >> slot & 1:
            put_slot(tape.stems[slot], command.stems[slot])
    tape.mask = (tape.mask & ~command.clear) | command.mask


@compiled
def _load(deck: Any, command: Any) -> None:
    _drop_wish(deck)
    place = _spare_tape(deck)
    if place == NONE:
        return
    tape = deck.tapes[place]
    tape.used = 1
    tape.mask = 0
    tape.token = command.token
    put_slot(tape.mix, command.mix)
    tape.take.audio = 0
    _take_stems(tape, command)
    deck.want_tape = place
    deck.want_seek = 1
    deck.seek_to = command.position
    deck.token = command.token


@compiled
def _copy_tape(deck: Any, old: Any) -> int:
    """Return a tape that plays what `old` does, NONE where there is no room."""
    place = _spare_tape(deck)
    if place != NONE:
        tape = deck.tapes[place]
        tape.used = 1
        tape.mask = old.mask
        tape.token = old.token
        put_slot(tape.mix, old.mix)
        put_slot(tape.take, old.take)
        for slot in range(STEM_SLOTS):
            put_slot(tape.stems[slot], old.stems[slot])
    return place


@compiled
def _bind(deck: Any, command: Any) -> None:
    """Give the deck's track stems, or take them away; a deck that holds another track by now is left alone.

    Stems that are heard are not pulled from under a head: the playhead moves to a new tape and the old one fades.
    """
    if deck.token != command.token or deck.want_tape == NONE:
        return
    if deck.want_tape >= 0:
        _take_stems(deck.tapes[deck.want_tape], command)
        return
    held = deck.heads[0].tape
    if held == NONE:
        return
    old = deck.tapes[held]
    if deck.heads[0].blend == 0.0 and not others_heard(deck):
        _take_stems(old, command)
        return
    place = _copy_tape(deck, old)
    if place != NONE:
        _take_stems(deck.tapes[place], command)
        deck.want_tape = place


@compiled
def _take_take(deck: Any, command: Any) -> None:
    """Let another take play beside the deck's track, or none; as `_bind`."""
    if deck.token != command.token or deck.want_tape == NONE:
        return
    held = deck.want_tape if deck.want_tape >= 0 else deck.heads[0].tape
    if held == NONE:
        return
    if deck.want_tape < 0 and (is_heard(deck) or others_heard(deck)):
        held = _copy_tape(deck, deck.tapes[held])
        if held == NONE:
            return
        deck.want_tape = held
    put_slot(deck.tapes[held].take, command.mix)


@compiled
def _take_grid(deck: Any, command: Any) -> None:
    """Give the deck's track a grid, or none; a deck that holds another track by now is left alone."""
    if deck.token != command.token:
        return
    deck.grid.beats = command.grid.beats
    deck.grid.count = command.grid.count
    deck.grid.origin = command.grid.origin
    deck.grid.token = command.token


@compiled
def _take_pad(k: Any, command: Any) -> None:
    """Give a pad another sample, or none; what sounds of the old one fades out."""
    number = command.deck * PADS + command.mask
    pad = k.sampler.pads[number]
    silence_pad(k, number)
    forget_hit(k, number)
    put_slot(pad.slot, command.mix)
    pad.lead = command.position


@compiled
def take_host_commands(k: Any, address: int) -> None:
    """Take what KernelHost has put into the private ring."""
    tail = load_acquire(address + _TAIL)
    head = load_acquire(address + _HEAD)
    for n in range(min(tail - head, HOST_CAPACITY)):
        command = record_at(address + _RECORDS + ((head + n) % HOST_CAPACITY) * _SIZE, HostCommand)
        if command.kind == HOST_PAD:
            _take_pad(k, command)
            continue
        deck = k.decks[command.deck]
        if command.kind == HOST_LOAD:
            _load(deck, command)
        elif command.kind == HOST_BIND:
            _bind(deck, command)
        elif command.kind == HOST_TAKE:
            _take_take(deck, command)
        elif command.kind == HOST_GRID:
            _take_grid(deck, command)
        elif command.kind == HOST_EJECT and (command.token == 0 or command.token == deck.token):
            _drop_wish(deck)
            deck.want_tape = NONE
            stop_playing(deck)
            deck.want_seek = 0
            deck.token = 0
        reconcile(k, address, command.deck, deck)
    if tail != head:
        store_release(address + _HEAD, tail)
