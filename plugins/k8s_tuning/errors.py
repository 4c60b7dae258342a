"""Every error that this package raises on purpose.

Each message names the thing, what was wrong and what to do. None ever holds a URL, a token or a password.
"""

from k8s_tuning.printable import printable


class TuningError(Exception):
    """Base of every error of this package. `retryable` says whether the same call may succeed later."""

    retryable = False

    def __init__(self, message: str = "") -> None:
        # It may quote a server, a file or a plugin, and ends on a terminal.
        super().__init__(printable(message))


class InputError(TuningError):
    """What the user gave cannot be used; the message says what to correct."""


class ConfigError(InputError):
    """A configuration file cannot be used: which file, which key, what is wrong, what would be right."""


class SelectorError(InputError):
    """A label selector does not parse by Kubernetes' grammar."""


class RefusedError(InputError):
    """A well-formed request for something that the configuration does not allow."""


class ClusterError(TuningError):
    """The Kubernetes API did not do what was asked. `status` is the HTTP status, None without an answer.

    `retryable`: where it is not as with others of its kind. `warnings`: what the server remarked beside its refusal.
    """

    def __init__(self, message: str, status: int | None = None, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = self.retryable if retryable is None else retryable
        self.warnings: list[str] = []


class Unreachable(ClusterError):
    """No answer came from the API server."""

    retryable = True


class Unauthorized(ClusterError):
    """401: the credentials are missing, wrong or expired."""


class Forbidden(ClusterError):
    """403: the account may not do this, or admission control refuses it (a quota may pass: `retryable`)."""


class NotFound(ClusterError):
    """404: no such object, or no such API on this cluster."""


class Conflict(ClusterError):
    """409: another field manager owns the field, or the object exists already."""


class Invalid(ClusterError):
    """400 or 422: the server refuses the object as it stands."""


class Expired(ClusterError):
    """410: a continue token or a resourceVersion is too old; list again."""

    retryable = True


class Throttled(ClusterError):
    """429: the server still asked to slow down after every retry."""

    retryable = True


class BadAnswer(ClusterError):
    """5xx after every retry, or an answer that is not the Kubernetes API's (HTML, a torn JSON)."""

    retryable = True


class StoreError(TuningError):
    """The history or the ledger could not be read or written. Nothing was half-written."""

    retryable = True


class DeliveryError(TuningError):
    """A notice could not be handed to its receiver. `retryable`: whether the same request may succeed later.

    `retry_after`: seconds that the receiver asked to wait (Retry-After), None where it did not say.
    """

    def __init__(self, message: str, *, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after


class UnforeseenError(TuningError):
    """Any other exception, caught at the edge of a command or a task: its kind, its place, where its traceback is."""


class OutputError(OSError):
    """Standard output cannot be written: it is full, or its reader is gone."""
