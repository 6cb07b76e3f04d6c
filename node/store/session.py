"""One database connection in one transaction at a time, which runs compiled statements and takes rows as they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa

from node.errors import UnavailableError
from node.store.faults import translate
from node.store.statements import SEVERAL, Bulk

__all__ = ["PostgresSession", "Session", "SqliteSession"]

Row = TypeVar("Row")

COPY_ROWS_MIN = 5
"""From how many rows on PostgreSQL's COPY is quicker than single statements in a pipeline (measured)."""


class _Ended:
    """Stands in for the cursor outside a transaction, so that a statement there fails instead of standing alone."""

    def __getattr__(self, name: str) -> NoReturn:
        raise UnavailableError(
            "the transaction is over: nothing in it was stored", hint="Run the whole use case again."
        )


class Session:
    """A connection of SQLAlchemy, whose driver runs the statements. One thread at a time may use it."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        dialect: Any = connection.dialect
        self._errors: tuple[type[Exception], ...] = (dialect.dbapi.Error, sa.exc.DBAPIError)
        self._undoing: tuple[type[Exception], ...] = (*self._errors, UnavailableError)
        raw: Any = connection.connection.driver_connection
        self.raw = raw
        self._live = self.raw.cursor()
        self._cursor: Any = _Ended()
        self._depth = 0

    def begin(self) -> None:
        """Begin a transaction. Raises UnavailableError when the database is locked or gone."""
        try:
            self.connection.begin()
        except self._errors as error:
            raise translate(error) from error
        self._cursor = self._live
        self._depth = 0

    def commit(self) -> None:
        """Make it durable. Raises UnavailableError when that failed; then nothing was stored."""
        try:
            self.check()
        except UnavailableError:
            self.rollback()
            raise
        self._cursor = _Ended()
        try:
            self.connection.commit()
        except self._errors as error:
            self.rollback()
            raise translate(error) from error

    def rollback(self) -> None:
        """End the transaction and undo it, whatever state it is in."""
        self._cursor = _Ended()
        try:
            self.connection.rollback()
            # After a failed commit SQLAlchemy takes the transaction for ended; the driver may still be in it.
            self.raw.rollback()
        except self._errors:
            self.connection.invalidate()

    def close(self) -> None:
        """Give the connection up."""
        self._cursor = _Ended()
        try:
            self.connection.close()
        except self._errors:
            self.connection.invalidate()

    @property
    def usable(self) -> bool:
        """Whether another transaction can begin on this connection."""
        return not self.connection.invalidated and not self.connection.closed

    def check(self) -> None:
        """Raise UnavailableError when the database itself has ended the transaction, so that it cannot be committed."""
        if not self._intact():
            self._cursor = _Ended()
        self._cursor.execute  # noqa: B018

    def _intact(self) -> bool:
        """Whether the driver is still in the transaction that was begun."""
        raise NotImplementedError

    def run(self, sql: str, *values: Any) -> int:
        """Run a statement and return how many rows it touched."""
        try:
            count: int = self._cursor.execute(sql, values).rowcount
        except self._errors as error:
            self._fail(error)
        return count

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once per row of values."""
        if not rows:
            return
        try:
            self._cursor.executemany(sql, rows)
        except self._errors as error:
            self._fail(error)

    def put(self, bulk: Bulk, rows: Sequence[Sequence[Any]]) -> None:
        """Add, or insert or replace, rows of one table."""
        self.run_many(bulk.sql, rows)

    def all(self, make: Callable[[Iterable[Any]], Row], sql: str, *values: Any) -> list[Row]:
        """Every row of a query, made by `make` (such as `DocumentRow._make`)."""
        try:
            return list(map(make, self._cursor.execute(sql, values).fetchall()))
        except self._errors as error:
            self._fail(error)

    def one(self, make: Callable[[Iterable[Any]], Row], sql: str, *values: Any) -> Row | None:
        """The first row of a query, or None."""
        try:
            found = self._cursor.execute(sql, values).fetchall()
        except self._errors as error:
            self._fail(error)
        return make(found[0]) if found else None

    def values(self, sql: str, *values: Any) -> list[Any]:
        """The first column of every row of a query."""
        try:
            return [row[0] for row in self._cursor.execute(sql, values).fetchall()]
        except self._errors as error:
            self._fail(error)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail alone; may be nested."""
        self._depth += 1
        name = f"part_{self._depth}"
        try:
            self.run(f"SAVEPOINT {name}")
            try:
                yield
                self.run(f"RELEASE SAVEPOINT {name}")
            except BaseException:
                self._undo(name)
                raise
        finally:
            self._depth -= 1

    def _undo(self, name: str) -> None:
        """Go back to a savepoint; if that fails, the whole transaction is lost, and the next statement says so."""
        try:
            self._cursor.execute(f"ROLLBACK TO SAVEPOINT {name}")
            self._cursor.execute(f"RELEASE SAVEPOINT {name}")
        except self._undoing:
            self._cursor = _Ended()

    def _fail(self, error: BaseException) -> NoReturn:
        raise translate(error) from error


class SqliteSession(Session):
    """On SQLite a statement's failure can end the transaction (full disk, input or output error)."""

    def _intact(self) -> bool:
        return bool(self.raw.in_transaction)

    def put(self, bulk: Bulk, rows: Sequence[Sequence[Any]]) -> None:
        """Add, or insert or replace, rows of one table."""
        count = len(rows)
        whole = count - count % SEVERAL
        try:
            execute = self._cursor.execute
            for first in range(0, whole, SEVERAL):
                execute(bulk.several, tuple(chain.from_iterable(rows[first : first + SEVERAL])))
            if whole < count:
                # Plain tuples: the driver takes a named one apart at half the speed (measured).
                self._cursor.executemany(bulk.sql, map(tuple, rows[whole:]))
        except self._errors as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> NoReturn:
        # Otherwise the next statement would be a transaction of its own.
        if not self.raw.in_transaction:
            self._cursor = _Ended()
        raise translate(error) from error


class PostgresSession(Session):
    """On PostgreSQL a failed statement leaves the transaction only the way back, and many rows go by COPY."""

    def begin(self) -> None:
        """Begin a transaction. Raises UnavailableError when the server is gone."""
        if self.raw.closed:
            self.connection.invalidate()
            raise UnavailableError("the connection to the database server was lost", hint="It is made again.")
        super().begin()

    @property
    def usable(self) -> bool:
        """Whether another transaction can begin on this connection."""
        return super().usable and not self.raw.closed

    def _intact(self) -> bool:
        # Committing a failed transaction would undo it without an error.
        return not self.raw.closed and self.raw.info.transaction_status.name in {"INTRANS", "IDLE"}

    def put(self, bulk: Bulk, rows: Sequence[Sequence[Any]]) -> None:
        """Add, or insert or replace, rows of one table; of rows with the same key the last one stays."""
        if len(rows) < COPY_ROWS_MIN:
            self.run_many(bulk.sql, rows)
            return
        if bulk.key:
            key = bulk.key
            written: Collection[Sequence[Any]] = {tuple(row[place] for place in key): row for row in rows}.values()
        else:
            written = rows
        try:
            with self._cursor.copy(bulk.copy) as copy:
                for row in written:
                    copy.write_row(row)
            if bulk.key:
                self._cursor.execute(bulk.merge)
                self._cursor.execute(bulk.clear)
        except self._errors as error:
            self._fail(error)
