"""Routes of the sampler: all banks at once, and what a pad of any bank plays.

Owner: one request each. The sampler is the show's, so every surface sees what changes here.
Units: seconds of the sample; banks and pads from 1.
"""

from __future__ import annotations

from typing import Final

import msgspec

from audio.units import BANKS, PADS
from server.db import key
from server.errors import BadRequest, NotFound
from server.http.table import Call, Row
from server.pads import Pad, PadSource, read_source
from server.session.facts import PadWanted


class PadOut(msgspec.Struct, frozen=True):
    """A pad: `source` is what it plays (see PutPad), `status` empty, loading, ready or failed; `steps` its part of the
    bank's pattern, a dot or 1 to 9 for each step."""

    bank: int
    pad: int
    source: str
    name: str
    status: str
    duration: float
    mode: str
    choke: str
    gain: float
    pan: float
    pitch: float
    start: float
    end: float
    quantize: str
    steps: str


class PutPad(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pad shall play: a track of the library, one stem of it or the mix, and which stretch, in seconds; no track
    empties the pad."""

    track_id: str = ""
    stem: str = ""
    start: float = 0.0
    end: float | None = None


async def list_pads(call: Call) -> list[PadOut]:
    return [_shown(place, pad) for place, pad in enumerate(call.services.show.pads)]


async def put_pad(call: Call) -> PadOut:
    """Let a pad play something else. It is loaded when its status is `ready`."""
    bank, pad = _number(call, "bank", BANKS), _number(call, "pad", PADS)
    wanted: PutPad = call.body
    source = ""
    if wanted.track_id:
        if wanted.start < 0.0:
            raise BadRequest("A part of a track begins at 0 s or later.")
        source = str(PadSource(str(key(wanted.track_id)), wanted.stem, wanted.start, wanted.end))
        try:
            read_source(source)
        except ValueError as fault:
            raise BadRequest(str(fault)) from fault
    show = call.services.show
    show.report(PadWanted(bank - 1, pad - 1, source))
    await show.settle()
    place = (bank - 1) * PADS + pad - 1
    return _shown(place, show.pads[place])


def _number(call: Call, name: str, most: int) -> int:
    text = str(call.request.path_params[name])
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise NotFound(f"A {name} has a number from 1 to {most}.")
    return int(text)


def _shown(place: int, pad: Pad) -> PadOut:
    return PadOut(
        place // PADS + 1, place % PADS + 1, pad.source, pad.name, pad.status, pad.duration_s, pad.mode, pad.choke,
        pad.gain, pad.pan, pad.pitch, pad.start_s, pad.end_s, pad.quantize, pad.steps,
    )  # fmt: skip


ROWS: Final = (
    Row("GET", "/api/sampler", list_pads, "All pads of all banks", list[PadOut], tag="show"),
    Row("PUT", "/api/sampler/{bank}/{pad}", put_pad, "Let a pad play a track, a stem or a part of one", PadOut,
        body=PutPad, tag="show"),
)  # fmt: skip
