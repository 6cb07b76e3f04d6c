"""What the demonstration shows: titles of scenes, and commands with what they say, as a person would see them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from scripts.demonstration.company import Company

__all__ = ["command", "scene"]

SHOWN_LINES_MAX = 40


def scene(console: Console, title: str) -> None:
    """Begin a scene."""
    console.print()
    console.rule(f"[bold]{title}", align="left")


def command(console: Console, company: Company, *arguments: str, until: str = "") -> None:
    """Run a command and show it, up to a line that says `until`, its longest outputs cut. Raises CommandError."""
    shown = " ".join(Path(one).name if one.startswith("/") else one for one in arguments)
    console.print(f"[bold cyan]{company.name}$[/] hansa {shown}", highlight=False)
    lines = company.cli(*arguments).rstrip().splitlines()
    shown_max = lines.index(until) if until in lines else SHOWN_LINES_MAX
    for line in lines[:shown_max]:
        console.print(line, markup=False, highlight=False, no_wrap=True, overflow="crop")
    if len(lines) > shown_max:
        console.print(f"... {len(lines) - shown_max} more lines", markup=False)
