"""An item that its stock tells with a number and a GTIN is found by the number alone, by us and by partners."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest

from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_orders
from node.app.operations.registry import Host
from node.app.operations.reservations import reservation_request
from node.app.stock import availability
from node.core.document.common import DocumentHeader, ItemRef
from node.core.document.customer import CustomerLine, CustomerOrder
from node.core.document.order import Order, OrderKind, OrderLine
from node.core.document.reservation import (
    ReservationAction,
    ReservationMode,
    ReservationRequest,
    ReservationRequestLine,
)
from node.core.quantity import Quantity
from node.core.rows import AliasRow
from tests.companies import Company, connect
from tests.customers import GTIN, PIECE, an_order, balanced, capture, put, settle

pytestmark = pytest.mark.usefixtures("linked")

KEY = f"gtin:{GTIN.zfill(14)}"
BEAR = ItemRef(seller_number="BEAR")


def by_number(number: str, quantity: int, item: ItemRef = BEAR) -> CustomerOrder:
    line = CustomerLine(line_id="1", item=item, quantity=Quantity(Decimal(quantity), "C62"))
    return an_order(number, lines=(line,))


def taken(company: Company) -> int:
    assert company.read(lambda tx: tx.reservations.differences()) == []
    rows = company.read(lambda tx: tx.reservations.counters([KEY]))
    return sum(row.reserved + row.allocated for row in rows) // PIECE


def test_a_customer_order_by_our_number_is_one_for_the_item_under_its_gtin(shop: Company) -> None:
    put(shop, 4)
    done = shop.do(customer_orders.capture, by_number("C1", 10))
    assert (done.state, done.findings) == ("captured", [])
    assert done.customer_order_id is not None
    settle(shop)
    assert balanced(shop, done.customer_order_id) == {"ordered": 10, "live": 4, "back_ordered": 6}
    assert taken(shop) == 4
    # What comes in is for this order, as for one that gave the GTIN.
    shop.clock.move(hours=1)
    put(shop, 9)
    settle(shop)
    assert balanced(shop, done.customer_order_id)["live"] == 9
    other = capture(shop, an_order("C2", 1, customer="other"))
    settle(shop)
    assert balanced(shop, other) == {"ordered": 1, "back_ordered": 1}
    # A buyer's number is ours too, when nobody else is named; a number that nobody has is still for a human.
    mine = capture(shop, by_number("C3", 1, ItemRef(buyer_number="BEAR")))
    assert balanced(shop, mine)["ordered"] == 1
    lost = shop.do(customer_orders.capture, by_number("C4", 1, ItemRef(seller_number="BEAST")))
    assert [one.rule for one in lost.findings] == ["unknown-item"]


def test_a_number_with_two_gtins_is_the_one_that_is_in_stock(shop: Company) -> None:
    put(shop, 5, gtin=GTIN)
    old = "4012345000016"
    shop.do(lambda tx, ctx: tx.stock.put_aliases([AliasRow(f"gtin:0{old}", "BEAR", "")]))
    order_id = capture(shop, by_number("C1", 5))
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 5, "live": 5}
    assert taken(shop) == 5


def test_a_partner_that_gives_our_number_alone_takes_up_the_stock_of_the_item(shop: Company, meyer: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    line = OrderLine(line_id="1", item=BEAR, quantity=Quantity(Decimal(7), "C62"))
    order = Order(header=DocumentHeader(number="PO-1"), order_kind=OrderKind.STANDARD, lines=(line,))
    shop.do(submit, meyer.id, [Submission(order)])
    connect(shop, meyer)
    assert taken(meyer) == 7
    asked = ReservationRequest(
        header=DocumentHeader(number="H1"),
        action=ReservationAction.HOLD,
        mode=ReservationMode.PARTIAL,
        hold_until=shop.clock.now() + timedelta(minutes=9),
        lines=(
            ReservationRequestLine(line_id="1", reservation_id="r1", item=BEAR, quantity=Quantity(Decimal(2), "C62")),
        ),
    )
    shop.do(submit, meyer.id, [Submission(asked)])
    connect(shop, meyer)
    assert taken(meyer) == 9


def test_a_hold_is_asked_for_by_the_gtin_that_we_know_of_our_number(shop: Company, meyer: Company) -> None:
    put(shop, 1)
    put(meyer, 10)
    connect(shop, meyer)
    host = cast("Host", SimpleNamespace(store=shop.store, ctx=shop.ctx, live=None))
    made = reservation_request(host, partner=meyer.id, lines=[{"item": "BEAR", "quantity": "4"}])
    assert [one["item_key"] for one in made["reservations"]] == [KEY]
    connect(shop, meyer)
    assert taken(meyer) == 4
    # Before it tells a new figure, the partner's counts less what it holds for us.
    assert [row.state for row in shop.read(lambda tx: tx.reservations.search(role="requester"))] == ["granted"]


def test_availability_by_a_partners_own_number(shop: Company, meyer: Company) -> None:
    put(meyer, 10)
    (row,) = meyer.read(lambda tx: tx.stock.figures([KEY]))
    numbered = row._replace(item_key=f"no:{meyer.id}:TIGER", gtin="", number="TIGER")
    meyer.do(lambda tx, ctx: tx.stock.put([numbered._replace(change=tx.stock.next_changes(1))]))
    connect(shop, meyer)
    found = shop.read(lambda tx: availability.figures(tx, shop.ctx, ["TIGER"]))
    assert [(one.partner, one.available) for one in found] == [("Meyer", 10 * PIECE)]
