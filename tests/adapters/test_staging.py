"""Staging: what counts as a change, and what is kept exactly as it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cells import Cell
from adapters.staging import Source, Staging
from adapters.tables import Chunk, Table, TableError

STOCK = Source("stock", ("ITEM",), ("ITEM", "QTY"), by_row=True, absent_is_zero=True)
ORDERS = Source("orders", ("NO",), ("NO", "QTY"), by_row=False)


def table(columns: Sequence[str], *rows: Sequence[Cell]) -> Table:
    return Table(tuple(columns), iter([Chunk(range(2, len(rows) + 2), rows, {})] if rows else []), "f.csv")


def stage(staging: Staging, source: Source, columns: Sequence[str], *rows: Sequence[Cell]) -> int:
    return staging.stage(source, table(columns, *rows), complete=True, retry_rejected=False).last


def changed(staging: Staging, after: int) -> dict[str, tuple[Cell, bool]]:
    _, rows = staging.changed_rows(STOCK, after, 1 << 62, 100)
    return {key: (rows.row(place).cells[1], rows.row(place).gone) for place, key in enumerate(rows.keys)}


def test_values_stay_as_they_came() -> None:
    staging = Staging(None)
    rows: list[list[Cell]] = [["0042", "1.50"], ["1E5", 1.5], ["x'y\"z", 6], ["ü\x1f", None]]
    stage(staging, STOCK, ["ITEM", "QTY"], *rows)
    found = staging.connection.execute("SELECT ITEM, QTY FROM stock ORDER BY hansa_seq").fetchall()
    assert found == [tuple(row) for row in rows]
    staging.close()


def test_a_new_column_is_added_and_one_that_is_not_mapped_changes_nothing() -> None:
    staging = Staging(None)
    last = stage(staging, STOCK, ["ITEM", "QTY"], ["A", "1"])
    assert stage(staging, STOCK, ["qty", "Printed [at]", "item"], ["1", "08:15", "A"]) == 0
    last = stage(staging, STOCK, ["ITEM", "QTY", "Printed [at]"], ["A", "2", "08:16"])
    assert changed(staging, last - 1) == {"A": ("2", False)}
    assert staging.columns("stock") == ["ITEM", "QTY", "Printed [at]"]
    staging.close()


def test_a_number_and_a_text_are_not_the_same() -> None:
    staging = Staging(None)
    stage(staging, STOCK, ["ITEM", "QTY"], ["A", "1.234"])
    assert stage(staging, STOCK, ["ITEM", "QTY"], ["A", 1.234]) > 0
    staging.close()


def test_an_extract_that_cannot_be_read_to_its_end_changes_nothing() -> None:
    staging = Staging(None)
    stage(staging, STOCK, ["ITEM", "QTY"], ["A", "1"])

    def broken() -> Table:
        def chunks() -> Iterator[Chunk]:
            yield Chunk([2], [["B", "2"]], {})
            raise TableError("the disk is gone")

        return Table(("ITEM", "QTY"), chunks(), "f.csv")

    with pytest.raises(TableError):
        staging.stage(STOCK, broken(), complete=True, retry_rejected=False)
    assert changed(staging, 0) == {"A": ("1", False)}
    staging.close()


def test_documents_change_as_a_whole_and_keep_their_order() -> None:
    staging = Staging(None)
    first = stage(staging, ORDERS, ["NO", "QTY"], ["2", "1"], ["1", "1"], ["2", "5"])
    groups = staging.changed_groups(ORDERS, 0, 1 << 62, 10)
    assert [(group.key, [row.cells[1] for row in group.rows]) for _, group in groups] == [
        ("2", ["1", "5"]),
        ("1", ["1"]),
    ]
    assert stage(staging, ORDERS, ["NO", "QTY"], ["1", "1"], ["2", "1"], ["2", "5"]) == 0
    stage(staging, ORDERS, ["NO", "QTY"], ["2", "1"])
    groups = staging.changed_groups(ORDERS, first, 1 << 62, 10)
    assert [(group.key, [row.cells[1] for row in group.rows]) for _, group in groups] == [("2", ["1"])]
    staging.close()


@given(st.lists(st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from(["0", "1", "2"])), max_size=6))
def test_replaying_the_changes_gives_the_last_extract(extracts: list[dict[str, str]]) -> None:
    staging = Staging(None)
    seen: dict[str, Cell] = {}
    cursor = 0
    for extract in extracts:
        stage(staging, STOCK, ["ITEM", "QTY"], *([key, value] for key, value in extract.items()))
        numbers, rows = staging.changed_rows(STOCK, cursor, 1 << 62, 100)
        before = dict(seen)
        for place, key in enumerate(rows.keys):
            row = rows.row(place)
            seen[key] = None if row.gone else row.cells[1]
            assert seen[key] != before.get(key), "what did not change was offered"
        assert {key: value for key, value in seen.items() if value is not None} == extract
        cursor = numbers[-1] if numbers else cursor
    staging.close()


def test_a_preview_copy_leaves_the_original_alone(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "s.db")
    stage(staging, STOCK, ["ITEM", "QTY"], ["A", "1"])
    copy = staging.copy()
    stage(copy, STOCK, ["ITEM", "QTY"], ["A", "2"])
    assert changed(staging, 0) == {"A": ("1", False)}
    assert changed(copy, 0) == {"A": ("2", False)}
    copy.close()
    staging.close()
