"""Cells: the few plain types in which tables of every kind reach staging and mapping.

A cell keeps whether it was a number or a text in its source, because "1.234" is one thousand and more in a German text
column, and one and a bit in a number column. Dates and times become ISO 8601 texts, always with a time part, which no
local date format can be mistaken for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias

__all__ = ["Cell", "as_text", "cell", "key_text", "key_texts", "unique_names"]

Cell: TypeAlias = str | int | float | None

_EXACT_FLOAT_INTEGER = 2**53


def cell(value: object) -> Cell:
    """`value`, as a database driver or a spreadsheet reader gives it, as one of the plain types."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Beyond 64 bits SQLite would refuse it; as text it is kept whole.
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT_FLOAT_INTEGER else value
    if isinstance(value, Decimal):
        return _from_decimal(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00"
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)


def _from_decimal(value: Decimal) -> Cell:
    """A number cell when a float tells it exactly as written, otherwise its digits as text."""
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else format(value, "f")


def as_text(value: Cell) -> str:
    """The cell as text: numbers in plain digits without an exponent, nothing as the empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)


def key_text(values: Sequence[Cell]) -> str:
    """One text for the values of several key columns, joined by ``|``; unlike values never give the same text."""
    parts = [as_text(value).strip() for value in values]
    text = "|".join(parts)
    if text.count("|") != len(parts) - 1 or "\\" in text:
        return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)
    return text


def key_texts(columns: Sequence[Sequence[Cell]]) -> list[str]:
    """`key_text` of every row of these key columns; the empty text where one of them is empty."""
    try:
        stripped = [[value.strip() for value in column] for column in columns]  # type: ignore[union-attr]
    except AttributeError:
        stripped = [[as_text(value).strip() for value in column] for column in columns]
    if not any("" in column for column in stripped):
        keys = stripped[0] if len(stripped) == 1 else list(map("|".join, zip(*stripped, strict=True)))
        text = "".join(keys)
        if text.count("|") == (len(stripped) - 1) * len(keys) and "\\" not in text:
            return keys
    return [key_text(values) if all(values) else "" for values in zip(*stripped, strict=True)]


def unique_names(names: Sequence[object]) -> tuple[str, ...]:
    """Column names from a table's first row: stripped, an empty one named by its place, a repeated one numbered."""
    result: list[str] = []
    taken: set[str] = set()
    for place, raw in enumerate(names, start=1):
        base = as_text(cell(raw)).strip() or f"column_{place}"
        name, count = base, 1
        while name.casefold() in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name.casefold())
        result.append(name)
    return tuple(result)
