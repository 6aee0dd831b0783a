"""From play on a track that was never separated to stems at the playhead, and whether they stay ahead of it.

Owner: the command line. The program separates with whatever `auto` finds here. Units: seconds.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

from pipeline.songs import SONGS, write_song
from tests.end_to_end.listening import Page
from tests.end_to_end.program import Program, until


def main() -> int:
    """Print the waiting time, warm, and the smallest lead that the stems had over the playhead."""
    with tempfile.TemporaryDirectory() as folder, Program(Path(folder) / "data") as program:
        until("workers", lambda: program.http.get("/health").json()["checks"]["workers"]["status"] == "ok")
        time.sleep(10.0)  # a program that has just started is not what a performer plays on
        for song in SONGS:
            track = program.upload(write_song(Path(folder) / song.title, song).mix)
            until("the analysis", partial(_analysed, program, track["id"]))
            program.load(1, track["id"])
            begun = time.monotonic()
            program.set("/deck/1/play", 1)
            with Page(program) as page:
                waited, lead = None, float("inf")
                while True:
                    ready = page.hear("ready", patience_s=60.0, track_id=track["id"])
                    position = program.control("/deck/1/position")
                    ahead = [stop - position for start, stop in ready["ranges"] if start <= position < stop]
                    if ahead and waited is None:
                        waited = time.monotonic() - begun
                    elif waited is not None:
                        lead = min(lead, ahead[0] if ahead else 0.0)
                    if sum(stop - start for start, stop in ready["ranges"]) > 0.95 * track["duration"]:
                        break
            print(
                f"{song.title}: stems at the playhead {waited:.1f} s after play; least lead since {lead:.1f} s",
                flush=True,
            )
            program.set("/deck/1/stop", 1)
            until("separated", partial(_separated, program, track["id"]))
    return 0


def _analysed(program: Program, track_id: str) -> bool:
    return program.track(track_id)["analysis"] is not None


def _separated(program: Program, track_id: str) -> bool:
    return len(program.track(track_id)["stems"]) == 4
