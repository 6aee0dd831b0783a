"""Routes of MIDI: ports, mappings, learning, and what was heard last.

Owner: one request each. Units: none.
"""

from __future__ import annotations

from typing import Final

from server.http import shapes
from server.http.table import Call, Row
from server.surfaces.midi_desk import MidiHeard, MidiOverview, MidiTable, MidiTaken


class MidiNamed(shapes.Strict, frozen=True):
    """A mapping by its name."""

    name: str


class MidiAfter(shapes.Strict, frozen=True):
    """Messages after this one."""

    after: int = 0


class MidiFile(shapes.Strict, frozen=True):
    """A mapping from elsewhere: TOML of ours, or Mixxx's XML. `match`: a pattern of port names, for Mixxx's only."""

    file: str
    text: str
    match: str = ""


class MidiForget(shapes.Strict, frozen=True):
    """One line of the mapping on a port."""

    port: str
    source: str
    path: str
    on: str = "press"
    layer: str = ""


class MidiChoice(shapes.Strict, frozen=True):
    """Whether a device is heard, and where its feedback goes: "" its own output, "none", or a port's name."""

    device: str
    hear: bool = True
    output: str = ""


class MidiUndone(shapes.Strict, frozen=True):
    """What was taken back."""

    undone: str


async def start_learn(call: Call) -> None:
    call.services.midi.start_learn(call.input(shapes.Learn).path)


async def stop_learn(call: Call) -> None:
    call.services.midi.cancel_learn()


async def overview(call: Call) -> MidiOverview:
    return call.services.midi.overview()


async def mapping(call: Call) -> MidiTable:
    asked: MidiNamed = call.query
    return call.services.midi.table(asked.name)


async def take_mapping(call: Call) -> MidiTaken:
    asked = call.input(MidiFile)
    if asked.file.lower().endswith(".js"):
        return await call.services.midi.take_script(asked.file, asked.text)
    return call.services.midi.take(asked.file, asked.text, asked.match)


async def forget(call: Call) -> MidiOverview:
    asked = call.input(MidiForget)
    call.services.midi.forget(asked.port, asked.source, asked.path, asked.on, asked.layer)
    return call.services.midi.overview()


async def undo(call: Call) -> MidiUndone:
    return MidiUndone(call.services.midi.undo())


async def choose(call: Call) -> None:
    asked = call.input(MidiChoice)
    await call.services.midi.choose(asked.device, asked.hear, asked.output)


async def heard(call: Call) -> list[MidiHeard]:
    asked: MidiAfter = call.query
    return call.services.midi.heard(asked.after)


ROWS: Final = (
    Row("GET", "/api/midi", overview, "MIDI ports and mappings", MidiOverview, tag="midi"),
    Row("POST", "/api/midi/learn", start_learn, "Wait for a knob to learn", body=shapes.Learn, status=204, tag="midi"),
    Row("DELETE", "/api/midi/learn", stop_learn, "Stop waiting for a knob", status=204, tag="midi"),
    Row("GET", "/api/midi/mapping", mapping, "One mapping, and its file", MidiTable, query=MidiNamed, tag="midi"),
    Row("POST", "/api/midi/mapping", take_mapping, "Take in a mapping file", MidiTaken, MidiFile, tag="midi"),
    Row("POST", "/api/midi/forget", forget, "Take a line out of a mapping", MidiOverview, MidiForget, tag="midi"),
    Row("POST", "/api/midi/undo", undo, "Take back the last change of a mapping", MidiUndone, tag="midi"),
    Row("POST", "/api/midi/port", choose, "Choose what becomes of a device", body=MidiChoice, status=204, tag="midi"),
    Row(
        "GET",
        "/api/midi/heard",
        heard,
        "The last messages in words",
        list[MidiHeard],
        query=MidiAfter,
        rate="file",
        tag="midi",
    ),
)
