"""What can go wrong in `audio`, each leaf named for the fact.

Owner: whoever raises. A docstring is the default message; the message tells the performer what to do.
"""


class AudioError(Exception):
    """The audio side could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class NotAudio(AudioError):
    """The file is not audio that can be decoded: choose a WAV, FLAC, MP3, OGG, AIFF or M4A file."""


class TooLong(NotAudio):
    """The recording is longer than twelve hours: split it and import the parts."""


class StorageFull(AudioError):
    """The disk is full: free some space and import the file again. Nothing was left behind."""


class DecoderCrashed(AudioError):
    """The decoder stopped on this file: it is damaged in a way that no decoder survives. Convert it and try again."""


class DecodeTimeout(AudioError):
    """Decoding took too long and was stopped: convert the file to WAV or FLAC and try again."""


class EngineBusy(AudioError):
    """The engine's command ring is full: nothing was sent. Send less, or again in a moment."""


class EngineMissing(AudioError):
    """No engine runs for this folder: start it with `python -m audio --runtime-dir DIR`."""


class EngineGone(AudioError):
    """The engine has ended: it has to be started again."""


class EngineRunning(AudioError):
    """An engine already runs for this folder: attach to it, or stop it first."""


class BlockVersionMismatch(AudioError):
    """The engine that runs is of another version: it plays on; restart it to use this one."""


class LoadRefused(AudioError):
    """The engine did not take the load: the track is missing or is not what was announced."""


class StemMissing(LoadRefused):
    """A stem's file is missing or unreadable: separate the track again."""


class DeviceLost(AudioError):
    """The audio device went away: the engine plays on without it."""


class FormatRejected(AudioError):
    """The audio device refuses this rate or block size: choose another, or another device."""


class OutOfMemory(AudioError):
    """There is not enough memory for this track: eject a deck, or raise the audio memory budget."""
