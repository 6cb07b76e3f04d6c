"""Any SQL database by its SQLAlchemy URL: read by query, written by statement, each document once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from adapters.base import Fields, Finding, Hold, HoldAnswer, Targets
from adapters.building import builder_columns
from adapters.cells import Cell, as_text, cell, unique_names
from adapters.holding import SqlHolds
from adapters.mapping import PullMapping, PushMapping, Statement
from adapters.pulling import MappedFeed
from adapters.staged import StagedAdapter, View, setting
from adapters.tables import Chunk, Table, TableError
from adapters.writing import ValueReader, places
from node.errors import AdapterError, ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine, Row

__all__ = ["SqlAdapter"]

_BLOCK_ROWS = 5_000
_INBOX = "hansa_inbox"
_PLAIN = frozenset({str, int, float, type(None)})


class SqlAdapter(StagedAdapter):
    """A database behind an ERP.

    Settings: ``url``, a SQLAlchemy URL without the password; ``password_env`` or ``password_file``, where the password
    is; ``mappings``; ``inbox_table``, the table in the ERP's database that remembers which documents were written
    (made when missing); ``start_from``; ``staging``. Pulling uses connections that can only read.
    """

    known_settings: ClassVar[Mapping[str, Any]] = {
        "url": str, "password_env": str, "password_file": str, "inbox_table": str,
    }  # fmt: skip
    may_reserve: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, Any], home: Path, targets: Targets) -> None:
        super().__init__(settings, home, targets)
        self._url = setting(settings, "url", "SqlAdapter")
        self._inbox_table = self.settings.get("inbox_table", _INBOX)
        if not self._inbox_table.replace("_", "").replace(".", "").isalnum():
            raise ConfigError(f"SqlAdapter: inbox_table = {self._inbox_table!r} is not a table's name")
        self._engine: Engine | None = None
        self._lookup_connection: Connection | None = None
        for file in self.mappings:
            for mapping in file.pulls:
                if mapping.source == "files":
                    raise ConfigError(f"{file.path.name}: pull {mapping.name!r}: a database has no files; use query")
        self._writers = {document: _SqlWriter(push, targets) for document, push in self.pushes.items()}

    @property
    def engine(self) -> Engine:
        """The engine, made when first asked for; raises ConfigError when the URL or the password is not usable."""
        if self._engine is None:
            from sqlalchemy import create_engine
            from sqlalchemy.exc import ArgumentError, NoSuchModuleError

            try:
                self._engine = create_engine(self._full_url(), pool_pre_ping=True, pool_size=2)
            except (ArgumentError, NoSuchModuleError, ImportError) as error:
                raise ConfigError(
                    f"SqlAdapter: url: {error}", hint='For example "postgresql+psycopg://user@host/database".'
                ) from error
        return self._engine

    def _full_url(self) -> Any:
        """The URL with its password; a relative SQLite file is below the node's home."""
        from sqlalchemy.engine import make_url

        url = make_url(self._url)
        password = None
        if name := self.settings.get("password_env"):
            password = os.environ.get(name)
            if password is None:
                raise ConfigError(f"SqlAdapter: the environment has no {name}", hint="It should hold the password.")
        elif name := self.settings.get("password_file"):
            try:
                password = (self.home / name).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigError(f"SqlAdapter: password_file {name}: {error.strerror}") from error
        if password is not None:
            url = url.set(password=password)
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            url = url.set(database=str(self.home / url.database))
        return url

    def close(self) -> None:
        """Close connections and the staging database."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        super().close()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Translate the database's errors; those of the statement itself are permanent."""
        from sqlalchemy import exc

        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            text = str(getattr(error, "orig", error)).strip()
            permanent = "no such " in text or "syntax error" in text
            raise AdapterError(f"{what}: {text}", permanent=permanent, hint="Is the database reachable?") from error
        except exc.SQLAlchemyError as error:
            text = str(getattr(error, "orig", None) or error).strip()
            raise AdapterError(f"{what}: {text}", permanent=True, hint="Correct the mapping's SQL.") from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection on which the database itself refuses to write, where it can."""
        engine = self.engine
        dialect = engine.dialect.name
        options = {"postgresql_readonly": True} if dialect == "postgresql" else {}
        with engine.connect().execution_options(**options) as connection:
            if dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = 1")
            try:
                yield connection
            finally:
                connection.rollback()
                if dialect == "sqlite":
                    connection.exec_driver_sql("PRAGMA query_only = 0")
                    connection.rollback()

    # --- pulling -----------------------------------------------------------------------------------------------------

    def _take_in(self, view: View) -> None:
        for feed in view.feeds:
            if isinstance(feed, MappedFeed) and feed.mapping.source == "query":
                with self._errors(f"pull {feed.mapping.name!r}"), self._reading() as connection:
                    self._stage(view, feed, connection)

    def _stage(self, view: View, feed: MappedFeed, connection: Connection) -> None:
        """Stage the result of one query; with `since`, remember how far it went."""
        from sqlalchemy import text

        mapping = feed.mapping
        stored = view.staging.get(f"since:{mapping.name}")
        values = {"cursor": _stored(stored, mapping, self.engine.dialect.name)} if mapping.since else {}
        at = self.clock() if self.clock else None
        result = connection.execution_options(stream_results=True, yield_per=_BLOCK_ROWS).execute(
            text(mapping.text), values
        )
        with closing(result):
            self._stage_result(view, feed, result, at)

    def _stage_result(self, view: View, feed: MappedFeed, result: CursorResult[Any], at: datetime | None) -> None:
        mapping, staging = feed.mapping, view.staging
        columns = unique_names(list(result.keys()))
        highest: list[Any] = []
        place = _place(columns, mapping)
        table = Table(columns, _chunks(result.partitions(_BLOCK_ROWS), place, highest), mapping.name)
        try:
            builder_columns(mapping, columns)
        except ConfigError as error:
            raise AdapterError(error.message, permanent=True, hint=error.hint) from error
        with staging.transaction():
            staging.stage(feed.source, table, complete=not mapping.since, retry_rejected=False)
            if highest:
                staging.put(f"since:{mapping.name}", json.dumps(_storable(highest[0])))
            view.puller.note_as_of(feed, at)

    def _query(self, kind: str, text: str) -> Table:
        if kind != "query":
            return super()._query(kind, text)
        from sqlalchemy import text as sql
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._reading() as connection:
                result = connection.execute(sql(text))
                columns = unique_names(list(result.keys()))
                return Table(columns, iter(list(_chunks(result.partitions(_BLOCK_ROWS), None, []))), "lookup")
        except SQLAlchemyError as error:
            raise TableError(f"the query fails: {getattr(error, 'orig', None) or error}") from error

    def check(self) -> list[Finding]:
        """As `Adapter.check`: also reaches the database, and says what it answers."""
        try:
            return super().check()
        except AdapterError as error:
            return [Finding("database", "", f"{error.message}. {error.hint}", source=self._url.partition("@")[2])]

    # --- pushing -----------------------------------------------------------------------------------------------------

    def push(self, document_type: str, fields: Fields, identity: str) -> str:
        """Run the mapping's statements in one transaction; the identity is claimed in the same one.

        The reference is what the mapping's `reference` names, or the identity. Raises AdapterError.
        """
        writer = self._writers.get(document_type)
        if writer is None:
            raise AdapterError(f"no mapping writes {document_type}", permanent=True, hint="Add a [[push]] for it.")
        plan = writer.plan(fields, identity, self.engine.dialect.name == "sqlite")
        what = f"push {document_type}"
        with self._errors(what):
            if writer.push.exists:
                with self._reading() as connection:
                    known = writer.existing(connection, plan, identity)
                if known is not None:
                    return known
            else:
                self._make_inbox()
            return self._write(writer, plan, document_type, identity)

    # --- holds -------------------------------------------------------------------------------------------------------

    def reserves(self) -> bool:
        """Whether a mapping says how the database keeps holds."""
        return self.holds is not None

    def reserve(self, hold: Hold) -> HoldAnswer:
        """As `adapters.base.Reserves.reserve`. Raises AdapterError."""
        with self._errors("reserve"):
            return self._holding().reserve(hold)

    def confirm_hold(self, hold: Hold, order: str, taken: Decimal) -> None:
        """As `adapters.base.Reserves.confirm_hold`. Raises AdapterError."""
        with self._errors("confirm a hold"):
            self._holding().end(hold, order, taken)

    def release_hold(self, hold: Hold) -> None:
        """As `adapters.base.Reserves.release_hold`. Raises AdapterError."""
        with self._errors("release a hold"):
            self._holding().end(hold)

    def _holding(self) -> SqlHolds:
        if self.holds is None:
            raise AdapterError("no mapping keeps holds", permanent=True, hint="Add [holds] to one.")
        self._make_inbox()
        return SqlHolds(self.engine, self.holds, self._inbox_table)

    def _make_inbox(self) -> None:
        from sqlalchemy import inspect

        schema, _, table = self._inbox_table.rpartition(".")
        if not inspect(self.engine).has_table(table, schema=schema or None):
            with self.engine.begin() as connection:
                connection.exec_driver_sql(
                    f"CREATE TABLE IF NOT EXISTS {self._inbox_table} (identity VARCHAR(400) NOT NULL PRIMARY KEY,"
                    " document_type VARCHAR(60) NOT NULL, reference VARCHAR(400),"
                    " written_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
                )

    def _write(self, writer: _SqlWriter, plan: _Plan, document_type: str, identity: str) -> str:
        from sqlalchemy import text
        from sqlalchemy.exc import IntegrityError

        table = self._inbox_table
        with self.engine.connect() as connection, connection.begin() as transaction:
            if not writer.push.exists:
                find = text(f"SELECT reference FROM {table} WHERE identity = :identity")  # noqa: S608 - checked name
                claim = text(f"INSERT INTO {table} (identity, document_type) VALUES (:identity, :type)")  # noqa: S608
                row = connection.execute(find, {"identity": identity}).first()
                if row is None:
                    try:
                        connection.execute(claim, {"identity": identity, "type": document_type})
                    except IntegrityError:
                        # Another process has just written it: its transaction is done, so that the row is there now.
                        transaction.rollback()
                        with self.engine.connect() as again:
                            row = again.execute(find, {"identity": identity}).first()
                if row is not None:
                    return str(row[0])
            reference = writer.run(connection, plan, identity)
            if not writer.push.exists:
                done = text(f"UPDATE {table} SET reference = :reference WHERE identity = :identity")  # noqa: S608
                connection.execute(done, {"reference": reference, "identity": identity})
        return reference


_Plan = list[tuple[Statement, list[dict[str, Any]]]]


class _SqlWriter:
    """The statements of one document type, with the values that they take from a document."""

    def __init__(self, push: PushMapping, targets: Targets) -> None:
        if not push.statements:
            raise ConfigError(f"push {push.document!r}: a database needs statements", hint="[[push.statement]]")
        self.push = push
        kinds = dict(targets.fields(push.document))
        where = f"push {push.document!r}"
        self._readers = [
            [ValueReader(entry, statement.each, push.document, kinds, where) for entry in statement.values]
            for statement in push.statements
        ]

    def plan(self, fields: Fields, identity: str, is_sqlite: bool) -> _Plan:
        """Each statement with the values of every run; computed before the transaction. Raises AdapterError."""
        document = self.push.document
        plan: _Plan = []
        for statement, readers in zip(self.push.statements, self._readers, strict=True):
            runs = []
            for place in places(fields, statement.each):
                values = {
                    reader.name: _bound(reader.value(place, identity, document), reader.kind, is_sqlite)
                    for reader in readers
                }
                runs.append({"identity": identity, **values})
            plan.append((statement, runs))
        return plan

    def existing(self, connection: Connection, plan: _Plan, identity: str) -> str | None:
        """What the mapping's `exists` query answers, by the values of the first statement."""
        from sqlalchemy import text

        values = {"identity": identity}
        for _, runs in plan[:1]:
            values.update(runs[0] if runs else {})
        row = connection.execute(text(self.push.exists), values).first()
        return None if row is None or row[0] is None else as_text(cell(row[0]))

    def run(self, connection: Connection, plan: _Plan, identity: str) -> str:
        """Run the plan; an answer that a statement keeps is a value of those that follow."""
        from sqlalchemy import text

        kept: dict[str, Any] = {}
        for statement, runs in plan:
            clause = text(statement.sql)
            for values in runs:
                result = connection.execute(clause, {**values, **kept})
                if statement.keep:
                    row = result.first()
                    if row is None:
                        raise AdapterError(
                            f"push {self.push.document}: the statement that keeps {statement.keep!r} answered nothing",
                            permanent=True,
                            hint="Let it end with RETURNING, or be a SELECT that finds a row.",
                        )
                    kept[statement.keep] = row[0]
        if not self.push.reference:
            return identity
        if self.push.reference in kept:
            return as_text(cell(kept[self.push.reference]))
        known = next((runs[0] for _, runs in plan if runs and self.push.reference in runs[0]), {})
        return str(known.get(self.push.reference, identity))


def _bound(value: Cell, kind: str, is_sqlite: bool) -> Any:
    """The value as the database's driver wants it: typed, except for SQLite, which has neither decimals nor dates."""
    if value is None or value == "":
        return None
    if kind == "boolean":
        return value == "true"
    if kind == "number":
        return int(value)
    if is_sqlite or not isinstance(value, str):
        return value
    if kind == "decimal":
        return Decimal(value)
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "instant":
        return datetime.fromisoformat(value)
    return value


def _place(columns: tuple[str, ...], mapping: PullMapping) -> int | None:
    """Where the column is that says how far a query went; raises AdapterError when it is not there."""
    if not mapping.since:
        return None
    names = [name.casefold() for name in columns]
    if mapping.since.casefold() not in names:
        raise AdapterError(
            f"pull {mapping.name!r}: the query has no column {mapping.since!r}", permanent=True, hint="Correct `since`."
        )
    return names.index(mapping.since.casefold())


def _chunks(parts: Iterator[Any], place: int | None, highest: list[Any]) -> Iterator[Chunk]:
    """The rows as plain cells; the highest value of the column at `place` is left in `highest`."""
    number = 1
    for part in parts:
        rows: list[Row[Any]] = list(part)
        if place is not None:
            found = [row[place] for row in rows if row[place] is not None]
            if found:
                highest[:] = [max([*found, *highest])]
        columns = [
            column if _PLAIN.issuperset(map(type, column)) else tuple(map(cell, column))
            for column in zip(*rows, strict=True)
        ]
        yield Chunk(range(number, number + len(rows)), list(zip(*columns, strict=True)), {})
        number += len(rows)


def _storable(value: Any) -> list[Any]:
    """A cursor value with its type, for JSON."""
    if isinstance(value, datetime | date):
        return [type(value).__name__, value.isoformat()]
    if isinstance(value, Decimal):
        return ["Decimal", str(value)]
    if isinstance(value, int | float | str):
        return ["plain", value]
    return ["plain", str(value)]


def _stored(text: str | None, mapping: PullMapping, dialect: str) -> Any:
    """The cursor value to bind: the one stored, or where the mapping says to start."""
    if text is None:
        value: Any = mapping.since_start
        return value.isoformat(sep=" ") if dialect == "sqlite" and isinstance(value, datetime) else value
    kind, value = json.loads(text)
    readers: dict[str, Callable[[str], Any]] = {
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "Decimal": Decimal,
    }
    return readers[kind](value) if kind in readers else value
