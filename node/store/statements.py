"""Compile statements of SQLAlchemy Core once per database, to the driver's own SQL with positional parameters.

Rows then go to the driver as the tuples they are, and come back as tuples: neither costs a conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from node.store.schema import TABLES

__all__ = ["SEVERAL", "Bulk", "Compiler", "listed", "only_first", "parameter", "word"]

Wanted = sa.TextualSelect

SEVERAL = 20
"""Rows that go into SQLite with one statement."""


class Bulk(NamedTuple):
    """How rows of one table are written, many at a time."""

    sql: str
    """One row, every column in order."""

    several: str
    """SQLite: `SEVERAL` rows in one statement, which is twice as quick as one by one (measured)."""

    key: tuple[int, ...]
    """Positions of the columns by which a row replaces another; empty where rows are only added."""

    copy: str
    """PostgreSQL: read rows into the staging table, or straight into the table where rows are only added."""

    merge: str
    """PostgreSQL: move the staged rows into the table."""

    clear: str
    """PostgreSQL: empty the staging table."""


def parameter(name: str, kind: Any = None) -> Any:
    """A value that is given when the statement runs."""
    return sa.bindparam(name, type_=kind)


def word(text: str) -> Any:
    """A constant written into the SQL itself, so that partial indexes can be recognised."""
    if not text.replace("_", "").isalpha():
        raise ValueError(f"not a word: {text!r}")
    return sa.literal_column(f"'{text}'", sa.Text())


def only_first(select: Any, name: str = "limit") -> Any:
    """The select with a limit that is given when it runs, and without the OFFSET 0 that SQLite's dialect adds."""
    return select.limit(sa.bindparam(name, type_=sa.BigInteger())).offset(sa.literal_column("0"))


def listed(dialect: str, name: str, *kinds: str) -> Wanted:
    """The rows of a list given as one JSON text: of plain values, or of lists of values when there are several kinds.

    One statement then serves lists of every length. The kinds are "text" and "bigint".
    """
    if dialect == "sqlite":
        cells = [f"value->>{place}" for place in range(len(kinds))] if len(kinds) > 1 else ["value"]
        source = f"json_each(:{name})"
    else:
        cells = [f"v->>{place}" for place in range(len(kinds))] if len(kinds) > 1 else ["v#>>'{}'"]
        cells = [f"CAST({cell} AS {kind})" for cell, kind in zip(cells, kinds, strict=True)]
        source = f"jsonb_array_elements(CAST(:{name} AS jsonb)) AS wanted(v)"
    # The cells and kinds are constants of this package, and the list itself is a parameter.
    text = sa.text(f"SELECT {', '.join(cells)} FROM {source}")  # noqa: S608
    return text.columns(*(sa.column(f"c{place}") for place in range(len(kinds))))


class Compiler:
    """Compiles for one dialect, which is SQLite's or PostgreSQL's."""

    def __init__(self, dialect_name: str) -> None:
        self.name = dialect_name
        self._dialect: sa.Dialect = (
            sqlite.dialect(paramstyle="qmark")
            if dialect_name == "sqlite"
            else postgresql.psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
        )
        self._kept: dict[object, str] = {}
        self.stages: list[str] = []
        """What makes the staging tables of every bulk statement, once per writing connection."""

    def __call__(self, clause: Any, *names: str) -> str:
        """Return the SQL, whose parameters are those names in that order."""
        compiled = clause.compile(dialect=self._dialect)
        found = tuple(compiled.positiontup or ())
        if found != names:
            raise ValueError(f"parameters are {found}, expected {names}: {compiled}")
        return str(compiled)

    def keep(self, key: object, build: Callable[[], tuple[Any, Sequence[str]]]) -> str:
        """Return the SQL kept under the key, compiled at its first use: for statements with many variants."""
        sql = self._kept.get(key)
        if sql is None:
            clause, names = build()
            sql = self._kept[key] = self(clause, *names)
        return sql

    def bulk(self, row: Any, *, replace: bool = False, only: str = "", by: Sequence[str] = ()) -> Bulk:
        """How rows of a type, or of a table, are added, or with `replace` replaced by the table's key, or `by` another.

        `only` is a condition on the row that is there: where it does not hold, nothing is replaced.
        """
        table: sa.Table = row if isinstance(row, sa.Table) else TABLES[row]
        fields = tuple(table.columns.keys()) if row is table else row._fields
        by = by or [column.name for column in table.primary_key]
        key = tuple(map(fields.index, by)) if replace else ()
        insert = self._insert(table, fields, by if replace else (), only)
        names = ", ".join(self._quoted(name) for name in fields)
        target = self._quoted(table.name)
        stage = self._quoted(f"stage_{table.name}") if replace else target
        staged: Any = sa.select(*(sa.column(name) for name in fields)).select_from(sa.table(f"stage_{table.name}"))
        if replace:
            self.stages.append(f"CREATE TEMP TABLE {stage} (LIKE {target}) ON COMMIT DELETE ROWS")
        # Inline: the number that the database gives a row is not asked for.
        sql = self(insert.values({name: parameter(name) for name in fields}).inline(), *fields)
        values = f"({', '.join('?' * len(fields))})"
        return Bulk(
            sql=sql,
            several=sql.replace(values, ", ".join([values] * SEVERAL)),
            key=key,
            copy=f"COPY {stage} ({names}) FROM STDIN",
            merge=self(insert.from_select(list(fields), staged)) if replace else "",
            clear=f"DELETE FROM {stage}" if replace else "",  # noqa: S608
        )

    def upsert(self, table: sa.Table) -> str:
        """Insert or replace one row by the table's key, every column in order."""
        fields = [column.name for column in table.columns]
        key = [column.name for column in table.primary_key]
        return self(self._insert(table, fields, key, "").values({name: parameter(name) for name in fields}), *fields)

    def _insert(self, table: sa.Table, fields: Sequence[str], key: Sequence[str], only: str) -> Any:
        if not key:
            return sa.insert(table)
        insert = sqlite.insert(table) if self.name == "sqlite" else postgresql.insert(table)
        rest = {name: insert.excluded[name] for name in fields if name not in key}
        if not rest:
            return insert.on_conflict_do_nothing(index_elements=list(key))
        condition = sa.text(only) if only else None
        return insert.on_conflict_do_update(index_elements=list(key), set_=rest, where=condition)

    def _quoted(self, name: str) -> str:
        return self._dialect.identifier_preparer.quote(name)
