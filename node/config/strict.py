"""Reads tables of TOML key by key; every complaint names file and key, and what was expected."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from node.errors import ConfigError

__all__ = ["FILE_BYTES_MAX", "Table", "read_file"]

FILE_BYTES_MAX = 16_777_216
"""Larger files of settings are refused."""

_HINT = "config/README.md explains the file; an example lies in config/"


def read_file(path: Path) -> Table:
    """The table of a TOML file. Raises ConfigError when it cannot be read, is too large, or is not TOML."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}", hint=_HINT) from None
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: more than {FILE_BYTES_MAX} bytes", hint=_HINT)
    try:
        return Table(path, tomllib.loads(data.decode("utf-8-sig"), parse_float=Decimal))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text", hint=_HINT) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint=_HINT) from None


class Table:
    """One table of a file: what it holds is asked for by key, and `only` refuses every other key."""

    def __init__(self, path: Path, values: Mapping[str, Any], at: str = "") -> None:
        self.path = path
        self.values = values
        self._at = at

    def where(self, key: str) -> str:
        """The key with all that it is in."""
        return f"{self._at}.{key}" if self._at else key

    def fault(self, key: str, expected: str, got: Any = None) -> ConfigError:
        """What to raise for a key."""
        was = "" if got is None else f", not {got!r:.60}"
        return ConfigError(f"{self.path}: {self.where(key)}: expected {expected}{was}", hint=_HINT)

    def only(self, *known: str) -> None:
        """Refuse keys that are not known. Raises ConfigError."""
        for key in self.values:
            if key not in known:
                raise self.fault(key, f"one of {', '.join(known)}; this key is not known")

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return key in self.values

    def text(self, key: str, default: str | None = None, *, choices: Sequence[str] = ()) -> str:
        """A text; without default it must be given."""
        value = self._plain(key, default)
        if not isinstance(value, str):
            raise self.fault(key, "text", value)
        if choices and value not in choices:
            raise self.fault(key, f"one of {', '.join(choices)}", value)
        return value

    def number(self, key: str, default: Decimal | None = None, *, most: int | None = None) -> Decimal:
        """A number of 0 or more, given as TOML number or as text; without default it must be given."""
        value = self._plain(key, default)
        if isinstance(value, str):
            with suppress(ArithmeticError):
                value = Decimal(value)
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
            raise self.fault(key, "a number", value)
        if value < 0 or (most is not None and value > most):
            raise self.fault(key, "0 or more" if most is None else f"0 to {most}", value)
        return Decimal(value)

    def maybe_number(self, key: str) -> Decimal | None:
        """A number of 0 or more, or None where the key is not given."""
        return self.number(key) if key in self.values else None

    def whole(self, key: str, default: int | None = None, *, least: int = 0, most: int) -> int:
        """A whole number in a span; without default it must be given."""
        value = self._plain(key, default)
        if type(value) is not int:
            raise self.fault(key, "a whole number", value)
        if not least <= value <= most:
            raise self.fault(key, f"{least} to {most}", value)
        return value

    def yes(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.fault(key, "true or false", value)
        return value

    def texts(self, key: str, default: Sequence[str] = (), *, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts, or one text alone."""
        value = self.values.get(key, list(default))
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.fault(key, "a list of texts", value)
        for one in found:
            if choices and one not in choices:
                raise self.fault(key, f"any of {', '.join(choices)}", one)
        return tuple(found)

    def table(self, key: str) -> Table:
        """A table in the table; an empty one where the key is not given."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.fault(key, "a table", value)
        return Table(self.path, value, self.where(key))

    def tables(self, key: str) -> list[Table]:
        """A list of tables."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.fault(key, f"tables, each below [[{self.where(key)}]]", value)
        return [Table(self.path, one, f"{self.where(key)}[{index}]") for index, one in enumerate(value)]

    def named(self, key: str) -> Iterator[tuple[str, Table]]:
        """Tables by name, below [key.NAME]."""
        outer = self.table(key)
        for name in outer.values:
            yield name, outer.table(name)

    def _plain(self, key: str, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is None:
            raise self.fault(key, "a value; it is missing")
        return value
