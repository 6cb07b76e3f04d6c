"""A folder that files are dropped into: picked up when complete, put away when the node has stored what was in them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import Any

from adapters.base import Finding
from adapters.staging import Staging
from adapters.tables import write_table
from node.errors import AdapterError, ConfigError

__all__ = ["Inbox", "Picked"]

_TEMPORARY = (".tmp", ".part", ".crdownload", ".done")
_FOLDERS = ("in", "out", "processed", "rejected", "quarantine")


@dataclass(frozen=True, slots=True)
class Picked:
    """A file that is complete, and when it was last written."""

    path: Path
    size: int
    mtime: int

    @property
    def written_at(self) -> datetime:
        """The time of the file's last change, UTC."""
        return datetime.fromtimestamp(self.mtime / 1e9, UTC)


class Inbox:
    """The folders ``in``, ``processed``, ``rejected`` and ``quarantine`` below `folder`.

    `ready` says when a file is complete: "unchanged" between two polls (or, with `settle_seconds` and a clock, not
    written to for so long), or "done" when ``NAME.done`` lies beside it. A workbook that somebody has open waits.
    """

    def __init__(
        self,
        folder: Path,
        staging: Staging,
        *,
        ready: str,
        settle_seconds: int,
        clock: Callable[[], datetime] | None,
    ) -> None:
        if ready not in ("unchanged", "done"):
            raise ConfigError(f"ready = {ready!r} is not unchanged or done")
        self.folder = folder
        self._staging = staging
        self._ready = ready
        self._settle_seconds = settle_seconds
        self._clock = clock

    def with_staging(self, staging: Staging) -> Inbox:
        """The same folder with another staging database, for a preview."""
        return Inbox(self.folder, staging, ready=self._ready, settle_seconds=self._settle_seconds, clock=self._clock)

    def make_folders(self) -> None:
        """Make the folders that are missing; raises AdapterError when that is not allowed."""
        try:
            for name in _FOLDERS:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AdapterError(f"{self.folder}: {error.strerror or error}", hint="Check the setting folder.") from error

    def complete_files(self, patterns: Sequence[str], *, preview: bool = False) -> Iterator[Picked]:
        """The files in ``in`` that fit a pattern, are complete and not yet staged, the oldest first.

        What is still being written is noted, to be compared at the next poll. In a preview every file that nobody has
        open counts as complete.
        """
        known = {row[0]: row[1:] for row in self._rows("SELECT name, size, mtime, state FROM hansa_files")}
        found = self._found(patterns)
        for item in found:
            size, mtime, state = known.get(item.path.name, (None, None, None))
            same = (size, mtime) == (item.size, item.mtime)
            if (same and state in ("staged", "unreadable")) or self._is_open(item.path):
                continue
            if preview or self._is_complete(item, same):
                yield item
            else:
                self._note(item, "waiting", 0, 0)
        gone = set(known) - {item.path.name for item in found}
        self._staging.connection.executemany(
            "DELETE FROM hansa_files WHERE name = ? AND state = 'waiting'", [(name,) for name in gone]
        )

    def _found(self, patterns: Sequence[str]) -> list[Picked]:
        found = []
        try:
            for path in (self.folder / "in").iterdir():
                name = path.name
                if name.startswith((".", "~$")) or name.lower().endswith(_TEMPORARY) or path.is_symlink():
                    continue
                if path.is_file() and any(fnmatch.fnmatch(name.lower(), pattern.lower()) for pattern in patterns):
                    stat = path.stat()
                    found.append(Picked(path, stat.st_size, stat.st_mtime_ns))
        except FileNotFoundError:
            return found
        except OSError as error:
            raise AdapterError(f"{self.folder / 'in'}: {error.strerror or error}") from error
        return sorted(found, key=lambda item: (item.mtime, item.path.name))

    def fits(self, item: Picked, pattern: str) -> bool:
        """Whether the file's name fits a pattern; upper and lower case are alike."""
        return fnmatch.fnmatch(item.path.name.lower(), pattern.lower())

    def strangers(self, patterns: Sequence[str]) -> list[str]:
        """The names of files in ``in`` that fit none of the patterns."""
        return [item.path.name for item in self._found(["*"]) if not any(self.fits(item, p) for p in patterns)]

    def _is_open(self, path: Path) -> bool:
        """Whether Excel or LibreOffice has the workbook open: they put a lock file beside it."""
        # Excel leaves out the first two letters of a long name.
        locks = (f"~${path.name}", f"~${path.name[2:]}", f".~lock.{path.name}#")
        return any((path.parent / lock).exists() for lock in locks)

    def _is_complete(self, item: Picked, same: bool) -> bool:
        if self._ready == "done":
            return self._marker(item.path).exists()
        if self._clock is not None and self._settle_seconds:
            return (self._clock() - item.written_at).total_seconds() >= self._settle_seconds
        return same

    def _marker(self, path: Path) -> Path:
        return path.with_name(f"{path.name}.done")

    def staged(self, item: Picked, first: int, last: int) -> None:
        """The file's rows are staged, under the numbers beyond `first` up to `last`."""
        self._note(item, "staged", first, last)

    def unreadable(self, item: Picked, reason: str) -> None:
        """The file goes to quarantine, with one finding that says why."""
        self._as_a_whole(item, "unreadable", Finding("unreadable-file", "", reason, source=item.path.name))

    def refused(self, item: Picked, reason: str) -> None:
        """The file is readable, but not what the mapping expects: it goes to rejected, with one finding."""
        self._as_a_whole(item, "staged", Finding("unexpected-table", "", reason, source=item.path.name))

    def _as_a_whole(self, item: Picked, state: str, finding: Finding) -> None:
        with self._staging.transaction():
            number = self._staging.last + 1
            self._staging.add_findings(number, [finding], staged=True)
            self._staging.reach(number)
            self._note(item, state, number - 1, number)

    def is_unchanged(self, item: Picked) -> bool:
        """Whether the file is still the one that was picked, after it was read."""
        try:
            stat = item.path.stat()
        except OSError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (item.size, item.mtime)

    def put_away(self, after: int, refused: Sequence[Finding] = ()) -> None:
        """Move every file whose numbers the cursor `after` covers, with its findings beside it.

        `refused` are the documents that the node could not send and the stock lines that it did not take, as
        `HearsRefusals` has them; those of the file's own numbers are findings of the file too.

        A file that cannot be moved, or was written again meanwhile, stays for the next time.
        """
        rows = self._rows("SELECT name, size, mtime, state, first, last FROM hansa_files WHERE state <> 'waiting'")
        for name, size, mtime, state, first, last in rows:
            if last > after:
                continue
            path = self.folder / "in" / name
            try:
                picked = Picked(path, size, mtime)
                if self.is_unchanged(picked):
                    findings = self._staging.findings(
                        "source = :name AND seq > :first AND seq <= :last", {"name": name, "first": first, "last": last}
                    )
                    self._move(picked, state, [*findings, *self._refused(name, first, last, refused)])
            except OSError:
                continue
            self._staging.connection.execute("DELETE FROM hansa_files WHERE name = ?", (name,))

    def _refused(self, name: str, first: int, last: int, refused: Sequence[Finding]) -> Iterator[Finding]:
        here = [one for one in refused if one.source.startswith(f"{name} row")]
        with self._staging.transaction():
            keys = self._staging.refused_between(first, last, {one.row for one in here})
        for one in here:
            if one.row in keys:
                rows = one.source.removeprefix(f"{name} row").removeprefix("s").strip()
                yield replace(one, source=name, row=rows)

    def forget(self, before: datetime) -> int:
        """Delete what was put away into ``processed`` and ``rejected`` before this instant; how many files.

        Moving a file leaves its own time as it is, but not that of its entry, by which it is judged. What lies in
        ``quarantine`` has a time of its own (`adapters.quarantine`). A file that cannot be deleted waits.
        """
        count = 0
        for name in ("processed", "rejected"):
            for path in (self.folder / name).iterdir():
                try:
                    stat = path.lstat()
                    # On Windows the second of these is when the file was made.
                    if S_ISREG(stat.st_mode) and max(stat.st_mtime, stat.st_ctime) < before.timestamp():
                        path.unlink()
                        count += 1
                except OSError:
                    continue
        return count

    def _move(self, item: Picked, state: str, findings: Sequence[Finding]) -> None:
        bad = any(not finding.warning for finding in findings)
        target = self.folder / ("quarantine" if state == "unreadable" else "rejected" if bad else "processed")
        target.mkdir(parents=True, exist_ok=True)
        to = target / item.path.name
        count = 0
        while to.exists():
            count += 1
            mark = item.written_at.strftime("%Y%m%dT%H%M%S") + (f"-{count}" if count > 1 else "")
            to = target / f"{item.path.stem}.{mark}{item.path.suffix}"
        if findings:
            rows = [(f.row, f.column, f.path, f.rule, f.text) for f in findings]
            columns = ("row", "column", "field", "rule", "what is wrong")
            to.with_name(f"{to.name}.findings.csv").write_bytes(write_table(columns, rows))
        item.path.replace(to)
        self._marker(item.path).unlink(missing_ok=True)

    def _note(self, item: Picked, state: str, first: int, last: int) -> None:
        self._staging.connection.execute(
            "INSERT OR REPLACE INTO hansa_files (name, size, mtime, state, first, last) VALUES (?, ?, ?, ?, ?, ?)",
            (item.path.name, item.size, item.mtime, state, first, last),
        )

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._staging.connection.execute(statement).fetchall()
        return rows
