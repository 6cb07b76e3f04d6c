"""Mappings: what is wrong with one is said before it is used, and what one makes of rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.building import DocumentBuilder, Group, StagedRow
from adapters.files import FilesAdapter
from adapters.mapping import check_mapping, load_mapping
from adapters.sql import SqlAdapter
from adapters.tables import Table
from adapters.targets import SchemaTargets
from adapters.testing import pull_all
from node.errors import ConfigError
from node.wire import field_kinds, from_fields, personal_kinds

LOTS = """
[[pull]]
name = "stock"
document = "InventoryReport"
files = "stock.csv"
key = ["ITEM", "LOT"]
lots = ["LOT"]
absent = "zero"
[pull.lines]
item.seller_number = "ITEM"
on_hand = "QTY"
"""
PULL = """
[[pull]]
name = "orders"
document = "Order"
files = "*.csv"
key = ["NO"]
[pull.fields]
header.number = "NO"
"""


def load(folder: Path, text: str) -> Any:
    (folder / "m.toml").write_text(text)
    return load_mapping(folder / "m.toml", lambda kind, text: Table((), iter(()), ""))


def build(folder: Path, text: str, columns: str, *rows: str) -> tuple[dict[str, Any], list[Any]]:
    """The fields that a mapping makes of rows of one document, and the findings."""
    mapping = load(folder, text).pulls[0]
    places = [columns.split().index(name) for name in mapping.columns]
    staged = []
    for number, row in enumerate(rows, start=2):
        cells = [None if cell == "-" else cell for cell in row.split()]
        staged.append(StagedRow(str(number), "f.csv", "", tuple(cells[place] for place in places)))
    ((_, change, findings),) = DocumentBuilder(mapping, SchemaTargets()).build([Group("k", tuple(staged))])
    if change is not None:
        from_fields(change.document_type, change.fields)
    return (change.fields if change else {}), findings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[pull", "not TOML"),
        ("[pull]\nname = 'x'", "two brackets"),
        ("[[pul]]", "'pul'"),
        (PULL.replace('name = "orders"', 'name = "Orders 1"'), "Orders 1"),
        (PULL.replace('name = "orders"', 'name = "hansa_files"'), "hansa_files"),
        (PULL.replace('files = "*.csv"', ""), "exactly one of files"),
        (PULL.replace('files = "*.csv"', 'files = "*.csv"\nquery = "SELECT 1"'), "exactly one of files"),
        (PULL + PULL, "same name"),
        (PULL.replace('"NO"\n', '{ column = "NO", convert = ["uper"] }\n'), "uper"),
        (PULL.replace('"NO"\n', '{ column = "NO", constant = "1" }\n'), "exactly one"),
        (PULL.replace('"NO"\n', "{ constant = 1.5 }\n"), "1.5"),
        (PULL.replace("files", "red = 1\nfiles"), "'red'"),
        (PULL + "[pull.read]\nsheet = 1", "sheet"),
        (PULL + "[pull.read]\nencoding = 'klingon'", "klingon"),
        (PULL + "[pull.parts.'lines[].schedule[]']\nschedule_id = 'X'", "no part lines"),
        (PULL.replace('"Order"', '"InventoryReport"'), "can only be constants"),
        (PULL.replace("files", "lots = ['NO']\nfiles"), "lots are the last columns"),
        (LOTS.replace('lots = ["LOT"]', 'lots = ["SITE"]'), "lots are the last columns"),
        (LOTS.replace('lots = ["LOT"]', 'lots = ["ITEM", "LOT"]'), "lots are the last columns"),
        (LOTS.replace('absent = "zero"', ""), "sold out"),
        (PULL.replace("files", "absent = 'zero'\nfiles"), "absent"),
        ("[lookup.items]\nfile = 'x'", "exactly one of csv"),
        ("[[push]]\ndocument = 'Order'", "either columns"),
        ("[[push]]\ndocument = 'Order'\nrows = 'lines'\n[push.columns]\nA = 'currency'", "lines"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert "m.toml" in caught.value.message


def test_a_mapping_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    (path := tmp_path / "m.toml").write_bytes(b"\xef\xbb\xbf" + PULL.encode())
    assert [pull.name for pull in load_mapping(path, None).pulls] == ["orders"]


def test_paths_that_the_schema_lacks_are_found(tmp_path: Path) -> None:
    text = PULL + "[pull.lines]\nquantity.amount = 'X'\nnumber = 'Y'\nitem.gtin = 'Z'\n"
    text += "[[push]]\ndocument = 'Odrer'\n[push.columns]\nA = 'currency'\n"
    text += "[[push]]\ndocument = 'Order'\n[push.columns]\nB = 'header.parties[role=SHIP_TO].nam'\nC = '@identity'\n"
    findings = check_mapping(load(tmp_path, text), SchemaTargets())
    assert [(finding.rule, finding.path) for finding in findings] == [
        ("unknown-field", "lines[].quantity.amount"),
        ("unknown-field", "lines[].number"),
        ("unknown-type", ""),
        ("unknown-field", "currency"),
        ("unknown-field", "header.parties[role=SHIP_TO].nam"),
    ]
    assert "did you mean" in findings[0].text


def test_lines_have_pieces_and_places(tmp_path: Path) -> None:
    text = (
        (PULL.replace('key = ["NO"]', 'key = ["NO"]\nline_key = ["POS"]'))
        + """
[pull.lines]
line_id = "POS"
quantity.value = "QTY"
quantity.unit = { constant = "C62" }
[pull.parts."lines[].schedule[]"]
key = ["PIECE"]
schedule_id = "PIECE"
quantity.value = "PART"
quantity.unit = { constant = "C62" }
"dates[0].qualifier" = { constant = "DELIVER" }
"dates[0].on" = "ON"
"""
    )
    fields, findings = build(
        tmp_path,
        text,
        "NO POS QTY PIECE PART ON",
        "1 10 8 a 6 2026-12-01",
        "1 20 5 - - -",
        "1 10 8 b 2 -",
    )
    assert findings == []
    assert fields["lines"] == [
        {
            "line_id": "10",
            "quantity": {"value": "8", "unit": "C62"},
            "schedule": [
                {
                    "schedule_id": "a",
                    "quantity": {"value": "6", "unit": "C62"},
                    "dates": [{"qualifier": "DELIVER", "on": "2026-12-01"}],
                },
                {"schedule_id": "b", "quantity": {"value": "2", "unit": "C62"}},
            ],
        },
        {"line_id": "20", "quantity": {"value": "5", "unit": "C62"}},
    ]


def test_a_constant_beside_nothing_says_nothing(tmp_path: Path) -> None:
    text = (
        PULL
        + """
order_kind = { constant = "STANDARD" }
"header.parties[0].role" = { constant = "SHIP_TO" }
"header.parties[0].id" = "SHIP_TO"
"header.parties[1].role" = { constant = "BUYER" }
"header.parties[1].id" = "BUYER"
"header.parties[1].address.country" = { column = "LAND", convert = [{ default = "DE" }] }
totals.payable.amount = "SUM"
totals.payable.currency = { constant = "EUR" }
"""
    )
    fields, findings = build(tmp_path, text, "NO SHIP_TO BUYER LAND SUM", "1 - 0088:4012345000009 - -")
    assert findings == []
    assert fields == {
        "header": {
            "number": "1",
            "parties": [{"role": "BUYER", "id": "0088:4012345000009", "address": {"country": "DE"}}],
        },
        "order_kind": "STANDARD",
    }


def test_rows_of_one_document_must_agree(tmp_path: Path) -> None:
    text = PULL + 'currency = "CUR"\n[pull.lines]\nline_id = "POS"\n'
    fields, findings = build(tmp_path, text, "NO CUR POS", "1 EUR 1", "1 - 2", "1 EUR 3")
    assert findings == []
    assert fields["currency"] == "EUR"
    _, findings = build(tmp_path, text, "NO CUR POS", "1 EUR 1", "1 GBP 2")
    assert [(f.rule, f.row, f.column, f.path) for f in findings] == [("rows-disagree", "3", "CUR", "currency")]


def test_the_schema_has_the_last_word_on_every_value(tmp_path: Path) -> None:
    text = (
        PULL
        + """
order_kind = "A"
priority = "B"
header.issued_at = "C"
[pull.lines]
quantity.value = "D"
quantity.unit = "E"
partial_delivery_allowed = "F"
price.validity.start_on = "G"
"""
    )
    good, findings = build(
        tmp_path, text, "NO A B C D E F G", "1 STANDARD 7 2026-01-01T00:00:00+01:00 1 C62 yes 2026-01-01"
    )
    assert findings == []
    assert good["priority"] == 7
    assert good["header"]["issued_at"] == "2025-12-31T23:00:00Z"
    assert good["lines"][0]["partial_delivery_allowed"] is True
    _, findings = build(tmp_path, text, "NO A B C D E F G", "1 Standard 7.5 2026-01-01 1,5 Stk maybe 1.1.26")
    assert sorted((finding.column, finding.rule) for finding in findings) == [
        ("A", "unknown-word"),
        ("B", "bad-number"),
        ("C", "bad-instant"),
        ("D", "bad-decimal"),
        ("E", "unknown-unit"),
        ("F", "bad-boolean"),
        ("G", "bad-date"),
    ]
    assert "lines[0].quantity.value" in {finding.path for finding in findings}


def test_several_columns_make_one_text(tmp_path: Path) -> None:
    text = PULL + '"header.notes[0].text" = { columns = ["A", "B", "C"], join = ", " }\n'
    fields, _ = build(tmp_path, text, "NO A B C", "1 x - z")
    assert fields["header"]["notes"] == [{"text": "x, z"}]


def test_a_staging_query_joins_what_files_brought(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("""
[[pull]]
name = "sites"
files = "sites.csv"
key = ["SITE"]
[[pull]]
name = "counts"
files = "counts.csv"
key = ["ITEM", "SITE"]
[[pull]]
name = "stock"
document = "InventoryReport"
staging = "SELECT c.ITEM, s.GROUPED, sum(c.QTY) AS QTY FROM counts c JOIN sites s USING (SITE) GROUP BY 1, 2 ORDER BY 1"
key = ["ITEM", "GROUPED"]
[pull.lines]
item.seller_number = "ITEM"
location = "GROUPED"
on_hand = "QTY"
unit = { constant = "C62" }
""")
    folder = tmp_path / "x" / "in"
    folder.mkdir(parents=True)
    (folder / "sites.csv").write_text("SITE,GROUPED\n1,north\n2,north\n3,south\n")
    (folder / "counts.csv").write_text("ITEM,SITE,QTY\n0042,1,5\n0042,2,6\n0042,3,1\n")
    adapter = FilesAdapter({"folder": "x", "mappings": "m.toml"}, tmp_path, SchemaTargets())
    (batch,) = pull_all(adapter, None)
    (stock,) = batch.stock
    assert stock.columns["item.seller_number"] == ["0042", "0042"]
    assert dict(zip(stock.columns["location"], stock.columns["on_hand"], strict=True)) == {"north": "11", "south": "1"}
    (folder / "counts.csv").write_text("ITEM,SITE,QTY\n0042,1,7\n")
    (batch,) = pull_all(adapter, batch.cursor)
    assert batch.stock[0].columns["on_hand"] == ["13"]
    adapter.close()


def test_the_examples_fit_the_schema(tmp_path: Path, project_root: Path) -> None:
    shutil.copytree(project_root / "config" / "mappings", tmp_path / "mappings")
    files = FilesAdapter({"folder": "x", "mappings": "mappings/erp-csv.toml"}, tmp_path, SchemaTargets())
    assert files.check() == []
    files.close()
    settings = {"url": "sqlite:///erp.db", "mappings": "mappings/erp-sql.toml"}
    sql = SqlAdapter(settings, tmp_path, SchemaTargets())
    assert check_mapping(sql.mappings[0], SchemaTargets()) == []
    sql.close()


@pytest.mark.parametrize("document", ["Order", "InventoryReport", "Invoice", "DespatchAdvice"])
def test_adapters_and_node_see_the_same_schema(document: str) -> None:
    assert list(SchemaTargets().fields(document)) == [*field_kinds(document), *personal_kinds()]
