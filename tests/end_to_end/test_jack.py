"""The main job on a real audio server: the program plays into JACK's dummy driver, and JACK records what it played."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.audio.test_jack import SERVER, JackServer, jack_server, recording
from tests.end_to_end.conftest import AMPLITUDE, TONES
from tests.end_to_end.listening import level
from tests.end_to_end.program import Program, until

__all__ = ["jack_server"]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def on_jack(jack_server: JackServer, tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    environment = {"JACK_DEFAULT_SERVER": SERVER, "JACK_NO_START_SERVER": "1"}
    data = tmp_path_factory.mktemp("data")
    with Program(data, "--no-workers", audio="auto", environment=environment) as program:
        track = program.upload(tones / "mix.flac")
        for stem in TONES:
            with (tones / f"{stem}.flac").open("rb") as file:
                program.http.put(f"/api/tracks/{track['id']}/stems/{stem}", files={"file": (stem, file)})
        program.load(1, track["id"])
        until("stems", lambda: all(program.control(f"/deck/1/stem/{stem}/ready") == 1 for stem in TONES))
        program.set("/deck/1/play", 1)
        yield program


def test_a_mute_from_osc_is_heard_in_what_jack_recorded(on_jack: Program, tmp_path: Path) -> None:
    engine = on_jack.http.get("/health").json()["checks"]["engine"]["detail"]
    assert "JACK" in engine
    with recording(tmp_path) as recorder:
        recorder.listen(recorder.outputs_of_engine()[:2])

        def heard() -> dict[str, float]:
            start = len(recorder.blocks)
            until("a second of sound", lambda: len(recorder.blocks) >= start + 376)
            audio = np.concatenate(recorder.blocks[start : start + 375])
            # The recorder, which is Python, loses blocks on a busy machine: the median of tenths, and a wide bound. The
            # exact levels are asserted where nothing is lost, in test_main_job.
            tenths = audio.reshape(10, -1, 2)
            return {stem: float(np.median([level(t, hz) for t in tenths])) / AMPLITUDE for stem, hz in TONES.items()}

        middle = 0.5**0.5
        assert heard() == pytest.approx(dict.fromkeys(TONES, middle), abs=0.1)
        command = ["oscsend", "localhost", str(on_jack.osc_port), "/deck/1/stem/vocals/mute", "i", "1"]
        subprocess.run(command, check=True)
        until("muted", lambda: on_jack.control("/deck/1/stem/vocals/mute") == 1)
        assert heard() == pytest.approx({**dict.fromkeys(TONES, middle), "vocals": 0.0}, abs=0.1)
