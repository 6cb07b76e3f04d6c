"""How results are shown: tables on a terminal, aligned plain text in a pipe, JSON for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from unicodedata import category

from node.errors import HansaError

__all__ = ["Output", "moment", "shown"]

GAP = "  "


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
        self._rich(f"[bold]{_plain(text)}[/bold]") if self.terminal and self._color else self.line(text)

    def pairs(self, values: Sequence[tuple[str, str]]) -> None:
        """Names and values, one to a line; empty values are left out."""
        shown = [(name, value) for name, value in values if value]
        width = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{name.ljust(width)}{GAP}{value}")

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

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str, right: str = "") -> None:
        """Rows below their columns. `right` names the columns with figures, separated by spaces."""
        if not rows:
            self.line(empty)
        elif not self.terminal:
            self._plain_table(columns, rows, right.split())
        elif sum(_widths(columns, rows)) + len(GAP) * len(columns) <= shutil.get_terminal_size().columns:
            self._rich_table(columns, rows, right.split())
        else:
            self._records(columns, rows)

    def _plain_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
        rows = [[_harmless(cell).replace("\n", "\\n") for cell in row] for row in rows]
        lines = [[name.upper() for name in columns], *([cell or "-" for cell in row] for row in rows)]
        widths = _widths(columns, rows)
        for line in lines:
            cells = (
                cell.rjust(width) if name in right else cell.ljust(width)
                for name, cell, width in zip(columns, line, widths, strict=True)
            )
            print(GAP.join(cells).rstrip())

    def _records(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table that is wider than the terminal: its rows one below the other."""
        for index, row in enumerate(rows):
            if index:
                self.line()
            self.pairs(list(zip(columns, row, strict=True)))

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold" if self._color else "")
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        self._rich(table)

    def _rich(self, what: Any) -> None:
        from rich.console import Console

        Console(no_color=not self._color, highlight=False, soft_wrap=isinstance(what, str)).print(what)

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


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column is; an empty cell shows as a dash."""
    return [max(1, len(name), *(len(row[index]) for row in rows)) for index, name in enumerate(columns)]


def _plain(text: str) -> str:
    """Text that rich shows as it is."""
    from rich.markup import escape

    return escape(_harmless(text))


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


def moment(text: str) -> str:
    """An instant as people read it: 2026-12-01 15:00:00, in UTC."""
    return text.replace("T", " ").removesuffix("Z")


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
