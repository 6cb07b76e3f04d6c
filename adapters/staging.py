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

import hashlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from adapters.base import Finding
from adapters.building import Group, StagedRow
from adapters.cells import Cell, as_text, key_texts
from adapters.tables import Chunk, Table

__all__ = ["Source", "Staged", "Staging", "quoted"]

_BUSY_MILLISECONDS = 10_000
_CACHE_KIB = 65_536
_FINDINGS_PER_EXTRACT_MAX = 1_000
_GONE = b"gone"
_DOCUMENT_COLUMNS = ("hansa_key", "hansa_file", "hansa_row", "hansa_fault")
_STOCK_COLUMNS = ("hansa_key", "hansa_hash", "hansa_seq", "hansa_gone", "hansa_file", "hansa_row", "hansa_fault")


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Source:
    """What is staged under a mapping's name: `key` columns, the `columns` that make a change (all when there are none).

    With `by_row`, each key has one row (stock, lists); otherwise the rows of one key are one document, and only a file
    or query that has the key again replaces them. `absent_is_zero`: a key that a complete extract lacks is gone.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    by_row: bool
    absent_is_zero: bool = False


@dataclass(frozen=True, slots=True)
class Staged:
    """What one extract did: rows read, the last number given (0 when nothing changed), and findings."""

    rows: int
    last: int
    findings: int


class Staging:
    """The staging database at `path`, or one in memory when None."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self.db = Database(connection)
        self.connection = connection
        with self.transaction():
            self._create()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def copy(self) -> Staging:
        """The same content in memory, for a preview that leaves no trace."""
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
            run = _StockRun(self, source, table) if source.by_row else _DocumentRun(self, source, table)
            rows = run.take()
            changed = run.finish(complete)
            if run.findings:
                changed = run.next = run.next + 1
                self.add_findings(changed, run.findings, staged=True)
            self.put("seq", str(run.next))
            return Staged(rows, changed, len(run.findings))

    def _prepare(self, source: Source, columns: Sequence[str]) -> None:
        """Make the source's table, or add the columns that it lacks."""
        own = _STOCK_COLUMNS if source.by_row else _DOCUMENT_COLUMNS
        table = self.db.table(source.name)
        if not table.exists():
            wanted: dict[str, Any] = dict.fromkeys((*own, *columns), bytes)
            if source.by_row:
                # Without a rowid, a key is found in one step instead of two: measured, 2.6 s instead of 4.2 s for a
                # million rows that have not changed.
                names = ", ".join(map(quoted, wanted)).replace(quoted("hansa_key"), '"hansa_key" BLOB PRIMARY KEY', 1)
                self.connection.execute(f"CREATE TABLE {quoted(source.name)} ({names}) WITHOUT ROWID")
                table.create_index(["hansa_seq"], index_name=f"hansa_{source.name}_seq")
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

    def changed_rows(
        self, source: Source, after: int, before: int, limit: int
    ) -> tuple[list[int], list[str], list[StagedRow]]:
        """Stock rows with a number between `after` and `before`: numbers, keys and rows, at most `limit`."""
        names = ", ".join(quoted(name) for name in source.columns)
        rows = self.connection.execute(
            f"SELECT hansa_seq, hansa_key, hansa_row, hansa_file, hansa_fault, hansa_gone, {names}"
            f" FROM {quoted(source.name)} WHERE hansa_seq > ? AND hansa_seq < ? ORDER BY hansa_seq LIMIT ?",
            (after, before, limit),
        ).fetchall()
        staged = [StagedRow(str(row[2]), row[3], row[4], row[6:], bool(row[5])) for row in rows]
        return [row[0] for row in rows], [row[1] for row in rows], staged

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


class _Run:
    """One extract being taken in."""

    def __init__(self, staging: Staging, source: Source, table: Table) -> None:
        self.staging = staging
        self.connection = staging.connection
        self.source = source
        self.table = table
        self.next = staging.last
        self.findings: list[Finding] = []
        places = {name.casefold(): place for place, name in enumerate(table.columns)}
        self._key = [places[name.casefold()] for name in source.key]
        hashed = [places[name.casefold()] for name in source.columns or table.columns]
        self._whole = hashed == list(range(len(table.columns)))
        self._pick = _picker(hashed)

    def take(self) -> int:
        """Read all rows, in chunks; the number of rows read."""
        count = 0
        for chunk in self.table.chunks:
            count += len(chunk.rows)
            columns = list(zip(*chunk.rows, strict=True))
            keys = key_texts([columns[place] for place in self._key]) if self._key else ["all"] * len(chunk.rows)
            if "" not in keys:
                self.chunk(keys, chunk, columns)
                continue
            places = [place for place, key in enumerate(keys) if self._has_key(key, chunk, place)]
            faults = {at: chunk.faults[place] for at, place in enumerate(places) if place in chunk.faults}
            part = Chunk([chunk.numbers[at] for at in places], [chunk.rows[at] for at in places], faults)
            if places:
                self.chunk([keys[place] for place in places], part, list(zip(*part.rows, strict=True)))
        return count

    def chunk(self, keys: list[str], chunk: Chunk, columns: list[tuple[Cell, ...]]) -> None:
        """Take in a chunk whose rows have these keys; `columns` are its rows turned."""
        raise NotImplementedError

    def finish(self, complete: bool) -> int:
        """Put what was taken in into its place; the last number that was given, 0 when nothing changed."""
        raise NotImplementedError

    def _has_key(self, key: str, chunk: Chunk, place: int) -> bool:
        """Whether a row has a key; if not, that is reported."""
        if key or len(self.findings) >= _FINDINGS_PER_EXTRACT_MAX:
            return bool(key)
        row, number = chunk.rows[place], str(chunk.numbers[place])
        column = next(n for n, at in zip(self.source.key, self._key, strict=True) if not as_text(row[at]).strip())
        text = chunk.faults.get(place) or f"the row has no {column}, which is its key"
        self.findings.append(Finding("missing-key", "", text, source=self.table.source, row=number, column=column))
        return False

    def digests(self, chunk: Chunk) -> list[bytes]:
        """The hash of each row's columns that matter, numbers and texts told apart."""
        rows = chunk.rows if self._whole else [self._pick(row) for row in chunk.rows]
        blake2b = hashlib.blake2b
        try:
            # Mostly all are texts, and trying is the quickest way to know.
            texts = list(map("\x1f".join, rows))  # type: ignore[arg-type]
        except TypeError:
            texts = [repr(tuple(row)) for row in rows]
        found = [blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest() for text in texts]
        for place, fault in chunk.faults.items():
            found[place] += fault.encode()
        return found


def _picker(places: list[int]) -> Callable[[Sequence[Cell]], Sequence[Cell]]:
    """Takes the cells at `places` out of a row."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda row: [row[place] for place in places]


class _StockRun(_Run):
    """One row for each key, written only where its hash differs."""

    def __init__(self, staging: Staging, source: Source, table: Table) -> None:
        super().__init__(staging, source, table)
        self._first = self.next
        # Held while an extract is read, about 100 bytes a key: what appears twice is an error of the source, and what
        # is missing can only be told at the end.
        self._seen: set[str] = set()
        own = [*_STOCK_COLUMNS, *table.columns]
        names = ", ".join(quoted(name) for name in own)
        updates = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in own[1:])
        self._upsert = (
            f"INSERT INTO {quoted(source.name)} ({names}) VALUES ({', '.join('?' * len(own))})"
            f" ON CONFLICT (hansa_key) DO UPDATE SET {updates} WHERE hansa_hash <> excluded.hansa_hash"
        )

    def chunk(self, keys: list[str], chunk: Chunk, columns: list[tuple[Cell, ...]]) -> None:
        """Write the rows of this chunk that are new or differ."""
        count, fresh = len(keys), set(keys)
        twice = self._seen & fresh if not self._seen.isdisjoint(fresh) else set()
        if len(fresh) != count:
            twice |= {key for key, times in Counter(keys).items() if times > 1}
        self._seen |= fresh
        faults = [chunk.faults.get(place, "") for place in range(count)] if chunk.faults else [""] * count
        numbers = range(self.next + 1, self.next + count + 1)
        self.next += count
        rows: Iterable[tuple[Any, ...]] = zip(
            keys,
            self.digests(chunk),
            numbers,
            [0] * count,
            [self.table.source] * count,
            chunk.numbers,
            faults,
            *columns,
            strict=True,
        )
        self.connection.executemany(self._upsert, _without(twice, rows) if twice else rows)

    def finish(self, complete: bool) -> int:
        """Mark what is gone, and find the last number that a row took."""
        name = quoted(self.source.name)
        if complete and self.source.absent_is_zero:
            self._mark_gone(name)
        statement = f"SELECT max(hansa_seq) FROM {name} WHERE hansa_seq > ?"
        return int(self.connection.execute(statement, (self._first,)).fetchone()[0] or 0)

    def _mark_gone(self, name: str) -> None:
        count = self.connection.execute(f"SELECT count(*) FROM {name} WHERE NOT hansa_gone").fetchone()[0]
        if count == len(self._seen):
            return
        rows = self.connection.execute(f"SELECT hansa_key FROM {name} WHERE NOT hansa_gone")
        gone = [key for (key,) in rows if key not in self._seen]
        self.connection.executemany(
            f"UPDATE {name} SET hansa_gone = 1, hansa_fault = '', hansa_hash = ?, hansa_seq = ? WHERE hansa_key = ?",
            [(_GONE, self.next + place, key) for place, key in enumerate(gone, start=1)],
        )
        self.next += len(gone)


def _without(twice: set[str], rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of which none is right are reported and not sent; one stands for all, so that nothing changes next time."""
    kept: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        key, digest, change, gone, source, number, fault, *rest = row
        if key in twice:
            fault = f"{key} appears more than once: name further key columns, or sum the rows in a query"
            digest = f"twice, row {number}".encode()
        kept[key] = (key, digest, change, gone, source, number, fault, *rest)
    return list(kept.values())


class _DocumentRun(_Run):
    """Several rows for each key, replaced together where their hash differs."""

    def __init__(self, staging: Staging, source: Source, table: Table) -> None:
        super().__init__(staging, source, table)
        self._own = [*_DOCUMENT_COLUMNS, *table.columns]
        places = ", ".join(f"c{place}" for place in range(len(self._own)))
        self.connection.execute("DROP TABLE IF EXISTS temp.hansa_incoming")
        self.connection.execute(f"CREATE TEMP TABLE hansa_incoming (hash, {places})")
        self._insert = f"INSERT INTO temp.hansa_incoming VALUES ({', '.join('?' * (len(self._own) + 1))})"
        self._first_at: dict[str, int] = {}

    def chunk(self, keys: list[str], chunk: Chunk, columns: list[tuple[Cell, ...]]) -> None:
        """Put the rows aside, because the rows of a document need not stand together."""
        for key in keys:
            self._first_at.setdefault(key, len(self._first_at))
        faults = [chunk.faults.get(place, "") for place in range(len(keys))]
        source = [self.table.source] * len(keys)
        rows = zip(self.digests(chunk), keys, source, chunk.numbers, faults, *columns, strict=True)
        self.connection.executemany(self._insert, rows)

    def finish(self, complete: bool) -> int:
        """Replace the documents that differ, in the order in which the extract has them."""
        changed = self._changed()
        start = self.next
        name = quoted(self.source.name)
        columns = ", ".join(quoted(column) for column in self._own)
        places = ", ".join(f"c{place}" for place in range(len(self._own)))
        self.connection.execute("CREATE INDEX temp.hansa_incoming_key ON hansa_incoming (c0)")
        for key, digest in changed:
            self.next += 1
            self.connection.execute(f"DELETE FROM {name} WHERE hansa_key = ?", (key,))
            self.connection.execute(
                f"INSERT INTO {name} ({columns}) SELECT {places} FROM temp.hansa_incoming WHERE c0 = ? ORDER BY rowid",
                (key,),
            )
            self.connection.execute(
                "INSERT INTO hansa_documents (source, key, hash, seq) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (source, key) DO UPDATE SET hash = excluded.hash, seq = excluded.seq",
                (self.source.name, key, digest, self.next),
            )
        self.connection.execute("DROP TABLE temp.hansa_incoming")
        return self.next if self.next > start else 0

    def _changed(self) -> list[tuple[str, bytes]]:
        """Key and hash of each document that is new or differs, in the order of first appearance."""
        statement = "SELECT key, hash FROM hansa_documents WHERE source = ?"
        known = dict(self.connection.execute(statement, (self.source.name,)))
        digests: dict[str, Any] = {key: hashlib.blake2b(digest_size=16) for key in self._first_at}
        for key, hashed in self.connection.execute("SELECT c0, hash FROM temp.hansa_incoming ORDER BY rowid"):
            digests[key].update(hashed)
        found = [(key, digest.digest()) for key, digest in digests.items()]
        return [(key, digest) for key, digest in found if known.get(key) != digest]
