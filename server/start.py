"""`alchemy run` before anything heavy is loaded: the folder's lock, the port, and an engine on its way up.

Owner: the process. The engine and the server need about a second each to load; begun here, they load side by side.
"""

import signal
import socket

from audio.adoption import is_alive
from audio.process import EngineProcess, arguments, spawn
from server.errors import SettingsRejected
from server.lock import data_lock
from server.settings import Settings


def run(settings: Settings) -> int:
    """Run until SIGTERM or Ctrl-C; return the exit status."""
    # Until the server listens to signals itself, SIGTERM unwinds as Ctrl-C does, and ends the engine.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with data_lock(settings.data, settings.runtime):
        listener = listen(settings.host, settings.port)
        engine = _begin_engine(settings)
        try:
            from server.run import serve

            return serve(settings, listener, engine)
        except BaseException:
            if engine is not None:
                engine.end()
            raise


def _begin_engine(settings: Settings) -> EngineProcess | None:
    """Start an engine where none runs, without waiting for it."""
    if is_alive(settings.runtime):
        return None
    log = settings.engine_log
    log.parent.mkdir(parents=True, exist_ok=True)
    return spawn(*arguments(settings.runtime, settings.engine_settings), log=log)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises SettingsRejected with what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsRejected(
            f"{host} port {port} cannot be had ({error.strerror}); choose another with --port, or --port 0 for any"
        ) from error
    listener.listen(1024)
    listener.setblocking(False)
    return listener
