"""The control socket HOME/control.sock: how commands reach the running node, and the lock that says one is running.

One JSON object per line. A request is ``{"operation": NAME, "arguments": {...}}``; the answer is any number of
``{"progress": TEXT, "done": N, "total": N}`` and then ``{"result": ...}`` or
``{"error": {"kind", "message", "hint", "code"}}``. Only the node's own user can connect: the socket has mode 0600.

Before its first request a command asks for the operation ``version``, which the socket answers itself: command and node
may be of different releases, and neither understands what the other has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol, TypeAlias

from node import __version__
from node.errors import AdapterError, ConfigError, HansaError, RefusedError, UnavailableError

__all__ = [
    "SOCKET_NAME",
    "Client",
    "ControlServer",
    "Progress",
    "Runner",
    "connected",
    "error_as_fields",
    "error_from_fields",
    "exclusive",
]

SOCKET_NAME = "control.sock"
LOCK_NAME = "hansa.lock"
VERSION = "version"
PATH_BYTES_MAX = 100
"""Socket addresses hold about 108 bytes; longer paths go through a descriptor of the folder."""


class Progress(Protocol):
    """Hears how a long operation goes on."""

    def __call__(self, text: str, done: int = 0, total: int = 0, /) -> None:
        """What is being done now, how much of it is done, and of how much; 0: nobody knows."""


Runner: TypeAlias = Callable[[str, Mapping[str, Any], Progress], Any]
"""(operation, arguments, progress) -> JSON-able result; blocks, and runs in a worker thread."""

PATIENCE_SECONDS = 10.0
"""How long a node that starts waits for a command to end; a command alone takes less."""

LOOK_AGAIN_SECONDS = 0.1

_KINDS: dict[str, type[HansaError]] = {
    one.__name__: one for one in (ConfigError, RefusedError, UnavailableError, AdapterError)
}
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def exclusive(home: Path, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Be the only process that works on this home, waiting a little for one that ends soon, such as a command.

    Raises UnavailableError where another one goes on, ConfigError where the home cannot be written.
    """
    try:
        descriptor = os.open(home / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"{home}: {error.strerror}", hint="hansa init makes a home; --home names another one"
        ) from None
    until = monotonic() + patience_seconds
    try:
        while not _locked(descriptor):
            if monotonic() >= until:
                raise _taken(home)
            sleep(LOOK_AGAIN_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _taken(home: Path) -> UnavailableError:
    """Who else works on this home: a node that answers, or a process that says nothing yet."""
    with connected(home) as client:
        if client is not None:
            hint = "hansa status tells of it; one node a home: stop it first, or name another --home"
            return UnavailableError(f"a node is running on {home} already", hint=hint)
    hint = "try again when it has ended; a node may be starting"
    return UnavailableError(f"another process is working on {home}", hint=hint)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path as a socket address takes it."""
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise ConfigError(f"{path}: too long for a socket", hint=f"use a home with at most {PATH_BYTES_MAX} bytes")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def error_as_fields(error: HansaError) -> dict[str, Any]:
    """An error as it goes over the socket, and as `--json` prints it."""
    fields: dict[str, Any] = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
    for kind, cls in _KINDS.items():
        if isinstance(error, cls):
            fields["kind"] = kind
    fields["code"] = getattr(error, "code", "")
    if isinstance(error, AdapterError):
        fields["permanent"] = error.permanent
    return fields


def error_from_fields(fields: Mapping[str, Any]) -> HansaError:
    """The error that `error_as_fields` wrote."""
    message, hint = str(fields.get("message", "")), str(fields.get("hint", ""))
    match fields.get("kind"):
        case "RefusedError":
            return RefusedError(message, code=str(fields.get("code") or "refused"), hint=hint)
        case "AdapterError":
            return AdapterError(message, permanent=bool(fields.get("permanent")), hint=hint)
        case kind:
            return _KINDS.get(str(kind), HansaError)(message, hint=hint)


def _version() -> list[int]:
    """The release's numbers; a later one is greater."""
    return [int(part) for part in __version__.split(".") if part.isdigit()]


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class ControlServer:
    """Answers requests on the socket of a home; each runs in a worker thread. The home's lock must be held."""

    def __init__(self, home: Path, runner: Runner, *, bytes_max: int) -> None:
        self._path = home / SOCKET_NAME
        self._runner = runner
        self._bytes_max = bytes_max
        self._version = _version()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. A socket that a killed process has left is replaced."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(self._path) as address:
                mask = os.umask(0o177)
                try:
                    listener.bind(address)
                finally:
                    os.umask(mask)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=self._bytes_max)
        except BaseException:
            listener.close()
            raise

    async def stop(self) -> None:
        """Take no more requests, and end the connections; a running operation still finishes its transaction."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._path.unlink(missing_ok=True)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while (line := await self._request(reader, writer)) is not None:
                await self._answer(line, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # The caller has gone, or the node is stopping.
        finally:
            self._open.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        try:
            return await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            refusal = RefusedError(f"a request of more than {self._bytes_max} bytes", code="too-large")
            writer.write(_line({"error": error_as_fields(refusal)}))
            await writer.drain()
            return None

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()

        def progress(text: str, done: int = 0, total: int = 0) -> None:
            told = {"progress": text, "done": done, "total": total}
            loop.call_soon_threadsafe(writer.write, _line(told))

        try:
            operation, arguments = _read_request(line)
            if operation == VERSION:
                answer: dict[str, Any] = {"result": self._version}
            else:
                answer = {"result": await asyncio.to_thread(self._runner, operation, arguments, progress)}
        except HansaError as error:
            answer = {"error": error_as_fields(error)}
        except Exception as error:
            # One operation's fault must not end the others; the log has the whole story.
            _log.exception("operation failed", extra={"request": line[:200]})
            answer = {"error": {"kind": "HansaError", "message": f"{type(error).__name__}: {error}", "hint": ""}}
        writer.write(_line(answer))
        await writer.drain()


def _read_request(line: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        request = json.loads(line)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise RefusedError("a request is one JSON object on one line", code="bad-request")
    operation, arguments = request.get("operation"), request.get("arguments", {})
    if not isinstance(operation, str) or not isinstance(arguments, dict):
        raise RefusedError('a request has "operation" (text) and "arguments" (an object)', code="bad-request")
    return operation, arguments


class Client:
    """One connection to a running node."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._is_same_version = False

    def call(self, operation: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        """The node's answer. Raises what the operation raises, and RefusedError ``other-version``."""
        if not self._is_same_version:
            self._compare_versions(progress)
        return self._ask(operation, arguments, progress)

    def _compare_versions(self, progress: Progress) -> None:
        try:
            theirs = self._ask(VERSION, {}, progress)
        except RefusedError as error:
            if error.code != "unknown-operation":
                raise
            theirs = []  # It runs since before there were versions.
        if theirs != (ours := _version()):
            word = "older" if theirs < ours else "newer"
            raise RefusedError(
                f"the running node is {word} than this command",
                code="other-version",
                hint="stop the node, and restart it with `hansa run` of the release that you use",
            )
        self._is_same_version = True

    def _ask(self, operation: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        for line in self._lines(_line({"operation": operation, "arguments": arguments})):
            answer = json.loads(line)
            if "progress" in answer:
                progress(answer["progress"], answer.get("done", 0), answer.get("total", 0))
            elif "error" in answer:
                raise error_from_fields(answer["error"])
            else:
                return answer["result"]
        raise UnavailableError("the node ended before it answered", hint="look at its log, then try again")

    def _lines(self, request: bytes) -> Iterator[bytes]:
        """The node's lines. Only its own connection may fail here: a reader of ours that has gone is another matter."""
        try:
            self._connection.sendall(request)
            with self._connection.makefile("rb") as lines:
                yield from lines
        except ConnectionError:
            raise UnavailableError(
                "the node has closed the connection", hint="look at its log, then try again"
            ) from None


@contextlib.contextmanager
def connected(home: Path) -> Iterator[Client | None]:
    """A connection to the node that runs on this home, or None where none does."""
    path = home / SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            with _address(path) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            yield None
            return
        except PermissionError:
            raise ConfigError(f"{path}: belongs to another user", hint="run the command as the node's user") from None
        yield Client(connection)
