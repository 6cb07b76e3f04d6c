"""The files adapter: when a file is taken, where it goes, and what people find beside it."""

from __future__ import annotations

import csv
import io
import os
import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from adapters.base import Change, Finding, StockColumns, preview
from adapters.files import FilesAdapter
from adapters.targets import SchemaTargets
from adapters.testing import pull_all
from node.errors import AdapterError, ConfigError
from tests.adapters.rigs import FilesRig, order

HEAD = "ORDER_NO;POS;SUPPLIER;ORDERED;SHIP_TO_GLN;KIND;CURRENCY;DELIVER_ON;ITEM;TEXT;QTY;UNIT;PRICE\n"


@pytest.fixture
def rig(tmp_path: Path) -> FilesRig:
    return FilesRig(tmp_path)


@pytest.fixture
def example(tmp_path: Path, project_root: Path) -> Path:
    """A home with the example mapping of config/mappings."""
    shutil.copytree(project_root / "config" / "mappings", tmp_path / "mappings")
    return tmp_path


def make(home: Path) -> FilesAdapter:
    return FilesAdapter({"folder": "x", "mappings": "mappings/erp-csv.toml"}, home, SchemaTargets())


def drop(home: Path, name: str, content: str | bytes) -> Path:
    path = home / "x" / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("cp1252"))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def all_findings(batches: list) -> list[Finding]:
    return [finding for batch in batches for finding in batch.findings]


def test_the_example_maps_an_order_with_lines_packs_and_cross_reference(example: Path) -> None:
    adapter = make(example)
    rows = (
        "4500001;00010;70001;24.11.2026 08:15;4012345000009;ST;;01.12.2026;A-100;Kauknochen groß;1.002;ST;2,55\n"
        "4500001;00020;70001;24.11.2026 08:15;4012345000009;ST;;01.12.2026;A-200;Ball;2;KAR;0,5\n"
    )
    drop(example, "orders1.csv", HEAD + rows)
    (change,) = [change for batch in pull_all(adapter, None) for change in batch.changes]
    assert change.partner == "0088:4012345000009"
    assert change.fields == {
        "header": {
            "issuer": "0088:4012345000016",
            "number": "4500001",
            "issued_at": "2026-11-24T07:15:00Z",
            "parties": [{"role": "SHIP_TO", "id": "0088:4012345000009"}],
        },
        "order_kind": "DROP_SHIP",
        "currency": "EUR",
        "dates": [{"qualifier": "DELIVER", "on": "2026-12-01"}],
        "lines": [
            {
                "line_id": "10",
                "item": {
                    "buyer_number": "A-100",
                    "seller_number": "4711",
                    "gtin": "4012345000016",
                    "description": "Kauknochen groß",
                },
                "quantity": {"value": "1002", "unit": "C62"},
                "price": {"amount": {"amount": "2.55", "currency": "EUR"}},
            },
            {
                "line_id": "20",
                "item": {"buyer_number": "A-200", "seller_number": "4712", "description": "Ball"},
                "quantity": {"value": "12", "unit": "C62"},
                "price": {"amount": {"amount": "0.5", "currency": "EUR"}},
            },
        ],
    }
    adapter.close()


def test_each_bad_cell_is_named_and_other_orders_go_on(example: Path) -> None:
    adapter = make(example)
    rows = (
        "1;10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;1;ST;1,00\n"
        "2;10;70009;24.11.2026 08:15;4012345000008;XX;EUR;31.02.2026;A-100;x;1.5;ST;1,00\n"
        "2;20;70009;24.11.2026 08:15;4012345000008;XX;EUR;31.02.2026;A-300;x;;KAR;1,00\n"
        "3;10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;1;ST\n"
        ";10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;1;ST;1,00\n"
        "4;10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;1;ST;1,00\n"
    )
    drop(example, "orders1.csv", HEAD + rows)
    batches = pull_all(adapter, None)
    assert [change.key for batch in batches for change in batch.changes] == ["1", "4"]
    found = {(finding.row, finding.column, finding.path, finding.rule) for finding in all_findings(batches)}
    assert found == {
        ("3", "SHIP_TO_GLN", "header.parties[0].id", "bad-gln"),
        ("3", "KIND", "order_kind", "unknown-value"),
        ("3", "DELIVER_ON", "dates[0].on", "bad-date"),
        ("3", "SUPPLIER", "partner", "not-found"),
        ("3", "QTY", "lines[0].quantity.value", "bad-decimal"),
        ("4", "QTY", "lines[1].quantity.value", "missing-value"),
        ("5", "", "", "bad-row"),
        ("6", "ORDER_NO", "", "missing-key"),
    }
    assert list(adapter.pull(batches[-1].cursor)) == []
    assert names(example / "x" / "rejected") == ["orders1.csv", "orders1.csv.findings.csv"]
    with (example / "x" / "rejected" / "orders1.csv.findings.csv").open(encoding="utf-8-sig", newline="") as stream:
        beside = {
            (row["row"], row["column"], row["field"], row["rule"]) for row in csv.DictReader(stream, delimiter=";")
        }
    assert beside == found
    adapter.close()


def test_an_order_is_not_sent_without_a_line_that_lacks_its_number(example: Path) -> None:
    """Merged cells, or a number in the first row only: half an order is worse than none. A sum below is no line."""
    adapter = make(example)
    line = "{};{};70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;1;ST;1,00\n"
    rows = line.format(1, 10) + line.format("", 20) + line.format(2, 10) + ";;;;;;;;;;2;;2,00\n"
    drop(example, "orders1.csv", HEAD + rows)
    batches = pull_all(adapter, None)
    assert [change.key for batch in batches for change in batch.changes] == ["2"]
    assert {(finding.row, finding.rule) for finding in all_findings(batches)} == {
        ("2", "bad-row"),
        ("3", "missing-key"),
        ("5", "missing-key"),
    }
    drop(example, "orders2.csv", HEAD + line.format(1, 10))
    again = pull_all(adapter, batches[-1].cursor)
    assert [change.key for batch in again for change in batch.changes] == ["1"], "the other line was none"
    adapter.close()


def test_a_file_is_rejected_by_what_could_not_be_sent_of_it_alone(example: Path) -> None:
    """Not by what stands refused of a file that had its name before, and not by what is tried again by itself."""
    adapter = make(example)
    line = "{};10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;1;ST;1,00\n"
    cursor = None
    for day, (warning, folder) in enumerate(((False, "rejected"), (False, "processed"), (True, "processed"))):
        drop(example, "orders.csv", HEAD + line.format(day))
        batches = pull_all(adapter, cursor)
        cursor = batches[-1].cursor
        refused = Finding("quantity", "lines[0]", "no", "orders.csv row 2", "0" if day < 2 else "2", warning=warning)
        adapter.hear_refusals([refused])
        assert list(adapter.pull(cursor)) == []
        left = {path.name for path in (example / "x" / folder).iterdir()}
        assert "orders.csv" in left
        for path in (example / "x" / folder).iterdir():
            path.unlink()
    adapter.close()


def test_a_corrected_file_sends_only_what_was_missing(example: Path) -> None:
    adapter = make(example)
    good = "1;10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;1;ST;1,00\n"
    bad = "2;10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-100;x;?;ST;1,00\n"
    drop(example, "orders1.csv", HEAD + good + bad)
    first = pull_all(adapter, None)[-1].cursor
    drop(example, "orders2.csv", HEAD + good + bad)
    again = pull_all(adapter, first)
    assert [finding.row for finding in all_findings(again)] == ["3"]
    drop(example, "orders3.csv", HEAD + good + bad.replace("?", "5"))
    fixed = pull_all(adapter, again[-1].cursor)
    assert [change.key for batch in fixed for change in batch.changes] == ["2"]
    assert list(adapter.pull(fixed[-1].cursor)) == []
    assert "orders3.csv" in names(example / "x" / "processed")
    adapter.close()


def test_a_completed_lookup_table_brings_rejected_rows_back(example: Path) -> None:
    adapter = make(example)
    row = "1;10;70001;24.11.2026 08:15;4012345000009;NB;EUR;01.12.2026;A-300;x;2;KAR;1,00\n"
    drop(example, "orders1.csv", HEAD + row)
    batches = pull_all(adapter, None)
    assert [finding.rule for finding in all_findings(batches)] == ["unlike-units"]
    with (example / "mappings" / "packs.csv").open("a") as stream:
        stream.write("A-300,XBX,24\n")
    (batch,) = adapter.pull(batches[-1].cursor)
    assert batch.changes[0].fields["lines"][0]["quantity"] == {"value": "48", "unit": "C62"}
    adapter.close()


def test_a_file_is_taken_when_it_no_longer_changes(rig: FilesRig) -> None:
    adapter = rig.make()
    path = rig.drop([("1", "10", "A1", "6", "EUR")])
    assert list(adapter.pull(None)) == []
    with path.open("a") as stream:
        stream.write("2;10;A1;6;EUR\n")
    assert list(adapter.pull(None)) == []
    (batch,) = adapter.pull(None)
    assert [change.key for change in batch.changes] == ["1", "2"]
    adapter.close()


def test_a_marker_or_a_settled_time_makes_a_file_complete_at_once(rig: FilesRig) -> None:
    path = rig.drop([("1", "10", "A1", "6", "EUR")])
    adapter = rig.make(ready="done", staging="a.db")
    assert list(adapter.pull(None)) == []
    path.with_name(f"{path.name}.done").touch()
    (batch,) = adapter.pull(None)
    adapter.close()
    now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    os.utime(path, (now.timestamp(), now.timestamp()))
    adapter = rig.make(settle_seconds=30, clock=lambda: now + timedelta(seconds=29), staging="b.db")
    assert list(adapter.pull(None)) == []
    adapter.close()
    adapter = rig.make(settle_seconds=30, clock=lambda: now + timedelta(seconds=30), staging="b.db")
    (settled,) = adapter.pull(None)
    assert settled.changes == batch.changes
    adapter.close()


@pytest.mark.parametrize("lock", ["~$stock.xlsx", "~$ock.xlsx", ".~lock.stock.xlsx#"])
def test_a_workbook_that_is_open_waits(example: Path, lock: str) -> None:
    adapter = make(example)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["ITEM", "SITE", "ON_HAND", "UNIT"])
    sheet.append(["A-100", "W1", 1234.5, "ST"])
    sheet.append(["A-200", "W1", -3, "KAR"])
    stream = io.BytesIO()
    book.save(stream)
    path = drop(example, "stock.xlsx", stream.getvalue())
    opened = path.with_name(lock)
    opened.touch()
    assert pull_all(adapter, None) == []
    assert list(preview(adapter)) == []
    opened.unlink()
    (batch,) = pull_all(adapter, None)
    (stock,) = batch.stock
    assert stock.columns["on_hand"] == ["1234.5", "0"]
    assert stock.columns["unit"] == ["C62", "XBX"]
    assert stock.header["basis"] == "GROSS"
    assert stock.header["as_of"].endswith("Z")
    adapter.close()


def test_stock_sends_what_changed_and_zero_for_what_is_gone(example: Path) -> None:
    adapter = make(example)
    drop(example, "stock1.csv", "ITEM;SITE;ON_HAND;UNIT\nA;1;5;ST\nB;1;7;ST\nC;1;9;ST\n")
    first = pull_all(adapter, None)
    assert first[0].stock[0].keys == ["A|1", "B|1", "C|1"]
    drop(example, "stock2.csv", "ITEM;SITE;ON_HAND;UNIT\nC;1;9;ST\nB;1;8;ST\n")
    second = pull_all(adapter, first[-1].cursor)
    (stock,) = second[0].stock
    assert dict(zip(stock.keys, stock.columns["on_hand"], strict=True)) == {"B|1": "8", "A|1": "0"}
    drop(example, "stock3.csv", "ITEM;SITE;ON_HAND;UNIT\nC;1;9;ST\nB;1;8;ST\nA;1;5;ST\n")
    third = pull_all(adapter, second[-1].cursor)
    assert third[0].stock[0].columns["on_hand"] == ["5"]
    adapter.close()


def test_an_extract_that_broke_off_zeroes_nothing(example: Path) -> None:
    adapter = make(example)
    lines = [f"I{number};1;{number};ST\n" for number in range(40)]
    drop(example, "stock1.csv", "ITEM;SITE;ON_HAND;UNIT\n" + "".join(lines))
    cursor = pull_all(adapter, None)[-1].cursor
    drop(example, "stock2.csv", "ITEM;SITE;ON_HAND;UNIT\n")
    (batch,) = pull_all(adapter, cursor)
    assert [finding.rule for finding in batch.findings] == ["too-many-absent"]
    assert not batch.stock
    drop(example, "stock3.csv", "ITEM;SITE;ON_HAND;UNIT\n" + "".join(lines[:30]))
    (batch,) = pull_all(adapter, batch.cursor)
    assert set(batch.stock[0].columns["on_hand"]) == {"0"}
    assert len(batch.stock[0]) == 10
    adapter.close()


def test_an_item_that_stands_twice_is_reported_and_not_summed(example: Path) -> None:
    adapter = make(example)
    drop(example, "stock1.csv", "ITEM;SITE;ON_HAND;UNIT\nA;1;5;ST\nB;1;7;ST\nA;1;5;ST\nC;1;1;nonsense\n")
    batches = pull_all(adapter, None)
    assert [key for batch in batches for part in batch.stock for key in part.keys] == ["B|1"]
    found = [(finding.row, finding.column, finding.rule) for finding in all_findings(batches)]
    assert sorted(found) == [("4", "", "bad-row"), ("5", "UNIT", "unknown-unit")]
    adapter.close()


def test_what_is_no_table_goes_to_quarantine(example: Path) -> None:
    adapter = make(example)
    drop(example, "stock.xlsx", b"PK no workbook")
    drop(example, "orders_null.csv", b"A;B\n\x81")
    drop(example, "orders_quote.csv", HEAD + '"1";10;"never closed')
    drop(example, "orders_columns.csv", "A;B\n1;2\n")
    batches = pull_all(adapter, None)
    assert {(finding.source, finding.rule) for finding in all_findings(batches)} == {
        ("stock.xlsx", "unreadable-file"),
        ("orders_null.csv", "unreadable-file"),
        ("orders_quote.csv", "unreadable-file"),
        ("orders_columns.csv", "unexpected-table"),
    }
    assert list(adapter.pull(batches[-1].cursor)) == []
    assert len(names(example / "x" / "quarantine")) == 6
    assert names(example / "x" / "rejected") == ["orders_columns.csv", "orders_columns.csv.findings.csv"]
    assert names(example / "x" / "in") == []
    adapter.close()


def test_limits_hold_against_size_and_zip_bombs(rig: FilesRig) -> None:
    text = (rig.home / "m.toml").read_text().replace('key = ["NO"]', 'key = ["NO"]\nread = { rows_max = 2 }')
    (rig.home / "m.toml").write_text(text)
    adapter = rig.make()
    rig.add(["1", "2", "3"])
    assert "more than 2 rows" in all_findings(pull_all(adapter, None))[0].text
    adapter.close()
    text = text.replace("*.csv", "*.xlsx").replace("rows_max = 2", "unpacked_max = 1000")
    (rig.home / "m.toml").write_text(text)
    with zipfile.ZipFile(rig.home / "x" / "in" / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", " " * 100_000)
    adapter = rig.make(staging="other.db")
    assert "unpacks to 100000 bytes" in all_findings(pull_all(adapter, None))[0].text
    adapter.close()


def test_files_move_only_when_the_cursor_is_stored(rig: FilesRig) -> None:
    adapter = rig.make()
    rig.add(["1"])
    (batch,) = pull_all(adapter, None)
    assert names(rig.home / "x" / "in") == ["o0001.csv"]
    assert pull_all(adapter, None) == [batch]
    assert names(rig.home / "x" / "in") == ["o0001.csv"]
    assert list(adapter.pull(batch.cursor)) == []
    assert names(rig.home / "x" / "in") == []
    assert names(rig.home / "x" / "processed") == ["o0001.csv"]
    adapter.close()


def test_a_file_of_the_same_name_keeps_the_older_one(rig: FilesRig) -> None:
    adapter = rig.make()
    cursor = None
    for number in ("1", "2", "3"):
        rig.drop([(number, "10", "A1", "6", "EUR")], name="daily.csv")
        cursor = pull_all(adapter, cursor)[-1].cursor
        assert list(adapter.pull(cursor)) == []
    assert len(names(rig.home / "x" / "processed")) == 3
    adapter.close()


def test_a_lost_staging_database_loses_nothing(rig: FilesRig) -> None:
    adapter = rig.make()
    rig.add(["1"])
    cursor = pull_all(adapter, None)[-1].cursor
    adapter.close()
    for path in rig.home.glob("staging.db*"):
        path.unlink()
    adapter = rig.make()
    rig.add(["2"])
    batches = pull_all(adapter, cursor)
    assert {change.key for batch in batches for change in batch.changes} >= {"2"}
    assert all(batch.cursor > cursor for batch in batches)
    adapter.close()


def test_a_written_cell_runs_no_formula(rig: FilesRig) -> None:
    adapter = rig.make()
    fields = order("=1+1", quantity="-6")
    fields["lines"][0]["item"]["buyer_number"] = "@SUM(A1)"
    name = adapter.push("Order", fields, "one")
    text = (rig.home / "x" / "out" / name).read_text(encoding="utf-8-sig")
    assert text.splitlines() == ["NO;ITEM;QTY", "'=1+1;'@SUM(A1);-6"]
    adapter.close()


def test_the_example_writes_responses_as_csv_and_orders_as_workbook(example: Path) -> None:
    adapter = make(example)
    assert adapter.accepts() == {"Order", "OrderResponse"}
    schedule: list[dict] = [
        {"quantity": {"value": "6", "unit": "C62"}, "outcome": "ACCEPTED"},
        {"quantity": {"value": "1234.5", "unit": "KGM"}, "outcome": "BACK_ORDERED", "reason": {"text": "in May"}},
    ]
    schedule[0]["dates"] = [{"qualifier": "WINDOW"}, {"qualifier": "DELIVER", "on": "2026-12-01"}]
    fields = {
        "header": {"number": "AB-1"},
        "order": {"number": "4500001"},
        "seller_order_number": "S1",
        "lines": [{"line_id": "10", "item": {"buyer_number": "A-100"}, "schedule": schedule}],
    }
    name = adapter.push("OrderResponse", fields, "x|1")
    lines = (example / "x" / "out" / name).read_text(encoding="utf-8-sig").splitlines()
    assert lines == [
        "ORDER_NO;SUPPLIER_ORDER;POS;ITEM;OUTCOME;QTY;UNIT;DATE;REASON",
        "4500001;S1;10;A-100;OK;6;ST;01.12.2026;",
        "4500001;S1;10;A-100;RS;1.234,5;KGM;;in May",
    ]
    name = adapter.push("Order", order("=2+2"), "y")
    sheet = openpyxl.load_workbook(example / "x" / "out" / name).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]] == ["=2+2", None, "10", None, "6", "C62", None, "y"]
    assert sheet["A2"].data_type == "s"
    adapter.close()


def test_a_file_that_was_taken_away_is_not_written_again(rig: FilesRig) -> None:
    adapter = rig.make()
    name = adapter.push("Order", order("1"), "one")
    (rig.home / "x" / "out" / name).unlink()
    assert adapter.push("Order", order("1"), "one") == name
    assert names(rig.home / "x" / "out") == []
    adapter.close()


def test_a_crash_before_the_renaming_is_completed(rig: FilesRig) -> None:
    adapter = rig.make()
    name = adapter.push("Order", order("1"), "one")
    out = rig.home / "x" / "out"
    (out / name).rename(out / f".{name}.tmp")
    adapter.staging.connection.execute("UPDATE hansa_outbox SET state = 'writing'")
    assert adapter.push("Order", order("1"), "one") == name
    assert names(out) == [name]
    adapter.close()


def test_what_an_encoding_lacks_is_refused_and_not_replaced(rig: FilesRig) -> None:
    text = (
        (rig.home / "m.toml").read_text().replace("[push.columns]", '[push.file]\nencoding = "cp1252"\n[push.columns]')
    )
    (rig.home / "m.toml").write_text(text)
    adapter = rig.make()
    with pytest.raises(AdapterError) as caught:
        adapter.push("Order", order("Ł1"), "one")
    assert caught.value.permanent
    adapter.close()


def test_check_names_files_that_no_mapping_fits(example: Path) -> None:
    adapter = make(example)
    drop(example, "readme.txt", "hello")
    (finding,) = adapter.check()
    assert finding.source == "readme.txt"
    assert finding.warning
    adapter.close()


def test_documents_before_start_from_are_left_out(rig: FilesRig) -> None:
    text = (rig.home / "m.toml").read_text().replace('key = ["NO"]', 'key = ["NO"]\nstart = "CUR"')
    (rig.home / "m.toml").write_text(text)
    adapter = rig.make(start_from="2026-11-24")
    rig.drop([("1", "10", "A1", "6", "2026-11-23"), ("2", "10", "A1", "6", "2026-11-24")])
    shown = [part.key for part in preview(adapter) if isinstance(part, Change)]
    assert shown == ["2"]
    adapter.close()


def test_a_million_rows_pass_as_columns_of_bounded_size(example: Path) -> None:
    adapter = make(example)
    drop(example, "stock.csv", "ITEM;SITE;ON_HAND;UNIT\n" + "".join(f"I{n};1;{n};ST\n" for n in range(12_000)))
    sizes = [len(part) for part in preview(adapter, limit=10) if isinstance(part, StockColumns)]
    assert sizes == [5000, 5000, 2000]
    adapter.close()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "folder"),
        ({"folder": "x", "redy": "done"}, "redy"),
        ({"folder": "x", "settle_seconds": "30"}, "settle_seconds"),
        ({"folder": "x", "mappings": "none.toml"}, "none.toml"),
        ({"folder": "x", "start_from": "yesterday"}, "yesterday"),
    ],
)
def test_settings_that_cannot_work_are_named(tmp_path: Path, settings: dict, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        FilesAdapter(settings, tmp_path, SchemaTargets())
