"""The live socket's language: MessagePack maps with a `type` key, between the server and every page.

Owner: whoever built the message; all are frozen. `web/src/protocol.ts` is generated from this file.
Units: positions and times in seconds, levels as linear gain; `rev` counts the show's revisions.
Unknown fields are ignored on both ends; an unknown `type` is answered with an error.
"""

from typing import Final

import msgspec

PROTOCOL_VERSION: Final = 1
"""Version both ends name in `hello` and `welcome`; it grows when a message changes meaning."""

Value = bool | int | float | str
"""What a control holds."""


class _FromClient(msgspec.Struct, frozen=True, tag_field="type"):
    """A message a page sends. `id` comes back in the answer, when there is one."""


class Hello(_FromClient, frozen=True, tag="hello"):
    """First message of a page."""

    protocol: int
    client: str = "page"


class Set(_FromClient, frozen=True, tag="set"):
    """Set a control, at once or at engine frame `at`."""

    path: str
    value: Value
    id: int = 0
    at: int | None = None


class Trigger(_FromClient, frozen=True, tag="trigger"):
    """Press a trigger."""

    path: str
    id: int = 0
    at: int | None = None


class Subscribe(_FromClient, frozen=True, tag="subscribe"):
    """Choose what else to hear: any of `meters`, `jobs`, `audio`. Replaces the earlier choice."""

    topics: list[str]
    id: int = 0


class Ping(_FromClient, frozen=True, tag="ping"):
    """Ask for a pong; `sent` is the page's clock and comes back untouched."""

    sent: float
    id: int = 0


ClientMessage = Hello | Set | Trigger | Subscribe | Ping


class EngineStatus(msgspec.Struct, frozen=True):
    """How the engine is; `device` names what plays, `rate` in Hz, `block` in frames."""

    running: bool
    device: str
    rate: int
    block: int
    load: float
    late_blocks: int
    latency_ms: float


class DeckMeters(msgspec.Struct, frozen=True):
    """One deck's telemetry. `stems` are peaks by stem name; `beat` counts from the first downbeat, `tempo` is in beats
    a minute (0 without a grid), `phase` in beats ahead of the leader; `loudness` is short-term, in LUFS."""

    position: float
    rate: float
    playing: bool
    level: float
    stems: dict[str, float]
    beat: float = 0.0
    tempo: float = 0.0
    phase: float = 0.0
    rms: float = 0.0
    loudness: float = -70.0


class _FromServer(msgspec.Struct, frozen=True, tag_field="type"):
    """A message the server sends."""


class Welcome(_FromServer, frozen=True, tag="welcome"):
    """The whole show: first answer to `hello`, and again whenever a slow page has missed changes."""

    protocol: int
    version: str
    rev: int
    controls: dict[str, Value]
    engine: EngineStatus


class State(_FromServer, frozen=True, tag="state"):
    """Controls that changed; sent to every page, the one that asked included."""

    rev: int
    changes: dict[str, Value]


class Meters(_FromServer, frozen=True, tag="meters"):
    """Telemetry, at most 30 a second. `frame` is the engine's clock; loudness of the master in LUFS; `step` is the
    sequencer's, from 1, 0 while it stands; `next_s` and `next_beats` are left until the setlist goes on, -1 where
    nobody knows; `input` is the peak of what the device hears."""

    frame: int
    decks: list[DeckMeters]
    master: list[float]
    limiter_db: float
    engine: EngineStatus
    master_rms: list[float] = []
    loudness: float = -70.0
    momentary: float = -70.0
    recorded_s: float = 0.0
    step: int = 0
    next_s: float = -1.0
    next_beats: float = -1.0
    input: float = 0.0


class JobChanged(_FromServer, frozen=True, tag="job"):
    """A job moved. `progress` 0 to 100; `error` says what to do when it failed."""

    id: str
    kind: str
    track_id: str
    status: str
    progress: int
    stage: str = ""
    error: str | None = None


class BatchChanged(_FromServer, frozen=True, tag="batch"):
    """A batch of jobs moved on. `progress` 0 to 100 of all of it; the counts are of jobs."""

    id: str
    title: str
    status: str
    progress: int
    total: int
    completed: int
    failed: int
    cancelled: int
    running: int


class LibraryChanged(_FromServer, frozen=True, tag="library"):
    """A track was added, changed or removed; `marks` where only its grid or its cues were set anew."""

    track_id: str
    change: str


class PlaylistChanged(_FromServer, frozen=True, tag="playlist"):
    """A playlist was made, renamed, filled, put in another order or removed."""

    playlist_id: str


class PeersChanged(_FromServer, frozen=True, tag="peers"):
    """An OSC sender knocked, was allowed, was blocked or went away."""

    peers: list["Peer"]


class Peer(msgspec.Struct, frozen=True):
    """An OSC sender. `status` is waiting, allowed or blocked; `trouble` is flood, garbage or nothing."""

    address: str
    status: str
    messages: int
    trouble: str = ""


class LearnChanged(_FromServer, frozen=True, tag="learn"):
    """MIDI learn: `path` waits for a control to be moved, or was mapped to `source` of `device`."""

    path: str
    state: str
    device: str = ""
    source: str = ""


class StemsReady(_FromServer, frozen=True, tag="ready"):
    """Where all stems of a track can be heard: stretches in seconds, in order, none touching another."""

    track_id: str
    ranges: list[tuple[float, float]]


class Notice(_FromServer, frozen=True, tag="notice"):
    """Something the performer should know. `level` is info, warning or error."""

    level: str
    code: str
    message: str
    path: str = ""


class Error(_FromServer, frozen=True, tag="error"):
    """A message was refused and changed nothing; `answers` is its id."""

    code: str
    message: str
    answers: int = 0
    path: str = ""


class Pong(_FromServer, frozen=True, tag="pong"):
    """Answer to a ping. `frame` is the engine's clock."""

    sent: float
    frame: int
    id: int = 0


class AudioBlock(_FromServer, frozen=True, tag="audio"):
    """The master, for pages that listen. `pcm` is interleaved stereo float32, little-endian."""

    frame: int
    rate: int
    pcm: bytes


ServerMessage = (
    Welcome
    | State
    | Meters
    | JobChanged
    | BatchChanged
    | LibraryChanged
    | PlaylistChanged
    | PeersChanged
    | LearnChanged
    | StemsReady
    | Notice
    | Error
    | Pong
    | AudioBlock
)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(ClientMessage)


def encode(message: ServerMessage) -> bytes:
    """Return the wire form of `message`."""
    return _encoder.encode(message)


def decode(data: bytes) -> ClientMessage:
    """Return the message a page sent. Raises msgspec.DecodeError, of which ValidationError is one."""
    message: ClientMessage = _decoder.decode(data)
    return message
