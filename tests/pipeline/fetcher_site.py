"""Programs that stand for spotdl and yt-dlp: they say what the real ones were heard to say, then end as those do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from pipeline.fetcher import Environment, Note

_PROGRAM = """#!{python}
import json, os, pathlib, sys, time
here = pathlib.Path(__file__).parent
with open(here / "{name}.asked", "a") as asked:
    asked.write(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid()}}) + "\\n")
out = sys.stdout.buffer
{body}
"""

URL = "https://music.youtube.com/watch?v=dQw4w9WgXcQ"

PLACE = "folder = pathlib.Path(sys.argv[sys.argv.index('--paths') + 1]); folder.mkdir(exist_ok=True)\n"

GOOD = (
    PLACE
    + r"""
out.write(b"[youtube] Extracting URL: https://www.youtube.com/watch?v=dQw4w9WgXcQ\n")
out.write(b'@info {"title": "A / Song", "artist": null, "track": null, "playlist_count": null}\n')
for done in (0, 250000, 500000, 1000000):
    out.write(b"@progress %d 1000000 NA\n" % done); out.flush()
(folder / "audio.webm").write_bytes(b"sound")
"""
)

HANGS = r"""
import subprocess
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(here / "grandchild").write_text(str(grandchild.pid))
out.write(b"@progress 1 1000000 NA\n"); out.flush()
time.sleep(600)
"""


def says(*lines: str, status: int = 1) -> str:
    """Return what to do for a program that only talks."""
    return (
        "".join(f"out.write({line.encode() + bytes([10])!r})\n" for line in lines) + f"out.flush(); sys.exit({status})"
    )


def environment(folder: Path, *, spotdl: str = "", yt_dlp: str = GOOD) -> Environment:
    """Make an environment of programs that do this."""
    made = Environment(folder / "fetcher")
    made.bin.mkdir(parents=True, exist_ok=True)
    for name, body in (("spotdl", spotdl or says(URL, status=0)), ("yt-dlp", yt_dlp)):
        (made.bin / name).write_text(_PROGRAM.format(python=sys.executable, name=name, body=body), encoding="utf-8")
        (made.bin / name).chmod(0o755)
    (made.folder / "installed.json").write_bytes(msgspec.json.encode(Note("4.6.0", "2026.10.26")))
    return made


def asked(made: Environment, name: str) -> list[dict[str, object]]:
    """Return how a program was called, first to last."""
    try:
        return [json.loads(line) for line in (made.bin / f"{name}.asked").read_text().splitlines()]
    except FileNotFoundError:
        return []
