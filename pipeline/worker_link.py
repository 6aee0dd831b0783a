"""One job's side of the worker socket: what there is to tell the server, and what the server has told us.

Owner: the thread that runs the job; the client's thread delivers answers under the one condition variable they share.
Units: frames at 44.1 kHz.

Finished stretches go to the spool first and to the socket when there is one. A link knows what was made and what the
server has; the difference is what there is to send, and after a reconnect the server says anew what it has. So a lost
connection costs nothing but the time it is lost, and whatever may have been sent twice does no harm.
"""

import threading
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from pipeline import wire
from pipeline.broker_session import Claim
from pipeline.errors import PipelineError, TransientFailure
from pipeline.pcm import Range, Ranges, chunks, difference, union
from pipeline.worker_spool import Spool

WINDOW: Final = 8
"""Chunks on their way without an answer: 8 MiB at most."""

TRIES: Final = 3
"""How often something is sent again that arrived otherwise than it was made."""

_LOOK_S: Final = 0.5
"""How often a waiting thread looks at what no notification comes for (a claim that was lost)."""


class Dropped(PipelineError):
    """The server wants no more of this job."""

    code = "dropped"


class Lost(PipelineError):
    """The queue has given this job to another worker."""

    code = "lost"


class Stopping(PipelineError):
    """The worker is stopping; the job goes back to the queue."""

    code = "stopping"


class NotYet(PipelineError):
    """The server wants this job done at another moment."""

    code = "not_yet"

    def __init__(self, after_s: float, alone: bool) -> None:
        super().__init__(f"not for {after_s} s")
        self.after_s = after_s
        self.alone = alone


class Refused(TransientFailure):
    """The server refused what the worker sent."""

    code = "refused"


class Wire(Protocol):
    """The client, as a link uses it. Everything but `send` is guarded by `changed`."""

    changed: threading.Condition
    stopping: threading.Event

    def send(self, message: wire.WorkerMessage) -> bool:
        """Send now; False when there is no connection or it went away meanwhile."""

    def number(self, link: "JobLink") -> int:
        """Return a number for a message that wants an answer, which will be handed to `link`."""


@dataclass(slots=True)
class StemOut:
    """A stem on its way: everything made, what of it waits to be sent, and what the server has."""

    rate: int
    frames: int
    made: list[Range] = field(default_factory=list)
    unsent: deque[Range] = field(default_factory=deque)
    there: Ranges = ()
    tries: int = 0

    def begin_again(self, there: Ranges) -> None:
        """Take the server's word for what it has, and send the rest."""
        self.there = there
        self.unsent = deque(piece for piece in self.made if difference((piece,), there))


class JobLink:
    """What the thread that runs a job talks to."""

    def __init__(
        self, client: Wire, job: str, claim: Claim, spool: Spool, *, handed: bool = False, alone: bool = False
    ) -> None:
        self.job = job
        self.claim = claim
        self.spool = spool
        self._wire = client
        self._begun = False
        self._handed = handed
        self._alone = alone
        self._later: NotYet | None = None
        self._have: dict[str, Ranges] = {}
        self._ended: set[str] = set()
        self._focus: tuple[int, ...] = ()
        self._dropped: str | None = None
        self._refused: str | None = None
        self._stems: dict[str, StemOut] = {}
        self._flying: dict[int, tuple[str, Range]] = {}
        self._begin_number = 0
        self._waiting_for = 0
        self._answer: wire.Ack | wire.Error | None = None

    # -- for the job -------------------------------------------------------------------------------------------------

    def cancelled(self) -> bool:
        """Whether to give up, for whatever reason; `check` says which. Cheap, waits for nothing."""
        return (
            self._dropped is not None
            or self._later is not None
            or self._refused is not None
            or self.claim.lost.is_set()
            or self._wire.stopping.is_set()
        )

    def check(self) -> None:
        """Raise Dropped, NotYet, Lost, Refused or Stopping when the work is to be given up."""
        if self._dropped is not None:
            raise Dropped(self._dropped)
        if self._later is not None:
            raise self._later
        if self.claim.lost.is_set():
            raise Lost
        if self._refused is not None:
            raise Refused(self._refused)
        if self._wire.stopping.is_set():
            raise Stopping

    def focus(self) -> tuple[int, ...] | None:
        """Return where the playheads are; None when no deck holds the track."""
        return self._focus or None

    def wait_begun(self) -> None:
        """Wait until the server has said go. Raises as `check`."""
        with self._wire.changed:
            self._wait(lambda: self._begun)

    def progress(self, percent: int, stage: str) -> None:
        """Say how far the job is. Not kept: without a connection nobody hears it."""
        self._wire.send(wire.Progress(self.job, max(0, min(100, percent)), stage))

    def note(self, about: Mapping[str, Any] | None = None, line: str = "") -> None:
        """Say what the attempt is made with, or a line about it. Not kept: without a connection nobody hears it."""
        self._wire.send(wire.Note(self.job, dict(about or {}), (line,) if line else ()))

    def open_stems(self, stems: tuple[str, ...], rate: int, frames: int) -> Ranges:
        """Announce the stems; what the spool has of them goes along.

        Return the stretches that are made already for all stems and need no second making. Raises as `check`, Refused.
        """
        done: Ranges = ((0, frames),)
        for stem in stems:
            self._stems[stem] = StemOut(rate, frames, list(chunks(self.spool.ranges(stem), wire.MAX_CHUNK_FRAMES)))
            self._announce(stem)
            if stem not in self._ended:
                done = difference(done, difference(done, self.spool.ranges(stem)))
        self._flush()
        return done

    def push(self, stem: str, offset: int, raw: bytes) -> None:
        """Keep a finished stretch, and send what there is a connection for. Raises DiskFull, Refused, as `check`."""
        if stem in self._ended:
            return
        stretch = self.spool.write(stem, offset, raw)
        pieces = list(chunks((stretch,), wire.MAX_CHUNK_FRAMES))
        with self._wire.changed:
            self._stems[stem].made.extend(pieces)
            self._stems[stem].unsent.extend(pieces)
        self._flush()

    def end_stems(self) -> None:
        """Deliver all that is missing and have every stem sealed. Raises Refused, as `check`."""
        for stem in self._stems:
            while stem not in self._ended:
                self._flush(until_there=stem)
                out = self._stems[stem]
                if difference(((0, out.frames),), out.there):
                    raise TransientFailure(f"The separation left gaps in {stem}.")
                sha256 = self.spool.file(stem).sha256(out.frames)
                answer = self._ask(partial(self._stem_end, stem, sha256))
                if isinstance(answer, wire.Error):
                    self._try_again(stem, answer)
                else:
                    self._ended.add(stem)

    def result(self, data: dict[str, Any]) -> None:
        """Hand in the result and wait until it is committed. Raises Refused, as `check`."""
        self._must(self._ask(lambda seq: wire.Result(seq, self.job, data)))

    def leave(self) -> None:
        """Say that the job goes back to its broker. Not kept: without a connection the server takes it for a death."""
        self._wire.send(wire.Left(self.job))

    def failed(self, message: str, transient: bool, code: str) -> None:
        """Hand in why the attempt failed and wait until it is committed. Raises Refused, as `check`."""
        with self._wire.changed:
            self._refused = None if self._begun else self._refused
        self._must(self._ask(lambda seq: wire.Failed(seq, self.job, message, transient, code)))

    # -- within ------------------------------------------------------------------------------------------------------

    def _stem_end(self, stem: str, sha256: str, seq: int) -> wire.StemEnd:
        return wire.StemEnd(seq, self.job, stem, sha256)

    def _announce(self, stem: str) -> None:
        out = self._stems[stem]
        answer = self._must(self._ask(lambda seq: wire.StemBegin(seq, self.job, stem, out.rate, out.frames)))
        with self._wire.changed:
            self._hear_have(answer)
            out.begin_again(self._of_ours(stem))

    def _of_ours(self, stem: str) -> Ranges:
        """Return what the server has of a stem and the spool has too; the rest came from elsewhere and is replaced."""
        ours = self.spool.ranges(stem)
        return difference(ours, difference(ours, self._have.get(stem, ())))

    def _try_again(self, stem: str, error: wire.Error) -> None:
        """A stem arrived otherwise than it was made: the server has thrown it away, send it again."""
        out = self._stems[stem]
        out.tries += 1
        if out.tries >= TRIES:
            self.spool.forget(stem)
            raise Refused(error.message)
        self._announce(stem)

    def _flush(self, until_there: str | None = None) -> None:
        """Send what waits. With `until_there` wait for a connection and until the server has all of that stem."""
        changed = self._wire.changed
        while True:
            self.check()
            with changed:
                if not self._begun:
                    if until_there is None:
                        return
                    self._wait(lambda: self._begun)
                if len(self._flying) >= WINDOW:
                    changed.wait(_LOOK_S)
                    continue
                piece = self._next_piece()
                if piece is None:
                    if until_there is None or not any(stem == until_there for stem, _ in self._flying.values()):
                        return
                    changed.wait(_LOOK_S)
                    continue
                stem, (start, stop) = piece
                number = self._wire.number(self)
                self._flying[number] = piece
            raw = self.spool.file(stem).read(start, stop)
            self._wire.send(wire.StemChunk(number, self.job, stem, self._stems[stem].rate, start, zlib.crc32(raw), raw))

    def _next_piece(self) -> tuple[str, Range] | None:
        """Take the next stretch to send, from the stem with most waiting, so that stems arrive abreast."""
        waiting = [name for name, out in self._stems.items() if out.unsent and name not in self._ended]
        if not waiting:
            return None
        stem = max(waiting, key=lambda name: len(self._stems[name].unsent))
        return stem, self._stems[stem].unsent.popleft()

    def _ask(self, build: Callable[[int], wire.WorkerMessage]) -> wire.Ack | wire.Error:
        """Send a message and wait for its answer, again after every reconnect. Raises as `check`."""
        changed = self._wire.changed
        while True:
            with changed:
                self._wait(lambda: self._begun)
                number = self._waiting_for = self._wire.number(self)
                self._answer = None
            self._wire.send(build(number))
            with changed:
                self._wait(lambda: self._answer is not None or not self._begun)
                if self._answer is not None:
                    answer, self._answer = self._answer, None
                    return answer

    def _wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.check()
            self._wire.changed.wait(_LOOK_S)

    @staticmethod
    def _must(answer: wire.Ack | wire.Error) -> wire.Ack:
        if isinstance(answer, wire.Error):
            raise Refused(answer.message)
        return answer

    # -- for the client's thread, under `changed` ---------------------------------------------------------------------

    def connected(self) -> wire.Begin:
        """Return the first word of this job on a new connection."""
        self._begin_number = self._wire.number(self)
        return wire.Begin(
            self._begin_number, self.job, self.claim.message_id, self.claim.claim, self._handed, self._alone
        )

    def disconnected(self) -> None:
        """Whatever was on its way may be lost."""
        self._begun = False
        self._flying.clear()

    def answered(self, message: wire.Ack | wire.Error) -> None:
        """Take the answer to one of this link's messages."""
        if message.seq == self._begin_number:
            if isinstance(message, wire.Error):
                self._refused = message.message
                return
            self._have, self._ended = {}, set()
            self._hear_have(message)
            self._focus = message.focus
            for stem, out in self._stems.items():
                out.begin_again(self._of_ours(stem))
            self._begun = True
        elif message.seq in self._flying:
            stem, piece = self._flying.pop(message.seq)
            out = self._stems[stem]
            if isinstance(message, wire.Ack):
                out.there = union((*out.there, piece))
            else:
                out.tries += 1
                if out.tries >= TRIES:
                    self._refused = message.message
                out.unsent.appendleft(piece)
        elif message.seq == self._waiting_for:
            self._answer = message

    def wait(self, after_s: float, alone: bool) -> None:
        """The server wants this job done at another moment."""
        self._later = NotYet(after_s, alone)

    def drop(self, reason: str) -> None:
        """The server wants no more of this job."""
        self._dropped = reason

    def look_at(self, frames: tuple[int, ...]) -> None:
        """The playheads have moved."""
        self._focus = frames

    def _hear_have(self, ack: wire.Ack) -> None:
        self._have.update(ack.have)
        self._ended.update(ack.ended)
