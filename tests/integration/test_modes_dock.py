"""Goods that go over our dock, deliveries that fail, and events in odd order."""

from __future__ import annotations

import pytest

from node.app.fulfilment import customer_status, failed_delivery
from node.core.document.common import DocumentKey, LocationRef, PartyRole
from node.core.document.fulfilment import (
    DeliveryEvent,
)
from node.core.rows import OrderRow
from node.errors import RefusedError
from tests.companies import Company, connect
from tests.customers import (
    PIECE,
    accept,
    an_order,
    balanced,
    capture,
    deliver,
    despatch,
    put,
    received,
    settle,
    state,
    want,
)
from tests.integration.own_sites import DOCK, body, events, failed, live, our_order, receive, shown, sites, status, told
from tests.integration.test_cli_operations import Desk

pytestmark = pytest.mark.usefixtures("linked")


# --- over a dock ------------------------------------------------------------------------------------------------------


def over_the_dock(shop: Company, meyer: Company, quantity: int = 10) -> tuple[int, OrderRow]:
    put(meyer, 30)
    connect(shop, meyer)
    order_id = capture(shop, an_order("X1", quantity, **DOCK))
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    despatch(meyer, row, quantity)
    settle(shop, meyer)
    return order_id, row


def test_what_a_supplier_brings_to_our_dock_goes_on_to_the_customer(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, row = over_the_dock(shop, meyer)
    order = body(meyer, row)
    assert (row.kind, row.customer_order) == ("STANDARD", "X1")
    assert order.header is not None
    (to,) = [one for one in order.header.parties if one.role is PartyRole.SHIP_TO]
    assert to.location == LocationRef(code="DOCK", owner=shop.id)
    stored = meyer.read(lambda tx: tx.documents.get(row.document_id))
    assert stored is not None
    assert not stored.personal  # the supplier does not learn who the customer is
    assert told(shop, order_id) == [("cross_dock", "DC1", 10, "despatched")]
    mine = our_order(shop, "X1.1")
    receive(shop, mine, "RA", 10)
    settle(shop, meyer)
    assert told(shop, order_id) == [("ship", "DOCK", 10, "accepted")]
    out = our_order(shop, "X1.2")
    order = body(shop, out)
    assert order.header is not None
    assert [one.personal_key for one in order.header.parties if one.role is PartyRole.SHIP_TO] == ["k1"]
    despatch(shop, out, 10)
    deliver(shop, out)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert state(shop, order_id).state == "done"
    found = [piece for line in shown(shop, "X1")["lines"] for piece in line["pieces"]]
    assert [(p["mode"], p["state"], p["passed_on"], p["on_from"]) for p in found] == [
        ("cross_dock", "passed_on", "10", None),
        ("ship", "delivered", "0", found[0]["piece"]),
    ]


def test_what_arrives_short_or_damaged_at_the_dock_is_sourced_again(
    shop: Company, meyer: Company, braun: Company
) -> None:
    sites(shop, DOCK="warehouse")
    order_id, _ = over_the_dock(shop, meyer)
    put(braun, 30)
    connect(shop, braun)
    receive(shop, our_order(shop, "X1.1"), "RA", 6, damaged=3, short=1)
    settle(shop, meyer, braun)
    now = live(shop, order_id)
    assert sorted((p.mode, p.quantity // PIECE) for p in now) == [("cross_dock", 4), ("ship", 6)]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert "spoilt" in events(shop, order_id)


def test_it_comes_to_the_dock_in_two_deliveries(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, _ = over_the_dock(shop, meyer)
    mine = our_order(shop, "X1.1")
    receive(shop, mine, "RA1", 4)
    settle(shop, meyer)
    assert sorted(told(shop, order_id)) == [("cross_dock", "DC1", 6, "despatched"), ("ship", "DOCK", 4, "accepted")]
    receive(shop, mine, "RA2", 8)  # more than was ordered: the rest stays on the dock
    settle(shop, meyer)
    assert sorted(told(shop, order_id)) == [("ship", "DOCK", 4, "accepted"), ("ship", "DOCK", 6, "accepted")]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_less_is_wanted_while_some_is_on_the_dock(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, _ = over_the_dock(shop, meyer)
    receive(shop, our_order(shop, "X1.1"), "RA1", 4)
    settle(shop, meyer)
    want(shop, order_id, 2)
    settle(shop, meyer)
    # What lies on the dock can be kept there; what is on its way to it cannot be had back.
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 4, "live": 6}


def test_a_failed_delivery_is_a_humans(shop: Company) -> None:
    order_id = failed(shop)
    assert state(shop, order_id).state == "human"
    assert "nobody was at home" in state(shop, order_id).reason
    assert "hansa order resend E1" in state(shop, order_id).reason
    assert balanced(shop, order_id) == {"ordered": 4, "live": 4}
    shop.clock.move(days=30)  # never taken as delivered
    shop.do(lambda tx, ctx: tx.customer_orders.wake([order_id], ctx.now_micros()))
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 4, "live": 4}
    (stuck,) = shop.read(lambda tx: customer_status.stuck(tx, shop.ctx))
    assert (stuck["waits_for"], stuck["number"]) == ("you", "E1")
    # The carrier tries again.
    status(shop, our_order(shop, "E1.1"), DeliveryEvent.DELIVERED, "F2")
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 4, "delivered": 4}
    assert state(shop, order_id).state == "done"


@pytest.mark.parametrize("cancel", [False, True])
def test_a_failed_delivery_is_given_up(shop: Company, cancel: bool) -> None:
    order_id = failed(shop)
    given = shop.do(failed_delivery.give_up, state(shop, order_id), cancel=cancel)
    assert given == {"1": 4 * PIECE}
    settle(shop)
    if cancel:
        assert balanced(shop, order_id) == {"ordered": 4, "cancelled": 4}
        assert state(shop, order_id).state == "cancelled"
    else:
        assert told(shop, order_id) == [("ship", "DC1", 4, "accepted")]
        assert our_order(shop, "E1.2").number == "E1.2"
    with pytest.raises(RefusedError, match="no delivery of customer order E1 has failed"):
        shop.do(failed_delivery.give_up, state(shop, order_id))
    # It arrives after all: a surplus, and nothing is counted twice.
    before = balanced(shop, order_id)
    status(shop, our_order(shop, "E1.1"), DeliveryEvent.DELIVERED, "F2")
    settle(shop)
    assert balanced(shop, order_id) == before


# --- events in odd order ----------------------------------------------------------------------------------------------


def test_delivered_before_it_was_despatched_and_twice(shop: Company, meyer: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order("O1", 10))
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    deliver(meyer, row)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    despatch(meyer, row, 10)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    despatched = DocumentKey(issuer=meyer.id, type="DespatchAdvice", number=f"D-{row.number}")
    status(meyer, row, DeliveryEvent.DELIVERED, "AGAIN", despatch=despatched)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    status(meyer, row, DeliveryEvent.RETURNED, "BACK", despatch=despatched)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert state(shop, order_id).state == "human"


def test_show_tells_the_way_of_goods_over_a_dock(
    shop: Company, meyer: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    sites(shop, DOCK="warehouse")
    over_the_dock(shop, meyer)
    desk = Desk(shop)
    desk.do("order.receive", order="X1.1", number="RA-1", lines=[{"line": "1", "quantity": "6"}])
    settle(shop, meyer)
    desk.do("order.show", order="X1")
    text = capsys.readouterr().out
    for words in ("cross dock", "6 passed on", "takes piece 1 on"):
        assert words in text, text


def test_what_was_sent_to_the_dock_long_ago_is_a_humans(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, row = over_the_dock(shop, meyer)
    deliver(meyer, row)
    settle(shop, meyer)
    shop.clock.move(days=15)
    shop.do(lambda tx, ctx: tx.customer_orders.wake([order_id], ctx.now_micros()))
    settle(shop)
    assert state(shop, order_id).state == "human"
    assert "nobody has counted it in" in state(shop, order_id).reason
    receive(shop, our_order(shop, "X1.1"), "RA", 10)
    settle(shop)
    assert told(shop, order_id) == [("ship", "DOCK", 10, "accepted")]
    assert state(shop, order_id).state == "active"
