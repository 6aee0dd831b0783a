"""Which tracks of the library are listed: tempo, key, energy, stems, genre, each of them or not.

Owner: one request. Units: BPM; energy 0 to 1; keys as places of the Camelot wheel or by name.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import msgspec

from pipeline.analysis.key import camelot, name, number, relative
from server.errors import BadRequest

KEYS: Final = 24
_PLACES: Final = {camelot(key): key for key in range(KEYS)}
_OLD_NAME: Final = re.compile(r"(1[0-2]|[1-9])([ABab])")

_HAS_STEMS: Final = "EXISTS (SELECT FROM stems s WHERE s.track_id = t.id AND s.chosen)"
ENERGY: Final = "(SELECT r.energy FROM analysis_results r WHERE r.track_id = t.id AND r.chosen)"
"""Energy of `tracks t`."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What a listed track must be. Bounds are both included; None and "" ask for nothing. `key` is `8A` or `A minor`;
    with `near` what mixes with it is listed too: a fifth up, a fifth down, the key of the same notes."""

    tempo_min: float | None = None
    tempo_max: float | None = None
    key: str = ""
    near: bool = False
    energy_min: float | None = None
    energy_max: float | None = None
    stems: bool | None = None
    genre: str = ""

    def conditions(self, args: list[Any]) -> list[str]:
        """Return conditions on `tracks t`; what they compare with is added to `args`. Raises BadRequest."""
        found: list[str] = []

        def add(condition: str, value: object) -> None:
            args.append(value)
            found.append(condition.format(f"${len(args)}"))

        for text, bound in (
            ("t.bpm >= {}", self.tempo_min), ("t.bpm <= {}", self.tempo_max),
            (f"{ENERGY} >= {{}}", self.energy_min), (f"{ENERGY} <= {{}}", self.energy_max),
        ):  # fmt: skip
            if bound is not None:
                if not math.isfinite(bound):
                    raise BadRequest("A bound is a finite number.")
                add(text, bound)
        if self.key:
            add("t.key = ANY({})", [name(key) for key in self._keys()])
        if self.stems is not None:
            found.append(_HAS_STEMS if self.stems else f"NOT {_HAS_STEMS}")
        if self.genre.strip():
            add("lower(t.genre) = lower({})", self.genre.strip()[:200])
        return found

    def _keys(self) -> list[int]:
        old = _OLD_NAME.fullmatch(self.key.strip())
        key = _PLACES[old[1] + old[2].upper()] if old else number(self.key.strip())
        if key is None:
            raise BadRequest(f"No key is called {self.key[:20]!r}: write 8A or A minor.")
        if not self.near:
            return [key]
        mode = 12 if key >= 12 else 0
        return [key, (key + 7) % 12 + mode, (key + 5) % 12 + mode, relative(key)]


NOTHING: Final = Filter()
"""Lists everything."""
