"""Open any audio file as a stream of float32 blocks: libsndfile first, FFmpeg (PyAV) for the rest.

Owner: the decoder child; one stream at a time. Never imported by a server or engine process.
Units: frames at the file's rate; samples nominally within +-1, more where the file says so.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import av
import numpy as np
import numpy.typing as npt
import soundfile

from audio.errors import AudioError, NotAudio
from audio.fold import names_for

Float32 = npt.NDArray[np.float32]

BLOCK_FRAMES: Final = 1 << 16

LARGEST_PADDING: Final = 4096
"""Frames that the end of the last AAC packets may have too many."""

_SNDFILE_CODECS: Final = {"MPEG_LAYER_III": "mp3", "MPEG_LAYER_II": "mp2", "MPEG_LAYER_I": "mp1", "VORBIS": "vorbis"}

#: Containers FFmpeg may open. Play lists and the like, which open further files, are not among them.
_CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,aac,mp3,flac,wav,w64,aiff,caf,asf,ac3,eac3,dts,amr,ape,"
    "wv,tta,tak,mpc,mpc8,oma,au,avi,mpeg,mpegts,dsf,iff,adts,loas,truehd,voc,rm"
)


class Stream(Protocol):
    """A file opened for one pass from its first audible frame."""

    rate: int
    channels: int
    codec: str
    #: Names of the channels in FFmpeg's words: FL, FR, FC, LFE...
    layout: tuple[str, ...]
    #: Frames the header promises, None when it does not say.
    promised: int | None
    #: Why the stream ended early; None when it did not.
    fault: str | None

    def blocks(self) -> Iterator[Float32]:
        """Yield float32 (n, channels) until the end, or until the file cannot be read further."""

    def close(self) -> None:
        """Let the file go."""


def open_stream(path: Path) -> Stream:
    """Open `path`. Raises NotAudio with a sentence that names the file."""
    try:
        file = path.open("rb")
    except OSError as fault:
        raise AudioError(f"{path.name} cannot be opened: {fault.strerror}") from fault
    head = file.read(64)
    size = path.stat().st_size
    if not head:
        file.close()
        raise NotAudio(f"{path.name} is empty: it has no bytes at all")
    cut_short = _chunk_promise(head, file, size)
    file.close()
    try:
        return SndfileStream(path, cut_short)
    except (soundfile.SoundFileError, TypeError, ValueError):
        pass
    file = path.open("rb")
    try:
        return FFmpegStream(file)
    except (av.FFmpegError, IndexError, ValueError, EOFError) as fault:
        file.close()
        raise NotAudio(_why(path.name, head, fault)) from fault


def _why(name: str, head: bytes, fault: Exception) -> str:
    if head[4:8] == b"ftyp":
        return f"{name} is not audio that can be decoded: its index is missing or damaged; the file is cut short"
    text = not head.translate(None, bytes(range(32, 127)) + b"\t\r\n") or head[:5].lower() in (b"<!doc", b"<html")
    looks = "it holds text" if text else "no decoder knows what it holds"
    return f"{name} is not audio: {looks}. Choose a WAV, FLAC, MP3, OGG, Opus, AIFF or M4A file"


class SndfileStream:
    """WAV, FLAC, MP3, Ogg Vorbis, AIFF and their relatives. libmpg123 cuts MP3 priming and padding by the LAME tag."""

    def __init__(self, path: Path, cut_short: bool) -> None:
        # By descriptor, since libsndfile believes some file names (.raw) more than what is in the file.
        self._sound = soundfile.SoundFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC), closefd=True)
        kind, subtype = self._sound.format, self._sound.subtype
        if subtype == "OPUS" or (kind == "OGG" and self._sound.channels > 2):
            self._sound.close()
            raise ValueError("FFmpeg decodes this faster, and knows its channel order")
        self.rate, self.channels = self._sound.samplerate, self._sound.channels
        self.codec = _SNDFILE_CODECS.get(subtype, kind.lower() if kind == "FLAC" else subtype.lower())
        self.layout = names_for(self.channels)
        frames = self._sound.frames
        self.promised: int | None = frames if 0 < frames < 1 << 56 else None
        self.fault: str | None = "the file ends before its header says it should" if cut_short else None

    def blocks(self) -> Iterator[Float32]:
        while True:
            try:
                block: Float32 = self._sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as fault:
                self.fault = f"the file cannot be read further: {str(fault).strip()}"
                return
            if not len(block):
                return
            yield block

    def close(self) -> None:
        with contextlib.suppress(soundfile.SoundFileError):
            self._sound.close()


def _chunk_promise(head: bytes, file: BinaryIO, size: int) -> bool:
    """Say whether a RIFF or AIFF header promises more bytes than the file has. Sizes of 0 and ~0 mean `not known`."""
    place, order, tag = 12, "<", b"data"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        order, tag = ">", b"SSND"
    elif head[:4] != b"RIFF":
        return False
    for _ in range(64):
        file.seek(place)
        chunk = file.read(8)
        if len(chunk) < 8:
            return False
        name, length = chunk[:4], struct.unpack(order + "I", chunk[4:])[0]
        if name == tag:
            return bool(0 < length < 0xFFFFFF00 and place + 8 + length > size)
        place += 8 + length + (length & 1)
    return False


class FFmpegStream:
    """Everything else. FFmpeg cuts priming and padding by edit lists, iTunSMPB and Opus pre-skip."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._container: Any = av.open(
            file,
            options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "", "enable_drefs": "0"},
            metadata_errors="replace",
        )
        try:
            self._stream: Any = self._container.streams.audio[0]
            context = self._stream.codec_context
            self.rate = int(context.sample_rate or 0)
            self.channels = int(context.channels or 0)
            self.codec = str(context.name)
            self.layout = tuple(channel.name for channel in context.layout.channels) or names_for(self.channels)
            if not self.rate or not self.channels:
                raise ValueError("no rate or no channels")
        except (IndexError, ValueError):
            self._container.close()
            raise
        self.promised: int | None = None
        if self._stream.duration and self._stream.time_base:
            self.promised = int(self._stream.duration * self._stream.time_base * self.rate)
        # MP4 says by its edit list where the last packet's padding begins.
        self._exact = self.promised if str(self._container.format.name).startswith("mov") else None
        self.fault: str | None = None

    def blocks(self) -> Iterator[Float32]:
        return without_padding(self._decoded(), self._exact)

    def _decoded(self) -> Iterator[Float32]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as fault:
                self.fault = f"the file cannot be read further: {fault.strerror}"
                return
            try:
                frames = packet.decode()
            except EOFError:
                return
            except av.FFmpegError:
                # A damaged packet becomes silence of its length, so that what follows stays in its place.
                self.fault = "a part of the file is damaged and silent"
                lost = int((packet.duration or 0) * packet.time_base * self.rate) if packet.time_base else 0
                if lost:
                    yield np.zeros((min(lost, BLOCK_FRAMES), self.channels), np.float32)
                continue
            for frame in frames:
                yield _samples(frame, self.channels, self.rate)

    def close(self) -> None:
        self._container.close()
        self._file.close()


def without_padding(blocks: Iterator[Float32], length: int | None) -> Iterator[Float32]:
    """Yield `blocks` without what passes `length` by a packet or two; a length that is far off is ignored."""
    done = 0
    held: list[Float32] = []
    for block in blocks:
        if length is None or done + len(block) <= length:
            done += len(block)
            yield block
            continue
        if done < length:
            yield block[: length - done]
            block, done = block[length - done :], length
        held.append(block)
        if sum(map(len, held)) > LARGEST_PADDING:
            length = None
            yield from held
            held = []


def _samples(frame: Any, channels: int, rate: int) -> Float32:
    """Return a decoded frame as float32 (n, channels). Raises AudioError when the format changes inside the file."""
    raw = frame.to_ndarray()
    if len(frame.layout.channels) != channels or frame.sample_rate != rate:
        raise AudioError("the file changes its format in the middle: convert it to WAV and import that")
    audio = raw.T if frame.format.is_planar else raw.reshape(-1, channels)
    if audio.dtype == np.uint8:
        audio = (audio.astype(np.float32) - 128) / 128
    elif audio.dtype.kind == "i":
        audio = audio * (1.0 / float(1 << (audio.dtype.itemsize * 8 - 1)))
    result: Float32 = np.ascontiguousarray(audio, np.float32)
    return result
