"""`make bench`: the numbers of this machine, as ratios or distributions, one section after another.

    python -m bench [SECTION [NUMBER]]...

Owner: the command line. Each section is a module with `main()`; name some on the command line to run only those. A
number after a name goes to that section (minutes, for `late` and `nulls`).
"""

import importlib
import sys
import time
from collections.abc import Sequence
from typing import Final

SECTIONS: Final = (
    "kernel", "stretch", "nulls", "osc", "live", "late", "startup", "stems", "separation", "analysis", "similar",
    "page", "pages", "revival",
)  # fmt: skip


def main() -> int:
    """Run the sections named, or all; return 1 if one failed."""
    failed = 0
    for name, numbers in _asked(sys.argv[1:] or SECTIONS):
        print(f"== {name}", flush=True)
        started = time.monotonic()
        try:
            importlib.import_module(f"bench.{name}").main(*numbers)
        except Exception as error:
            failed += 1
            print(f"   failed: {type(error).__name__}: {error}")
        print(f"   ({time.monotonic() - started:.1f} s)\n", flush=True)
    return int(failed > 0)


def _asked(words: Sequence[str]) -> list[tuple[str, list[float]]]:
    asked: list[tuple[str, list[float]]] = []
    for word in words:
        try:
            number = float(word)
        except ValueError:
            asked.append((word, []))
        else:
            asked[-1][1].append(number)
    return asked


if __name__ == "__main__":
    raise SystemExit(main())
