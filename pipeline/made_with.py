"""What work was made with: versions and parameters, for whoever looks at a job later and wonders.

Owner: nobody; looks at installed packages and imports none.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

_PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "onnx": ("openvino", "onnxruntime", "numpy"),
    "demucs": ("demucs", "torch", "numpy"),
    "spectral": ("scipy", "numpy"),
    "lalalai": ("httpx2",),
    "analysis": ("numba", "scipy", "numpy"),
    "download": ("httpx2",),
}
_NOT_TOLD: Final = ("models_dir", "fake")
"""Options that are of this machine and mean nothing elsewhere."""


def made_with(work: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `work` (an engine, analysis, download) is made with: program, packages, machine, parameters."""
    told = {name: value for name, value in parameters.items() if name not in _NOT_TOLD}
    return {
        "program": _version("sound-forge-alchemy"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: found for name in _PACKAGES.get(work, ()) if (found := _version(name))},
        "parameters": told,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
