"""Workers on other machines: no database address, no shared folder; the server's address and a token are enough."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import anyio
import psycopg
import pytest

from pipeline.jobs import Queue
from pipeline.queue_tunnel import Tunnel
from pipeline.worker import run_groups
from server.jobs.queue_door import PROTOCOL, QUEUE_ROLE, start_packet
from tests.server.jobs.site import FAKE_WORKER, Site
from tests.server.jobs.test_faults import stems_are_right

pytestmark = pytest.mark.anyio


async def test_the_server_s_address_is_all_a_worker_needs(site: Site, tmp_path: Path) -> None:
    """It reaches the queue through the server, which goes away in the middle and comes back."""
    track = await site.add_track(seconds=4.0)
    stop = threading.Event()
    queues: tuple[Queue, ...] = ("processing",)
    token = await site.hub.issue("elsewhere", queues)
    made = tmp_path / "made"

    async def elsewhere() -> None:
        options = {"fake": {"pace": 0.05, "made": str(made)}}
        await anyio.to_thread.run_sync(
            lambda: run_groups(site.address, token, "", tmp_path / "far", queues, options, stop, child=FAKE_WORKER),
            abandon_on_cancel=True,
        )

    site.start(elsewhere)
    try:
        job = await site.jobs.separate(track, site.user, "spectral")
        await site.until(lambda: len(site.stretches) >= 8)
        await site.unplug()
        lines = made.read_text().count("\n")
        await site.until(lambda: made.read_text().count("\n") > lines)
        await site.serve()
        done = await site.job_is(job.id, "completed", "failed")
        assert (done.status, done.error) == ("completed", None)
        await stems_are_right(site, track, job.id)
        await site.until(lambda: _empty(site))
    finally:
        stop.set()
        await site.until(lambda: site.hub.workers() == [])


async def _empty(site: Site) -> bool:
    return await site.db.value("SELECT count(*) FROM queue.messages") == 0


async def test_the_door_shows_the_queue_alone(site: Site) -> None:
    await site.add_track()
    token = await site.hub.issue("elsewhere", ("processing",))
    tunnel = Tunnel(site.address, token)

    def look() -> list[object]:
        found: list[object] = []
        with psycopg.connect(f"{tunnel.url}&user=app", autocommit=True) as connection:
            found += connection.execute("SELECT current_user, session_user").fetchone() or ()
            connection.execute("SELECT queue.put('m', 'work', 'note', '')")
            found.append((connection.execute("SELECT count(*) FROM queue.messages").fetchone() or (0,))[0])
            for statement in (
                "SELECT * FROM tracks", "SELECT * FROM users", "SELECT * FROM worker_tokens", "SET ROLE app",
                "SET SESSION AUTHORIZATION app", "CREATE TABLE mine (a int)", "DROP TABLE queue.messages",
                "COPY tracks TO PROGRAM 'true'", "SELECT pg_read_file('/etc/passwd')", "CREATE ROLE mine",
            ):  # fmt: skip
                with pytest.raises(psycopg.Error) as refused:
                    connection.execute(statement)
                found.append(refused.value.sqlstate)
        return found

    found = await anyio.to_thread.run_sync(look)
    tunnel.close()
    assert found[:3] == [QUEUE_ROLE, QUEUE_ROLE, 1]
    assert set(found[3:]) == {"42501"}, "insufficient privilege"


async def test_nobody_comes_in_without_a_token(site: Site) -> None:
    tunnel = Tunnel(site.address, "guessed")

    def knock() -> None:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(tunnel.url)

    await anyio.to_thread.run_sync(knock)
    tunnel.close()


def packet(*words: bytes, protocol: int = PROTOCOL) -> bytes:
    body = b"".join(word + b"\0" for word in words) + b"\0"
    return struct.pack("!ii", len(body) + 8, protocol) + body


def test_who_somebody_is_is_said_by_the_server() -> None:
    asked = packet(b"user", b"app", b"database", b"postgres", b"replication", b"true", b"options", b"-c a=b")
    assert start_packet(asked, "alchemy") == packet(
        b"user", QUEUE_ROLE.encode(), b"database", b"alchemy", b"options", b"-c a=b"
    )
    encryption, cancellation = packet(protocol=80877103)[:8], packet(b"x", protocol=80877102)
    for bad in (b"", b"\0" * 8, encryption, cancellation, asked + b"x", asked[:-1], packet(b"user"), b"Q" * 20_000):
        assert start_packet(bad, "alchemy") is None
