"""What can be asked of an analysis, by name.

Owner: nobody. Imports nothing, so that whoever only asks loads no analysis.
"""

from typing import Final

FEATURES: Final = (
    "tempo", "key", "energy", "spectral", "mfcc", "chroma", "structure", "chords", "drums", "vocals", "loops", "cues",
    "all",
)  # fmt: skip
"""What can be asked for."""

BASIC: Final = ("tempo", "key", "energy", "spectral")
"""What is done when nothing particular is asked for."""
