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
    from pipeline.songs import ARTIST, SONGS, write_song

    if named.output is not None:
        for song in SONGS:
            print(write_song(named.output / song.title, song).mix)
        return 0
    with Remote.find(settings, named.server, named.token) as remote, tempfile.TemporaryDirectory() as folder:
        for deck, song in enumerate(SONGS, start=1):
            print(f"Making {song.title} ...")
            written = write_song(Path(folder) / song.title, song)
            track = remote.upload(written.mix, title=song.title, artist=ARTIST)
            if not track["stems"]:
                for stem in sorted(written.stems.glob("*.wav")):
                    remote.upload_stem(track["id"], stem.stem, stem)
            remote.set(f"/deck/{deck}/load", track["id"])
            print(f"Deck {deck}: {ARTIST} - {song.title}, {song.tempo:g} BPM, {song.key}")
        print(f"Press play on the page, or: oscsend localhost {remote.address.osc_port} /deck/1/play i 1")
    return 0
