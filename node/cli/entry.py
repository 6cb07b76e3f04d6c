"""What people give to commands: files, pasted text, lines of an order, a yes."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

from node.cli.output import Output
from node.errors import ConfigError, RefusedError

__all__ = ["agreed", "pieces", "read_bytes", "read_fields", "read_lines", "read_text", "write_new"]

INPUT_BYTES_MAX = 16_777_216


def read_bytes(name: str, most: int | None = INPUT_BYTES_MAX) -> bytes:
    """The bytes of a file, or of standard input for "-"; at most `most`. Raises ConfigError."""
    size = -1 if most is None else most + 1
    try:
        if name == "-":
            data = sys.stdin.buffer.read(size)
        else:
            with Path(name).open("rb") as file:
                data = file.read(size)
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror or error}", hint="name a file that we may read") from None
    if most is not None and len(data) > most:
        raise ConfigError(f"{name}: more than {most} bytes")
    return data


def read_text(name: str) -> str:
    """The text of a file, or of standard input for "-". Raises ConfigError."""
    try:
        return read_bytes(name).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: is not UTF-8 text") from None


def read_fields(name: str) -> dict[str, Any]:
    """A document's fields as JSON. Raises ConfigError."""
    try:
        fields = json.loads(read_text(name))
    except ValueError as error:
        raise ConfigError(f"{name}: not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"{name}: a JSON object is expected, with the document's fields")
    return fields


def read_lines(name: str) -> list[dict[str, Any]]:
    """JSON objects, one on each line; empty lines count for nothing. Raises ConfigError."""
    found = []
    for number, line in enumerate(read_text(name).splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{name}: line {number}: not JSON: {error}") from None
        if not isinstance(one, dict):
            raise ConfigError(f"{name}: line {number}: a JSON object is expected")
        found.append(one)
    return found


def write_new(path: Path, data: bytes) -> None:
    """Write a file that only we can read, whole or not at all. Raises ConfigError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        hint = "make room on the disk" if error.errno == errno.ENOSPC else "name a file that we may write"
        raise ConfigError(f"{path}: {error.strerror or error}", hint=hint) from None


def agreed(output: Output, question: str, *, yes: bool) -> None:
    """Go on only with a yes. Raises RefusedError ``not-agreed``."""
    if not yes and not output.ask(question):
        raise RefusedError("nothing was done", code="not-agreed", hint="answer y, or give --yes where nobody is asked")


def pieces(text: str, command: str) -> dict[str, str]:
    """LINE=QUANTITY, with @PRICE (place, change) or @DATE (respond). Raises RefusedError ``bad-argument``."""
    line, equals, rest = text.rpartition("=")
    quantity, at, more = rest.partition("@")
    if not equals or not line or not quantity or (at and not more):
        raise RefusedError(f"{text!r}: LINE=QUANTITY is expected", code="bad-argument", hint="for example --line 1=6")
    made = {"line": line, "quantity": quantity}
    if at:
        made["on" if command == "order.respond" else "price"] = more
    return made
