"""Open the store: `open_store(url)` gives the `node.ports.Store` on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import LifoQueue
from typing import Any, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa

from node.errors import ConfigError, UnavailableError
from node.ports import Transaction
from node.store.faults import translate
from node.store.session import Session
from node.store.sqlite import SqliteBackend
from node.store.upgrade import found_revision, require_newest, upgrade
from node.store.work import Statements, Work
from node.store.writer import Writer

__all__ = ["READERS", "Database", "Info", "open_store"]

Result = TypeVar("Result")

READERS = 4
"""Reads at the same time; others wait for one to end."""


class Info(NamedTuple):
    """What support asks for first."""

    engine: str
    version: str
    size: int  # bytes
    revision: str


class Backend(Protocol):
    """What differs between the engines."""

    name: str
    memory: bool

    def open_writer(self) -> sa.Connection: ...
    def open_reader(self) -> sa.Connection: ...
    def session(self, connection: sa.Connection) -> Session: ...
    def prepare_writer(self, connection: sa.Connection, stages: tuple[str, ...]) -> None: ...
    def backup(self, target: Path) -> str: ...
    def describe(self, connection: sa.Connection) -> tuple[str, int]: ...
    def close(self) -> None: ...


def open_store(url: str, *, exclusive: bool = True) -> Database:
    """Open the database of an SQLAlchemy URL, creating or migrating it.

    `sqlite:///folder/hansa.db`, `sqlite:///:memory:` or `postgresql://user@host/name`. With `exclusive=False`
    it is opened for reading only, beside a running node. Raises ConfigError when the URL, the file or its version is
    not right or another process writes to it, UnavailableError when the server cannot be reached.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError("the store's URL cannot be read", hint=_URL_HINT) from error
    backend: Backend
    if parsed.get_backend_name() == "sqlite":
        backend = SqliteBackend(parsed, exclusive=exclusive)
    elif parsed.get_backend_name() == "postgresql":
        from node.store.postgres import PostgresBackend

        backend = PostgresBackend(parsed, exclusive=exclusive)
    else:
        raise ConfigError(f"the store does not run on {parsed.get_backend_name()}", hint=_URL_HINT)
    try:
        return Database(backend, exclusive=exclusive)
    except BaseException:
        backend.close()
        raise


_URL_HINT = "Write sqlite:///folder/hansa.db or postgresql://user:password@host/database."


@functools.cache
def _statements(name: str) -> Statements:
    return Statements(name)


@functools.cache
def _empty_memory() -> bytes:
    """A database in memory with the newest schema: migrations take a while, and tests open many."""
    backend = SqliteBackend(sa.make_url("sqlite:///:memory:"), exclusive=True)
    with backend.open_writer() as connection:
        upgrade(connection)
        raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        return raw.serialize()


def _fill_memory(connection: sa.Connection) -> None:
    raw: Any = connection.connection.driver_connection
    with contextlib.closing(sqlite3.connect(":memory:")) as template:
        template.deserialize(_empty_memory())
        template.backup(raw)


class Database:
    """Implements `node.ports.Store`: one writer that groups use cases into commits, and a few readers beside it.

    In memory there is one connection: use cases run at once in the caller's thread, one at a time.
    """

    def __init__(self, backend: Backend, *, exclusive: bool) -> None:
        self._backend = backend
        self._sql = _statements(backend.name)
        self._open = True
        self._readers: LifoQueue[Work | None] = LifoQueue()
        self._threads: ThreadPoolExecutor | None = None
        self._writer: Writer | None = None
        self._memory: Work | None = None
        self._one = threading.Lock()
        self._user: int | None = None
        if backend.memory:
            connection = backend.open_writer()
            _fill_memory(connection)
            self._memory = Work(backend.session(connection), self._sql)
            return
        for _ in range(READERS):
            self._readers.put(None)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="hansa-store-reader")
        if exclusive:
            self._writer = Writer(self._connect_writer, self._connect_writer())
        else:
            self._readers.get()
            self._readers.put(self._connect_reader(check=True))

    def write(self, use_case: Callable[[Transaction], Result]) -> Result:
        """Run and commit; blocks until it is durable. An exception rolls back only this use case.

        Raises UnavailableError when nothing could be stored, ConfigError when the store was opened for reading only.
        """
        if self._memory is not None:
            return self._write_memory(self._memory, use_case)
        return self._of_writer().submit(use_case).result()

    async def write_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        """As `write`, without blocking the event loop."""
        if self._memory is not None:
            return self._write_memory(self._memory, use_case)
        return await asyncio.wrap_future(self._of_writer().submit(use_case))

    def read(self, use_case: Callable[[Transaction], Result]) -> Result:
        """Run on a read snapshot, beside the writer. Raises UnavailableError when the database cannot be reached."""
        if self._memory is not None:
            return self._read_memory(self._memory, use_case)
        with self._reader() as work:
            session = work.session
            session.begin()
            try:
                return use_case(work)
            finally:
                session.rollback()

    async def read_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        """As `read`, without blocking the event loop."""
        if self._threads is None:
            return self.read(use_case)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.read, use_case)

    def info(self) -> Info:
        """The engine, its version, the database's size in bytes, and the revision of its schema."""
        with self._reader() if self._memory is None else contextlib.nullcontext(self._memory) as work:
            connection = work.session.connection
            try:
                with self._one, connection.begin():
                    version, size = self._backend.describe(connection)
                    revision = found_revision(connection)
            except sa.exc.DBAPIError as error:
                raise translate(error) from error
        return Info(self._backend.name, version, size, revision or "")

    def backup(self, target: Path) -> str:
        """Copy the database into a new file while the node runs: "", else the command of its own tool that does it.

        Raises ConfigError when it cannot be done.
        """
        return self._backend.backup(target)

    def close(self) -> None:
        """Finish the writes that wait, and close every connection. May be called again."""
        if not self._open:
            return
        self._open = False
        if self._writer is not None:
            self._writer.close()
        if self._threads is not None:
            self._threads.shutdown()
            for _ in range(READERS):
                work = self._readers.get()
                if work is not None:
                    work.session.close()
        if self._memory is not None:
            self._memory.session.close()
        self._backend.close()

    def _of_writer(self) -> Writer:
        if self._writer is None:
            raise ConfigError("the store was opened for reading only", hint="Ask the running node to write.")
        return self._writer

    def _connect_writer(self) -> Work:
        connection = self._backend.open_writer()
        try:
            upgrade(connection)
            self._backend.prepare_writer(connection, self._sql.stages)
        except sa.exc.DBAPIError as error:
            connection.close()
            raise translate(error) from error
        except BaseException:
            connection.close()
            raise
        return Work(self._backend.session(connection), self._sql)

    def _connect_reader(self, *, check: bool = False) -> Work:
        connection = self._backend.open_reader()
        try:
            if check:
                require_newest(connection)
        except sa.exc.DBAPIError as error:
            connection.close()
            raise translate(error) from error
        except BaseException:
            connection.close()
            raise
        return Work(self._backend.session(connection), self._sql)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Work]:
        """A reader that nobody else uses; connected at its first use, and again after a lost connection."""
        if not self._open:
            raise UnavailableError("the store is closed", hint="Start the node again.")
        work = self._readers.get()
        try:
            if work is not None and not work.session.usable:
                work.session.close()
                work = None
            if work is None:
                work = self._connect_reader()
            yield work
        finally:
            self._readers.put(work)

    def _write_memory(self, work: Work, use_case: Callable[[Transaction], Result]) -> Result:
        with self._alone():
            work.session.begin()
            try:
                result = use_case(work)
                work.session.commit()
            except BaseException:
                work.session.rollback()
                raise
            return result

    def _read_memory(self, work: Work, use_case: Callable[[Transaction], Result]) -> Result:
        with self._alone():
            work.session.begin()
            work.session.run("PRAGMA query_only = ON")
            try:
                return use_case(work)
            finally:
                work.session.rollback()
                work.session.raw.execute("PRAGMA query_only = OFF")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """The one connection, for one use case: inside another one it would see what is not stored yet."""
        if not self._open:
            raise UnavailableError("the store is closed", hint="Start the node again.")
        if self._user == threading.get_ident():
            raise RuntimeError("a use case cannot begin another one")
        with self._one:
            self._user = threading.get_ident()
            try:
                yield
            finally:
                self._user = None
