"""What can go wrong in the server, named for the fact; the docstring is the default message."""

from typing import Any


class ServerError(Exception):
    """The server cannot do that."""

    code = "server_error"
    http_status = 500

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.details = details


class SettingsRejected(ServerError):
    """The settings have faults; each is listed."""

    code = "settings_rejected"
    http_status = 400


class AlreadyRunning(ServerError):
    """Another Sound Forge Alchemy runs on this data folder."""

    code = "already_running"
    http_status = 409


class NotFound(ServerError):
    """There is nothing here by that name."""

    code = "not_found"
    http_status = 404


class Conflict(ServerError):
    """That does not fit what is there now."""

    code = "conflict"
    http_status = 409


class BadRequest(ServerError):
    """The request does not make sense."""

    code = "bad_request"
    http_status = 422


class NotAllowed(ServerError):
    """You may not do that."""

    code = "not_allowed"
    http_status = 403


class DatabaseGone(ServerError):
    """The database does not answer; the music plays on, and the library is back when the database is."""

    code = "database_gone"
    http_status = 503


class StorageFull(ServerError):
    """The disk is full; free some space and try again."""

    code = "storage_full"
    http_status = 507
