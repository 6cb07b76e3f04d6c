"""How results are shown: tables on a terminal, aligned plain text in a pipe, JSON for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any
from unicodedata import category

from node.cli import tables
from node.errors import HansaError

__all__ = ["Output", "shown"]


class Output:
    """Standard output for results, standard error for everything else."""

    def __init__(self, *, json: bool, color: bool) -> None:
        self.json = json
        self.terminal = sys.stdout.isatty()
        self._color = color and "NO_COLOR" not in os.environ

    def result(self, value: Any) -> None:
        """The result itself, for programs."""
        print(json.dumps(value, indent=2, ensure_ascii=False))

    def line(self, text: str = "") -> None:
        """One line for people; nothing under --json."""
        if not self.json:
            print(_harmless(text))

    def note(self, text: str) -> None:
        """One line beside the result: progress, remarks, what to do next."""
        print(_harmless(text), file=sys.stderr)

    def heading(self, text: str) -> None:
        """A line above what follows."""
        self.line()
        self._bold(text)

    def pairs(self, values: Sequence[tuple[str, str]]) -> None:
        """Names and values, one to a line; empty values are left out."""
        shown = [(name, value) for name, value in values if value]
        width = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{name.ljust(width)}{tables.GAP}{value}")

    def tree(self, value: Any, indent: str) -> None:
        """Nested fields, one to a line; empty ones are left out."""
        for name, one in value.items() if isinstance(value, Mapping) else enumerate(value, 1):
            if isinstance(one, Mapping) and set(one) in ({"value", "unit"}, {"amount", "currency"}):
                self.line(f"{indent}{name}: {' '.join(map(str, one.values()))}")
            elif isinstance(one, Mapping | list) and one:
                self.line(f"{indent}{name}:")
                self.tree(one, indent + "  ")
            elif one not in ("", None, [], {}):
                self.line(f"{indent}{name}: {shown(one)}")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str, right: str = "", optional: str = ""
    ) -> None:
        """Rows below their columns. `right` names the columns with figures, separated by spaces (on_hand: "on hand").

        A pipe gets all columns; a terminal those in which some row says something, which in the `optional` ones zeros
        do not. What is still too wide for it stands row by row.
        """
        rows = [[_harmless(cell).replace("\n", "\\n") for cell in row] for row in rows]
        if not rows:
            self.line(empty)
        elif not self.terminal:
            self._plain_table(columns, rows, _names(right))
        else:
            names, told = tables.telling(columns, rows, _names(optional))
            lines = tables.fitted(names, told, _names(right), shutil.get_terminal_size().columns)
            if lines is None:
                self._records(names, told)
            else:
                self._bold(lines[0])
                for line in lines[1:]:
                    self.line(line)

    def _plain_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]) -> None:
        lines = [[name.upper() for name in columns], *([cell or "-" for cell in row] for row in rows)]
        widths = tables.columns_wide(columns, rows)
        for line in lines:
            cells = (
                cell.rjust(width) if name in right else cell.ljust(width)
                for name, cell, width in zip(columns, line, widths, strict=True)
            )
            print(tables.GAP.join(cells).rstrip())

    def _records(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table that is wider than the terminal: its rows one below the other."""
        for index, row in enumerate(rows):
            if index:
                self.line()
            self.pairs(list(zip(columns, row, strict=True)))

    def _bold(self, text: str) -> None:
        if self.terminal and self._color and not self.json:
            print(f"\x1b[1m{_harmless(text)}\x1b[0m")
        else:
            self.line(text)

    def ask(self, question: str) -> bool:
        """A yes from the person at the terminal; no when there is none."""
        if not sys.stdin.isatty():
            return False
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def error(self, error: HansaError) -> None:
        """What went wrong, and what to do, on standard error."""
        if self.json:
            from node.control import error_as_fields

            print(json.dumps({"error": error_as_fields(error)}, ensure_ascii=False), file=sys.stderr)
            return
        self.note(f"hansa: {error.message}")
        if error.hint:
            self.note(f"       {error.hint}")

    def flush(self) -> None:
        """Write what is still held back; a reader that has gone is no error."""
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            self.abandon()

    def abandon(self) -> None:
        """Nobody reads any more: let the interpreter's last flush go nowhere."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _names(text: str) -> list[str]:
    return [name.replace("_", " ") for name in text.split()]


def _harmless(text: str) -> str:
    """The text with what would act on a terminal written out: partners and files choose numbers, names and reasons.

    Besides controls that is what turns or hides letters (Unicode's Cf); lines still end where they ended.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one == "\n" or one.isprintable() or category(one) == "Zs" else one.encode("unicode_escape").decode()
        for one in text
    )


def shown(value: Any) -> str:
    """A JSON value in a table's cell."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(one) for one in value)
    return str(value)
