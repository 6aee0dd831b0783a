"""`alchemy demo`: two made-up songs with true stems, imported and loaded on decks 1 and 2.

Owner: the command line. The songs are synthesised (`pipeline/songs.py`), so a first run needs no music.
"""

import argparse
import tempfile
from pathlib import Path

from server.remote import Remote
from server.settings import Settings


def demo(settings: Settings, named: argparse.Namespace) -> int:
    """Write the songs, and unless only files were asked for, import and load them into the running server."""
    from pipeline.songs import SONGS, write_song

    if named.output is not None:
        for song in SONGS:
            print(write_song(named.output / song.title, song))
        return 0
    with Remote.find(settings, named.server, named.token) as remote, tempfile.TemporaryDirectory() as folder:
        for deck, song in enumerate(SONGS, start=1):
            print(f"Making {song.title} ...")
            written = Path(write_song(Path(folder) / song.title, song))
            track = remote.upload(written / "mix.flac", title=song.title, artist=song.artist)
            if not track["stems"]:
                remote.upload_stems(track["id"], written / "stems")
            remote.set(f"/deck/{deck}/load", track["id"])
            print(f"Deck {deck}: {song.artist} - {song.title}, {song.bpm:g} BPM, {song.key}")
    print("Press play on the page, or: oscsend localhost", settings.osc_port, "/deck/1/play i 1")
    return 0
