"""`python -m audio.decoder`: the child that touches files from outside, so that nobody else has to.

Owner: `audio.importer` in the server, which starts it, asks one thing at a time over its pipes, and starts another
when it dies. Units: bytes for the limit; one MessagePack frame (`audio.wire`) per question and per answer.
"""

import argparse
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

import av
import msgspec

from audio.decode import decode
from audio.errors import AudioError
from audio.flac import FlacReader
from audio.importer import Answer, Decoded, DecodeRequest, Failed, Pcm, PcmRequest, Request
from audio.resample import resampler
from audio.wire import decoder, encode, read_frame, write_frame


def main() -> None:
    """Answer questions on standard input until it closes."""
    parser = argparse.ArgumentParser(prog="python -m audio.decoder")
    parser.add_argument("--memory-limit", type=int, default=0, help="address space in bytes, 0: unlimited")
    options = parser.parse_args()
    _limit(options.memory_limit)
    # Libraries print to descriptor 1; answers go out by a private copy, and prints to standard error.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until `questions` ends."""
    requests = decoder(Request)
    reader = _PcmReader()
    while (body := read_frame(questions)) is not None:
        try:
            request = requests.decode(body)
            answer: Answer = _decode(request) if isinstance(request, DecodeRequest) else reader.read(request)
        except AudioError as fault:
            answer = Failed(type(fault).__name__, str(fault))
        except MemoryError:
            answer = Failed("AudioError", "the file needs more memory than a decode may take")
        except msgspec.DecodeError as fault:
            answer = Failed("AudioError", f"the decoder was asked nonsense: {fault}")
        try:
            write_frame(answers, encode(answer))
        except BrokenPipeError:
            return


def _decode(request: DecodeRequest) -> Decoded:
    soft = request.file_limit_bytes or resource.RLIM_INFINITY
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    return Decoded(decode(Path(request.path), Path(request.out_dir)))


class _PcmReader:
    """Stretches of stored FLACs at another rate; keeps the last file open, since ranges come one after another."""

    def __init__(self) -> None:
        self._key: tuple[str, float, int] | None = None
        self._file: FlacReader | None = None

    def read(self, request: PcmRequest) -> Pcm:
        path = Path(request.path)
        try:
            key = (request.path, request.gain, path.stat().st_mtime_ns)
        except OSError as fault:
            raise AudioError(f"{path.name} cannot be read: {fault.strerror}") from fault
        if key != self._key or self._file is None:
            if self._file is not None:
                self._file.close()
            self._file, self._key = FlacReader(path, request.gain), key
        file = self._file
        if file.rate != request.rate_in:
            raise AudioError(f"{path.name} is at {file.rate} Hz, not at {request.rate_in} Hz")
        try:
            change = resampler(request.rate_in, request.rate_out)
        except ValueError as fault:
            raise AudioError(str(fault)) from fault
        length = change.frames_out(file.frames)
        start = max(0, min(request.start, length))
        stop = max(start, min(request.stop, length))
        return Pcm(change.resample_range(file.read, file.frames, start, stop).astype("<f4").tobytes())


def _limit(memory_bytes: int) -> None:
    """Be small, polite and silent."""
    av.logging.set_level(av.logging.PANIC)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.nice(5)
    if memory_bytes and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    main()
