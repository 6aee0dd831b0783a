"""The server's hand on the engine: commands straight into shared memory, everything with a path over a socket.

    send ----------> command ring --+            load, stems, eject,
    snapshot, events, clock <-------+-- engine    status, quit  <----> unix socket
    read_master <--- master ring ---+

Owner: one per server; the newest attached client is the one that may send. Imports no compiler.
Units: frames at the engine rate; decks and slots 0-based; `token` is the caller's name for one load, never 0.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import anyio
import anyio.abc
import anyio.to_thread
import numpy as np
import numpy.typing as npt
from anyio.streams.buffered import BufferedByteReceiveStream

from audio import adoption, errors
from audio.block import Block
from audio.commands import COMMAND, Commands
from audio.control_messages import (
    Answer,
    DeclareStems,
    Eject,
    Hello,
    Load,
    LoadPad,
    LoadTake,
    Quit,
    Refused,
    Request,
    SetGrid,
    Status,
    StatusReport,
    StemRanges,
)
from audio.errors import BlockVersionMismatch, EngineGone, EngineMissing
from audio.rings import BusReader, ClockPair, ClockReader, CommandProducer, EventConsumer, PlaceReader, SnapshotReader
from audio.source import DeckSource, PadSource, Range, StemSource
from audio.take_pass import OpenPass
from audio.taking import Taker
from audio.wire import decoder, encode, framed

_LONGEST_ANSWER = 1 << 24

_answers = decoder(Answer)


class EngineClient:
    """A connection to a running engine.

    `send`, `snapshot`, `events`, `clock` and `read_master` never wait and may be called on an event loop, by one
    thread at a time. The `async` methods share one socket and take turns.
    """

    def __init__(self, runtime_dir: Path, note: adoption.Note, block: Block) -> None:
        self.runtime_dir = runtime_dir
        #: Process id of the engine, and the name of its block in shared memory.
        self.pid = note.pid
        self.segment = note.segment
        self._block = block
        self._commands = CommandProducer(block.kernel["commands"])
        self._events = EventConsumer(block.kernel["events"])
        self._snapshots = SnapshotReader(block.kernel["snapshots"])
        self._clock = ClockReader(block.kernel["clock"])
        self._master = BusReader(block.kernel["master"])
        self._input = BusReader(block.kernel["input"])
        #: Engine rate in Hz and block size in frames, fixed for the engine's life.
        self.rate = int(block.header["rate"][0])
        self.block_frames = int(block.header["block"][0])
        self._socket: anyio.abc.SocketStream | None = None
        self._received: BufferedByteReceiveStream | None = None
        self._turn: anyio.Lock | None = None

    @classmethod
    def attach(cls, runtime_dir: Path) -> "EngineClient":
        """Attach to the engine that runs for `runtime_dir` and take over its command ring.

        Raises: EngineMissing, BlockVersionMismatch.
        """
        note = adoption.find(runtime_dir)
        try:
            block = Block.attach(note.segment)
        except FileNotFoundError as gone:
            raise EngineMissing(f"No engine runs for {runtime_dir}: its memory is gone.") from gone
        return cls(runtime_dir, note, block)

    @property
    def alive(self) -> bool:
        """Whether this engine runs, and not another in its place. Costs some system calls; do not ask per command."""
        note = adoption.read_note(self.runtime_dir)
        return note is not None and note.segment == self.segment and adoption.is_alive(self.runtime_dir)

    def send(self, commands: npt.NDArray[np.void] | Sequence[np.void]) -> None:
        """Put COMMAND records into the ring, all or none. Raises EngineBusy, ProducerReplaced."""
        batch = commands if isinstance(commands, np.ndarray) else np.array(list(commands), COMMAND)
        self._commands.send(cast(Commands, np.atleast_1d(batch)))

    def snapshot(self) -> np.void:
        """Return a copy of the newest SNAPSHOT; all zero before the first block."""
        return self._snapshots.read()

    def events(self) -> npt.NDArray[np.void]:
        """Return the EVENT records since the last call, oldest first. One reader only."""
        return self._events.read()

    def clock(self) -> ClockPair:
        """Return the filtered pair of engine frame and monotonic time."""
        return self._clock.read()

    @property
    def master_cursor(self) -> int:
        """Engine frame up to which the master has been written: where a reader of what comes next begins."""
        return self._master.written

    def read_master(self, cursor: int, limit_frames: int) -> tuple[npt.NDArray[np.float32], int]:
        """Return float32 (n, 2) of the master from engine frame `cursor` on, n <= `limit_frames`, and the next cursor.

        A cursor that fell behind the ring (2.7 s) is moved forward: next cursor - n tells where the audio begins.
        A cursor in the future waits: nothing is returned until the engine gets there.
        """
        if cursor >= self._master.written:
            return np.zeros((0, 2), np.float32), cursor
        return self._master.read(cursor, limit_frames)

    def read_input(self, cursor: int, limit_frames: int) -> tuple[npt.NDArray[np.float32], int]:
        """Return what the device has heard, as `read_master` does; nothing where there is no input."""
        if cursor >= self._input.written:
            return np.zeros((0, 2), np.float32), cursor
        return self._input.read(cursor, limit_frames)

    def input_peak(self, frames: int) -> float:
        """Return the peak of the last `frames` frames that the device has heard; 0 without an input."""
        written = self._input.written
        if written < self.master_cursor - 2 * frames:
            return 0.0
        return float(np.abs(self._input.read(max(0, written - frames), frames)[0]).max(initial=0.0))

    def taker(self, begin: Callable[[int], OpenPass]) -> Taker | None:
        """Return who reads what is played along with the deck that INPUT_TAKE names, from where that began; None
        without an input, or before the engine has heard that command. `begin` as in `Taker`."""
        places, heard = PlaceReader(self._block.kernel["places"]), self._input
        if places.written < self.master_cursor or heard.written < self.master_cursor:
            return None
        return Taker(places, heard, self.rate, places.since, begin)

    async def load(self, deck: int, token: int, source: DeckSource) -> None:
        """Load a track and return when it is on the deck and can sound, at `source.position_s`.

        The deck keeps its fader, trim and stem settings. Raises LoadRefused, StemMissing, OutOfMemory, EngineGone.
        """
        await self._ask(Load(deck, token, source))

    async def declare_stems(self, deck: int, token: int, stems: Sequence[StemSource]) -> None:
        """Name the whole set of stems of a loaded track, before or while they arrive; replaces the set it had.

        With `ranges=()` a stem is announced and nothing of it is there. Ignored when `token` is no longer loaded.
        """
        await self._ask(DeclareStems(deck, token, tuple(stems)))

    async def stem_ranges(
        self,
        deck: int,
        token: int,
        slot: int,
        path: Path,
        ranges: Sequence[Range] | None,
        *,
        gain: float = 1.0,
        label: str = "",
    ) -> None:
        """Tell which stretches (frames at 44.1 kHz, all of them so far; None: the whole) of a stem are in `path`.

        `.part` files are raw float32, others FLAC. Ignored when `token` is no longer loaded.
        """
        given = None if ranges is None else tuple((int(a), int(b)) for a, b in ranges)
        await self._ask(StemRanges(deck, token, slot, str(path), given, gain, label))

    async def set_grid(self, deck: int, token: int, beats: Sequence[float], origin: int = 0) -> None:
        """Give a loaded track its beats, in seconds, and the number of the first downbeat; none: no grid.

        Ignored when `token` is no longer loaded. Raises LoadRefused for beats that do not grow, EngineGone.
        """
        await self._ask(SetGrid(deck, token, tuple(beats), origin))

    async def eject(self, deck: int, token: int = 0) -> None:
        """Empty a deck; with a token, only when the deck still holds it."""
        await self._ask(Eject(deck, token))

    async def load_pad(self, bank: int, pad: int, source: PadSource | None) -> None:
        """Give a pad (both 0-based) a sample and return when it can be hit, or empty it; what it held fades out.

        A pad that holds the source already is left alone. Raises LoadRefused, OutOfMemory, EngineBusy, EngineGone.
        """
        await self._ask(LoadPad(bank, pad, source))

    async def load_take(self, deck: int, token: int, source: PadSource | None) -> None:
        """Let a file that begins with the track play beside the track `token`, up to `stop_s`, or nothing; return when
        it does.

        Ignored when `token` is no longer loaded. Raises LoadRefused, OutOfMemory, EngineBusy, EngineGone.
        """
        await self._ask(LoadTake(deck, token, source))

    async def status(self) -> StatusReport:
        """Return what the engine holds, on which device, and what it has to say."""
        answer = await self._ask(Status())
        if not isinstance(answer, StatusReport):
            raise EngineGone
        return answer

    async def quit(self) -> None:
        """End the engine and return when it has ended. Returns at once when it is gone already."""
        with contextlib.suppress(EngineGone):
            await self._ask(Quit())
        for _ in range(500):
            if not await anyio.to_thread.run_sync(adoption.is_alive, self.runtime_dir):
                break
            await anyio.sleep(0.01)
        await self.aclose()

    async def aclose(self) -> None:
        """Leave the engine, which plays on."""
        socket, self._socket, self._received = self._socket, None, None
        if socket is not None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(socket)

    async def _ask(self, request: Request) -> Answer:
        if self._turn is None:
            self._turn = anyio.Lock()
        async with self._turn:
            try:
                if self._socket is None:
                    await self._connect()
                answer = await self._exchange(request)
            except (OSError, anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead) as lost:
                await self.aclose()
                raise EngineGone from lost
            except BaseException:
                # An answer that nobody waits for would be taken for the next one's.
                await self.aclose()
                raise
        if isinstance(answer, Refused):
            kind = getattr(errors, answer.kind, errors.AudioError)
            raise cast("errors.AudioError", kind(answer.message))
        return answer

    async def _connect(self) -> None:
        self._socket = await anyio.connect_unix(adoption.socket_path(self.runtime_dir))
        self._received = BufferedByteReceiveStream(self._socket)
        await self._exchange(Hello(os.getpid()))

    async def _exchange(self, request: Request) -> Answer:
        assert self._socket is not None and self._received is not None
        await self._socket.send(framed(encode(request)))
        length = int.from_bytes(await self._received.receive_exactly(4), "little")
        if length > _LONGEST_ANSWER:
            raise BlockVersionMismatch
        return cast(Answer, _answers.decode(await self._received.receive_exactly(length)))
