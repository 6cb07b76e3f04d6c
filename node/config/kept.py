"""What was read from files, read again when they change; a change that is wrong leaves the last good value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from node.errors import ConfigError

__all__ = ["Kept"]

Value = TypeVar("Value")
Stamp = tuple[tuple[int, int], ...]


class _Entry(NamedTuple):
    files: tuple[Path, ...]
    stamp: Stamp
    fault: ConfigError | None


class Kept(Generic[Value]):
    """Values by key. `read(key)` gives a value and the files that it was made of. For several threads."""

    def __init__(self) -> None:
        self._values: dict[object, Value] = {}
        self._entries: dict[object, _Entry] = {}
        self._lock = threading.Lock()

    def get(
        self, key: object, files: tuple[Path, ...], read: Callable[[], tuple[Value, tuple[Path, ...]]]
    ) -> tuple[Value, ConfigError | None]:
        """The value, and why its newest files do not count, if so. `files` are those known before it is read.

        Raises ConfigError when there is no value yet and the files are wrong.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.stamp != _stamp(entry.files):
                entry = self._read(key, files, read)
            if key not in self._values:
                assert entry.fault is not None
                raise entry.fault
            return self._values[key], entry.fault

    def _read(self, key: object, files: tuple[Path, ...], read: Callable[[], tuple[Value, tuple[Path, ...]]]) -> _Entry:
        # Stamped before they are read: what is written meanwhile is read at the next look.
        before = self._entries.get(key)
        watched = before.files if before else files
        stamp = _stamp(watched)
        try:
            value, found = read()
        except ConfigError as error:
            entry = _Entry(watched, stamp, error)
        else:
            self._values[key] = value
            entry = _Entry(found, stamp if found == watched else _stamp(found), None)
        self._entries[key] = entry
        return entry


def _stamp(files: tuple[Path, ...]) -> Stamp:
    """When and how large each file is; zeros where it is not there."""
    stamps = []
    for path in files:
        try:
            seen = path.stat()
        except OSError:
            stamps.append((0, 0))
        else:
            stamps.append((seen.st_mtime_ns, seen.st_size))
    return tuple(stamps)
