"""`alchemy import`: files, folders, lists of music and links go to the running server, with one line told for each.

Owner: one command. What one file is refused for does not keep the others out.
"""

import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from audio.units import AUDIO_SUFFIXES
from server.list_import import ListImport
from server.remote import Refused, Remote

LIST_SUFFIXES: Final = frozenset((".m3u", ".m3u8", ".cue", ".xml"))
"""What is read as a list of music; a folder's lists are not, only those that are named."""

OPEN: Final = ("queued", "downloading", "processing")
"""States of a job that is not over."""


def audio_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files named, and the audio files in the folders named, sorted."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
        else:
            yield path


def is_list(text: str) -> bool:
    """Say whether an argument of `alchemy import` is a list of music."""
    return Path(text).suffix.lower() in LIST_SUFFIXES


def is_link(text: str) -> bool:
    """Say whether an argument of `alchemy import` is a link and not a path."""
    return bool(re.match(r"(?i)(https?://|spotify:)", text))


def import_all(remote: Remote, named: Sequence[str], *, wait: bool) -> int:
    """Import files, folders, lists and links, telling one line for each; return 1 if any was refused."""
    links = [text for text in named if is_link(text)]
    lists = [text for text in named if not is_link(text) and is_list(text)]
    paths = [Path(text) for text in named if not is_link(text) and not is_list(text)]
    status = import_paths(remote, paths, wait=wait) if paths else 0
    return max(
        [
            status,
            *(import_list(remote, Path(text), wait=wait) for text in lists),
            *(import_link(remote, link, wait=wait) for link in links),
        ]
    )


def import_list(remote: Remote, path: Path, *, wait: bool) -> int:
    """Import what a list names, as tracks, playlists and marks; return 1 if something is missing or was refused."""

    def bring(link: str) -> list[str]:
        return [str(track["track_id"]) for track in _bring_link(remote, link)["tracks"]]

    importing = ListImport(remote, path, bring)
    importing.run()
    refused = importing.refused
    if wait:
        refused += sum(not _wait_for_jobs(remote, track) for place in importing.tracks.values() for track in place)
    return 1 if refused else 0


def _bring_link(remote: Remote, link: str) -> dict[str, Any]:
    made: dict[str, Any] = remote.request("POST", "/api/links", json={"url": link})
    for track in made["tracks"]:
        how = "in the library already" if track["existing"] else "is fetched" if track["job"] else "waits for a file"
        print(f"{track['track_id']}  {how}: {link}", flush=True)
    if made["note"]:
        print(f"{link}: {made['note']}", file=sys.stderr)
    return made


def import_link(remote: Remote, link: str, *, wait: bool) -> int:
    """Have the server bring in what a link leads to; return 1 if it was refused, or failed while waited for."""
    try:
        made = _bring_link(remote, link)
        return max([0, *(_wait_for_link(remote, link, track) for track in made["tracks"] if wait)])
    except Refused as error:
        print(f"{link}: {error}", file=sys.stderr)
        return 1


def _wait_for_link(remote: Remote, link: str, track: dict[str, Any]) -> int:
    """Wait until a track of a link is fetched and its jobs are over; return 1 if one of them failed."""
    job = track["job"]
    while job is not None and job["status"] in OPEN:
        time.sleep(0.5)
        job = remote.request("GET", f"/api/jobs/{job['id']}")
    if job is not None and job["status"] != "completed":
        print(f"{link}: {job['error'] or job['status']}", file=sys.stderr)
        return 1
    return 0 if _wait_for_jobs(remote, job["track_id"] if job else track["track_id"]) else 1


def import_paths(remote: Remote, paths: Sequence[Path], *, wait: bool) -> int:
    """Import files and folders, telling one line for each; return 1 if any was refused."""
    refused = 0
    imported: list[str] = []
    for path in audio_files(paths):
        try:
            track = remote.upload(path)
        except OSError as error:
            refused += 1
            print(f"{path}: {error.strerror or error}", file=sys.stderr)
        except Refused as error:
            refused += 1
            print(f"{path}: {error}", file=sys.stderr)
        else:
            imported.append(track["id"])
            print(f"{track['id']}  {track.get('artist') or 'Unknown artist'} - {track['title']}")
            for sentence in track["warnings"]:
                print(f"{path}: {sentence}", file=sys.stderr)
    if not imported and not refused:
        print("No audio files there.", file=sys.stderr)
        return 1
    if wait:
        refused += sum(not _wait_for_jobs(remote, track_id) for track_id in imported)
    return 1 if refused else 0


def _wait_for_jobs(remote: Remote, track_id: str) -> bool:
    """Wait until a track's jobs are over; return whether all of them completed."""
    while True:
        track = remote.request("GET", f"/api/tracks/{track_id}")
        open_jobs = [job for job in track["jobs"] if job["status"] in OPEN]
        if not open_jobs:
            break
        time.sleep(0.5)
    failed = [job for job in track["jobs"] if job["status"] == "failed"]
    for job in failed:
        print(f"{track['title']}: {job.get('error')}", file=sys.stderr)
    return not failed
