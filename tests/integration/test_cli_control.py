"""The control socket: requests reach the running node, errors come back as they were, and odd callers do no harm."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from node import control
from node.control import SOCKET_NAME, ControlServer, Progress, connected, error_as_fields, error_from_fields, exclusive
from node.errors import AdapterError, ConfigError, HansaError, RefusedError, UnavailableError

BYTES_MAX = 65_536


def runner(operation: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
    """Echoes; says no in every way."""
    match operation:
        case "echo":
            progress("one")
            progress("two", 3, 4)
            return dict(arguments)
        case "refuse":
            raise RefusedError("no", code="because", hint="ask again")
        case "fail":
            raise AdapterError("gone", permanent=True)
        case _:
            raise ZeroDivisionError("a fault of ours")


@contextlib.asynccontextmanager
async def serving(home: Path) -> AsyncIterator[ControlServer]:
    server = ControlServer(home, runner, bytes_max=BYTES_MAX)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def during(home: Path, work: Callable[[], Any]) -> Any:
    """What `work` gives in a thread while a node serves this home."""

    async def whole() -> Any:
        async with serving(home):
            return await asyncio.to_thread(work)

    return asyncio.run(whole())


def ask(home: Path, operation: str, arguments: Mapping[str, Any], said: list[tuple[Any, ...]] | None = None) -> Any:
    with connected(home) as client:
        assert client is not None
        heard = said if said is not None else []
        return client.call(operation, arguments, lambda *told: heard.append(told))


def raw(home: Path, data: bytes) -> Any:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(home / SOCKET_NAME))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as lines:
            return [json.loads(line) for line in lines]


def test_a_request_is_answered_with_progress(tmp_path: Path) -> None:
    said: list[tuple[Any, ...]] = []
    assert during(tmp_path, lambda: ask(tmp_path, "echo", {"a": ["ü", 1]}, said)) == {"a": ["ü", 1]}
    assert said == [("one", 0, 0), ("two", 3, 4)]


@pytest.mark.parametrize(("ours", "word"), [("0.9.0", "older"), ("0.0.9", "newer")])
def test_a_node_of_another_release_is_asked_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: str, word: str
) -> None:
    """What it would do, and answer, may be something else."""
    said: list[tuple[Any, ...]] = []

    def of_another_release() -> None:
        monkeypatch.setattr(control, "__version__", ours)
        ask(tmp_path, "echo", {}, said)

    with pytest.raises(RefusedError, match=f"the running node is {word} than this command") as caught:
        during(tmp_path, of_another_release)
    assert (caught.value.code, said) == ("other-version", [])
    assert "hansa run" in caught.value.hint


def test_a_node_from_before_there_were_versions_is_older(tmp_path: Path) -> None:
    unknown = RefusedError("there is no operation 'version'", code="unknown-operation")

    def answer(listener: socket.socket) -> None:
        with listener.accept()[0] as connection, connection.makefile("rwb") as lines:
            assert json.loads(lines.readline())["operation"] == "version"
            lines.write(json.dumps({"error": error_as_fields(unknown)}).encode() + b"\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / SOCKET_NAME))
        listener.listen()
        node = threading.Thread(target=answer, args=[listener])
        node.start()
        with pytest.raises(RefusedError, match="the running node is older"):
            ask(tmp_path, "echo", {})
        node.join()


def test_the_socket_is_ours_alone_and_goes_with_the_node(tmp_path: Path) -> None:
    mode = during(tmp_path, lambda: stat.S_IMODE((tmp_path / SOCKET_NAME).stat().st_mode))
    assert mode == 0o600
    assert not (tmp_path / SOCKET_NAME).exists()
    with connected(tmp_path) as client:
        assert client is None


def test_what_a_killed_node_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET_NAME))
    with connected(tmp_path) as client:
        assert client is None
    assert during(tmp_path, lambda: ask(tmp_path, "echo", {})) == {}


def test_errors_come_back_as_they_were(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        during(tmp_path, lambda: ask(tmp_path, "refuse", {}))
    assert (refused.value.message, refused.value.code, refused.value.hint) == ("no", "because", "ask again")
    with pytest.raises(AdapterError) as failed:
        during(tmp_path, lambda: ask(tmp_path, "fail", {}))
    assert failed.value.permanent
    with pytest.raises(HansaError, match="ZeroDivisionError"):
        during(tmp_path, lambda: ask(tmp_path, "crash", {}))


@pytest.mark.parametrize(
    "error",
    [
        HansaError("m", hint="h"),
        ConfigError("m", hint="h"),
        UnavailableError("m", hint="h"),
        RefusedError("m", code="c", hint="h"),
        AdapterError("m", permanent=False, hint="h"),
    ],
)
def test_every_error_survives_the_way(error: HansaError) -> None:
    back = error_from_fields(json.loads(json.dumps(error_as_fields(error))))
    assert type(back) is type(error)
    assert vars(back) == vars(error)


@pytest.mark.parametrize(
    "data", [b"\n", b"hello\n", b"[]\n", b'{"operation": 1}\n', b'{"operation": "echo", "arguments": []}\n']
)
def test_what_is_no_request_is_refused(tmp_path: Path, data: bytes) -> None:
    (answer,) = during(tmp_path, lambda: raw(tmp_path, data))
    assert answer["error"]["code"] == "bad-request"


def test_too_much_is_refused(tmp_path: Path) -> None:
    (answer,) = during(tmp_path, lambda: raw(tmp_path, b"x" * (BYTES_MAX + 2) + b"\n"))
    assert answer["error"]["code"] == "too-large"


def test_several_requests_use_one_connection(tmp_path: Path) -> None:
    line = b'{"operation": "refuse"}\n'
    answers = during(tmp_path, lambda: raw(tmp_path, line * 3 + b'{"operation"'))
    assert [one["error"]["code"] for one in answers] == ["because"] * 3


def test_a_long_home_has_a_socket_too(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    home.mkdir()
    assert during(home, lambda: ask(home, "echo", {"a": 1})) == {"a": 1}


def test_only_one_works_on_a_home(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(UnavailableError, match="another process"), exclusive(tmp_path, 0.0):
        pass
    with exclusive(tmp_path, 0.0):
        pass
    with pytest.raises(ConfigError, match="No such file"), exclusive(tmp_path / "none"):
        pass


def test_who_waits_gets_the_home_when_it_is_free(tmp_path: Path) -> None:
    held, let_go, got = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with exclusive(tmp_path):
            held.set()
            let_go.wait(10)

    def second() -> None:
        with exclusive(tmp_path, 10.0):
            got.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert held.wait(10)
    threads[1].start()
    assert not got.is_set()
    let_go.set()
    for thread in threads:
        thread.join(10)
    assert got.is_set()
