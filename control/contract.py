"""The names of the contract: every path that controls have or will have, whether this version has them yet or not.

Owner: nobody. A mapping may name any of them; lines for controls that are not there yet wait (`mapping_entry.Absent`)
and come to life with the version that brings the control. A name that is not in here is a spelling mistake.
Units: none.
"""

import re
from typing import Final

from audio.units import STEMS

_STEM: Final = f"(?:{'|'.join(STEMS)})"
_EQ: Final = r"eq/(?:low|mid|high)(?:/kill)?"
_FX: Final = r"(?:type|on|wet|param/[1-3])"
_LOOP: Final = r"loop/(?:in|out|active|beats|halve|double|move|reloop|roll)"

_DECK: Final = "|".join(
    (
        "load|eject|play|cue|stop|position|beat|rate|pitch_fader|pitch_range|bend|jog|scratch|keylock|pitch|sync|leader",
        "quantize|slip|reverse|volume|trim_db|pfl|filter|beatjump|source|assign|brake|spinback|auto_gain|output",
        _EQ,
        _LOOP,
        r"hotcue/[1-8]/(?:go|set|clear)",
        rf"fx/[12]/{_FX}",
        "grid/(?:shift|halve|double|downbeat|tap)",
        rf"stem/{_STEM}/(?:volume|mute|solo|pan|filter|level|ready|send|output|{_EQ}|{_LOOP})",
    )
)

_NAMES: Final = re.compile(
    "|".join(
        (
            rf"/deck/(?:[1-4]|focus)/(?:{_DECK})",
            r"/mixer/(?:crossfader(?:/curve)?|master|headphones|cue_mix|booth|record)",
            rf"/mixer/fx/(?:[12]/)?{_FX}",
            r"/practice/(?:a|b|loop|speed|pitch|countin|click|section|deck|trainer/(?:start|step|every|stop))",
            r"/pad/(?:[1-9]|1[0-6])(?:/(?:gain|pan|pitch|start|end|mode|choke|quantize|stop|take|source))?|/pad/(?:bank|volume|stop)",
            r"/sequencer/[a-z0-9_/]+",
            r"/session/(?:mode|focus|tempo|tap)",
            r"/setlist/(?:load|next|previous|goto|autopilot)",
            r"/link/enabled|/clock/out|/timecode/out",
            r"/transport/(?:play|stop|next|prev)|/stem/[1-8]/(?:volume|mute|solo)",
        )
    )
)


def is_named(path: str) -> bool:
    """Return whether the contract has a control of this name, be it there yet or not."""
    return _NAMES.fullmatch(path) is not None
