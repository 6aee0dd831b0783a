"""lalal.ai as an engine: every mode, what it is asked for, faults, cancelling, and going on after a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import lalalai
from pipeline.engines import base
from pipeline.engines import lalalai as engine_module
from pipeline.errors import BadOptions, EngineUnavailable, TransientFailure, UnknownModel
from tests.pipeline.lalalai_site import KEY, SHARES, LalalaiSite

FRAMES = 3 * 44100


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[LalalaiSite]:
    """The service; pauses take no time and are counted against the patience as ever."""
    monkeypatch.setattr(lalalai.Lalalai, "_pause", lambda self, seconds: _heard(self))
    with LalalaiSite() as running:
        yield running


def _heard(client: lalalai.Lalalai) -> None:
    if client._cancelled():
        raise lalalai.Cancelled


def mix(frames: int = FRAMES, loud: float = 0.9, seed: int = 3) -> base.Audio:
    steps = np.random.default_rng(seed).uniform(-loud, loud, (2, frames))
    return (np.rint(steps * 2.0**21) / 2.0**21).astype(np.float32)


def run(site: LalalaiSite, audio: base.Audio, model: str, **options: Any) -> dict[str, base.Audio]:
    """Separate, and put the stretches together."""
    told = {"secrets": lambda: {"key": KEY, "url": site.base}, **options}
    out: dict[str, base.Audio] = {}
    covered = 0
    for stretch in base.engine("lalalai").separate(audio, model, options=told):
        covered += stretch.stop - stretch.start
        for name, part in stretch.stems.items():
            out.setdefault(name, np.zeros_like(audio))[:, stretch.start : stretch.stop] = part
    assert covered == audio.shape[1]
    return out


def near(found: base.Audio, wanted: base.Audio) -> bool:
    """Whether two are the same, as far as the 24 bits of the upload go."""
    return bool(np.abs(found - wanted).max() < 4 / 2**21)


@pytest.mark.parametrize(
    ("model", "asked", "stem"),
    [("vocals", "vocals", "vocals"), ("drum", "drum", "drums"), ("piano", "piano", "piano"), ("wind", "wind", "wind")],
)
def test_one_stem_and_what_it_leaves(site: LalalaiSite, model: str, asked: str, stem: str) -> None:
    audio = mix()
    found = run(site, audio, model, splitter="perseus", extraction_level="mild", dereverb=True)
    assert set(found) == {stem, "other"} == set(base.engine("lalalai").stems(model))
    assert near(found[stem], audio * np.float32(SHARES[asked]))
    assert np.array_equal(found[stem] + found["other"], audio), "faders up, the stems are the mix"
    [presets] = [body["presets"] for body in site.called("split/stem_separator/")]
    assert presets == {"stem": asked, "splitter": "perseus", "extraction_level": "mild", "dereverb_enabled": True,
                       "encoder_format": "wav"}  # fmt: skip
    assert site.called("delete/") == [{"source_id": "source-0"}], "nothing is left at the service"


def test_several_stems_at_once(site: LalalaiSite) -> None:
    audio = mix()
    found = run(site, audio, "multistem", stems=("bass", "vocals"))
    assert list(found) == ["vocals", "bass", "other"]
    assert near(found["bass"], audio * np.float32(0.125))
    assert np.array_equal(found["vocals"] + found["bass"] + found["other"], audio)
    assert site.called("split/multistem/")[0]["presets"]["stem_list"] == ["vocals", "bass"]
    all_six = base.engine("lalalai").stems("multistem")
    assert len(all_six) == 7 and len(site.called("split/multistem/")) == 1


def test_the_voice_without_music_or_noise(site: LalalaiSite) -> None:
    audio = mix()
    found = run(site, audio, "demuser", dereverb=True)
    assert near(found["vocals"], audio * np.float32(0.5))
    assert site.called("split/demuser/")[0]["presets"]["dereverb_enabled"] is True
    found = run(site, audio, "voice_clean", noise=2)
    assert near(found["vocals"], audio * np.float32(0.75))
    assert np.array_equal(found["vocals"] + found["other"], audio), "the noise is kept, in `other`"
    assert site.called("split/voice_clean/")[0]["presets"]["noise_cancelling_level"] == 2


def test_another_voice_takes_the_old_one_s_place(site: LalalaiSite) -> None:
    audio = mix()
    found = run(site, audio, "voice_change", voice="my-voice", accent=0.0, tonality="voice_pack")
    assert near(found["vocals"], audio * np.float32(-0.5)) and near(found["other"], audio * np.float32(0.5))
    [body] = site.called("change_voice/")
    assert body["source_id"] == "source-1", "the voice alone is sent to be changed"
    assert body["presets"] == {"voice_pack_id": "my-voice", "accent": 0.0, "tonality_reference": "voice_pack",
                               "dereverb_enabled": False, "encoder_format": "wav"}  # fmt: skip


def test_a_preview_sends_a_minute_and_leaves_the_rest_in_other(site: LalalaiSite) -> None:
    audio = mix(70 * 44100, seed=5)
    found = run(site, audio, "vocals", preview=True)
    assert site.seconds == [60.0]
    minute = 60 * 44100
    assert near(found["vocals"][:, :minute], audio[:, :minute] * np.float32(0.5))
    assert not found["vocals"][:, minute:].any() and np.array_equal(found["other"][:, minute:], audio[:, minute:])


def test_a_mix_past_full_scale_is_not_clipped_on_the_way(site: LalalaiSite) -> None:
    audio = mix(loud=3.0)
    found = run(site, audio, "vocals")
    assert np.abs(found["vocals"] - audio / 2).max() < 32 / 2**21


def test_what_is_there_is_not_made_again(site: LalalaiSite) -> None:
    audio = mix(3 * (1 << 18))
    told = {"secrets": lambda: {"key": KEY, "url": site.base}, "done": ((0, 1 << 18),)}
    stretches = list(base.engine("lalalai").separate(audio, "vocals", options=told))
    assert [(s.start, s.stop) for s in stretches] == [(1 << 18, 2 << 18), (2 << 18, 3 << 18)]
    assert near(stretches[0].stems["vocals"], audio[:, 1 << 18 : 2 << 18] / 2)


FAULTS: dict[str, tuple[str, int, dict[str, str], bytes]] = {
    "too many requests": ("check/", 429, {"Retry-After": "1"}, b""),
    "bad gateway": ("upload/", 502, {}, b"<html>"),
    "unavailable": ("split/", 503, {}, b""),
    "garbage": ("check/", 200, {}, b"\x00\xff not json"),
    "another shape": ("check/", 200, {}, b'{"result": []}'),
    "no object": ("split/", 200, {}, b"[1, 2]"),
    "hangs up": ("check/", 0, {}, b""),
    "hangs up on a file": ("files/", 0, {}, b""),
    "no file yet": ("files/", 503, {}, b""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_passes(site: LalalaiSite, fault: str) -> None:
    site.faults.append(FAULTS[fault])
    audio = mix(44100)
    assert near(run(site, audio, "vocals")["vocals"], audio / 2)
    assert not site.faults and len(site.tasks) == 1, "nothing is asked, and paid, twice"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_patience_has_an_end(site: LalalaiSite, status: int) -> None:
    site.faults.extend([("upload/", status, {"Retry-After": "200"}, b"")] * 20)
    with pytest.raises(lalalai.Away):
        run(site, mix(44100), "vocals")
    assert issubclass(lalalai.Away, TransientFailure) and len(site.faults) > 10


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", lalalai.KeyRefused), (403, b"{}", lalalai.KeyRefused),
        (402, b'{"detail": "pay"}', lalalai.NoMinutes), (400, b'{"detail": "Not enough minutes"}', lalalai.NoMinutes),
        (422, b'{"detail": [{"msg": "stem"}]}', lalalai.Refused), (413, b"not json", lalalai.Refused),
    ],
)  # fmt: skip
def test_a_lasting_fault_is_told_at_once(site: LalalaiSite, status: int, body: bytes, error: type[Exception]) -> None:
    site.faults.append(("split/", status, {}, body))
    with pytest.raises(error):
        run(site, mix(44100), "vocals")
    assert len(site.uploads) == 1


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({"status": "error", "error": {"detail": "boom", "code": "inference_error"}}, lalalai.Refused),
        ({"status": "error", "error": {"detail": "", "code": "minutes_limit_exceeded"}}, lalalai.NoMinutes),
        ({"status": "cancelled"}, lalalai.Refused), ({"status": "server_error"}, lalalai.Away),
        ({"status": "success", "result": {"tracks": [{"label": "x", "url": "y"}]}}, lalalai.Away),
    ],
)  # fmt: skip
def test_a_task_that_comes_to_nothing(site: LalalaiSite, entry: dict[str, Any], error: type[Exception]) -> None:
    site.fails = entry
    with pytest.raises(error):
        run(site, mix(44100), "vocals")


@pytest.mark.parametrize("url", ["https://evil.example/f", "http://169.254.169.254/latest", "file:///etc/passwd",
                                 "https://lalal.ai.evil.example/f"])  # fmt: skip
def test_files_come_from_the_service_alone(site: LalalaiSite, url: str) -> None:
    site.fails = {"status": "success", "result": {"tracks": [{"label": "vocals", "url": url}]}}
    with pytest.raises(lalalai.Away, match="not its own"):
        run(site, mix(44100), "vocals")


def test_what_is_no_audio_is_not_taken(site: LalalaiSite) -> None:
    site.faults.append(("files/", 200, {}, b"<html>sorry</html>"))
    with pytest.raises(lalalai.Away, match="no audio"):
        run(site, mix(44100), "vocals")


@pytest.mark.parametrize("path", ["upload/", "split/", "check/", "files/"])
def test_a_cancel_is_heard_while_the_service_never_answers(site: LalalaiSite, path: str) -> None:
    site.faults.append((path, -1, {}, b""))
    gone = threading.Event()

    def cancelled() -> bool:
        if not site.faults:  # the call that is never answered is on its way
            gone.set()
        return gone.is_set()

    told = {"secrets": lambda: {"key": KEY, "url": site.base}}
    assert list(base.engine("lalalai").separate(mix(44100), "vocals", cancelled=cancelled, options=told)) == []
    assert site.called("cancel/") == [{"task_ids": ["task-0"] if path in ("check/", "files/") else []}]


def test_an_attempt_after_a_crash_goes_on_with_the_same_task(site: LalalaiSite, tmp_path: Path) -> None:
    audio = mix(44100)
    site.faults.append(("files/", 404, {}, b"{}"))  # whatever ends the first attempt
    with pytest.raises(lalalai.Refused):
        run(site, audio, "vocals", folder=str(tmp_path), job="j1")
    assert near(run(site, audio, "vocals", folder=str(tmp_path), job="j1")["vocals"], audio / 2)
    assert (len(site.uploads), len(site.tasks)) == (1, 1)


def test_how_far_it_is(site: LalalaiSite) -> None:
    site.steps = 3
    told: list[tuple[float, str]] = []
    run(site, mix(44100), "vocals", progress=lambda share, stage: told.append((share, stage)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and len(set(shares)) >= 5 and {"uploading to lalal.ai"} < {s for _, s in told}


def test_without_a_key_and_with_what_is_not_there(site: LalalaiSite) -> None:
    def separate(model: str, options: Mapping[str, Any]) -> None:
        list(base.engine("lalalai").separate(mix(100), model, options=options))

    with pytest.raises(EngineUnavailable, match="licence key"):
        separate("vocals", {})
    with pytest.raises(UnknownModel):
        separate("karaoke", {})
    for options in ({"noise": 3}, {"accent": -0.1}, {"splitter": "x"}, {"stems": ("flute",)}, {"voice": ""}):
        with pytest.raises(BadOptions):
            separate("vocals", options)
    assert site.asked == []


def test_the_account(site: LalalaiSite) -> None:
    with lalalai.Lalalai(KEY, site.base) as client:
        assert client.minutes_left() == 90.0
        assert [voice.id for voice in client.voices()] == ["ALEX_KAYE", "my-voice"]
        client.cancel_all()
    assert site.called("cancel/all/") == [{}]
    with lalalai.Lalalai("wrong", site.base) as client, pytest.raises(lalalai.KeyRefused):
        client.minutes_left()


def test_modes_are_the_module_s(site: LalalaiSite) -> None:
    assert base.engine("lalalai").models == engine_module.MODELS
    assert base.choose("auto").name != "lalalai", "what costs money is never taken unasked"
