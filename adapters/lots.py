"""Stock by lots: rows that differ in the lot alone become one line, which tells how much is best until which day.

A mapping names the columns that only tell lots apart (`lots`), which are the last of its key. Whenever one row of a
line changes, all of them are looked at again, because figures are absolute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from adapters.base import Finding
from adapters.cells import Cell, as_text
from node.core.decimals import format_decimal

__all__ = ["LOT", "Line", "line_key", "lines_of", "merged"]

LOT = "trace[0]."
"""Where a mapping of stock rows says of a row which lot it is."""

_PART = re.compile(r"(?:[^|\\]|\\.)*")
_SUMMED = ("on_hand", "available")

Line = list[int]
"""The places of the rows of one line."""


def line_key(key: str, parts: int) -> str:
    """The first so many parts of a row's key, as one text."""
    end = -1
    for _ in range(parts):
        found = _PART.match(key, end + 1)
        end = found.end() if found else end
    return key[:end]


def lines_of(keys: Sequence[str], parts: int) -> dict[str, Line]:
    """The places of the rows of each line, in the order in which lines appear."""
    found: dict[str, Line] = {}
    for place, key in enumerate(keys):
        found.setdefault(line_key(key, parts), []).append(place)
    return found


def merged(
    lines: Sequence[Line], columns: Mapping[str, Sequence[Cell]], gone: Sequence[int]
) -> tuple[dict[str, list[Cell]], list[tuple[int, Finding]]]:
    """One value for each line from the columns of its rows, and what is wrong, by the place of a row.

    Figures are summed, lots listed, and everything else must be the same in all rows that are there.
    """
    made: dict[str, list[Cell]] = {}
    findings: list[tuple[int, Finding]] = []
    there = [[place for place in line if not gone[place]] or line[:1] for line in lines]
    for name, column in columns.items():
        if name.startswith(LOT):
            continue
        if name in _SUMMED:
            made[name] = [_sum(column, rows) for rows in there]
            continue
        made[name] = [column[rows[0]] for rows in there]
        for rows in there:
            other = next((place for place in rows if column[place] != column[rows[0]]), None)
            if other is not None:
                text = f"{as_text(column[other])!r} here, {as_text(column[rows[0]])!r} in another lot of the same line"
                findings.append((other, Finding("rows-disagree", f"lines[].{name}", text)))
    made |= _listed(there, columns, gone)
    return made, findings


def _sum(column: Sequence[Cell], rows: Line) -> Cell:
    told = [Decimal(as_text(column[place])) for place in rows if column[place] is not None]
    return format_decimal(sum(told, Decimal(0))) if told else None


def _listed(there: Sequence[Line], columns: Mapping[str, Sequence[Cell]], gone: Sequence[int]) -> dict[str, list[Cell]]:
    """The lots of each line, those with a quantity, as columns ``trace[0].…``, ``trace[1].…`` and so on."""
    names = [name.removeprefix(LOT) for name in columns if name.startswith(LOT)]
    amounts = [columns[name] for name in (f"{LOT}quantity.value", "available", "on_hand") if name in columns]
    made: dict[str, list[Cell]] = {}
    for at, rows in enumerate(there):
        left = (place for place in rows if not gone[place])
        stocked = [(place, amount) for place in left if (amount := _amount(amounts, place)) > 0]
        for number, (place, amount) in enumerate(stocked):
            values: dict[str, Cell] = {name: columns[LOT + name][place] for name in names}
            for name, value in {**values, "quantity.value": format_decimal(amount)}.items():
                made.setdefault(f"trace[{number}].{name}", [None] * len(there))[at] = value
    return made


def _amount(columns: Sequence[Sequence[Cell]], place: int) -> Decimal:
    """What a row has: the lot's own quantity, else the first figure that is told."""
    return next((Decimal(as_text(one[place])) for one in columns if one[place] is not None), Decimal(0))
