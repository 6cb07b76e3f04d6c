"""The demonstration's trade, ERPs and reckoning without any node: a courier in this file carries rows instead."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from adapters.base import Adapter, Fields
from adapters.files import FilesAdapter
from adapters.sql import SqlAdapter
from node import wire
from node.app.systems.loading import NodeTargets
from node.core import validation
from node.errors import ConfigError
from scripts.demonstration import (
    erp_database,
    erp_manufacturer,
    erp_retailer,
    erp_supplier,
    facts,
    reckoning,
    settlement,
    supplier_setup,
    trade,
    trade_generator,
)
from scripts.demonstration.reckoning import Expected
from scripts.demonstration.settlement import Settlement

START_HEADER = ",".join(trade.COLUMNS)
ORDERS = 70
MAPPINGS = Path(trade.__file__).parent / "mappings"
SHOP, SUPPLIER, MAKER = "0088:2900000000018", "0088:2900000000025", "0088:2900000000032"
NOW = "2026-11-22T12:00:00Z"


class Courier:
    """Carries what the nodes would carry, in lots of any size and in any order: by the demonstration's own mappings."""

    def __init__(self, home: Path, source: Path, start: str, orders: int) -> None:
        self.folder = home / "shop"
        self.trade = trade.read_trade(source, start=start, orders=orders)
        erp_retailer.create(self.folder, self.trade)
        supplier_setup.create(home / "supplier.sqlite", self.trade.items.values(), self.trade.first_at)
        erp_manufacturer.create(home / "maker.sqlite", self.trade.items.values(), self.trade.first_at)
        self.shop = erp_database.opened(self.folder / "ledger.sqlite")
        self.supplier = erp_database.opened(home / "supplier.sqlite")
        self.maker = erp_database.opened(home / "maker.sqlite")
        self.adapters: dict[str, Adapter] = {
            SHOP: FilesAdapter(
                {"folder": "shop/exchange", "ready": "done", "mappings": str(MAPPINGS / "retailer" / "shop.toml")},
                home,
                NodeTargets(),
            ),
            SUPPLIER: SqlAdapter(
                {
                    "url": "sqlite:///supplier.sqlite",
                    "mappings": str(MAPPINGS / "supplier" / "erp.toml"),
                    "staging": "supplier-staging.db",
                },
                home,
                NodeTargets(),
            ),
            MAKER: SqlAdapter(
                {
                    "url": "sqlite:///maker.sqlite",
                    "mappings": str(MAPPINGS / "manufacturer" / "erp.toml"),
                    "staging": "maker-staging.db",
                },
                home,
                NodeTargets(),
            ),
        }
        self.findings: list[object] = []
        self.stock: dict[str, str | None] = {}
        self._cursors: dict[str, str | None] = dict.fromkeys(self.adapters)
        self._waiting: list[tuple[str, str, str, Fields]] = []
        self._asked: set[str] = set()

    def close(self) -> None:
        for adapter in self.adapters.values():
            adapter.close()
        for connection in (self.shop, self.supplier, self.maker):
            connection.close()

    def run(self, lot: int, shuffle: random.Random | None = None) -> None:
        """Release `lot` papers at a time, until nothing moves any more."""
        for through in range(lot, self.trade.last_sequence + lot, lot):
            erp_retailer.release(self.shop, through)
            self.step(shuffle)
        erp_supplier.close(self.supplier, self.trade.last_sequence)
        while self.step(shuffle):
            pass

    def step(self, shuffle: random.Random | None = None) -> int:
        moved = erp_retailer.work(self.folder, self.shop)
        while done := erp_supplier.work(self.supplier):
            moved += done
        moved += erp_manufacturer.work(self.maker)
        for name in self.adapters:
            self._collect(name)
        self._replenish()
        if shuffle is not None:
            shuffle.shuffle(self._waiting)
        count = len(self._waiting) if shuffle is None else 1 + len(self._waiting) // 2
        for sender, receiver, kind, fields in self._waiting[:count]:
            identity = f"{sender}|{kind}|{fields['header']['number']}|{fields['header'].get('revision', 0)}"
            self.adapters[receiver].push(kind, fields, identity)
        moved += len(self._waiting)
        del self._waiting[:count]
        return moved

    def _collect(self, name: str) -> None:
        for batch in self.adapters[name].pull(self._cursors[name]):
            self._cursors[name] = batch.cursor
            self.findings += batch.findings
            for change in batch.changes:
                receiver = change.partner or SUPPLIER
                self._send(name, receiver, change.document_type, change.fields)
            for part in batch.stock:
                keys = part.columns["item.seller_number"]
                self.stock |= dict(zip((str(key) for key in keys), part.columns["on_hand"], strict=True))

    def _send(self, sender: str, receiver: str, kind: str, fields: Fields) -> None:
        """Through the gate and the checks of a node, to whoever takes it."""
        fields["header"] = {"issuer": sender, "usage": "TEST", "issued_at": NOW, **fields["header"]}
        document = wire.from_fields(kind, fields)
        self.findings += validation.findings(
            document,
            sender=sender,
            receiver=receiver,
            usage="TEST",
            now=datetime.fromisoformat(NOW),
            understands=frozenset(),
        )
        if kind in self.adapters[receiver].accepts():
            self._waiting.append((sender, receiver, kind, wire.to_fields(document)))

    def _replenish(self) -> None:
        """What the supplier's node does: ask when stock falls below the reorder point."""
        for row in self.supplier.execute(
            "SELECT m.*, a.* FROM meldebestand m JOIN artikel a USING (artikel_nr)"
            " JOIN bestand b USING (artikel_nr) WHERE (b.menge - b.zugesagt) * ve < melde_menge"
        ).fetchall():
            number = f"NR-{row['artikel_nr']}"
            if number in self._asked:
                continue
            self._asked.add(number)
            line = {
                "line_id": "1",
                "item": {"seller_number": row["lief_artikel_nr"], "buyer_number": row["artikel_nr"]},
                "quantity": {"value": str(row["losgroesse"]), "unit": "C62"},
            }
            self._send(SUPPLIER, MAKER, "ReplenishmentRequest", {"header": {"number": number}, "lines": [line]})


def _settled(courier: Courier, expected: Expected) -> Settlement:
    return settlement.settle(expected, courier.supplier, courier.shop, courier.maker)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generated") / "trade.csv"
    trade_generator.generate(path, ORDERS)
    return path


@pytest.fixture(scope="module")
def expected(generated: Path) -> Expected:
    return reckoning.calculate(generated, "", ORDERS, trade.ITEMS_MIN)


@pytest.fixture(scope="module")
def finished(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Courier]:
    courier = Courier(tmp_path_factory.mktemp("finished"), generated, "", ORDERS)
    courier.run(25)
    yield courier
    courier.close()


def test_the_books_agree_with_the_reckoning(finished: Courier, expected: Expected) -> None:
    result = _settled(finished, expected)
    settlement.show(result, Console(quiet=True))
    assert finished.findings == []
    assert result.findings == []
    assert [total for total in result.totals if not total.agrees] == []
    totals = {total.what: total.expected for total in result.totals}
    # What the demonstration promises to show is really in it.
    for what in ("rejected", "back-ordered", "cancelled", "returned", "short"):
        assert totals[f"pieces {what}"] > 0, what
    assert totals["orders"] >= ORDERS
    assert len(finished.trade.items) >= 500
    assert totals["invoice charges, GBP"] > 0


def test_everything_arrives_in_another_order_and_in_other_lots_with_the_same_end(
    generated: Path, expected: Expected, tmp_path: Path
) -> None:
    courier = Courier(tmp_path, generated, "", ORDERS)
    courier.run(37, random.Random(7))
    result = _settled(courier, expected)
    courier.close()
    assert result.findings == []
    assert result.is_clean


@pytest.mark.parametrize(
    ("database", "damage"),
    [
        ("supplier", "UPDATE auftrag_position SET retourniert = 1 WHERE geliefert > 0 AND rowid % 1000 = 7"),
        ("supplier", "UPDATE rechnung SET mwst = mwst + 0.01 WHERE rechnung_nr = 'RE000003'"),
        ("supplier", "UPDATE bestand SET menge = menge + 1 WHERE rowid = 5"),
        ("supplier", "DELETE FROM eingang_nachschub WHERE rowid = 1"),
        ("shop", "DELETE FROM despatch_lines WHERE rowid = 11"),
        ("shop", "DELETE FROM answered WHERE rowid = 2"),
        ("shop", "UPDATE invoice_lines SET price = '0.01' WHERE rowid = 3"),
        ("maker", "UPDATE ordre_fabrication SET unites = unites + 1 WHERE rowid = 1"),
    ],
)
def test_any_damage_in_the_books_is_found(finished: Courier, expected: Expected, database: str, damage: str) -> None:
    connection: sqlite3.Connection = getattr(finished, database)
    connection.execute("BEGIN")
    try:
        assert connection.execute(damage).rowcount > 0
        assert not _settled(finished, expected).is_clean
    finally:
        connection.execute("ROLLBACK")


def test_no_row_of_the_file_is_left_unmentioned(generated: Path, finished: Courier, expected: Expected) -> None:
    with generated.open(encoding="utf-8") as stream:
        rows = sum(1 for _ in stream) - 1
    assert sum(finished.trade.used.values()) + sum(finished.trade.unused.values()) == rows
    assert (sum(finished.trade.used.values()), rows) == (expected.rows_used, expected.rows)


def test_the_same_seed_gives_the_same_file(generated: Path, tmp_path: Path) -> None:
    trade_generator.generate(tmp_path / "again.csv", ORDERS)
    trade_generator.generate(tmp_path / "other.csv", ORDERS, seed=2)
    assert (tmp_path / "again.csv").read_bytes() == generated.read_bytes()
    assert (tmp_path / "other.csv").read_bytes() != generated.read_bytes()


def test_a_supplier_that_was_set_up_again_decides_the_same(generated: Path, tmp_path: Path, finished: Courier) -> None:
    courier = Courier(tmp_path, generated, "", ORDERS)
    courier.run(1000)
    query = "SELECT auftrag_nr, position, geliefert, abgelehnt, storniert, termin FROM auftrag_position ORDER BY 1, 2"
    again = [tuple(row) for row in courier.supplier.execute(query)]
    courier.close()
    assert again == [tuple(row) for row in finished.supplier.execute(query)]


def test_the_shop_books_a_file_once_even_if_it_comes_again(finished: Courier) -> None:
    before = finished.shop.execute("SELECT COUNT(*), SUM(quantity) FROM invoice_lines").fetchone()
    for path in (finished.folder / "exchange" / "out").glob("Invoice_*.csv"):
        path.with_name(f"Invoice_again-{path.name}").write_bytes(path.read_bytes())
    erp_retailer.work(finished.folder, finished.shop)
    assert tuple(finished.shop.execute("SELECT COUNT(*), SUM(quantity) FROM invoice_lines").fetchone()) == tuple(before)


def test_the_supplier_says_why_it_rejects(finished: Courier) -> None:
    reasons = {
        row[0] for row in finished.supplier.execute("SELECT DISTINCT grund_code FROM ab_position") if row[0] is not None
    }
    assert {"discontinued", "out-of-stock", "back-ordered", "cancelled-by-buyer"} <= reasons


def test_some_lines_are_counted_in_packs_and_stay_whole(finished: Courier) -> None:
    packs = finished.supplier.execute("SELECT COUNT(*) FROM artikel WHERE mengeneinheit = 'VPE'").fetchone()[0]
    assert packs > 50
    one = finished.supplier.execute(
        "SELECT p.menge, ve, e.menge FROM auftrag_position p JOIN artikel USING (artikel_nr)"
        " JOIN kunde_auftrag USING (auftrag_nr) JOIN eingang_position e USING (kunden_bestell_nr)"
        " WHERE e.position = p.kunden_position AND ve = 12 LIMIT 1"
    ).fetchone()
    assert one[0] * one[1] == int(one[2])


def _file(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([START_HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def test_each_kind_of_row_finds_its_place_or_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade, "ITEMS_MIN", 1)
    day = "2011-01-04 10:00:00"
    path = _file(
        tmp_path / "rows.csv",
        f"500001,22752,SET 7 BOXES,10.0,{day},7.65,17850.0,United Kingdom",
        f"500001,22752,SET 7 BOXES,4.0,{day},7.65,17850.0,United Kingdom",
        f"500001,POST,POSTAGE,2.0,{day},9.0,17850.0,United Kingdom",
        f"500001,gift_0001_20,VOUCHER,1.0,{day},16.67,17850.0,United Kingdom",
        f"500001,22751,,1.0,{day},0.0,17850.0,United Kingdom",
        f"500001,22750,FREE,1.0,{day},0.0,17850.0,United Kingdom",
        f"500002,22752,lost,-3.0,{day},7.65,,United Kingdom",
        f"A500003,B,Adjust bad debt,1.0,{day},11062.06,,United Kingdom",
        f"500004,DOT,DOTCOM POSTAGE,1.0,{day},5.0,,United Kingdom",
        f"C500005,22752,SET 7 BOXES,-4.0,{day},7.65,17850.0,United Kingdom",
        f"C500005,22752,SET 7 BOXES,-4.0,{day},7.65,17850.0,United Kingdom",
        f"C500005,22752,SET 7 BOXES,-9.0,{day},7.65,17850.0,United Kingdom",
        f"C500005,D,Discount,-1.0,{day},20.00,17850.0,United Kingdom",
        f"C500005,M,Manual,-1.0,{day},90.00,17850.0,United Kingdom",
        f"C500005,CRUK,Commission,-1.0,{day},9.00,17850.0,United Kingdom",
        f"500006,22752,SET 7 BOXES,1.0,{day},7.65,,Japan",
        f"500007,22752,SET 7 BOXES,1.0,{day},7.65,,Japan",
    )
    found = trade.read_trade(path, orders=2)
    assert [order.number for order in found.customer_orders] == ["HG000001", "HG000003"]
    assert [line.quantity for line in found.customer_orders[0].lines] == [10, 4]
    charges = [(charge.charge, charge.amount) for charge in found.customer_orders[0].charges]
    assert charges == [(True, Decimal("18.00")), (False, Decimal("20.00"))]
    # Both rows take from the first line that has enough left, and are one document.
    (change,) = found.cancellations
    assert (change.number, change.lines) == ("HA000002", [trade.ReductionLine("1", 8, 2)])
    assert found.used == {"goods": 3, "charge": 1, "allowance": 1, "cancellation": 2}
    assert found.unused == {
        "gift voucher": 1,
        "no description": 1,
        "no price": 1,
        "stock adjustment (negative quantity, no cancellation)": 1,
        "adjustment (invoice A...)": 1,
        "charge on an invoice without goods": 1,
        "cancellation of what was not ordered in the span": 1,
        "allowance of more than half its order": 1,
        "charity commission": 1,
        "outside the span": 1,
    }
    assert found.items["22752"].common == 1


@pytest.mark.parametrize(
    "row",
    [
        "500001,22752,X,half,2011-01-04 10:00:00,7.65,1,UK",
        "500001,22752,X,1.5,2011-01-04 10:00:00,7.65,1,UK",
        "500001,22752,X,1.0,yesterday,7.65,1,UK",
        "500001,22752,X,1.0,2011-01-04 10:00:00,cheap,1,UK",
        "500001,22752,X",
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, row: str) -> None:
    with pytest.raises(ConfigError, match="line 2 is not a transaction"):
        trade.read_trade(_file(tmp_path / "bad.csv", row))


def test_a_wrong_or_too_short_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not begin with the columns"):
        trade.read_trade(_other(tmp_path / "other.csv"))
    with pytest.raises(ConfigError, match="0 orders"):
        trade.read_trade(_file(tmp_path / "short.csv"))
    with pytest.raises(ConfigError, match="cannot be read"):
        trade.read_trade(tmp_path / "none.csv")


def _other(path: Path) -> Path:
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    return path


def test_generated_facts_are_what_they_say(finished: Courier) -> None:
    codes = list(finished.trade.items)
    gtins = [gtin for code in codes if (gtin := facts.gtin_of(code))]
    assert len(set(gtins)) == len(gtins)
    assert all(len(gtin) == 13 and gtin.startswith("29") for gtin in gtins)
    # The published example of the GS1 check digit calculation: 629104150021 has the check digit 3.
    assert facts._check_digit("629104150021") == "3"
    numbers = [facts.supplier_number(code) for code in codes]
    assert len(set(numbers)) == len(numbers)
    late = facts.supply_of("22752", 120, 12, datetime(2026, 3, 2).date())  # noqa: DTZ001
    assert late.opening >= 0


@pytest.mark.slow
@pytest.mark.skipif("HANSA_SAMPLES" not in os.environ, reason="needs the retail sample (HANSA_SAMPLES)")
@pytest.mark.parametrize("start", [trade.START_DEFAULT, "536365"])
def test_real_transactions_come_out_as_calculated(tmp_path: Path, start: str) -> None:
    source = Path(os.environ["HANSA_SAMPLES"]) / "retail" / "onlineretail.csv.gz"
    expected = reckoning.calculate(source, start, trade.ORDERS_DEFAULT, trade.ITEMS_MIN)
    courier = Courier(tmp_path, source, start, trade.ORDERS_DEFAULT)
    courier.run(60)
    result = _settled(courier, expected)
    courier.close()
    assert result.findings == []
    assert result.is_clean
    assert sum(courier.trade.used.values()) == expected.rows_used
