"""Translate what database drivers raise into the errors of `node.errors`, each with what to do about it."""

from __future__ import annotations

import sqlite3
from typing import Any

from node.errors import ConfigError, HansaError, UnavailableError

__all__ = ["nothing_stored", "translate"]

_CORRUPT_HINT = (
    "Stop the node, keep a copy of the database as it is, and restore the last backup; "
    "partners send again what came after it."
)
_FULL_HINT = "Free disk space; nothing was stored, and it is tried again."

# While connecting, the driver does not tell the server's code, only its words.
_REFUSED = ("authentication failed", "does not exist", "no pg_hba.conf entry", "permission denied for database")


def translate(error: BaseException) -> HansaError:
    """Return the error to raise instead of a driver's, or instead of SQLAlchemy's wrapping of one."""
    original: Any = getattr(error, "orig", None) or error
    if isinstance(original, HansaError):
        return original
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original)
    return _of_postgres(original)


def nothing_stored(error: HansaError) -> UnavailableError:
    """Return what every caller of a group gets when the group's commit failed."""
    if isinstance(error, UnavailableError):
        return error
    return UnavailableError(f"nothing was stored: {error.message}", hint=error.hint)


def _of_sqlite(error: sqlite3.Error) -> HansaError:
    """By SQLite's primary result code, see https://www.sqlite.org/rescode.html."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return UnavailableError("the disk is full: nothing was stored", hint=_FULL_HINT)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return UnavailableError(
            "another program holds the database locked",
            hint="End the program that has the database file open for writing; it is tried again.",
        )
    if code == sqlite3.SQLITE_READONLY:
        return UnavailableError(
            "the database cannot be written",
            hint="Let the node's user write the database file and its folder, and see that the disk is not read-only.",
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return ConfigError(f"the database file is damaged, or is none: {error}", hint=_CORRUPT_HINT)
    if code == sqlite3.SQLITE_CANTOPEN:
        return ConfigError(
            "the database file cannot be opened", hint="See that its folder exists and the node's user may write there."
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return HansaError(f"the store refused what breaks its rules: {error}")
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}:
        return UnavailableError(
            f"the disk or the memory failed: {error}",
            hint="See first whether the disk is full (df), then look at the system's log; nothing was stored.",
        )
    return HansaError(f"the store failed: {error}")


def _of_postgres(error: Any) -> HansaError:
    """By SQLSTATE and its class, see https://www.postgresql.org/docs/current/errcodes-appendix.html."""
    state = getattr(error, "sqlstate", None) or ""
    said = str(error).strip().partition("\n")[0]
    if state == "53100":
        return UnavailableError("the database server's disk is full: nothing was stored", hint=_FULL_HINT)
    if state.startswith("23"):
        return HansaError(f"the store refused what breaks its rules: {said}")
    if state == "25006":
        return UnavailableError(
            "the database server only lets us read", hint="Point the node to the primary server, which takes writes."
        )
    if state.startswith("XX"):
        return ConfigError(f"the database server found damage: {said}", hint=_CORRUPT_HINT)
    if state.startswith("28") or state in {"3D000", "42501"} or (not state and any(word in said for word in _REFUSED)):
        return ConfigError(
            f"the database server refuses us: {said}",
            hint="Set the store's URL: user, password, an existing database, and the right to create tables in it.",
        )
    if state.startswith(("08", "40", "53", "55", "57", "58")) or (not state and _is_operational(error)):
        return UnavailableError(
            f"the database server is not available: {said}", hint="See that it runs; the node connects again by itself."
        )
    return HansaError(f"the store failed: {said}")


def _is_operational(error: Any) -> bool:
    """Whether the driver itself says so, as it does when a connection breaks; without importing the driver."""
    return any(kind.__name__ in {"OperationalError", "InterfaceError"} for kind in type(error).__mro__)
