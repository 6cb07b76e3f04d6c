"""Lookup tables of a mapping: item cross-references, packs and code lists, from a file, a query or the mapping."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from adapters.cells import as_text
from adapters.tables import ReadOptions, Table, TableError, open_table
from node.errors import ConfigError

__all__ = ["Index", "LookupTable", "Lookups", "QueryTable"]

QueryTable: TypeAlias = Callable[[str, str], Table]
"""Runs a query for a lookup: ("query" | "staging", SQL text) gives its rows."""

_ROWS_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class Index:
    """From the text of one or more columns to the text of another; `doubtful` are those with several answers."""

    answers: Mapping[tuple[str, ...], str]
    doubtful: frozenset[tuple[str, ...]]


class LookupTable:
    """One loaded table, in memory; indices are built when first asked for."""

    def __init__(self, name: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
        self.name = name
        self.columns = {column: place for place, column in enumerate(columns)}
        self.rows = rows
        self._indices: dict[tuple[tuple[str, ...], str], Index] = {}

    def index(self, keys: tuple[str, ...], answer: str) -> Index:
        """The index from `keys` to `answer`; raises ConfigError when the table lacks a column."""
        made = self._indices.get((keys, answer))
        if made is not None:
            return made
        for column in (*keys, answer):
            if column not in self.columns:
                known = ", ".join(self.columns)
                raise ConfigError(f"lookup {self.name!r} has no column {column!r}", hint=f"Its columns: {known}.")
        places, place = [self.columns[key] for key in keys], self.columns[answer]
        answers: dict[tuple[str, ...], str] = {}
        doubtful: set[tuple[str, ...]] = set()
        for row in self.rows:
            key = tuple(row[at] for at in places)
            if not all(key) or not row[place]:
                continue
            if answers.setdefault(key, row[place]) != row[place]:
                doubtful.add(key)
        made = self._indices[keys, answer] = Index(answers, frozenset(doubtful))
        return made


class Lookups:
    """The lookup tables of one mapping file, loaded when first needed and again after `refresh`."""

    def __init__(self, settings: Mapping[str, Any], folder: Path, where: str, query: QueryTable | None = None) -> None:
        """`settings` is the file's ``[lookup.NAME]`` tables; paths are relative to `folder`."""
        self._settings = settings
        self._folder = folder
        self._where = where
        self._query = query
        self._loaded: dict[str, LookupTable] = {}
        for name, table in settings.items():
            sources = [key for key in ("csv", "query", "staging", "rows") if isinstance(table, dict) and key in table]
            if len(sources) != 1:
                raise ConfigError(
                    f"{where}: lookup {name!r} needs exactly one of csv, query, staging, rows",
                    hint='For example: [lookup.items] csv = "items.csv".',
                )

    @property
    def names(self) -> Sequence[str]:
        """The tables that the mapping file names."""
        return tuple(self._settings)

    def refresh(self) -> None:
        """Forget what was loaded, because files and databases change between two pulls."""
        self._loaded.clear()

    def table(self, name: str) -> LookupTable:
        """The table `name`; raises ConfigError when the mapping does not name it or it cannot be read."""
        if name not in self._loaded:
            if name not in self._settings:
                raise ConfigError(
                    f"{self._where}: there is no lookup {name!r}", hint=f"Add a [lookup.{name}] table to the mapping."
                )
            self._loaded[name] = self._load(name, self._settings[name])
        return self._loaded[name]

    def check(self, name: str, keys: tuple[str, ...], answer: str) -> None:
        """Raise ConfigError when a converter asks for what there is not, as far as that needs no query."""
        if name not in self._settings or {"csv", "rows"} & set(self._settings[name]):
            self.table(name).index(keys, answer)

    def fingerprint(self) -> str:
        """A text that changes when the content of any table does; unreadable tables count as empty."""
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(self._settings):
            try:
                table = self.table(name)
            except ConfigError:
                continue
            digest.update(repr((name, sorted(table.columns))).encode())
            for row in table.rows:
                digest.update("\x1f".join(row).encode(errors="surrogatepass"))
        return digest.hexdigest()

    def _load(self, name: str, settings: Mapping[str, Any]) -> LookupTable:
        if "rows" in settings:
            return self._inline(name, settings["rows"])
        try:
            if "csv" in settings:
                options = ReadOptions.from_settings(settings.get("read", {}), f"{self._where}: lookup {name!r}")
                table = open_table(self._folder / settings["csv"], options)
            else:
                kind = "query" if "query" in settings else "staging"
                if self._query is None:
                    raise ConfigError(f"{self._where}: lookup {name!r}: this adapter runs no queries")
                table = self._query(kind, settings[kind])
            rows = [
                tuple(as_text(value).strip() for value in row)
                for chunk in table.chunks
                for place, row in enumerate(chunk.rows)
                if place not in chunk.faults
            ]
        except TableError as error:
            raise ConfigError(f"{self._where}: lookup {name!r}: {error}") from error
        if len(rows) > _ROWS_MAX:
            raise ConfigError(f"{self._where}: lookup {name!r} has more than {_ROWS_MAX} rows")
        return LookupTable(name, table.columns, rows)

    def _inline(self, name: str, rows: object) -> LookupTable:
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            raise ConfigError(
                f"{self._where}: lookup {name!r}: rows is not a list of tables",
                hint='For example: rows = [{ our = "A1", theirs = "4711" }].',
            )
        columns = tuple(rows[0])
        return LookupTable(name, columns, [tuple(str(row.get(column, "")) for column in columns) for row in rows])
