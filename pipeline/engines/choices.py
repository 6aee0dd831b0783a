"""What may be chosen of a separation beside engine and model: one checked value, from a request to the running model.

Owner: nobody; pure. A job's options hold only what was asked for; a worker's own options fill in the rest.
Units: `segment` in seconds, `overlap` as a share of a segment.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pipeline.errors import BadOptions

LARGEST_OVERLAP: Final = 0.5
"""More than half would put three segments under one frame."""


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a separation runs.

    `segment` 0 is as long as the model was trained for, which is also the longest it takes; `shifts` counts passes over
    the track at different offsets whose mean is taken, 0 and 1 being the plain one.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bf16", "f32"] = "auto"
    backend: Literal["auto", "openvino", "onnxruntime"] = "auto"
    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    segment: Annotated[float, Meta(ge=0, le=60)] = 0.0
    overlap: Annotated[float, Meta(ge=0, le=LARGEST_OVERLAP)] = 0.25
    shifts: Annotated[int, Meta(ge=0, le=10)] = 0


_NAMES: Final = Choices.__struct_fields__


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a request as they go into a job. Raises BadOptions for one that is unknown or out of range."""
    try:
        chosen = msgspec.convert(dict(options), Choices)
    except msgspec.ValidationError as error:
        raise BadOptions(f"The options do not fit: {error}. There are {', '.join(_NAMES)}.") from error
    return {name: getattr(chosen, name) for name in _NAMES if name in options}


def read(options: Mapping[str, Any]) -> Choices:
    """Return what was chosen, of options that hold other things too. Raises BadOptions."""
    known = {name: options[name] for name in _NAMES if name in options}
    return Choices(**checked(known))
