"""PostgreSQL underneath the store: connections by psycopg, and the lock that keeps a second writer out."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from node.errors import ConfigError
from node.store.faults import translate
from node.store.session import PostgresSession

__all__ = ["PostgresBackend"]

CONNECT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 2
LOCK = 0x48414E53
"""The first half of our advisory lock's key; the second half is the schema."""

_ERRORS = (sa.exc.DBAPIError, psycopg.Error)


class PostgresBackend:
    """One schema of a PostgreSQL database: the first on the search path of its URL."""

    name = "postgresql"
    memory = False

    def __init__(self, url: sa.URL, *, exclusive: bool) -> None:
        self._url = url
        self._exclusive = exclusive
        self._writing = self._engine(reading=False)
        self._reading = self._engine(reading=True)

    def _engine(self, *, reading: bool) -> sa.Engine:
        settings: dict[str, Any] = {"fallback_application_name": f"hansa {os.getpid()}"}
        if "connect_timeout" not in self._url.query:
            settings["connect_timeout"] = CONNECT_SECONDS_MAX
        url = self._url.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, connect_args=settings, poolclass=sa.NullPool)

        def connected(raw: psycopg.Connection[Any], _: Any) -> None:
            # One type for every integer, so that a statement is prepared once and not once per mix of sizes.
            raw.adapters.register_dumper(int, Int8Dumper)
            raw.adapters.register_dumper(int, Int8BinaryDumper)
            if reading:
                raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                raw.read_only = True
                return
            # What is acknowledged must be on disk, whatever the server's default is.
            raw.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            raw.commit()

        sa.event.listen(engine, "connect", connected)
        return engine

    def open_writer(self) -> sa.Connection:
        """The connection that writes, holding the lock for as long as it lives.

        Raises ConfigError when another process holds the lock, UnavailableError when the server cannot be reached.
        """
        connection = self._connect(self._writing)
        try:
            if self._take_lock(connection):
                return connection
            with connection.begin():
                owner = self._owner(connection)
        except _ERRORS as error:
            connection.close()
            raise translate(error) from error
        connection.close()
        raise ConfigError(
            f"{owner} already writes to the database {self._url.render_as_string(hide_password=True)}",
            hint="Only one node may write to a database: stop the other one, or give this one its own database.",
        )

    @staticmethod
    def _take_lock(connection: sa.Connection) -> bool:
        """Hold the lock until the session ends; False when another one keeps it.

        It waits a moment: the server may not have noticed yet that the process before us has ended.
        """
        try:
            with connection.begin():
                connection.exec_driver_sql("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_SECONDS_MAX}s",))
                connection.exec_driver_sql("SELECT pg_advisory_lock(%s::int, hashtext(current_schema()))", (LOCK,))
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.LockNotAvailable):
                return False
            raise
        return True

    @staticmethod
    def _owner(connection: sa.Connection) -> str:
        """Who holds the lock, as far as the server tells."""
        found = connection.exec_driver_sql(
            "SELECT a.application_name, a.client_addr, l.pid FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.classid = %s::int AND l.granted AND l.objsubid = 2"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1",
            (LOCK,),
        ).first()
        if found is None:
            return "another process"
        return f'"{found[0]}" at {found[1] or "this machine"} (server process {found[2]})'

    def open_reader(self) -> sa.Connection:
        """A connection that can only read, one snapshot per transaction."""
        return self._connect(self._reading)

    @staticmethod
    def _connect(engine: sa.Engine) -> sa.Connection:
        try:
            return engine.connect()
        except _ERRORS as error:
            raise translate(error) from error

    @staticmethod
    def session(connection: sa.Connection) -> PostgresSession:
        """The session over such a connection."""
        return PostgresSession(connection)

    def prepare_writer(self, connection: sa.Connection, stages: tuple[str, ...]) -> None:
        """Make the staging tables through which rows are merged."""
        with connection.begin():
            for stage in stages:
                connection.exec_driver_sql(stage)

    def backup(self, target: Path) -> str:
        """Not ours to do: the command of PostgreSQL's own tool that does it, without a password."""
        named = sa.URL.create(
            "postgresql", self._url.username, None, self._url.host, self._url.port, self._url.database, self._url.query
        )
        return shlex.join(["pg_dump", "--format=custom", f"--file={target}", named.render_as_string()])

    def describe(self, connection: sa.Connection) -> tuple[str, int]:
        """The server's version, and the size of the database in bytes."""
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        return version, size

    def close(self) -> None:
        """Close what is pooled."""
        self._writing.dispose()
        self._reading.dispose()
