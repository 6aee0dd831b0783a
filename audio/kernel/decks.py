"""Decks: one playhead, what it left behind, and what the deck was asked to do.

    commands --> wishes --> reconcile --> playhead (head 0), fading in    --.
                                '-------> heads 1 to 3, fading out        --+--> buses --> strip --> deck bus

A command never moves the playhead of a deck that sounds: what it asks for is noted, and `reconcile` carries it out by
leaving a head behind that plays the old place to silence while the playhead fades in at the new one. When all heads
are busy the wish waits, a few milliseconds at most.

Owner: the kernel. Units: frames at the engine rate; gains linear.
"""

from typing import Any, Final

import numpy as np

from audio.commands import EventKind
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.heads import settle, steady_run
from audio.kernel.layout import HEADS, NONE, TAPES, UNCHANGED
from audio.kernel.playing import end_missing, play_head, prepare_head, tell_stems
from audio.kernel.ramps import advance_rate, glide, snap, snap_rate
from audio.kernel.requests import follow_requests, forget_stems, is_heard, others_heard
from audio.kernel.strip import rest, strip

_LOADED: Final = int(EventKind.DECK_LOADED)
_EJECTED: Final = int(EventKind.DECK_EJECTED)


@compiled
def _spare_head(deck: Any) -> int:
    for which in range(1, HEADS):
        if not deck.heads[which].sounding:
            return which
    return NONE


@compiled
def _leave_behind(k: Any, deck: Any, which: int) -> None:
    """Let head `which` play on from where the playhead is, to silence."""
    main, other = deck.heads[0], deck.heads[which]
    other.tape = main.tape
    other.sounding = 1
    other.index = main.index
    other.fraction = main.fraction
    other.blend = main.blend
    other.blend_to = main.blend_to
    other.presence = main.presence
    other.presence_to = main.presence_to
    other.tail = main.tail
    other.missing = 0
    other.missing_frames = 0
    snap(other.fade, main.fade.value)
    glide(other.fade, 0.0, max(1, int(np.ceil(main.fade.value * k.fade_frames))))


@compiled
def reconcile(k: Any, address: int, number: int, deck: Any) -> bool:
    """Carry out what the deck's commands asked for; return False when it has to wait for a head to fall silent."""
    main = deck.heads[0]
    moves = deck.want_seek != 0 or deck.want_tape != UNCHANGED
    if not moves and deck.want_play == deck.play:
        return True
    if is_heard(deck) and (moves or deck.want_play == 0):
        which = _spare_head(deck)
        if which == NONE:
            return False
        _leave_behind(k, deck, which)
    if moves or deck.want_play == 0:
        main.sounding = 0
        snap(main.fade, 0.0)
        if main.tape != NONE:
            end_missing(k, address, number, main, deck.tapes[main.tape].token)
    if deck.want_tape != UNCHANGED:
        loaded = deck.want_tape != NONE and (
            main.tape == NONE or deck.tapes[main.tape].token != deck.tapes[deck.want_tape].token
        )
        main.tape = deck.want_tape
        deck.want_tape = UNCHANGED
        if loaded or main.tape == NONE:
            forget_stems(k, deck)
            main.blend = 0.0
            main.blend_to = 0.0
        if main.tape == NONE:
            deck.want_play = 0
            main.index = 0
            main.fraction = 0
        elif loaded:
            report(k, address, _LOADED, number, 0, deck.seek_to, 0.0, deck.token)
    if deck.want_seek:
        deck.want_seek = 0
        if main.tape != NONE:
            main.index = max(0, min(deck.seek_to, deck.tapes[main.tape].mix.frames))
            main.fraction = 0
    deck.play = deck.want_play
    if main.tape == NONE:
        deck.play = 0
    elif not main.sounding:
        if not others_heard(deck):
            snap_rate(deck.rate, deck.rate.target)
        await_stems(k, address, number, deck)
        follow_requests(k, deck)
        if deck.play:
            main.sounding = 1
            snap(main.fade, 0.0)
            glide(main.fade, 1.0, k.fade_frames)
    return True


@compiled
def await_stems(k: Any, address: int, number: int, deck: Any) -> None:
    """Let a deck that stands see what is ready where it stands.

    Pre: the playhead holds a tape and does not sound.
    """
    main = deck.heads[0]
    was = main.blend_to
    settle(k, deck, main)
    if was != main.blend_to:
        tell_stems(k, address, number, deck, main)
        follow_requests(k, deck)


@compiled
def retire(k: Any, address: int, number: int, deck: Any) -> None:
    """Let go of every tape that no head plays, and say so when the last of a track is gone."""
    for tape in range(TAPES):
        if not deck.tapes[tape].used or tape == deck.want_tape:
            continue
        held = False
        for which in range(HEADS):
            if deck.heads[which].tape == tape and (which == 0 or deck.heads[which].sounding):
                held = True
        if held:
            continue
        deck.tapes[tape].used = 0
        token = deck.tapes[tape].token
        last = True
        for other in range(TAPES):
            if deck.tapes[other].used and deck.tapes[other].token == token:
                last = False
        if last:
            report(k, address, _EJECTED, number, 0, 0.0, 0.0, token)


@compiled
def play_deck(k: Any, address: int, number: int, deck: Any, count: int) -> None:
    """Add `count` frames (at most SEGMENT, and not past a multiple of it) of deck `number` to its bus."""
    at = 0
    while at < count:
        if deck.heads[0].sounding == 0 and not others_heard(deck):
            rest(k, deck, at, count - at)
            break
        if deck.rate.left > 0:
            advance_rate(deck.rate)
        k.cursor = at
        run = count - at
        steady = True
        for which in range(HEADS):
            if not deck.heads[which].sounding:
                continue
            if prepare_head(k, address, number, deck, which):
                follow_requests(k, deck)
            if deck.heads[which].sounding:
                allowed = steady_run(k, deck, deck.heads[which], run)
                steady = steady and allowed > 0
                run = min(run, max(1, allowed))
        if not steady:
            run = 1
        for which in range(HEADS):
            if deck.heads[which].sounding:
                play_head(k, address, number, deck, which, run, steady)
        strip(k, deck, at, run)
        at += run
    k.cursor = 0
