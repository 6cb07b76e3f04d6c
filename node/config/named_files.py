"""Which files a home's settings name, and which those name in turn: what a copy of the home must have to be of use."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from node.config.rules import RULES_FILE
from node.config.sections import FILE_NAME

__all__ = ["NamedFiles", "named_files"]

TEXT_MAX = 1_024
"""A longer text is no file's name."""

_SECRET = re.compile(r"(?:^|_)(?:secret|password|passphrase|token|key|url)_file$").search


class NamedFiles(NamedTuple):
    """Files by their whole paths: to be copied, secrets that must not be, and what could not be read for more names."""

    home: Path
    files: list[Path]
    secrets: list[Path]
    unread: list[Path]


def named_files(home: Path) -> NamedFiles:
    """The settings, the rules, and every file that a text in them names, such as carriers' tables and mappings.

    A TOML file that is named so is read for further ones, which are beside it (rates, look-up tables). What a key such
    as ``secret_file`` names, and what lies in HOME/keys, is a secret.
    """
    home = _plain(home)
    found: dict[Path, None] = {}
    secrets: dict[Path, None] = {}
    unread = []
    waiting = [home / FILE_NAME, home / RULES_FILE]
    while waiting:
        path = waiting.pop(0)
        if path in found or not _is_file(path):
            continue
        found[path] = None
        if path.suffix.lower() != ".toml":
            continue
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            unread.append(path)
            continue
        for key, text in _texts(values, ""):
            named = _plain(path.parent / text)
            if _SECRET(key) or named.is_relative_to(home / "keys"):
                secrets |= {named: None} if _is_file(named) else {}
            else:
                waiting.append(named)
    return NamedFiles(home, [path for path in found if path not in secrets], list(secrets), unread)


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every text in a table that can be a file's name, with its key."""
    if isinstance(value, str):
        if value and len(value) <= TEXT_MAX and value.isprintable():
            yield key, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, key)


def _plain(path: Path) -> Path:
    """The path without dots; links stay what they are."""
    return Path(os.path.normpath(path.absolute()))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a text that cannot be a name at all
