"""What can go wrong with the library, named for the fact; messages say what to do."""

from __future__ import annotations

from audio import errors as audio_errors
from server.errors import BadRequest, Conflict, ServerError, StorageFull


class NotAudio(BadRequest):
    """The file is not audio that can be decoded: choose a WAV, FLAC, MP3, OGG, AIFF or M4A file."""

    code = "not_audio"


class FileMissing(Conflict):
    """The file of this track is gone from the disk; import it again."""

    code = "file_missing"


class CursorRejected(BadRequest):
    """The cursor does not belong to this list; start again without it."""

    code = "cursor_rejected"


class UploadTooLarge(ServerError):
    """The file is larger than this server takes."""

    code = "upload_too_large"
    http_status = 413


def from_audio(error: audio_errors.AudioError) -> ServerError:
    """Return our error for one of the importer's."""
    if isinstance(error, audio_errors.StorageFull):
        return StorageFull(str(error))
    return NotAudio(str(error), reason=type(error).__name__)
