"""Where all stems of a track are ready, as the page is told: as stretches come, and by a server that started anew."""

from uuid import UUID, uuid4

from server.jobs.store import ArrivingStem
from server.readiness import Readiness

S = 44_100
STEMS = ("vocals", "drums")


def came(track: UUID, job: UUID, **ranges: list[tuple[int, int]]) -> list[ArrivingStem]:
    return [ArrivingStem(track, job, stem, [(a * S, b * S) for a, b in found]) for stem, found in ranges.items()]


def test_a_stretch_is_ready_when_every_stem_has_it() -> None:
    track, job = uuid4(), uuid4()
    readiness = Readiness()
    assert readiness.add(track, job, STEMS, "vocals", 4 * S, 8 * S).ranges == []
    ready = readiness.add(track, job, STEMS, "drums", 6 * S, 9 * S)
    assert ready.track_id == str(track) and ready.ranges == [(6.0, 8.0)]


def test_a_new_server_tells_what_had_come_and_adds_to_it() -> None:
    track, job = uuid4(), uuid4()
    readiness = Readiness()
    told = readiness.restore(came(track, job, vocals=[(0, 4), (10, 20)], drums=[(2, 15)]))
    assert [(ready.track_id, ready.ranges) for ready in told] == [(str(track), [(2.0, 4.0), (10.0, 15.0)])]
    assert readiness.add(track, job, STEMS, "drums", 15 * S, 30 * S).ranges == [(2.0, 4.0), (10.0, 20.0)]


def test_a_stem_of_which_nothing_has_come_keeps_the_rest_from_being_ready() -> None:
    track, job = uuid4(), uuid4()
    [ready] = Readiness().restore(came(track, job, vocals=[(0, 4)], drums=[]))
    assert ready.ranges == []


def test_of_two_separations_of_a_track_the_newest_is_told_last() -> None:
    track, old, new = uuid4(), uuid4(), uuid4()
    stems = came(track, old, vocals=[(0, 40)]) + came(track, new, vocals=[(5, 6)])
    assert [ready.ranges for ready in Readiness().restore(stems)] == [[(0.0, 40.0)], [(5.0, 6.0)]]


def test_a_separation_that_is_over_is_forgotten() -> None:
    track, job, other = uuid4(), uuid4(), uuid4()
    readiness = Readiness()
    readiness.restore(came(track, job, vocals=[(0, 4)]) + came(track, other, vocals=[(0, 1)]))
    readiness.forget(job)
    assert readiness.add(track, job, ("vocals",), "vocals", 8 * S, 9 * S).ranges == [(8.0, 9.0)]
    assert readiness.add(track, other, ("vocals",), "vocals", S, 2 * S).ranges == [(0.0, 2.0)]
