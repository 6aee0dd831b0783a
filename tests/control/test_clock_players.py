"""A clock of another program, on JACK MIDI: mido plays a MIDI file along its tempo map, and we follow."""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import mido
import pytest

from control.clocks.wire import Heard, Pressed, Wanted
from tests.control.midi_jack import jack_server
from tests.control.test_clock_desk import Process, until

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
        assert sorted(one.beat for one in running) == [one.beat for one in running], "the place never goes back"
        # The player is a Python program, which may be late and then hurry: the middle of what was told of each part.
        assert statistics.median(tempi[: len(tempi) // 4]) == pytest.approx(120, rel=0.05)
        assert statistics.median(tempi[-len(tempi) // 4 :]) == pytest.approx(90, rel=0.05)
    finally:
        status = process.end()
        player.kill()  # RtMidi may wait for JACK for ever when it closes a port
        player.communicate(timeout=15)
        assert status == 0
