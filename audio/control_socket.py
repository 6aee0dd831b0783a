"""The engine's unix socket: who may speak, and in which frames.

Owner: the engine's loop. One task a connection; requests of one connection are answered in order.
Units: a frame is a little-endian uint32 length and a MessagePack message (`audio.control_messages`).
"""

import contextlib
from pathlib import Path
from typing import Final

import anyio
import anyio.abc
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from audio.control_messages import Hello, Refused, Request
from audio.engine import Engine
from audio.wire import decoder, encode, framed

LARGEST_REQUEST: Final = 1 << 24

_requests = decoder(Request)


async def listen(path: Path) -> anyio.abc.SocketListener:
    """Open the socket at `path`, for this user only; whatever lay there is removed (the caller holds the lock)."""
    await anyio.Path(path).unlink(missing_ok=True)
    return await anyio.create_unix_listener(path, mode=0o600)


async def serve(listener: anyio.abc.SocketListener, engine: Engine) -> None:
    """Answer every connection until cancelled."""
    async with listener:
        await listener.serve(lambda stream: _converse(stream, engine))


async def _converse(stream: anyio.abc.SocketStream, engine: Engine) -> None:
    received = BufferedByteReceiveStream(stream)
    is_server = False
    try:
        async with stream:
            while True:
                length = int.from_bytes(await received.receive_exactly(4), "little")
                if length > LARGEST_REQUEST:
                    return
                body = await received.receive_exactly(length)
                try:
                    request = _requests.decode(body)
                except msgspec.DecodeError as fault:
                    await stream.send(framed(encode(Refused("AudioError", f"the engine was asked nonsense: {fault}"))))
                    continue
                if isinstance(request, Hello) and not is_server:
                    is_server = True
                    engine.connected()
                answer = await engine.answer(request)
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await stream.send(framed(encode(answer)))
    except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass
    finally:
        if is_server:
            engine.disconnected()
