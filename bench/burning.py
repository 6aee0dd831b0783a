"""`python -m bench.burning ARGUMENTS`: the command `alchemy`, with a thread in its process that computes without pause.

Owner: `bench.late`, which starts the server this way.
"""

import threading

from server.cli import main


def burn() -> None:
    """Hold the interpreter for as long as it lets one thread, again and again."""
    while True:
        sum(range(10_000))


if __name__ == "__main__":
    threading.Thread(target=burn, name="burn", daemon=True).start()
    raise SystemExit(main())
