"""How a table fits a terminal: columns that tell nothing are left out, long texts are wrapped, or it does not fit."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

__all__ = ["GAP", "columns_wide", "fitted", "telling"]

GAP = "  "
WORD_MAX = 24
"""Longer words are cut where a column must be narrow."""

ROW_LINES_MAX = 5
"""A cell that would take more lines makes a table unreadable."""

Rows = Sequence[Sequence[str]]


def telling(columns: Sequence[str], rows: Rows, optional: Collection[str]) -> tuple[list[str], list[list[str]]]:
    """The columns in which some row says something; in an optional one, a zero says nothing."""
    kept = [
        place
        for place, name in enumerate(columns)
        if any(row[place] not in (("", "0") if name in optional else ("",)) for row in rows)
    ]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def columns_wide(columns: Sequence[str], rows: Rows) -> list[int]:
    """How wide each column is; an empty cell shows as a dash."""
    return [max(1, _wide(name), *(_wide(row[place]) for row in rows)) for place, name in enumerate(columns)]


def fitted(columns: Sequence[str], rows: Rows, right: Collection[str], room: int) -> list[str] | None:
    """The table's lines, its header first and a rule below it, no wider than `room`; None when that cannot be.

    `right` names the columns with figures, which are never wrapped.
    """
    widths = columns_wide(columns, rows)
    least = [
        width if name in right else _least(name, [row[place] for row in rows])
        for place, (name, width) in enumerate(zip(columns, widths, strict=True))
    ]
    too_much = sum(widths) + len(GAP) * (len(widths) - 1) - room
    while too_much > 0:
        widest = max(range(len(widths)), key=lambda place: (widths[place] > least[place], widths[place]))
        if widths[widest] <= least[widest]:
            return None
        widths[widest] -= 1
        too_much -= 1
    sides = [name in right for name in columns]
    made = [_line(columns, widths, sides), GAP.join("─" * width for width in widths)]
    for row in rows:
        cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(len(cell) for cell in cells)):
            made.append(_line([cell[number] if number < len(cell) else "" for cell in cells], widths, sides))
    return made


def _least(name: str, cells: Sequence[str]) -> int:
    """The narrowest that a column of texts may become."""
    words = [word for cell in (name, *cells) for word in cell.split(" ")]
    longest = max(_wide(cell) for cell in cells)
    return max(min(WORD_MAX, max(_wide(word) for word in words)), -(-longest // (ROW_LINES_MAX - 1)))


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for cell, width, figures in zip(cells, widths, right, strict=True):
        blank = " " * (width - _wide(cell))
        padded.append(blank + cell if figures else cell + blank)
    return GAP.join(padded).rstrip()


def _wrapped(text: str, room: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        rest = word
        if lines[-1] and _wide(lines[-1]) + 1 + _wide(rest) <= room:
            lines[-1] += f" {rest}"
            continue
        if lines[-1]:
            lines.append("")
        while _wide(rest) > room:
            cut = _fits(rest, room)
            lines[-1] = rest[:cut]
            lines.append("")
            rest = rest[cut:]
        lines[-1] = rest
    return lines


def _fits(word: str, room: int) -> int:
    """How many characters of a word have room, at least one."""
    count = 1
    while count < len(word) and _wide(word[: count + 1]) <= room:
        count += 1
    return count


def _wide(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )
