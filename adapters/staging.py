"""Staging: the raw rows of every extract in one SQLite database, so that only what changed goes on.

Every staged change gets the next number of one sequence, and that number is the adapter's cursor: what has a number
beyond the cursor that the node has stored is offered. So nothing needs to be marked as taken, a crash loses nothing,
and a cursor that goes back after a restore offers again what followed it.

Tables are named after their mapping and hold the source's own columns, for people to look at; what staging itself needs
is in columns and tables that begin with ``hansa_``. Columns have no type, because SQLite would turn the item number
"0042" into 42 in a number column, and the number 1.5 into a text in a text column.
"""

# ruff: noqa: S608 - names of tables and columns are quoted by `quoted`, conditions are fixed, values are bound.
from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from adapters.base import Finding
from adapters.building import Group, StagedRow, StagedStock
from adapters.forgetting import day_of, forget_rows, note_extract, note_numbers
from adapters.intake import DOCUMENT_COLUMNS, STOCK_COLUMNS, DocumentRun, Run, Source, StockRun, quoted
from adapters.lots import line_key
from adapters.tables import Table

__all__ = ["Source", "Staged", "Staging"]

_BUSY_MILLISECONDS = 10_000
_CACHE_KIB = 65_536


@dataclass(frozen=True, slots=True)
class Staged:
    """What one extract did: rows read, the last number given (0 when nothing changed), and findings."""

    rows: int
    last: int
    findings: int


class Staging:
    """The staging database at `path`, or one that is forgotten when closed when None.

    With a `clock`, it is noted when an extract had a row, without which nothing is ever forgotten.
    """

    def __init__(self, path: Path | None, clock: Callable[[], datetime] | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path or "", isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        # What is deleted is overwritten: it may be about people.
        connection.execute("PRAGMA main.secure_delete = ON")
        self._clock = clock
        self.db = Database(connection)
        self.connection = connection
        with self.transaction():
            self._create()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def copy(self) -> Staging:
        """The same content in a database of its own, for a preview that leaves no trace."""
        other = Staging(None)
        self.connection.backup(other.connection)
        return other

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside another is part of the outer one."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _create(self) -> None:
        make = self.db.create_table
        make("hansa_state", {"name": str, "value": str}, pk="name", if_not_exists=True)
        make(
            "hansa_documents",
            {"source": str, "key": str, "hash": bytes, "seq": int},
            pk=("source", "key"),
            if_not_exists=True,
        )
        make("hansa_rejected", {"source": str, "key": str}, pk=("source", "key"), if_not_exists=True)
        make(
            "hansa_findings",
            {"id": int, "seq": int, "staged": int, "source": str, "row": str, "column": str, "path": str}
            | {"rule": str, "text": str},
            pk="id",
            if_not_exists=True,
        )
        make(
            "hansa_files",
            {"name": str, "size": int, "mtime": int, "state": str, "first": int, "last": int},
            pk="name",
            if_not_exists=True,
        )
        make("hansa_seen", {"source": str, "key": str, "day": int}, pk=("source", "key"), if_not_exists=True)
        make("hansa_days", {"day": int, "seq": int}, pk="day", if_not_exists=True)
        make("hansa_outbox", {"identity": str, "reference": str, "state": str}, pk="identity", if_not_exists=True)
        self.db.table("hansa_documents").create_index(["source", "seq"], if_not_exists=True)
        self.db.table("hansa_findings").create_index(["seq"], if_not_exists=True)

    # --- values that outlive a run -----------------------------------------------------------------------------------

    def get(self, name: str) -> str | None:
        """A value that `put` stored, None when there is none."""
        row = self.connection.execute("SELECT value FROM hansa_state WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, name: str, value: str) -> None:
        """Store a value under `name`."""
        self.connection.execute("INSERT OR REPLACE INTO hansa_state (name, value) VALUES (?, ?)", (name, value))

    @property
    def last(self) -> int:
        """The last number of the sequence that was given."""
        return int(self.get("seq") or 0)

    def reach(self, number: int) -> None:
        """Give only numbers beyond `number` from now on: this database may be younger than the node's cursor."""
        if number > self.last:
            self.put("seq", str(number))

    # --- staging -----------------------------------------------------------------------------------------------------

    def stage(self, source: Source, table: Table, *, complete: bool, retry_rejected: bool) -> Staged:
        """Take an extract in, in one transaction; raises what reading `table` raises, and then nothing has changed.

        With `complete` the extract holds everything that there is. With `retry_rejected`, rows that were rejected
        before count as changed even when they are the same.
        """
        with self.transaction():
            self._prepare(source, table.columns)
            if retry_rejected:
                self._forget_hashes(source)
            kind = StockRun if source.by_row else DocumentRun
            run: Run = kind(self.connection, self.last, source, table)
            rows = run.take()
            changed = run.finish(complete)
            if run.findings:
                changed = run.next = run.next + 1
                self.add_findings(changed, run.findings, staged=True)
            self.put("seq", str(run.next))
            if self._clock is not None:
                day = day_of(self._clock())
                note_numbers(self.connection, day, run.next)
                note_extract(self.connection, source, run.keys, day, complete)
            return Staged(rows, changed, len(run.findings))

    def _prepare(self, source: Source, columns: Sequence[str]) -> None:
        """Make the source's table, or add the columns that it lacks."""
        own = STOCK_COLUMNS if source.by_row else DOCUMENT_COLUMNS
        table = self.db.table(source.name)
        if not table.exists():
            wanted: dict[str, Any] = dict.fromkeys((*own, *columns), bytes)
            if source.by_row:
                table.create({**wanted, "hansa_seq": int}, pk="hansa_seq")
            else:
                table.create(wanted)
                table.create_index(["hansa_key"], index_name=f"hansa_{source.name}_key")
            return
        known = {name.casefold() for name in self.columns(source.name)}
        for name in columns:
            if name.casefold() not in known:
                table.add_column(name, bytes)

    def columns(self, name: str) -> list[str]:
        """The source's own columns as staged; none when nothing was staged yet."""
        rows = self.connection.execute("SELECT name FROM pragma_table_info(?)", (name,)).fetchall()
        return [row[0] for row in rows if not row[0].startswith("hansa_")]

    def _forget_hashes(self, source: Source) -> None:
        keys = "SELECT key FROM hansa_rejected WHERE source = ?"
        if source.by_row:
            statement = f"UPDATE {quoted(source.name)} SET hansa_hash = x'' WHERE hansa_key IN ({keys})"
            self.connection.execute(statement, (source.name,))
        else:
            statement = f"UPDATE hansa_documents SET hash = x'' WHERE source = ? AND key IN ({keys})"
            self.connection.execute(statement, (source.name, source.name))
        self.connection.execute("DELETE FROM hansa_rejected WHERE source = ?", (source.name,))

    def retry(self, source: Source) -> None:
        """Offer what was rejected again, because the mapping or a lookup table has changed."""
        with self.transaction():
            rows = self.connection.execute("SELECT key FROM hansa_rejected WHERE source = ?", (source.name,)).fetchall()
            numbers = itertools.count(self.last + 1)
            pairs = [(next(numbers), key) for (key,) in rows]
            if source.by_row and self.columns(source.name):
                statement = f"UPDATE {quoted(source.name)} SET hansa_seq = ? WHERE hansa_key = ?"
                self.connection.executemany(statement, pairs)
            elif not source.by_row:
                statement = "UPDATE hansa_documents SET seq = ? WHERE source = ? AND key = ?"
                self.connection.executemany(statement, [(number, source.name, key) for number, key in pairs])
            self.connection.execute("DELETE FROM hansa_rejected WHERE source = ?", (source.name,))
            self.put("seq", str(next(numbers) - 1))

    def forget(self, before: datetime, lists: Collection[str]) -> int:
        """Forget what was taken and no extract has had since `before`; how many documents and rows.

        Of `lists`, which are staged for look-ups only, nothing needs to be taken.
        """
        today = None if self._clock is None else day_of(self._clock())
        with self.transaction():
            stored = int(self.get("stored") or 0)
            count = forget_rows(self.connection, day_of(before), stored, lists, today)
        if count:
            # The log of writes still has what was deleted.
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return count

    # --- what is new -------------------------------------------------------------------------------------------------

    def head(self, source: Source, after: int) -> int | None:
        """The first number beyond `after` that belongs to the source."""
        staged = {name.casefold() for name in self.columns(source.name)}
        if not staged or not all(name.casefold() in staged for name in source.columns):
            # Nothing yet, or a mapping that asks for a column that no extract had so far.
            return None
        if source.by_row:
            statement = f"SELECT min(hansa_seq) FROM {quoted(source.name)} WHERE hansa_seq > ?"
            row = self.connection.execute(statement, (after,)).fetchone()
        else:
            statement = "SELECT min(seq) FROM hansa_documents WHERE source = ? AND seq > ?"
            row = self.connection.execute(statement, (source.name, after)).fetchone()
        return None if row[0] is None else int(row[0])

    def findings_head(self, after: int) -> int | None:
        """The first number beyond `after` that stands for findings of reading alone."""
        statement = "SELECT min(seq) FROM hansa_findings WHERE staged AND seq > ?"
        number = self.connection.execute(statement, (after,)).fetchone()[0]
        return None if number is None else int(number)

    def changed_groups(self, source: Source, after: int, before: int, limit: int) -> list[tuple[int, Group]]:
        """Documents with a number between `after` and `before`, at most `limit`, in their order."""
        heads = self.connection.execute(
            "SELECT seq, key FROM hansa_documents WHERE source = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?",
            (source.name, after, before, limit),
        ).fetchall()
        names = ", ".join(quoted(name) for name in source.columns)
        statement = (
            f"SELECT hansa_row, hansa_file, hansa_fault{', ' if names else ''}{names} FROM {quoted(source.name)}"
            " WHERE hansa_key = ? ORDER BY rowid"
        )
        groups = []
        for number, key in heads:
            rows = self.connection.execute(statement, (key,)).fetchall()
            staged = tuple(StagedRow(str(row[0]), row[1], row[2], tuple(row[3:])) for row in rows)
            groups.append((number, Group(key, staged)))
        return groups

    def changed_rows(self, source: Source, after: int, before: int, limit: int) -> tuple[Sequence[int], StagedStock]:
        """Stock rows with a number between `after` and `before`: numbers and rows, at most `limit`.

        With lots, all rows of each line that has such a row, the last one that changed at the end.
        """
        names = ", ".join(quoted(name) for name in source.columns)
        select = (
            f"SELECT hansa_seq, hansa_key, hansa_row, hansa_file, hansa_fault, hansa_gone, {names}"
            f" FROM {quoted(source.name)} WHERE "
        )
        rows = self.connection.execute(
            f"{select}hansa_seq > ? AND hansa_seq < ? ORDER BY hansa_seq LIMIT ?", (after, before, limit)
        ).fetchall()
        if source.lots:
            rows = self._with_other_lots(source, select, rows)
        if not rows:
            return (), StagedStock((), (), (), (), (), [()] * len(source.columns))
        numbers, keys, places, files, faults, gone, *columns = zip(*rows, strict=True)
        return numbers, StagedStock(keys, places, files, faults, gone, columns)

    def refused_between(self, first: int, last: int, keys: Collection[str]) -> set[str]:
        """Those of these keys, of documents or stock lines, that have a number beyond `first` up to `last`.

        The node has refused them. A stock line is remembered as rejected, as what had findings here is.
        """
        if not keys:
            return set()
        statement = "SELECT key FROM hansa_documents WHERE seq > ? AND seq <= ?"
        found = {key for (key,) in self.connection.execute(statement, (first, last))} & set(keys)
        for name in self._stock_tables():
            for key in keys:
                # The rows of one line with lots have its key before their own part; "}" is the character behind "|".
                rows = f"SELECT hansa_key FROM {quoted(name)} WHERE hansa_seq > ? AND hansa_seq <= ? AND hansa_key"
                values = (first, last, key, first, last, f"{key}|", f"{key}}}")
                of_line = self.connection.execute(
                    f"{rows} = ? UNION ALL {rows} > ? AND hansa_key < ?", values
                ).fetchall()
                statement = "INSERT OR IGNORE INTO hansa_rejected (source, key) VALUES (?, ?)"
                self.connection.executemany(statement, [(name, row) for (row,) in of_line])
                found |= {key} if of_line else set()
        return found

    def _stock_tables(self) -> list[str]:
        statement = (
            "SELECT name FROM sqlite_master AS t WHERE type = 'table'"
            " AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE name = 'hansa_seq')"
        )
        return [name for (name,) in self.connection.execute(statement)]

    def _with_other_lots(self, source: Source, select: str, changed: list[Any]) -> list[Any]:
        last: dict[str, Any] = {}
        for row in changed:
            line = line_key(row[1], len(source.key) - source.lots)
            last.pop(line, None)
            last[line] = row
        found = []
        for line, row in last.items():
            # "}" is the character behind the "|" that stands between the parts of a key.
            of_line = f"{select}hansa_key > ? AND hansa_key < ? AND hansa_key <> ? ORDER BY hansa_key"
            found += self.connection.execute(of_line, (f"{line}|", f"{line}}}", row[1])).fetchall()
            found.append(row)
        return found

    # --- findings ----------------------------------------------------------------------------------------------------

    def add_findings(self, number: int, findings: Sequence[Finding], *, staged: bool = False) -> None:
        """Keep findings under a number of the sequence; those that mapping found there before are replaced."""
        if not staged:
            self.connection.execute("DELETE FROM hansa_findings WHERE seq = ? AND NOT staged", (number,))
        self.connection.executemany(
            'INSERT INTO hansa_findings (seq, staged, source, "row", "column", path, rule, text)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(number, int(staged), f.source, f.row, f.column, f.path, f.rule, f.text) for f in findings],
        )

    def findings(self, where: str, values: Mapping[str, Any]) -> list[Finding]:
        """The findings that a fixed SQL condition selects, in the order in which they were made."""
        statement = f'SELECT rule, path, text, source, "row", "column" FROM hansa_findings WHERE {where} ORDER BY id'
        return [Finding(*row) for row in self.connection.execute(statement, values).fetchall()]

    def reject(self, source: Source, keys: Sequence[str]) -> None:
        """Remember what had findings, so that it is tried again when the mapping changes."""
        statement = "INSERT OR IGNORE INTO hansa_rejected (source, key) VALUES (?, ?)"
        self.connection.executemany(statement, [(source.name, key) for key in keys])

    def has_rejected(self, source: Source) -> bool:
        """Whether anything of the source had findings last time."""
        statement = "SELECT EXISTS (SELECT 1 FROM hansa_rejected WHERE source = ?)"
        return bool(self.connection.execute(statement, (source.name,)).fetchone()[0])

    def unreject(self, source: Source, keys: Sequence[str]) -> None:
        """Forget what had findings and has none any more."""
        statement = "DELETE FROM hansa_rejected WHERE source = ? AND key = ?"
        self.connection.executemany(statement, [(source.name, key) for key in keys])
