"""A JACK client with two inputs that writes down what comes, in a process of its own.

    python -m tests.audio.jack_recorder SERVER FILE

JACK cancels the thread of a client that is closed wherever it is. Inside Python it takes the interpreter's lock with
it, and whoever closes the client waits for ever: so the process ends instead.
Owner: the tests that listen at JACK's ports. Lines come in, `outputs` or `connect SOURCE TARGET`, and each is answered
by a line of JSON. FILE gets float32 pairs.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.audio.material import Audio

BLOCK: Final = 128


class Recorder:
    """The client as its tests see it; `file` is where it writes, and is removed at the end."""

    def __init__(self, server: str, file: Path) -> None:
        self._file = file
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.audio.jack_recorder", server, str(file)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._inputs: list[str] = self._answer()

    @property
    def blocks(self) -> list[Audio]:
        """What came so far, float32 (BLOCK, 2) each."""
        sound = np.fromfile(self._file, np.float32)
        whole = len(sound) // (2 * BLOCK)
        return list(sound[: whole * 2 * BLOCK].reshape(whole, BLOCK, 2))

    def listen(self, outputs: list[str]) -> None:
        """Connect a port to each input."""
        for source, target in zip(outputs, self._inputs, strict=True):
            assert self._ask(f"connect {source}\t{target}") is True

    def outputs_of_engine(self) -> list[str]:
        """Return the names of the engine's ports."""
        return [name for name in self._ask("outputs") if not name.startswith(("system", "recorder"))]

    def close(self) -> None:
        """End the client."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the recording client ended"
        return json.loads(line)


def main(server: str, path: str) -> None:
    """Record until killed or left alone."""
    import jack

    blocks: list[bytes] = []
    client = jack.Client("recorder", servername=server, no_start_server=True)
    left, right = client.inports.register("left"), client.inports.register("right")

    def process(frames: int) -> None:
        blocks.append(np.stack((left.get_array(), right.get_array()), 1).tobytes())

    client.set_process_callback(process)
    with Path(path).open("wb", buffering=0) as file:
        client.activate()
        print(json.dumps([left.name, right.name]), flush=True)
        while True:
            if select.select([sys.stdin], [], [], 0.01)[0]:
                line = sys.stdin.readline().rstrip("\n")
                if not line:
                    os._exit(0)  # nobody listens any more; see above
                word, _, rest = line.partition(" ")
                if word == "outputs":
                    print(
                        json.dumps([port.name for port in client.get_ports(is_audio=True, is_output=True)]), flush=True
                    )
                else:
                    client.connect(*rest.split("\t"))
                    print(json.dumps(True), flush=True)
            while blocks:
                file.write(blocks.pop(0))


if __name__ == "__main__":
    main(*sys.argv[1:])
