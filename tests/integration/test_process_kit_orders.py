"""Kits that a partner orders of us: sourced by components, answered and sent as one line of kits; on each engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from node.app.documents.submit import Submission, submit
from node.config import PartnerSettings
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, Party, PartyRole
from node.core.document.fulfilment import DeliveryEvent, DeliveryStatus, DespatchAdvice, DespatchLine
from node.core.document.order import Order, OrderCancellation, OrderChange, OrderKind, OrderLine
from node.core.order_view import LineView, view
from node.core.quantity import Quantity
from node.core.rows import OrderRow
from tests.companies import Company, connect
from tests.customers import GTIN, HOME, PIECE, key, put, say, settings, settle
from tests.integration.test_process_kits import BENCH, LEG, SCREW, SET, SETS, TOP, accounts, catalogue, components

pytestmark = pytest.mark.usefixtures("linked", "seller")


@pytest.fixture
def seller(shop: Company, meyer: Company, linked: None) -> None:
    """The shop knows how a table is made, and sources what Meyer orders."""
    settings(shop, partners={meyer.id: PartnerSettings(orders="orchestrate")})
    catalogue(shop)


def order(buyer: Company, to: Company, quantity: int, gtin: str = GTIN, hops: int = 4) -> None:
    document = Order(
        header=DocumentHeader(
            number="PO-1",
            parties=(Party(role=PartyRole.SHIP_TO, personal_key="k1"),),
            root_id="root",
            hops_left=hops,
        ),
        order_kind=OrderKind.DROP_SHIP,
        lines=(OrderLine(line_id="10", item=ItemRef(gtin=gtin), quantity=Quantity(Decimal(quantity), "C62")),),
    )
    (done,) = buyer.do(submit, to.id, [Submission(document, HOME)])
    assert done.state == "waiting", done.findings


def run(shop: Company, meyer: Company) -> None:
    """The buyer never works: it has no orders of customers, and only its link runs."""
    for _ in range(3):
        connect(shop, meyer)
        settle(shop)
    connect(shop, meyer)


def ours(shop: Company) -> int:
    (row,) = shop.read(lambda tx: tx.customer_orders.search(limit=9))
    return row.customer_order_id


def as_seen(company: Company, other: Company, *remarks: str) -> LineView:
    """The one line of the order, as this company's book has it."""
    (row,) = company.read(lambda tx: tx.orders.search(partner_id=other.id))
    lines, events = company.read(lambda tx: (tx.orders.lines([row.order_id]), tx.orders.events([row.order_id])))
    (line,) = view(row, lines, events, company.clock.now()).lines
    assert line.remarks == remarks
    assert line.ordered == line.accepted + line.back_ordered + line.rejected + line.cancelled + line.unanswered
    return line


def numbers(line: LineView) -> dict[str, int]:
    names = ("accepted", "back_ordered", "rejected", "cancelled", "unanswered", "despatched", "delivered")
    return {name: int(getattr(line, name)) for name in names if getattr(line, name)}


def instructed(shop: Company, gtin: str) -> list[tuple[OrderRow, str, int]]:
    """Instructions to our own sites for an item: the order, its line, and how much."""
    orders = shop.read(lambda tx: tx.orders.search(partner_id=shop.id, limit=50))
    by_id = {row.order_id: row for row in orders}
    lines = shop.read(lambda tx: tx.orders.lines(sorted(by_id)))
    return [(by_id[one.order_id], one.line_id, one.quantity // PIECE) for one in lines if one.gtin == gtin]


def send(shop: Company, gtin: str, number: str, quantity: int | None = None) -> None:
    """Our site sends what it was told to of a component, and the carrier brings it at once."""
    for place, (row, line_id, many) in enumerate(instructed(shop, gtin)):
        line = DespatchLine(line_id="1", order_line_id=line_id, quantity=Quantity(Decimal(quantity or many), "C62"))
        header = DocumentHeader(number=f"{number}{place}")
        say_own(shop, DespatchAdvice(header=header, order=key(row), despatched_at=shop.clock.now(), lines=(line,)))


def say_own(shop: Company, document: Any) -> None:
    (done,) = shop.do(submit, shop.id, [Submission(document)])
    assert done.state != "refused", done.findings


def test_a_partners_kit_is_answered_and_sent_as_one_line(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 12, "B", LEG)
    put(shop, 3, "B", TOP)
    order(meyer, shop, 3)
    run(shop, meyer)
    assert components(shop, ours(shop)) == {LEG: 12, TOP: 3}
    for one, other in ((meyer, shop), (shop, meyer)):
        line = as_seen(one, other)
        assert (line.line_id, line.status, numbers(line)) == ("10", "accepted", {"accepted": 3})
    send(shop, LEG, "L")
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 3}  # legs alone are no table
    send(shop, TOP, "T", 2)
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 3, "despatched": 2}
    assert numbers(as_seen(shop, meyer)) == {"accepted": 3, "despatched": 2}
    assert accounts(shop, ours(shop))["10"] == {"ordered": 3, "live": 3}
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def carried(shop: Company, gtin: str, number: str, event: DeliveryEvent, place: int = 0) -> None:
    """What the carrier says of a despatch of a component."""
    row, _, _ = instructed(shop, gtin)[place]
    despatch = DocumentKey(issuer=shop.id, type="DespatchAdvice", number=f"{number}{place}")
    header = DocumentHeader(number=f"{event.value}-{number}{place}")
    say_own(
        shop,
        DeliveryStatus(header=header, despatch=despatch, order=key(row), event=event, occurred_at=shop.clock.now()),
    )


def test_a_kit_has_arrived_when_all_its_components_have(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 8, "B", LEG)
    put(shop, 2, "B", TOP)
    order(meyer, shop, 2)
    run(shop, meyer)
    send(shop, LEG, "L")
    send(shop, TOP, "T")
    carried(shop, LEG, "L", DeliveryEvent.DELIVERED)
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 2, "despatched": 2}
    carried(shop, TOP, "T", DeliveryEvent.FAILED)
    run(shop, meyer)
    assert as_seen(meyer, shop, "a delivery failed").failed == 2
    carried(shop, TOP, "T", DeliveryEvent.DELIVERED)
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 2, "despatched": 2, "delivered": 2}
    assert accounts(shop, ours(shop))["10"] == {"ordered": 2, "delivered": 2}
    (row,) = shop.read(lambda tx: tx.customer_orders.search(limit=9))
    assert row.state == "done"


def test_a_partners_kit_waits_for_the_component_that_is_missing(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 12, "B", LEG)
    put(shop, 1, "B", TOP)
    order(meyer, shop, 3)
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 1, "back_ordered": 2}
    shop.clock.move(minutes=1)
    put(shop, 3, "B", TOP)
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 3}
    assert components(shop, ours(shop)) == {LEG: 12, TOP: 3}


def test_some_kits_are_there_whole(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 2, "A")
    put(shop, 4, "B", LEG)
    put(shop, 1, "B", TOP)
    order(meyer, shop, 4)
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 3, "back_ordered": 1}
    send(shop, GTIN, "W")
    send(shop, TOP, "T")
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 3, "back_ordered": 1, "despatched": 2}
    send(shop, LEG, "L")
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 3, "back_ordered": 1, "despatched": 3}


def test_a_partner_wants_fewer_kits(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 12, "B", LEG)
    put(shop, 3, "B", TOP)
    order(meyer, shop, 3)
    run(shop, meyer)
    about = DocumentKey(issuer=meyer.id, type="Order", number="PO-1")
    line = OrderLine(line_id="10", item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(2), "C62"))
    say(meyer, shop.id, OrderChange(header=DocumentHeader(number="CH-1"), order=about, lines=(line,)))
    run(shop, meyer)
    assert components(shop, ours(shop)) == {LEG: 8, TOP: 2}
    assert as_seen(meyer, shop).change_requested is None
    assert int(as_seen(meyer, shop).open) == 2
    say(meyer, shop.id, OrderCancellation(header=DocumentHeader(number="X-1"), order=about, line_ids=("10",)))
    run(shop, meyer)
    assert components(shop, ours(shop)) == {}
    found = as_seen(meyer, shop)
    assert (int(found.open), found.cancel_requested) == (0, False)
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_a_kit_of_kits_is_one_line_too(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop, SETS)
    put(shop, 2, "B", BENCH)
    for gtin in (LEG, TOP, SCREW):
        put(shop, 100, "B", gtin)
    order(meyer, shop, 2, SET)
    run(shop, meyer)
    assert components(shop, ours(shop)) == {BENCH: 2, LEG: 24, TOP: 6, SCREW: 24}
    assert numbers(as_seen(meyer, shop)) == {"accepted": 2}
    for place, gtin in enumerate((BENCH, LEG, TOP, SCREW)):
        send(shop, gtin, f"D{place}-")
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 2, "despatched": 2}


def test_half_a_kit_is_not_sent_where_nothing_may_wait(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 12, "B", LEG)
    put(shop, 2, "B", TOP)
    # The order may be passed on no further: what we have not is refused, and what goes with it is given back.
    order(meyer, shop, 3, hops=0)
    run(shop, meyer)
    assert numbers(as_seen(meyer, shop)) == {"accepted": 2, "rejected": 1}
    assert components(shop, ours(shop)) == {LEG: 8, TOP: 2}
    assert accounts(shop, ours(shop))["10"] == {"ordered": 3, "cancelled": 1, "live": 2}


def test_a_component_comes_from_elsewhere(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 12, "B", LEG)
    put(braun, 3, "W", TOP)
    connect(shop, braun)
    order(meyer, shop, 3)
    for _ in range(3):
        connect(shop, meyer)
        settle(shop, braun)
    run(shop, meyer)
    found = numbers(as_seen(meyer, shop))
    assert sum(components(shop, ours(shop)).values()) == 15
    assert found in ({"accepted": 3}, {"back_ordered": 3})
