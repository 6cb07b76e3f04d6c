"""How a long operation goes on: a bar at the foot of a terminal, one line for each part of it anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Meter"]


class Meter:
    """Shows what it is told on standard error until the operation ends; the bar leaves nothing behind."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._text = ""
        self._bar: Progress | None = None
        self._part: TaskID | None = None

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, text: str, done: int = 0, total: int = 0) -> None:
        """What is being done, how much of it is done, and of how much; 0: nobody knows."""
        if not sys.stderr.isatty():
            if text != self._text:
                self._note(text)
            self._text = text
            return
        bar = self._bar or self._started()
        if self._part is None or text != self._text:
            if self._part is not None:
                bar.remove_task(self._part)
            self._part, self._text = bar.add_task(text, total=None, count=""), text
        count = f"{done:,} of {total:,}" if total else f"{done:,}" if done else ""
        bar.update(self._part, completed=done, total=total or None, count=count)

    def _started(self) -> Progress:
        # Only now: it takes longer to load than a short command to run.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        name, count = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[count]}")
        self._bar = Progress(
            name, BarColumn(), count, TimeElapsedColumn(), console=Console(stderr=True), transient=True
        )
        self._bar.start()
        return self._bar
