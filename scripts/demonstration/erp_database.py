"""Open the SQLite database of one of the demonstration's ERPs, and run its work in a process of its own."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Execute", "create", "opened", "run_process", "transaction"]

BUSY_TIMEOUT_S = 30
IDLE_S = 0.05
Execute: TypeAlias = Callable[[str, tuple[Any, ...]], sqlite3.Cursor]
"""`execute` of a connection."""

_SQL = Path(__file__).parent / "sql"


def create(path: Path, schema: str) -> sqlite3.Connection:
    """Make a new database with the tables of `sql/<schema>.sql`; the folder is made too. Raises FileExistsError."""
    if path.exists():
        raise FileExistsError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = opened(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript((_SQL / f"{schema}.sql").read_text(encoding="utf-8"))
    return connection


def opened(path: Path) -> sqlite3.Connection:
    """A connection that leaves transactions to `transaction`, waits for others, and gives rows by name."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing; takes the write lock at once, so that nothing read in it can be outdated."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def run_process(path: Path, work: Callable[[sqlite3.Connection], int]) -> None:
    """Call `work` for ever, resting when it says that there was nothing to do; ends with the process."""
    connection = opened(path)
    while True:
        if not work(connection):
            time.sleep(IDLE_S)
