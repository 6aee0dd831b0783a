"""`python -m audio`: the engine process. With `--standby` it gets ready and waits for its order on standard input.

    python -m audio --runtime-dir DIR [--audio auto|null|NAME] [--input auto|NAME] [--block 128] [--channels 0]
                    [--rate 48000] [--memory-mib N]
                    [--parent-pid PID]
    python -m audio --standby        then one line on standard input: a JSON list of the arguments above

Owner: the process. Units: block in frames, rate in Hz. It has a session of its own, so Ctrl-C in a terminal does not
reach it; SIGTERM and the `quit` request end it. Exit status: 0 ended, 1 could not start, 3 another engine runs.
"""

import argparse
import gc
import json
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from audio.errors import AudioError, EngineRunning
from audio.filler_link import FillerLink
from audio.settings import AudioSettings

SWITCH_INTERVAL_S: Final = 0.0002
"""With Python's own 5 ms a request waits up to 10 ms behind a busy thread; with this, under one."""

NO_FOLDER: Final = "--runtime-dir is missing: say which folder the engine's socket shall be in"


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    defaults = AudioSettings()
    made = argparse.ArgumentParser(prog="python -m audio", description="The audio engine of Sound Forge Alchemy.")
    made.add_argument("--runtime-dir", type=Path, help="folder for the lock, the socket and the note")
    made.add_argument("--audio", default=defaults.device, help="auto, null, or part of a device's name")
    made.add_argument("--input", default=defaults.source, help="what is heard: auto, or part of a device's name")
    made.add_argument("--block", type=int, default=defaults.block, help="frames per block")
    made.add_argument("--channels", type=int, default=defaults.channels, help="output channels, 0: what the device has")
    made.add_argument("--rate", type=int, default=defaults.rate, help="engine rate in Hz")
    made.add_argument("--memory-mib", type=int, default=defaults.memory_mib, help="memory for decks, 0: by the machine")
    made.add_argument("--orphan-s", type=float, default=defaults.orphan_s, help="seconds without a server")
    made.add_argument("--parent-pid", type=int, default=0, help="end when this process does")
    made.add_argument("--standby", action="store_true", help="get ready, then wait for arguments on standard input")
    return made


def _load() -> ModuleType:
    """Return `audio.run`, with the compiler loaded the quick way first."""
    import audio.compiler  # noqa: F401
    from audio import run

    return run


def main() -> int:
    """Run until told to end; return the exit status."""
    options = parser().parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid") and os.getpid() != os.getsid(0):
        os.setsid()
    if options.runtime_dir is None and not options.standby:
        print(NO_FOLDER, file=sys.stderr)
        return 1
    # The filler and the compiler take a second each to load: side by side, since nothing sounds before both are there.
    filler = FillerLink()
    run = _load()
    if options.standby:
        run.warm_up()
        print("standby", flush=True)
        order = sys.stdin.readline()
        if not order.strip():
            return 0
        options = parser().parse_args(json.loads(order))
        if options.runtime_dir is None:
            print(NO_FOLDER, file=sys.stderr)
            return 1
    try:
        settings = AudioSettings(
            device=options.audio,
            source=options.input,
            block=options.block,
            channels=options.channels,
            rate=options.rate,
            memory_mib=options.memory_mib,
            orphan_s=options.orphan_s,
        )
        gc.freeze()
        run.run(options.runtime_dir, settings, filler, parent_pid=options.parent_pid)
    except ValueError as fault:
        print(fault, file=sys.stderr)
        return 1
    except EngineRunning as fault:
        print(fault, file=sys.stderr)
        return 3
    except AudioError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of a device driver that hangs must not keep the process.
    os._exit(status)
