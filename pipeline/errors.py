"""What can go wrong in the pipeline, named for the fact; the docstring is the default message.

Owner: everybody in `pipeline` raises these and nothing else across a module boundary.
A job that meets a `TransientFailure` may be tried again; a `PermanentFailure` says what has to change first.
"""

from typing import Any


class PipelineError(Exception):
    """The pipeline cannot do that."""

    code = "pipeline_error"

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.details = details


class TransientFailure(PipelineError):
    """Something gave way that may hold next time; the job is tried again."""

    code = "transient_failure"


class PermanentFailure(PipelineError):
    """Trying again would fail the same way."""

    code = "permanent_failure"


class UnknownEngine(PermanentFailure):
    """No separation engine has this name."""

    code = "unknown_engine"


class UnknownModel(PermanentFailure):
    """This engine has no model of that name."""

    code = "unknown_model"


class EngineUnavailable(PermanentFailure):
    """This separation engine cannot run here."""

    code = "engine_unavailable"


class ModelMissing(PermanentFailure):
    """The model file is not on this machine; fetch it with `alchemy models pull`."""

    code = "model_missing"


class ModelCorrupt(PermanentFailure):
    """The model file is damaged; fetch it again with `alchemy models pull`."""

    code = "model_corrupt"


class ModelFailed(PermanentFailure):
    """The model gave no usable audio for this track; try another engine or precision."""

    code = "model_failed"


class OutOfMemory(PermanentFailure):
    """There is too little memory for this model here; try another model, or a worker with more."""

    code = "out_of_memory"


class BadOptions(PermanentFailure):
    """These options do not fit."""

    code = "bad_options"


class PullFailed(TransientFailure):
    """The model could not be fetched; check the network and try again."""

    code = "pull_failed"


class PullImpossible(PermanentFailure):
    """The model cannot be fetched from here."""

    code = "pull_impossible"


class DiskFull(TransientFailure):
    """The disk is full; free some space and try again."""

    code = "disk_full"


class UnknownFeature(PermanentFailure):
    """No analysis feature has this name."""

    code = "unknown_feature"


class AudioRejected(PermanentFailure):
    """This audio cannot be worked on."""

    code = "audio_rejected"
