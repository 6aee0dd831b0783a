"""What an analysis brings: checked before it is written, since a worker is a program on perhaps another machine.

Owner: nobody; pure. Units: tempo in BPM, frequencies in Hz.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from server.errors import BadRequest

SCALARS: Final = ("tempo", "energy", "spectral_centroid", "spectral_rolloff", "zero_crossing_rate")
"""Numbers with a column of their own; `key` is one too, as text."""

TIMBRES: Final = 12
"""Numbers that tell a track's timbre: its mean cepstrum but for the first, which is the level."""

_DEEPEST: Final = 12
_LONGEST_KEY: Final = 40


def checked(data: Mapping[str, Any]) -> tuple[dict[str, float | str | None], dict[str, Any]]:
    """Return the values that have columns, and everything as it goes into `features`. Raises BadRequest."""
    _check(data, 0)
    scalars: dict[str, float | str | None] = {}
    for name in SCALARS:
        value = data.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise BadRequest(f"The analysis says {name} is {value!r}, which is no number.")
        scalars[name] = None if value is None else float(value)
    key = data.get("key")
    if key is not None and not (isinstance(key, str) and len(key) <= _LONGEST_KEY):
        raise BadRequest("The analysis names a key that is none.")
    scalars["key"] = key
    return scalars, dict(data)


def timbre(features: Mapping[str, Any]) -> list[float] | None:
    """The short vector by which timbres are compared; None where the analysis has none."""
    found = features.get("mfcc")
    if not isinstance(found, list | tuple) or len(found) != TIMBRES + 1:
        return None
    numbers = [value for value in found[1:] if isinstance(value, int | float) and not isinstance(value, bool)]
    return [round(float(value), 3) for value in numbers] if len(numbers) == TIMBRES else None


def _check(value: Any, depth: int) -> None:
    """Refuse what JSON in the database cannot hold. Raises BadRequest."""
    if depth > _DEEPEST:
        raise BadRequest("The analysis is nested too deep.")
    if isinstance(value, str):
        if "\0" in value:
            raise BadRequest("The analysis holds a text with a zero character.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BadRequest("The analysis holds a number that is not finite.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise BadRequest("The analysis has a name that is no text.")
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1)
    elif value is not None and not isinstance(value, int | bool):
        raise BadRequest(f"The analysis holds {type(value).__name__}, which cannot be written down.")
