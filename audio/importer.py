"""Decoding for the library: any file to a reference, and references to PCM, in child processes of the server.

Owner: one `Importer` per server; it owns two warm children (one decodes, one serves PCM) and restarts what dies.
The children are niced, bounded in memory, and end when the server does.
Units: seconds; frames at the rate named beside them; bytes.
"""

import contextlib
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import anyio
import anyio.to_thread
import msgspec

from audio import children, errors
from audio.reference import Reference
from audio.wire import decoder, encode, read_frame, write_frame

DEFAULT_TIMEOUT_S: Final = 1800.0
"""A decode that takes longer is stopped. Three hours of audio take about a minute."""

PCM_TIMEOUT_S: Final = 120.0

MEMORY_LIMIT_BYTES: Final = 6 << 30
"""Address space a child may take; a bomb of a file ends the child, not the machine."""


class DecodeRequest(msgspec.Struct, frozen=True, tag="decode"):
    """Decode `path` into `out_dir`."""

    path: str
    out_dir: str
    file_limit_bytes: int = 0


class PcmRequest(msgspec.Struct, frozen=True, tag="pcm"):
    """Give frames [start, stop) at `rate_out` of a stored FLAC."""

    path: str
    gain: float
    rate_in: int
    rate_out: int
    start: int
    stop: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """What a child could not do: `kind` names a class of `audio.errors`."""

    kind: str
    message: str


class Decoded(msgspec.Struct, frozen=True, tag="decoded"):
    """The answer to `DecodeRequest`."""

    reference: Reference


class Pcm(msgspec.Struct, frozen=True, tag="pcm"):
    """The answer to `PcmRequest`: float32 LE, interleaved stereo."""

    data: bytes


Request = DecodeRequest | PcmRequest
Answer = Decoded | Pcm | Failed

_answers: Final = decoder(Answer)


class Importer:
    """Decode files and read references without ever blocking or endangering the server.

    Example:
        importer = Importer()
        await importer.start()
        reference = await importer.decode(Path("song.mp3"), Path("library/tracks/ID"))
        pcm = await importer.pcm(reference.path, reference.gain, reference.rate, 44100, 0, 44100)
    """

    def __init__(self, *, timeout_s: float = DEFAULT_TIMEOUT_S, file_limit_bytes: int = 0) -> None:
        """`timeout_s` bounds one decode; `file_limit_bytes` of 0 leaves the size of references unbounded."""
        self._timeout_s = timeout_s
        self._file_limit_bytes = file_limit_bytes
        self._decoder = _Child("decode")
        self._reader = _Child("pcm")

    async def start(self) -> None:
        """Start the decoding child, so that the first import does not wait for it."""
        await anyio.to_thread.run_sync(self._decoder.warm_up)

    async def close(self) -> None:
        """End the children."""
        for child in (self._decoder, self._reader):
            await anyio.to_thread.run_sync(child.end)

    @property
    def decoder_pid(self) -> int | None:
        """Process id of the decoding child, None while there is none."""
        return self._decoder.pid

    async def decode(self, path: Path, out_dir: Path) -> Reference:
        """Decode `path` and leave `reference.flac` and `waveform.bin` in `out_dir`, both or neither.

        Raises: NotAudio, TooLong, StorageFull, DecodeTimeout, DecoderCrashed, AudioError.
        """
        request = DecodeRequest(str(path), str(out_dir), self._file_limit_bytes)
        was_there = await anyio.to_thread.run_sync(out_dir.exists)
        try:
            answer = await self._decoder.ask(request, self._timeout_s)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_sweep, out_dir, was_there)
            raise
        if not isinstance(answer, Decoded):
            raise errors.DecoderCrashed()
        return answer.reference

    async def pcm(self, reference_path: Path, gain: float, rate_in: int, rate_out: int, start: int, stop: int) -> bytes:
        """Return frames [start, stop) at `rate_out` as raw float32 LE stereo: 8 bytes a frame.

        Any division into ranges gives the same bytes as the whole. Frames past the end are left out.
        Raises: AudioError when the file is missing or broken, DecodeTimeout, DecoderCrashed.
        """
        request = PcmRequest(str(reference_path), gain, rate_in, rate_out, start, stop)
        answer = await self._reader.ask(request, PCM_TIMEOUT_S)
        if not isinstance(answer, Pcm):
            raise errors.DecoderCrashed()
        return answer.data


class _Child:
    """One `python -m audio.decoder`, asked one thing at a time and started again when it is gone."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._turn: anyio.Lock | None = None
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._notes: Any = None

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    async def ask(self, request: Request, timeout_s: float) -> Answer:
        if self._turn is None:
            self._turn = anyio.Lock()
        async with self._turn:
            try:
                with anyio.fail_after(timeout_s):
                    answer = await anyio.to_thread.run_sync(self._exchange, request, abandon_on_cancel=True)
            except TimeoutError as late:
                self.kill()
                raise errors.DecodeTimeout() from late
            except BaseException:
                self.kill()
                raise
        if isinstance(answer, Failed):
            kind = getattr(errors, answer.kind, errors.AudioError)
            raise cast("errors.AudioError", kind(answer.message))
        return answer

    def warm_up(self) -> None:
        with self._guard:
            if self.pid is None:
                self._start()

    def kill(self) -> None:
        """End the child now, whatever it does; the next question starts another."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def end(self) -> None:
        self.kill()
        with self._guard:
            self._forget()

    def _exchange(self, request: Request) -> Answer:
        with self._guard:
            if self.pid is None:
                self._start()
            process = self._process
            assert process is not None and process.stdin is not None and process.stdout is not None
            try:
                write_frame(cast(BinaryIO, process.stdin), encode(request))
                body = read_frame(cast(BinaryIO, process.stdout))
            except OSError:
                body = None
            if body is None:
                status = self._forget()
                name = Path(request.path).name
                raise errors.DecoderCrashed(
                    f"{name} stopped the decoder ({status}): the file is damaged in a way that it does not survive; "
                    "convert it to WAV or FLAC and import that"
                )
            return cast(Answer, _answers.decode(body))

    def _start(self) -> None:
        self._forget()
        self._notes = tempfile.TemporaryFile()  # noqa: SIM115  closed by _forget
        self._process = subprocess.Popen(
            children.command("audio.decoder", f"--memory-limit={MEMORY_LIMIT_BYTES}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._notes,
            env=children.environment(),
        )

    def _forget(self) -> str:
        """Reap the child; return how it ended, with the last line it left."""
        process, self._process = self._process, None
        if process is None:
            return "it was not running"
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            code = process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._notes.seek(max(0, self._notes.seek(0, os.SEEK_END) - 2000))
        lines = self._notes.read().decode(errors="replace").strip().splitlines()
        self._notes.close()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        return f"{how}: {lines[-1]}" if lines else how


def _sweep(out_dir: Path, was_there: bool) -> None:
    """Remove what a decode that did not finish has left in `out_dir`."""
    if not out_dir.is_dir():
        return
    for leftover in out_dir.glob(".*.making"):
        leftover.unlink(missing_ok=True)
    if not was_there:
        with contextlib.suppress(OSError):
            out_dir.rmdir()
