"""Kits: sourced by their components at one site, or whole where somebody has them whole; on each engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from node.app.fulfilment import customer_status
from node.app.stock import prices
from node.core.document.catalogue import CatalogueLine, ItemCatalogue, KitComponent
from node.core.document.common import DocumentHeader, ItemRef
from node.core.fulfilment import balance
from node.core.quantity import Quantity
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    an_order,
    capture,
    deliver,
    despatch,
    pieces,
    put,
    received,
    settle,
)

pytestmark = pytest.mark.usefixtures("linked")

LEG, TOP = "4012345000030", "4012345000047"
"""A table, whose GTIN is that of every order here, is made of four legs and a top."""


def catalogue(company: Company) -> None:
    parts = [
        KitComponent(item=ItemRef(gtin=gtin), quantity=Quantity(Decimal(many), "C62"))
        for gtin, many in ((LEG, 4), (TOP, 1))
    ]
    line = CatalogueLine(line_id="1", item=ItemRef(gtin=GTIN), base_unit="C62", components=tuple(parts))
    document = ItemCatalogue(header=DocumentHeader(number="K1"), lines=(line,))
    company.do(lambda tx, ctx: prices.take_catalogues(tx, ctx, "", [document]))


def accounts(company: Company, order_id: int) -> dict[str, dict[str, int]]:
    """The account of each line, in whole numbers; each must fit."""
    lines = company.read(lambda tx: tx.customer_orders.lines([order_id]))
    rows = company.read(lambda tx: tx.customer_orders.pieces([order_id]))
    found = {}
    for line in lines:
        sums = balance(line, rows, lines)
        assert min(sums.values()) >= 0, sums
        assert sums["ordered"] == sum(sums[n] for n in ("cancelled", "delivered", "back_ordered", "live", "open"))
        found[line.line_id] = {name: count // PIECE for name, count in sums.items() if count}
    return found


def where(company: Company, order_id: int) -> list[tuple[str, str, str, int]]:
    found = [(p.line_id, p.partner_id, p.location, p.quantity // PIECE) for p in pieces(company, order_id)]
    return sorted(found)


def test_a_kit_comes_as_its_components_from_one_site(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(shop, 100, "A", LEG)
    put(shop, 8, "B", LEG)
    put(shop, 2, "B", TOP)
    order_id = capture(shop, an_order(quantity=2))
    settle(shop)
    # There are legs enough at A, but no top: both come from B.
    assert where(shop, order_id) == [("1/1.1", "", "B", 8), ("1/1.2", "", "B", 2)]
    assert accounts(shop, order_id)["1"] == {"ordered": 2, "live": 2}
    (row,) = shop.read(lambda tx: tx.orders.search(partner_id=shop.id))
    despatch(shop, row, 8)
    deliver(shop, row)
    settle(shop)
    # The legs are there, the tops are not: no table is.
    assert accounts(shop, order_id) == {
        "1": {"ordered": 2, "live": 2},
        "1/1.1": {"ordered": 8, "delivered": 8},
        "1/1.2": {"ordered": 2, "live": 2},
    }
    (shown,) = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C1"))
    assert [(line["line_id"], line["delivered"], line["under_way"]) for line in shown["lines"]] == [
        ("1", "0", "2"),
        ("1/1.1", "8", "0"),
        ("1/1.2", "0", "2"),
    ]
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_a_partner_sells_the_kit_whole(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(meyer, 3)
    connect(shop, meyer)
    put(shop, 8, "B", LEG)
    put(shop, 2, "B", TOP)
    order_id = capture(shop, an_order(quantity=5))
    settle(shop, meyer)
    assert where(shop, order_id) == [("1", meyer.id, "DC1", 3), ("1/1.1", "", "B", 8), ("1/1.2", "", "B", 2)]
    assert accounts(shop, order_id)["1"] == {"ordered": 5, "live": 5}
    assert received(meyer).kind == "DROP_SHIP"


def test_kits_wait_for_the_component_that_is_missing(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(shop, 12, "B", LEG)
    put(shop, 1, "B", TOP)
    order_id = capture(shop, an_order(quantity=3))
    settle(shop)
    assert accounts(shop, order_id)["1"] == {"ordered": 3, "live": 1, "back_ordered": 2}
    shop.clock.move(minutes=1)
    put(shop, 3, "B", TOP)
    settle(shop)
    assert accounts(shop, order_id)["1"] == {"ordered": 3, "live": 3}
    assert sum(count for line, _, _, count in where(shop, order_id) if line.endswith(".1")) == 12


def test_fewer_kits_are_wanted(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(shop, 12, "B", LEG)
    put(shop, 3, "B", TOP)
    order_id = capture(shop, an_order(quantity=3))
    settle(shop)

    def less(tx: Any, ctx: Any) -> None:
        line = next(one for one in tx.customer_orders.lines([order_id]) if not one.parent_line)
        tx.customer_orders.put_lines([line._replace(cancel_asked=2 * PIECE)])
        tx.customer_orders.wake([order_id], ctx.now_micros())

    shop.do(less)
    settle(shop)
    assert accounts(shop, order_id) == {
        "1": {"ordered": 3, "cancelled": 2, "live": 1},
        "1/1.1": {"ordered": 12, "cancelled": 8, "live": 4},
        "1/1.2": {"ordered": 3, "cancelled": 2, "live": 1},
    }
