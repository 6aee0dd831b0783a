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
from audio.kernel.beside import follow_take
from audio.kernel.click import clicks, forget_place, frames_to_click, watch_beat
from audio.kernel.compiled import compiled
from audio.kernel.count_in import cancel_count, counts_passes
from audio.kernel.cues import forget_cues
from audio.kernel.events import report
from audio.kernel.heads import place_of, settle, steady_run
from audio.kernel.layers import forget_layers, frames_to_turn, turn_layers
from audio.kernel.layout import HEADS, NONE, TAPES, UNCHANGED
from audio.kernel.loops import forget_loop, frames_to_seam, seam_due, seam_frames, seam_jump
from audio.kernel.motion import start_speed
from audio.kernel.mute_regions import forget_regions, frames_to_region, look_at_regions
from audio.kernel.passes import is_plain, tell_pass, turn_pass
from audio.kernel.playing import end_missing, play_head, prepare_head, tell_stems
from audio.kernel.ramps import advance_rate, glide, snap
from audio.kernel.requests import follow_requests, forget_stems, is_heard, others_heard
from audio.kernel.slip import run_on
from audio.kernel.stretched import crosses_in_ring, follow_stretch, remember_place
from audio.kernel.strip import rest, strip
from audio.kernel.summed import frames_to_calm
from audio.kernel.told_places import lay_places

_LOADED: Final = int(EventKind.DECK_LOADED)
_EJECTED: Final = int(EventKind.DECK_EJECTED)


@compiled
def _spare_head(deck: Any) -> int:
    for which in range(1, HEADS):
        if not deck.heads[which].sounding:
            return which
    return NONE


@compiled
def _leave_behind(deck: Any, which: int, frames: int) -> None:
    """Let head `which` play on from where the playhead is, to silence within `frames`."""
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
    other.stretch = main.stretch
    other.stretch_to = main.stretch
    other.held = 1
    other.missing = 0
    other.missing_frames = 0
    snap(other.fade, main.fade.value)
    glide(other.fade, 0.0, max(1, int(np.ceil(main.fade.value * frames))))


@compiled
def _come_in(k: Any, address: int, number: int, deck: Any, frames: int) -> None:
    """Let the playhead begin where it has been put, and fade in over `frames` if the deck plays.

    Pre: it holds a tape and does not sound.
    """
    await_stems(k, address, number, deck)
    look_at_regions(deck)
    follow_requests(k, deck)
    if deck.play:
        main = deck.heads[0]
        main.sounding = 1
        snap(main.fade, 0.0)
        glide(main.fade, 1.0, frames)


@compiled
def _cross_seam(k: Any, address: int, number: int, deck: Any) -> None:
    """Take the playhead over the seam of its loop; when all heads are busy, on a later frame."""
    main = deck.heads[0]
    if crosses_in_ring(deck) and not counts_passes(deck):
        tell_pass(k, address, number, deck)
        if is_plain(deck):
            main.index += seam_jump(k, deck)
        else:
            turn_pass(k, address, number, deck)
            main.sounding = 1
        remember_place(deck)
        return
    which = _spare_head(deck)
    if which == NONE:
        return
    frames = seam_frames(k, deck)
    end_missing(k, address, number, main, deck.token)
    _leave_behind(deck, which, frames)
    tell_pass(k, address, number, deck)
    if is_plain(deck):
        main.sounding = 0
        main.index += seam_jump(k, deck)
    elif not turn_pass(k, address, number, deck):
        return
    _come_in(k, address, number, deck, frames)


@compiled
def _forget_track(k: Any, deck: Any) -> None:
    """Begin a new track: nothing that was true of the last one is."""
    forget_stems(k, deck)
    forget_loop(deck)
    forget_cues(deck)
    forget_layers(deck)
    forget_regions(deck)
    cancel_count(deck)
    forget_place(deck)
    deck.pass_rate = 0.0
    deck.slipping = 0
    deck.winding = 0
    deck.hand = 0
    if deck.hand_started:
        deck.hand_started = 0
        deck.want_play = 0
    deck.jog = 0.0
    deck.locked = 0
    if deck.grid.token != deck.token:
        deck.grid.count = 0
        deck.grid.beats = 0


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
        _leave_behind(deck, which, k.fade_frames)
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
            _forget_track(k, deck)
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
            start_speed(deck)
        _come_in(k, address, number, deck, k.fade_frames)
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
        k.cursor = at
        if deck.heads[0].sounding == 0 and not others_heard(deck):
            follow_stretch(k, address, number, deck)
            rest(k, deck, at, count - at)
            if k.taken == number + 1:
                lay_places(k, deck, at, count - at, False)
            break
        if deck.rate.left > 0:
            advance_rate(deck.rate)
        if seam_due(k, deck):
            _cross_seam(k, address, number, deck)
        # After the seam, which is a jump that the ring has to be looked at for.
        follow_stretch(k, address, number, deck)
        if deck.heads[0].sounding:
            if look_at_regions(deck):
                follow_requests(k, deck)
            if clicks(deck):
                watch_beat(deck, k.frame + at)
        run = count - at
        steady = not turn_layers(k, deck)
        for which in range(HEADS):
            if not deck.heads[which].sounding:
                continue
            if prepare_head(k, address, number, deck, which):
                follow_requests(k, deck)
            if deck.heads[which].sounding:
                allowed = steady_run(k, deck, deck.heads[which], run)
                if which == 0 and allowed > 1:
                    allowed = frames_to_turn(k, deck, frames_to_seam(k, deck, allowed))
                    allowed = frames_to_click(deck, frames_to_region(deck, allowed))
                steady = steady and allowed > 0
                run = min(run, max(1, allowed))
        run = frames_to_calm(deck, run) if steady else 1
        follow_take(k, deck)
        if k.taken == number + 1:
            lay_places(k, deck, at, run, deck.heads[0].sounding != 0)
        for which in range(HEADS):
            if deck.heads[which].sounding:
                play_head(k, address, number, deck, which, run, steady)
        remember_place(deck)
        deck.click.goes_on = place_of(deck.heads[0])
        strip(k, deck, at, run)
        if deck.slipping:
            run_on(deck, run)
        at += run
    k.cursor = 0
