"""`python -m bench.idle_client SERVER NAME`: a JACK client whose compiled callback does nothing, until it is ended.

Owner: `bench.late`: what this client is late, the machine is late.
"""

import sys
from typing import Any

import jack
from numba import cfunc, types


@cfunc(types.int32(types.uint32, types.voidptr))
def nothing(frames: Any, argument: Any) -> int:
    """JackProcessCallback: return at once."""
    return 0


def main() -> None:
    """Take part in the graph until standard input ends."""
    server, name = sys.argv[1:]
    client = jack.Client(name, servername=server, no_start_server=True)
    callback = jack._ffi.cast("JackProcessCallback", nothing.address)
    jack._lib.jack_set_process_callback(client._ptr, callback, jack._ffi.NULL)
    for channel in (1, 2):
        client.outports.register(f"out_{channel}")
    client.activate()
    outputs = client.get_ports(is_audio=True, is_input=True, is_physical=True)[:2]
    for port, target in zip(client.outports, outputs, strict=True):
        port.connect(target)
    print("active", flush=True)
    sys.stdin.read()
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main()
