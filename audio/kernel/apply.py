"""What a command does to the kernel's state, once its frame has come.

    family of the kind: deck | stem | mixer | strip --> checked, clamped --> wishes, targets of ramps

Owner: the kernel. A command never moves sound by itself: it sets targets that ramps and `reconcile` follow.
Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import RATE_LIMITS, TRIM_LIMITS, CommandKind, EventKind
from audio.kernel.apply_strip import FIRST_STRIP, LAST_STRIP, apply_strip, move, set_cross, set_trim
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.layout import NONE, UNCHANGED
from audio.kernel.ramps import clamp, glide, glide_rate, snap_rate
from audio.kernel.requests import follow_requests, is_heard, others_heard
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
def _apply_deck(k: Any, deck: Any, kind: int, a: float) -> bool:
    if kind == _PLAY:
        holds = deck.want_tape >= 0 or (deck.want_tape == UNCHANGED and deck.heads[0].tape != NONE)
        if a >= 0.5 and not holds:
            return False
        deck.want_play = 1 if a >= 0.5 else 0
    elif kind == _SEEK:
        deck.seek_to = int(np.rint(clamp(a, 0.0, 1e15)))
        deck.want_seek = 1
    elif kind == _RATE:
        speed = clamp(abs(a), _SLOWEST, _FASTEST)
        if a < 0.0:
            speed = -speed
        if is_heard(deck) or others_heard(deck):
            glide_rate(deck.rate, speed, k.fade_frames)
        else:
            snap_rate(deck.rate, speed)
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
        if FIRST_STRIP <= kind <= LAST_STRIP:
            done = apply_strip(k, number, slot, kind, a)
        elif kind >= _CROSSFADER:
            done = _apply_mixer(k, kind, a)
        elif number < DECKS:
            deck = k.decks[number]
            if token == 0 or token == deck.token:
                if kind >= _STEM_VOLUME:
                    if slot < STEM_SLOTS:
                        done = _apply_stem(k, deck, slot, kind, a)
                else:
                    done = _apply_deck(k, deck, kind, a)
    if done:
        k.commands_applied += 1
    else:
        report(k, address, _REFUSED, number, slot, kind, a, token)
