"""Clock and timecode seen from outside, on JACK MIDI with its frames: a file player that is not ours (mido) leads,
and a JACK client stamps what we send.
"""

import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import jack
import mido
import pytest

from control.clocks.song import Pair, Song
from control.clocks.wire import FollowEngine, FollowSong, Heard, Pressed, Wanted
from tests.control.midi_jack import jack_server
from tests.control.test_clock_desk import Process, until

RATE = 48_000

PLAYER = """
import sys
import mido
from mido.backends.backend import Backend
port = Backend("mido.backends.rtmidi/UNIX_JACK").open_output("out", virtual=True, client_name="player")
print("ready", flush=True)
sys.stdin.readline()
# a file holds no real-time messages: a player that leads makes them as it goes along the file's tempo map
deeds = ("clock", "continue", "stop")
port.send(mido.Message("songpos", pos=32))
for message in mido.MidiFile(sys.argv[1]).play():
    port.send(mido.Message(deeds[message.note]))
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    name = f"play{uuid4().hex[:6]}"
    with jack_server(name):
        yield name


def song_file(path: Path) -> None:
    """Write what a player goes along: from sixteenth 32 on at 120 BPM four beats, then 90 BPM for eight, then Stop."""
    song = mido.MidiFile(type=0, ticks_per_beat=480)
    track = mido.MidiTrack()
    song.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(120)))
    track.append(mido.Message("note_on", note=1, time=0))
    track.append(mido.Message("note_on", note=0, time=1))
    for tick in range(1, 4 * 24 + 8 * 24):
        if tick == 4 * 24:
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90)))
        track.append(mido.Message("note_on", note=0, time=20))
    track.append(mido.Message("note_on", note=2, time=20))
    song.save(path)


def test_a_file_player_leads_start_place_tempo_and_stop(server: str, tmp_path: Path) -> None:
    song_file(tmp_path / "lead.mid")
    command = [sys.executable, "-c", PLAYER, str(tmp_path / "lead.mid")]
    player = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert player.stdin is not None
    assert player.stdout is not None
    process = Process()
    try:
        assert player.stdout.readline() == "ready\n"
        process.tell(Wanted(inputs="player*"))
        until(lambda: any(isinstance(one, Heard) for one in process.told))
        connected = ["jack_lsp", "-s", server, "-c", "player:out"]
        until(lambda: subprocess.run(connected, capture_output=True, check=True).stdout.count(b"\n") > 1)
        player.stdin.write("play\n")
        player.stdin.flush()
        until(lambda: any(isinstance(one, Pressed) and one.deed == "stop" for one in process.told), 60)
        pressed = [one for one in process.told if isinstance(one, Pressed)]
        assert [one.deed for one in pressed] == ["position", "continue", "stop"]
        assert [one.beat for one in pressed[:2]] == [8.0, 8.0]
        assert pressed[2].beat == pytest.approx(8 + 12, abs=0.1), "every tick of the file was counted"
        running = [one for one in process.told if isinstance(one, Heard) and one.status == "running"]
        tempi = [one.tempo_bpm for one in running if one.tempo_bpm > 0]
        print("tempo that was followed:", [round(tempo, 2) for tempo in tempi])
        assert sorted(one.beat for one in running) == [one.beat for one in running], "the place never goes back"
        assert tempi[-1] == pytest.approx(90, rel=0.05)
        assert max(tempi[: len(tempi) // 3]) == pytest.approx(120, rel=0.1)
    finally:
        status = process.end()
        player.kill()  # RtMidi may wait for JACK for ever when it closes a port
        player.communicate(timeout=15)
        assert status == 0


class Ear:
    """A JACK client that notes the frame of each MIDI message it is given."""

    def __init__(self, server: str) -> None:
        self.heard: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self.client: Any = jack.Client("ear", servername=server, no_start_server=True)
        self._port: Any = self.client.midi_inports.register("in")
        self.client.set_process_callback(self._process)
        self.client.activate()

    def _process(self, frames: int) -> None:
        start = self.client.last_frame_time
        for offset, data in self._port.incoming_midi_events():
            self.heard.put((start + offset, bytes(data)))

    def close(self) -> None:
        self.client.deactivate()
        self.client.close()


def test_what_is_sent_keeps_tempo_over_the_frames_of_jack(server: str) -> None:
    """Nothing is lost or doubled, and the ticks lie on one straight line: what each is off does not add up."""
    ear, process = Ear(server), Process()

    def follow() -> int:
        """The engine's clock is JACK's, which waits when the machine is late."""
        frame = int(ear.client.frame_time)
        process.tell(FollowEngine(Pair(frame, time.monotonic_ns())))
        return frame

    try:
        follow()
        process.tell(Wanted(clock=True, timecode="25", outputs=""))
        own = "Sound Forge Alchemy clock:out"
        until(lambda: own in [port.name for port in ear.client.get_ports(is_midi=True, is_output=True)])
        ear.client.connect(own, "ear:in")
        start = follow() + 9600.0
        process.tell(FollowSong(Song(start, 0.0, 120.0, 10.0, running=True)))
        heard: list[tuple[int, bytes]] = []

        def ticks() -> list[int]:
            follow()
            while not ear.heard.empty():
                heard.append(ear.heard.get())
            datas = [data for _, data in heard]
            begin = datas.index(b"\xfa") if b"\xfa" in datas else len(datas)
            return [frame for frame, data in heard[begin:] if data == b"\xf8"]

        until(lambda: len(ticks()) > 240)
        frames = ticks()[:240]
        gaps = [later - early for early, later in pairwise(frames)]
        late = sorted(frame - start - 1000 * number for number, frame in enumerate(frames))
        spread = sorted(abs(one - late[120]) for one in late)
        print(f"clock out at JACK: half within {spread[120]:.0f} frames of their middle, nine in ten {spread[216]:.0f}")
        assert len(gaps) == 239
        assert all(gap >= 0 for gap in gaps)
        halves = [sorted(f - start - 1000 * n for n, f in part)[60] for part in (
            list(enumerate(frames))[:120], list(enumerate(frames))[120:])]  # fmt: skip
        assert abs(halves[1] - halves[0]) < 500, "each is off by itself; nothing adds up"
        pieces = [data[1] >> 4 for _, data in heard if data[0] == 0xF1]
        assert len(pieces) > 60
        assert all((later - early) % 8 == 1 for early, later in pairwise(pieces)), "none lost, none twice"
        quarters = [frame for frame, data in heard if data[0] == 0xF1]
        gaps = sorted(later - early for early, later in pairwise(quarters))
        print(f"timecode out at JACK, frames between quarters: middle {gaps[len(gaps) // 2]}, of 480; worst {gaps[-1]}")
    finally:
        status = process.end()
        ear.close()
        assert status == 0
