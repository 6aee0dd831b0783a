"""`python -m scripts.pictures [NAME]...`: the pictures of docs/behaviour.md, drawn from what `alchemy render` plays.

Owner: the command line. Each picture is a script of intents on made-up sound, rendered offline; the SVG holds the
samples that came out, so that nothing in it is drawn by hand.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Final

from scripts import pictures_deck, pictures_mixer, pictures_practice
from scripts.charts import PICTURES

DRAWN: Final[Mapping[str, Callable[[], str]]] = {
    **pictures_deck.DRAWN,
    **pictures_mixer.DRAWN,
    **pictures_practice.DRAWN,
}


def main() -> int:
    """Draw the pictures named, or all."""
    for name in sys.argv[1:] or DRAWN:
        path = PICTURES / f"{name}.svg"
        path.write_text(DRAWN[name](), encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
