"""How long goods are good still decides who sends them: lots told over a link, limits of order lines; each engine."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from node import wire
from node.app.stock import promising
from node.core.document.customer import CustomerOrder
from node.core.rows import StockRow
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


def test_our_own_short_lived_stock_is_left_for_those_who_take_it(shop: Company, meyer: Company) -> None:
    lots(shop, (6, "2026-05-20"))
    strict = capture(shop, fresh("C1", 5, 60))
    settle(shop, meyer)
    assert [row.state for row in pieces(shop, strict)] == ["back_ordered"]
    easy = capture(shop, fresh("C2", 5, 5))
    settle(shop, meyer)
    assert [row.state for row in pieces(shop, easy)] == ["accepted"]
