"""The errors that Hansa raises, named by whose move is next, each with a hint that says what to do."""

from __future__ import annotations

__all__ = ["AdapterError", "ConfigError", "HansaError", "RefusedError", "UnavailableError"]


class HansaError(Exception):
    """Base of every error a user may see: `message` says what happened, `hint` what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(HansaError):
    """Our own move, before anything starts: names the file, the key and what was expected."""

    exit_code = 2


class RefusedError(HansaError):
    """The other side must change something; towards a partner it becomes a signed refusal.

    `code` is a stable word for programs, such as ``unknown-item``.
    """

    exit_code = 3

    def __init__(self, message: str, *, code: str = "refused", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class UnavailableError(HansaError):
    """Nobody is wrong: try again later."""

    exit_code = 4


class AdapterError(HansaError):
    """The ERP's side failed; `permanent` says whether the same call can ever succeed unchanged."""

    exit_code = 5

    def __init__(self, message: str, *, permanent: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.permanent = permanent
