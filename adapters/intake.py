"""Taking an extract in: rows are hashed, compared with what is staged, and written where they differ."""

# ruff: noqa: S608 - names of tables and columns are quoted by `quoted`, values are bound.
from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from adapters.base import Finding
from adapters.cells import Cell, as_text, key_texts
from adapters.tables import Chunk, Table

__all__ = ["DOCUMENT_COLUMNS", "STOCK_COLUMNS", "DocumentRun", "Run", "Source", "StockRun", "quoted"]

_FINDINGS_PER_EXTRACT_MAX = 1_000
_GONE = b"gone"
_HASH_BYTES = 16
_FEW = 20
DOCUMENT_COLUMNS = ("hansa_key", "hansa_file", "hansa_row", "hansa_fault")
"""What staging adds to each row of a document."""

STOCK_COLUMNS = ("hansa_seq", "hansa_key", "hansa_hash", "hansa_gone", "hansa_file", "hansa_row", "hansa_fault")
"""What staging adds to each row of stock."""


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Source:
    """What is staged under a mapping's name: `key` columns, the `columns` that make a change (all when there are none).

    With `by_row`, each key has one row (stock, lists); otherwise the rows of one key are one document, and only a file
    or query that has the key again replaces them. `absent_is_zero`: a key that a complete extract lacks is gone, unless
    more than `absent_max` percent are lacking, which is rather an extract that broke off. Rows that differ in the last
    `lots` columns of the key alone are offered together. A row without a key that fills the columns `line` may be
    a line of the document above it (merged cells, a number only in the first row): that document is at fault then.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    by_row: bool
    absent_is_zero: bool = False
    absent_max: int = 50
    lots: int = 0
    line: tuple[str, ...] = ()


class Run:
    """One extract being taken in."""

    def __init__(self, connection: sqlite3.Connection, last: int, source: Source, table: Table) -> None:
        """`last` is the last number of the sequence that was given; `next` goes on from there."""
        self.connection = connection
        self.source = source
        self.table = table
        self.next = last
        self.findings: list[Finding] = []
        places = {name.casefold(): place for place, name in enumerate(table.columns)}
        self._key = [places[name.casefold()] for name in source.key]
        hashed = [places[name.casefold()] for name in source.columns or table.columns]
        self._hashed = hashed

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

    @property
    def keys(self) -> Set[str]:
        """The keys that the extract had so far."""
        raise NotImplementedError

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

    def digests(self, chunk: Chunk, columns: Sequence[Sequence[Cell]]) -> list[bytes]:
        """The hash of each row's columns that matter, numbers and texts told apart; it depends on that row alone."""
        texts = [_marked(columns[place]) for place in self._hashed]
        sha256 = hashlib.sha256
        found = [
            sha256(text.encode(errors="surrogatepass")).digest()[:_HASH_BYTES]
            for text in map("\x1f".join, zip(*texts, strict=True))
        ]
        for place, fault in chunk.faults.items():
            found[place] += fault.encode()
        return found


def _marked(column: Sequence[Cell]) -> Sequence[str]:
    """A column as texts, in which what is none is marked, so that the number 5 is not the text "5"."""
    if set(map(type, column)) == {str}:
        return column  # type: ignore[return-value]
    return [value if type(value) is str else f"\x1e{value!r}" for value in column]


class StockRun(Run):
    """One row for each key, written only where its hash differs.

    Measured with a million rows: the number as the row's own place, an index over key and hash made after the first
    load, and a comparison a chunk at a time take two thirds of the time of an upsert by key.
    """

    def __init__(self, connection: sqlite3.Connection, last: int, source: Source, table: Table) -> None:
        super().__init__(connection, last, source, table)
        self._first = last
        # Held while an extract is read, about 100 bytes a key: what appears twice is an error of the source, and what
        # is missing can only be told at the end.
        self._seen: set[str] = set()
        name = quoted(source.name)
        own = [*STOCK_COLUMNS, *table.columns]
        names = ", ".join(map(quoted, own))
        self._insert = f"INSERT INTO {name} ({names}) VALUES ({', '.join('?' * len(own))})"
        self._delete = f"DELETE FROM {name} WHERE hansa_key = ?"
        self._index = (
            f"CREATE INDEX IF NOT EXISTS {quoted(f'hansa_{source.name}_key')} ON {name} (hansa_key, hansa_hash)"
        )
        self._differ = (
            "SELECT place FROM temp.hansa_chunk WHERE NOT EXISTS"
            f" (SELECT 1 FROM {name} WHERE hansa_key = chunk_key AND hansa_hash = chunk_hash)"
        )
        self._is_first_load = not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {name})").fetchone()[0]
        if not self._is_first_load:
            connection.execute(self._index)
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS hansa_chunk (place INTEGER PRIMARY KEY, chunk_key, chunk_hash)"
        )

    @property
    def keys(self) -> Set[str]:
        """As `Run.keys`."""
        return self._seen

    def chunk(self, keys: list[str], chunk: Chunk, columns: list[tuple[Cell, ...]]) -> None:
        """Write the rows of this chunk that are new or differ."""
        count, fresh = len(keys), set(keys)
        twice = self._seen & fresh if not self._seen.isdisjoint(fresh) else set()
        if len(fresh) != count:
            twice |= {key for key, times in Counter(keys).items() if times > 1}
        self._seen |= fresh
        digests = self.digests(chunk, columns)
        faults = [chunk.faults.get(place, "") for place in range(count)] if chunk.faults else [""] * count
        rows: Iterable[tuple[Any, ...]] = zip(
            range(self.next + 1, self.next + count + 1),
            keys,
            digests,
            [0] * count,
            [self.table.source] * count,
            chunk.numbers,
            faults,
            *columns,
            strict=True,
        )
        self.next += count
        if twice:
            rows = _without(twice, rows)
            # Without the index, finding the older of two rows would read the whole table.
            self.connection.execute(self._index)
            self._is_first_load = False
        self._write(rows)

    def _write(self, rows: Iterable[tuple[Any, ...]]) -> None:
        if self._is_first_load:
            self.connection.executemany(self._insert, rows)
            return
        rows = list(rows)
        self.connection.execute("DELETE FROM temp.hansa_chunk")
        self.connection.executemany(
            "INSERT INTO temp.hansa_chunk VALUES (?, ?, ?)", [(place, row[1], row[2]) for place, row in enumerate(rows)]
        )
        changed = [rows[place] for (place,) in self.connection.execute(self._differ).fetchall()]
        if changed:
            self.connection.executemany(self._delete, [(row[1],) for row in changed])
            self.connection.executemany(self._insert, changed)

    def finish(self, complete: bool) -> int:
        """Mark what is gone, and find the last number that a row took."""
        name = quoted(self.source.name)
        self.connection.execute(self._index)
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
        if len(gone) * 100 > count * self.source.absent_max and count >= _FEW:
            limit = f"absent_max = {self.source.absent_max} percent"
            text = f"the extract lacks {len(gone)} of {count} keys, more than {limit}: none is zeroed"
            self.findings.append(Finding("too-many-absent", "", text, source=self.table.source))
            return
        self.connection.executemany(
            f"UPDATE {name} SET hansa_gone = 1, hansa_fault = '', hansa_hash = ?, hansa_seq = ? WHERE hansa_key = ?",
            [(_GONE, self.next + place, key) for place, key in enumerate(gone, start=1)],
        )
        self.next += len(gone)


def _without(twice: set[str], rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of which none is right are reported and not sent; one stands for all, so that nothing changes next time."""
    kept: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        change, key, digest, gone, source, number, fault, *rest = row
        if key in twice:
            fault = f"{key} appears more than once: name further key columns, or sum the rows in a query"
            digest = f"twice, row {number}".encode()
        kept[key] = (change, key, digest, gone, source, number, fault, *rest)
    return list(kept.values())


class DocumentRun(Run):
    """Several rows for each key, replaced together where their hash differs."""

    def __init__(self, connection: sqlite3.Connection, last: int, source: Source, table: Table) -> None:
        super().__init__(connection, last, source, table)
        self._own = [*DOCUMENT_COLUMNS, *table.columns]
        places = ", ".join(f"c{place}" for place in range(len(self._own)))
        self.connection.execute("DROP TABLE IF EXISTS temp.hansa_incoming")
        self.connection.execute(f"CREATE TEMP TABLE hansa_incoming (hash, {places})")
        self._insert = f"INSERT INTO temp.hansa_incoming VALUES ({', '.join('?' * (len(self._own) + 1))})"
        self._first_at: dict[str, int] = {}
        places_of = {name.casefold(): place for place, name in enumerate(table.columns)}
        self._line = [places_of[name.casefold()] for name in source.line]
        self._above: tuple[str, Sequence[Cell]] | None = None
        self._below: dict[str, str] = {}

    @property
    def keys(self) -> Set[str]:
        """As `Run.keys`."""
        return self._first_at.keys()

    def chunk(self, keys: list[str], chunk: Chunk, columns: list[tuple[Cell, ...]]) -> None:
        """Put the rows aside, because the rows of a document need not stand together."""
        for key in keys:
            self._first_at.setdefault(key, len(self._first_at))
        faults = [chunk.faults.get(place, "") for place in range(len(keys))]
        source = [self.table.source] * len(keys)
        rows = zip(self.digests(chunk, columns), keys, source, chunk.numbers, faults, *columns, strict=True)
        self.connection.executemany(self._insert, rows)
        self._above = keys[-1], chunk.rows[-1]

    def _has_key(self, key: str, chunk: Chunk, place: int) -> bool:
        row = chunk.rows[place]
        if super()._has_key(key, chunk, place):
            self._above = key, row
            return True
        if self._line and self._above is not None:
            above, cells = self._above
            if all(as_text(row[at]).strip() or not as_text(cells[at]).strip() for at in self._line):
                text = f"row {chunk.numbers[place]} below has no key: if it is a line of this document, it needs one"
                self._below.setdefault(above, text)
        return False

    def _keep_back(self) -> None:
        """Put a document at fault that may have lines without its key; mended, it differs and goes on."""
        for key, text in self._below.items():
            statement = "SELECT max(rowid) FROM temp.hansa_incoming WHERE c0 = ?"
            (last,) = self.connection.execute(statement, (key,)).fetchone()
            (digest,) = self.connection.execute(
                "SELECT hash FROM temp.hansa_incoming WHERE rowid = ?", (last,)
            ).fetchone()
            self.connection.execute(
                "UPDATE temp.hansa_incoming SET hash = ?, c3 = ? WHERE rowid = ? AND c3 = ''",
                (digest + text.encode(), text, last),
            )

    def finish(self, complete: bool) -> int:
        """Replace the documents that differ, in the order in which the extract has them."""
        self.connection.execute("CREATE INDEX temp.hansa_incoming_key ON hansa_incoming (c0)")
        self._keep_back()
        changed = self._changed()
        start = self.next
        for key, digest in changed:
            self.next += 1
            self._replace(key)
            self.connection.execute(
                "INSERT INTO hansa_documents (source, key, hash, seq) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (source, key) DO UPDATE SET hash = excluded.hash, seq = excluded.seq",
                (self.source.name, key, digest, self.next),
            )
        self._put_back({key for key, _ in changed})
        self.connection.execute("DROP TABLE temp.hansa_incoming")
        return self.next if self.next > start else 0

    def _replace(self, key: str) -> None:
        """Put the rows of one document in the place of those that are there."""
        name = quoted(self.source.name)
        columns = ", ".join(quoted(column) for column in self._own)
        places = ", ".join(f"c{place}" for place in range(len(self._own)))
        self.connection.execute(f"DELETE FROM {name} WHERE hansa_key = ?", (key,))
        self.connection.execute(
            f"INSERT INTO {name} ({columns}) SELECT {places} FROM temp.hansa_incoming WHERE c0 = ? ORDER BY rowid",
            (key,),
        )

    def _put_back(self, changed: Set[str]) -> None:
        """What was taken and forgotten, and is here again unchanged, is staged for look-ups; nobody is offered it."""
        statement = "SELECT key FROM hansa_documents WHERE source = ? AND seq IS NULL"
        for (key,) in self.connection.execute(statement, (self.source.name,)).fetchall():
            if key in self._first_at and key not in changed:
                self._replace(key)
                self.connection.execute(
                    "UPDATE hansa_documents SET seq = 0 WHERE source = ? AND key = ?", (self.source.name, key)
                )

    def _changed(self) -> list[tuple[str, bytes]]:
        """Key and hash of each document that is new or differs, in the order of first appearance."""
        statement = "SELECT key, hash FROM hansa_documents WHERE source = ?"
        known = dict(self.connection.execute(statement, (self.source.name,)))
        digests: dict[str, Any] = {key: hashlib.blake2b(digest_size=16) for key in self._first_at}
        for key, hashed in self.connection.execute("SELECT c0, hash FROM temp.hansa_incoming ORDER BY rowid"):
            digests[key].update(hashed)
        found = [(key, digest.digest()) for key, digest in digests.items()]
        return [(key, digest) for key, digest in found if known.get(key) != digest]
