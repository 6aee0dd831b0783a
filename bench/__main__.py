"""`make bench`: the numbers of this machine, as ratios or distributions, one section after another.

Owner: the command line. Each section is a module with `main()`; name some on the command line to run only those.
"""

import importlib
import sys
import time
from typing import Final

SECTIONS: Final = ("kernel", "osc", "live", "startup", "stems", "separation", "analysis", "similar")


def main() -> int:
    """Run the sections named, or all; return 1 if one failed."""
    failed = 0
    for name in sys.argv[1:] or SECTIONS:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        try:
            importlib.import_module(f"bench.{name}").main()
        except Exception as error:
            failed += 1
            print(f"   failed: {type(error).__name__}: {error}")
        print(f"   ({time.monotonic() - started:.1f} s)\n", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
