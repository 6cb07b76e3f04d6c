"""Rows of stock that differ in the lot alone: which belong together, and what their line tells."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.cells import key_text
from adapters.lots import line_key, lines_of, merged


@pytest.mark.parametrize(
    "parts", [("A1", "DC1", "L1"), ("A|1", "DC1", "L1"), ("A\\\\", "|", "L|1"), ("A1", "D", "L\\\\|")]
)
def test_a_line_is_named_by_the_first_parts_of_its_key(parts: tuple[str, ...]) -> None:
    key = key_text(parts)
    assert line_key(key, 3) == key
    assert line_key(key, 2) == key_text(parts[:2])
    assert line_key(key, 1) == key_text(parts[:1])


def test_lines_that_begin_alike_are_not_one() -> None:
    keys = ["A|1", "A1|1", "A|2", "B|1"]
    assert lines_of(keys, 1) == {"A": [0, 2], "A1": [1], "B": [3]}


COLUMNS: dict[str, list[Any]] = {
    "item.seller_number": ["A", "A", "A"],
    "unit": ["C62", "C62", "C62"],
    "on_hand": ["8", "4.5", None],
    "trace[0].best_before_on": ["2030-05-20", None, "2031-01-01"],
}


def test_figures_are_summed_and_lots_listed() -> None:
    made, findings = merged([[0, 1, 2]], COLUMNS, [0, 0, 0])
    assert not findings
    assert made["on_hand"] == ["12.5"]
    assert [made[f"trace[{number}].best_before_on"] for number in (0, 1)] == [["2030-05-20"], [None]]
    assert [made[f"trace[{number}].quantity.value"] for number in (0, 1)] == [["8"], ["4.5"]]
    assert "trace[2].best_before_on" not in made


def test_what_is_gone_counts_no_more_and_a_line_without_lots_is_empty() -> None:
    zeroed = {**COLUMNS, "on_hand": ["0", "4.5", "0"]}
    made, _ = merged([[0, 1, 2]], zeroed, [1, 0, 1])
    assert (made["on_hand"], made["trace[0].quantity.value"]) == (["4.5"], ["4.5"])
    made, _ = merged([[0, 2]], zeroed, [1, 0, 1])
    assert made["on_hand"] == ["0"]
    assert not [name for name in made if name.startswith("trace")]


def test_what_else_a_line_tells_must_be_the_same_in_all_its_lots() -> None:
    _, findings = merged([[0, 1, 2]], {**COLUMNS, "unit": ["C62", "XBX", "C62"]}, [0, 0, 0])
    ((place, finding),) = findings
    assert (place, finding.rule, finding.path) == (1, "rows-disagree", "lines[].unit")
    assert merged([[0, 1, 2]], {**COLUMNS, "unit": ["C62", "XBX", "C62"]}, [0, 1, 0])[1] == []
