"""The sampler's banks in the database: each performer's pads and patterns.

Owner: the library; the rows are the user's and go with them. Units: seconds of the sample; banks and pads from 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from audio.units import BANKS, PAD_MODES, PADS
from server.db import Database, Queries
from server.errors import BadRequest
from server.pads import PADS_AT_REST, Pad

_AT_REST: Final = Pad()


class _Row(msgspec.Struct, frozen=True):
    bank: int
    pad: int
    source: str
    name: str
    mode: str
    choke: int
    gain: float
    pan: float
    pitch: float
    beginning: float
    ending: float
    quantize: str
    steps: str


async def read(db: Queries, user_id: int) -> tuple[Pad, ...]:
    """Return all pads of a performer, bank by bank; those that were never touched are at rest."""
    pads = list(PADS_AT_REST)
    found = await db.all(
        _Row,
        "SELECT bank, pad, source, name, mode, choke, gain, pan, pitch, beginning, ending, quantize, steps "
        "FROM sampler_pads WHERE user_id = $1",
        user_id,
    )
    for row in found:
        pads[(row.bank - 1) * PADS + row.pad - 1] = Pad(
            row.source, row.name, mode=row.mode, choke=str(row.choke), gain=row.gain, pan=row.pan, pitch=row.pitch,
            start_s=row.beginning, end_s=row.ending, quantize=row.quantize, steps=row.steps,
        )  # fmt: skip
    return tuple(pads)


async def save(db: Database, user_id: int, bank: int, pads: tuple[Pad, ...]) -> None:
    """Keep the pads of bank `bank` (from 0) in place of those that were kept. Raises BadRequest."""
    if not 0 <= bank < BANKS or len(pads) != PADS or any(pad.mode not in PAD_MODES for pad in pads):
        raise BadRequest(f"A bank is 1 to {BANKS} and has {PADS} pads")
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM sampler_pads WHERE user_id = $1 AND bank = $2", user_id, bank + 1)
        for number, pad in enumerate(pads, start=1):
            kept = replace(pad, status=_AT_REST.status, duration_s=0.0, loading=0, wanted="", pfl=0)
            if kept == _AT_REST:
                continue
            await tx.execute(
                "INSERT INTO sampler_pads (user_id, bank, pad, source, name, mode, choke, gain, pan, pitch, beginning, "
                "ending, quantize, steps) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                user_id, bank + 1, number, kept.source, kept.name, kept.mode, int(kept.choke), kept.gain, kept.pan,
                kept.pitch, kept.start_s, kept.end_s, kept.quantize, kept.steps,
            )  # fmt: skip
