"""The moment in which a separation is over: raw stretches give way to FLAC under a deck that plays, unheard."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from scipy.signal import fftconvolve

from audio.resample import resampler
from pipeline.songs import COPPER_LINE, shortened, write_song
from tests.end_to_end.listening import ENGINE_RATE, SETTLE_FRAMES, Page
from tests.end_to_end.program import Program, until

pytestmark = pytest.mark.timeout(300)

RATE = 44_100
BARS = 32
AFTER_FRAMES = 2 * ENGINE_RATE
"""What is heard after the raw files have gone."""

SEARCH_FRAMES = ENGINE_RATE // 2
"""Positions are told as of the moment in which they are told, a little after the frame beside them."""

MIDDLE = 0.5**0.5
"""One deck of the crossfader in the middle, under constant power."""

Sound = npt.NDArray[np.float32]


@dataclass
class Recording:
    """The master from one engine frame on, without a gap."""

    start: int
    blocks: list[Sound] = field(default_factory=list)
    #: Track frame (at the engine rate) minus engine frame, as the meters told, and when the job was over.
    offset: int = 0
    completed_at: int = 0

    @property
    def end(self) -> int:
        return self.start + sum(len(block) for block in self.blocks)

    def hear(self, message: dict[str, object]) -> None:
        """Take in a message."""
        match message:
            case {"type": "audio", "frame": int(frame), "pcm": bytes(pcm)} if frame >= self.start:
                if not self.blocks:
                    self.start = frame
                assert frame == self.end, "the page missed a block"
                self.blocks.append(np.frombuffer(pcm, "<f4").reshape(-1, 2))
            case {"type": "meters", "frame": int(frame), "decks": [{"position": float(position)}, *_]}:
                self.offset = round(position * ENGINE_RATE) - frame
            case {"type": "job", "kind": "processing", "status": str(status)}:
                assert status in ("processing", "completed"), message
                if status == "completed":
                    self.completed_at = self.end


@pytest.fixture
def program(tmp_path: Path) -> Program:
    environment = {"ALCHEMY_ENGINE": "spectral", "ALCHEMY_ANALYZE_ON_IMPORT": "0"}
    return Program(tmp_path / "data", environment=environment)


def test_nobody_hears_that_a_separation_is_over(program: Program, tmp_path: Path) -> None:
    song = write_song(tmp_path / "song", shortened(COPPER_LINE, BARS)).mix
    with program:
        until("the workers", lambda: program.http.get("/health").json()["checks"]["workers"]["status"] == "ok")
        track = program.upload(song)
        with Page(program) as page:
            program.load(1, track["id"])
            while sum(b - a for a, b in page.hear("ready", track_id=track["id"])["ranges"]) < 0.3 * track["duration"]:
                pass
            # Held where it is, so that the end of it comes while the deck plays.
            workers = program.find("pipeline.worker")
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
        program.set("/deck/1/stem/vocals/mute", 1)
        program.set("/deck/1/play", 1)
        until("stems sound", lambda: program.control("/deck/1/gap") == 0 and program.control("/deck/1/position") > 0.5)
        assert [job["status"] for job in program.track(track["id"])["jobs"]] == ["processing"]
        with Page(program, "audio", "meters", "jobs") as page:
            page.say({"type": "ping", "sent": 0.0, "id": -1})
            recording = Recording(page.hear("pong", id=-1)["frame"] + SETTLE_FRAMES)
            while recording.end < recording.start + ENGINE_RATE:
                recording.hear(page.next())
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
            folder = program.data / "stems" / track["id"]
            while not recording.completed_at or list(folder.rglob("*.part")):
                recording.hear(page.next())
            over = recording.end
            while recording.end < over + AFTER_FRAMES:
                recording.hear(page.next())
        stems = program.track(track["id"])["stems"]
        [vocals] = [stem for stem in stems if stem["stem_type"] == "vocals"]
        [file] = folder.rglob("vocals.flac")
        sung = soundfile.read(file, dtype="float64")[0] * vocals["options"]["gain"]
    assert recording.start < recording.completed_at < recording.end

    heard = np.concatenate(recording.blocks)
    left = soundfile.read(song, dtype="float64")[0] - sung
    whole = resampler(RATE, ENGINE_RATE).resample(left.astype(np.float32)) * MIDDLE
    meant = whole[_place(heard, whole, recording) :][: len(heard)]
    assert len(meant) == len(heard), "the track ended before the separation"
    assert np.sqrt(np.mean(meant**2)) > 0.02 and np.abs(meant).max() < 1.0
    assert np.abs(heard - meant).max() < 1e-5
    assert np.abs(np.diff(heard, axis=0)).max() <= np.abs(np.diff(meant, axis=0)).max() + 1e-5


def _place(heard: Sound, whole: Sound, recording: Recording) -> int:
    """Return the track frame at which the recording begins: near where the meters say, where it correlates best."""
    first = max(0, recording.start + recording.offset - SEARCH_FRAMES)
    around = whole[first : first + 3 * SEARCH_FRAMES, 0]
    piece = heard[:SEARCH_FRAMES, 0]
    return first + int(np.argmax(fftconvolve(around, piece[::-1], mode="valid")))
