"""Goods that others send for us: drop ship over chains of three companies, and our own goods at a 3PL."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from node import wire
from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_status, failed_delivery
from node.app.stock import availability, promising
from node.config import PartnerSettings
from node.config.sites import CostRule, PromisingSettings, SiteSettings
from node.core.document import header_of
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, LocationRef, PartyRole, Price, Reason
from node.core.document.customer import CustomerOrderKind
from node.core.document.fulfilment import Carriage, DeliveryEvent, DespatchAdvice, DespatchLine
from node.core.document.inventory import InventoryReport, StockLine
from node.core.document.invoice import Invoice, InvoiceLine, InvoiceTotals
from node.core.document.order import Order, ScheduleOutcome
from node.core.money import Money
from node.core.piece_state import DEAD
from node.core.quantity import Quantity
from node.core.rows import OrderRow
from tests.companies import Company, connect, swap
from tests.customers import (
    GTIN,
    PIECE,
    accept,
    an_order,
    answer,
    balanced,
    capture,
    deliver,
    despatch,
    key,
    put,
    received,
    reject,
    settings,
    settle,
    state,
    work,
)
from tests.integration.own_sites import our_order, receive, status, told

pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture
def chain(shop: Company, meyer: Company, braun: Company) -> None:
    """The shop knows Meyer only, and Meyer, who knows Braun, sources what the shop orders."""
    swap(meyer, braun)
    connect(meyer, braun)
    settings(meyer, partners={shop.id: PartnerSettings(orders="orchestrate")})
    settings(shop, sharing=replace(shop.ctx.settings.sharing, rules=()))


def run(shop: Company, meyer: Company, braun: Company) -> None:
    """Everybody works, and the links of the chain run, until nothing happens any more."""
    for _ in range(8):
        for one in (shop, meyer, braun):
            work(one)
        connect(shop, meyer)
        connect(meyer, braun)


def sent(company: Company, row: OrderRow) -> tuple[Order, bytes, bytes]:
    """An order as the company has it: the document, its bytes, and the personal data beside it."""
    stored = company.read(lambda tx: tx.documents.get(row.document_id))
    assert stored is not None
    order = wire.decode_document("Order", stored.body or b"")
    assert isinstance(order, Order)
    return order, stored.body or b"", stored.personal or b""


def ships(company: Company, row: OrderRow, quantity: int, number: str, tracking: str) -> None:
    line = DespatchLine(line_id="1", order_line_id="1", quantity=Quantity(Decimal(quantity), "C62"))
    document = DespatchAdvice(
        header=DocumentHeader(number=number),
        order=key(row),
        despatched_at=company.clock.now(),
        carriage=Carriage(carrier="Swift", tracking=tracking),
        lines=(line,),
    )
    (done,) = company.do(submit, row.partner_id, [Submission(document)])
    assert done.state != "refused", done.findings


def seen_by(company: Company, other: Company) -> bytes:
    """All that one company has ever got from another."""
    rows = company.read(lambda tx: tx.documents.search(partner_id=other.id, direction="in", limit=500))
    return b"\n".join((row.body or b"") + (row.personal or b"") for row in rows)


# --- drop ship --------------------------------------------------------------------------------------------------------


def test_a_customers_order_goes_over_three_companies(
    shop: Company, meyer: Company, braun: Company, chain: None
) -> None:
    settings(meyer, sites={"VIRTUAL": SiteSettings(ships=False)})
    put(meyer, 10, "VIRTUAL")  # what Meyer promises, and Braun sends
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    order_id = capture(shop, an_order("WEB-4711", 10))
    run(shop, meyer, braun)
    mine, _, _ = sent(shop, our_order(shop, "WEB-4711.1"))
    row = received(braun)
    order, raw, personal = sent(braun, row)
    # One root over all hops, and one hop less at each.
    root, hops = state(shop, order_id).root_id, state(shop, order_id).hops_left
    assert (header_of(mine).root_id, header_of(mine).hops_left) == (root, hops - 1)
    assert (header_of(order).root_id, header_of(order).hops_left) == (root, hops - 2)
    assert row.kind == "DROP_SHIP"
    # The manufacturer learns the next hop and where the goods go, and no more.
    assert {party.id for party in header_of(order).parties if party.id} == {meyer.id, braun.id}
    assert [p.personal_key for p in header_of(order).parties if p.role is PartyRole.SHIP_TO] == ["k1"]
    assert b"Way 1" in personal
    everything = seen_by(braun, meyer)
    assert shop.id.encode() not in everything
    assert b"WEB-4711" not in raw
    accept(braun, row)
    ships(braun, row, 6, "BD-1", "TRACK-1")
    run(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    ships(braun, row, 4, "BD-2", "TRACK-2")
    first = DocumentKey(issuer=braun.id, type="DespatchAdvice", number="BD-1")
    status(braun, row, DeliveryEvent.DELIVERED, "BS-1", despatch=first)
    run(shop, meyer, braun)
    # What was delivered shows at once, not only when all of it was; and so does the tracking.
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 6, "live": 4}
    (piece,) = [p for line in shown(shop)["lines"] for p in line["pieces"]]
    assert piece["tracking"] == "TRACK-1 TRACK-2"
    second = DocumentKey(issuer=braun.id, type="DespatchAdvice", number="BD-2")
    status(braun, row, DeliveryEvent.DELIVERED, "BS-2", despatch=second)
    run(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert state(shop, order_id).state == "done"
    # The retailer sees no manufacturer: neither its name, nor a number of its.
    everything = seen_by(shop, meyer)
    for secret in (braun.id, "Braun", "BD-1", "BS-1"):
        assert secret.encode() not in everything


def shown(company: Company, number: str = "WEB-4711") -> dict[str, Any]:
    (one,) = company.read(lambda tx: customer_status.show(tx, company.ctx, number))
    return one


def test_a_failed_delivery_is_told_along_the_chain(shop: Company, meyer: Company, braun: Company, chain: None) -> None:
    settings(meyer, sites={"VIRTUAL": SiteSettings(ships=False)})
    put(meyer, 10, "VIRTUAL")
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    order_id = capture(shop, an_order("WEB-4711", 10))
    run(shop, meyer, braun)
    row = received(braun)
    accept(braun, row)
    ships(braun, row, 10, "BD-1", "TRACK-1")
    why = Reason(code="nobody", text="nobody was at home")
    status(braun, row, DeliveryEvent.FAILED, "BS-1", reason=why)
    run(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert state(shop, order_id).state == "human"
    assert "the carrier could not deliver it" in state(shop, order_id).reason
    status(braun, row, DeliveryEvent.DELIVERED, "BS-2")
    run(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}


def test_who_may_pass_an_order_on_no_further_says_so(
    shop: Company, meyer: Company, braun: Company, chain: None
) -> None:
    settings(meyer, sites={"VIRTUAL": SiteSettings(ships=False)})
    put(meyer, 10, "VIRTUAL")
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    settings(shop, orchestration=replace(shop.ctx.settings.orchestration, hops=1))
    order_id = capture(shop, an_order("WEB-4711", 10))
    run(shop, meyer, braun)
    assert braun.read(lambda tx: tx.orders.search(limit=5)) == []
    rows = shop.read(lambda tx: tx.customer_orders.pieces([order_id]))
    assert any("may be passed on no further" in row.reason for row in rows), [row.reason for row in rows]
    assert balanced(shop, order_id) == {"ordered": 10, "back_ordered": 10}


def test_more_is_sent_along_the_chain_than_was_ordered(
    shop: Company, meyer: Company, braun: Company, chain: None
) -> None:
    settings(meyer, sites={"VIRTUAL": SiteSettings(ships=False)})
    put(meyer, 10, "VIRTUAL")
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    order_id = capture(shop, an_order("WEB-4711", 10))
    run(shop, meyer, braun)
    row = received(braun)
    ships(braun, row, 13, "BD-1", "TRACK-1")  # without an answer, and too many
    deliver(braun, row, "BD-1")
    run(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    (theirs,) = meyer.read(lambda tx: tx.customer_orders.search(limit=9))
    assert "surplus" in [e.event for e in meyer.read(lambda tx: tx.customer_orders.events(theirs.customer_order_id))]


# --- a 3PL ------------------------------------------------------------------------------------------------------------


def third_party(shop: Company, holder: Company) -> None:
    found = {f"{holder.id}|*": SiteSettings(kind="logistics", weekdays=(1, 2, 3, 4, 5, 6, 7))}
    settings(shop, sites={**shop.ctx.settings.sites, **found})


def test_our_goods_at_a_3pl_are_sent_by_instruction(shop: Company, meyer: Company) -> None:
    third_party(shop, meyer)
    put(meyer, 10, "HALL")  # the 3PL's figure of our goods
    connect(shop, meyer)
    order_id = capture(shop, an_order("T1", 4, order_kind=CustomerOrderKind.THIRD_PARTY))
    settle(shop, meyer)
    assert told(shop, order_id) == [("third_party", "HALL", 4, "ordered")]
    row = received(meyer)
    order, _, personal = sent(meyer, row)
    assert (row.kind, row.currency) == ("DESPATCH_INSTRUCTION", "")
    assert all(line.price is None for line in order.lines)
    assert b"Way 1" in personal
    (origin,) = [one for one in header_of(order).parties if one.role is PartyRole.SHIP_FROM]
    assert origin.location == LocationRef(code="HALL", owner=meyer.id)
    accept(meyer, row)
    despatch(meyer, row, 4)
    deliver(meyer, row)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 4, "delivered": 4}
    # Nothing was sold, so that nothing of it can be invoiced.
    line = InvoiceLine(
        line_id="1",
        order=DocumentKey(issuer=shop.id, type="Order", number=row.number),
        order_line_id="1",
        item=ItemRef(gtin="4012345678901"),
        quantity=Quantity(Decimal(4), "C62"),
        price=Price(amount=Money(Decimal(2), "EUR")),
        line_amount=Money(Decimal(8), "EUR"),
    )
    totals = InvoiceTotals(payable=Money(Decimal(8), "EUR"))
    invoice = Invoice(header=DocumentHeader(number="I1"), type_code="380", currency="EUR", lines=(line,), totals=totals)
    (done,) = meyer.do(submit, shop.id, [Submission(invoice)])
    assert done.state == "refused"
    assert "nothing-sold" in [one.rule for one in done.findings], done.findings


@pytest.mark.parametrize("how", ["part", "nothing"])
def test_what_is_missing_at_the_3pl_is_sourced_again(shop: Company, meyer: Company, braun: Company, how: str) -> None:
    third_party(shop, meyer)
    put(meyer, 10, "HALL")
    connect(shop, meyer)
    order_id = capture(shop, an_order("T1", 4, order_kind=CustomerOrderKind.THIRD_PARTY))
    settle(shop, meyer)
    put(shop, 9, "DC1")
    row = received(meyer)
    if how == "part":
        answer(meyer, row, (ScheduleOutcome.ACCEPTED, 1), (ScheduleOutcome.REJECTED, 3))
    else:
        reject(meyer, row)
    settle(shop, meyer)
    rest = [("ship", "DC1", 3, "accepted"), ("third_party", "HALL", 1, "accepted")]
    assert sorted(told(shop, order_id)) == (rest if how == "part" else [("ship", "DC1", 4, "accepted")])
    assert balanced(shop, order_id) == {"ordered": 4, "live": 4}


def test_a_suppliers_goods_go_over_the_3pls_dock(shop: Company, meyer: Company, braun: Company) -> None:
    """Nobody of ours counts there: when the carrier has delivered, the 3PL is told to send."""
    third_party(shop, meyer)
    put(braun, 30)
    connect(shop, braun)
    dock = f"{meyer.id}|HALL"
    order_id = capture(shop, an_order("X1", 10, order_kind=CustomerOrderKind.CROSS_DOCK, collect_at=dock))
    settle(shop, braun, meyer)
    row = received(braun)
    order, _, personal = sent(braun, row)
    (to,) = [one for one in header_of(order).parties if one.role is PartyRole.SHIP_TO]
    assert (to.id, to.location) == (meyer.id, LocationRef(code="HALL", owner=meyer.id))
    assert personal == b""
    accept(braun, row)
    despatch(braun, row, 10)
    deliver(braun, row)
    settle(shop, braun, meyer)
    assert told(shop, order_id) == [("third_party", "HALL", 10, "ordered")]
    out = received(meyer)
    order, _, personal = sent(meyer, out)
    assert out.kind == "DESPATCH_INSTRUCTION"
    assert b"Way 1" in personal
    assert braun.id.encode() not in seen_by(meyer, shop)
    accept(meyer, out)
    despatch(meyer, out, 10)
    deliver(meyer, out)
    settle(shop, braun, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    live = [p for p in shop.read(lambda tx: tx.customer_orders.pieces([order_id])) if p.state not in DEAD]
    assert sum(p.delivered for p in live) == 10 * PIECE


def test_a_3pls_goods_are_collected_at_a_store(shop: Company, meyer: Company) -> None:
    settings(shop, sites={"S1": SiteSettings(kind="store", collect=True)})
    third_party(shop, meyer)
    put(meyer, 10, "HALL")
    connect(shop, meyer)
    order_id = capture(shop, an_order("P1", 4, order_kind=CustomerOrderKind.PICK_UP, collect_at="S1"))
    settle(shop, meyer)
    row = received(meyer)
    assert row.kind == "DESPATCH_INSTRUCTION"
    despatch(meyer, row, 4)
    settle(shop, meyer)
    assert told(shop, order_id) == [("to_collect", "HALL", 4, "despatched")]
    receive(shop, our_order(shop, "P1.1"), "RA", 4)
    settle(shop, meyer)
    assert told(shop, order_id) == [("collect", "S1", 4, "accepted")]


def test_a_3pl_keeps_apart_whose_goods_it_holds(shop: Company, meyer: Company, braun: Company) -> None:
    """It has the same item of two companies: each sees, holds and sends its own."""
    swap(meyer, braun)
    connect(meyer, braun)
    third_party(shop, meyer)
    third_party(braun, meyer)
    put(meyer, 3, "HALL", pool=shop.id)
    put(meyer, 5, "HALL", pool=braun.id)
    connect(shop, meyer)
    connect(meyer, braun)
    order_id = capture(shop, an_order("T1", 4, order_kind=CustomerOrderKind.THIRD_PARTY))
    settle(shop, meyer)
    assert sorted((p.mode, p.quantity // PIECE, p.state) for p in _live(shop, order_id)) == [
        ("ship", 1, "back_ordered"),
        ("third_party", 3, "ordered"),
    ]
    other = capture(braun, an_order("B1", 5, order_kind=CustomerOrderKind.THIRD_PARTY))
    settle(braun, meyer)
    assert told(braun, other) == [("third_party", "HALL", 5, "ordered")]
    again = capture(shop, an_order("T2", 1, order_kind=CustomerOrderKind.THIRD_PARTY))
    settle(shop, meyer)
    assert balanced(shop, again) == {"ordered": 1, "back_ordered": 1}
    assert meyer.read(lambda tx: tx.reservations.differences()) == []


def _live(company: Company, order_id: int) -> list[Any]:
    return [p for p in company.read(lambda tx: tx.customer_orders.pieces([order_id])) if p.state not in DEAD]


def test_our_goods_at_a_3pl_cost_what_ours_cost(shop: Company, meyer: Company) -> None:
    """No price of the 3PL is asked for, and none of it is owed; the price for the customer says nothing of the cost."""
    third_party(shop, meyer)
    costs = PromisingSettings(costs=(CostRule(item="*", location="HALL", cost="3.00 EUR"),))
    settings(shop, promising=costs)
    put(meyer, 10, "HALL")
    connect(shop, meyer)
    order_id = capture(shop, an_order("T1", 4, order_kind=CustomerOrderKind.THIRD_PARTY))
    settle(shop, meyer)
    (decided,) = shop.read(lambda tx: customer_status.why(tx, "T1"))["decisions"]
    assert decided["why"]["findings"] == []
    (piece,) = _live(shop, order_id)
    assert piece.unit_cost == 3 * PIECE


def test_what_is_sent_again_in_the_middle_of_a_chain_counts_once_at_its_end(
    shop: Company, meyer: Company, braun: Company, chain: None
) -> None:
    settings(meyer, sites={"VIRTUAL": SiteSettings(ships=False)})
    put(meyer, 10, "VIRTUAL")
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    order_id = capture(shop, an_order("WEB-4711", 10))
    run(shop, meyer, braun)
    row = received(braun)
    accept(braun, row)
    ships(braun, row, 10, "BD-1", "TRACK-1")
    status(braun, row, DeliveryEvent.RETURNED, "BS-1")
    run(shop, meyer, braun)
    assert state(shop, order_id).state == "human"
    (theirs,) = meyer.read(lambda tx: tx.customer_orders.search(limit=9))
    assert theirs.state == "human"
    meyer.do(failed_delivery.give_up, theirs)
    run(shop, meyer, braun)
    # The shop hears that the first despatch is taken back: nothing is on its way to it, and nothing has failed.
    assert state(shop, order_id).state == "active"
    (piece,) = _live(shop, order_id)
    assert (piece.state, piece.despatched) == ("accepted", 0)
    again = next(one for one in braun.read(lambda tx: tx.orders.search(limit=9)) if one.number != row.number)
    accept(braun, again)
    ships(braun, again, 10, "BD-2", "TRACK-2")
    deliver(braun, again, "BD-2")
    run(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert balanced(meyer, theirs.customer_order_id) == {"ordered": 10, "delivered": 10}
    # The first parcel arrives as well: Meyer sees it, and the shop's account stays.
    status(braun, row, DeliveryEvent.DELIVERED, "BS-3")
    run(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert "surplus" in [e.event for e in meyer.read(lambda tx: tx.customer_orders.events(theirs.customer_order_id))]


def test_what_a_partner_keeps_for_a_third_company_is_no_supply(shop: Company, meyer: Company, braun: Company) -> None:
    lines = tuple(
        StockLine(item=ItemRef(gtin=GTIN), location="DC1", unit="C62", on_hand=Decimal(many), owner=owner)
        for owner, many in (("", 4), (shop.id, 3), (braun.id, 50))
    )
    report = InventoryReport(header=DocumentHeader(number="IR-1"), as_of=meyer.clock.now(), lines=lines)
    (done,) = meyer.do(submit, shop.id, [Submission(report)])
    assert done.state == "waiting", done.findings
    connect(shop, meyer)
    today = shop.clock.now().date()
    promised = shop.read(lambda tx: promising.promise(tx, shop.ctx, GTIN, Decimal(60), today)).promise
    assert promised.by_then == 7
    told = shop.read(lambda tx: availability.figures(tx, shop.ctx, [GTIN]))
    assert sorted(one.on_hand // PIECE for one in told if one.on_hand) == [3, 4]
