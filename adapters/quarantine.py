"""The folder of files that cannot be read: how many wait there for somebody to look at them, and which have to go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG

from adapters.base import Quarantined

__all__ = ["FINDINGS", "NAME", "empty", "look"]

NAME = "quarantine"
FINDINGS = ".findings.csv"
"""How the file ends that lies beside another and says what is wrong with it."""


def look(folder: Path) -> Quarantined:
    """How many files lie in the quarantine below `folder`, findings not counted, and since when the first does."""
    times = [at for path, at in _files(folder) if not path.name.endswith(FINDINGS)]
    return Quarantined(len(times), min(times, default=None))


def empty(folder: Path, before: datetime) -> int:
    """Delete what was put there before this instant, with its findings; how many files, findings not counted.

    A file that cannot be deleted waits for the next time.
    """
    times = {path.name: at for path, at in _files(folder)}
    count = 0
    for path, at in _files(folder):
        is_findings = path.name.endswith(FINDINGS)
        # What says why a file is here stays as long as the file.
        if max(at, times.get(path.name.removesuffix(FINDINGS), at)) >= before:
            continue
        try:
            path.unlink()
        except OSError:
            continue
        count += not is_findings
    return count


def _files(folder: Path) -> Iterator[tuple[Path, datetime]]:
    """The files with the time at which they were put there; moving one leaves its own time, but not its entry's."""
    try:
        paths = sorted((folder / NAME).iterdir())
    except OSError:
        return
    for path in paths:
        try:
            stat = path.lstat()
        except OSError:
            continue
        if S_ISREG(stat.st_mode):
            # On Windows the second of these is when the file was made.
            yield path, datetime.fromtimestamp(max(stat.st_mtime, stat.st_ctime), UTC)
