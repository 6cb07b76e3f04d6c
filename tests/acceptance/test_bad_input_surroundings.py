"""What can be wrong around a node: settings, keys, passphrase, database, port, disk.

Each is refused with an exit code, a message that names the cause, and a hint that says what to do; nothing is lost.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from node import control
from node.cli import main
from node.errors import UnavailableError
from tests.acceptance.processes import PATIENCE_SECONDS, Company, Line, Process, acquainted, meet

OURS, REFUSED, UNAVAILABLE = 2, 3, 4


class Broken(NamedTuple):
    """One thing that is wrong with a home, and what `hansa run` says of it."""

    name: str
    spoil: Callable[[Path], object]
    code: int
    told: str
    hint: str


def settings(text: str) -> Callable[[Path], object]:
    """Other settings."""
    return lambda home: (home / "hansa.toml").write_text(text, encoding="utf-8")


def key(home: Path, kind: str) -> Path:
    (found,) = (home / "keys").glob(f"{kind}-*.pem")
    return found


def _newer(home: Path) -> None:
    with contextlib.closing(sqlite3.connect(home / "hansa.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()


def _damaged(home: Path) -> None:
    (home / "hansa.db").write_bytes(b"no database at all" * 1_000)


def _encrypted(home: Path) -> None:
    """A key that was made under a passphrase; none is given."""
    _environment["HANSA_PASSPHRASE"] = "correct horse"
    try:
        shutil.rmtree(home / "keys")
        (home / "hansa.db").unlink()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HANSA_PASSPHRASE", "correct horse")
            assert main(["--home", str(home), "--json", "init", "--name", "Shop"]) == 0
    finally:
        del _environment["HANSA_PASSPHRASE"]


def _other_passphrase(home: Path) -> None:
    _encrypted(home)
    _environment["HANSA_PASSPHRASE"] = "battery staple"


_environment: dict[str, str] = {}
"""What the case wants in the environment of the node."""


def _passphrase_file(home: Path) -> None:
    _environment["HANSA_PASSPHRASE_FILE"] = str(home / "nothing")


HOMES = [
    Broken("no home", shutil.rmtree, OURS, "No such file or directory", "hansa init"),
    Broken("not TOML", settings("[node\n"), OURS, "not TOML", "quotes"),
    Broken("not text", lambda home: (home / "hansa.toml").write_bytes(b"\xff\xfe"), OURS, "cannot be read", "UTF-8"),
    Broken("an unknown key", settings("[node]\nlisen = 'x'\n"), OURS, "node.lisen: expected one of", "config describe"),
    Broken("an unknown section", settings("[nod]\n"), OURS, "nod: expected one of", "config describe"),
    Broken("text for a number", settings("[limits]\nsessions_max = '9'\n"), OURS, "limits.sessions_max", "describe"),
    Broken("out of range", settings("[limits]\nsessions_max = 0\n"), OURS, "1 to 10000", "config describe"),
    Broken("no address", settings("[node]\nlisten = '7420'\n"), OURS, "node.listen: expected host:port", "describe"),
    Broken(
        "an address of others",
        settings("[node]\nlisten = '192.0.2.1:1'\n"),
        OURS,
        "cannot be listened on",
        "the address is not ours",
    ),
    Broken(
        "two databases", settings("[database]\nurl = 'sqlite://'\nurl_env = 'X'\n"), OURS, "at most one", "describe"
    ),
    Broken(
        "a database without address",
        settings("[database]\nurl_env = 'HANSA_NOWHERE'\n"),
        OURS,
        "the environment has no HANSA_NOWHERE",
        "set HANSA_NOWHERE",
    ),
    Broken(
        "a database of another kind",
        settings("[database]\nurl = 'mysql://here/there'\n"),
        OURS,
        "does not run on mysql",
        "postgresql://",
    ),
    Broken(
        "no database server",
        settings("[database]\nurl = 'postgresql://nobody@127.0.0.1:1/hansa'\n"),
        UNAVAILABLE,
        "the database server is not available",
        "See that it runs",
    ),
    Broken(
        "no identity",
        lambda home: (home / "hansa.db").unlink(),
        OURS,
        "does not know our own company yet",
        "hansa init",
    ),
    Broken("a database of a newer version", _newer, OURS, "written by a newer version", "Install the newer version"),
    Broken("a damaged database", _damaged, OURS, "damaged", "restore the last backup"),
    Broken(
        "a TLS key open to others", lambda home: key(home, "tls").chmod(0o644), OURS, "open to other users", "chmod 600"
    ),
    Broken(
        "a signing key open to others",
        lambda home: key(home, "signing").chmod(0o644),
        OURS,
        "open to other users",
        "chmod 600",
    ),
    Broken(
        "a folder of keys open to others",
        lambda home: (home / "keys").chmod(0o755),
        OURS,
        "open to other users",
        "chmod 700",
    ),
    Broken(
        "no signing key",
        lambda home: key(home, "signing").unlink(),
        OURS,
        "there is no file signing-",
        "hansa key recover",
    ),
    Broken("no TLS key", lambda home: key(home, "tls").unlink(), OURS, "there is no file tls-", "hansa key recover"),
    Broken(
        "a damaged signing key",
        lambda home: key(home, "signing").write_text("-----BEGIN"),
        OURS,
        "it is damaged",
        "backup",
    ),
    Broken(
        "a damaged TLS key", lambda home: key(home, "tls").write_text("-----BEGIN"), OURS, "it is damaged", "backup"
    ),
    Broken(
        "encrypted keys and no passphrase",
        _encrypted,
        OURS,
        "is encrypted, and no passphrase is given",
        "HANSA_PASSPHRASE",
    ),
    Broken("another passphrase", _other_passphrase, OURS, "the passphrase is wrong", "backup"),
    Broken("a passphrase in no file", _passphrase_file, OURS, "HANSA_PASSPHRASE_FILE", "text file"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a partner for whom an order waits."""
    folder = tmp_path_factory.mktemp("template")
    company, partner = Company(folder, "Shop"), Company(folder, "Maker")
    meet(company, partner)
    return company.home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    for name in ("HANSA_PASSPHRASE", "HANSA_PASSPHRASE_FILE", "HANSA_HOME"):
        monkeypatch.delenv(name, raising=False)
    _environment.clear()
    yield
    _environment.clear()


def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """`hansa run`, which is expected to give up; one that serves after all is stopped, and returns 0."""
    for name, value in _environment.items():
        monkeypatch.setenv(name, value)
    late = threading.Timer(PATIENCE_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
    late.start()
    try:
        return main(["--home", str(home), "run"])
    finally:
        late.cancel()


@pytest.mark.parametrize("broken", HOMES, ids=lambda broken: broken.name)
def test_a_node_does_not_start_on_what_is_wrong(
    home: Path, broken: Broken, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken.spoil(home)
    capsys.readouterr()
    before = {path: path.read_bytes() for path in (home / "keys").glob("*")}
    assert run(home, monkeypatch) == broken.code
    said = capsys.readouterr().err.splitlines()
    message, *hints = [line for line in said if line.startswith(("hansa: ", "       "))]
    assert broken.told in message
    assert any(broken.hint in line for line in hints), said
    assert not any("Traceback" in line for line in said)
    assert {path: path.read_bytes() for path in (home / "keys").glob("*")} == before
    assert not (home / "control.sock").exists()


def test_a_port_in_use(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        for text, key_name in (
            (f"[node]\nlisten = '127.0.0.1:{port}'\n", "node.listen"),
            (f"[metrics]\nport = {port}\n", "metrics.port"),
        ):
            settings(text)(home)
            assert run(home, monkeypatch) == OURS
            said = capsys.readouterr().err
            assert key_name in said
            assert "Another process may hold the port" in said


def test_a_second_node_on_one_home_or_one_database(home: Path, tmp_path: Path) -> None:
    """Whoever comes second ends, and says who is there; whoever was first goes on."""
    first = Process("--home", str(home), "run").ready()
    other = tmp_path / "other"
    shutil.copytree(home, other, ignore=shutil.ignore_patterns("*.sock", "*.lock", "hansa.db*"))
    settings(f"[database]\nurl = 'sqlite:///{home / 'hansa.db'}'\n")(other)
    second = Process("--home", str(other), "run")
    assert second.wait() == OURS
    assert f"process {first.pid} already writes to the database" in second.log
    assert "stop the other one" in second.log
    with pytest.raises(UnavailableError, match="a node is running on"), control.exclusive(home, 0):
        pass
    assert main(["--home", str(home), "status"]) == 0
    assert first.stop() == 0


class Disk:
    """A disk that can be full: a small file system, or, where we may not mount one, a limit to the size of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mounted = (
            os.geteuid() == 0
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], check=False, capture_output=True
            ).returncode
        )

    def fill(self, process: Process) -> None:
        if not self.mounted:
            hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, hard))
            return
        with (self.folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"\0" * 65_536):
                pass

    def free(self, process: Process) -> None:
        if not self.mounted:
            hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            return
        (self.folder / "filler").unlink()

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = Disk(folder)
    yield made
    made.close()


def test_a_full_disk(disk: Disk, tmp_path: Path) -> None:
    """The node goes on and says so; what cannot be stored is not receipted, and comes when there is room again."""
    line = Line()
    shop = Company(tmp_path, "Shop", line=line)
    maker = Company(disk.folder, "Maker")
    try:
        meet(shop, maker)
        process = maker.start()
        shop.start()
        acquainted(shop, maker)
        place(shop, maker, "PO-1")
        shop.until(shop.idle)
        disk.fill(process)
        for count in range(2, 6):
            place(shop, maker, f"PO-{count}")
        full = process.until("disk", "hint=")
        assert ("the disk is full" if disk.mounted else "the disk or the memory failed") in full
        with pytest.raises(UnavailableError, match="disk") as caught:
            place(maker, shop, "PO-M1")
        assert caught.value.hint
        assert maker.do("status")["running"]
        assert [one["number"] for one in maker.documents(direction="in", type="Order")] == ["PO-1"]
        assert not shop.idle()
        disk.free(process)
        place(maker, shop, "PO-M1")
        shop.until(lambda: shop.idle() and maker.idle(), "what waited")
        arrived = maker.documents(direction="in", type="Order")
        assert [one["number"] for one in arrived] == [f"PO-{count}" for count in range(1, 6)]
        assert {one["state"] for one in arrived} == {"taken"}
        assert [one["number"] for one in shop.documents(direction="in", type="Order")] == ["PO-M1"]
    finally:
        for company in (shop, maker):
            company.stop()
        line.close()


def place(buyer: Company, seller: Company, number: str) -> None:
    line = {"line": "4012345000009", "quantity": "1"}
    buyer.do("order.place", partner=seller.id, number=number, lines=[line])
