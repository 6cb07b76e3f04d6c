"""Companies whose nodes are processes of their own: `hansa run`, its log, its control socket, and the line between two.

Nobody waits for time to pass here: one waits for a line of a log, or asks a node's control socket until it says so.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from node import control
from node.app import operations
from node.cli.local import open_host
from node.config import load
from node.errors import UnavailableError

__all__ = ["PATIENCE_SECONDS", "Company", "Line", "Process", "acquainted", "meet", "until"]

PATIENCE_SECONDS = 60.0
"""How long anything may take on a busy machine before the test fails."""

LOOK_AGAIN_SECONDS = 0.05

NOT_OF_OURS = ("HANSA_PASSPHRASE", "HANSA_PASSPHRASE_FILE", "HANSA_HOME")


class Process:
    """One `hansa` process that goes on until it is ended; its log is read as it is written."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        env = {name: value for name, value in os.environ.items() if name not in NOT_OF_OURS}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "node.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=env | dict(environment or {}),
        )
        self.pid = self._process.pid
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as log:
            for line in log:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def log(self) -> str:
        """Everything that it has written so far."""
        return "\n".join(self.lines)

    def until(self, *words: str, after: int = 0) -> str:
        """Wait for a line of the log, from line `after` on, with all these words; returns it."""
        until, seen = monotonic() + PATIENCE_SECONDS, after
        with self._changed:
            while True:
                while seen < len(self.lines):
                    seen += 1
                    if all(word in self.lines[seen - 1] for word in words):
                        return self.lines[seen - 1]
                assert not self._ended, f"the process ended before it wrote {words}:\n{self.log}"
                assert monotonic() < until, f"no {words} in\n{self.log}"
                self._changed.wait(until - monotonic())

    def look_again(self) -> None:
        """Wait a moment, or until it writes a line."""
        with self._changed:
            self._changed.wait(LOOK_AGAIN_SECONDS)

    def ready(self) -> Process:
        """Wait until the node serves."""
        self.until("the node is ready")
        return self

    def port(self) -> int:
        """The port that it listens on."""
        return int(self.until("listening on").rpartition("(port ")[2].rstrip(")"))

    def kill(self) -> None:
        """As a power cut does: `kill -9`."""
        self._process.kill()
        self.wait()

    def stop(self) -> int:
        """Ask it to end, wait, and return its exit code."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"the process did not end:\n{self.log}") from None
        self._reader.join(PATIENCE_SECONDS)
        return code


class Line:
    """A telephone line: a port that stays the same, and leads to wherever the called node listens now, until it is cut.

    `cut_after` bytes of both directions together, everything that runs over it breaks, once.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.target = 0
        self.cuts = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._left: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            try:
                called = socket.create_connection(("127.0.0.1", self.target), PATIENCE_SECONDS)
            except OSError:
                caller.close()
                continue
            with self._lock:
                self._open |= {caller, called}
            for source, sink in ((caller, called), (called, caller)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    left, cut = self._left, False
                    if left is not None:
                        self._left, cut = left - len(data), len(data) >= left
                if cut:
                    sink.sendall(data[:left])  # the rest is lost, in the middle of whatever it was
                    self.cut()
                    return
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut_after(self, size: int) -> None:
        """Cut once so many more bytes have passed."""
        with self._lock:
            self._left = size

    def cut(self) -> None:
        """Break every connection now."""
        with self._lock:
            ends, self._open, self._left = self._open, set(), None
            self.cuts += 1
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Take no more calls, and break those that there are."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


class Company:
    """One company: its home and, while it runs, its node's process. Without a line it dials out and takes no call."""

    def __init__(
        self, folder: Path, name: str, id: str = "", *, line: Line | None = None, settings: str = "", limits: str = ""
    ) -> None:
        self.name, self.home, self.line = name, folder / name.lower().replace(" ", "-"), line
        self.home.mkdir(mode=0o700)
        listen = 'listen = "127.0.0.1:0"\n' if line else ""
        text = f"[node]\n{listen}grace_seconds = 5\n[limits]\ndial_seconds_max = 1\n{limits}\n{settings}"
        (self.home / "hansa.toml").write_text(text, encoding="utf-8")
        self.process: Process | None = None
        self.running = threading.Event()
        endpoint = f"127.0.0.1:{line.port}" if line else ""
        made = self.do("init", name=name, id=id, endpoint=endpoint)
        self.id, self.fingerprint, self.recovery = made["id"], made["fingerprint"], made["recovery_key"]

    def start(self, **environment: str) -> Process:
        """Start its node, and wait until it serves."""
        self.process = Process("--home", str(self.home), "run", environment=environment).ready()
        if self.line is not None:
            self.line.target = self.process.port()
        self.running.set()
        return self.process

    def kill(self) -> None:
        """End its node without warning."""
        assert self.process is not None
        self.running.clear()
        self.process.kill()
        self.process = None

    def stop(self) -> None:
        """End its node as a service manager does, if it runs."""
        if self.process is not None:
            self.running.clear()
            process, self.process = self.process, None
            assert process.stop() == 0, process.log

    def do(self, operation: str, **arguments: Any) -> Any:
        """Run an operation: over the control socket of the running node, or alone while none runs."""
        if self.process is not None:
            return self._ask(operation, arguments)
        with control.exclusive(self.home), open_host(load(self.home)) as host:
            return operations.run(host, operation, arguments, lambda *_: None)

    def _ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        with control.connected(self.home) as client:
            if client is None:
                raise UnavailableError(f"{self.name} does not answer")
            return client.call(operation, arguments, lambda *_: None)

    def insist(self, operation: str, **arguments: Any) -> Any:
        """As `do`, again while the node is away: what a patient ERP does, which repeats what got no answer."""
        until = monotonic() + PATIENCE_SECONDS
        while True:
            assert self.running.wait(PATIENCE_SECONDS), f"{self.name} does not run"
            try:
                return self._ask(operation, arguments)
            except (UnavailableError, OSError):
                assert monotonic() < until, f"{self.name} does not answer"

    def until(self, so: Callable[[], bool], what: str = "") -> None:
        """Wait until something is so at this running node."""
        assert self.process is not None
        until(so, self.process, what)

    def documents(self, **which: Any) -> list[dict[str, Any]]:
        """All documents that fit, oldest first."""
        found = self.do("documents.list", limit=1000, **which)
        assert not found["more"]
        return list(reversed(found["documents"]))

    def connected(self, partner_id: str) -> bool:
        """Whether there is a session with this partner."""
        return bool(self.do("partner.show", partner=partner_id)["connected"])

    def state_of(self, partner_id: str) -> str:
        """The partner's state as this company sees it."""
        return str(self.do("partner.show", partner=partner_id)["state"])

    def idle(self) -> bool:
        """Whether nothing of ours waits to be sent, or for a receipt."""
        return not any(self.documents(direction="out", state=state) for state in ("waiting", "sent"))


def until(so: Callable[[], bool], process: Process, what: str = "") -> None:
    """Ask until it is so; a busy machine gets its time, a hanging node ends the test with its log."""
    end = monotonic() + PATIENCE_SECONDS
    while not so():
        assert monotonic() < end, f"{what or 'what was waited for'} did not come about:\n{process.log}"
        process.look_again()


def meet(one: Company, other: Company) -> None:
    """Both add the other's card with the fingerprint that the other has read out."""
    for company, partner in ((one, other), (other, one)):
        card = partner.do("partner.card")["card"]
        company.do("partner.add", card=card, fingerprint=partner.fingerprint)


def acquainted(one: Company, other: Company) -> None:
    """Wait until both running nodes know that both sides have compared fingerprints."""
    one.until(lambda: one.state_of(other.id) == other.state_of(one.id) == "confirmed", "confirmation")
