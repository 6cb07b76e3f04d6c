"""How long goods are good still decides who sends them: lots told over a link, limits of order lines; each engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.files import FilesAdapter
from adapters.targets import SchemaTargets
from node import wire
from node.app.stock import promising
from node.app.systems import erp
from node.config import AdapterSettings
from node.core.document.customer import CustomerOrder
from node.core.rows import CursorRow, StockRow
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    an_order,
    capture,
    pieces,
    put_figures,
    received,
    settle,
)

ERP = AdapterSettings(name="erp", kind="files", usage="test", documents=())
pytestmark = pytest.mark.usefixtures("linked")


def lots(company: Company, *parts: tuple[int, str], location: str = "DC1") -> None:
    """The ERP tells what is there by the day until which it is best."""
    there = sum(count for count, _ in parts) * PIECE
    told = json.dumps([[count * PIECE, day, "lot"] for count, day in parts])
    row = StockRow(
        *(f"gtin:{GTIN.zfill(14)}", "", 0, location, "", "AVAILABLE", "EXACT", there, there, None, "C62", GTIN, "BEAR"),
        *(told, wire.micros(company.clock.now())),
    )
    company.do(put_figures, [row])


def fresh(number: str, quantity: int, days: int) -> CustomerOrder:
    order = an_order(number, quantity)
    return replace(order, lines=tuple(replace(line, remaining_shelf_life_days_min=days) for line in order.lines))


def test_only_what_is_good_long_enough_is_sent(shop: Company, meyer: Company, braun: Company) -> None:
    lots(meyer, (8, "2026-05-20"), (4, "2026-09-01"))
    lots(braun, (20, "2026-12-31"))
    for one in (meyer, braun):
        connect(shop, one)
    told = shop.read(lambda tx: tx.stock.figures([f"gtin:{GTIN.zfill(14)}"]))
    by_owner = {row.partner_id: json.loads(row.expected) for row in told}
    assert by_owner[meyer.id] == [[8 * PIECE, "2026-05-20", "lot"], [4 * PIECE, "2026-09-01", "lot"]]
    # Lots are what is there, and no supply to come.
    assert shop.do(promising.promise, GTIN, Decimal(100), shop.clock.now().date()).promise.by_then == 32
    order_id = capture(shop, fresh("C1", 10, 60))
    settle(shop, meyer, braun)
    taken = {row.partner_id: row.quantity // PIECE for row in pieces(shop, order_id)}
    assert sum(taken.values()) == 10
    assert taken.get(meyer.id, 0) <= 4
    second = capture(shop, fresh("C2", 20, 200))
    settle(shop, meyer, braun)
    rows = pieces(shop, second)
    sent = {row.partner_id for row in rows if row.state != "back_ordered"}
    assert sent == {braun.id}
    # What nobody has for so long waits, although there is other stock.
    assert sum(row.quantity // PIECE for row in rows if row.state == "back_ordered") == taken[braun.id]
    body = str(wire.to_fields(wire.decode_document("Order", first_order(braun))))
    assert "remaining_shelf_life_days_min" in body


def first_order(company: Company) -> bytes:
    row = received(company)
    stored = company.read(lambda tx: tx.documents.get(row.document_id))
    assert stored is not None
    return stored.body or b""


LOTS = """
[[pull]]
name = "stock"
document = "InventoryReport"
files = "*.csv"
key = ["item", "site", "lot"]
lots = ["lot"]
absent = "zero"
[pull.lines]
item.gtin = "item"
item.seller_number = {{ constant = "BEAR" }}
location = "site"
on_hand = "qty"
unit = {{ constant = "C62" }}
"trace[0].best_before_on" = {{ column = "best", convert = [{{ date = "{form}" }}] }}
"""


def test_lots_of_our_own_erp_are_promised_sent_and_told_by_their_days(
    shop: Company, meyer: Company, tmp_path: Path
) -> None:
    erp_home = tmp_path / "erp"
    (erp_home / "x" / "in").mkdir(parents=True)
    (erp_home / "m.toml").write_text(LOTS.format(form="%d.%m.%Y"))
    shop.store.write(lambda tx: tx.settings.put_cursor(CursorRow("erp", "", 1, 0)))
    given = {"folder": "x", "mappings": "m.toml", "clock": shop.clock.now, "settle_seconds": 0}
    adapter = FilesAdapter(given, erp_home, SchemaTargets())
    rows = (("L1", "20.05.2026", 6), ("L2", "01.09.2026", 4))

    def tell(name: str, lots: Sequence[tuple[str, str, int]]) -> None:
        shop.clock.move(minutes=1)
        lines = [f"{GTIN};DC1;{lot};{day};{count}" for lot, day, count in lots]
        (erp_home / "x" / "in" / name).write_text("item;site;lot;best;qty\n" + "\n".join(lines) + "\n")
        for _ in range(3):
            erp.pull_once(shop.store, shop.ctx, ERP, adapter)

    tell("1.csv", rows)
    connect(shop, meyer)
    key = f"gtin:{GTIN.zfill(14)}"
    for company in (shop, meyer):
        (row,) = company.read(lambda tx: tx.stock.figures([key]))
        assert (row.on_hand, json.loads(row.expected)) == (
            10 * PIECE,
            [[6 * PIECE, "2026-05-20", "lot"], [4 * PIECE, "2026-09-01", "lot"]],
        )
    strict = capture(shop, fresh("C1", 5, 60))
    settle(shop, meyer)
    assert sorted((row.quantity // PIECE, row.state) for row in pieces(shop, strict)) == [
        (1, "back_ordered"),
        (4, "accepted"),
    ]
    tell("2.csv", (*rows[:1], ("L2", "01.09.2026", 9)))
    settle(shop, meyer)
    assert {row.state for row in pieces(shop, strict) if row.quantity} == {"accepted"}
    tell("3.csv", (*rows[:1], ("L2", "01.13.2026", 9)))  # no such day: the line stays as it was told last
    (row,) = shop.read(lambda tx: tx.stock.figures([key]))
    assert row.on_hand == 15 * PIECE
    adapter.close()


def test_our_own_short_lived_stock_is_left_for_those_who_take_it(shop: Company, meyer: Company) -> None:
    lots(shop, (6, "2026-05-20"))
    strict = capture(shop, fresh("C1", 5, 60))
    settle(shop, meyer)
    assert [row.state for row in pieces(shop, strict)] == ["back_ordered"]
    easy = capture(shop, fresh("C2", 5, 5))
    settle(shop, meyer)
    assert [row.state for row in pieces(shop, easy)] == ["accepted"]
