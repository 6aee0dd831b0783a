"""The sampler's banks in the database: kept whole, given back, each performer's own."""

from __future__ import annotations

import pytest

from audio.units import PADS
from server.db import Database
from server.errors import BadRequest
from server.library.service import Library
from server.pads import PADS_AT_REST, Pad

pytestmark = pytest.mark.anyio

KICK = Pad("a#drums@1-1.5", "Kick", mode="gate", choke="2", gain=0.5, pan=-1.0, pitch=-24.0, start_s=0.1, end_s=0.4,
           quantize="0.25", steps="9...9...9...9...")  # fmt: skip


async def test_a_bank_comes_back_as_it_was(library: Library, db: Database, owner: int) -> None:
    assert await library.pads(owner) == PADS_AT_REST
    bank = (Pad(), KICK, *(Pad(),) * (PADS - 2))
    for wanted in (bank, PADS_AT_REST[:PADS], bank):
        await library.save_bank(3, wanted, owner)
        kept = await library.pads(owner)
        assert kept[3 * PADS : 4 * PADS] == wanted
        assert kept[: 3 * PADS] + kept[4 * PADS :] == PADS_AT_REST[PADS:]
    assert await db.value("SELECT count(*) FROM sampler_pads") == 1


async def test_what_is_no_bank_is_refused(library: Library, owner: int) -> None:
    for bank, pads in ((8, PADS_AT_REST[:PADS]), (-1, PADS_AT_REST[:PADS]), (0, PADS_AT_REST[:3])):
        with pytest.raises(BadRequest):
            await library.save_bank(bank, pads, owner)
    assert await library.pads(owner) == PADS_AT_REST
