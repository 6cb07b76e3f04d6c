"""The node's log on standard error: lines for people, or one JSON object per line.

Whoever logs gives partner, document and the like as fields (`extra`). Only the fields named here are written, so that
no body, key or passphrase gets into a log by accident.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

__all__ = ["FIELDS", "configure"]

FIELDS = (
    "partner",
    "document",
    "documents",
    "number",
    "type",
    "adapter",
    "reason",
    "move",
    "endpoint",
    "direction",
    "tls_key",
    "job",
    "seconds",
    "hint",
)
"""Fields that may stand beside a message, in the order in which they are written."""

_TEXT_MAX = 2_000
_TRACE_MAX = 8_000
_QUIET = ("apscheduler", "asyncio", "grpc", "alembic", "sqlalchemy")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = record.__dict__
    return {name: given[name] for name in FIELDS if given.get(name) not in (None, "")}


def _instant(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _JsonLines(logging.Formatter):
    """One JSON object per line: at, level, logger, message, fields, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_TEXT_MAX],
            **{name: _plain(value) for name, value in _fields(record).items()},
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-_TRACE_MAX:]
        return json.dumps(line, ensure_ascii=False)


class _Lines(logging.Formatter):
    """A line for people; what a partner has said cannot begin a new one."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        message = " ".join(record.getMessage()[:_TEXT_MAX].splitlines())
        line = f"{_instant(record)} {record.levelname.lower():7} {message}{'  ' if fields else ''}{fields}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)[-_TRACE_MAX:]}"
        return line


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool) else str(value)[:_TEXT_MAX]


def configure(level: str, format: str, stream: TextIO | None = None) -> logging.Handler:
    """Write the log from now on; `level` and `format` as in the settings' section [log]. Returns the handler."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines() if format == "json" else _Lines())
    root = logging.getLogger()
    for before in list(root.handlers):
        if isinstance(before.formatter, _JsonLines | _Lines):
            root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    return handler
