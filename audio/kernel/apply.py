"""What a command does to the kernel's state, once its frame has come.

    family: deck | stem | mixer | transport | pitch | strip | practice | pad | timecode --> checked --> wishes, ramps

Owner: the kernel. A command never moves sound by itself: it sets targets that ramps and `reconcile` follow.
Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import RATE_LIMITS, TRIM_LIMITS, CommandKind, EventKind
from audio.kernel import transport
from audio.kernel.apply_practice import FIRST_PRACTICE, LAST_PRACTICE, apply_practice
from audio.kernel.apply_sampler import FIRST_SAMPLER, LAST_SAMPLER, apply_sampler
from audio.kernel.apply_strip import FIRST_STRIP, LAST_STRIP, apply_strip, move, set_cross, set_trim
from audio.kernel.apply_timecode import FIRST_TIMECODE, LAST_TIMECODE, apply_timecode
from audio.kernel.compiled import compiled
from audio.kernel.count_in import begin_count, cancel_count
from audio.kernel.cues import stop_playing, stop_wheel
from audio.kernel.events import report
from audio.kernel.layout import NONE, UNCHANGED
from audio.kernel.motion import follow_speed
from audio.kernel.places import go_to, here, in_phase, keep_under_hand
from audio.kernel.ramps import clamp, glide
from audio.kernel.requests import follow_requests
from audio.kernel.stretched import PITCH_KINDS, apply_pitch
from audio.kernel.sync import start_in_time
from audio.kernel.transport import apply_transport
from audio.units import DECKS, STEM_SLOTS

_REFUSED: Final = int(EventKind.COMMAND_REFUSED)
_PLAY: Final = int(CommandKind.DECK_PLAY)
_SEEK: Final = int(CommandKind.DECK_SEEK)
_RATE: Final = int(CommandKind.DECK_RATE)
_VOLUME: Final = int(CommandKind.DECK_VOLUME)
_TRIM: Final = int(CommandKind.DECK_TRIM)
_ASSIGN: Final = int(CommandKind.DECK_ASSIGN)
_SOURCE: Final = int(CommandKind.DECK_SOURCE)
_STEM_VOLUME: Final = int(CommandKind.STEM_VOLUME)
_STEM_MUTE: Final = int(CommandKind.STEM_MUTE)
_STEM_SOLO: Final = int(CommandKind.STEM_SOLO)
_STEM_PAN: Final = int(CommandKind.STEM_PAN)
_CROSSFADER: Final = int(CommandKind.CROSSFADER)
_CURVE: Final = int(CommandKind.CROSSFADER_CURVE)
_MASTER: Final = int(CommandKind.MASTER_VOLUME)
_SLOWEST: Final = RATE_LIMITS[0]
_FASTEST: Final = RATE_LIMITS[1]
_TRIM_LOW: Final = TRIM_LIMITS[0]
_TRIM_HIGH: Final = TRIM_LIMITS[1]
_TRANSPORT_FIRST: Final = transport.FIRST
_TRANSPORT_LAST: Final = transport.LAST
_RATE_FOLLOWED: Final = int(EventKind.RATE_FOLLOWED)


@compiled
def _apply_mixer(k: Any, kind: int, a: float) -> bool:
    if kind == _CROSSFADER:
        k.crossfader = clamp(a, -1.0, 1.0)
        set_cross(k)
    elif kind == _CURVE:
        k.curve = int(clamp(np.rint(a), 0.0, 2.0))
        set_cross(k)
    elif kind == _MASTER:
        glide(k.master_gain, clamp(a, 0.0, 1.0), k.fade_frames)
    else:
        return False
    return True


@compiled
def _apply_stem(k: Any, deck: Any, slot: int, kind: int, a: float) -> bool:
    if kind == _STEM_VOLUME:
        deck.stem_volume[slot] = clamp(a, 0.0, 1.0)
    elif kind == _STEM_MUTE:
        deck.mute[slot] = 1 if a >= 0.5 else 0
    elif kind == _STEM_SOLO:
        deck.solo[slot] = 1 if a >= 0.5 else 0
    elif kind == _STEM_PAN:
        deck.stem_pan[slot] = clamp(a, -1.0, 1.0)
    else:
        return False
    follow_requests(k, deck)
    return True


@compiled
def _play(k: Any, number: int, deck: Any, on: bool) -> bool:
    """Play, after its count-in or on the leader's beat when the deck is quantised or in sync, or pause."""
    if not on:
        stop_playing(deck)
        cancel_count(deck)
        if deck.hand:
            # A record under a hand sounds until the hand is off it.
            deck.want_play = 1
            deck.hand_started = 1
        return True
    held = deck.heads[0].tape != NONE and deck.want_tape == UNCHANGED
    if not held and deck.want_tape < 0:
        return False
    if deck.count.active:
        return True
    stop_wheel(k, deck)
    if held and not deck.want_play:
        if deck.count.beats:
            begin_count(k, deck, k.frame, here(deck))
            return True
        start_in_time(k, number, deck)
    deck.want_play = 1
    deck.preview = 0
    deck.hand_started = 0
    if deck.winding:
        deck.winding = 0
        follow_speed(k, deck)
    return True


@compiled
def _seek(deck: Any, frame: float) -> None:
    """Go to `frame`; a deck that is locked to the leader goes to the place nearest to it that is on the beat."""
    deck.slipping = 0
    if deck.locked and deck.want_tape == UNCHANGED:
        go_to(deck, in_phase(deck, frame))
        return
    deck.seek_to = int(np.rint(frame))
    deck.want_seek = 1
    keep_under_hand(deck)
    deck.loop_inside = 0


@compiled
def _apply_deck(k: Any, address: int, number: int, deck: Any, kind: int, a: float) -> bool:
    if kind == _PLAY:
        return _play(k, number, deck, a >= 0.5)
    if kind == _SEEK:
        _seek(deck, clamp(a, 0.0, 1e15))
    elif kind == _RATE:
        speed = clamp(abs(a), _SLOWEST, _FASTEST)
        deck.pace = -speed if a < 0.0 else speed
        if deck.locked:
            report(k, address, _RATE_FOLLOWED, number, 0, deck.follow, 0.0, deck.token)
        follow_speed(k, deck)
    elif kind in (_VOLUME, _TRIM):
        if kind == _VOLUME:
            deck.volume = clamp(a, 0.0, 1.0)
            move(k, deck, deck.gain, deck.volume)
        else:
            deck.trim = clamp(a, _TRIM_LOW, _TRIM_HIGH)
            set_trim(k, deck)
    elif kind == _ASSIGN:
        deck.side = int(clamp(np.rint(a), 0.0, 2.0))
        set_cross(k)
    elif kind == _SOURCE:
        deck.source = 1 if a >= 0.5 else 0
        follow_requests(k, deck)
    else:
        return False
    return True


@compiled
def apply(k: Any, address: int, command: Any) -> None:
    """Carry out one command, or refuse it."""
    kind, number, slot, a, token = command.kind, command.deck, command.slot, command.a, command.token
    done = False
    if np.isfinite(a):
        if _TRANSPORT_FIRST <= kind <= _TRANSPORT_LAST:
            if number < DECKS and np.isfinite(command.b):
                deck = k.decks[number]
                if token == 0 or token == deck.token:
                    done = apply_transport(k, address, number, deck, slot, kind, a, command.b)
        elif PITCH_KINDS[0] <= kind <= PITCH_KINDS[1]:
            if number < DECKS and (token == 0 or token == k.decks[number].token):
                done = apply_pitch(k.decks[number], kind, a)
        elif FIRST_PRACTICE <= kind <= LAST_PRACTICE:
            if number < DECKS and np.isfinite(command.b):
                deck = k.decks[number]
                if token == 0 or token == deck.token:
                    done = apply_practice(k, address, number, deck, slot, kind, a, command.b)
        elif FIRST_STRIP <= kind <= LAST_STRIP:
            done = apply_strip(k, number, slot, kind, a)
        elif FIRST_SAMPLER <= kind <= LAST_SAMPLER:
            done = np.isfinite(command.b) and apply_sampler(k, number, slot, kind, a, command.b)
        elif FIRST_TIMECODE <= kind <= LAST_TIMECODE:
            done = apply_timecode(k, kind, a)
        elif kind >= _CROSSFADER:
            done = _apply_mixer(k, kind, a)
        elif number < DECKS:
            deck = k.decks[number]
            if token == 0 or token == deck.token:
                if kind >= _STEM_VOLUME:
                    if slot < STEM_SLOTS:
                        done = _apply_stem(k, deck, slot, kind, a)
                else:
                    done = _apply_deck(k, address, number, deck, kind, a)
    if done:
        k.commands_applied += 1
    else:
        report(k, address, _REFUSED, number, slot, kind, a, token)
