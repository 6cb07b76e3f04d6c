"""What goes wrong around a database: full disks, killed processes, damage, lost connections, other versions."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from node.errors import ConfigError, HansaError, UnavailableError
from node.ports import Transaction
from node.store.database import Database, open_store
from node.store.faults import translate
from node.store.schema import REVISION
from tests.stores import WAIT_SECONDS_MAX, Occupied, Server

CHILD = Path(__file__).parent / "store_child.py"
PARTS = 5
ACKNOWLEDGED_MIN = 200


def path_of(url: str) -> Path:
    database = sa.make_url(url).database
    assert database is not None
    return Path(database)


def put(name: str, value: str = "x") -> Callable[[Transaction], None]:
    return lambda tx: tx.settings.put(name, value)


def got(store: Database, *names: str) -> list[str | None]:
    return store.read(lambda tx: [tx.settings.get(name) for name in names])


@contextmanager
def child(url: str, mode: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), url, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    return (line.strip() for line in process.stdout)


def names_stored(url: str) -> list[str]:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [name for (name,) in connection.execute(sa.text("SELECT name FROM meta"))]


def test_a_killed_process_loses_nothing_acknowledged_and_leaves_nothing_half(store_url: str) -> None:
    with child(store_url, "loop") as process:
        said = lines(process)
        assert next(said) == "open"
        acknowledged = {int(next(said)) for _ in range(ACKNOWLEDGED_MIN)}
        process.send_signal(signal.SIGKILL)
        acknowledged |= {int(line) for line in said if line}
    with closing(open_store(store_url)) as store:
        store.write(put("after"))
        assert got(store, "after") == ["x"]
    parts: dict[int, set[int]] = {}
    for name in names_stored(store_url):
        number, _, part = name.partition(".")
        if part:
            parts.setdefault(int(number), set()).add(int(part))
    assert all(found == set(range(PARTS)) for found in parts.values())
    assert acknowledged <= parts.keys()


def test_a_second_process_that_writes_is_refused(store_url: str) -> None:
    with child(store_url, "hold") as process:
        assert next(lines(process)) == "open"
        with pytest.raises(ConfigError, match=f"{process.pid}.* already writes"):
            open_store(store_url)
        with closing(open_store(store_url, exclusive=False)) as reader:
            assert got(reader, "a") == [None]
    with closing(open_store(store_url)) as store:
        store.write(put("a"))
        with child(store_url, "hold") as process:
            assert "already writes" in next(lines(process))


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_newer_database_is_refused(store_url: str, *, exclusive: bool) -> None:
    engine = sa.create_engine(store_url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(ConfigError, match=f"0999.*{REVISION}") as caught:
        open_store(store_url, exclusive=exclusive)
    assert "newer version" in caught.value.hint


def test_an_empty_database_is_made_by_who_may_write(tmp_path: Path, postgres_server: Server, postgres_url: str) -> None:
    postgres_server.run("DROP DATABASE IF EXISTS empty", "CREATE DATABASE empty")
    for url in (f"sqlite:///{tmp_path}/new.db", postgres_server.url("empty")):
        with pytest.raises(ConfigError):
            open_store(url, exclusive=False)
        with closing(open_store(url)) as store:
            store.write(put("a"))
        with closing(open_store(url, exclusive=False)) as reader:
            assert got(reader, "a") == ["x"]
            assert reader.info().revision == REVISION
    postgres_server.run("DROP DATABASE empty")


@pytest.mark.parametrize(
    "url",
    [
        "hansa.db",
        "mysql://user@host/name",
        "sqlite:////no/such/folder/hansa.db",
        "postgresql://user@host:port/name",
    ],
)
def test_a_wrong_url_says_what_to_do(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert caught.value.hint


def test_only_we_can_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "hansa.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.write(put("a"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["hansa.db", "hansa.db.lock", "hansa.db-wal", "hansa.db-shm"], 0o600)


def raw_of(store: Database) -> Any:
    assert store._writer is not None
    assert store._writer._work is not None
    return store._writer._work.session.raw


def test_a_full_disk_stores_nothing_and_goes_on_when_there_is_room(sqlite_url: str) -> None:
    with closing(open_store(sqlite_url)) as store:
        store.write(put("a"))
        pages = raw_of(store).execute("PRAGMA page_count").fetchone()[0]
        raw_of(store).execute(f"PRAGMA max_page_count = {pages + 2}")

        def much(tx: Transaction) -> None:
            for number in range(100):
                tx.settings.put(f"n{number}", "x" * 4_000)

        with pytest.raises(UnavailableError, match="disk is full: nothing was stored"):
            store.write(much)
        assert got(store, "a", "n0") == ["x", None]
        store.write(put("b"))
        raw_of(store).execute("PRAGMA max_page_count = 1000000")
        store.write(much)
        assert got(store, "b", "n99") == ["x", "x" * 4_000]


def test_a_full_disk_in_the_middle_of_a_group(sqlite_url: str) -> None:
    """SQLite may end the whole transaction then: nobody of the group is told that something was stored."""
    with closing(open_store(sqlite_url)) as store:
        raw = raw_of(store)

        def full(tx: Transaction) -> None:
            pages = raw.execute("PRAGMA page_count").fetchone()[0]
            raw.execute(f"PRAGMA max_page_count = {pages}")
            try:
                tx.settings.put("big", "x" * 100_000)
            finally:
                raw.execute("PRAGMA max_page_count = 1000000")

        with Occupied(store) as busy:
            futures = [busy.write(use_case) for use_case in (put("a"), put("b"), full, put("c"))]
        errors = [future.exception(WAIT_SECONDS_MAX) for future in futures]
        assert isinstance(errors[2], UnavailableError)
        stored = got(store, "a", "b", "big", "c")
        assert [value is not None for value in stored] == [error is None for error in errors]
        store.write(put("d"))
        assert got(store, "d") == ["x"]


def test_a_failing_commit_fails_everybody(store: Database) -> None:
    """A deferred rule is only looked at by the commit."""
    raw = raw_of(store)
    if isinstance(raw, sqlite3.Connection):
        raw.execute("CREATE TABLE late (n INTEGER REFERENCES orders (order_id) DEFERRABLE INITIALLY DEFERRED)")
    else:
        raw.execute("CREATE TABLE late (n BIGINT REFERENCES orders (order_id) DEFERRABLE INITIALLY DEFERRED)")
        raw.commit()

    def broken(tx: Transaction) -> None:
        tx.settings.put("a", "x")
        raw.execute("INSERT INTO late VALUES (99)")

    with pytest.raises(UnavailableError, match="nothing was stored"):
        store.write(broken)
    assert got(store, "a") == [None]
    store.write(put("b"))
    assert got(store, "b") == ["x"]


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_is_no_database_is_refused(tmp_path: Path, *, exclusive: bool) -> None:
    path = tmp_path / "hansa.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(ConfigError, match="damaged") as caught:
        open_store(f"sqlite:///{path}", exclusive=exclusive)
    assert "backup" in caught.value.hint


def test_damage_inside_is_told(sqlite_url: str) -> None:
    with closing(open_store(sqlite_url)) as store:
        for number in range(500):
            store.write(put(f"n{number}", "x" * 500))
    path = path_of(sqlite_url)
    content = bytearray(path.read_bytes())
    content[4096 * 30 :] = os.urandom(len(content) - 4096 * 30)
    path.write_bytes(content)

    def read_all() -> None:
        with closing(open_store(sqlite_url)) as store:
            got(store, *(f"n{number}" for number in range(500)))

    with pytest.raises(ConfigError, match="damaged"):
        read_all()


def test_another_program_that_holds_the_file_makes_us_wait(sqlite_url: str) -> None:
    with closing(open_store(sqlite_url)) as store, closing(sqlite3.connect(path_of(sqlite_url))) as other:
        raw_of(store).execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            store.write(put("a"))
        other.rollback()
        store.write(put("a"))
        assert got(store, "a") == ["x"]


def terminate_all(server: Server) -> None:
    server.run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE 'hansa %'")


def test_a_lost_connection_is_made_again(postgres_server: Server, postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as store:
        store.write(put("a"))
        assert got(store, "a") == ["x"]
        terminate_all(postgres_server)
        for call in (lambda: store.write(put("b")), lambda: got(store, "a")):
            with pytest.raises(UnavailableError, match=r"not available|lost"):
                call()
        assert got(store, "a", "b") == ["x", None]
        store.write(put("b"))

        def cut(tx: Transaction) -> None:
            tx.settings.put("c", "x")
            terminate_all(postgres_server)
            tx.settings.put("d", "x")

        for call in (lambda: store.write(cut), lambda: got(store, "a")):
            with pytest.raises(UnavailableError):
                call()
        store.write(put("e"))
        assert got(store, "b", "c", "d", "e") == ["x", None, None, "x"]


def test_who_took_over_meanwhile_keeps_the_database(postgres_server: Server, postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as store:
        terminate_all(postgres_server)
        with closing(open_store(postgres_url)) as other:
            for _ in range(2):
                with pytest.raises((UnavailableError, ConfigError)):
                    store.write(put("a"))
            other.write(put("b"))
            assert got(other, "a", "b") == [None, "x"]
        store.write(put("a"))


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="not available"):
        open_store(f"postgresql://postgres@/hansa?host={tmp_path}")


def test_a_server_that_refuses_us(postgres_server: Server) -> None:
    with pytest.raises(ConfigError, match=r"refuses|does not exist"):
        open_store(postgres_server.url("nobody_made_this"))


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", UnavailableError),
        ("40001", UnavailableError),
        ("57P01", UnavailableError),
        ("25006", UnavailableError),
        ("XX001", ConfigError),
        ("28P01", ConfigError),
        ("42501", ConfigError),
        ("23505", HansaError),
        ("42601", HansaError),
    ],
)
def test_what_the_server_says_is_translated(state: str, kind: type[HansaError]) -> None:
    error = psycopg.errors.lookup(state)("said so\nwith details")
    translated = translate(error)
    assert type(translated) is kind
    assert "details" not in translated.message


def test_a_read_only_file_is_told() -> None:
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("PRAGMA query_only = ON")
        with pytest.raises(sqlite3.OperationalError) as caught:
            raw.execute("CREATE TABLE t (n)")
    assert isinstance(translate(caught.value), UnavailableError)


def test_a_disk_that_fails_is_perhaps_full() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert "full (df)" in translate(error).hint


def test_a_backup_while_the_node_writes(sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    with closing(open_store(sqlite_url)) as store:
        store.write(put("a"))
        store.backup(target)
        store.write(put("b"))
        with pytest.raises(ConfigError, match="cannot be written"):
            store.backup(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with closing(open_store(f"sqlite:///{target}")) as copy:
        assert got(copy, "a", "b") == ["x", None]


def test_a_backup_of_postgresql_names_its_tool(postgres_url: str, tmp_path: Path) -> None:
    target = tmp_path / "my backup" / "hansa.db"
    secret = sa.make_url(postgres_url).set(password="s3cret")
    with closing(open_store(secret.render_as_string(hide_password=False))) as store:
        tool, *given = shlex.split(store.backup(target))
    assert (tool, given[:2]) == ("pg_dump", ["--format=custom", f"--file={target}"])
    named = sa.make_url(given[2])
    assert (named.drivername, named.database, named.password) == ("postgresql", secret.database, None)
    assert dict(named.query) == dict(secret.query)


def test_what_support_asks_for(store: Database) -> None:
    info = store.info()
    assert info.engine in {"sqlite", "postgresql"}
    assert info.version[0].isdigit()
    assert info.size > 100_000
    assert info.revision == REVISION
