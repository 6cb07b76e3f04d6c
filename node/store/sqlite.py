"""SQLite underneath the store: how its file is opened, locked against a second writer, measured and copied."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from node.errors import ConfigError
from node.store.faults import translate
from node.store.session import SqliteSession

__all__ = ["SqliteBackend"]

VERSION_MIN = (3, 38, 0)  # ->> reads JSON as SQL values
BUSY_MILLISECONDS = 5_000
STATEMENTS_KEPT = 256

# What is committed survives a power cut (FULL); readers and the writer do not wait for each other (WAL).
_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
    "PRAGMA mmap_size = 268435456",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA wal_autocheckpoint = 4000",
)


class SqliteBackend:
    """One database file, or one in memory for tests."""

    name = "sqlite"

    def __init__(self, url: sa.URL, *, exclusive: bool) -> None:
        if sqlite3.sqlite_version_info < VERSION_MIN:
            raise ConfigError(
                f"Python's SQLite is {sqlite3.sqlite_version}, which is too old for the store",
                hint=f"Use a Python with SQLite {'.'.join(map(str, VERSION_MIN))} or newer, or PostgreSQL by its URL.",
            )
        self.memory = url.database in {None, "", ":memory:"}
        self.path = None if self.memory else Path(url.database or "").absolute()
        self._exclusive = exclusive
        self._lock: int | None = None
        if self.path is not None:
            self._see_file(self.path)
        self._writing = self._engine(url, "BEGIN IMMEDIATE")
        self._reading = self._writing if self.memory else self._engine(url, "BEGIN", "PRAGMA query_only = ON")

    def _see_file(self, path: Path) -> None:
        """Lock the file and make it ours alone to read, creating it where it is missing."""
        if not self._exclusive:
            if not path.exists():
                raise ConfigError(f"there is no database {path}", hint="Run `hansa init`, or set the store's URL.")
            return
        if not path.parent.is_dir():
            raise ConfigError(f"the folder of the database {path} does not exist", hint="Create it first.")
        self._take_lock(path.with_name(f"{path.name}.lock"))
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)
        except OSError as error:
            self.close_lock()
            raise ConfigError(
                f"the database {path} cannot be opened for writing: {error.strerror}",
                hint="Let the node's user read and write it, and write to its folder.",
            ) from error

    def _take_lock(self, path: Path) -> None:
        """Hold the lock file until the store is closed or the process ends, however it ends."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"the lock file {path} cannot be opened: {error.strerror}",
                hint="Let the node's user write to the database's folder.",
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise ConfigError(
                f"process {owner} already writes to the database {path.with_suffix('')}",
                hint="Only one node may write to a database: stop the other one, or give this one its own database.",
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        self._lock = handle

    def close_lock(self) -> None:
        """Let the next process write."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _engine(self, url: sa.URL, begin: str, *more: str) -> sa.Engine:
        arguments = {
            "check_same_thread": False,
            "cached_statements": STATEMENTS_KEPT,
            "timeout": BUSY_MILLISECONDS / 1000,
        }
        pool = sa.StaticPool if self.memory else sa.NullPool
        engine = sa.create_engine(url, connect_args=arguments, poolclass=pool)
        journal = () if self.memory or more else ("PRAGMA journal_mode = WAL",)

        def connected(raw: Any, _: Any) -> None:
            # The driver's own transactions would begin late, and end before a savepoint; SQLAlchemy's begin event below
            # says BEGIN instead. Without IMMEDIATE a reader that turns writer fails at once when another one writes.
            raw.isolation_level = None
            for pragma in (*journal, *_PRAGMAS, *more):
                raw.execute(pragma)

        def begun(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        sa.event.listen(engine, "connect", connected)
        sa.event.listen(engine, "begin", begun)
        return engine

    def open_writer(self) -> sa.Connection:
        """The connection that writes. Raises ConfigError when the file is damaged or no database."""
        return self._connect(self._writing)

    def open_reader(self) -> sa.Connection:
        """A connection that can only read."""
        return self._connect(self._reading)

    @staticmethod
    def _connect(engine: sa.Engine) -> sa.Connection:
        try:
            return engine.connect()
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            raise translate(error) from error

    @staticmethod
    def session(connection: sa.Connection) -> SqliteSession:
        """The session over such a connection."""
        return SqliteSession(connection)

    def prepare_writer(self, connection: sa.Connection, stages: tuple[str, ...]) -> None:
        """Nothing: SQLite writes rows straight into their table."""

    def backup(self, target: Path) -> str:
        """Copy the database, beside its writer, into a new file that only we can read: "". Raises ConfigError."""
        if self.path is None:
            raise ConfigError("a database in memory cannot be backed up")
        try:
            os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise ConfigError(
                f"the backup {target} cannot be written: {error.strerror}",
                hint="Name a file that does not exist yet, in a folder that the node's user may write to.",
            ) from error
        try:
            with (
                contextlib.closing(sqlite3.connect(self.path, timeout=BUSY_MILLISECONDS / 1000)) as source,
                contextlib.closing(sqlite3.connect(target)) as copy,
            ):
                # In one step: a page at a time would begin again with every commit of the writer.
                source.backup(copy)
        except sqlite3.Error as error:
            target.unlink(missing_ok=True)
            raise translate(error) from error
        return ""

    def describe(self, connection: sa.Connection) -> tuple[str, int]:
        """The engine's version, and the size of the database in bytes."""
        pages, page = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size")
        )
        return sqlite3.sqlite_version, pages * page

    def close(self) -> None:
        """Close what is pooled, and let the next process write."""
        self._writing.dispose()
        self._reading.dispose()
        self.close_lock()
