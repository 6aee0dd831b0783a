"""What may be chosen of a separation beside engine and model: one checked value, from a request to the running model.

Owner: nobody; pure. A job's options hold only what was asked for; a worker's own options fill in the rest.
Units: `segment` in seconds, `overlap` as a share of a segment.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

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


Splitter = Literal["andromeda", "perseus", "orion", "phoenix", "lyra"]
"""Networks of lalal.ai."""

ExtractionLevel = Literal["mild", "normal", "clear_cut", "deep_extraction"]
"""How much lalal.ai takes out."""


class CloudChoices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How lalal.ai works on a track.

    `splitter` is its network; `stems` what `multistem` takes out; `dereverb` takes the room off the voice; `noise` is
    how much `voice_clean` takes away; `voice`, `accent` (how much of the new voice's way of speaking) and `tonality`
    (whose pitch) are of `voice_change`; `preview` works on the first 60 s alone.
    """

    splitter: Literal["auto", Splitter] = "auto"
    extraction_level: ExtractionLevel = "clear_cut"
    dereverb: bool = False
    stems: tuple[Literal["vocals", "drum", "bass", "piano", "electric_guitar", "acoustic_guitar"], ...] = ()
    noise: Annotated[int, Meta(ge=0, le=2)] = 1
    voice: Annotated[str, Meta(min_length=1, max_length=200)] = "ALEX_KAYE"
    accent: Annotated[float, Meta(ge=0, le=1)] = 0.5
    tonality: Literal["source_file", "voice_pack"] = "source_file"
    preview: bool = False


PAID: Final = ("lalalai",)
"""Engines that work elsewhere, for money: never taken without being named, and they wait beside the downloads."""

KINDS: Final[dict[str, type[Choices] | type[CloudChoices]]] = {"lalalai": CloudChoices}
"""Engines whose options are others than those of the models that run here."""

_T = TypeVar("_T", Choices, CloudChoices)


def kind(engine: str) -> type[Choices] | type[CloudChoices]:
    """Return what may be chosen of an engine."""
    return KINDS.get(engine, Choices)


def checked(options: Mapping[str, Any], of: type[Choices] | type[CloudChoices] = Choices) -> dict[str, Any]:
    """Return options of a request as they go into a job. Raises BadOptions for one that is unknown or out of range."""
    names = of.__struct_fields__
    try:
        chosen = msgspec.convert(dict(options), of)
    except msgspec.ValidationError as error:
        raise BadOptions(f"The options do not fit: {error}. There are {', '.join(names)}.") from error
    return {name: msgspec.to_builtins(getattr(chosen, name)) for name in names if name in options}


def read(options: Mapping[str, Any]) -> Choices:
    """Return what was chosen, of options that hold other things too. Raises BadOptions."""
    return _read(options, Choices)


def read_cloud(options: Mapping[str, Any]) -> CloudChoices:
    """Return what was chosen of lalal.ai, of options that hold other things too. Raises BadOptions."""
    return _read(options, CloudChoices)


def _read(options: Mapping[str, Any], of: type[_T]) -> _T:
    known = {name: options[name] for name in of.__struct_fields__ if name in options}
    return msgspec.convert(checked(known, of), of)
