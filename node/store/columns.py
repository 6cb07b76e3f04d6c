"""How the tables are made from the row types: columns, keys, checks of words and indexes, alike on both engines."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

__all__ = ["BYTES", "METADATA", "NUMBER", "ROW_NUMBER", "TEXT", "columns_of", "index", "table", "words"]

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# Both engines compare and sort text by its bytes, so that both give rows in the same order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger()
# Only INTEGER makes a primary key SQLite's own row number.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()

_TYPES: dict[Any, sa.types.TypeEngine[Any]] = {str: TEXT, int: NUMBER, bytes: BYTES}


def columns_of(row: type) -> list[sa.Column[Any]]:
    """One column per field of the row type, in its order; a field that may be None is a column that may be NULL."""
    columns = []
    for name, hint in typing.get_type_hints(row).items():
        kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType] or [hint]
        columns.append(sa.Column(name, _TYPES[kinds[0]], nullable=kinds[0] is not hint))
    return columns


def table(
    name: str,
    row: type,
    key: Sequence[str],
    *parts: sa.schema.SchemaItem,
    numbered: bool = False,
    clustered: bool = True,
) -> sa.Table:
    """The table of a row type: `numbered` by one integer key, else `clustered` by its key on SQLite."""
    columns = columns_of(row)
    if numbered:
        columns[0] = sa.Column(columns[0].name, ROW_NUMBER, nullable=False, autoincrement=False)
    key_constraint = sa.PrimaryKeyConstraint(*key)
    rowid = numbered or not clustered
    return sa.Table(name, METADATA, *columns, key_constraint, *parts, sqlite_with_rowid=rowid)


def words(column: str, *allowed: str) -> sa.CheckConstraint:
    """The column holds one of the words. A chain of comparisons: SQLite builds a table for every row checked by IN."""
    return sa.CheckConstraint(" OR ".join(f"{column} = '{word}'" for word in allowed), name=column)


def index(name: str, *columns: str, where: str = "", unique: bool = False) -> sa.Index:
    """An index, partial where a condition is given."""
    condition = sa.text(where) if where else None
    return sa.Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
