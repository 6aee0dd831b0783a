"""Stem files (`.stem.mp4`): the mix and four stems in one file, for Traktor, Mixxx and other programs that play stems.

    ftyp M4A | mdat | moov > trak 1 (mix, enabled), trak 2 to 5 (stems, disabled) > udta > stem: JSON

Owner: whoever gives the readers. Every stem of ours has a place: guitar and piano are folded into `other`.
Source: Stem File Specification 1.0 (2015-12) and what its readers accept.
Units: float32 (frames, 2), full scale 1.0; frames at the rate given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from pipeline.errors import PermanentFailure
from pipeline.formats.boxes import MOST_MOOV, NotMp4, boxes_in, find, pack, top_boxes, with_child

Float32 = npt.NDArray[np.float32]
Read = Callable[[int, int], Float32]
"""Returns frames start to stop as float32 (stop - start, 2)."""

ORDER: Final = ("drums", "bass", "other", "vocals")
"""The places of a stem file, in the order programs expect."""

COLOURS: Final = {"drums": "#009E73", "bass": "#D55E00", "other": "#CC79A7", "vocals": "#56B4E9"}
_CODECS: Final = {"aac": ("aac", "fltp", 256_000), "alac": ("alac", "s16p", 0)}
_BLOCK: Final = 1 << 14

_MASTERING: Final[dict[str, Any]] = {
    "compressor": {
        "enabled": False, "ratio": 3, "output_gain": 0.5, "release": 0.3, "attack": 0.003, "input_gain": 0.5,
        "threshold": 0, "hp_cutoff": 300, "dry_wet": 50,
    },
    "limiter": {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35},
}  # fmt: skip
"""Players are told to leave the sum of the stems as it is."""


class NotAStemFile(PermanentFailure):
    """This MP4 file holds no stems."""

    code = "not_a_stem_file"


@dataclass(frozen=True, slots=True)
class StemTrack:
    """A stem of a file: its name and colour as written there, and its number among the file's audio streams."""

    name: str
    colour: str | None
    stream: int


def fold(stems: Mapping[str, Read]) -> dict[str, Read]:
    """Return the four places of a stem file, each the sum of ours that belong there; a place may be silent."""
    places: dict[str, list[Read]] = {name: [] for name in ORDER}
    for name, read in stems.items():
        places[name if name in places else "other"].append(read)
    return {name: total(readers) for name, readers in places.items()}


def write_stem_mp4(
    path: Path,
    mix: Read,
    stems: Mapping[str, Read],
    frames: int,
    rate: int,
    codec: str = "aac",
    shown: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Write the mix and the stems (see `fold`) as `path`, made beside it and renamed.

    `shown` has names and colours of stems that were called something where they came from, empty for ours; a place that
    several share has ours.
    `codec` is `aac` (256 kb/s a stem) or `alac` (16 bits, lossless up to that). Raises ValueError for another codec,
    and whatever a reader raises; then nothing is left behind.
    """
    if codec not in _CODECS:
        raise ValueError(f"a stem file is made with {' or '.join(_CODECS)}, not {codec}")
    folded = fold(stems)
    part = path.with_name(path.name + ".part")
    try:
        _encode(part, [mix, *(folded[name] for name in ORDER)], frames, rate, codec)
        _mark(part, _shown(stems, shown or {}))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_stems(path: Path) -> list[StemTrack]:
    """Return the stems a file names, without decoding. Raises NotMp4 or NotAStemFile."""
    moov = _moov(path)
    held = find(moov, b"moov", b"udta", b"stem")
    if held is None:
        raise NotAStemFile
    try:
        told = json.loads(moov[held.body : held.end].rstrip(b"\0"))
        listed = told["stems"]
        if int(told.get("version", 1)) < 1 or not isinstance(listed, list):
            raise NotAStemFile("The stems of this file are described in a way that is not known.")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotAStemFile("What this file says of its stems cannot be read.") from error
    streams = sum(box.kind == b"trak" for box in boxes_in(moov, *_inside(moov)))
    if streams < len(listed) + 1:
        raise NotAStemFile(f"This file names {len(listed)} stems and holds {max(0, streams - 1)}.")
    return [_told(number, entry) for number, entry in enumerate(listed, start=1)]


def stream_places(path: Path) -> list[int]:
    """Return where in the file the name of each stream's box is, for `show_only`. Raises NotMp4."""
    with path.open("rb") as file:
        table = next((box for box in top_boxes(file) if box.kind == b"moov"), None)
    moov = _moov(path)
    assert table is not None
    return [table.start + box.start + 4 for box in boxes_in(moov, *_inside(moov)) if box.kind == b"trak"]


def show_only(path: Path, places: Sequence[int], stream: int) -> None:
    """Make a copy of a stem file show one of its streams to whoever opens it, in place: the others' boxes are named
    free space, which every reader passes over, so that offsets and edit lists stay as they are."""
    with path.open("r+b") as file:
        for number, place in enumerate(places):
            file.seek(place)
            file.write(b"trak" if number == stream else b"free")


def _told(number: int, entry: Any) -> StemTrack:
    given = entry if isinstance(entry, dict) else {}
    name, colour = given.get("name"), given.get("color")
    return StemTrack(
        name if isinstance(name, str) and name.strip() else f"Stem {number}",
        colour if isinstance(colour, str) and len(colour) == 7 and colour.startswith("#") else None,
        number,
    )


def total(readers: Sequence[Read]) -> Read:
    """Return a reader of the sum; of none, silence."""

    def read(start: int, stop: int) -> Float32:
        mixed = np.zeros((stop - start, 2), np.float32)
        for reader in readers:
            mixed += reader(start, stop)
        return mixed

    return read


def _encode(path: Path, readers: Sequence[Read], frames: int, rate: int, codec: str) -> None:
    name, layout, bit_rate = _CODECS[codec]
    with av.open(str(path), "w", format="ipod") as container:
        streams = []
        for _ in readers:
            stream = container.add_stream(name, rate=rate, layout="stereo", format=layout)
            assert isinstance(stream, av.AudioStream)
            if bit_rate:
                stream.bit_rate = bit_rate
            streams.append(stream)
        for start in range(0, frames, _BLOCK):
            stop = min(frames, start + _BLOCK)
            for read, stream in zip(readers, streams, strict=True):
                frame = av.AudioFrame.from_ndarray(_samples(read(start, stop), layout), format=layout, layout="stereo")
                frame.sample_rate = rate
                frame.pts = start
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))


def _samples(block: Float32, layout: str) -> npt.NDArray[Any]:
    """Return the block channel by channel, as the encoder takes it: full scale is where it clips."""
    held = np.clip(block.T, -1.0, 1.0)
    if layout == "fltp":
        return np.ascontiguousarray(held, np.float32)
    return np.ascontiguousarray(np.rint(held * 32767.0), np.int16)


def _shown(stems: Mapping[str, Read], told: Mapping[str, tuple[str, str]]) -> list[dict[str, str]]:
    """Return name and colour of each place."""
    places = []
    for name in ORDER:
        there = [stem for stem in stems if stem == name or (name == "other" and stem not in ORDER)]
        title, colour = told.get(there[0], ("", "")) if len(there) == 1 else ("", "")
        places.append({"name": title or name.capitalize(), "color": colour or COLOURS[name]})
    return places


def _mark(path: Path, places: Sequence[Mapping[str, str]]) -> None:
    """Name the stems in the file's table of contents, and take them off the list of what a plain player plays.

    The table lies behind the media, so that it can grow without moving them.
    """
    told = {
        "version": 1,
        "stems": [dict(place) for place in places],
        "mastering_dsp": _MASTERING,
    }
    with path.open("r+b") as file:
        table = next(box for box in top_boxes(file) if box.kind == b"moov")
        file.seek(table.start)
        moov = file.read(table.end - table.start)
        if file.read(1):
            raise NotMp4("The table of contents does not lie at the end.")
        held = find(moov, b"moov", b"udta")
        beside = moov[held.start : held.end] if held else pack(b"udta", b"")
        marked = with_child(_only_first_enabled(moov), with_child(beside, pack(b"stem", json.dumps(told).encode())))
        file.seek(table.start)
        file.write(marked)
        file.truncate()


def _only_first_enabled(moov: bytes) -> bytes:
    changed = bytearray(moov)
    for number, box in enumerate(b for b in boxes_in(moov, *_inside(moov)) if b.kind == b"trak"):
        header = find(moov, b"tkhd", start=box.body, end=box.end)
        if header is None:
            raise NotMp4("A track has no header.")
        changed[header.body + 1 : header.body + 4] = (1 if number == 0 else 0).to_bytes(3, "big")
    return bytes(changed)


def _moov(path: Path) -> bytes:
    with path.open("rb") as file:
        table = next((box for box in top_boxes(file) if box.kind == b"moov"), None)
        if table is None or table.end - table.start > MOST_MOOV:
            raise NotMp4
        file.seek(table.start)
        return file.read(table.end - table.start)


def _inside(moov: bytes) -> tuple[int, int]:
    head = next(boxes_in(moov))
    return head.body, head.end
