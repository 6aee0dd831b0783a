"""The names of the DAW profiles that come with the program; each is a file in `control/profiles/`.

Owner: nobody. A leaf of its own, since the registry lists them and the profiles need the registry.
"""

from typing import Final

NAMES: Final = ("ableton", "reaper")
