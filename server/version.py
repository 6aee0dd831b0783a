"""The installed version, asked once where it is told to others.

Owner: nobody. Units: none.
"""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """Return the installed version."""
    try:
        return installed("sound-forge-alchemy")
    except PackageNotFoundError:
        return "0+unknown"
