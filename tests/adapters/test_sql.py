"""The SQL adapter: what a query gives, how far it went, and that writing happens once and whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import inspect

from adapters.base import Change, Fields, preview
from adapters.sql import SqlAdapter
from adapters.targets import SchemaTargets
from adapters.testing import pull_all
from node.errors import AdapterError, ConfigError
from tests.adapters.rigs import SqlRig, order

SCHEMA = (
    "CREATE TABLE item_xref (item_no VARCHAR(20), supplier_item VARCHAR(20), gtin VARCHAR(14))",
    "CREATE TABLE purchase_order (order_no VARCHAR(20), supplier_id VARCHAR(40), ordered_at TIMESTAMP,"
    " currency CHAR(3), changed_at TIMESTAMP, confirmed VARCHAR(20), supplier_order VARCHAR(20))",
    "CREATE TABLE purchase_line (order_no VARCHAR(20), pos INTEGER, item_no VARCHAR(20), qty NUMERIC(12, 3),"
    " uom VARCHAR(5), price NUMERIC(12, 4))",
    "CREATE TABLE stock (item_no VARCHAR(20), site VARCHAR(10), on_hand NUMERIC(12, 3), reserved NUMERIC(12, 3),"
    " uom VARCHAR(5))",
    "CREATE TABLE purchase_confirmation (order_no VARCHAR(20), pos INTEGER, qty NUMERIC(12, 3), uom VARCHAR(5),"
    " outcome VARCHAR(20), deliver_on DATE)",
    "CREATE TABLE sales_line (sales_no INTEGER, pos INTEGER, item_no VARCHAR(20) NOT NULL, qty NUMERIC(12, 3),"
    " uom VARCHAR(5))",
    "INSERT INTO item_xref VALUES ('A1', 'S1', NULL), ('A2', 'S2', '4012345000009')",
    "INSERT INTO purchase_order VALUES ('P1', '0088:4012345000009', '2026-11-24 08:15:00', 'EUR',"
    " '2026-11-24 08:15:00', NULL, NULL)",
    "INSERT INTO purchase_line VALUES ('P1', 10, 'A1', 1.5, 'PCE', 2.5500), ('P1', 20, 'A2', 2, 'BOX', 10)",
    "INSERT INTO stock VALUES ('A1', 'W1', 12.500, 1, 'PCE'), ('A2', 'W1', -1, 0, 'BOX')",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, project_root: Path) -> SqlRig:
    is_sqlite = request.param == "sqlite"
    made = SqlRig(tmp_path, "sqlite:///erp.db" if is_sqlite else request.getfixturevalue("postgres_database"))
    shutil.copy(project_root / "config" / "mappings" / "erp-sql.toml", tmp_path / "m.toml")
    key = "INTEGER PRIMARY KEY" if is_sqlite else "SERIAL PRIMARY KEY"
    made.run(
        f"CREATE TABLE sales_order (sales_no {key}, customer_id VARCHAR(40), customer_order VARCHAR(20) NOT NULL,"
        " ordered_at TIMESTAMP, currency CHAR(3))"
    )
    for statement in SCHEMA:
        made.run(statement)
    return made


def test_the_example_reads_orders_and_stock(rig: SqlRig) -> None:
    adapter = rig.make()
    assert adapter.check() == []
    batches = pull_all(adapter, None)
    (change,) = [change for batch in batches for change in batch.changes]
    assert change.partner == "0088:4012345000009"
    assert change.fields == {
        "header": {"issuer": "0088:4012345000016", "number": "P1", "issued_at": "2026-11-24T07:15:00Z"},
        "order_kind": "STANDARD",
        "currency": "EUR",
        "lines": [
            {
                "line_id": "10",
                "item": {"buyer_number": "A1", "seller_number": "S1"},
                "quantity": {"value": "1.5", "unit": "C62"},
                "price": {"amount": {"amount": "2.55", "currency": "EUR"}},
            },
            {
                "line_id": "20",
                "item": {"buyer_number": "A2", "seller_number": "S2"},
                "quantity": {"value": "2", "unit": "XBX"},
                "price": {"amount": {"amount": "10", "currency": "EUR"}},
            },
        ],
    }
    (stock,) = [part for batch in batches for part in batch.stock]
    assert stock.columns["on_hand"] == ["12.5", "0"]
    assert stock.columns["unit"] == ["C62", "XBX"]
    adapter.close()


def test_only_what_changed_is_asked_for_and_sent(rig: SqlRig) -> None:
    adapter = rig.make()
    cursor = pull_all(adapter, None)[-1].cursor
    rig.run("UPDATE stock SET reserved = 5")
    assert pull_all(adapter, cursor) == []
    rig.run("UPDATE purchase_line SET qty = 7 WHERE pos = 10")
    rig.run("UPDATE purchase_order SET changed_at = '2026-11-25 09:00:00'")
    (batch,) = pull_all(adapter, cursor)
    assert batch.changes[0].fields["lines"][0]["quantity"]["value"] == "7"
    rig.run("DELETE FROM stock WHERE item_no = 'A1'")
    (batch,) = pull_all(adapter, batch.cursor)
    assert batch.stock[0].columns["on_hand"] == ["0"]
    rig.run("UPDATE purchase_order SET changed_at = '2026-11-20 09:00:00'")
    rig.run("UPDATE purchase_line SET qty = 8")
    assert pull_all(adapter, batch.cursor) == []
    adapter.close()


def response(number: str) -> Fields:
    schedule = [
        {
            "quantity": {"value": "1.5", "unit": "C62"},
            "outcome": "ACCEPTED",
            "dates": [{"qualifier": "DELIVER", "on": "2026-12-01"}],
        },
        {"quantity": {"value": "2", "unit": "C62"}, "outcome": "REJECTED"},
    ]
    return {
        "header": {"number": "AB1"},
        "order": {"number": number},
        "outcome": "CHANGED",
        "seller_order_number": "S77",
        "lines": [{"line_id": "10", "schedule": schedule}],
    }


def test_the_example_writes_an_answer_once(rig: SqlRig) -> None:
    adapter = rig.make()
    for _ in range(2):
        assert adapter.push("OrderResponse", response("P1"), "s|AB1|0") == "s|AB1|0"
    assert list(map(tuple, rig.run("SELECT confirmed, supplier_order FROM purchase_order"))) == [("CHANGED", "S77")]
    rows = rig.run("SELECT pos, qty, uom, outcome, deliver_on FROM purchase_confirmation ORDER BY outcome")
    assert [(row[0], float(row[1]), row[2], row[3], str(row[4])) for row in rows] == [
        (10, 1.5, "PCE", "ACCEPTED", "2026-12-01"),
        (10, 2.0, "PCE", "REJECTED", "None"),
    ]
    adapter.close()


def test_the_number_that_the_erp_gives_links_the_lines(rig: SqlRig) -> None:
    adapter = rig.make()
    fields = order("B-1")
    fields["header"] |= {"issuer": "0088:4012345000009", "issued_at": "2026-11-24T07:15:00Z"}
    fields["lines"][0]["item"] = {"seller_number": "'; DROP TABLE so; --"}
    reference = adapter.push("Order", fields, "b|1")
    assert [str(row[0]) for row in rig.run("SELECT sales_no FROM sales_order")] == [reference]
    rows = rig.run("SELECT sales_no, item_no, qty, uom FROM sales_line")
    assert [(str(row[0]), row[1], float(row[2]), row[3]) for row in rows] == [
        (reference, "'; DROP TABLE so; --", 6.0, "PCE")
    ]
    adapter.close()


def test_a_statement_that_fails_leaves_nothing_behind(rig: SqlRig) -> None:
    adapter = rig.make()
    fields = order("B-1")
    with pytest.raises(AdapterError) as caught:
        adapter.push("Order", fields, "b|1")
    assert caught.value.permanent
    assert rig.run("SELECT * FROM sales_order") == []
    fields["lines"][0]["item"] = {"seller_number": "S1"}
    assert adapter.push("Order", fields, "b|1")
    assert len(rig.run("SELECT * FROM sales_order")) == 1
    adapter.close()


def test_an_exists_query_takes_the_place_of_the_inbox_table(rig: SqlRig) -> None:
    text = (rig.home / "m.toml").read_text()
    exists = 'exists = "SELECT sales_no FROM sales_order WHERE customer_order = :number"\nreference = "sales_no"'
    (rig.home / "m.toml").write_text(text.replace('reference = "sales_no"', exists))
    adapter = rig.make()
    fields = order("B-1")
    fields["lines"][0]["item"] = {"seller_number": "S1"}
    reference = adapter.push("Order", fields, "b|1")
    assert adapter.push("Order", fields, "another identity") == reference
    assert len(rig.run("SELECT * FROM sales_order")) == 1
    assert not inspect(adapter.engine).has_table("hansa_inbox")
    adapter.close()


def test_pulling_cannot_write(rig: SqlRig) -> None:
    text = (rig.home / "m.toml").read_text()
    query = 'query = "SELECT item_no, site, on_hand, reserved, uom FROM stock"'
    (rig.home / "m.toml").write_text(text.replace(query, 'query = "DELETE FROM stock"'))
    adapter = rig.make()
    with pytest.raises(AdapterError):
        list(adapter.pull(None))
    assert len(rig.run("SELECT * FROM stock")) == 2
    adapter.close()


def test_a_query_that_lacks_a_column_is_said_by_check(rig: SqlRig) -> None:
    text = (rig.home / "m.toml").read_text()
    (rig.home / "m.toml").write_text(text.replace("on_hand, reserved", "on_hand AS quantity, reserved"))
    adapter = rig.make()
    (finding,) = adapter.check()
    assert "no column 'on_hand'" in finding.text
    adapter.close()


def test_start_from_leaves_older_orders_out(rig: SqlRig) -> None:
    adapter = rig.make(start_from="2026-11-25")
    assert [part for part in preview(adapter) if isinstance(part, Change)] == []
    adapter.close()


def test_passwords_come_from_elsewhere_and_a_bad_url_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(**settings: str) -> SqlAdapter:
        return SqlAdapter({"mappings": [], **settings}, tmp_path, SchemaTargets())

    monkeypatch.setenv("ERP_PASSWORD", "s:e/c@ret")
    (tmp_path / "secret").write_text("from file\n")
    url = "postgresql+psycopg://hansa@db.example/erp"
    assert make(url=url, password_env="ERP_PASSWORD").engine.url.password == "s:e/c@ret"
    assert make(url=url, password_file="secret").engine.url.password == "from file"
    with pytest.raises(ConfigError, match="ERP_PASS"):
        _ = make(url=url, password_env="ERP_PASS").engine
    with pytest.raises(ConfigError, match="url"):
        _ = make(url="no url").engine
    with pytest.raises(ConfigError, match="inbox_table"):
        make(url=url, inbox_table="x; DROP TABLE y")


def test_a_database_that_is_away_is_not_a_permanent_error(tmp_path: Path, project_root: Path) -> None:
    shutil.copy(project_root / "config" / "mappings" / "erp-sql.toml", tmp_path / "m.toml")
    settings = {"url": "postgresql+psycopg://x@127.0.0.1:1/erp", "mappings": "m.toml"}
    adapter = SqlAdapter(settings, tmp_path, SchemaTargets())
    with pytest.raises(AdapterError) as caught:
        list(adapter.pull(None))
    assert not caught.value.permanent
    assert len(adapter.check()) == 1
    adapter.close()
