"""A bar on a terminal, and one line for each part elsewhere, while a long operation goes on."""

from __future__ import annotations

import io
import sys

import pytest

from node.cli.meter import Meter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    notes: list[str] = []
    with Meter(notes.append) as meter:
        meter.tell("copying [the] database")
        meter.tell("sourcing", 0, 2_000)
        meter.tell("sourcing", 1_500, 2_000)
    told = screen.getvalue()
    assert "copying [the] database" in told
    assert "1,500 of 2,000" in told
    assert "━" in told
    assert notes == []


def test_elsewhere_each_part_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    notes: list[str] = []
    with Meter(notes.append) as meter:
        for done in range(3):
            meter.tell("reading erp", done)
        meter.tell("handing over")
    assert notes == ["reading erp", "handing over"]
