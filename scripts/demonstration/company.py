"""One company of the demonstration: a home with its node, its ERP, and a process for each of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from node import control
from node.errors import HansaError, UnavailableError

__all__ = ["CommandError", "Company", "Process"]

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS_MAX = 180
COMMAND_SECONDS_MAX = 120
_TRY_AGAIN = 4


class CommandError(Exception):
    """A command of the node's command line failed; the text is what it said."""


class Process:
    """A process that is wanted: whoever calls `tend` starts it again when it has died unasked."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.starts = 0
        self._arguments = arguments
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; 0 when it was never started or was stopped."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it, with its output in the log."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT
            )
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing flushed. It is wanted no more until it is started."""
        self._end(subprocess.Popen.kill)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(subprocess.Popen.terminate)

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def murder(self) -> None:
        """SIGKILL from outside, as by an accident: it is wanted still, and `tend` will find it dead."""
        if self._process is not None:
            self._process.kill()

    def tend(self) -> int | None:
        """Start it again if it died by itself, as a service manager would; returns how it had ended, else None."""
        if self._process is None or self._process.poll() is None:
            return None
        code = int(self._process.returncode)
        self.start()
        return code


class Company:
    """A company with its node in `home`; `erp` is the process of its ERP."""

    def __init__(self, name: str, participant: str, home: Path, settings: str, erp: Sequence[str]) -> None:
        self.name = name
        self.id = participant
        self.home = home
        home.mkdir(parents=True)
        (home / "hansa.toml").write_text(settings, encoding="utf-8")
        self.node = Process(f"{name}'s node", ["-m", "node.cli", "--home", str(home), "run"], home / "node.log")
        self.erp = Process(f"{name}'s ERP", ["-m", *erp], home / "erp.log")

    def start(self) -> None:
        """Start node and ERP, and wait until the node answers."""
        self.erp.start()
        self.node.start()
        self.wait_ready()

    def kill(self) -> None:
        """Kill the node; the ERP goes on."""
        self.node.kill()

    def stop(self) -> None:
        """Stop both."""
        self.node.stop()
        self.erp.stop()

    def wait_ready(self) -> None:
        """Wait until the node answers. Raises UnavailableError when it does not, or has ended."""
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until:
            if self.status() is not None:
                return
            time.sleep(0.05)
        raise UnavailableError(f"{self.name}'s node does not answer", hint=f"Look at {self.home / 'node.log'}.")

    def status(self) -> Mapping[str, Any] | None:
        """What `hansa status` tells, or None where no node answers; asked of the node without a command in between."""
        try:
            with control.connected(self.home) as client:
                if client is None:
                    return None
                told: Mapping[str, Any] = client.call("status", {}, lambda *_: None)
                return told
        except (HansaError, OSError, ValueError):
            return None

    def ask(self, operation: str, **arguments: Any) -> Any:
        """Ask the running node without a command in between; waits while it is being started again.

        Raises HansaError when the node refuses, UnavailableError when it does not answer for long.
        """
        until = time.monotonic() + COMMAND_SECONDS_MAX
        while True:
            try:
                with control.connected(self.home) as client:
                    if client is not None:
                        return client.call(operation, arguments, lambda *_: None)
            except (UnavailableError, OSError, ValueError):
                if time.monotonic() > until:
                    raise
            if time.monotonic() > until:
                raise UnavailableError(f"{self.name}'s node does not answer")
            self.node.tend()
            time.sleep(0.2)

    def cli(self, *arguments: str, stdin: str = "") -> str:
        """Run `hansa --home HOME ...` and return what it prints; tries again when the node says "not now".

        Raises CommandError when it fails.
        """
        until = time.monotonic() + COMMAND_SECONDS_MAX
        while True:
            done = subprocess.run(
                [sys.executable, "-m", "node.cli", "--home", str(self.home), "--no-color", *arguments],
                capture_output=True,
                text=True,
                input=stdin,
                cwd=ROOT,
                check=False,
            )
            if done.returncode == 0:
                return done.stdout
            if done.returncode != _TRY_AGAIN or time.monotonic() > until:
                raise CommandError(f"hansa {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
            self.node.tend()
            time.sleep(0.2)

    def told(self, *arguments: str) -> Any:
        """The same with `--json`, read."""
        return json.loads(self.cli("--json", *arguments))
