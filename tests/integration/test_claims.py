"""What pieces count on without a hold is promised to nobody else: supply to come, orders at partners; each engine."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from node import wire
from node.app.stock import promising
from node.core.rows import StockRow
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    an_order,
    balanced,
    capture,
    pieces,
    put,
    put_figures,
    settle,
    want,
    work,
)

pytestmark = pytest.mark.usefixtures("linked")

LATER = date(2026, 5, 11)
FAR = date(2026, 6, 1)


def expect(company: Company, there: int, coming: int, on: date = LATER) -> None:
    """The ERP tells what is there, and what comes on a day."""
    row = StockRow(
        *(f"gtin:{GTIN.zfill(14)}", "", 0, "DC1", "", "AVAILABLE", "EXACT", there * PIECE, there * PIECE, None, "C62"),
        *(GTIN, "BEAR", json.dumps([[coming * PIECE, on.isoformat(), "purchase"]])),
        *(wire.micros(company.clock.now()), 0),
    )
    company.do(put_figures, [row])


def free(company: Company, by: date = FAR, **more: Any) -> int:
    found = company.do(promising.promise, GTIN, Decimal(1000), by, **more)
    return int(found.promise.by_then)


def states(company: Company, order_id: int) -> list[tuple[str, int, bool]]:
    return sorted((row.state, row.quantity // PIECE, bool(row.promised_on)) for row in pieces(company, order_id))


def test_supply_to_come_is_promised_once(shop: Company) -> None:
    expect(shop, 2, 10)
    first = capture(shop, an_order("C1", 8))
    work(shop)
    # Two are there; six wait for the ten that come, and four of these can still be promised.
    assert states(shop, first) == [("accepted", 2, True), ("back_ordered", 6, True)]
    assert (free(shop, LATER), free(shop)) == (4, 4)
    second = capture(shop, an_order("C2", 6))
    work(shop)
    assert states(shop, second) == [("back_ordered", 2, False), ("back_ordered", 4, True)]
    assert free(shop) == 0
    # What has come goes to those to whom it was promised, the first of them first.
    expect(shop, 2 + 10, 0)
    settle(shop)
    assert states(shop, first) == [("accepted", 2, True), ("accepted", 6, True)]
    assert states(shop, second) == [("accepted", 4, True), ("back_ordered", 2, False)]
    assert balanced(shop, second) == {"ordered": 6, "live": 4, "back_ordered": 2}


def test_less_supply_than_was_promised_goes_to_who_was_first(shop: Company) -> None:
    expect(shop, 0, 10)
    first, second = capture(shop, an_order("C1", 6)), capture(shop, an_order("C2", 4))
    work(shop)
    expect(shop, 7, 0)
    settle(shop)
    assert states(shop, first) == [("accepted", 6, True)]
    assert sum(count for state, count, _ in states(shop, second) if state == "accepted") == 1
    assert balanced(shop, second) == {"ordered": 4, "live": 1, "back_ordered": 3}


def test_a_cancelled_back_order_is_owed_nothing(shop: Company) -> None:
    expect(shop, 0, 10)
    order_id = capture(shop, an_order("C1", 6))
    work(shop)
    assert free(shop) == 4
    want(shop, order_id, 0)
    settle(shop)
    assert free(shop) == 10


def test_an_order_without_a_hold_counts_until_the_partner_tells_its_next_figure(shop: Company, meyer: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    assert free(shop) == 10
    no_holds(shop, meyer)
    order_id = capture(shop, an_order("C1", 6))
    work(shop)
    assert [(row.state, row.reservation_id) for row in pieces(shop, order_id)] == [("ordering", "")]
    assert free(shop) == 4
    # The partner has taken it up and tells what is left: nothing is taken off twice.
    settle(shop, meyer)
    assert free(shop) == 4
    shop.clock.move(days=1)
    assert free(shop) == 4


def no_holds(shop: Company, other: Company) -> None:
    """The other node has told that it takes orders only."""
    row = shop.partner(other)._replace(last_hello=json.dumps({"accepts": ["Order"]}))
    shop.store.write(lambda tx: tx.partners.put(row))
