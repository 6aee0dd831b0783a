"""The `lalalai` engine: lalal.ai takes the track apart, at the user's own account there.

Owner: any worker thread; what it has begun elsewhere is noted in the job's folder, so that an attempt after a crash
looks at the same tasks and pays nothing twice.
Units: frames at 44.1 kHz, float32 (channels, frames).

The track is uploaded as 24-bit FLAC, results come as WAV, and what they leave of the mix is `other`: the stems add up
to the mix like those of every engine. Only a changed voice does not; it stands where the sung one was.

    vocals, drum, bass, piano, electric_guitar, acoustic_guitar, synthesizer, strings, wind     that stem, and other
    multistem      several of them in one go        demuser        the voice without music, and other
    voice_clean    the voice without noise, and other            voice_change   another voice, and other
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from audio.units import MODEL_RATE
from pipeline import lalalai
from pipeline.engines.base import Audio, Cancelled, Focus, Mix, Stretch, check_model, never, nowhere
from pipeline.engines.choices import CloudChoices, read_cloud
from pipeline.engines.overlap import settle
from pipeline.errors import AudioRejected, EngineUnavailable
from pipeline.pcm import difference

PREVIEW_FRAMES: Final = 60 * MODEL_RATE
"""How much of a track a preview sends and pays for."""

_SINGLE: Final = {
    "vocals": "vocals", "drum": "drums", "bass": "bass", "piano": "piano", "electric_guitar": "electric_guitar",
    "acoustic_guitar": "acoustic_guitar", "synthesizer": "synth", "strings": "strings", "wind": "wind",
}  # fmt: skip
"""What the service calls stems, and what they are called here."""

MULTISTEM: Final = ("vocals", "drum", "bass", "piano", "electric_guitar", "acoustic_guitar")
MODELS: Final = (*_SINGLE, "multistem", "demuser", "voice_clean", "voice_change")

_BLOCK: Final = 1 << 18
_SLACK_FRAMES: Final = MODEL_RATE // 2
"""A result may be this much shorter or longer than what was sent: encoders pad."""

Progress = Callable[[float, str], None]


def _untold(share: float, stage: str) -> None:
    return


class _State(msgspec.Struct):
    """What was begun at the service: uploads by what they are, tasks by the work."""

    sources: dict[str, str] = {}
    tasks: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Step:
    """One task: the service's name of the work, what is asked, and the label of the file that is wanted of it."""

    work: str
    presets: Mapping[str, Any]
    labels: Mapping[str, str]


class LalalaiEngine:
    """Separation at lalal.ai."""

    name = "lalalai"
    label = "cloud: lalal.ai, paid by the minute; the track is sent there"
    models = MODELS

    def stems(self, model: str = "", options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """What a mode gives; of `multistem` those that are named. Raises UnknownModel."""
        model = check_model(self, model)
        if model == "multistem":
            asked = read_cloud(options or {}).stems or MULTISTEM
            return (*(_SINGLE[name] for name in MULTISTEM if name in asked), "other")
        return (_SINGLE.get(model, "vocals"), "other")

    def available(self, options: Mapping[str, Any] | None = None) -> str | None:
        """Everywhere; whose account pays is found when a job asks."""
        return None

    def separate(
        self,
        mix: Mix,
        model: str = "",
        *,
        start_frame: int = 0,
        focus: Focus = nowhere,
        cancelled: Cancelled = never,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator[Stretch]:
        """Separate as `SeparationEngine.separate` says, in one go: nothing comes before all of it is there.

        Options: those of `CloudChoices`, `job`, `folder`, `secrets` (a call that returns `key` and `url`), `progress`.
        Raises EngineUnavailable without a key, `pipeline.lalalai`'s errors, AudioRejected, DiskFull.
        """
        options = options or {}
        chosen, model = read_cloud(options), check_model(self, model)
        stems = self.stems(model, options)
        secrets: Callable[[], Mapping[str, str]] = options.get("secrets", dict)
        known = secrets()
        if not known.get("key"):
            raise EngineUnavailable("lalal.ai needs your licence key; enter it in the settings.")
        with ExitStack() as stack:
            client = stack.enter_context(
                lalalai.Lalalai(known["key"], known.get("url") or lalalai.BASE, cancelled=cancelled)
            )
            folder = options.get("folder")
            place = Path(folder) / "lalalai" if folder else Path(stack.enter_context(tempfile.TemporaryDirectory()))
            place.mkdir(parents=True, exist_ok=True)
            run = _Run(client, place, str(options.get("job", uuid.uuid4())), options.get("progress", _untold))
            try:
                results = run.results(mix, model, chosen)
            except lalalai.Cancelled:
                client.cancel(list(run.state.tasks.values()))
                return
            yield from _stretches(mix, results, run, stems, cancelled, options.get("done", ()))
            run.forget()


class _Run:
    """The work on one track."""

    def __init__(self, client: lalalai.Lalalai, place: Path, job: str, progress: Progress) -> None:
        self._client = client
        self._place = place
        self._job = job
        self._progress = progress
        self.gain = 1.0
        self.sent = 0
        self._note = place / "state.json"
        try:
            self.state = msgspec.json.decode(self._note.read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError):
            self.state = _State()

    def results(self, mix: Mix, model: str, chosen: CloudChoices) -> dict[str, Path]:
        """Return the files of the stems, by type; they are as loud as the upload was, `gain` times the mix."""
        frames = min(mix.shape[1], PREVIEW_FRAMES) if chosen.preview else mix.shape[1]
        self.gain, self.sent = _gain(mix, frames), frames
        step = _step(model, chosen)
        source = self._source("mix", lambda path: _write_flac(path, mix, frames, self.gain))
        made = self._do(step, source, 0.1, 0.5 if model == "voice_change" else 0.95)
        if model == "voice_change":  # a voice is changed best where nothing sounds with it
            voice = self._source("voice", lambda path: _copy(made["vocals"], path))
            presets = {
                "voice_pack_id": chosen.voice, "accent": chosen.accent, "tonality_reference": chosen.tonality,
                "dereverb_enabled": chosen.dereverb, "encoder_format": "wav",
            }  # fmt: skip
            changed = self._do(_Step("change_voice", presets, {"converted_mix": "changed"}), voice, 0.6, 0.95)
            made = {"vocals": made["vocals"], "changed": changed["changed"]}
        return made

    def forget(self) -> None:
        """Have everything removed at the service."""
        for source in self.state.sources.values():
            self._client.forget(source)

    def _source(self, what: str, write: Callable[[Path], None]) -> str:
        if what not in self.state.sources:
            self._progress(0.02 if what == "mix" else 0.52, "uploading to lalal.ai")
            file = self._place / f"{what}.flac"
            write(file)
            self.state.sources[what] = self._client.upload(file, f"{what}.flac")
            file.unlink(missing_ok=True)
            self._keep()
        return self.state.sources[what]

    def _do(self, step: _Step, source: str, begin: float, end: float) -> dict[str, Path]:
        """Have one task done and bring its files."""
        if step.work not in self.state.tasks:
            once = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._job}:{step.work}:{source}"))
            self.state.tasks[step.work] = self._client.begin(step.work, source, step.presets, once)
            self._keep()
        try:
            files = self._client.wait(
                self.state.tasks[step.work],
                lambda percent: self._progress(begin + (end - begin) * min(100, percent) / 100, "lalal.ai separates"),
            )
        except (lalalai.Refused, lalalai.NoMinutes):
            del self.state.tasks[step.work]  # trying again is asking again
            self._keep()
            raise
        self._progress(end, "fetching from lalal.ai")
        found = {}
        for label, name in step.labels.items():
            if label not in files:
                raise lalalai.Away(f"lalal.ai sent no {label}.")
            found[name] = self._place / f"{name}.wav"
            if not found[name].exists():
                self._client.fetch(files[label], found[name])
        return found

    def _keep(self) -> None:
        making = self._note.with_suffix(".making")
        making.write_bytes(msgspec.json.encode(self.state))
        making.replace(self._note)


def _step(model: str, chosen: CloudChoices) -> _Step:
    """Return what to ask for first."""
    common: dict[str, Any] = {"splitter": chosen.splitter, "encoder_format": "wav", "dereverb_enabled": chosen.dereverb}
    if model == "multistem":
        asked = [name for name in MULTISTEM if name in (chosen.stems or MULTISTEM)]
        presets = {**common, "stem_list": asked, "extraction_level": chosen.extraction_level}
        return _Step("split/multistem", presets, {name: _SINGLE[name] for name in asked})
    if model == "demuser":  # its stem is the music, what is left is the voice
        return _Step("split/demuser", {**common, "stem": "music"}, {"no_music": "vocals"})
    if model == "voice_clean":
        presets = {**common, "stem": "voice", "noise_cancelling_level": chosen.noise}
        return _Step("split/voice_clean", presets, {"voice": "vocals"})
    stem = "vocals" if model == "voice_change" else model
    presets = {**common, "stem": stem, "extraction_level": chosen.extraction_level}
    return _Step("split/stem_separator", presets, {stem: _SINGLE[stem]})


def _gain(mix: Mix, frames: int) -> float:
    """Return what the mix is multiplied by so that a FLAC does not clip it. Raises AudioRejected."""
    peak = 0.0
    for start in range(0, frames, _BLOCK):
        block = mix[:, start : min(start + _BLOCK, frames)]
        if not np.isfinite(block).all():
            raise AudioRejected("This audio holds numbers that are not finite (NaN or infinity); import it again.")
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    return 1.0 if peak < 1.0 else 0.5 ** int(np.ceil(np.log2(peak * 1.001)))


def _write_flac(path: Path, mix: Mix, frames: int, gain: float) -> None:
    import soundfile  # libsndfile is loaded by the worker that needs it

    with soundfile.SoundFile(path, "w", MODEL_RATE, 2, "PCM_24", format="FLAC") as file:
        for start in range(0, frames, _BLOCK):
            file.write(mix[:, start : min(start + _BLOCK, frames)].T * np.float32(gain))


def _copy(source: Path, target: Path) -> None:
    """Write a result as FLAC, to be uploaded again."""
    import soundfile

    with (
        soundfile.SoundFile(source) as read,
        soundfile.SoundFile(target, "w", read.samplerate, read.channels, "PCM_24", format="FLAC") as write,
    ):
        for block in read.blocks(_BLOCK, dtype="float32"):
            write.write(block)


def _stretches(
    mix: Mix, files: Mapping[str, Path], run: _Run, stems: tuple[str, ...], cancelled: Cancelled, done: Any
) -> Iterator[Stretch]:
    """Yield the whole track in blocks: what came, and what it leaves of the mix (all of it where nothing was sent)."""
    import soundfile

    frames = mix.shape[1]
    with ExitStack() as stack:
        readers = {}
        for name, path in files.items():
            try:
                readers[name] = reader = stack.enter_context(soundfile.SoundFile(path))
            except soundfile.LibsndfileError as error:
                path.unlink(missing_ok=True)
                raise lalalai.Away(f"lalal.ai sent {name} as something that is no audio.") from error
            if reader.samplerate != MODEL_RATE or not 1 <= reader.channels <= 2:
                raise lalalai.Away(f"lalal.ai sent {name} at {reader.samplerate} Hz with {reader.channels} channels.")
            if reader.frames < run.sent - _SLACK_FRAMES:
                path.unlink(missing_ok=True)
                raise lalalai.Away(f"lalal.ai sent {name} shorter than the track.")
        for start in range(0, frames, _BLOCK):
            if cancelled():
                return
            stop = min(start + _BLOCK, frames)
            heard = {name: _read(reader, stop - start, run.gain) for name, reader in readers.items()}
            if not difference(((start, stop),), done):
                continue
            parts = tuple(name for name in heard if name != "changed")
            made = settle(mix[:, start:stop], np.stack([heard[name] for name in parts]), parts)
            if "changed" in heard:
                made["vocals"] = settle(heard["changed"], heard["changed"][None], ("vocals",))["vocals"]
            yield Stretch(start, stop, {name: made[name] for name in stems})


def _read(reader: Any, frames: int, gain: float) -> Audio:
    """Return the next frames of a result at the loudness of the mix, silence behind its end."""
    block = reader.read(frames, dtype="float32", always_2d=True)
    out = np.zeros((2, frames), np.float32)
    out[:, : len(block)] = block.T / np.float32(gain)
    return out
